//! A POST that is sent again, because its answer was lost, is not done again: with an
//! `Idempotency-Key` it is answered what it was answered the first time.

use super::super::problem::Problem;
use super::auth::Actor;
use crate::clock;
use crate::registry::Seal;
use crate::store::Store;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Most characters of a key.
const MAX_KEY: usize = 255;

/// Largest answer that is kept, in bytes. Those of the routes it is for are smaller.
const MAX_ANSWER: usize = 1 << 20;

/// Seconds for which answers are kept.
const KEPT_S: f64 = 86_400.0;

/// Headers of an answer that are kept.
const HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// Where large bodies go. What is added there is called by its digest, so that adding
/// it twice is adding it once.
const COMPONENTS: &str = "/v1/admin/components";

/// Who asks, and the key.
type Name = (String, String);

/// The answers, sealed in the database, and what is being answered just now.
#[derive(Debug)]
pub(in crate::api) struct Idempotency {
    store: Store,
    seal: Seal,
    /// Digest of each request.
    pending: Mutex<HashMap<Name, String>>,
}

/// That a request is being answered. Ends when dropped.
struct Pending {
    all: Arc<Idempotency>,
    name: Name,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let pending = self.all.pending.lock();
        pending
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// When it was given, in seconds since the Unix epoch.
    at: f64,
    headers: Vec<(String, String)>,
    body: String,
}

