//! From the views of all validators to one list of commits.
//!
//! Follows RedTeam's `rest-scoring-api` at 64b017a: [`resolve`] is
//! `_update_validators_miner_commits`, [`merge`] is `_update_miner_commits`
//! without the scoring state, which the store keeps.

use std::collections::BTreeMap;

use serde::Serialize;

use super::wire::{ObservedCommit, ValidatorView};
use crate::chain::Metagraph;

/// The commits of one miner: one for each challenge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MinerCommits {
    /// The miner's uid.
    pub uid: u16,
    /// The miner's hotkey, in SS58.
    pub hotkey: String,
    /// Challenge → commit.
    pub commits: BTreeMap<String, ObservedCommit>,
}

/// A validator's view with uids, reduced to its newest commit per challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedView {
    /// The validator's uid.
    pub validator_uid: u16,
    /// The validator's hotkey, in SS58.
    pub validator_hotkey: String,
    /// The miners it reports.
    pub miners: Vec<MinerCommits>,
}

/// The current commit of each miner and challenge, sorted by (uid, hotkey):
/// [`resolve`] each view, then [`merge`].
///
/// One view for each validator; their order does not matter. Believes what it
/// is given: call
/// [`collect`](super::collect) for what validators claim.
#[must_use]
pub fn aggregate(views: &[ValidatorView], metagraph: &Metagraph) -> Vec<MinerCommits> {
    let resolved = views.iter().map(|view| resolve(view, metagraph)).collect();
    merge(resolved, metagraph)
}

/// Gives each miner of a view its uid, and reduces lists to the newest commit.
///
/// Of a list the greatest timestamp wins, the first of equal ones; no timestamp
/// is older than any. Left out are hotkeys that the metagraph does not have,
/// and commits reported for another uid than the hotkey has now.
#[must_use]
pub fn resolve(view: &ValidatorView, metagraph: &Metagraph) -> ResolvedView {
    let mut miners = Vec::new();
    for (hotkey, challenges) in &view.commits {
        let Some(uid) = metagraph.uid_of(hotkey) else {
            continue;
        };
        let mut commits = BTreeMap::new();
        for (challenge, list) in challenges {
            let newest = list
                .iter()
                .reduce(|a, b| if seen(b) > seen(a) { b } else { a });
            if let Some(commit) = newest.filter(|commit| commit.miner_uid.is_none_or(|u| u == uid))
            {
                commits.insert(challenge.clone(), commit.clone());
            }
        }
        if commits.is_empty() {
            continue;
        }
        miners.push(MinerCommits {
            uid,
            hotkey: hotkey.clone(),
            commits,
        });
    }
    ResolvedView {
        validator_uid: view.validator_uid,
        validator_hotkey: view.validator_hotkey.clone(),
        miners,
    }
}

/// Merges resolved views, in ascending order of validator uid.
///
/// Per miner and challenge the first validator gives the commit. A later one
/// with the same ciphertext makes the timestamp earlier and fills a missing key
/// or plain commit; one with another ciphertext replaces the whole commit if
/// both timestamps are known and its own is strictly newer. Left out are
/// miners whose uid and hotkey are not those of the metagraph.
///
/// As with the peers a timestamp of 0 counts as unknown, an empty text as none.
#[must_use]
pub fn merge(mut views: Vec<ResolvedView>, metagraph: &Metagraph) -> Vec<MinerCommits> {
    views.sort_by(|a, b| {
        (a.validator_uid, &a.validator_hotkey).cmp(&(b.validator_uid, &b.validator_hotkey))
    });
    let mut merged: BTreeMap<(u16, String), BTreeMap<String, ObservedCommit>> = BTreeMap::new();
    for miner in views.into_iter().flat_map(|view| view.miners) {
        if metagraph.uid_of(&miner.hotkey) != Some(miner.uid) {
            continue;
        }
        let current = merged.entry((miner.uid, miner.hotkey)).or_default();
        for (challenge, commit) in miner.commits {
            match current.get_mut(&challenge) {
                None => {
                    current.insert(challenge, commit);
                }
                Some(known) if known.encrypted_commit == commit.encrypted_commit => {
                    confirm(known, &commit);
                }
                Some(known) if both(&commit, known, |new, old| new > old) => *known = commit,
                Some(_) => {}
            }
        }
    }
    merged
        .into_iter()
        .map(|((uid, hotkey), commits)| MinerCommits {
            uid,
            hotkey,
            commits,
        })
        .collect()
}

/// One order whatever the files came in, lowest validator uid first.
pub(super) fn in_order<V: std::borrow::Borrow<ValidatorView>>(mut views: Vec<V>) -> Vec<V> {
    views.sort_by(|a, b| {
        let (a, b) = (a.borrow(), b.borrow());
        (a.validator_uid, &a.validator_hotkey).cmp(&(b.validator_uid, &b.validator_hotkey))
    });
    views
}

