//! Weights on their way to the chain.

use super::auth::Actor;
use super::challenges::edit;
use crate::api::App;
use crate::api::page::Page;
use crate::api::params::{Params, Segments};
use crate::api::problem::{Problem, ProblemDetails};
use crate::chain::preflight::{Check, Verdict};
use crate::registry::FieldProblem;
use crate::store::SubmissionRow;
use crate::submission::{Plan, SubmissionError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route of submissions.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(submit))
}

/// Query of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Where the page begins: `next` of the one before.
    cursor: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// Query of a submission.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SubmitQuery {
    /// Whether only to tell what would be sent, and what the chain would say to it.
    /// Default: false.
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

/// A page of submissions.
#[derive(Debug, Serialize, ToSchema)]
struct SubmissionPage {
    /// The last one first.
    submissions: Vec<SubmissionView>,
    /// Where the next page begins; none if this is the last.
    next: Option<String>,
}

/// A submission. What is secret until a reveal is not in it, nor are the signed bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubmissionView {
    /// Its number.
    id: i64,
    /// `set` sets weights, `commit` commits to a hash of them, `reveal` reveals these,
    /// `timelocked` commits to weights that the chain reveals by itself.
    kind: &'static str,
    /// Of a reveal: the number of its commit.
    commit: Option<i64>,
    /// `schedule` or `operator`.
    asked_by: &'static str,
    /// How far it has come: `prepared`, `sent`, `included` (in a block that is not
    /// final), `finalized` (in a final block, and the call succeeded), `confirmed` (the
    /// weights were seen on chain), `unconfirmed` (they were not), `rejected` (no node
    /// took it), `failed` (the call failed in a block), `expired` (no block has it, and
    /// none can any more).
    state: &'static str,
    /// The chain's name of an error, else a code.
    outcome: Option<String>,
    /// The same for people.
    message: Option<String>,
    /// The subnet.
    netuid: u16,
    /// The mechanism.
    mechanism: u8,
    /// Who signed.
    hotkey: String,
    /// Its uid.
    uid: u16,
    /// Digest of the vector.
    vector: String,
    /// Whom it gives weight; empty while that is a secret.
    uids: Vec<u16>,
    /// How much, in 65535ths of the greatest.
    values: Vec<u16>,
    /// The version key.
    version_key: u64,
    /// The call, `pallet.name`.
    call: String,
    /// The version of the runtime that it was signed for.
    spec_version: u32,
    /// The hash of the extrinsic, `0x` and hexadecimal digits.
    hash: String,
    /// The nonce.
    nonce: u64,
    /// The first block that could have it.
    first_block: u64,
    /// The last block that could have it.
    last_block: u64,
    /// How often its bytes may have been given to a node.
    sends: u32,
    /// The finalized block that has it.
    block: Option<u64>,
    /// That block's hash.
    block_hash: Option<String>,
    /// Of a timelocked commit: the round of drand.
    reveal_round: Option<u64>,
    /// Of a commit: the epoch that it is revealed in.
    reveal_epoch: Option<u64>,
    /// Of a commit: the block that this epoch was foretold to begin with.
    reveal_block: Option<u64>,
    /// When it was made, in seconds since the Unix epoch.
    created_at: f64,
    /// When it changed last, in seconds since the Unix epoch.
    updated_at: f64,
}

/// What was submitted.
#[derive(Debug, Serialize, ToSchema)]
struct Submitted {
    /// What was sent, or would be.
    plan: Plan,
    /// The submission; none of a dry run.
    submission: Option<SubmissionView>,
    /// Whether nothing was done.
    dry_run: bool,
}

/// Every submission of weights to a chain
#[utoipa::path(
    get,
    path = "/v1/admin/weights/submissions",
    operation_id = "list_submissions",
    tag = "weights",
    params(ListQuery),
    responses(
        (status = 200, body = SubmissionPage, description = "The last one first"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_cursor`, `invalid_limit`, `invalid_query`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn list(
    State(app): State<App>,
    Params(query): Params<ListQuery>,
) -> Result<Json<SubmissionPage>, Problem> {
    let page: Page<i64> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    let found = app.store.submission_page(page.after, page.look_for());
    let mut found = found.await?;
    let next = page.cut(&mut found, |row| row.id);
    let submissions = found.into_iter().map(SubmissionView::new).collect();
    Ok(Json(SubmissionPage { submissions, next }))
}

/// A submission of weights
#[utoipa::path(
    get,
    path = "/v1/admin/weights/submissions/{id}",
    operation_id = "get_submission",
    tag = "weights",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = SubmissionView, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_submission`"),
    ),
)]
async fn one(
    State(app): State<App>,
    Segments(id): Segments<i64>,
) -> Result<Json<SubmissionView>, Problem> {
    let found = app.store.submission(id).await?.ok_or_else(|| {
        let detail = format!("there is no submission {id}");
        Problem::missing("unknown_submission", detail)
    })?;
    Ok(Json(SubmissionView::new(found)))
}

