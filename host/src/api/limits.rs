//! What every route has around it: bounds on head, body, time and load; metrics; a
//! log line for what went wrong.

use super::problem::Problem;
use crate::config::Public;
use crate::metrics::Metrics;
use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::timeout::error::Elapsed;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

/// Bytes that path, query and headers of a request may have together.
const MAX_HEAD: usize = 16 << 10;

/// Headers that a request may have.
const MAX_HEADERS: usize = 100;

/// All of it, for routes that answer by themselves.
pub(super) fn apply<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    config: &Public,
    metrics: Arc<Metrics>,
) -> Router<S> {
    let router = router
        .layer(DefaultBodyLimit::max(config.max_body_bytes))
        .layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(overloaded))
                .layer(LoadShedLayer::new())
                .layer(GlobalConcurrencyLimitLayer::new(config.max_requests))
                .layer(TimeoutLayer::new(Duration::from_millis(config.timeout_ms))),
        );
    around(router, metrics)
}

/// What of it holds for routes with bounds of their own as well: the head, panics,
/// metrics.
pub(super) fn around<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    metrics: Arc<Metrics>,
) -> Router<S> {
    router
        .layer(CatchPanicLayer::custom(|_| {
            let detail = "the host failed on this request";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
        }))
        .layer(from_fn(head))
        .layer(from_fn_with_state(metrics, observe))
}

/// Refuses what has too much of a head, and what is not framed in one way only: who
/// stands in front of the host may have read it in another.
async fn head(request: Request, next: Next) -> Response {
    let refused = |status, code, detail| {
        let problem = Problem::new(status, code, detail);
        let close = header::HeaderValue::from_static("close");
        problem
            .with_header(header::CONNECTION, close)
            .into_response()
    };
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    if size(request.headers()).is_none_or(|size| size + target > MAX_HEAD) {
        return refused(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            "path, query and headers are more than 16 KiB, or there are more than 100 headers",
        );
    }
    if !is_framed_once(request.headers()) {
        return refused(
            StatusCode::BAD_REQUEST,
            "bad_framing",
            "the request has several lengths, encodings or hosts",
        );
    }
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    if chunked {
        // The server has left out a length that came after the encoding. For who went
        // by that, the next request was part of this one: there is none.
        let close = header::HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Bytes of all names and values; none if there are too many.
fn size(headers: &HeaderMap) -> Option<usize> {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    (headers.len() <= MAX_HEADERS).then(|| sizes.sum())
}

/// Whether there is one way to tell where the body ends, and whom it is for.
fn is_framed_once(headers: &HeaderMap) -> bool {
    let count = |name| headers.get_all(name).iter().count();
    let lengths = count(header::CONTENT_LENGTH);
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = encodings.all(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let encodings = count(header::TRANSFER_ENCODING);
    is_chunked && lengths + encodings <= 1 && count(header::HOST) <= 1
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::HeaderName;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_body_ends_in_one_place() {
        for list in [
            &[][..],
            &[("content-length", "5"), ("host", "a")],
            &[("transfer-encoding", "chunked")],
            &[("transfer-encoding", "Chunked")],
        ] {
            assert!(is_framed_once(&headers(list)), "{list:?}");
        }
        for list in [
            &[("content-length", "5"), ("transfer-encoding", "chunked")][..],
            &[("content-length", "5"), ("content-length", "5")],
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked"),
            ],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "identity")],
            &[("host", "a"), ("host", "b")],
        ] {
            assert!(!is_framed_once(&headers(list)), "{list:?}");
        }
    }

    #[test]
    fn names_and_values_count_and_so_does_their_number() {
        assert_eq!(size(&headers(&[("a", "bc"), ("de", "")])), Some(5));
        let many = |count| {
            let mut headers = HeaderMap::new();
            for _ in 0..count {
                headers.append("a", header::HeaderValue::from_static("b"));
            }
            size(&headers)
        };
        assert_eq!(many(MAX_HEADERS), Some(2 * MAX_HEADERS));
        assert_eq!(many(MAX_HEADERS + 1), None);
    }
}
