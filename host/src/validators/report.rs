//! What validators tell of their assignments.

use super::rules::{self, Refusal, Reported};
use crate::metrics::Metrics;
use crate::scoring::Pipeline;
use crate::store::{
    AssignmentRow, AssignmentState, Attempt, AttemptEnd, AttemptReport, NewEvent, StoreError,
};
use serde_json::json;

/// Takes in how much of an assignment is done, 0 to 1, and gives its validator more
/// time. Returns until when it has it, in seconds since the Unix epoch; none if there
/// is no such assignment.
///
/// # Errors
///
/// See [`StoreError`]; within, a [`Refusal`].
pub async fn progress(
    pipeline: &Pipeline,
    id: i64,
    validator: String,
    done: f64,
    now: f64,
) -> Result<Option<Result<f64, Refusal>>, StoreError> {
    let rules = pipeline.config.validators.clone();
    let change =
        move |row: &mut AssignmentRow| (rules::progress(row, &validator, done, now, &rules), None);
    pipeline.store.change_assignment(id, change).await
}

/// Takes in what came of an assignment, once. Returns what the host makes of it; none
/// if there is no such assignment.
///
/// # Errors
///
/// See [`StoreError`]; within, a [`Refusal`].
pub async fn report(
    pipeline: &Pipeline,
    id: i64,
    validator: String,
    report: AttemptReport,
    now: f64,
) -> Result<Option<Result<Reported, Refusal>>, StoreError> {
    let rules = pipeline.config.validators.clone();
    let change = move |row: &mut AssignmentRow| {
        let reported = rules::report(row, &validator, report, now, &rules);
        let new = reported.is_ok_and(|reported| !reported.again);
        let event = if new { event(row, now) } else { None };
        ((reported, new.then(|| row.clone())), event)
    };
    let changed = pipeline.store.change_assignment(id, change).await?;
    Ok(changed.map(|(reported, ended)| {
        if let Some(row) = ended {
            tell(&pipeline.metrics, &row);
        }
        reported
    }))
}

/// What happened to an assignment with its last attempt, if everybody is to know:
/// validators came to another result than this host.
pub(super) fn event(row: &AssignmentRow, now: f64) -> Option<NewEvent> {
    (row.state == AssignmentState::Contradicted).then(|| NewEvent {
        at: now,
        kind: "contradicted",
        challenge: row.challenge.clone(),
        data: json!({
            "assignment": row.id,
            "artifact_digest": row.artifact_digest,
            "attempts": row.attempts,
        }),
    })
}

/// Counts and logs what an assignment's last attempt came to.
pub(super) fn tell(metrics: &Metrics, row: &AssignmentRow) {
    let Some(Attempt {
        validator,
        end,
        report,
        ..
    }) = row.results.last()
    else {
        return;
    };
    let outcome = match (row.state, end) {
        (AssignmentState::Open | AssignmentState::Leased, AttemptEnd::Differs) => "differs",
        (AssignmentState::Open | AssignmentState::Leased, _) => "returned",
        (state, _) => state.name(),
    };
    metrics.assignment_ended(&row.challenge, outcome);
    tracing::info!(
        assignment = row.id,
        challenge = row.challenge,
        validator,
        end = end.name(),
        outcome = report.outcome,
        detail = report.detail,
        state = row.state.name(),
        "an attempt at an assignment ended"
    );
    let (assignment, challenge) = (row.id, &row.challenge);
    let (artifact, attempts) = (&row.artifact_digest, row.attempts);
    match row.state {
        AssignmentState::Contradicted => tracing::warn!(
            assignment,
            challenge,
            artifact,
            attempts,
            "an evaluation is contradicted: no validator came to its result"
        ),
        AssignmentState::Failed => tracing::warn!(
            assignment,
            challenge,
            artifact,
            attempts,
            "an evaluation could not be done again: no validator came to any result"
        ),
        _ => {}
    }
}
