//! One weight vector of all challenges: what it is made from, as it is kept, and making
//! it again.

use super::documents::Document;
use crate::canonical::Bits;
use crate::weights::{
    ChallengeWeights, Limits, Miner, NoMiner, NoMinerError, OnChain, Policy, Reported, SameMiner,
    Unassigned, aggregate_or_skip, on_chain, quantise,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a vector is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorInput {
    /// What each challenge pays, by name.
    pub challenges: BTreeMap<String, VectorChallenge>,
    /// The last day that it takes in, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Of a vector that the chain is to take: who may be added with the least weight that
    /// there is. None of a day's vector, which the subnet's limits do not bound.
    pub fit: Option<Vec<u16>>,
    /// The subnet's greatest part of the sum for one weight, in 65535ths.
    pub max_weight_limit: u16,
    /// The subnet's least number of weights.
    pub min_allowed_weights: u16,
    /// Who is registered, by hotkey.
    pub miners: BTreeMap<String, VectorMiner>,
    /// What happens when nobody earned.
    pub no_miner: NoMiner,
    /// What becomes of miners that look like one.
    pub same_miner: SameMiner,
    /// Who gets what cannot be paid.
    pub unassigned: Unassigned,
    /// `proctor-vector-input-1`.
    pub version: String,
}

/// What a challenge pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorChallenge {
    /// Its part of the emission, in percent.
    pub emission_percent: Bits,
    /// Why it pays nothing; none if `weights` count.
    pub failed: Option<String>,
    /// The part of the weights that organic rewards decided, 0 to 1. Those are not taken
    /// from a receipt.
    pub organic_share: Bits,
    /// The receipt of the `get-weights` that told the weights; none if there is none.
    pub receipt: Option<String>,
    /// Hotkey → who owns the repository of its submission, where that is looked at.
    pub repository_owners: BTreeMap<String, String>,
    /// Hotkey → weight.
    pub weights: BTreeMap<String, Bits>,
}

/// A registered miner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorMiner {
    /// The address of its axon.
    pub axon_ip: Option<String>,
    /// Its coldkey; empty if it is not known.
    pub coldkey: String,
    /// Its uid.
    pub uid: u16,
}

/// What a vector came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorOutput {
    /// Why the subnet would take none; none if there is one.
    pub refused: Option<String>,
    /// Who is paid, in ascending order.
    pub uids: Vec<u16>,
    /// Weights in the order of the uids, the greatest 65535.
    pub values: Vec<u16>,
    /// `proctor-vector-1`.
    pub version: String,
}

impl Document for VectorInput {
    const VERSION: &'static str = "proctor-vector-input-1";

    fn version(&self) -> &str {
        &self.version
    }
}

impl Document for VectorOutput {
    const VERSION: &'static str = "proctor-vector-1";

    fn version(&self) -> &str {
        &self.version
    }
}

impl VectorInput {
    /// Of what challenges told, and of who is registered. `fit` is for a vector that the
    /// chain is to take. `sources` tells the receipt of a challenge's weights, and the
    /// part of them that organic rewards decided.
    pub fn new(
        day: &str,
        challenges: &BTreeMap<String, ChallengeWeights>,
        sources: impl Fn(&str) -> (Option<String>, f64),
        miners: &BTreeMap<String, Miner>,
        policy: Policy,
        fit: Option<&BTreeSet<u16>>,
    ) -> Self {
        let challenges = challenges.iter().map(|(name, told)| {
            let (weights, failed) = match &told.reported {
                Reported::Weights(weights) => (weights.clone(), None),
                Reported::Failed(reason) => (BTreeMap::new(), Some(reason.clone())),
            };
            let (receipt, organic_share) = sources(name);
            let weights = weights.into_iter().map(|(h, weight)| (h, Bits(weight)));
            let challenge = VectorChallenge {
                emission_percent: Bits(told.emission_percent),
                failed,
                organic_share: Bits(organic_share),
                receipt,
                repository_owners: told.repository_owners.clone(),
                weights: weights.collect(),
            };
            (name.clone(), challenge)
        });
        let miners = miners.iter().map(|(hotkey, miner)| {
            let miner = VectorMiner {
                axon_ip: miner.axon_ip.map(|ip| ip.to_string()),
                coldkey: miner.coldkey.clone(),
                uid: miner.uid,
            };
            (hotkey.clone(), miner)
        });
        VectorInput {
            challenges: challenges.collect(),
            day: day.to_owned(),
            fit: fit.map(|uids| uids.iter().copied().collect()),
            max_weight_limit: policy.limits.max_weight_limit,
            min_allowed_weights: policy.limits.min_allowed_weights,
            miners: miners.collect(),
            no_miner: policy.no_miner,
            same_miner: policy.same_miner,
            unassigned: policy.unassigned,
            version: Self::VERSION.to_owned(),
        }
    }

    fn policy(&self) -> Policy {
        Policy {
            unassigned: self.unassigned,
            same_miner: self.same_miner,
            no_miner: self.no_miner,
            limits: Limits {
                min_allowed_weights: self.min_allowed_weights,
                max_weight_limit: self.max_weight_limit,
            },
        }
    }
}

/// The vector of this input, by the rules of [`weights`](crate::weights).
///
/// # Errors
///
/// See [`NoMinerError`].
pub fn compute(input: &VectorInput) -> Result<VectorOutput, NoMinerError> {
    let challenges = input.challenges.iter().map(|(name, told)| {
        let reported = match &told.failed {
            Some(reason) => Reported::Failed(reason.clone()),
            None => {
                let weights = told.weights.iter();
                Reported::Weights(weights.map(|(h, weight)| (h.clone(), weight.0)).collect())
            }
        };
        let challenge = ChallengeWeights {
            emission_percent: told.emission_percent.0,
            reported,
            repository_owners: told.repository_owners.clone(),
        };
        (name.clone(), challenge)
    });
    let miners = input.miners.iter().map(|(hotkey, miner)| {
        let miner = Miner {
            uid: miner.uid,
            axon_ip: miner.axon_ip.as_ref().and_then(|ip| ip.parse().ok()),
            coldkey: miner.coldkey.clone(),
        };
        (hotkey.clone(), miner)
    });
    let policy = input.policy();
    let (aggregated, refused) =
        aggregate_or_skip(&challenges.collect(), &miners.collect(), policy)?;
    let vector = match (&input.fit, refused) {
        (Some(_), Some(reason)) => Err(reason),
        (Some(fit), None) => {
            let pad_with = fit.iter().copied().collect();
            match on_chain(&aggregated.weights, policy.limits, &pad_with) {
                OnChain::Vector { quantised, .. } => Ok(quantised),
                OnChain::Refused(reason) => Err(reason),
            }
        }
        (None, _) => quantise(&aggregated.weights).map_err(|e| e.to_string()),
    };
    Ok(VectorOutput::new(vector))
}

impl VectorOutput {
    /// Of a vector, or why the subnet would take none.
    pub fn new(vector: Result<crate::weights::Quantised, String>) -> Self {
        let (quantised, refused) = match vector {
            Ok(quantised) => (quantised, None),
            Err(reason) => (crate::weights::Quantised::default(), Some(reason)),
        };
        VectorOutput {
            refused,
            uids: quantised.uids,
            values: quantised.values,
            version: Self::VERSION.to_owned(),
        }
    }
}
