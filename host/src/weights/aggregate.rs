//! Weights of every challenge, by hotkey, to one vector by uid.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::derivation::{ChallengeShare, Decision, Derivation};
use super::no_miner::{NoMiner, NoMinerError};
use super::same_miner::SameMiner;
use super::share::{active, contribute, normalise};
use super::{BURN_UID, Limits};

/// What a challenge gave, and how much of emission it decides.
#[derive(Debug, Clone, PartialEq)]
pub struct ChallengeWeights {
    /// Its part of the subnet's emission, in percent. Negative counts as 0; a
    /// challenge whose percentage is NaN or infinite counts as failed.
    pub emission_percent: f64,
    /// Its weights, or why there are none.
    pub reported: Reported,
    /// Hotkey → who owns the repository that the miner's submission is from. Only
    /// looked at under [`SameMiner::KeepBest`]; whoever is missing is nobody else.
    pub repository_owners: BTreeMap<String, String>,
}

/// A registered miner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Miner {
    /// Its uid.
    pub uid: u16,
    /// The address that its axon serves at. Only looked at under
    /// [`SameMiner::KeepBest`], as the coldkey.
    pub axon_ip: Option<IpAddr>,
    /// The coldkey that owns its hotkey; empty if it is not known.
    pub coldkey: String,
}

/// The answer of a challenge.
#[derive(Debug, Clone, PartialEq)]
pub enum Reported {
    /// Hotkey → weight, in any scale. What is not finite and positive is dropped.
    Weights(BTreeMap<String, f64>),
    /// The challenge failed, for this reason, and counts as nothing.
    Failed(String),
}

/// Who gets what cannot be paid to whom it was meant for: unknown hotkeys, the
/// burn uid, challenges without weights, and emission that no challenge has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unassigned {
    /// The miners that earned, in proportion. A challenge's share is its
    /// percentage of the sum of all percentages, so that a lone 10 % takes all.
    #[default]
    Redistribute,
    /// The burn uid. A challenge's share is its percentage of 100, or of their
    /// sum if that is greater.
    Burn,
}

/// The explicit choices of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who gets what cannot be paid.
    pub unassigned: Unassigned,
    /// What becomes of miners that look like one.
    pub same_miner: SameMiner,
    /// What happens when nobody earned.
    pub no_miner: NoMiner,
    /// What the chain accepts; only looked at when nobody earned.
    pub limits: Limits,
}

/// One weight vector and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregated {
    /// (uid, weight) in ascending order of uid, with sum 1. A miner with nothing
    /// but zero shares is in it with 0. Empty only under [`NoMiner::Skip`], or
    /// under [`NoMiner::Uniform`] without any uid.
    pub weights: Vec<(u16, f64)>,
    /// How it came about.
    pub derivation: Derivation,
}

/// Combines the weights of all challenges into one vector by uid.
///
/// 1. `share_s = emission_s / Σ emission` over the challenges that did not fail;
/// 2. of each challenge, weights that are finite and positive, divided by their sum;
///    without those that [`Policy::same_miner`] leaves out;
/// 3. `score_h = Σ_s share_s · w_{s,h}`, for hotkeys in `miners` that do not have
///    [`BURN_UID`], and from there by uid;
/// 4. what could not be paid goes where [`Policy::unassigned`] says;
/// 5. if all scores are 0, [`Policy::no_miner`] decides.
///
/// Formula: PlatformNetwork f55e52b6 `aggregate_challenge_weights`, but a
/// percentage that is not finite stops only its own challenge, and sums that
/// overflow are scaled.
///
/// # Errors
///
/// [`NoMinerError`] if nobody earned and the policy cannot meet the limits.
pub fn aggregate(
    challenges: &BTreeMap<String, ChallengeWeights>,
    miners: &BTreeMap<String, Miner>,
    policy: Policy,
) -> Result<Aggregated, NoMinerError> {
    let mut derivation = Derivation::default();
    for (name, challenge) in challenges {
        let none = ChallengeShare {
            emission_percent: challenge.emission_percent,
            share: 0.0,
            contributions: BTreeMap::new(),
        };
        derivation.challenges.insert(name.clone(), none);
    }
    for active in active(challenges, policy.unassigned, &mut derivation.dropped) {
        let contributions = contribute(&active, miners, policy.same_miner, &mut derivation.dropped);
        for (hotkey, part) in &contributions {
            *derivation.hotkeys.entry(hotkey.clone()).or_default() += part;
        }
        if let Some(entry) = derivation.challenges.get_mut(active.name) {
            entry.share = active.share;
            entry.contributions = contributions;
        }
    }
    let mut by_uid: BTreeMap<u16, f64> = BTreeMap::new();
    for (hotkey, score) in &derivation.hotkeys {
        if let Some(miner) = miners.get(hotkey) {
            *by_uid.entry(miner.uid).or_default() += score;
        }
    }
    let total: f64 = by_uid.values().sum();
    if total > 0.0 {
        if policy.unassigned == Unassigned::Burn {
            let burned = derivation.dropped.iter().map(|dropped| dropped.share).sum();
            if burned > 0.0 {
                by_uid.insert(BURN_UID, burned);
            }
        }
        let mut weights: Vec<_> = by_uid.into_iter().collect();
        normalise(&mut weights, |(_, weight)| weight);
        return Ok(Aggregated {
            weights,
            derivation,
        });
    }

    let registered: BTreeSet<u16> = miners.values().map(|miner| miner.uid).collect();
    let weights = policy.no_miner.vector(policy.limits, &registered)?;
    derivation.hotkeys.clear();
    derivation.decision = Decision::NoMiner(policy.no_miner);
    Ok(Aggregated {
        weights: weights.into_iter().collect(),
        derivation,
    })
}

