//! Is it alive, is it ready, how is it.

use super::App;
use super::problem::{Problem, ProblemDetails};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

/// The process answers
#[utoipa::path(
    get,
    path = "/livez",
    tag = "health",
    responses((status = 200, body = String, description = "`ok`")),
)]
pub(super) async fn livez() -> &'static str {
    "ok"
}

/// The plugins were read once, and the database can be written to
///
/// A plugin that is rejected does not make the host unready.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, body = String, description = "`ok`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`not_ready`: the text says why"),
    ),
)]
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    let not_ready =
        |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail);
    if !app.plugins.is_scanned() {
        return Err(not_ready("the plugins are being loaded".into()));
    }
    app.store
        .check()
        .await
        .map_err(|e| not_ready(e.to_string()))?;
    Ok("ok")
}

/// `GET /metrics`: everything that is counted, in the OpenMetrics text format.
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let free = app.sandbox.free_route_calls();
    app.metrics.set_route_places_free(free);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], app.metrics.encode())
}