/// Folds another report of the same ciphertext into what is known of it.
pub(super) fn confirm(known: &mut ObservedCommit, report: &ObservedCommit) {
    if both(report, known, |new, old| new < old) {
        known.commit_timestamp = report.commit_timestamp;
    }
    if known.key.as_deref().is_none_or(str::is_empty) {
        known.key.clone_from(&report.key);
    }
    if known.commit.as_deref().is_none_or(str::is_empty) {
        known.commit.clone_from(&report.commit);
    }
}

/// The timestamp, if it is known.
pub(super) fn timestamp(commit: &ObservedCommit) -> Option<f64> {
    commit
        .commit_timestamp
        .filter(|timestamp| *timestamp != 0.0)
}

fn seen(commit: &ObservedCommit) -> f64 {
    timestamp(commit).unwrap_or(f64::NEG_INFINITY)
}

fn both(a: &ObservedCommit, b: &ObservedCommit, test: impl Fn(f64, f64) -> bool) -> bool {
    timestamp(a)
        .zip(timestamp(b))
        .is_some_and(|(a, b)| test(a, b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::versions::versions;
    use super::*;
    use crate::chain::Neuron;

    fn metagraph() -> Metagraph {
        let neuron = |uid: u16| Neuron {
            uid,
            hotkey: format!("hk{uid}"),
            coldkey: String::new(),
            axon_ip: None,
            stake: 0.0,
            validator_permit: false,
            ..Neuron::default()
        };
        Metagraph::new(1, 1, None, (0..4).map(neuron).collect()).unwrap()
    }

    fn commit(ciphertext: &str, timestamp: Option<f64>, key: Option<&str>) -> ObservedCommit {
        ObservedCommit {
            encrypted_commit: ciphertext.to_owned(),
            commit_timestamp: timestamp,
            key: key.map(str::to_owned),
            ..ObservedCommit::default()
        }
    }

    fn view(validator_uid: u16, commits: Vec<ObservedCommit>) -> ValidatorView {
        let challenges = BTreeMap::from([("c1".to_owned(), commits)]);
        ValidatorView {
            validator_uid,
            validator_hotkey: format!("hk{validator_uid}"),
            commits: BTreeMap::from([("hk3".to_owned(), challenges)]),
        }
    }

    fn merged(views: &[ValidatorView]) -> ObservedCommit {
        let mut miners = aggregate(views, &metagraph());
        assert_eq!(miners.len(), 1);
        miners.remove(0).commits.remove("c1").unwrap()
    }

    #[test]
    fn the_lowest_uid_comes_first_in_whatever_order_views_are_given() {
        let a = view(0, vec![commit("A", Some(5.0), None)]);
        let b = view(1, vec![commit("B", Some(5.0), None)]);
        assert_eq!(merged(&[b.clone(), a.clone()]), merged(&[a, b]));
    }

    #[test]
    fn of_a_list_the_newest_wins_and_the_first_of_equals() {
        let none = commit("N", None, None);
        let list = vec![
            none.clone(),
            commit("A", Some(2.0), None),
            commit("B", Some(2.0), None),
        ];
        assert_eq!(merged(&[view(0, list)]).encrypted_commit, "A");
        let list = vec![none, commit("Z", Some(0.0), None)];
        assert_eq!(merged(&[view(0, list)]).encrypted_commit, "N");
    }

    #[test]
    fn an_unknown_timestamp_neither_replaces_nor_is_replaced() {
        for unknown in [None, Some(0.0)] {
            let known = commit("B", Some(9.0), None);
            let a = view(0, vec![commit("A", unknown, None)]);
            assert_eq!(
                merged(&[a, view(1, vec![known.clone()])]).encrypted_commit,
                "A"
            );
            let a = view(1, vec![commit("A", unknown, None)]);
            assert_eq!(merged(&[view(0, vec![known]), a]).encrypted_commit, "B");
        }
    }

    #[test]
    fn a_commit_reported_for_another_uid_is_left_out() {
        let stale = ObservedCommit {
            miner_uid: Some(2),
            ..commit("A", Some(1.0), None)
        };
        let views = [view(0, vec![stale])];
        assert!(aggregate(&views, &metagraph()).is_empty());
        assert!(versions(&views, &metagraph()).is_empty());
    }

    #[test]
    fn versions_keep_a_revealed_commit_behind_a_newer_sealed_one() {
        let a = view(
            0,
            vec![commit("A", Some(3.0), None), commit("B", Some(7.0), None)],
        );
        let b = view(1, vec![commit("A", Some(2.0), Some("k"))]);
        let versions = versions(&[b, a], &metagraph());
        let commits: Vec<_> = versions.into_iter().map(|version| version.commit).collect();
        assert_eq!(
            commits,
            [
                commit("B", Some(7.0), None),
                commit("A", Some(2.0), Some("k"))
            ]
        );
    }
}
