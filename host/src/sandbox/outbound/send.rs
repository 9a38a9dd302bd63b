//! One request over a connection of its own.

use super::rule::Target;
use super::tls;
use super::{CHUNK, Sent};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// Until the connection is there, if the guest does not say: names, TCP and TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// Until the answer begins, and from one piece of it to the next, if the guest does
/// not say. The call's own deadline ends everything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request to where `addresses` finds the target.
pub(super) async fn send(
    mut request: http::Request<WasiBody>,
    target: &Target,
    addresses: impl Future<Output = Result<Vec<SocketAddr>, Error>>,
    options: RequestOptions,
    max_bytes: u64,
    place: OwnedSemaphorePermit,
) -> Sent {
    let connecting = async { connect(target, &addresses.await?).await };
    let connected = timeout(options.connect_timeout.unwrap_or(CONNECT), connecting).await;
    let stream = connected.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(CHUNK)
        .handshake(TokioIo::new(stream))
        .await?;
    // Its end is of no interest, errors are in the answer; it is gone with the answer.
    let driver = wasmtime_wasi::runtime::spawn(async move {
        let _ = connection.await;
        drop(place);
    });
    // A proxy would be told the whole URI.
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let patience = options.first_byte_timeout.unwrap_or(PATIENCE);
    let response = timeout(patience, sender.send_request(request)).await;
    let response = response.map_err(|_| Error::HttpResponseTimeout)??;
    let body = |inner| {
        let between = options.between_bytes_timeout.unwrap_or(PATIENCE);
        let body = AnswerBody {
            inner,
            bytes_left: max_bytes,
            max_bytes,
            between,
            timer: Box::pin(sleep(between)),
            is_waiting: false,
        };
        body.boxed_unsync()
    };
    let driven = async {
        driver.await;
        Ok(())
    };
    Ok((response.map(body), Box::new(driven)))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(target: &Target, addresses: &[SocketAddr]) -> Result<Box<dyn Stream>, Error> {
    let tcp = connect_tcp(addresses).await.map_err(Error::Connect)?;
    if !target.tls {
        return Ok(Box::new(tcp));
    }
    let connector = tls::connector().await.map_err(|error| {
        tracing::error!(%error, "challenges cannot send requests over TLS");
        Error::ConfigurationError
    })?;
    let name = ServerName::try_from(target.host.clone());
    let name = name.map_err(|_| Error::HttpRequestUriInvalid)?;
    let stream = connector.connect(name, tcp).await.map_err(Error::Tls)?;
    Ok(Box::new(stream))
}

/// Connects to the first of the addresses that answers.
async fn connect_tcp(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The body of an answer, bounded in size and in the time between two pieces.
struct AnswerBody {
    inner: Incoming,
    bytes_left: u64,
    max_bytes: u64,
    between: Duration,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer runs: not while the guest takes its time.
    is_waiting: bool,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            if !self.is_waiting {
                let until = Instant::now() + self.between;
                self.timer.as_mut().reset(until);
                self.is_waiting = true;
            }
            ready!(self.timer.as_mut().poll(context));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        };
        self.is_waiting = false;
        let Some(frame) = frame.transpose()? else {
            return Poll::Ready(None);
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.bytes_left.checked_sub(length) {
            Some(left) => self.bytes_left = left,
            None => {
                let error = Error::HttpResponseBodySize(Some(self.max_bytes));
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
