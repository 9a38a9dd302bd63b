//! The ways in which the service may fail, on demand.

use crate::peer;
use crate::refusal::Refusal;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::io::ReaderStream;

/// All routes, in [`Fault::route`].
pub(crate) const ANY_ROUTE: &str = "*";

/// How much a `huge` answer may be, in bytes.
const HUGE_BYTES: u64 = 1 << 30;

/// Bytes in one piece of a `huge` answer.
const PIECE_BYTES: usize = 64 << 10;

/// What is done to requests that match. A request takes the first fault of the list
/// that matches and has times left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A route of the service, as in `/upload-commit`, or `*` for each of them.
    pub route: String,
    /// Only requests about this validator: by their body, or else by who sends them.
    #[serde(default)]
    pub validator_uid: Option<i64>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// The status of [`FaultKind::Status`], 400 to 599. Default 503.
    #[serde(default = "default_status")]
    pub status: u16,
    /// How many requests it is for; none for all that come. Default none.
    #[serde(default)]
    pub times: Option<u64>,
    /// How long the answer is held back, in milliseconds. Default 0.
    #[serde(default)]
    pub delay_ms: u64,
    /// The request takes effect, and only its answer is lost. Default false; always
    /// so for [`FaultKind::Truncate`] and [`FaultKind::Slow`]. Without it, the
    /// signature is not looked at.
    #[serde(default)]
    pub applied: bool,
}

/// What a client sees of a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A status, with a JSON body.
    Status,
    /// Nothing, until the client goes.
    Hang,
    /// The connection ends without a byte.
    Close,
    /// Status 200, and text that is no JSON.
    Garbage,
    /// The first half of the answer, under the length of the whole.
    Truncate,
    /// Status 200, and JSON that goes on for 1 GiB.
    Huge,
    /// The answer, after the delay.
    Slow,
}

/// Why a fault is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// It would never come to pass.
    #[error("there is no route {0}")]
    UnknownRoute(String),
    /// It is no error.
    #[error("status {0} is not between 400 and 599")]
    Status(u16),
}

fn default_status() -> u16 {
    503
}

impl Fault {
    /// A fault of all requests to a route, `*` for all routes, with every default.
    pub fn new(route: impl Into<String>, kind: FaultKind) -> Self {
        Fault {
            route: route.into(),
            validator_uid: None,
            kind,
            status: default_status(),
            times: None,
            delay_ms: 0,
            applied: false,
        }
    }

    /// The same, for only so many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, only for requests about one validator.
    #[must_use]
    pub fn of_validator(mut self, validator_uid: i64) -> Self {
        self.validator_uid = Some(validator_uid);
        self
    }

    pub(crate) fn check(&self) -> Result<(), FaultError> {
        let known = peer::ROUTES.iter().any(|route| route.path == self.route);
        if self.route != ANY_ROUTE && !known {
            return Err(FaultError::UnknownRoute(self.route.clone()));
        }
        if !(400..600).contains(&self.status) {
            return Err(FaultError::Status(self.status));
        }
        Ok(())
    }

    fn matches(&self, route: &str, validator_uid: Option<i64>) -> bool {
        (self.route == ANY_ROUTE || self.route == route)
            && (self.validator_uid.is_none() || self.validator_uid == validator_uid)
            && self.times != Some(0)
    }

    /// Whether the request is answered as it would be without the fault.
    pub(crate) fn takes_effect(&self) -> bool {
        self.applied || matches!(self.kind, FaultKind::Truncate | FaultKind::Slow)
    }

    /// What the request is counted as.
    pub(crate) fn label(&self, answer: Option<&Response>) -> String {
        match (self.kind, answer) {
            (FaultKind::Status, _) => self.status.to_string(),
            (FaultKind::Slow, Some(answer)) => answer.status().as_u16().to_string(),
            (kind, _) => kind.name().to_owned(),
        }
    }

    /// What the client gets, given the answer of a request that took effect.
    pub(crate) async fn spoil(self, answer: Option<Response>) -> Response {
        if self.kind == FaultKind::Hang {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        let answer = answer.unwrap_or_default();
        match self.kind {
            FaultKind::Hang | FaultKind::Close => cut_off(Bytes::new()).into_response(),
            FaultKind::Status => {
                let status = StatusCode::from_u16(self.status);
                let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                Refusal::new(status, "a fault that was asked for").into_response()
            }
            FaultKind::Garbage => "<html>the service is having a rest</html>".into_response(),
            FaultKind::Truncate => truncate(answer).await,
            FaultKind::Huge => {
                let reader = r#"{"data": ""#
                    .as_bytes()
                    .chain(tokio::io::repeat(b'x').take(HUGE_BYTES));
                let stream = ReaderStream::with_capacity(reader, PIECE_BYTES);
                let json = (header::CONTENT_TYPE, "application/json");
                ([json], Body::from_stream(stream)).into_response()
            }
            FaultKind::Slow => answer,
        }
    }
}

impl FaultKind {
    fn name(self) -> &'static str {
        match self {
            FaultKind::Status => "status",
            FaultKind::Hang => "hang",
            FaultKind::Close => "close",
            FaultKind::Garbage => "garbage",
            FaultKind::Truncate => "truncate",
            FaultKind::Huge => "huge",
            FaultKind::Slow => "slow",
        }
    }
}

/// The fault that a request takes, which is one time less then.
pub(crate) fn take(faults: &mut [Fault], route: &str, validator_uid: Option<i64>) -> Option<Fault> {
    let fault = faults
        .iter_mut()
        .find(|fault| fault.matches(route, validator_uid))?;
    if let Some(times) = &mut fault.times {
        *times -= 1;
    }
    Some(fault.clone())
}

async fn truncate(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    // It is the fake's own, and in memory already.
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let length = HeaderValue::from(whole.len());
    parts.headers.insert(header::CONTENT_LENGTH, length);
    let half = whole.slice(..whole.len() / 2);
    Response::from_parts(parts, cut_off(half))
}

/// A body after which the connection ends. If it is empty nothing is sent at all,
/// not even the head, as that is still in hyper's buffer by then.
fn cut_off(rest: Bytes) -> Body {
    let flushed = rest.is_empty();
    Body::from_stream(ReaderStream::new(CutOff { rest, flushed }))
}

struct CutOff {
    rest: Bytes,
    flushed: bool,
}

impl AsyncRead for CutOff {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.rest.is_empty() {
            let length = self.rest.len().min(buffer.remaining());
            buffer.put_slice(&self.rest.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if !self.flushed {
            // hyper sends what it has when there is nothing more for the moment.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}
