//! The two listeners.

use super::idle::Patient;
use super::routers;
use crate::scoring::Pipeline;
use crate::storage::PollState;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Time for the head of a request, and for which a connection stays open between
/// two of them.
const IDLE: Duration = Duration::from_secs(60);

/// Answers requests on both listeners until `stop` is cancelled; then open
/// requests may end, and streams of events do.
///
/// # Errors
///
/// That of a listener that failed.
pub async fn listen(
    public: TcpListener,
    admin: TcpListener,
    pipeline: &Pipeline,
    polls: &PollState,
    stop: &CancellationToken,
) -> io::Result<()> {
    let (public_router, admin_router) = routers(pipeline, polls, stop);
    let config = &pipeline.config.public;
    let patience = IDLE + Duration::from_millis(config.timeout_ms);
    // Beside those that are answered, as many may wait to ask.
    let connections = config
        .max_requests
        .saturating_mul(2)
        .saturating_add(config.max_streams);
    let patient = |listener| Patient::new(listener, patience, connections);
    let signal = |stop: CancellationToken| async move { stop.cancelled().await };
    let public =
        axum::serve(patient(public), public_router).with_graceful_shutdown(signal(stop.clone()));
    let admin =
        axum::serve(patient(admin), admin_router).with_graceful_shutdown(signal(stop.clone()));
    tokio::try_join!(public.into_future(), admin.into_future())?;
    Ok(())
}
