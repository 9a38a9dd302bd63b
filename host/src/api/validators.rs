//! Validators: who is there, and what they do again.

mod admin;
mod assignments;
mod signed;

use super::App;
use super::params::Params;
use super::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::registry::FieldProblem;
use crate::store::ValidatorNode;
use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signed::{FromValidator, SignedHeaders, SignedRefusals};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Largest body of a validator's request, in bytes.
const MAX_BODY: usize = 64 << 10;
/// Bytes that what a validator tells of its GPUs may have, as JSON.
const MAX_GPU: usize = 4 << 10;
/// Characters of a name or a version that a validator tells.
const MAX_WORD: usize = 200;
/// Words in a list that a validator tells.
const MAX_WORDS: usize = 100;
/// Challenges that a validator may name.
const MAX_SUBSCRIPTIONS: usize = 1_000;

/// The routes that validators sign their requests to.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(register))
        .routes(routes!(heartbeat))
        .routes(routes!(subscribe))
        .routes(routes!(assignments::pull))
        .routes(routes!(assignments::progress))
        .routes(routes!(assignments::result))
        .routes(routes!(assignments::artifact))
        .routes(routes!(assignments::component))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// What everybody may see.
pub(super) fn pages() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list))
}

/// What only the operator may see.
pub(super) fn admin_pages() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(admin::validators))
        .routes(routes!(admin::assignments))
}

/// What a validator tells of itself. It is kept, and shown to the operator.
#[derive(Debug, Deserialize, ToSchema)]
struct Registration {
    /// Version of its program; at most 200 characters.
    version: Option<String>,
    /// Its sandbox's identity; at most 200 characters.
    engine: Option<String>,
    /// What it can do; at most 100 words of 200 characters.
    capabilities: Option<Vec<String>>,
    /// What GPUs it has, in a shape of its own; at most 4 KiB.
    #[schema(value_type = Option<Object>)]
    gpu: Option<Map<String, Value>>,
}

/// A sign of life.
#[derive(Debug, Deserialize, ToSchema)]
struct Heartbeat {
    /// What it does, for the operator; at most 200 characters. Default: as it said
    /// before.
    status: Option<String>,
}

/// What a validator works for.
#[derive(Debug, Deserialize, ToSchema)]
struct Subscriptions {
    /// Names of challenges, at most 1,000; none is all.
    challenges: Vec<String>,
}

/// A validator, as it is told of itself, and what is asked of it.
#[derive(Debug, Serialize, ToSchema)]
struct Membership {
    /// Its uid.
    uid: u16,
    /// Its hotkey.
    hotkey: String,
    /// Challenges that it works for; none is all.
    subscriptions: Vec<String>,
    /// When it registered first, in seconds since the Unix epoch.
    registered_at: f64,
    /// When it was last heard, in seconds since the Unix epoch.
    last_seen: f64,
    /// Seconds from one heartbeat to the next.
    heartbeat_s: f64,
    /// Seconds without a word after which it counts as offline.
    offline_s: f64,
    /// Seconds for which it has an assignment, from when it got it or last told of its
    /// progress.
    lease_s: f64,
    /// Assignments that it may have at a time.
    max_open: u32,
}

/// Query of `GET /v1/validators/public`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PublicQuery {
    /// Only those that work for this challenge.
    challenge: Option<String>,
}

/// Answer of `GET /v1/validators/public`.
#[derive(Debug, Serialize, ToSchema)]
struct PublicValidators {
    /// By uid.
    validators: Vec<PublicValidator>,
}

/// A validator, as everybody may see it.
#[derive(Debug, Serialize, ToSchema)]
struct PublicValidator {
    /// Its uid.
    uid: u16,
    /// Its hotkey.
    hotkey: String,
    /// `online` or `offline`.
    status: &'static str,
    /// Challenges that it works for; none is all.
    subscriptions: Vec<String>,
    /// When it was last heard, in seconds since the Unix epoch.
    last_seen: f64,
}

/// A validator says that it is there
///
/// To be told of oneself again replaces what was told; subscriptions stay.
#[utoipa::path(
    post,
    path = "/v1/validators/register",
    operation_id = "register_validator",
    tag = "validators",
    params(SignedHeaders),
    request_body = Registration,
    responses(
        (status = 200, body = Membership, description = "Registered"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
        SignedRefusals,
    ),
)]
async fn register(State(app): State<App>, request: Request) -> Result<Json<Membership>, Problem> {
    let answer = async |from: FromValidator<Registration>| {
        let about = from.told.checked()?;
        let stored = app
            .store
            .register_validator(from.hotkey, from.uid, about, from.now);
        let node = stored.await?;
        tracing::info!(uid = node.uid, hotkey = node.hotkey, "validator registered");
        Ok(Json(app.membership(node)))
    };
    app.answer("register", request, answer).await
}

/// A validator says that it is still there
#[utoipa::path(
    post,
    path = "/v1/validators/heartbeat",
    operation_id = "validator_heartbeat",
    tag = "validators",
    params(SignedHeaders),
    request_body = Heartbeat,
    responses(
        (status = 200, body = Membership, description = "Heard"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
        SignedRefusals,
    ),
)]
async fn heartbeat(State(app): State<App>, request: Request) -> Result<Json<Membership>, Problem> {
    let answer = async |from: FromValidator<Heartbeat>| {
        let status = from.told.status.as_deref();
        told_well(&[word("status", status)])?;
        let node = from.member(&app, from.told.status.clone()).await?;
        Ok(Json(app.membership(node)))
    };
    app.answer("heartbeat", request, answer).await
}

