//! Signed requests to the storage service.

use crate::chain::{Hotkey, signed};
use crate::clock;
use crate::config::Storage;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Why the service has not done what it was asked. Nothing of a request's body or
/// signature is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no address, or no client can be made.
    #[error("the storage service cannot be used: {0}")]
    Config(String),
    /// There is no connection, or it ended before an answer.
    #[error("the storage service cannot be reached: {0}")]
    Unreachable(String),
    /// It took longer than `storage.timeout_ms`.
    #[error("the storage service did not answer in time")]
    Timeout,
    /// The answer broke off.
    #[error("the storage service's answer broke off: {0}")]
    Interrupted(String),
    /// It answered with a status that is no success.
    #[error("the storage service answered {status}{detail}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What it says of the reason, after `: `; may be empty.
        detail: String,
    },
    /// The answer is larger than `storage.max_answer_bytes`.
    #[error("the storage service's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is not what was asked for.
    #[error("the storage service's answer is not understood: {0}")]
    Malformed(String),
}

impl StorageError {
    /// The stable name.
    pub fn code(&self) -> &'static str {
        match self {
            StorageError::Config(_) => "config",
            StorageError::Unreachable(_) => "unreachable",
            StorageError::Timeout => "timeout",
            StorageError::Interrupted(_) => "interrupted",
            StorageError::Status { .. } => "status",
            StorageError::TooLarge(_) => "too_large",
            StorageError::Malformed(_) => "malformed",
        }
    }

    /// Whether the service said no to this very request: sending the same again
    /// will hardly help. So are all of 4xx but those that say "later", and those
    /// that say "not you" or "not here", which is not about what is sent.
    pub fn is_refusal(&self) -> bool {
        matches!(self, StorageError::Status { status, .. }
            if (400..500).contains(status) && !matches!(status, 401 | 403 | 404 | 408 | 425 | 429))
    }
}

/// A successful answer: 2xx, or 304 to a request that allowed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The body, as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`StorageError::Malformed`].
    pub fn json(&self) -> Result<Value, StorageError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| StorageError::Malformed(error.to_string()))
    }
}

/// Asks the storage service, as one hotkey. Clones share everything.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base: String,
    hotkey: Hotkey,
    uid: i32,
    max_answer_bytes: usize,
    last_ns: AtomicU64,
}

impl fmt::Debug for Client {
    /// Without the address, which may have a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("hotkey", &self.0.hotkey.address())
            .field("uid", &self.0.uid)
            .finish_non_exhaustive()
    }
}

/// Of an answer that is no success, so much is read.
const MAX_REFUSAL_BYTES: usize = 64 << 10;

impl Client {
    /// A client that signs with `hotkey`; `uid` is -1 if it is not registered.
    /// Connects to nobody yet.
    ///
    /// # Errors
    ///
    /// [`StorageError::Config`], also if there is no `storage.url`.
    pub fn new(config: &Storage, hotkey: Hotkey, uid: i32) -> Result<Self, StorageError> {
        let none = || StorageError::Config("storage.url is not set".into());
        let base = config.url.as_deref().ok_or_else(none)?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let http = reqwest::Client::builder()
            .connect_timeout(timeout)
            .timeout(timeout)
            // A signature must not follow to another address.
            .redirect(Policy::none())
            .build()
            .map_err(|error| StorageError::Config(with_causes(&error.without_url())))?;
        Ok(Client(Arc::new(Inner {
            http,
            base: base.trim_end_matches('/').to_owned(),
            hotkey,
            uid,
            max_answer_bytes: config.max_answer_bytes,
            last_ns: AtomicU64::new(0),
        })))
    }

    /// The address of the hotkey that signs.
    pub fn hotkey(&self) -> &str {
        self.0.hotkey.address()
    }

    /// The uid that requests say they are from.
    pub fn uid(&self) -> i32 {
        self.0.uid
    }

