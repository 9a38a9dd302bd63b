//! A day of a challenge, for the archive: what everybody may see of it.

use super::commits::{full, public};
use super::{Content, ReadError};
use crate::archive::{ArchiveFile, commit_path, finalization_path};
use crate::store::{FinalizationRow, Store};
use serde_json::{Value, json};

/// The public views of the commits that were judged on a day, each in a file, and
/// the row of the ledger. None if the day was not finalized, or is no day.
pub(super) async fn day(store: &Store, subject: &str) -> Result<Option<Content>, ReadError> {
    let Some((challenge, day)) = subject.split_once('/') else {
        return Ok(None);
    };
    let (name, date) = (challenge.to_owned(), day.to_owned());
    let Some(row) = store.finalization(name.clone(), date.clone()).await? else {
        return Ok(None);
    };
    let mut files = vec![ArchiveFile {
        path: finalization_path(challenge, day),
        content: ledger(row)?.to_string().into(),
    }];
    for commit in store.commits_finalized_on(name, date).await? {
        let path = commit_path(challenge, day, &commit.encrypted_commit);
        // Of miners that published the same, the first counts: the others copied it.
        if files.iter().any(|file| file.path == path) {
            continue;
        }
        if let Some(commit) = full(store, commit).await? {
            let content = serde_json::to_string(&public(&commit))?.into();
            files.push(ArchiveFile { path, content });
        }
    }
    Ok(Some(Content::Files(files)))
}

fn ledger(row: FinalizationRow) -> Result<Value, ReadError> {
    let finalized_at = row.finalized_at;
    let row = row.finalization;
    Ok(json!({
        "day": row.day,
        "challenge": row.challenge,
        "plugin_digest": row.plugin_digest,
        "settings_digest": row.settings_digest,
        "engine": row.engine,
        "outcome": row.outcome,
        "message": row.message,
        "standings": serde_json::from_str::<Value>(&row.standings)?,
        "weights": serde_json::from_str::<Value>(&row.weights)?,
        "results": serde_json::from_str::<Value>(&row.results)?,
        "scheduled_at": row.scheduled_at,
        "finalized_at": finalized_at,
    }))
}
