//! How many versions of a commit count.

use crate::store::{CommitRow, CommitState};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Of the opened commits of each miner, challenge and day that are not judged, those
/// behind the newest `max_versions`: they are not judged. It does not matter when the
/// host looked, so one that was down comes to the same as one that was not.
pub(super) fn superseded(commits: &[CommitRow], max_versions: usize) -> Vec<i64> {
    let mut by_miner: BTreeMap<(&str, &str, &str), Vec<&CommitRow>> = BTreeMap::new();
    for commit in commits {
        if let (CommitState::Revealed | CommitState::Evaluated, Some(day)) =
            (commit.state, &commit.batch_day)
        {
            let key = (
                commit.challenge.as_str(),
                commit.miner_hotkey.as_str(),
                day.as_str(),
            );
            by_miner.entry(key).or_default().push(commit);
        }
    }
    let mut superseded = Vec::new();
    for mut versions in by_miner.into_values() {
        versions.sort_by_key(|commit| Reverse(super::order(commit)));
        superseded.extend(versions.iter().skip(max_versions).map(|commit| commit.id));
    }
    superseded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_versions_of_each_miner_and_day_count_whenever_they_were_opened() {
        let commit = |id: i64, hotkey, at: f64, day: &str, state| CommitRow {
            committed_at: Some(at),
            batch_day: Some(day.into()),
            state,
            ..CommitRow::sample(id, hotkey)
        };
        let (revealed, evaluated) = (CommitState::Revealed, CommitState::Evaluated);
        let commits = [
            commit(1, "a", 1.0, "2026-08-22", evaluated),
            commit(2, "a", 2.0, "2026-08-22", evaluated),
            commit(3, "a", 3.0, "2026-08-22", revealed),
            commit(4, "a", 4.0, "2026-08-23", revealed),
            commit(5, "b", 1.0, "2026-08-22", revealed),
            commit(6, "a", 0.0, "2026-08-22", CommitState::Judged),
            commit(7, "a", 9.0, "2026-08-22", CommitState::Sealed),
        ];
        assert_eq!(superseded(&commits, 2), [1]);
        assert_eq!(superseded(&commits, 1), [2, 1]);
        assert_eq!(superseded(&commits, 9), [0; 0]);
    }
}