/// Answers a POST under `/v1/admin` that has a key once. The handler runs to its end
/// even if the client does not wait for it.
///
/// Answers 400 `invalid_idempotency_key`, 422 `idempotency_key_reused` if the key was
/// another request's, 409 `in_progress` while that is being answered. What failed by
/// the host's fault may be tried again, and is not kept. Costs the body in memory.
pub(in crate::api) async fn once(
    State(idempotency): State<Arc<Idempotency>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let counts = request.method() == Method::POST
        && path.starts_with("/v1/admin/")
        && path != COMPONENTS
        && request.headers().contains_key(KEY);
    if !counts {
        return next.run(request).await;
    }
    let answer = idempotency.answer(request, next).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

impl Idempotency {
    pub(in crate::api) fn new(store: Store, seal: Seal) -> Self {
        Idempotency {
            store,
            seal,
            pending: Mutex::default(),
        }
    }

    async fn answer(self: Arc<Self>, request: Request, next: Next) -> Result<Response, Problem> {
        let key = key(request.headers())?;
        let (parts, body) = request.into_parts();
        let actor = parts.extensions.get::<Actor>();
        // Nobody comes here without a token.
        let actor = actor.map(|actor| actor.0.clone()).unwrap_or_default();
        let body = read(&parts, body).await?;
        let digest = digest(&parts, &body);
        let pending = Arc::clone(&self).begin((actor, key), &digest)?;
        if let Some(answer) = self.kept(&pending.name, &digest).await? {
            return Ok(answer);
        }
        let request = Request::from_parts(parts, Body::from(body));
        let answered = tokio::spawn(async move {
            let answer = next.run(request).await;
            // It is pending until its answer is kept.
            pending.all.keep(&pending.name, digest, answer).await
        });
        match answered
            .await
            .map_err(tokio::task::JoinError::try_into_panic)
        {
            Ok(answer) => Ok(answer),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => Ok(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        }
    }

    fn begin(self: Arc<Self>, name: Name, digest: &str) -> Result<Pending, Problem> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.entry(name.clone()) {
            Entry::Occupied(other) if other.get() != digest => return Err(reused()),
            Entry::Occupied(_) => {
                let detail = "the first request with this key is not answered yet";
                return Err(Problem::conflict("in_progress", detail)
                    .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")));
            }
            Entry::Vacant(place) => place.insert(digest.to_owned()),
        };
        drop(pending);
        Ok(Pending { all: self, name })
    }

    /// What was answered before; none if nothing was, or too long ago.
    async fn kept(&self, name: &Name, digest: &str) -> Result<Option<Response>, Problem> {
        let (actor, key) = name.clone();
        let Some((request, status, sealed)) = self.store.idempotent(actor, key).await? else {
            return Ok(None);
        };
        let clear = self.seal.unseal(&context(name), &sealed);
        let answer = clear.and_then(|clear| serde_json::from_slice::<Answer>(&clear).ok());
        let Some(answer) = answer else {
            // The sealing key is another one now.
            let detail = "a request with this key was answered, but the answer cannot be read";
            return Err(Problem::conflict("answer_lost", detail));
        };
        if clock::unix_now() - answer.at >= KEPT_S {
            return Ok(None);
        }
        if request != digest {
            return Err(reused());
        }
        Ok(Some(answer.replay(status)))
    }

    /// Keeps an answer, and returns it.
    async fn keep(&self, name: &Name, digest: String, answer: Response) -> Response {
        let status = answer.status();
        let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        let lasts = status.is_success() || status.is_client_error() && !passes.contains(&status);
        let size = HttpBody::size_hint(answer.body()).upper();
        if !lasts || size.is_none_or(|size| size > MAX_ANSWER as u64) {
            return answer;
        }
        let (parts, body) = answer.into_parts();
        let Ok(body) = to_bytes(body, MAX_ANSWER).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let now = clock::unix_now();
        if let Some(clear) = Answer::clear(now, &parts.headers, &body) {
            let kept = match self.seal.seal(&context(name), &clear) {
                Ok(sealed) => {
                    let answer = (status.as_u16(), sealed);
                    let forget = now - KEPT_S;
                    let kept = self
                        .store
                        .keep_answer(name.clone(), digest, answer, now, forget);
                    kept.await.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = kept {
                // What was asked for is done; asked again, it would be done again.
                tracing::error!(error, "an answer is not kept for its idempotency key");
            }
        }
        Response::from_parts(parts, Body::from(body))
    }
}

impl Answer {
    fn clear(at: f64, headers: &HeaderMap, body: &Bytes) -> Option<Vec<u8>> {
        let headers = HEADERS.iter().filter_map(|name| {
            let value = headers.get(name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        });
        let answer = Answer {
            at,
            headers: headers.collect(),
            body: String::from_utf8(body.to_vec()).ok()?,
        };
        serde_json::to_vec(&answer).ok()
    }

    fn replay(self, status: u16) -> Response {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body).into_response();
        // Text is not what it is.
        response.headers_mut().remove(header::CONTENT_TYPE);
        for (name, value) in self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, replayed);
        response
    }
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let (first, second) = (values.next(), values.next());
    let key = first
        .filter(|_| second.is_none())
        .map(HeaderValue::as_bytes);
    let visible =
        |key: &&[u8]| (1..=MAX_KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    let key = key
        .filter(visible)
        .and_then(|key| std::str::from_utf8(key).ok());
    key.map(str::to_owned).ok_or_else(|| {
        let detail = "an Idempotency-Key is 1 to 255 visible ASCII characters, once";
        Problem::bad_request("invalid_idempotency_key", detail)
    })
}

/// The body, within the limit of all routes.
async fn read(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    let mut request = Request::new(body);
    request.extensions_mut().clone_from(&parts.extensions);
    Bytes::from_request(request, &())
        .await
        .map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))
}

/// What a request asks for, SHA-256.
fn digest(parts: &Parts, body: &Bytes) -> String {
    let query = parts.uri.query().unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [parts.method.as_str(), parts.uri.path(), query] {
        // With its length, so that nothing can move from one to the next.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(body);
    hex::encode(hash.finalize())
}

fn context((actor, key): &Name) -> String {
    // No actor's name has a space.
    format!("idempotency {actor} {key}")
}

fn reused() -> Problem {
    let detail = "another request had this Idempotency-Key";
    Problem::unprocessable("idempotency_key_reused", detail)
}

#[cfg(test)]
mod tests;
