//! Servers with GPUs.

use super::auth::Actor;
use super::body::JsonMap;
use super::precondition::{IfMatch, changed, etag};
use crate::api::App;
use crate::api::params::Segments;
use crate::api::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::registry::Edit;
use crate::registry::gpu::{
    GpuServer, GpuServerError, GpuServerSpec, Health, HealthStatus, NewGpuServer, used_by,
};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route of servers with GPUs.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(one, update, remove))
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(health))
}

/// Every server.
#[derive(Debug, Serialize, ToSchema)]
struct GpuServerList {
    /// By id.
    gpu_servers: Vec<GpuServer>,
}

/// Every server with GPUs, by id
#[utoipa::path(
    get,
    path = "/v1/admin/gpu-servers",
    operation_id = "list_gpu_servers",
    tag = "gpu servers",
    responses((status = 200, body = GpuServerList, description = "By id")),
)]
async fn list(State(app): State<App>) -> Result<Json<GpuServerList>, Problem> {
    let gpu_servers = app.registry().gpu_servers().list().await?;
    Ok(Json(GpuServerList { gpu_servers }))
}

/// Add a server
///
/// Its token goes in and never comes out: it is kept sealed, and shown as its first
/// and last characters.
#[utoipa::path(
    post,
    path = "/v1/admin/gpu-servers",
    operation_id = "create_gpu_server",
    tag = "gpu servers",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
    ),
    request_body = NewGpuServer,
    responses(
        (status = 201, body = GpuServer, description = "Added, with its revision as `ETag`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`exists`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`: each with its field; `idempotency_key_reused`"),
    ),
)]
async fn create(
    State(app): State<App>,
    actor: Actor,
    JsonMap(body): JsonMap,
) -> Result<Response, Problem> {
    let edit = edit(actor, None);
    let server = app.registry().gpu_servers().create(body, &edit).await?;
    let tag = etag(server.revision);
    Ok((StatusCode::CREATED, [tag], Json(server)).into_response())
}

/// A server
#[utoipa::path(
    get,
    path = "/v1/admin/gpu-servers/{id}",
    operation_id = "get_gpu_server",
    tag = "gpu servers",
    params(("id" = String, Path, description = "The server")),
    responses(
        (status = 200, body = GpuServer, description = "With its revision as `ETag`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_gpu_server`"),
    ),
)]
async fn one(State(app): State<App>, Segments(id): Segments<String>) -> Result<Tagged, Problem> {
    Ok(tagged(app.registry().gpu_servers().get(&id).await?))
}

/// Change fields of a server
///
/// Only what is given changes; labels are replaced as a whole, and an empty `token`
/// removes the token.
#[utoipa::path(
    patch,
    path = "/v1/admin/gpu-servers/{id}",
    operation_id = "update_gpu_server",
    tag = "gpu servers",
    params(
        ("id" = String, Path, description = "The server"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is changed"),
    ),
    request_body(content = GpuServerSpec, description = "Any field of a server but `id`; `token` \
        as well"),
    responses(
        (status = 200, body = GpuServer, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_gpu_server`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`: somebody else changed it"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`: each with its field"),
    ),
)]
async fn update(
    State(app): State<App>,
    Segments(id): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
    JsonMap(body): JsonMap,
) -> Result<Tagged, Problem> {
    let edit = edit_of(&app, &id, actor, &if_match).await?;
    let servers = app.registry().gpu_servers();
    Ok(tagged(servers.update(&id, body, &edit).await?))
}

