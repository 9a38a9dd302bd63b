//! What every route has around it: bounds on body, time and load; metrics; a
//! log line for what went wrong.

use super::problem::Problem;
use crate::config::Public;
use crate::metrics::Metrics;
use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::timeout::error::Elapsed;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

pub(super) fn apply<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    config: &Public,
    metrics: Arc<Metrics>,
) -> Router<S> {
    router
        .layer(DefaultBodyLimit::max(config.max_body_bytes))
        .layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(overloaded))
                .layer(LoadShedLayer::new())
                .layer(GlobalConcurrencyLimitLayer::new(config.max_requests))
                .layer(TimeoutLayer::new(Duration::from_millis(config.timeout_ms))),
        )
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the host failed on this request",
            ))
        }))
        .layer(from_fn_with_state(metrics, observe))
}

async fn overloaded(error: BoxError) -> Problem {
    if error.is::<Elapsed>() {
        let detail = "the request took too long";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail);
    }
    let detail = "too many requests at a time";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
}

async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    // The template, not the path: paths are without number.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let response = next.run(request).await;
    let (status, elapsed) = (response.status(), start.elapsed());
    metrics.request(&route, method.as_str(), status.as_u16(), elapsed);
    if status.is_server_error() {
        tracing::warn!(route, %method, %status, ?elapsed, "request failed");
    } else {
        tracing::debug!(route, %method, %status, ?elapsed, "request");
    }
    response
}
