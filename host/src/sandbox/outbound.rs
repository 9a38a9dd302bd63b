//! The import `wasi:http/outgoing-handler`: requests of a challenge's own routes, to
//! where the operator allows.
//!
//! A name is looked up once, all that it leads to is checked, and the connection goes
//! to what was checked: a name that means something else a moment later gains nothing.
//! Nothing is followed: an answer that redirects is an answer.

mod address;
mod rule;
mod send;
mod tls;

pub use address::is_public_address;
pub use rule::{OutboundRule, OutboundRuleError};

use super::journal::CallJournal;
use super::state::State;
use rule::Target;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView};

/// Where the routes of one challenge may send requests. Nowhere by default.
///
/// Kept for as long as the challenge is, and shared by its calls: it also bounds how
/// many names are looked up at a time, which outlast the calls that want to know.
#[derive(Debug)]
pub struct Outbound {
    rules: Vec<OutboundRule>,
    lookups: Arc<Semaphore>,
}

/// Names that a challenge looks up at a time. Each takes a thread of the host until
/// the resolver gives up.
const LOOKUPS: usize = 8;
/// Requests of one call at a time, until their answers are read.
const CONNECTIONS: usize = 8;
/// Bytes that a guest passes to a body at a time, and twice as many wait to be sent.
const CHUNK: usize = 64 << 10;
/// Refusals of one call that are noted in the journal.
const NOTES: usize = 8;

impl Default for Outbound {
    fn default() -> Self {
        Outbound::new([])
    }
}

impl Outbound {
    /// Allows what any of `rules` does.
    pub fn new(rules: impl IntoIterator<Item = OutboundRule>) -> Self {
        Outbound {
            rules: rules.into_iter().collect(),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// The addresses of a target that is allowed.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let addresses = match target.address() {
            Some(address) => vec![SocketAddr::new(address, target.port)],
            None => self.look_up(target).await?,
        };
        if addresses.is_empty() {
            return Err(Error::DestinationNotFound);
        }
        // One that is not public is reason enough: whoever controls the name could
        // have it chosen in some other way.
        let may = |address: &SocketAddr| {
            is_public_address(address.ip())
                || self
                    .rules
                    .iter()
                    .any(|rule| rule.names(target.tls, *address))
        };
        if addresses.iter().all(may) {
            Ok(addresses)
        } else {
            Err(Error::DestinationIpProhibited)
        }
    }

    async fn look_up(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let closed = |_| Error::InternalError(None);
        let place = Arc::clone(&self.lookups).acquire_owned().await;
        let place = place.map_err(closed)?;
        let (host, port) = (target.host.clone(), target.port);
        let found = spawn_blocking(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            // Only now: a look-up cannot be called off.
            drop(place);
            found.map(Vec::from_iter)
        });
        match found.await {
            Ok(Ok(found)) => Ok(found),
            _ => Err(Error::DnsError {
                rcode: None,
                info_code: None,
            }),
        }
    }
}

/// The requests of one call.
pub(super) struct Requests {
    outbound: Option<Arc<Outbound>>,
    max_bytes: u64,
    connections: Arc<Semaphore>,
    notes: Notes,
}

/// Tells the operator what was refused, of each call the first few times.
#[derive(Clone, Default)]
struct Notes {
    journal: Option<CallJournal>,
    written: Arc<AtomicUsize>,
}

impl Notes {
    fn refused(&self, uri: &http::Uri, error: &Error) {
        if let Some(journal) = &self.journal
            && self.written.fetch_add(1, Ordering::Relaxed) < NOTES
        {
            let scheme = uri.scheme_str().unwrap_or_default();
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            journal.note(&format!(
                "request to {scheme}://{authority} refused: {error}"
            ));
        }
    }
}

impl Default for Requests {
    /// All are refused.
    fn default() -> Self {
        Requests {
            outbound: None,
            max_bytes: 0,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            notes: Notes::default(),
        }
    }
}

impl Requests {
    /// Those of a route, whose answers may have `max_bytes` each.
    pub(super) fn new(
        outbound: Arc<Outbound>,
        max_bytes: u64,
        journal: Option<CallJournal>,
    ) -> Self {
        Requests {
            outbound: Some(outbound),
            max_bytes,
            notes: Notes {
                journal,
                ..Notes::default()
            },
            ..Requests::default()
        }
    }

    /// Whether a request may be sent, and a place for it.
    fn admit(
        &self,
        uri: &http::Uri,
        method: &http::Method,
    ) -> Result<(Arc<Outbound>, Target, OwnedSemaphorePermit), Error> {
        // A tunnel would carry anything.
        if method == http::Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let target = Target::of(uri).ok_or(Error::HttpRequestUriInvalid)?;
        let outbound = self.outbound.as_ref().ok_or(Error::HttpRequestDenied)?;
        if !outbound.rules.iter().any(|rule| rule.allows(&target)) {
            return Err(Error::HttpRequestDenied);
        }
        let place = Arc::clone(&self.connections).try_acquire_owned();
        let place = place.map_err(|_| Error::ConnectionLimitReached)?;
        Ok((Arc::clone(outbound), target, place))
    }
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let admitted = self.admit(request.uri(), request.method());
        let (max_bytes, notes) = (self.max_bytes, self.notes.clone());
        let options = options.unwrap_or_default();
        Box::new(async move {
            let uri = request.uri().clone();
            let sent = match admitted {
                Ok((outbound, target, place)) => {
                    let addresses = outbound.addresses(&target);
                    send::send(request, &target, addresses, options, max_bytes, place).await
                }
                Err(error) => Err(error),
            };
            if let Err(error @ (Error::HttpRequestDenied | Error::DestinationIpProhibited)) = &sent
            {
                notes.refused(&uri, error);
            }
            sent
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    // These would write to the host's log what a guest can bring about.

    fn p2_error_from_hyper(&mut self, _: &hyper::Error) -> ErrorCode {
        ErrorCode::HttpProtocolError
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
            _ => ErrorCode::DestinationUnavailable,
        }
    }

    fn p2_error_from_tls(&mut self, error: &std::io::Error) -> ErrorCode {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(tokio_rustls::rustls::Error::InvalidCertificate(_)) => {
                ErrorCode::TlsCertificateError
            }
            _ => ErrorCode::TlsProtocolError,
        }
    }
}

/// The import in calls that are scored: every request is refused, at once, and not
/// after as long as it takes for a task to run. That would not be the same in every
/// run.
pub(super) fn add_refusal(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker
        // Stands for every 0.2.
        .instance("wasi:http/outgoing-handler@0.2.0")?
        .func_wrap(
            "handle",
            |mut store: StoreContextMut<'_, State>, sent: Sending| {
                let (request, options) = sent;
                let table = store.data_mut().http().table;
                table.delete(request)?;
                if let Some(options) = options {
                    table.delete(options)?;
                }
                Ok((Err::<Resource<HostFutureIncomingResponse>, _>(
                    ErrorCode::HttpRequestDenied,
                ),))
            },
        )
}

type Sending = (
    Resource<HostOutgoingRequest>,
    Option<Resource<RequestOptions>>,
);
