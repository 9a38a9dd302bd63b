//! Bodies: what the client sends, and what the guest answers.

use super::client::Presence;
use crate::sandbox::outcome::{Outcome, PluginError};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error, WasiBody};

/// A client's body, of which the guest sees no more than `max_bytes`.
pub(super) fn request_body<B>(body: B, max_bytes: u64) -> WasiBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Limited::new(body, usize::try_from(max_bytes).unwrap_or(usize::MAX))
        .map_err(move |error| match error.downcast::<LengthLimitError>() {
            Ok(_) => Error::HttpRequestBodySize(Some(max_bytes)),
            Err(_) => Error::HttpProtocolError,
        })
        .boxed_unsync()
}

/// How the guest ended, told before what it holds is dropped.
pub(super) type Ending = oneshot::Receiver<Result<(), PluginError>>;

/// The body of an answer, as the guest writes it.
///
/// It ends with an error if the guest ends with one before it has finished the body,
/// if the body is longer than [`RouteLimits::response_bytes`](super::RouteLimits), or
/// at the deadline. Dropping it before its end stops the guest.
pub struct RouteBody {
    inner: Option<HyperOutgoingBody>,
    presence: Presence,
    ending: Ending,
    max_bytes: u64,
    bytes_left: u64,
    /// Bytes that the client still expects, if it was told how many there are.
    missing: Option<u64>,
    is_over: bool,
}

impl fmt::Debug for RouteBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteBody")
            .field("bytes_left", &self.bytes_left)
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

impl RouteBody {
    /// `missing` is what the head says of the length.
    pub(super) fn new(
        inner: HyperOutgoingBody,
        presence: Presence,
        ending: Ending,
        max_bytes: u64,
        missing: Option<u64>,
    ) -> Self {
        RouteBody {
            inner: Some(inner),
            presence,
            ending,
            max_bytes,
            bytes_left: max_bytes,
            missing,
            is_over: false,
        }
    }

    fn end(&mut self) -> Result<(), PluginError> {
        // The body of a guest that trapped looks complete: nobody is left to say
        // that it is not. How the guest ended is known by then; if nothing is, it
        // has finished the body and goes on.
        let ending = match self.ending.try_recv() {
            Ok(ending) => ending,
            Err(oneshot::error::TryRecvError::Empty) => Ok(()),
            Err(oneshot::error::TryRecvError::Closed) => {
                Err(PluginError::new(Outcome::HostError, "the call was lost"))
            }
        };
        self.presence.is_satisfied();
        ending
    }

    fn next(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, PluginError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.missing = self.missing.map(|missing| missing.saturating_sub(length));
        let Some(left) = self.bytes_left.checked_sub(length) else {
            let message = format!("an answer of more than {} bytes", self.max_bytes);
            let error = PluginError::new(Outcome::InvalidOutput, message);
            self.presence.refuse(error.clone());
            return Err(error);
        };
        self.bytes_left = left;
        Ok(frame)
    }
}

impl Body for RouteBody {
    type Data = Bytes;
    type Error = PluginError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PluginError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // Before: what is taken wakes the guest, which looks at once.
        self.presence.take();
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) else {
            self.presence.wait();
            return Poll::Pending;
        };
        let next = match frame {
            Some(Ok(frame)) => Some(self.next(frame)),
            Some(Err(_)) => {
                let ended = self.end();
                let given_up = "it gave its answer up, or did not write what it had announced";
                let error = PluginError::new(Outcome::GuestError, given_up);
                Some(Err(ended.err().unwrap_or(error)))
            }
            None => self.end().err().map(Err),
        };
        self.is_over = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RouteBody {
    fn drop(&mut self) {
        // A server stops asking when it has what was announced. The guest is not to
        // take that for a client that has gone.
        if self.missing != Some(0) || self.is_over {
            return;
        }
        self.presence.is_satisfied();
        if let (Some(mut inner), Ok(runtime)) = (self.inner.take(), Handle::try_current()) {
            runtime.spawn(async move { while let Some(Ok(_)) = inner.frame().await {} });
        }
    }
}
