//! Which sealed commits are to be opened.

use crate::commits::is_on_time;
use crate::store::CommitRow;
use std::collections::BTreeMap;

/// What is to be done with sealed commits.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// To be opened.
    pub(super) open: Vec<CommitRow>,
    /// Left behind: the miner has newer ones that are to be opened.
    pub(super) superseded: Vec<CommitRow>,
}

/// Of the commits that have a key and whose time has come, the newest
/// `max_versions` of each miner and challenge.
pub(super) fn due(
    sealed: Vec<CommitRow>,
    now: f64,
    reveal_interval: f64,
    max_versions: usize,
) -> Due {
    let ripe = |commit: &CommitRow| {
        commit.key.is_some()
            && commit
                .committed_at
                .is_some_and(|at| is_on_time(now, at, reveal_interval))
    };
    let mut by_miner: BTreeMap<(String, String), Vec<CommitRow>> = BTreeMap::new();
    for commit in sealed.into_iter().filter(ripe) {
        let key = (commit.challenge.clone(), commit.miner_hotkey.clone());
        by_miner.entry(key).or_default().push(commit);
    }
    let mut due = Due::default();
    for mut commits in by_miner.into_values() {
        commits.sort_by(|a, b| {
            b.committed_at
                .unwrap_or(0.0)
                .total_cmp(&a.committed_at.unwrap_or(0.0))
        });
        due.superseded
            .extend(commits.split_off(max_versions.min(commits.len())));
        due.open.extend(commits);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: i64, hotkey: &str, committed_at: Option<f64>, key: bool) -> CommitRow {
        CommitRow {
            committed_at,
            key: key.then(String::new),
            ..CommitRow::sample(id, hotkey)
        }
    }

    #[test]
    fn the_newest_ripe_versions_of_each_miner_are_opened() {
        let sealed = vec![
            commit(1, "a", Some(0.0), true),
            commit(2, "a", Some(1.0), true),
            commit(3, "a", Some(2.0), true),
            commit(4, "a", Some(3.0), false),
            commit(5, "a", Some(99.0), true),
            commit(6, "b", Some(0.0), true),
            commit(7, "b", None, true),
        ];
        let due = due(sealed, 100.0, 10.0, 2);
        let ids = |commits: &[CommitRow]| commits.iter().map(|c| c.id).collect::<Vec<_>>();
        assert_eq!(ids(&due.open), [3, 2, 6]);
        assert_eq!(ids(&due.superseded), [1]);
    }
}
