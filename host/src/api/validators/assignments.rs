//! What validators do again.

use super::super::App;
use super::super::params::Segments;
use super::super::problem::{Problem, ProblemDetails};
use super::signed::{FromValidator, SignedHeaders, SignedRefusals};
use super::{told_well, word};
use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::registry::FieldProblem;
use crate::store::{AssignmentSubject, AttemptReport};
use crate::validators::{self, Asked, Assignment, Refusal};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Characters that are kept of what a validator says for people.
const MAX_DETAIL: usize = 1_000;

/// What a validator wants to do.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Pull {
    /// How many assignments it wants to have, those included that it has. Default: as
    /// many as it may have.
    max: Option<u32>,
    /// Its sandbox's identity: it is given what was evaluated in such a one. Default:
    /// anything.
    engine: Option<String>,
}

/// What a validator has to do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Assignments {
    /// All that it has, by number.
    assignments: Vec<Assignment>,
}

/// How far a validator is.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Progress {
    /// How much is done, 0 to 1.
    progress: f64,
}

/// More time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Extended {
    /// The assignment.
    id: i64,
    /// Until when it is the validator's, in seconds since the Unix epoch.
    lease_until: f64,
}

/// What came of an assignment.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ResultReport {
    /// Whether there is a result. If not, somebody else is asked.
    success: bool,
    /// The result's digest, 64 lower-case hexadecimal digits; wanted with `success`.
    result_digest: Option<String>,
    /// How the evaluation ended, a code; at most 200 characters.
    outcome: Option<String>,
    /// Fuel that the challenge used.
    fuel: Option<u64>,
    /// Why there is no result, for people; 1,000 characters of it are kept.
    detail: Option<String>,
}

/// What the host makes of a result.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Taken {
    /// The assignment.
    id: i64,
    /// What the result is to this host: `agrees`, `differs` or `failed`.
    verdict: &'static str,
    /// What the assignment was then: `confirmed`; `open`, and somebody else is asked;
    /// `contradicted` or `failed`, and nobody is asked any more.
    state: &'static str,
}

/// The bytes of a component.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct ComponentBytes(Vec<u8>);

/// A request without a body.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// A validator asks for evaluations to do again
///
/// It is given assignments until it has `max`, or there are no more, and told all that
/// it has then: to ask again gives nothing more. Each lists all that the result depends
/// on, but not the result.
#[utoipa::path(
    post,
    path = "/v1/assignments/pull",
    operation_id = "pull_assignments",
    tag = "validators",
    params(SignedHeaders),
    request_body = Pull,
    responses(
        (status = 200, body = Assignments, description = "All that it has, by number"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
        SignedRefusals,
    ),
)]
pub(super) async fn pull(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Assignments>, Problem> {
    let answer = async |from: FromValidator<Pull>| {
        let validator = from.member(&app, None).await?;
        let Pull { max, engine } = from.told;
        let asked = Asked { max, engine };
        let assignments = validators::pull(&app, &validator, asked, from.now).await?;
        Ok(Json(Assignments { assignments }))
    };
    app.answer("pull", request, answer).await
}

/// A validator tells how far it is, and has more time
#[utoipa::path(
    post,
    path = "/v1/assignments/{id}/progress",
    operation_id = "assignment_progress",
    tag = "validators",
    params(("id" = i64, Path, description = "The assignment"), SignedHeaders),
    request_body = Progress,
    responses(
        (status = 200, body = Extended, description = "It has more time"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_assignment`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
        SignedRefusals,
    ),
)]
pub(super) async fn progress(
    State(app): State<App>,
    Segments(id): Segments<i64>,
    request: Request,
) -> Result<Json<Extended>, Problem> {
    let answer = async |from: FromValidator<Progress>| {
        let done = from.told.progress;
        let wrong = !(0.0..=1.0).contains(&done);
        told_well(&[
            wrong.then(|| FieldProblem::new("progress", format!("{done} is not in 0 to 1")))
        ])?;
        from.member(&app, None).await?;
        let extended = validators::progress(&app, id, from.hotkey, done, from.now);
        let lease_until = found(id, extended.await?)?;
        Ok(Json(Extended { id, lease_until }))
    };
    app.answer("progress", request, answer).await
}

/// A validator tells what came of an assignment
///
/// The same result again is the same answer.
#[utoipa::path(
    post,
    path = "/v1/assignments/{id}/result",
    operation_id = "assignment_result",
    tag = "validators",
    params(("id" = i64, Path, description = "The assignment"), SignedHeaders),
    request_body = ResultReport,
    responses(
        (status = 200, body = Taken, description = "Taken"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_assignment`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
        SignedRefusals,
    ),
)]
pub(super) async fn result(
    State(app): State<App>,
    Segments(id): Segments<i64>,
    request: Request,
) -> Result<Json<Taken>, Problem> {
    let answer = async |from: FromValidator<ResultReport>| {
        from.member(&app, None).await?;
        let report = from.told.checked()?;
        let reported = validators::report(&app, id, from.hotkey, report, from.now);
        let reported = found(id, reported.await?)?;
        Ok(Json(Taken {
            id,
            verdict: reported.end.name(),
            state: reported.state.name(),
        }))
    };
    app.answer("result", request, answer).await
}

