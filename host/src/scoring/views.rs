//! Commits as others may see them.

use super::StoredComparison;
use crate::compat::{ComparisonLog, MinerChallengeCommit, OldCommit};
use crate::sandbox::Outcome;
use crate::sandbox::types::ScoringLog;
use crate::store::{CommitRow, CommitState};
use std::collections::BTreeMap;

/// Whether anything of what is in it may be told.
pub(crate) fn is_revealed(commit: &CommitRow) -> bool {
    !matches!(commit.state, CommitState::Sealed | CommitState::Refused)
}

/// A commit as everybody may see it, in the shape that validators poll for: without
/// inputs and outputs, and without what a sealed commit holds.
///
/// # Errors
///
/// If what is stored of its comparisons cannot be read.
pub(crate) fn public_view(
    mut commit: CommitRow,
    logs: Vec<ScoringLog>,
) -> Result<OldCommit, serde_json::Error> {
    if !is_revealed(&commit) {
        (commit.key, commit.text, commit.artifact) = (None, None, None);
    }
    let logs = logs.into_iter().map(|log| crate::compat::ScoringLog {
        score: Some(log.score),
        error: log.error.as_deref().map(public_error),
        baseline_score: log.baseline_score,
        ..crate::compat::ScoringLog::default()
    });
    Ok(with_logs(commit, logs.collect())?.to_old())
}

/// A commit in the peers' shape, with these logs of its tasks.
///
/// # Errors
///
/// If what is stored of its comparisons cannot be read.
pub(crate) fn with_logs(
    commit: CommitRow,
    scoring_logs: Vec<crate::compat::ScoringLog>,
) -> Result<MinerChallengeCommit, serde_json::Error> {
    Ok(MinerChallengeCommit {
        miner_uid: Some(commit.miner_uid.into()),
        comparison_logs: comparison_logs(&commit)?,
        miner_hotkey: Some(commit.miner_hotkey),
        challenge_name: Some(commit.challenge),
        docker_hub_id: commit.artifact,
        commit_timestamp: commit.committed_at,
        encrypted_commit: Some(commit.encrypted_commit),
        key: commit.key,
        commit: commit.text,
        scoring_logs,
        scored_timestamp: commit.judged_at,
        score: commit.score,
        penalty: commit.penalty,
        accepted: commit.accepted,
    })
}

/// What a commit was compared with, by the reference's artifact.
///
/// # Errors
///
/// If what is stored cannot be read.
pub(crate) fn comparison_logs(
    commit: &CommitRow,
) -> Result<BTreeMap<String, Vec<ComparisonLog>>, serde_json::Error> {
    let mut by_reference: BTreeMap<String, Vec<ComparisonLog>> = BTreeMap::new();
    let stored = commit.comparisons.as_deref().unwrap_or("[]");
    for comparison in serde_json::from_str::<Vec<StoredComparison>>(stored)? {
        let logs = comparison.logs.into_iter().map(|log| ComparisonLog {
            similarity_score: Some(log.similarity),
            reason: log.reason,
            reference_hotkey: Some(comparison.hotkey.clone()),
            ..ComparisonLog::default()
        });
        by_reference
            .entry(comparison.artifact)
            .or_default()
            .extend(logs);
    }
    Ok(by_reference)
}

/// The code of an error. The rest is the submission's own text, by which it could
/// publish the tasks that it was given.
pub(crate) fn public_error(error: &str) -> String {
    let code = error.split(':').next().unwrap_or_default();
    let code = Outcome::from_code(code).map_or("invalid_solution", Outcome::code);
    code.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submissions_own_words_are_not_published() {
        assert_eq!(
            public_error("guest_error: the task was [1, 2]"),
            "guest_error"
        );
        assert_eq!(public_error("trap: panicked at [1, 2]"), "trap");
        assert_eq!(public_error("the task was [1, 2]"), "invalid_solution");
    }
}
