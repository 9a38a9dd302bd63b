//! The challenges' records.

use super::auth::Actor;
use super::body::{JsonMap, MaybeJson};
use super::precondition::{IfMatch, etag};
use super::views::{AuditView, ChallengeView, RuntimeView, VersionView};
use crate::api::App;
use crate::api::params::{Params, Segments};
use crate::api::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::registry::{Edit, Record, RegistryError, Status};
use crate::store::StoreError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of every change.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangeQuery {
    /// Whether only to check it, and to tell what would come of it. Default: false.
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

impl ChangeQuery {
    pub(super) fn dry_run(&self) -> Option<&str> {
        self.dry_run.as_deref()
    }
}

/// Query of a deletion.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Whether only to check it, and to tell what would come of it. Default: false.
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
    /// `keep` the volume with its files and database, or `purge` it. Default: `keep`.
    #[param(value_type = Option<String>)]
    data: Option<String>,
}

/// Query of the audit log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only changes of this: a challenge's slug, or `gpu-server:` and its id.
    subject: Option<String>,
    /// Only changes before the one of this number.
    #[param(value_type = Option<i64>)]
    before: Option<String>,
    /// At most so many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

/// Every record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChallengeList {
    /// By slug.
    challenges: Vec<ChallengeView>,
}

/// A record that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedView {
    challenge: ChallengeView,
    /// The challenge's token. It is told this once, and only a hash of it is kept;
    /// none of a dry run.
    challenge_token: Option<String>,
    /// Whether nothing was made.
    dry_run: bool,
}

/// What came of an operation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OperationView {
    slug: String,
    /// Which one.
    operation: &'static str,
    /// The record's status.
    status: Status,
    runtime: RuntimeView,
}

/// What a rollback goes back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RollbackBody {
    /// The component, as `sha256:…`, that the challenge ran before. Default: the last
    /// one that is another.
    digest: Option<String>,
}

/// What a deletion came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedView {
    slug: String,
    /// Whether nothing was done.
    dry_run: bool,
    /// What is gone: `record`, `tokens`, `secrets`, and `volume` if it was purged.
    removed: Vec<&'static str>,
    /// What stays: `audit_log`, `versions`, `scores` (commits, evaluations,
    /// finalizations), and `volume` unless it was purged.
    kept: Vec<&'static str>,
    /// Where the volume is or was.
    volume: String,
}

/// The versions of a challenge.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionList {
    /// The last one first.
    versions: Vec<VersionView>,
}

/// Changes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLog {
    /// The last one first.
    changes: Vec<AuditView>,
}

/// Every record, by slug, and how its challenge does
#[utoipa::path(
    get,
    path = "/v1/admin/challenges",
    operation_id = "list_challenge_records",
    tag = "challenges",
    responses((status = 200, body = ChallengeList, description = "By slug")),
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<ChallengeList>, Problem> {
    let mut challenges = Vec::new();
    for record in app.registry().records().await? {
        challenges.push(view(&app, record).await?);
    }
    Ok(Json(ChallengeList { challenges }))
}

