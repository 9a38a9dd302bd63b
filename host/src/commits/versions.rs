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
                        .and_modify(|known| confirm(known, commit))
                        .or_insert_with(|| commit.clone());
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
