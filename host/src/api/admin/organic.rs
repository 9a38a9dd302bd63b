//! The loops of organic scoring: how they do, when they run, and what they came to.

use super::auth::Actor;
use super::body::JsonBody;
use crate::api::App;
use crate::api::organic::{page, unknown_entry};
use crate::api::params::{Params, Segments};
use crate::api::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::config::Trigger;
use crate::organic::LoopStatus;
use crate::registry::FieldProblem;
use crate::store::{EntryRow, EntryState, IterationRow, OrganicQueue, Steps};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route of organic scoring.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(steps))
        .routes(routes!(reset))
        .routes(routes!(entries))
        .routes(routes!(entry))
        .routes(routes!(retry))
        .routes(routes!(iteration))
}

/// Every loop.
#[derive(Debug, Serialize, ToSchema)]
struct LoopList {
    /// By challenge.
    challenges: Vec<LoopView>,
}

/// How a challenge's loop does.
#[derive(Debug, Serialize, ToSchema)]
struct LoopView {
    /// The challenge.
    challenge: String,
    /// `running`; `stopping`: none begins any more, and some have not ended; `stopped`;
    /// `inactive`: the challenge does not run.
    state: &'static str,
    /// What an iteration is triggered by.
    trigger: Trigger,
    /// Seconds or steps from one iteration to the next while the queue is empty.
    frequency: f64,
    /// The least that it becomes.
    frequency_min: f64,
    /// Queued samples that make it less by one.
    scaling: f64,
    /// What it is with the queue as it is now.
    delay: f64,
    /// Steps that were counted and that no iteration has taken.
    steps: u64,
    /// Steps that the next iteration takes; 0 if it is triggered by time.
    steps_needed: u64,
    /// What is queued.
    queue: QueueView,
    /// Iterations that run now.
    in_flight: u32,
    /// When the last one began, in seconds since the Unix epoch; none if none did in
    /// this process.
    last_started_at: Option<f64>,
    /// The number of the last one.
    last_iteration: Option<i64>,
    /// Iterations that began in this process.
    iterations: u64,
}

/// What is queued, and what became of what was and is still kept.
#[derive(Debug, Serialize, ToSchema)]
struct QueueView {
    /// Entries that wait.
    queued: u64,
    /// When the oldest of them came, in seconds since the Unix epoch.
    oldest_at: Option<f64>,
    /// When the first of them may be tried, in seconds since the Unix epoch.
    next_at: Option<f64>,
    /// Entries that an iteration has.
    leased: u64,
    /// Entries that are done.
    done: u64,
    /// Entries that had to go, as the queue was full.
    dropped: u64,
    /// Entries that were tried in vain.
    failed: u64,
}

impl From<OrganicQueue> for QueueView {
    fn from(queue: OrganicQueue) -> Self {
        QueueView {
            queued: queue.queued,
            oldest_at: queue.oldest_at,
            next_at: queue.next_at,
            leased: queue.leased,
            done: queue.done,
            dropped: queue.dropped,
            failed: queue.failed,
        }
    }
}

impl From<LoopStatus> for LoopView {
    fn from(status: LoopStatus) -> Self {
        LoopView {
            challenge: status.challenge,
            state: status.state.name(),
            trigger: status.trigger,
            frequency: status.frequency,
            frequency_min: status.frequency_min,
            scaling: status.scaling,
            delay: status.delay,
            steps: status.steps,
            steps_needed: status.steps_needed,
            queue: status.queue.into(),
            in_flight: status.in_flight,
            last_started_at: status.last_started_at,
            last_iteration: status.last_iteration,
            iterations: status.iterations,
        }
    }
}

/// How the organic scoring of each challenge does
#[utoipa::path(
    get,
    path = "/v1/admin/organic",
    operation_id = "list_organic",
    tag = "organic",
    responses((status = 200, body = LoopList, description = "Those that have it")),
)]
async fn list(State(app): State<App>) -> Json<LoopList> {
    let statuses = app.organic().statuses().await;
    let challenges = statuses.into_iter().map(LoopView::from).collect();
    Json(LoopList { challenges })
}

