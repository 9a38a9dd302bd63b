//! A listener that tells metrics and nothing else, for commands that are no host.

use super::idle::Patient;
use super::listen::with_peers;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Time for a request and its answer, and for which a connection stays open between two.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that are open at a time.
const CONNECTIONS: usize = 64;

/// Answers `GET /metrics` with what `encode` makes, in the OpenMetrics text format, and
/// `GET /livez` with `ok`, until `stop` is cancelled.
///
/// # Errors
///
/// That of a listener that failed.
pub async fn listen_for_metrics(
    listener: TcpListener,
    encode: impl Fn() -> String + Send + Sync + 'static,
    stop: CancellationToken,
) -> io::Result<()> {
    let encode = Arc::new(encode);
    let metrics = async move || {
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, content_type)], encode())
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get("ok"));
    let listener = Patient::new(listener, PATIENCE, CONNECTIONS);
    axum::serve(listener, with_peers(router))
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
}
