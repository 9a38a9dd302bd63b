//! Validators and what they do again, for the operator.

use super::super::App;
use super::super::page::Page;
use super::super::params::Params;
use super::super::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::store::{AssignmentRow, AssignmentState, Attempt};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Answer of `GET /v1/admin/validators`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidatorNodes {
    /// By uid.
    validators: Vec<ValidatorNodeView>,
}

/// A validator that registered with this host.
#[derive(Debug, Serialize, ToSchema)]
struct ValidatorNodeView {
    /// Its uid when it was last heard.
    uid: u16,
    /// Its hotkey.
    hotkey: String,
    /// Whether the hotkey is registered on the subnet.
    registered: bool,
    /// Its stake; none if it is not registered.
    stake: Option<f64>,
    /// `online` or `offline`.
    status: &'static str,
    /// Challenges that it works for; none is all.
    subscriptions: Vec<String>,
    /// What it told of itself.
    #[schema(value_type = Object)]
    about: Map<String, Value>,
    /// When it registered first, in seconds since the Unix epoch.
    registered_at: f64,
    /// When it was last heard, in seconds since the Unix epoch.
    last_seen: f64,
}

/// Query of `GET /v1/admin/assignments`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AssignmentQuery {
    /// Only those that have come this far: `open`, `leased`, `confirmed`,
    /// `contradicted` or `failed`.
    state: Option<String>,
    /// Where the page begins: `next` of the one before.
    cursor: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

/// Answer of `GET /v1/admin/assignments`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssignmentPage {
    /// The last one first.
    assignments: Vec<AssignmentView>,
    /// Where the next page begins; none if this is the last.
    next: Option<String>,
}

/// An evaluation that is to be done again.
#[derive(Debug, Serialize, ToSchema)]
struct AssignmentView {
    /// Its number.
    id: i64,
    /// The challenge.
    challenge: String,
    /// SHA-256 of the artifact; none if the evaluation is kept no more.
    artifact_digest: Option<String>,
    /// How far it has come.
    state: &'static str,
    /// Digest of this host's result.
    expected: String,
    /// Who has it.
    validator: Option<String>,
    /// Until when, in seconds since the Unix epoch.
    lease_until: Option<f64>,
    /// How much of it is done, 0 to 1, as its validator says.
    progress: Option<f64>,
    /// Attempts that were begun.
    attempts: u32,
    /// Attempts that ended, in order.
    results: Vec<AttemptView>,
    /// When it was made, in seconds since the Unix epoch.
    created_at: f64,
    /// When it changed last, in seconds since the Unix epoch.
    updated_at: f64,
}

/// An attempt that has ended.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptView {
    /// Who made it.
    validator: String,
    /// When it began, in seconds since the Unix epoch.
    leased_at: f64,
    /// When it ended, in seconds since the Unix epoch.
    ended_at: f64,
    /// What it came to: `agrees`, `differs`, `failed` or `lease_over`.
    end: &'static str,
    /// The digest of its result.
    digest: Option<String>,
    /// How the evaluation ended, a code, as the validator says.
    outcome: Option<String>,
    /// Fuel, as the validator says.
    fuel: Option<u64>,
    /// For people, as the validator says.
    detail: Option<String>,
}

/// The validators that registered with this host
#[utoipa::path(
    get,
    path = "/v1/admin/validators",
    operation_id = "list_validator_nodes",
    tag = "validators",
    responses(
        (status = 200, body = ValidatorNodes, description = "By uid"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn validators(State(app): State<App>) -> Result<Json<ValidatorNodes>, Problem> {
    let now = clock::unix_now();
    let nodes = app.store.validator_nodes().await?.into_iter();
    let validators = nodes.map(|node| {
        let metagraph = app.metagraph();
        let neuron = metagraph.by_hotkey(&node.hotkey);
        ValidatorNodeView {
            uid: node.uid,
            registered: neuron.is_some(),
            stake: neuron.map(|neuron| neuron.stake),
            status: app.status_of(&node, now),
            hotkey: node.hotkey,
            subscriptions: node.subscriptions,
            about: node.about,
            registered_at: node.registered_at,
            last_seen: node.seen_at,
        }
    });
    Ok(Json(ValidatorNodes {
        validators: validators.collect(),
    }))
}

/// The evaluations that are to be done again, and what came of it
#[utoipa::path(
    get,
    path = "/v1/admin/assignments",
    operation_id = "list_assignments",
    tag = "validators",
    params(AssignmentQuery),
    responses(
        (status = 200, body = AssignmentPage, description = "The last one first"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_state`, `invalid_cursor`, `invalid_limit`, `invalid_query`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn assignments(
    State(app): State<App>,
    Params(query): Params<AssignmentQuery>,
) -> Result<Json<AssignmentPage>, Problem> {
    let page: Page<i64> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    let state = match query.state.as_deref() {
        None => None,
        Some(name) => Some(AssignmentState::from_name(name).ok_or_else(|| {
            let detail = format!("{name:?} is not a state of assignments");
            Problem::bad_request("invalid_state", detail)
        })?),
    };
    let found = app
        .store
        .assignment_page(state, page.after, page.look_for());
    let mut assignments = found.await?;
    let next = page.cut(&mut assignments, |row| row.id);
    let assignments = assignments.into_iter().map(AssignmentView::new).collect();
    Ok(Json(AssignmentPage { assignments, next }))
}

impl AssignmentView {
    fn new(row: AssignmentRow) -> Self {
        AssignmentView {
            id: row.id,
            challenge: row.challenge,
            artifact_digest: row.artifact_digest,
            state: row.state.name(),
            expected: row.expected,
            validator: row.validator,
            lease_until: row.lease_until,
            progress: row.progress,
            attempts: row.attempts,
            results: row.results.into_iter().map(AttemptView::new).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl AttemptView {
    fn new(attempt: Attempt) -> Self {
        AttemptView {
            validator: attempt.validator,
            leased_at: attempt.leased_at,
            ended_at: attempt.ended_at,
            end: attempt.end.name(),
            digest: attempt.report.digest,
            outcome: attempt.report.outcome,
            fuel: attempt.report.fuel,
            detail: attempt.report.detail,
        }
    }
}