/// As [`aggregate`]; if nobody earned and the policy cannot meet the limits, the empty
/// vector, and why there is no other.
///
/// # Errors
///
/// None that is known of: [`NoMiner::Skip`] asks for nothing.
pub fn aggregate_or_skip(
    challenges: &BTreeMap<String, ChallengeWeights>,
    miners: &BTreeMap<String, Miner>,
    policy: Policy,
) -> Result<(Aggregated, Option<String>), NoMinerError> {
    match aggregate(challenges, miners, policy) {
        Ok(aggregated) => Ok((aggregated, None)),
        Err(error) => {
            let policy = Policy {
                no_miner: NoMiner::Skip,
                ..policy
            };
            let aggregated = aggregate(challenges, miners, policy)?;
            Ok((aggregated, Some(error.to_string())))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const REDISTRIBUTE: Policy = Policy {
        unassigned: Unassigned::Redistribute,
        same_miner: SameMiner::Off,
        no_miner: NoMiner::Burn,
        limits: Limits {
            min_allowed_weights: 1,
            max_weight_limit: u16::MAX,
        },
    };
    const BURN: Policy = Policy {
        unassigned: Unassigned::Burn,
        ..REDISTRIBUTE
    };

    /// Name, emission percent, weights.
    type Given<'a> = (&'a str, f64, &'a [(&'a str, f64)]);

    fn run(challenges: &[Given<'_>], policy: Policy) -> Aggregated {
        let challenges = challenges
            .iter()
            .map(|(name, emission_percent, weights)| {
                let weights = weights.iter().map(|(h, w)| ((*h).to_owned(), *w)).collect();
                let reported = Reported::Weights(weights);
                let challenge = ChallengeWeights {
                    emission_percent: *emission_percent,
                    reported,
                    repository_owners: BTreeMap::new(),
                };
                ((*name).to_owned(), challenge)
            })
            .collect();
        let miners = ["owner", "a", "b", "c"]
            .iter()
            .zip(0..)
            .map(|(hotkey, uid)| {
                // Of the miners a and b, one coldkey.
                let coldkey = if uid == 3 { "c" } else { "ab" }.to_owned();
                let miner = Miner {
                    uid,
                    axon_ip: None,
                    coldkey,
                };
                ((*hotkey).to_owned(), miner)
            });
        aggregate(&challenges, &miners.collect(), policy).unwrap()
    }

    fn reasons(aggregated: &Aggregated) -> Vec<&'static str> {
        aggregated
            .derivation
            .dropped
            .iter()
            .map(|dropped| dropped.reason.code())
            .collect()
    }

    #[test]
    fn what_is_not_finite_stops_only_its_own_challenge() {
        let fine: Given<'_> = ("fine", 50.0, &[("b", 1.0)]);
        for bad in [f64::NAN, f64::INFINITY] {
            let got = run(&[("bad", bad, &[("a", 1.0)]), fine], REDISTRIBUTE);
            assert_eq!(got.weights, [(2, 1.0)]);
            assert_eq!(reasons(&got), ["emission_not_finite"]);
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let got = run(
                &[("bad", 50.0, &[("a", bad), ("c", 2.0)]), fine],
                REDISTRIBUTE,
            );
            assert_eq!(got.weights, [(2, 0.5), (3, 0.5)]);
            assert_eq!(reasons(&got), ["weight_not_finite"]);
        }
    }

    #[test]
    fn sums_that_overflow_keep_their_ratios() {
        let huge: &[_] = &[("a", f64::MAX), ("b", f64::MAX)];
        let got = run(
            &[("x", f64::MAX, huge), ("y", f64::MAX, &[("c", 1.0)])],
            REDISTRIBUTE,
        );
        assert_eq!(got.weights, [(1, 0.25), (2, 0.25), (3, 0.5)]);
    }

    #[test]
    fn burn_pays_the_burn_uid_all_that_cannot_be_paid() {
        let got = run(
            &[
                ("empty", 10.0, &[]),
                ("mixed", 40.0, &[("a", 2.0), ("gone", 1.0), ("owner", 1.0)]),
            ],
            BURN,
        );
        assert_eq!(
            got.weights.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(),
            [0, 1]
        );
        assert!((got.weights[0].1 - 0.8).abs() < 1e-12);
        assert!((got.weights[1].1 - 0.2).abs() < 1e-12);
        let expected = [
            "emission_unassigned",
            "no_weights",
            "unknown_hotkey",
            "burn_uid",
        ];
        let mut got = reasons(&got);
        got.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(got, expected);
    }

    #[test]
    fn burn_leaves_nothing_over_where_all_can_be_paid() {
        let got = run(
            &[("x", 150.0, &[("a", 1.0)]), ("y", 50.0, &[("b", 1.0)])],
            BURN,
        );
        assert_eq!(got.weights, [(1, 0.75), (2, 0.25)]);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let weights: &[_] = &[("a", 0.3), ("gone", 0.1), ("owner", 7.0), ("b", -1.0)];
        for policy in [REDISTRIBUTE, BURN] {
            let got = run(
                &[
                    ("x", 13.0, weights),
                    ("y", 44.0, &[]),
                    ("z", 1.5, &[("c", 3.0)]),
                ],
                policy,
            );
            let paid: f64 = got.derivation.hotkeys.values().sum();
            let dropped: f64 = got
                .derivation
                .dropped
                .iter()
                .map(|dropped| dropped.share)
                .sum();
            assert!((paid + dropped - 1.0).abs() < 1e-12);
            let sum: f64 = got.weights.iter().map(|(_, weight)| weight).sum();
            assert!((sum - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn of_miners_that_look_like_one_the_best_counts_in_each_challenge() {
        let challenges: &[Given<'_>] = &[
            ("x", 50.0, &[("a", 1.0), ("b", 3.0), ("c", 1.0)]),
            ("y", 50.0, &[("a", 1.0), ("gone", 1.0)]),
        ];
        let policy = Policy {
            same_miner: SameMiner::KeepBest,
            ..BURN
        };
        let got = run(challenges, policy);
        // Of x, b has 3/4 and c 1/4; of y, half is burned.
        assert_eq!(got.weights, [(0, 0.25), (1, 0.25), (2, 0.375), (3, 0.125)]);
        assert_eq!(reasons(&got), ["same_miner", "unknown_hotkey"]);
        assert_eq!(run(challenges, BURN).weights.len(), 4, "off: all count");
        assert_eq!(reasons(&run(challenges, BURN)), ["unknown_hotkey"]);
    }

    #[test]
    fn when_nobody_earns_the_policy_decides() {
        let challenges: &[Given<'_>] = &[("x", 100.0, &[("owner", 1.0)])];
        let burn = run(challenges, REDISTRIBUTE);
        assert_eq!(burn.weights, [(0, 1.0)]);
        assert_eq!(burn.derivation.decision, Decision::NoMiner(NoMiner::Burn));
        let skip = run(
            challenges,
            Policy {
                no_miner: NoMiner::Skip,
                ..BURN
            },
        );
        assert_eq!(skip.weights, []);
        let uniform = run(
            challenges,
            Policy {
                no_miner: NoMiner::Uniform,
                ..BURN
            },
        );
        assert_eq!(uniform.weights.len(), 4);
    }
}
