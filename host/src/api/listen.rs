//! The two listeners.

use super::routers;
use crate::scoring::Pipeline;
use std::io;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers requests on both listeners until `stop` is cancelled; then open
/// requests may end.
///
/// # Errors
///
/// That of a listener that failed.
pub async fn listen(
    public: TcpListener,
    admin: TcpListener,
    pipeline: &Pipeline,
    stop: &CancellationToken,
) -> io::Result<()> {
    let (public_router, admin_router) = routers(pipeline);
    let signal = |stop: CancellationToken| async move { stop.cancelled().await };
    let public = axum::serve(public, public_router).with_graceful_shutdown(signal(stop.clone()));
    let admin = axum::serve(admin, admin_router).with_graceful_shutdown(signal(stop.clone()));
    tokio::try_join!(public.into_future(), admin.into_future())?;
    Ok(())
}