    /// Sends `body`, JSON, signed as these bytes, to `route`, as in
    /// `/upload-commit`. With `if_none_match`, an ETag, the answer may be 304 and
    /// empty. Holds at most `storage.max_answer_bytes`, and takes at most
    /// `storage.timeout_ms`.
    ///
    /// # Errors
    ///
    /// See [`StorageError`]; [`StorageError::Status`] for every status that is
    /// neither a success nor the 304 that was asked for.
    pub async fn post(
        &self,
        route: &str,
        body: Vec<u8>,
        if_none_match: Option<&str>,
    ) -> Result<Answer, StorageError> {
        let inner = &*self.0;
        let mut request = inner
            .http
            .post(format!("{}{route}", inner.base))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in signed::sign(&inner.hotkey, inner.uid, &body, inner.timestamp()) {
            request = request.header(name, value);
        }
        if let Some(tag) = if_none_match {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.body(body).send().await.map_err(unanswered)?;
        let status = response.status();
        let known = status == StatusCode::NOT_MODIFIED && if_none_match.is_some();
        if !status.is_success() && !known {
            let status = status.as_u16();
            let read = read(response, MAX_REFUSAL_BYTES).await;
            let detail = detail(&read.unwrap_or_default());
            return Err(StorageError::Status { status, detail });
        }
        let etag = response.headers().get(ETAG);
        Ok(Answer {
            status: status.as_u16(),
            etag: etag.and_then(|tag| Some(tag.to_str().ok()?.to_owned())),
            body: read(response, inner.max_answer_bytes).await?,
        })
    }
}

impl Inner {
    /// The time, but never twice the same: a service that takes each signed request
    /// only once knows it by its time.
    fn timestamp(&self) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        let now = clock::unix_now_ns();
        let next = |last: u64| {
            // A clock that was set back is believed, or nothing would be fresh.
            let is_close = now <= last && last - now < SECOND;
            if is_close { last + 1 } else { now }
        };
        let last = self
            .last_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            });
        next(last.unwrap_or_default())
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, StorageError> {
    let announced = response.content_length().unwrap_or_default();
    if announced > limit as u64 {
        return Err(StorageError::TooLarge(limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
        if body.len() + chunk.len() > limit {
            return Err(StorageError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unanswered(error: reqwest::Error) -> StorageError {
    if error.is_timeout() {
        return StorageError::Timeout;
    }
    StorageError::Unreachable(with_causes(&error.without_url()))
}

fn interrupted(error: reqwest::Error) -> StorageError {
    if error.is_timeout() {
        return StorageError::Timeout;
    }
    StorageError::Interrupted(with_causes(&error.without_url()))
}

/// What went wrong, and what it came from: of reqwest's errors only the last tells.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The reason that a service of this kind gives, as in `: scoring_results: too
/// many`. Not the rest of the answer, in which it may repeat what it was sent.
fn detail(body: &[u8]) -> String {
    const CHARACTERS: usize = 200;
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
    let detail = body.get("detail");
    let of_list = || {
        let first = detail?.as_array()?.first()?;
        let place = first.get("loc").and_then(Value::as_array);
        let place = place.and_then(|place| text(place.last()));
        let message = text(first.get("msg"))?;
        Some(place.map_or(message.clone(), |place| format!("{place}: {message}")))
    };
    let said = text(detail).or_else(of_list);
    let said = said.or_else(|| text(body.get("message")));
    let line = said.map(|said| {
        let line = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        format!(": {}", line.take(CHARACTERS).collect::<String>())
    });
    line.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        let config = Storage {
            url: Some(url.into()),
            ..Storage::default()
        };
        Client::new(&config, Hotkey::from_uri("//Alice").unwrap(), 3).unwrap()
    }

    #[test]
    fn a_refusal_is_about_this_very_request() {
        let status = |status| StorageError::Status {
            status,
            detail: String::new(),
        };
        for code in [400, 409, 413, 422] {
            assert!(status(code).is_refusal(), "{code}");
        }
        for code in [302, 304, 401, 403, 404, 408, 425, 429, 500, 503] {
            assert!(!status(code).is_refusal(), "{code}");
        }
        assert!(!StorageError::Timeout.is_refusal());
    }

    #[test]
    fn the_reason_is_told_and_what_was_sent_is_not() {
        let list = r#"{"detail": [{"type": "missing", "loc": ["body", "scoring_results"],
            "msg": "Field\nrequired", "input": {"key": "secret"}}]}"#;
        assert_eq!(detail(list.as_bytes()), ": scoring_results: Field required");
        assert_eq!(detail(br#"{"detail": "stale"}"#), ": stale");
        let long = serde_json::json!({"message": "x".repeat(1_000)}).to_string();
        assert_eq!(detail(long.as_bytes()).len(), 202);
        for nothing in ["", "<html>", "[]", "{}", r#"{"detail": [1]}"#] {
            assert_eq!(detail(nothing.as_bytes()), "", "{nothing}");
        }
    }

    #[test]
    fn no_two_requests_have_the_same_time() {
        let client = client("http://127.0.0.1");
        let times: std::collections::BTreeSet<u64> =
            (0..10_000).map(|_| client.0.timestamp()).collect();
        assert_eq!(times.len(), 10_000);
        // A clock that was set back by far.
        let future = clock::unix_now_ns() + 7_200_000_000_000;
        client.0.last_ns.store(future, Ordering::Relaxed);
        assert!(client.0.timestamp() < future);
    }

    #[test]
    fn a_client_shows_no_password() {
        let shown = format!("{:?}", client("http://user:password@127.0.0.1"));
        assert!(!shown.contains("password"), "{shown}");
    }

    #[tokio::test]
    async fn an_error_shows_no_password() {
        // Nobody listens at port 1.
        let client = client("http://user:password@127.0.0.1:1/");
        let error = client.post("/upload-commit", b"{}".to_vec(), None).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), "unreachable");
        assert!(
            !format!("{error} {error:?}").contains("password"),
            "{error}"
        );
    }
}
