//! Results of evaluations, for the storage service.

use super::{Content, ReadError};
use crate::sandbox::types;
use crate::scoring::{comparison_logs, is_revealed};
use crate::storage::{Provenance, scoring_logs};
use crate::store::{CommitRow, Store};
use serde_json::json;
use std::collections::BTreeMap;

/// What the service takes at a time.
pub(super) const MAX_RESULTS: usize = 5;

pub(super) const ROUTE: &str = "/upload-centralized-score";

/// The results of an evaluation: one for each text by which miners published the
/// artifact, as that is what others call it by.
pub(super) async fn scores(store: &Store, evaluation: i64) -> Result<Option<Content>, ReadError> {
    let Some(row) = store.evaluation_by_id(evaluation).await? else {
        return Ok(None);
    };
    let fuel = store.fuel_of(evaluation).await?.unwrap_or_default();
    let commits = store.commits_of_evaluation(evaluation).await?;
    let mut by_artifact: BTreeMap<String, &CommitRow> = BTreeMap::new();
    for commit in commits.iter().filter(|commit| is_revealed(commit)) {
        let Some(artifact) = &commit.artifact else {
            continue;
        };
        // Of several, who came first; but one that was judged tells more.
        let known = by_artifact.get(artifact);
        let rank = |commit: &CommitRow| (commit.judged_at.is_some(), commit.comparisons.is_some());
        if known.is_none_or(|known| rank(commit) > rank(known)) {
            by_artifact.insert(artifact.clone(), commit);
        }
    }
    let logs: Vec<types::ScoringLog> = serde_json::from_str(&row.logs)?;
    let (logs, provenance) = (scoring_logs(logs), Provenance::new(&row, fuel));
    let mut items = Vec::new();
    for (artifact, commit) in by_artifact {
        let item = json!({
            "challenge_name": row.key.challenge,
            "docker_hub_id": artifact,
            "scoring_logs": logs,
            "comparison_logs": comparison_logs(commit)?,
            "scored_timestamp": commit.judged_at,
            "proctor": provenance,
        });
        items.push(item.to_string());
    }
    Ok((!items.is_empty()).then_some(Content::Scores(items)))
}

/// What is sent of so many results.
pub(super) fn body(items: &[&String]) -> String {
    let items: Vec<&str> = items.iter().map(|item| item.as_str()).collect();
    format!(r#"{{"scoring_results":[{}]}}"#, items.join(","))
}
