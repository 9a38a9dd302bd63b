//! Bodies on their way between a client and a challenge.

use super::Held;
use crate::sandbox::{PluginError, RouteBody};
use axum::body::{Body, Bytes, HttpBody};
use http_body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// The body of a request without what may come after it: trailers are headers as well,
/// which nobody has looked at.
pub(super) fn without_trailers(body: Body) -> Body {
    Body::from_stream(body.into_data_stream())
}

/// The body of a challenge's answer, with all that its request takes.
pub(super) struct Answer {
    body: RouteBody,
    /// Ends it, if it would not end by itself.
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    _held: Arc<Held>,
}

impl Answer {
    pub(super) fn new(
        body: RouteBody,
        stop: Option<WaitForCancellationFutureOwned>,
        held: Arc<Held>,
    ) -> Self {
        Answer {
            body,
            stop: stop.map(Box::pin),
            _held: held,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = PluginError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PluginError>>> {
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {}
                other => return other,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
