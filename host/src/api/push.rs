//! Validators that publish commits by pushing them.

use super::App;
use super::problem::{Problem, ProblemDetails};
use crate::chain::signed;
use crate::clock;
use crate::commits::{Delivery, IngestError, IngestReport, ingest};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// Faults that an answer tells of, at most.
const MAX_FAULTS: usize = 1_000;

/// Characters of a claimed hotkey that are logged.
const MAX_CLAIM: usize = 64;

/// What a document came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pushed {
    /// Versions of commits not known before.
    new: u64,
    /// Versions of which more is known now.
    updated: u64,
    /// How many entries were left out, or tell what cannot be. Those that the last
    /// document had as well are not counted again.
    faults_total: u64,
    /// The first 1000 of these.
    faults: Vec<Fault>,
}

/// An entry that was left out, or tells what cannot be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fault {
    /// The miner's hotkey.
    hotkey: String,
    /// The challenge; empty if it is all of the miner's entry.
    challenge: String,
    /// What is wrong, a stable name.
    code: &'static str,
}

/// A validator pushes the commits that it has seen
///
/// The document replaces the validator's last one; commits that are not in it any
/// more stay known. What is answered with 200 is on disk.
#[utoipa::path(
    post,
    path = "/v1/commits",
    operation_id = "push_commits",
    tag = "commits",
    request_body(content = Object, description = "`{\"miner_commits\": {\"<hotkey>\": \
        {\"<challenge>\": commit or [commit]}}}`; a commit has `encrypted_commit`, and may have \
        `commit_timestamp`, `key` and `commit`. Unknown fields are ignored."),
    params(
        ("validator-uid" = i32, Header, description = "The validator's uid"),
        ("validator-hotkey" = String, Header, description = "Its hotkey, in SS58"),
        ("timestamp" = String, Header, description = "Now, in nanoseconds since the Unix epoch"),
        ("signature" = String, Header, description = "`0x` and the hex digits of the sr25519 \
            signature over `<sha256 of the body in hex>.<timestamp>`"),
    ),
    responses(
        (status = 200, body = Pushed, description = "Taken in"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json",
            description = "`missing_header`, `malformed_header`, `stale`, `bad_signature`"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json",
            description = "`not_registered`, `stake_too_low`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`replayed`: a request of this hotkey and timestamp was taken before"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`body_rejected`: it is too large"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`malformed`: nothing of the document can be used"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn push(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Pushed>, Problem> {
    let pushed = take_in(&app, &headers, body).await;
    match &pushed {
        Ok(_) => app.metrics.pushed("ok"),
        Err(problem) => {
            app.metrics.pushed(problem.code);
            let claimed = headers.get(signed::HOTKEY);
            let claimed = claimed.and_then(|value| value.to_str().ok());
            let claimed: String = claimed
                .unwrap_or_default()
                .chars()
                .take(MAX_CLAIM)
                .collect();
            tracing::warn!(
                hotkey = claimed,
                code = problem.code,
                detail = problem.detail,
                "push refused"
            );
        }
    }
    pushed.map(Json)
}

async fn take_in(
    app: &App,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Pushed, Problem> {
    let body =
        body.map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))?;
    let signer = app.signer(headers, &body)?;
    let not_registered = |detail| Problem::new(StatusCode::FORBIDDEN, "not_registered", detail);
    let uid = u16::try_from(signer.uid).map_err(|e| not_registered(e.to_string()))?;
    let delivery = Delivery {
        validator_uid: uid,
        document: body.into(),
        source: "push",
        received_at: clock::unix_now(),
        request_ns: Some(signer.timestamp_ns),
        last_confirmed_at: None,
    };
    let rules = &app.config.commits;
    let report = ingest(&app.store, &app.metagraph(), rules, delivery)
        .await
        .map_err(|error| match error {
            IngestError::UnknownValidator(_) => not_registered(error.to_string()),
            IngestError::Malformed(error) => {
                let detail = error.to_string();
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", detail)
            }
            IngestError::Replayed => {
                Problem::new(StatusCode::CONFLICT, "replayed", error.to_string())
            }
            IngestError::Store(error) => error.into(),
        })?;
    let pushed = pushed(report);
    tracing::info!(
        validator = uid,
        hotkey = signer.hotkey,
        new = pushed.new,
        updated = pushed.updated,
        faults = pushed.faults_total,
        "commits pushed"
    );
    Ok(pushed)
}

fn pushed(report: IngestReport) -> Pushed {
    let fault = |hotkey, challenge, code| Fault {
        hotkey,
        challenge,
        code,
    };
    let found = report.faults.into_iter();
    let backdated = report.ingested.backdated.into_iter();
    let too_old = report.ingested.too_old.into_iter();
    let mut faults: Vec<Fault> = found
        .map(|(hotkey, challenge, code)| fault(hotkey, challenge, code))
        .chain(backdated.map(|(hotkey, challenge)| fault(hotkey, challenge, "backdated")))
        .chain(too_old.map(|(hotkey, challenge)| fault(hotkey, challenge, "too_old")))
        .collect();
    let faults_total = faults.len() as u64;
    faults.truncate(MAX_FAULTS);
    Pushed {
        new: report.ingested.new,
        updated: report.ingested.updated,
        faults_total,
        faults,
    }
}
