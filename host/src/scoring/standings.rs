//! Who stands where.

use super::references::order;
use crate::store::{CommitRow, CommitState};
use std::collections::BTreeMap;

/// The best accepted commit of each miner, by hotkey: a later one replaces it if
/// its score is higher, or perfect (RedTeam's `update_best_commit`).
pub(crate) fn best_commits<'a>(
    commits: impl Iterator<Item = &'a CommitRow>,
) -> impl Iterator<Item = &'a CommitRow> {
    let mut accepted: Vec<&CommitRow> = commits
        .filter(|commit| commit.state == CommitState::Judged && commit.accepted == Some(true))
        .collect();
    accepted.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut best: BTreeMap<&str, &CommitRow> = BTreeMap::new();
    for commit in accepted {
        let score = commit.score.unwrap_or_default();
        let replaces = best
            .get(commit.miner_hotkey.as_str())
            .is_none_or(|best| score > best.score.unwrap_or_default() || score == 1.0);
        if replaces {
            best.insert(&commit.miner_hotkey, commit);
        }
    }
    best.into_values()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: i64, hotkey: &str, score: f64, accepted: bool) -> CommitRow {
        CommitRow {
            committed_at: Some(id as f64),
            state: CommitState::Judged,
            score: Some(score),
            accepted: Some(accepted),
            ..CommitRow::sample(id, hotkey)
        }
    }

    #[test]
    fn a_standing_is_the_best_accepted_commit() {
        let best = |commits: &[CommitRow]| {
            best_commits(commits.iter())
                .map(|c| c.id)
                .collect::<Vec<_>>()
        };
        let commits = [
            commit(1, "a", 0.5, true),
            commit(2, "a", 0.9, false),
            commit(3, "a", 0.7, true),
            commit(4, "a", 0.7, true),
            commit(5, "b", 0.0, false),
            commit(6, "c", 1.0, true),
            commit(7, "c", 1.0, true),
        ];
        assert_eq!(
            best(&commits),
            [3, 7],
            "equals stay, a perfect one is renewed"
        );
        assert!(best(&[]).is_empty());
    }
}
