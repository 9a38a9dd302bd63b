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