/// Make a record
///
/// The component is fetched, compiled and asked for its name, which must be the
/// slug, and for its opinion of the settings. A `Status` other than `draft` or
/// `active` is refused.
#[utoipa::path(
    post,
    path = "/v1/admin/challenges",
    operation_id = "create_challenge_record",
    tag = "challenges",
    params(
        ChangeQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Who sends the same request \
            with the same key again within 24 hours gets the same answer, and nothing is done twice"),
    ),
    request_body(content = Object, description = "`slug` and `artifact`, and any field of a \
        record; `version` is what the component must tell"),
    responses(
        (status = 201, body = CreatedView, description = "Made"),
        (status = 200, body = CreatedView, description = "A dry run: what would be made"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`exists`, `transition`, `configured`, `not_ready`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`: each with its field; `idempotency_key_reused`"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json",
            description = "The OCI registry's fault"),
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Params(query): Params<ChangeQuery>,
    JsonMap(body): JsonMap,
) -> Result<Response, Problem> {
    let edit = edit(actor, None, query.dry_run.as_deref())?;
    let dry_run = edit.dry_run;
    let created = app.registry().create(body, edit).await.map_err(problem)?;
    let challenge = view(&app, created.record).await?;
    let tag = etag(challenge.revision());
    let body = CreatedView {
        challenge,
        challenge_token: created.token,
        dry_run,
    };
    let status = if dry_run {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, [tag], Json(body)).into_response())
}

/// A record
#[utoipa::path(
    get,
    path = "/v1/admin/challenges/{slug}",
    operation_id = "get_challenge_record",
    tag = "challenges",
    params(("slug" = String, Path, description = "The challenge")),
    responses(
        (status = 200, body = ChallengeView, description = "With its revision as `ETag`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    Segments(slug): Segments<String>,
) -> Result<Response, Problem> {
    let record = app.registry().get(&slug).await.map_err(problem)?;
    answer(&app, record).await
}

/// Change fields of a record
///
/// Only what is given changes; a map or a list is replaced as a whole. The change is
/// checked as a whole, by the component as well, before anything is stored.
#[utoipa::path(
    patch,
    path = "/v1/admin/challenges/{slug}",
    operation_id = "update_challenge_record",
    tag = "challenges",
    params(
        ("slug" = String, Path, description = "The challenge"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is changed"),
    ),
    request_body(content = Object, description = "Any field of a record but `slug`"),
    responses(
        (status = 200, body = ChallengeView, description = "The record as it is now, or, of a dry run, as it would be"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`transition`, `configured`, `not_ready`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`: somebody else changed it"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`: each with its field"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json",
            description = "The OCI registry's fault"),
    ),
)]
pub(super) async fn update(
    State(app): State<App>,
    Segments(slug): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<ChangeQuery>,
    JsonMap(body): JsonMap,
) -> Result<Response, Problem> {
    let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run.as_deref()).await?;
    let record = app.registry().update(&slug, body, edit).await;
    answer(&app, record.map_err(problem)?).await
}

/// Delete a record
///
/// Not of an active challenge, nor while a file in the plugins folder would bring it
/// back. Its tokens and secrets go; what was scored stays, and so do the audit log
/// and the volume, unless it is to be purged.
#[utoipa::path(
    delete,
    path = "/v1/admin/challenges/{slug}",
    operation_id = "delete_challenge_record",
    tag = "challenges",
    params(
        ("slug" = String, Path, description = "The challenge"),
        DeleteQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is deleted"),
    ),
    responses(
        (status = 200, body = DeletedView, description = "What is gone and what stays"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`still_active`, `in_folder`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
    ),
)]
pub(super) async fn delete(
    State(app): State<App>,
    Segments(slug): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<DeleteQuery>,
) -> Result<Json<DeletedView>, Problem> {
    let purge = match query.data.as_deref() {
        None | Some("keep") => false,
        Some("purge") => true,
        Some(_) => {
            let detail = "data is keep or purge";
            return Err(Problem::bad_request("invalid_query", detail));
        }
    };
    let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run.as_deref()).await?;
    let dry_run = edit.dry_run;
    let deleted = app.registry().delete(&slug, purge, edit).await;
    let deleted = deleted.map_err(problem)?;
    let mut view = DeletedView {
        slug,
        dry_run,
        removed: vec!["record", "tokens", "secrets"],
        kept: vec!["audit_log", "versions", "scores"],
        volume: deleted.volume.display().to_string(),
    };
    if deleted.volume_kept {
        view.kept.push("volume");
    } else if purge {
        view.removed.push("volume");
    }
    Ok(Json(view))
}

macro_rules! operation {
    ($name:ident, $path:literal, $id:literal, $doc:literal, $method:ident($($argument:expr),*)) => {
        #[doc = $doc]
        #[utoipa::path(
            post,
            path = $path,
            operation_id = $id,
            tag = "operations",
            params(
                ("slug" = String, Path, description = "The challenge"),
                ChangeQuery,
                ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant"),
            ),
            responses(
                (status = 200, body = OperationView, description = "What came of it"),
                (status = 404, body = ProblemDetails, content_type = "application/problem+json",
                    description = "`unknown_challenge`"),
                (status = 409, body = ProblemDetails, content_type = "application/problem+json",
                    description = "`transition`, `not_ready`"),
                (status = 412, body = ProblemDetails, content_type = "application/problem+json",
                    description = "`precondition_failed`"),
                (status = 422, body = ProblemDetails, content_type = "application/problem+json",
                    description = "`invalid_fields`"),
                (status = 502, body = ProblemDetails, content_type = "application/problem+json",
                    description = "The OCI registry's fault"),
            ),
        )]
        pub(super) async fn $name(
            State(app): State<App>,
            Segments(slug): Segments<String>,
            actor: Actor,
            if_match: IfMatch,
            Params(query): Params<ChangeQuery>,
        ) -> Result<Json<OperationView>, Problem> {
            let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run.as_deref()).await?;
            let done = app.registry().$method(&slug, $($argument,)* edit).await;
            Ok(Json(operation(&app, done.map_err(problem)?, stringify!($name))))
        }
    };
}

