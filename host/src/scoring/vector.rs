//! The weight vector of each day, once every challenge is through with it.

use super::finalize::PATIENCE;
use super::organic::pays;
use super::pipeline::{Pipeline, PipelineError};
use super::receipts::Made;
use super::sources::Source;
use crate::chain::Metagraph;
use crate::plugins::RunState;
use crate::receipts::documents::Document;
use crate::receipts::{Kind, VectorInput, VectorOutput};
use crate::sandbox::Outcome;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::store::{FinalizationRow, Notice, OutboxKind, WeightVectorRow};
use crate::weights::{
    Aggregated, Derivation, Limits, Miner, Policy, Quantised, SameMiner, aggregate_or_skip,
    quantise,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What a challenge pays, or why it pays nothing.
#[derive(Debug, Clone)]
pub struct Paid {
    /// Name of the challenge.
    pub challenge: String,
    /// The best accepted commit of each miner, by uid.
    pub standings: Vec<Standing>,
    /// What each hotkey gets; or the outcome's code and the reason.
    pub weights: Result<Vec<HotkeyWeight>, (String, String)>,
}

/// What a day came to.
#[derive(Debug, Clone)]
pub struct Finalized {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Each challenge.
    pub challenges: Vec<Paid>,
    /// The vector as the chain wants it.
    pub vector: Quantised,
    /// How it came about.
    pub derivation: Derivation,
}

/// The weights of all challenges as one vector.
pub(super) struct Combined {
    pub(super) aggregated: Aggregated,
    /// Why the subnet would take none, if nobody earned anything and what the operator
    /// wants then cannot meet its limits.
    pub(super) refused: Option<String>,
    /// What it was made from.
    pub(super) input: VectorInput,
}

impl Pipeline {
    /// Makes the vectors of the days that every challenge is through with, in
    /// order. Returns the last one that it made.
    pub(super) async fn make_vectors(&self, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let mut last = None;
        for day in self.store.days_without_vector().await? {
            if self.lacks_a_challenge(&day, now) {
                return Ok(last);
            }
            for plugin in self.plugins.active() {
                if pays(&plugin) && self.unfinalized(&plugin, now).await?.contains(&day) {
                    return Ok(last);
                }
            }
            last = self.make_vector(day, now).await?.or(last);
        }
        Ok(last)
    }

    /// Whether a challenge that should run does not, so that its share would be lost
    /// for the day. It is waited for as long as for one that does not tell its weights.
    pub(super) fn lacks_a_challenge(&self, day: &str, now: f64) -> bool {
        let challenges = self.plugins.all_running().into_iter();
        let mut missing = challenges.filter(|(_, running)| {
            running.active.is_none()
                && matches!(running.state, RunState::Loading | RunState::Failed)
        });
        missing.next().is_some() && now < self.schedule.finalized_at(day) + PATIENCE
    }

    async fn make_vector(&self, day: String, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let sources = self.sources_of_day(&day).await?;
        let Combined {
            aggregated,
            refused,
            input,
        } = self.aggregate(&day, &sources, None).await?;
        if let Some(reason) = refused {
            tracing::error!(day, reason, "there is no weight vector of the day");
        }
        let vector = quantise(&aggregated.weights)?;
        let made = self
            .receipt_of_vector(&input, Ok(vector.clone()), now)
            .await?;
        let leaves = self.leaves(&day, made.leaves().collect());
        let row = WeightVectorRow {
            day: day.clone(),
            uids: json!(vector.uids).to_string(),
            values: json!(vector.values).to_string(),
            derivation: serde_json::to_string(&aggregated.derivation)?,
            receipt: made.id,
        };
        // What was told of the day's last finalization may be without its vector.
        let notices = match self.config.storage.url {
            Some(_) => vec![Notice {
                kind: OutboxKind::State,
                subject: String::new(),
            }],
            None => Vec::new(),
        };
        if !self
            .store
            .put_vector(row, notices, now, made.kept, leaves)
            .await?
        {
            return Ok(None);
        }
        tracing::info!(day, uids = ?vector.uids, values = ?vector.values, "finalized");
        let rows = self.store.finalizations_of(day.clone()).await?;
        Ok(Some(Finalized {
            day,
            challenges: rows.into_iter().map(paid).collect::<Result<_, _>>()?,
            vector,
            derivation: aggregated.derivation,
        }))
    }

    /// One vector of all; `fit` is who may be added to one that the chain is to take.
    pub(super) async fn aggregate(
        &self,
        day: &str,
        sources: &[Source],
        fit: Option<&BTreeSet<u16>>,
    ) -> Result<Combined, PipelineError> {
        let rules = &self.config.weights;
        let mut challenges = BTreeMap::new();
        for source in sources {
            let owners = match rules.same_miner {
                SameMiner::Off => BTreeMap::new(),
                SameMiner::KeepBest => self.repository_owners(&source.challenge).await?,
            };
            challenges.insert(source.challenge.clone(), source.reported(owners));
        }
        let metagraph = self.metagraph();
        let miners = metagraph.neurons().map(|neuron| {
            let miner = Miner {
                uid: neuron.uid,
                axon_ip: neuron.axon_ip,
                coldkey: neuron.coldkey.clone(),
            };
            (neuron.hotkey.clone(), miner)
        });
        let policy = Policy {
            unassigned: rules.unassigned,
            same_miner: rules.same_miner,
            no_miner: rules.zero_miner,
            limits: limits(&metagraph),
        };
        let miners = miners.collect();
        let (aggregated, refused) = aggregate_or_skip(&challenges, &miners, policy)?;
        let told = |challenge: &str| {
            let source = sources.iter().find(|source| source.challenge == challenge);
            let receipt = source.and_then(|source| source.receipt.clone());
            let organic_share = source.and_then(|source| source.organic_share);
            (receipt, organic_share.unwrap_or_default())
        };
        Ok(Combined {
            input: VectorInput::new(day, &challenges, told, &miners, policy, fit),
            aggregated,
            refused,
        })
    }

    /// The receipt of a vector that was made of this.
    pub(super) async fn receipt_of_vector(
        &self,
        input: &VectorInput,
        vector: Result<Quantised, String>,
        now: f64,
    ) -> Result<Made, PipelineError> {
        let output = VectorOutput::new(vector).text()?;
        let told = input.challenges.values();
        let depends_on = told.filter_map(|challenge| challenge.receipt.clone());
        let (input, depends_on) = (input.text()?, depends_on.collect());
        self.receipt_of_rule(Kind::Vector, None, (input, output), depends_on, now)
            .await
    }
}

/// What the subnet accepts; anything if its metagraph does not tell.
pub(super) fn limits(metagraph: &Metagraph) -> Limits {
    let told = metagraph.hyperparameters();
    told.map_or_else(Limits::default, |told| Limits {
        // A subnet of fewer neurons wants one weight for each.
        min_allowed_weights: told
            .min_allowed_weights
            .min(u16::try_from(metagraph.neurons().len()).unwrap_or(u16::MAX)),
        max_weight_limit: told.max_weight_limit,
    })
}

fn paid(row: FinalizationRow) -> Result<Paid, PipelineError> {
    let row = row.finalization;
    let weights = if row.outcome == Outcome::Ok.code() {
        Ok(serde_json::from_str(&row.weights)?)
    } else {
        Err((row.outcome, row.message.unwrap_or_default()))
    };
    Ok(Paid {
        challenge: row.challenge,
        standings: serde_json::from_str(&row.standings)?,
        weights,
    })
}