/// The artifact of an assignment, for the validator that has it
#[utoipa::path(
    get,
    path = "/v1/assignments/{id}/artifact",
    operation_id = "assignment_artifact",
    tag = "validators",
    params(("id" = i64, Path, description = "The assignment"), SignedHeaders),
    responses(
        (status = 200, body = ComponentBytes, content_type = "application/wasm",
            description = "The artifact"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_assignment`, `gone`"),
        SignedRefusals,
    ),
)]
pub(super) async fn artifact(
    State(app): State<App>,
    Segments(id): Segments<i64>,
    request: Request,
) -> Result<Response, Problem> {
    let answer = async |from: FromValidator<Nothing>| {
        let subject = subject(&app, id, &from).await?;
        send(app.artifacts.clone(), subject.key.artifact_digest).await
    };
    app.answer("artifact", request, answer).await
}

/// The challenge's component of an assignment, for the validator that has it
#[utoipa::path(
    get,
    path = "/v1/assignments/{id}/component",
    operation_id = "assignment_component",
    tag = "validators",
    params(("id" = i64, Path, description = "The assignment"), SignedHeaders),
    responses(
        (status = 200, body = ComponentBytes, content_type = "application/wasm",
            description = "The component"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_assignment`, `gone`"),
        SignedRefusals,
    ),
)]
pub(super) async fn component(
    State(app): State<App>,
    Segments(id): Segments<i64>,
    request: Request,
) -> Result<Response, Problem> {
    let answer = async |from: FromValidator<Nothing>| {
        let subject = subject(&app, id, &from).await?;
        send(app.components.clone(), subject.key.plugin_digest).await
    };
    app.answer("component", request, answer).await
}

/// What an assignment is about that the sender has.
async fn subject(
    app: &App,
    id: i64,
    from: &FromValidator<Nothing>,
) -> Result<AssignmentSubject, Problem> {
    from.member(app, None).await?;
    let subject = validators::assignment(app, id, &from.hotkey, from.now);
    found(id, subject.await?)
}

/// What a store has under a digest.
async fn send(store: ArtifactStore, digest: String) -> Result<Response, Problem> {
    let read = tokio::task::spawn_blocking(move || store.get(&digest));
    let read = read.await.map_err(|error| unreadable(&error))?;
    let bytes = read.map_err(|error| match error {
        ArtifactError::Missing(_) => Problem::missing("gone", error.to_string()),
        error => unreadable(&error),
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/wasm"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bytes).into_response())
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "what a validator needs cannot be read");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(status, "unavailable", "it cannot be read now")
}

fn found<T>(id: i64, found: Option<Result<T, Refusal>>) -> Result<T, Problem> {
    match found {
        Some(Ok(found)) => Ok(found),
        Some(Err(refusal)) => Err(Problem::conflict(refusal.code(), refusal.to_string())),
        None => {
            let detail = format!("there is no assignment {id}");
            Err(Problem::missing("unknown_assignment", detail))
        }
    }
}

impl ResultReport {
    fn checked(self) -> Result<AttemptReport, Problem> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(lower_hex);
        let digest = match &self.result_digest {
            None if self.success => Some("is missing, and there is a result"),
            Some(digest) if !is_digest(digest) => Some("must be 64 lower-case hexadecimal digits"),
            _ => None,
        };
        told_well(&[
            digest.map(|message| FieldProblem::new("result_digest", message)),
            word("outcome", self.outcome.as_deref()),
        ])?;
        let detail = |text: String| text.chars().take(MAX_DETAIL).collect();
        Ok(AttemptReport {
            success: self.success,
            digest: self.result_digest,
            outcome: self.outcome,
            fuel: self.fuel,
            detail: self.detail.map(detail),
        })
    }
}