/// A validator says which challenges it works for
#[utoipa::path(
    post,
    path = "/v1/validators/subscriptions",
    operation_id = "subscribe_validator",
    tag = "validators",
    params(SignedHeaders),
    request_body = Subscriptions,
    responses(
        (status = 200, body = Membership, description = "Noted"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge` with its name, `invalid_fields`"),
        SignedRefusals,
    ),
)]
async fn subscribe(State(app): State<App>, request: Request) -> Result<Json<Membership>, Problem> {
    let answer = async |from: FromValidator<Subscriptions>| {
        let challenges = from.told.checked(&app)?;
        from.member(&app, None).await?;
        let node = app
            .store
            .subscribe_validator(from.hotkey, challenges)
            .await?
            .ok_or_else(signed::not_a_member)?;
        tracing::info!(hotkey = node.hotkey, to = ?node.subscriptions, "validator subscribed");
        Ok(Json(app.membership(node)))
    };
    app.answer("subscriptions", request, answer).await
}

/// The validators that registered with this host, and whether they are there
#[utoipa::path(
    get,
    path = "/v1/validators/public",
    operation_id = "list_validators",
    tag = "validators",
    params(PublicQuery),
    responses(
        (status = 200, body = PublicValidators, description = "By uid"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn list(
    State(app): State<App>,
    Params(query): Params<PublicQuery>,
) -> Result<Json<PublicValidators>, Problem> {
    if let Some(challenge) = &query.challenge {
        app.known_challenge(challenge)?;
    }
    let now = clock::unix_now();
    let mut validators: Vec<PublicValidator> = app
        .store
        .validator_nodes()
        .await?
        .into_iter()
        .filter(|node| {
            query
                .challenge
                .as_ref()
                .is_none_or(|name| node.works_for(name))
        })
        // Its uid is another's once it is not registered on the subnet any more.
        .filter_map(|node| {
            Some(PublicValidator {
                uid: app.metagraph().uid_of(&node.hotkey)?,
                status: app.status_of(&node, now),
                hotkey: node.hotkey,
                subscriptions: node.subscriptions,
                last_seen: node.seen_at,
            })
        })
        .collect();
    validators.sort_by_key(|validator| validator.uid);
    Ok(Json(PublicValidators { validators }))
}

impl App {
    fn membership(&self, node: ValidatorNode) -> Membership {
        let rules = &self.config.validators;
        Membership {
            uid: node.uid,
            hotkey: node.hotkey,
            subscriptions: node.subscriptions,
            registered_at: node.registered_at,
            last_seen: node.seen_at,
            heartbeat_s: rules.heartbeat_s,
            offline_s: rules.offline_s,
            lease_s: rules.lease_s,
            max_open: rules.max_open_per_validator,
        }
    }

    fn status_of(&self, node: &ValidatorNode, now: f64) -> &'static str {
        let online = node.seen_at >= now - self.config.validators.offline_s;
        if online { "online" } else { "offline" }
    }
}

impl Registration {
    /// What is kept of it.
    fn checked(self) -> Result<Map<String, Value>, Problem> {
        let capabilities = self.capabilities.as_deref().unwrap_or_default();
        let too_many = capabilities.len() > MAX_WORDS;
        let gpu = self.gpu.map(Value::Object);
        let gpu_size = gpu.as_ref().map_or(0, |gpu| gpu.to_string().len());
        let mut problems = vec![
            word("version", self.version.as_deref()),
            word("engine", self.engine.as_deref()),
            too_many.then(|| {
                let message = format!("must have at most {MAX_WORDS} words");
                FieldProblem::new("capabilities", message)
            }),
            (gpu_size > MAX_GPU).then(|| {
                let message = format!("must have at most {MAX_GPU} bytes as JSON");
                FieldProblem::new("gpu", message)
            }),
        ];
        let words = capabilities.iter().enumerate();
        problems.extend(words.map(|(i, text)| word(&format!("capabilities[{i}]"), Some(text))));
        told_well(&problems)?;
        let told = [
            ("version", self.version.map(Value::from)),
            ("engine", self.engine.map(Value::from)),
            ("capabilities", self.capabilities.map(Value::from)),
            ("gpu", gpu),
        ];
        let told = told.into_iter();
        Ok(told
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect())
    }
}

impl Subscriptions {
    /// The names, each once, of challenges that there are.
    fn checked(&self, app: &App) -> Result<Vec<String>, Problem> {
        let too_many = self.challenges.len() > MAX_SUBSCRIPTIONS;
        told_well(&[too_many.then(|| {
            let message = format!("must have at most {MAX_SUBSCRIPTIONS} names");
            FieldProblem::new("challenges", message)
        })])?;
        let names: BTreeSet<String> = self.challenges.iter().cloned().collect();
        for name in &names {
            app.known_challenge(name)
                .map_err(|unknown| Problem::unprocessable(unknown.code, unknown.detail))?;
        }
        Ok(names.into_iter().collect())
    }
}

/// What is wrong with a word, if anything is.
fn word(field: &str, text: Option<&str>) -> Option<FieldProblem> {
    let text = text?;
    let printable = !text.contains(char::is_control);
    let fits = printable && text.chars().count() <= MAX_WORD;
    (!fits).then(|| {
        let message = format!("must be at most {MAX_WORD} characters, none of them a control");
        FieldProblem::new(field, message)
    })
}

/// Refuses a body of which any field is wrong.
fn told_well(problems: &[Option<FieldProblem>]) -> Result<(), Problem> {
    let problems: Vec<FieldProblem> = problems.iter().flatten().cloned().collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid(problems))
}
