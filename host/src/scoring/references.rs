//! What a commit is compared with.

use crate::store::{CommitRow, CommitState};

/// Commits that come before `candidate`, are another miner's, and are accepted
/// or of the same day; by time of commit, ties by hotkey. Of earlier days the
/// `max_references` with the highest score.
pub(super) fn references<'a>(
    candidate: &CommitRow,
    commits: &'a [CommitRow],
    max_references: usize,
) -> Vec<&'a CommitRow> {
    let earlier = |commit: &&CommitRow| {
        commit.miner_hotkey != candidate.miner_hotkey && order(commit) < order(candidate)
    };
    let (mut same_day, mut before): (Vec<_>, Vec<_>) = commits
        .iter()
        .filter(earlier)
        .filter(|commit| matches!(commit.state, CommitState::Evaluated | CommitState::Judged))
        .partition(|commit| commit.batch_day == candidate.batch_day);
    before.retain(|commit| commit.accepted == Some(true));
    before.sort_by(|a, b| {
        let score = |commit: &CommitRow| commit.score.unwrap_or(0.0);
        score(b)
            .total_cmp(&score(a))
            .then_with(|| order(a).cmp(&order(b)))
    });
    before.truncate(max_references);
    same_day.extend(before);
    same_day.sort_by(|a, b| order(a).cmp(&order(b)));
    same_day
}

/// Who came first: the earlier time of commit, ties by hotkey.
pub(super) fn order(commit: &CommitRow) -> (i64, &str, i64) {
    // The bits of a float that is not negative sort like the float.
    let at = commit.committed_at.unwrap_or(f64::INFINITY).max(0.0);
    (at.to_bits().cast_signed(), &commit.miner_hotkey, commit.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: i64, hotkey: &str, at: f64, day: &str, score: Option<f64>) -> CommitRow {
        CommitRow {
            committed_at: Some(at),
            batch_day: Some(day.into()),
            state: if score.is_some() {
                CommitState::Judged
            } else {
                CommitState::Evaluated
            },
            accepted: score.map(|score| score > 0.5),
            score,
            ..CommitRow::sample(id, hotkey)
        }
    }

    fn ids(candidate: &CommitRow, commits: &[CommitRow], max: usize) -> Vec<i64> {
        references(candidate, commits, max)
            .into_iter()
            .map(|c| c.id)
            .collect()
    }

    #[test]
    fn only_earlier_commits_of_other_miners_are_references() {
        let candidate = commit(9, "m", 5.0, "d2", None);
        let commits = [
            commit(1, "a", 4.0, "d2", None),
            commit(2, "b", 6.0, "d2", None),
            commit(3, "m", 4.0, "d2", None),
            commit(4, "l", 5.0, "d2", None),
            commit(5, "n", 5.0, "d2", None),
        ];
        assert_eq!(ids(&candidate, &commits, 10), [1, 4], "ties go by hotkey");
    }

    #[test]
    fn of_earlier_days_the_best_accepted_count() {
        let candidate = commit(9, "m", 5.0, "d2", None);
        let commits = [
            commit(1, "a", 1.0, "d1", Some(0.6)),
            commit(2, "b", 2.0, "d1", Some(0.9)),
            commit(3, "c", 3.0, "d1", Some(0.4)),
            commit(4, "d", 4.0, "d2", Some(0.0)),
            commit(5, "e", 4.5, "d1", None),
        ];
        assert_eq!(ids(&candidate, &commits, 10), [1, 2, 4]);
        assert_eq!(ids(&candidate, &commits, 1), [2, 4]);
    }

    #[test]
    fn times_before_the_epoch_do_not_upset_the_order() {
        let early = commit(1, "a", -1.0, "d", None);
        let late = commit(2, "a", 1.0, "d", None);
        assert!(order(&early) < order(&late));
        assert!(order(&late) < order(&CommitRow::sample(3, "a")));
    }
}
