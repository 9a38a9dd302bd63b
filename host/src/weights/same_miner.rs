//! Miners that look like one.

use std::collections::{BTreeMap, BTreeSet};

use proctor_sdk::ranking::{Contender, exclude_same_miner};
use serde::{Deserialize, Serialize};

use super::aggregate::Miner;

/// What becomes of miners that look like one: that share an axon's address, a coldkey,
/// or the owner of the repository that their submissions are from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameMiner {
    /// Each counts.
    #[default]
    Off,
    /// In each challenge only the one with the greatest weight counts, of several the
    /// first by hotkey; the challenge's share stays what it is. Rule:
    /// [`exclude_same_miner`].
    KeepBest,
}

/// The hotkeys that do not count, of weights that are finite and positive.
pub(super) fn others_of_one<'a>(
    weights: &[(&'a String, f64)],
    miners: &BTreeMap<String, Miner>,
    repository_owners: &BTreeMap<String, String>,
) -> BTreeSet<&'a str> {
    let addresses: Vec<Option<String>> = weights
        .iter()
        .map(|(hotkey, _)| Some(miners.get(*hotkey)?.axon_ip?.to_string()))
        .collect();
    let contenders: Vec<Contender<'_>> = weights
        .iter()
        .zip(&addresses)
        .map(|((hotkey, weight), address)| Contender {
            score: *weight,
            axon_ip: address.as_deref(),
            coldkey: miners.get(*hotkey).map(|miner| miner.coldkey.as_str()),
            repository_owner: repository_owners.get(*hotkey).map(String::as_str),
        })
        .collect();
    let shares = exclude_same_miner(&contenders);
    let others = weights.iter().zip(shares);
    let others = others.filter(|(_, share)| *share == 0.0);
    others.map(|((hotkey, _), _)| hotkey.as_str()).collect()
}
