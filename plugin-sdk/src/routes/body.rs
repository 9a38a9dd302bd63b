//! What is read of a request and written for an answer.

use crate::routes::{BodyWriter, Problem};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Cursor, Read};

/// A body that comes in: that of a request, or of the answer to a request of the
/// challenge's own ([`fetch`](super::fetch)). It is read as it comes, so that it
/// may be larger than memory.
pub struct IncomingBody(Box<dyn Read>);

impl IncomingBody {
    #[cfg(target_family = "wasm")]
    pub(crate) fn new(reader: impl Read + 'static) -> Self {
        IncomingBody(Box::new(reader))
    }

    /// Reads all of it.
    ///
    /// Errors: 413 if there are more than `limit` bytes, 400 if it ends early.
    pub fn bytes(self, limit: usize) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        self.0
            .take(more)
            .read_to_end(&mut bytes)
            .map_err(|e| bad_request("incomplete_body", format!("cannot read the body: {e}")))?;
        if bytes.len() > limit {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("the body may have {limit} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// Reads all of it as UTF-8.
    ///
    /// Errors: as [`bytes`](Self::bytes), and 400 if it is not UTF-8.
    pub fn text(self, limit: usize) -> Result<String, Problem> {
        String::from_utf8(self.bytes(limit)?)
            .map_err(|_| bad_request("malformed_body", "the body is not UTF-8"))
    }

    /// Reads all of it as JSON.
    ///
    /// Errors: as [`bytes`](Self::bytes), and 400, with the reason, if it is not
    /// JSON of that shape.
    pub fn json<T: DeserializeOwned>(self, limit: usize) -> Result<T, Problem> {
        serde_json::from_slice(&self.bytes(limit)?)
            .map_err(|e| bad_request("malformed_body", format!("cannot read the body: {e}")))
    }
}

fn bad_request(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, detail)
}

impl Read for IncomingBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl From<Vec<u8>> for IncomingBody {
    fn from(bytes: Vec<u8>) -> Self {
        IncomingBody(Box::new(Cursor::new(bytes)))
    }
}

impl std::fmt::Debug for IncomingBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingBody").finish_non_exhaustive()
    }
}

/// The body of an answer. It brings a `content-type`, which counts where the
/// response has none: bytes and [`stream`](Self::stream)s bring none, a text
/// brings `text/plain`.
pub struct Body {
    content: Content,
    content_type: Option<&'static str>,
}

/// What a body is made of.
pub(crate) enum Content {
    Bytes(Vec<u8>),
    Stream(Box<Write>),
}

type Write = dyn FnOnce(&mut BodyWriter<'_>) -> io::Result<()>;

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Vec::new().into()
    }

    /// JSON.
    ///
    /// Errors: 500 if the value cannot be written as JSON.
    pub fn json<T: Serialize>(value: &T) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(value).map_err(|e| Problem::internal(e.to_string()))?;
        Ok(Body {
            content: Content::Bytes(bytes),
            content_type: Some("application/json"),
        })
    }

    /// Bytes that are made while they are sent. `write` runs when status and
    /// headers are on their way. If it fails the client sees that the answer is not
    /// complete; the error is logged, unless it is that the client has gone.
    pub fn stream(write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + 'static) -> Self {
        Body {
            content: Content::Stream(Box::new(write)),
            content_type: None,
        }
    }

    /// Server-sent events: a [`stream`](Self::stream) of
    /// [`BodyWriter::event`]s.
    pub fn events(write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + 'static) -> Self {
        Body {
            content_type: Some("text/event-stream"),
            ..Body::stream(write)
        }
    }

    pub(crate) fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    pub(crate) fn into_content(self) -> Content {
        self.content
    }

    /// How many bytes there are, if that is known before they are sent.
    #[cfg(target_family = "wasm")]
    pub(crate) fn length(&self) -> Option<usize> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes.len()),
            Content::Stream(_) => None,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Body {
            content: Content::Bytes(bytes),
            content_type: None,
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Body {
            content_type: Some("text/plain; charset=utf-8"),
            ..text.into_bytes().into()
        }
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = match &self.content {
            Content::Bytes(bytes) => Some(bytes.len()),
            Content::Stream(_) => None,
        };
        f.debug_struct("Body").field("length", &length).finish()
    }
}
