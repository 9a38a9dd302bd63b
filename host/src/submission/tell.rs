//! Who is told of a submission: the log, the metrics, and those who follow events.

use crate::metrics::Metrics;
use crate::store::{NewEvent, SubmissionRow, SubmissionState};
use serde_json::{Value, json};

/// What is told with a step: that weights are on chain, or that they will not be. Of the
/// other steps nothing is told.
pub(super) fn event(
    row: &SubmissionRow,
    to: SubmissionState,
    block: Option<u64>,
    outcome: Option<&str>,
    at: f64,
) -> Option<NewEvent> {
    let kind = match to {
        SubmissionState::Finalized => "weights_submitted",
        SubmissionState::Rejected
        | SubmissionState::Failed
        | SubmissionState::Expired
        | SubmissionState::Unconfirmed => "weights_rejected",
        _ => return None,
    };
    let data = json!({
        "submission": row.id,
        "kind": row.new.kind.name(),
        "state": to.name(),
        "netuid": row.new.key.netuid,
        "mechanism": row.new.key.mechanism,
        "hotkey": row.new.key.hotkey,
        "vector": row.new.vector,
        "block": block.or(row.block),
        "outcome": outcome,
    });
    Some(of(kind, at, data))
}

/// An event that is of no challenge.
pub(super) fn of(kind: &'static str, at: f64, data: Value) -> NewEvent {
    NewEvent {
        at,
        kind,
        challenge: String::new(),
        data,
    }
}

/// Logs and counts a step that was taken.
pub(super) fn stepped(
    metrics: &Metrics,
    row: &SubmissionRow,
    to: SubmissionState,
    message: Option<&str>,
    at: f64,
) {
    let (id, kind, vector) = (row.id, row.new.kind.name(), row.new.vector.as_str());
    let message = message.unwrap_or_default();
    match to {
        SubmissionState::Finalized => {
            tracing::info!(
                submission = id,
                kind,
                vector,
                "weights are in a finalized block"
            );
        }
        SubmissionState::Confirmed => {
            tracing::info!(submission = id, kind, vector, "weights are on chain");
            metrics.set_submitted(at);
        }
        SubmissionState::Rejected | SubmissionState::Failed => {
            tracing::error!(submission = id, kind, vector, "WEIGHTS REJECTED: {message}");
        }
        SubmissionState::Expired => {
            tracing::warn!(
                submission = id,
                kind,
                vector,
                "weights got into no block: {message}"
            );
        }
        SubmissionState::Unconfirmed => {
            tracing::error!(
                submission = id,
                kind,
                vector,
                "WEIGHTS NOT ON CHAIN: {message}"
            );
        }
        SubmissionState::Prepared | SubmissionState::Sent | SubmissionState::Included => {
            tracing::debug!(submission = id, kind, state = to.name(), "{message}");
        }
    }
    if to.is_end() {
        metrics.submission_ended(to.name());
    }
}