operation!(
    activate,
    "/v1/admin/challenges/{slug}/activate",
    "activate_challenge",
    "Have a challenge run",
    set_status(Status::Active)
);
operation!(
    deactivate,
    "/v1/admin/challenges/{slug}/deactivate",
    "deactivate_challenge",
    "Have a challenge not run for now",
    set_status(Status::Inactive)
);
operation!(
    disable,
    "/v1/admin/challenges/{slug}/disable",
    "disable_challenge",
    "Have a challenge never run again",
    set_status(Status::Disabled)
);
operation!(
    restart,
    "/v1/admin/challenges/{slug}/restart",
    "restart_challenge",
    "Load a challenge anew, as its record says",
    restart()
);
operation!(
    pull,
    "/v1/admin/challenges/{slug}/pull",
    "pull_challenge",
    "Fetch a challenge's component again",
    pull()
);

/// Go back to a component that a challenge ran before; it is pinned then
#[utoipa::path(
    post,
    path = "/v1/admin/challenges/{slug}/rollback",
    operation_id = "rollback_challenge",
    tag = "operations",
    params(
        ("slug" = String, Path, description = "The challenge"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant"),
    ),
    request_body(content = Option<RollbackBody>, description = "Which one"),
    responses(
        (status = 200, body = OperationView, description = "What came of it"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`, `unknown_version`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`not_ready`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
    ),
)]
pub(super) async fn rollback(
    State(app): State<App>,
    Segments(slug): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<ChangeQuery>,
    MaybeJson(body): MaybeJson<RollbackBody>,
) -> Result<Json<OperationView>, Problem> {
    let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run.as_deref()).await?;
    let record = app.registry().rollback(&slug, body.digest, edit).await;
    Ok(Json(operation(&app, record.map_err(problem)?, "rollback")))
}

/// How a challenge does
#[utoipa::path(
    get,
    path = "/v1/admin/challenges/{slug}/status",
    operation_id = "get_challenge_status",
    tag = "operations",
    params(("slug" = String, Path, description = "The challenge")),
    responses(
        (status = 200, body = OperationView, description = "State, reason and since when"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
    ),
)]
pub(super) async fn status(
    State(app): State<App>,
    Segments(slug): Segments<String>,
) -> Result<Json<OperationView>, Problem> {
    let record = app.registry().get(&slug).await.map_err(problem)?;
    Ok(Json(operation(&app, record, "status")))
}

/// The components that a challenge ran, the last one first
#[utoipa::path(
    get,
    path = "/v1/admin/challenges/{slug}/versions",
    operation_id = "list_challenge_versions",
    tag = "challenges",
    params(("slug" = String, Path, description = "The challenge")),
    responses(
        (status = 200, body = VersionList, description = "What `rollback` may go back to"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
    ),
)]
pub(super) async fn versions(
    State(app): State<App>,
    Segments(slug): Segments<String>,
) -> Result<Json<VersionList>, Problem> {
    let record = app.registry().get(&slug).await.map_err(problem)?;
    let versions = app.registry().versions(&slug).await?;
    let versions = versions.into_iter();
    Ok(Json(VersionList {
        versions: versions
            .map(|row| VersionView::new(row, &record.digest))
            .collect(),
    }))
}

/// Who changed what, the last change first
#[utoipa::path(
    get,
    path = "/v1/admin/audit",
    operation_id = "read_audit_log",
    tag = "challenges",
    params(AuditQuery),
    responses(
        (status = 200, body = AuditLog, description = "The last one first"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`"),
    ),
)]
pub(super) async fn audit(
    State(app): State<App>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditLog>, Problem> {
    let invalid = |detail: &str| Problem::bad_request("invalid_query", detail);
    let before = query.before.as_deref().map(str::parse::<i64>).transpose();
    let before = before.map_err(|_| invalid("before is the number of a change"))?;
    let limit = query.limit.as_deref().map_or(Ok(100), str::parse::<u32>);
    let limit = limit.ok().filter(|limit| (1..=1000).contains(limit));
    let limit = limit.ok_or_else(|| invalid("limit is 1 to 1000"))?;
    let log = app
        .registry()
        .audit_log(query.subject, before, limit)
        .await?;
    Ok(Json(AuditLog {
        changes: log.into_iter().map(AuditView::from).collect(),
    }))
}

/// A record as the operator sees it.
pub(super) async fn view(app: &App, record: Record) -> Result<ChallengeView, StoreError> {
    let registry = app.registry();
    let configured = app.config.challenges.contains_key(&record.slug);
    let secrets_set = registry.secrets_set(&record.slug).await?;
    let tokens = registry.tokens(&record.slug, clock::unix_now()).await?;
    let running = registry.plugins().running(&record.slug);
    Ok(ChallengeView::new(
        record,
        configured,
        secrets_set,
        tokens,
        running,
    ))
}

async fn answer(app: &App, record: Record) -> Result<Response, Problem> {
    let view = view(app, record).await?;
    Ok(([etag(view.revision())], Json(view)).into_response())
}

fn operation(app: &App, record: Record, operation: &'static str) -> OperationView {
    OperationView {
        operation,
        status: record.status,
        runtime: RuntimeView::new(app.registry().plugins().running(&record.slug)),
        slug: record.slug,
    }
}

/// A change by whoever asks, now.
pub(super) fn edit(
    actor: Actor,
    expected: Option<i64>,
    dry_run: Option<&str>,
) -> Result<Edit, Problem> {
    let dry_run = match dry_run {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(_) => {
            let detail = "dry_run is true or false";
            return Err(Problem::bad_request("invalid_query", detail));
        }
    };
    Ok(Edit {
        actor: actor.0,
        expected,
        dry_run,
        now: clock::unix_now(),
    })
}

/// A change of a record, which must be the one that is meant.
pub(super) async fn edit_of(
    app: &App,
    slug: &str,
    actor: Actor,
    if_match: &IfMatch,
    dry_run: Option<&str>,
) -> Result<Edit, Problem> {
    let record = app.registry().get(slug).await.map_err(problem)?;
    if_match.check(record.revision)?;
    // What was looked at is what is changed, even if nobody said which.
    edit(actor, Some(record.revision), dry_run)
}

/// What a client is told of an error.
pub(super) fn problem(error: RegistryError) -> Problem {
    let detail = error.to_string();
    match error {
        RegistryError::NotFound(slug) => Problem::unknown_challenge(&slug),
        RegistryError::Exists(_) => Problem::conflict("exists", detail),
        RegistryError::Invalid(problems) => Problem::invalid(problems),
        RegistryError::Stale(revision) => {
            let (name, value) = etag(revision);
            Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                detail,
            )
            .with_header(name, value)
        }
        RegistryError::Transition(..) => Problem::conflict("transition", detail),
        RegistryError::Configured { .. } => Problem::conflict("configured", detail),
        RegistryError::NotReady(rejection) => {
            let detail = format!("{}: {detail}", rejection.code);
            Problem::conflict("not_ready", detail)
        }
        RegistryError::StillActive => Problem::conflict("still_active", detail),
        RegistryError::InFolder(_) => Problem::conflict("in_folder", detail),
        RegistryError::Unknown { what, .. } => {
            let code = match what {
                "token" => "unknown_token",
                "secret" => "unknown_secret",
                "component" => "unknown_component",
                _ => "unknown_version",
            };
            Problem::missing(code, detail)
        }
        RegistryError::Pull(error) => Problem::new(StatusCode::BAD_GATEWAY, error.code(), detail),
        RegistryError::Store(error) => error.into(),
        RegistryError::GpuServers(error) => error.into(),
        RegistryError::Components(_) | RegistryError::Volume { .. } | RegistryError::Seal(_) => {
            tracing::error!(error = detail, "a change was not made");
            let detail = "the host's disk cannot be used now";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }
}
