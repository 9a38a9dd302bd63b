//! The two listeners.

use super::admin::{Protection, Tls};
use super::idle::Patient;
use super::waiting::{Seat, Until};
use super::{Tasks, routers, routes};
use crate::registry::Registry;
use crate::scoring::Pipeline;
use axum::Router;
use axum::extract::connect_info::{Connected, IntoMakeServiceWithConnectInfo};
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::serve::IncomingStream;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Time for the head of a request, and for which a connection stays open between
/// two of them.
const IDLE: Duration = Duration::from_secs(60);

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The address that the connection came from.
    pub(super) address: SocketAddr,
    /// The connection, for whoever answers on it.
    pub(super) seat: Seat,
}

impl Connected<IncomingStream<'_, Patient>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Patient>) -> Self {
        Peer {
            address: *stream.remote_addr(),
            seat: stream.io().seat().clone(),
        }
    }
}

impl Connected<IncomingStream<'_, Tls<Patient>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Tls<Patient>>) -> Self {
        Peer {
            address: *stream.remote_addr(),
            seat: stream.io().get_ref().0.seat().clone(),
        }
    }
}

/// A router that knows who asks: each request has the [`ConnectInfo`] of a [`Peer`] and
/// of its address.
pub(super) fn with_peers(router: Router) -> IntoMakeServiceWithConnectInfo<Router, Peer> {
    let router = router.layer(from_fn(answer));
    router.into_make_service_with_connect_info()
}

/// Until its answer is sent, the connection of a request does not wait for one.
async fn answer(mut request: Request, next: Next) -> Response {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>().cloned() else {
        return next.run(request).await;
    };
    let busy = peer.seat.busy();
    request.extensions_mut().insert(ConnectInfo(peer.address));
    let answer = next.run(request).await;
    answer.map(|body| Until::sent(body, busy))
}

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
    registry: &Registry,
    tasks: &Tasks,
    mut protection: Protection,
    stop: &CancellationToken,
) -> io::Result<()> {
    let (public_router, admin_router) = routers(pipeline, registry, tasks, &protection, stop);
    let config = &pipeline.config.public;
    let patience = IDLE + Duration::from_millis(config.timeout_ms);
    // Beside those that are answered, as many may wait to ask.
    let connections = config
        .max_requests
        .saturating_mul(2)
        .saturating_add(config.max_streams);
    let patient = |listener| Patient::new(listener, patience, connections);
    let signal = |stop: CancellationToken| async move { stop.cancelled().await };
    let public_router = public_router.merge(routes::router(pipeline, registry, tasks, stop));
    let public = axum::serve(patient(public), with_peers(public_router))
        .with_graceful_shutdown(signal(stop.clone()));
    let (admin, admin_service) = (patient(admin), with_peers(admin_router));
    let admin = async {
        match protection.take_certificate() {
            Some(certificate) => {
                axum::serve(Tls::new(admin, certificate), admin_service)
                    .with_graceful_shutdown(signal(stop.clone()))
                    .await
            }
            None => {
                axum::serve(admin, admin_service)
                    .with_graceful_shutdown(signal(stop.clone()))
                    .await
            }
        }
    };
    tokio::try_join!(public.into_future(), admin)?;
    Ok(())
}
