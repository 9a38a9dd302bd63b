//! Which sealed commits are to be opened.

use super::schedule::Schedule;
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

/// Of commits with a key, those whose time has come: the newest `max_versions` of
/// each miner, challenge and day. By day, so that a host that was down for some
/// comes to the same as one that was not.
pub(super) fn due(
    with_key: Vec<CommitRow>,
    now: f64,
    schedule: Schedule,
    max_versions: usize,
) -> Due {
    let mut by_miner: BTreeMap<(String, String, String), Vec<CommitRow>> = BTreeMap::new();
    for commit in with_key {
        let Some(at) = commit.committed_at.filter(|at| schedule.is_ripe(now, *at)) else {
            continue;
        };
        let day = schedule.day_of(schedule.due(at));
        let key = (commit.challenge.clone(), commit.miner_hotkey.clone(), day);
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
    use crate::config::Config;

    const DAY: f64 = 86_400.0;

    #[test]
    fn the_newest_ripe_versions_of_each_miner_and_day_are_opened() {
        let commit = |id, hotkey, committed_at| CommitRow {
            committed_at,
            key: Some(String::new()),
            ..CommitRow::sample(id, hotkey)
        };
        let with_key = vec![
            commit(1, "a", Some(0.0)),
            commit(2, "a", Some(1.0)),
            commit(3, "a", Some(2.0)),
            commit(5, "a", Some(9.5 * DAY)),
            commit(6, "b", Some(0.0)),
            commit(7, "b", None),
            commit(8, "a", Some(5.0 * DAY)),
        ];
        let due = due(with_key, 10.0 * DAY, Schedule::new(&Config::default()), 2);
        let ids = |commits: &[CommitRow]| commits.iter().map(|c| c.id).collect::<Vec<_>>();
        assert_eq!(ids(&due.open), [3, 2, 8, 6]);
        assert_eq!(ids(&due.superseded), [1]);
    }
}
