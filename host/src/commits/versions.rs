//! Every ciphertext that any validator knows.

use std::collections::BTreeMap;

use super::aggregate::{confirm, in_order, timestamp};
use super::wire::{ObservedCommit, ValidatorView};
use crate::chain::Metagraph;

/// One ciphertext of one miner for one challenge, as all validators know it.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitVersion {
    /// The miner's uid.
    pub uid: u16,
    /// The miner's hotkey, in SS58.
    pub hotkey: String,
    /// The challenge.
    pub challenge: String,
    /// The commit, with the earliest timestamp and what is known of its key.
    pub commit: ObservedCommit,
}

/// Every ciphertext in the views, by uid, challenge, and then newest first.
///
/// [`aggregate`](fn@super::aggregate) forgets a commit once a newer one is seen, even if only the
/// older one is on time and has its key. This keeps both, with the rule of
/// [`merge`](super::merge) for the same ciphertext; unknown timestamps count as newest.
/// Replaces the peers' `miner_commits_cache`, which takes key and timestamp of
/// one validator instead of the best of all, and of which only the two newest
/// per miner and challenge are scored.
#[must_use]
pub fn versions(views: &[ValidatorView], metagraph: &Metagraph) -> Vec<CommitVersion> {
    let mut known: BTreeMap<(u16, &str, &str), ObservedCommit> = BTreeMap::new();
    for view in in_order(views.iter().collect()) {
        for (hotkey, challenges) in &view.commits {
            let Some(uid) = metagraph.uid_of(hotkey) else {
                continue;
            };
            for (challenge, list) in challenges {
                for commit in list.iter().filter(|c| c.miner_uid.is_none_or(|u| u == uid)) {
                    known
                        .entry((uid, challenge, &commit.encrypted_commit))
                        .and_modify(|known| {
                            // The peers forget a time that only one of two
                            // validators knows; then the order of views decides.
                            let times = [timestamp(known), timestamp(commit)];
                            confirm(known, commit);
                            known.commit_timestamp = times.into_iter().flatten().reduce(f64::min);
                        })
                        .or_insert_with(|| ObservedCommit {
                            commit_timestamp: timestamp(commit),
                            ..commit.clone()
                        });
                }
            }
        }
    }
    let mut versions: Vec<_> = known
        .into_iter()
        .filter_map(|((uid, challenge, _), commit)| {
            let hotkey = metagraph.by_uid(uid)?.hotkey.clone();
            Some(CommitVersion {
                uid,
                hotkey,
                challenge: challenge.to_owned(),
                commit,
            })
        })
        .collect();
    let age = |version: &CommitVersion| -timestamp(&version.commit).unwrap_or(f64::INFINITY);
    versions.sort_by(|a, b| {
        (a.uid, &a.challenge)
            .cmp(&(b.uid, &b.challenge))
            .then(age(a).total_cmp(&age(b)))
    });
    versions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Neuron;

    fn view(validator_uid: u16, commit_timestamp: Option<f64>) -> ValidatorView {
        let commit = ObservedCommit {
            encrypted_commit: "token".into(),
            commit_timestamp,
            ..ObservedCommit::default()
        };
        let challenges = BTreeMap::from([("c".to_owned(), vec![commit])]);
        ValidatorView {
            validator_uid,
            validator_hotkey: validator_uid.to_string(),
            commits: BTreeMap::from([("miner".to_owned(), challenges)]),
        }
    }

    #[test]
    fn the_earliest_time_that_anybody_knows_counts_and_zero_is_unknown() {
        let neuron = Neuron {
            uid: 5,
            hotkey: "miner".into(),
            coldkey: "cold".into(),
            axon_ip: None,
            stake: 0.0,
            validator_permit: false,
            ..Neuron::default()
        };
        let metagraph = Metagraph::new(1, 1, None, vec![neuron]).unwrap();
        for (times, known) in [
            ([Some(0.0), Some(9.0), Some(7.0)], Some(7.0)),
            ([None, Some(9.0), None], Some(9.0)),
            ([Some(9.0), None, Some(0.0)], Some(9.0)),
            ([None, Some(0.0), None], None),
        ] {
            let views: Vec<_> = (0_u16..)
                .zip(times)
                .map(|(uid, at)| view(uid, at))
                .collect();
            let found = versions(&views, &metagraph);
            assert_eq!(found[0].commit.commit_timestamp, known, "{times:?}");
        }
    }
}
