//! Each challenge's part of the whole, and whom it gives it to.

use std::collections::BTreeMap;

use super::BURN_UID;
use super::aggregate::{ChallengeWeights, Miner, Reported, Unassigned};
use super::derivation::{DropReason, Dropped};
use super::same_miner::{SameMiner, others_of_one};

/// A challenge that gave weights, and its part of the whole.
pub(super) struct Active<'a> {
    pub(super) name: &'a str,
    pub(super) weights: &'a BTreeMap<String, f64>,
    pub(super) repository_owners: &'a BTreeMap<String, String>,
    pub(super) share: f64,
}

/// The challenges that gave weights, and each one's part of the whole.
pub(super) fn active<'a>(
    challenges: &'a BTreeMap<String, ChallengeWeights>,
    unassigned: Unassigned,
    dropped: &mut Vec<Dropped>,
) -> Vec<Active<'a>> {
    let mut active = Vec::new();
    for (name, challenge) in challenges {
        let mut drop = |reason| dropped.push(of_challenge(Some(name), reason, 0.0));
        let percent = challenge.emission_percent;
        match &challenge.reported {
            Reported::Failed(reason) => drop(DropReason::ChallengeFailed(reason.clone())),
            Reported::Weights(_) if percent.is_nan() || percent == f64::INFINITY => {
                drop(DropReason::EmissionNotFinite)
            }
            Reported::Weights(weights) => {
                if percent < 0.0 {
                    drop(DropReason::EmissionNegative);
                }
                active.push(Active {
                    name,
                    weights,
                    repository_owners: &challenge.repository_owners,
                    share: percent.max(0.0),
                });
            }
        }
    }
    let assigned: f64 = active.iter().map(|challenge| challenge.share).sum();
    if unassigned == Unassigned::Burn && assigned < 100.0 {
        active
            .iter_mut()
            .for_each(|challenge| challenge.share /= 100.0);
        let rest = (100.0 - assigned) / 100.0;
        dropped.push(of_challenge(None, DropReason::EmissionUnassigned, rest));
    } else {
        normalise(&mut active, |challenge| &mut challenge.share);
    }
    active
}

/// What a challenge gives to whom, as parts of the whole.
pub(super) fn contribute(
    challenge: &Active<'_>,
    miners: &BTreeMap<String, Miner>,
    same_miner: SameMiner,
    dropped: &mut Vec<Dropped>,
) -> BTreeMap<String, f64> {
    let mut good = Vec::new();
    let mut drop = |hotkey: &str, weight, reason, share| {
        dropped.push(Dropped {
            challenge: Some(challenge.name.to_owned()),
            hotkey: Some(hotkey.to_owned()),
            reason,
            weight: Some(weight),
            share,
        });
    };
    for (hotkey, &weight) in challenge.weights {
        if !weight.is_finite() {
            drop(hotkey, weight, DropReason::WeightNotFinite, 0.0);
        } else if weight <= 0.0 {
            drop(hotkey, weight, DropReason::WeightNotPositive, 0.0);
        } else {
            good.push((hotkey, weight, weight));
        }
    }
    if same_miner == SameMiner::KeepBest {
        let weights: Vec<_> = good
            .iter()
            .map(|(hotkey, part, _)| (*hotkey, *part))
            .collect();
        let others = others_of_one(&weights, miners, challenge.repository_owners);
        good.retain(|(hotkey, _, weight)| {
            let left_out = others.contains(hotkey.as_str());
            if left_out {
                drop(hotkey, *weight, DropReason::SameMiner, 0.0);
            }
            !left_out
        });
    }
    normalise(&mut good, |(_, part, _)| part);
    let nothing = good.is_empty();
    let mut contributions = BTreeMap::new();
    for (hotkey, part, weight) in good {
        let part = challenge.share * part;
        match miners.get(hotkey).map(|miner| miner.uid) {
            None => drop(hotkey, weight, DropReason::UnknownHotkey, part),
            Some(BURN_UID) => drop(hotkey, weight, DropReason::BurnUid, part),
            Some(_) => {
                contributions.insert(hotkey.clone(), part);
            }
        }
    }
    if nothing {
        let whole = of_challenge(Some(challenge.name), DropReason::NoWeights, challenge.share);
        dropped.push(whole);
    }
    contributions
}

fn of_challenge(challenge: Option<&str>, reason: DropReason, share: f64) -> Dropped {
    Dropped {
        challenge: challenge.map(str::to_owned),
        hotkey: None,
        reason,
        weight: None,
        share,
    }
}

/// Divides values, finite and not negative, by their sum; all zeros stay zeros.
pub(super) fn normalise<T>(items: &mut [T], value: impl Fn(&mut T) -> &mut f64) {
    let mut sum: f64 = items.iter_mut().map(|item| *value(item)).sum();
    if !sum.is_finite() {
        let max = items
            .iter_mut()
            .map(|item| *value(item))
            .fold(0.0, f64::max);
        items.iter_mut().for_each(|item| *value(item) /= max);
        sum = items.iter_mut().map(|item| *value(item)).sum();
    }
    if sum > 0.0 {
        items.iter_mut().for_each(|item| *value(item) /= sum);
    }
}