/// Submit the current weights now, or tell what would be sent
///
/// Whatever the schedule says, and whether or not `weights.submit` is set; not before it
/// is known what became of the submission before, nor if the chain would refuse it.
/// Answers when a node has it: what becomes of it is told by the submission.
///
/// A dry run changes nothing, and works without a chain: then it is as the metagraph's
/// file has the subnet.
#[utoipa::path(
    post,
    path = "/v1/admin/weights/submit",
    operation_id = "submit_weights",
    tag = "weights",
    params(
        SubmitQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    responses(
        (status = 200, body = Submitted, description = "What would be sent: a dry run"),
        (status = 202, body = Submitted, description = "It is on its way"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`submission_open`, `no_weights`, `weights_expired`, `no_hotkey`, `chain_offline`, \
                `metagraph_stale`, `subnet_not_running`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`would_be_refused`, `rejected`: each with the chain's name of the \
                error; `no_vector_for_the_chain`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`chain_unavailable`, `unavailable`, `overloaded`; `timeout`: look at \
                the submissions before trying again"),
    ),
)]
async fn submit(
    State(app): State<App>,
    actor: Actor,
    Params(query): Params<SubmitQuery>,
) -> Result<Response, Problem> {
    let dry_run = edit(actor, None, query.dry_run.as_deref())?.dry_run;
    if dry_run {
        let plan = app.submitter().plan().await?;
        let submission = None;
        return Ok(Json(Submitted {
            plan,
            submission,
            dry_run,
        })
        .into_response());
    }
    let answer = app.submitter().submit().await?;
    let body = Submitted {
        plan: answer.plan,
        submission: answer.submission.map(SubmissionView::new),
        dry_run,
    };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

impl SubmissionView {
    fn new(row: SubmissionRow) -> Self {
        // Of what is committed to, only the commit is to be known.
        let is_secret = row.new.salt.is_some() || row.new.reveal_round.is_some();
        let is_secret = is_secret && !row.state.is_end();
        let (uids, values) = match is_secret {
            true => Default::default(),
            false => (row.new.uids, row.new.values),
        };
        SubmissionView {
            id: row.id,
            kind: row.new.kind.name(),
            commit: row.new.commit_id,
            asked_by: row.new.asked_by.name(),
            state: row.state.name(),
            outcome: row.outcome,
            message: row.message,
            netuid: row.new.key.netuid,
            mechanism: row.new.key.mechanism,
            hotkey: row.new.key.hotkey,
            uid: row.new.uid,
            vector: row.new.vector,
            uids,
            values,
            version_key: row.new.version_key,
            call: row.new.call,
            spec_version: row.new.spec_version,
            hash: format!("0x{}", row.new.hash),
            nonce: row.new.nonce,
            first_block: row.new.born.saturating_add(1),
            last_block: row.new.dies.saturating_sub(1),
            sends: row.sends,
            block: row.block,
            block_hash: row.block_hash.map(|hash| format!("0x{hash}")),
            reveal_round: row.new.reveal_round,
            reveal_epoch: row.new.reveal_epoch,
            reveal_block: row.new.reveal_block,
            created_at: row.new.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What the chain would refuse, each by its name.
fn refusals(checks: &[Check]) -> Vec<FieldProblem> {
    let refused = checks.iter().filter_map(|check| match &check.verdict {
        Verdict::Refused { what, todo, .. } => {
            Some(FieldProblem::new(check.error, format!("{what}: {todo}")))
        }
        Verdict::Passed | Verdict::NotAsked => None,
    });
    refused.collect()
}

impl From<SubmissionError> for Problem {
    fn from(error: SubmissionError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            SubmissionError::NoVector
            | SubmissionError::Expired
            | SubmissionError::NoHotkey
            | SubmissionError::Offline
            | SubmissionError::Stale { .. }
            | SubmissionError::Open(_)
            | SubmissionError::NotRunning => Problem::conflict(code, detail),
            SubmissionError::NoneForTheChain(_) => Problem::unprocessable(code, detail),
            SubmissionError::WouldRefuse(plan) => {
                Problem::unprocessable(code, detail).with_errors(refusals(&plan.checks))
            }
            SubmissionError::Rejected(rejection) => {
                let problem = FieldProblem::new(rejection.name(), rejection.todo());
                Problem::unprocessable(code, detail).with_errors(vec![problem])
            }
            SubmissionError::Chain(error) => {
                let detail = format!("{}: {error}", error.code());
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "chain_unavailable", detail)
            }
            SubmissionError::Timelock(error) => {
                tracing::error!(%error, "weights were not encrypted");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
            SubmissionError::Store(error) => error.into(),
            SubmissionError::Stopped => Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail),
        }
    }
}
