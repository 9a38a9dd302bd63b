//! Commits as others are told of them.

use super::ReadError;
use crate::compat::{MinerChallengeCommit, OldCommit};
use crate::sandbox::types;
use crate::scoring::{is_revealed, public_error, with_logs};
use crate::storage::scoring_logs;
use crate::store::{CommitRow, Store};

/// All of a revealed commit; none of another.
pub(super) async fn full(
    store: &Store,
    commit: CommitRow,
) -> Result<Option<MinerChallengeCommit>, ReadError> {
    if !is_revealed(&commit) {
        return Ok(None);
    }
    let evaluation = match commit.evaluation_id {
        Some(id) => store.evaluation_by_id(id).await?,
        None => None,
    };
    let logs: Vec<types::ScoringLog> = match evaluation {
        Some(evaluation) => serde_json::from_str(&evaluation.logs)?,
        None => Vec::new(),
    };
    Ok(Some(with_logs(commit, scoring_logs(logs))?))
}

/// What everybody may see, as `POST /get_scoring_result` shows it.
pub(super) fn public(commit: &MinerChallengeCommit) -> OldCommit {
    let mut commit = commit.public_view();
    for log in &mut commit.scoring_logs {
        log.error = log.error.as_deref().map(public_error);
    }
    commit.to_old()
}