/// How the organic scoring of a challenge does
#[utoipa::path(
    get,
    path = "/v1/admin/organic/{challenge}",
    operation_id = "get_organic",
    tag = "organic",
    params(("challenge" = String, Path, description = "The challenge")),
    responses(
        (status = 200, body = LoopView, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
    ),
)]
async fn one(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
) -> Result<Json<LoopView>, Problem> {
    let status = app.organic_status(&challenge).await?;
    Ok(Json(status.into()))
}

/// Have iterations begin
///
/// From now on, and after a restart.
#[utoipa::path(
    post,
    path = "/v1/admin/organic/{challenge}/start",
    operation_id = "start_organic",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    responses(
        (status = 200, body = LoopView, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`in_progress`: the same request is being answered"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`idempotency_key_reused`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn start(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    Actor(actor): Actor,
) -> Result<Json<LoopView>, Problem> {
    let now = clock::unix_now();
    let status = app.organic().start(&challenge, now).await?;
    changed(&app, &challenge, &actor, "start", status).await
}

/// Have no iteration begin
///
/// None begins once this is answered, nor after a restart. Those that run end by
/// themselves: until then the state is `stopping`. Entries are queued all the same.
#[utoipa::path(
    post,
    path = "/v1/admin/organic/{challenge}/stop",
    operation_id = "stop_organic",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    responses(
        (status = 200, body = LoopView, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`in_progress`: the same request is being answered"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`idempotency_key_reused`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn stop(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    Actor(actor): Actor,
) -> Result<Json<LoopView>, Problem> {
    let now = clock::unix_now();
    let status = app.organic().stop(&challenge, now).await?;
    changed(&app, &challenge, &actor, "stop", status).await
}

/// How steps are counted: one of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StepsBody {
    /// So many more.
    #[serde(default)]
    add: Option<u64>,
    /// As many as that.
    #[serde(default)]
    set: Option<u64>,
}

impl StepsBody {
    fn change(&self) -> Result<Steps, Problem> {
        match (self.add, self.set) {
            (Some(add), None) => Ok(Steps::Add(add)),
            (None, Some(set)) => Ok(Steps::Set(set)),
            _ => {
                let problem = FieldProblem::new("", "must have either add or set");
                Err(Problem::invalid(vec![problem]))
            }
        }
    }
}

/// Count steps
///
/// With the trigger `steps` an iteration begins, and takes off what it costs, as soon as
/// there are enough. With `seconds` they are only counted.
#[utoipa::path(
    post,
    path = "/v1/admin/organic/{challenge}/steps",
    operation_id = "count_organic_steps",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    request_body(content = StepsBody, description = "`{\"add\": n}` or `{\"set\": n}`"),
    responses(
        (status = 200, body = LoopView, description = "As it is now"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_json`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`in_progress`: the same request is being answered"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`: each with its field; `idempotency_key_reused`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn steps(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    Actor(actor): Actor,
    JsonBody(body): JsonBody<StepsBody>,
) -> Result<Json<LoopView>, Problem> {
    let (change, now) = (body.change()?, clock::unix_now());
    let status = app.organic().steps(&challenge, change, now).await?;
    changed(&app, &challenge, &actor, "steps", status).await
}

/// Forget what rewards came to
///
/// The next iteration begins with no state, as the first one did: for a challenge whose
/// state it cannot read any more, or whose miners are to begin anew. What miners are paid
/// stays as it is until then. Queue, log and steps are left alone.
#[utoipa::path(
    post,
    path = "/v1/admin/organic/{challenge}/reset",
    operation_id = "reset_organic",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    responses(
        (status = 200, body = LoopView, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`in_progress`: the same request is being answered"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`idempotency_key_reused`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn reset(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    Actor(actor): Actor,
) -> Result<Json<LoopView>, Problem> {
    let now = clock::unix_now();
    let status = app.organic().reset(&challenge, now).await?;
    changed(&app, &challenge, &actor, "reset", status).await
}

/// What a loop is after somebody changed it.
async fn changed(
    app: &App,
    challenge: &str,
    actor: &str,
    action: &'static str,
    status: Option<LoopStatus>,
) -> Result<Json<LoopView>, Problem> {
    let status = match status {
        Some(status) => status,
        // Says why there is none.
        None => app.organic_status(challenge).await?,
    };
    tracing::info!(challenge, actor, action, "organic scoring changed");
    Ok(Json(status.into()))
}

/// Query of the list of entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct EntryQuery {
    /// Only those in this state: `queued`, `leased`, `done`, `dropped` or `failed`.
    state: Option<String>,
    /// Where the page begins: `next` of the one before.
    cursor: Option<String>,
    /// How many, 1 to 100. Default: 20.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
struct EntryPage {
    /// The last one first.
    entries: Vec<StoredEntry>,
    /// Where the next page begins; none if this is the last.
    next: Option<String>,
}

/// An entry, for inspection.
#[derive(Debug, Serialize, ToSchema)]
struct StoredEntry {
    /// What its caller asks for it by.
    id: String,
    /// Who sent it.
    caller: String,
    /// `queued`, `leased`, `done`, `dropped` or `failed`.
    state: &'static str,
    /// A greater one is taken first where that is the policy.
    priority: f64,
    /// When it came, in seconds since the Unix epoch.
    received_at: f64,
    /// When it may be tried, in seconds since the Unix epoch; 0 if at any time.
    not_before: f64,
    /// When it ended, in seconds since the Unix epoch.
    ended_at: Option<f64>,
    /// Iterations that it was tried in.
    attempts: u32,
    /// The last of them.
    iteration: Option<i64>,
    /// What went wrong last, a stable name.
    code: Option<String>,
    /// The same for people, also in the challenge's words.
    message: Option<String>,
    /// What miners are asked about. Not in a list.
    #[schema(value_type = Value)]
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Box<RawValue>>,
    /// What its caller is answered: the best answer, whose it is, and the rewards. Not in
    /// a list, nor before it is done.
    #[schema(value_type = Value)]
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Box<RawValue>>,
}

impl StoredEntry {
    /// What is told of it in a list.
    fn listed(row: &EntryRow) -> Self {
        StoredEntry {
            id: row.id.clone(),
            caller: row.caller.clone(),
            state: row.state.name(),
            priority: row.priority,
            received_at: row.received_at,
            not_before: row.not_before,
            ended_at: row.ended_at,
            attempts: row.attempts,
            iteration: row.iteration,
            code: row.code.clone(),
            message: row.message.clone(),
            sample: None,
            answer: None,
        }
    }

    fn whole(row: EntryRow) -> Result<Self, serde_json::Error> {
        let listed = StoredEntry::listed(&row);
        Ok(StoredEntry {
            sample: Some(RawValue::from_string(row.sample)?),
            answer: row.answer.map(RawValue::from_string).transpose()?,
            ..listed
        })
    }
}

/// The entries of a challenge
#[utoipa::path(
    get,
    path = "/v1/admin/organic/{challenge}/entries",
    operation_id = "list_organic_entries",
    tag = "organic",
    params(("challenge" = String, Path, description = "The challenge"), EntryQuery),
    responses(
        (status = 200, body = EntryPage, description = "The last one first"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_state`, `invalid_cursor`, `invalid_limit`, `invalid_query`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn entries(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    Params(query): Params<EntryQuery>,
) -> Result<Json<EntryPage>, Problem> {
    let page = page(query.cursor.as_deref(), query.limit.as_deref())?;
    let state = query.state.as_deref().map(|name| {
        let detail = "state is queued, leased, done, dropped or failed";
        let problem = || Problem::bad_request("invalid_state", detail);
        EntryState::from_name(name).ok_or_else(problem)
    });
    let state = state.transpose()?;
    app.organic_status(&challenge).await?;
    let found = app
        .store
        .organic_entries(challenge, state, page.after, page.look_for());
    let mut found = found.await?;
    let next = page.cut(&mut found, |row| row.seq);
    let entries = found.iter().map(StoredEntry::listed).collect();
    Ok(Json(EntryPage { entries, next }))
}

/// An entry, with its sample and its answer
#[utoipa::path(
    get,
    path = "/v1/admin/organic/{challenge}/entries/{id}",
    operation_id = "inspect_organic_entry",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("id" = String, Path, description = "The entry"),
    ),
    responses(
        (status = 200, body = StoredEntry, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_entry`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn entry(
    State(app): State<App>,
    Segments((challenge, id)): Segments<(String, String)>,
) -> Result<Json<StoredEntry>, Problem> {
    let found = app.organic().entry(&challenge, &id).await?;
    let found = found.ok_or_else(|| unknown_entry(&id))?;
    Ok(Json(StoredEntry::whole(found)?))
}

/// Queue an entry again
///
/// One that failed or was dropped, as if it had not been tried.
#[utoipa::path(
    post,
    path = "/v1/admin/organic/{challenge}/entries/{id}/retry",
    operation_id = "retry_organic_entry",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("id" = String, Path, description = "The entry"),
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    responses(
        (status = 200, body = StoredEntry, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_entry`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`not_failed`: it is queued, in an iteration, or done; `in_progress`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`idempotency_key_reused`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn retry(
    State(app): State<App>,
    Segments((challenge, id)): Segments<(String, String)>,
    Actor(actor): Actor,
) -> Result<Json<StoredEntry>, Problem> {
    let found = app.organic().entry(&challenge, &id).await?;
    let Some(entry) = found else {
        return Err(unknown_entry(&id));
    };
    let queued = app.store.organic_retry(id, clock::unix_now()).await?;
    let queued = queued.ok_or_else(|| {
        let detail = format!("the entry is {}", entry.state.name());
        Problem::conflict("not_failed", detail)
    })?;
    app.organic().wake(&challenge);
    tracing::info!(challenge, actor, entry = queued.id, "entry queued again");
    Ok(Json(StoredEntry::whole(queued)?))
}

/// An iteration, with all that its result depends on.
#[derive(Debug, Serialize, ToSchema)]
struct IterationRecord {
    /// Its number.
    id: i64,
    /// The challenge.
    challenge: String,
    /// The entry that its sample is of; none if the sample is synthetic.
    entry: Option<String>,
    /// The dataset that its sample is of; none if it is an entry's.
    dataset: Option<String>,
    /// `running`, `done` or `failed`.
    state: &'static str,
    /// Why it failed, a stable name.
    code: Option<String>,
    /// The same for people, also in the challenge's words.
    message: Option<String>,
    /// When it began, in seconds since the Unix epoch.
    started_at: f64,
    /// When it ended, in seconds since the Unix epoch.
    ended_at: Option<f64>,
    /// The challenge's component, by digest.
    plugin: String,
    /// Its settings, by digest.
    settings: String,
    /// What ran it.
    engine: String,
    /// Entries that were queued when it had begun, without its own.
    queue_size: u64,
    /// Sample, queries, answers, reference, rewards, times; null while it runs, and once
    /// `record_keep_s` is over.
    #[schema(value_type = Value)]
    record: Option<Box<RawValue>>,
}

impl IterationRecord {
    fn new(row: IterationRow) -> Result<Self, serde_json::Error> {
        Ok(IterationRecord {
            id: row.id,
            challenge: row.challenge,
            entry: row.entry,
            dataset: row.dataset,
            state: row.state.name(),
            code: row.code,
            message: row.message,
            started_at: row.started_at,
            ended_at: row.ended_at,
            plugin: row.plugin,
            settings: row.settings,
            engine: row.engine,
            queue_size: row.queue_size,
            record: row.record.map(RawValue::from_string).transpose()?,
        })
    }
}

/// An iteration, with all that was asked and answered
#[utoipa::path(
    get,
    path = "/v1/admin/organic/{challenge}/iterations/{id}",
    operation_id = "get_organic_iteration",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("id" = i64, Path, description = "Its number"),
    ),
    responses(
        (status = 200, body = IterationRecord, description = "As it is now"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_iteration`"),
    ),
)]
async fn iteration(
    State(app): State<App>,
    Segments((challenge, id)): Segments<(String, i64)>,
) -> Result<Json<IterationRecord>, Problem> {
    let found = app.store.organic_iteration(id).await?;
    let found = found.filter(|row| row.challenge == challenge);
    let found = found.ok_or_else(|| {
        let detail = format!("there is no iteration {id} of {challenge:?}");
        Problem::missing("unknown_iteration", detail)
    })?;
    Ok(Json(IterationRecord::new(found)?))
}