/// Remove a server
///
/// Not one that is a challenge's.
#[utoipa::path(
    delete,
    path = "/v1/admin/gpu-servers/{id}",
    operation_id = "remove_gpu_server",
    tag = "gpu servers",
    params(
        ("id" = String, Path, description = "The server"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is removed"),
    ),
    responses(
        (status = 204, description = "It is gone, and its token"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_gpu_server`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`in_use`: challenges name it"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
    ),
)]
async fn remove(
    State(app): State<App>,
    Segments(id): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let edit = edit_of(&app, &id, actor, &if_match).await?;
    let used_by = used_by(&id, &app.registry().records().await?);
    let servers = app.registry().gpu_servers();
    servers.delete(&id, used_by, &edit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let challenges use a server
#[utoipa::path(
    post,
    path = "/v1/admin/gpu-servers/{id}/enable",
    operation_id = "enable_gpu_server",
    tag = "gpu servers",
    params(
        ("id" = String, Path, description = "The server"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant"),
    ),
    responses(
        (status = 200, body = GpuServer, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_gpu_server`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
    ),
)]
async fn enable(
    State(app): State<App>,
    Segments(id): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
) -> Result<Tagged, Problem> {
    let edit = edit_of(&app, &id, actor, &if_match).await?;
    let servers = app.registry().gpu_servers();
    Ok(tagged(servers.set_enabled(&id, true, &edit).await?))
}

/// Have no challenge use a server
#[utoipa::path(
    post,
    path = "/v1/admin/gpu-servers/{id}/disable",
    operation_id = "disable_gpu_server",
    tag = "gpu servers",
    params(
        ("id" = String, Path, description = "The server"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant"),
    ),
    responses(
        (status = 200, body = GpuServer, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_gpu_server`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
    ),
)]
async fn disable(
    State(app): State<App>,
    Segments(id): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
) -> Result<Tagged, Problem> {
    let edit = edit_of(&app, &id, actor, &if_match).await?;
    let servers = app.registry().gpu_servers();
    Ok(tagged(servers.set_enabled(&id, false, &edit).await?))
}

/// Ask a server how it is
///
/// By `GET /health` of its address, with its token. That it is not well is an answer
/// as well: 200 with `status` `error`.
#[utoipa::path(
    post,
    path = "/v1/admin/gpu-servers/{id}/health",
    operation_id = "probe_gpu_server",
    tag = "gpu servers",
    params(("id" = String, Path, description = "The server")),
    responses(
        (status = 200, body = Health, description = "Whether it is there, and well"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_gpu_server`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`token_lost`: its token was sealed with another key"),
    ),
)]
async fn health(
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<Health>, Problem> {
    let health = app.registry().gpu_servers().health(&id).await?;
    app.metrics.gpu_probed(match health.status {
        HealthStatus::Ok => "ok",
        HealthStatus::Error => health.code.unwrap_or("error"),
    });
    Ok(Json(health))
}

type Tagged = ([(HeaderName, HeaderValue); 1], Json<GpuServer>);

fn tagged(server: GpuServer) -> Tagged {
    ([etag(server.revision)], Json(server))
}

fn edit(actor: Actor, expected: Option<i64>) -> Edit {
    Edit {
        actor: actor.0,
        expected,
        dry_run: false,
        now: clock::unix_now(),
    }
}

/// A change of a server, which must be the one that is meant.
async fn edit_of(app: &App, id: &str, actor: Actor, if_match: &IfMatch) -> Result<Edit, Problem> {
    let server = app.registry().gpu_servers().get(id).await?;
    if_match.check(server.revision)?;
    Ok(edit(actor, Some(server.revision)))
}

impl From<GpuServerError> for Problem {
    fn from(error: GpuServerError) -> Self {
        let detail = error.to_string();
        match error {
            GpuServerError::NotFound(_) => Problem::missing("unknown_gpu_server", detail),
            GpuServerError::Exists(_) => Problem::conflict("exists", detail),
            GpuServerError::Invalid(problems) => Problem::invalid(problems),
            GpuServerError::Stale(revision) => changed(Some(revision)),
            GpuServerError::InUse { .. } => Problem::conflict("in_use", detail),
            GpuServerError::TokenLost(_) => Problem::conflict("token_lost", detail),
            GpuServerError::Store(error) => error.into(),
            GpuServerError::Seal(error) => {
                tracing::error!(%error, "a token was not sealed");
                let detail = "the host cannot seal anything now";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            }
        }
    }
}
