//! Who may ask the private listener: whoever has one of the tokens in a file.

use super::super::problem::Problem;
use super::lockout::{Lockout, Refused};
use super::stamp::Stamp;
use crate::clock;
use crate::metrics::Metrics;
use crate::registry::write_private;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, fs};

/// Who has a token without a name.
const OPERATOR: &str = "operator";

const X_ADMIN_TOKEN: HeaderName = HeaderName::from_static("x-admin-token");

/// What anybody may ask. Whatever is added to the listener needs a token.
const FREE: [&str; 5] = ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"];

/// Largest file of tokens, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Fewest characters of a token: 16 random ones of base64 are 96 bits.
const MIN_TOKEN: usize = 16;

/// Most characters of a name.
const MAX_NAME: usize = 64;

/// Seconds between two warnings that all clients together fail too often.
const WARN_EVERY_S: f64 = 60.0;

/// Why the host does not start.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The file cannot be read, or not be made.
    #[error("admin.token_file: {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// Others may read the tokens.
    #[error("admin.token_file: {0} may be read by others: chmod 600")]
    Open(PathBuf),
    /// The system has no randomness.
    #[error("admin.token_file: the system gives no random numbers")]
    Random,
}

/// Who asks, by the name of the token: for the audit log. An argument of handlers
/// behind [`guard`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Actor(pub(in crate::api) String);

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let actor = parts.extensions.get::<Actor>().cloned();
        actor.ok_or_else(|| Refusal::NoToken.into())
    }
}

/// The tokens, and who failed to have one. Tokens are kept as keyed hashes.
pub(in crate::api) struct Gate {
    path: PathBuf,
    /// Of this process only: what it makes of a token is of no use elsewhere, and
    /// tells nothing about it by the time that a comparison takes.
    key: hmac::Key,
    tokens: Mutex<Tokens>,
    attempts: Mutex<Attempts>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Tokens {
    /// The file as it was read; none if it was not there.
    stamp: Option<Stamp>,
    /// Nobody, if the file cannot be used.
    hashes: Vec<(Actor, hmac::Tag)>,
}

struct Attempts {
    lockout: Lockout,
    warned_at: f64,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Refusal {
    NoToken,
    TwoTokens,
    /// The file has none that could be right.
    NoTokens,
    WrongToken,
    Unheard(Refused),
}

impl Refusal {
    /// For the metrics.
    fn code(self) -> &'static str {
        match self {
            Refusal::NoToken => "no_token",
            Refusal::TwoTokens => "two_tokens",
            Refusal::NoTokens => "no_tokens",
            Refusal::WrongToken => "wrong_token",
            Refusal::Unheard(Refused::Locked(_)) => "locked_out",
            Refusal::Unheard(Refused::Overall(_)) => "too_many",
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = match refusal {
            Refusal::NoToken => {
                "this listener wants a token: Authorization: Bearer, or X-Admin-Token"
            }
            Refusal::TwoTokens => "the request has two tokens",
            Refusal::NoTokens => "no token is taken now: the log says why",
            Refusal::WrongToken => "the token is wrong",
            Refusal::Unheard(Refused::Locked(_)) => {
                "too many wrong tokens from this address: none is looked at now"
            }
            Refusal::Unheard(Refused::Overall(_)) => {
                "too many wrong tokens: none from a new address is looked at now"
            }
        };
        if let Refusal::Unheard(refused) = refusal {
            let seconds = refused.retry_after_s();
            return Problem::new(StatusCode::TOO_MANY_REQUESTS, "locked_out", detail)
                .with_header(header::RETRY_AFTER, seconds.into());
        }
        let scheme = HeaderValue::from_static("Bearer realm=\"admin\"");
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with_header(header::WWW_AUTHENTICATE, scheme)
    }
}

/// What a request says of who asks.
#[derive(Debug, PartialEq)]
enum Given<'a> {
    Nothing,
    /// Two tokens, or one header twice.
    Unclear,
    Token(&'a [u8]),
}

impl<'a> Given<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut tokens = Vec::new();
        let bearers = headers.get_all(header::AUTHORIZATION).iter();
        tokens.extend(bearers.filter_map(|value| bearer(value.as_bytes())));
        // Two of a kind are unclear even if they are the same: whoever else reads
        // the request may take the other.
        let twice = |name: &HeaderName| headers.get_all(name).iter().count() > 1;
        if twice(&header::AUTHORIZATION) || twice(&X_ADMIN_TOKEN) {
            return Given::Unclear;
        }
        tokens.extend(headers.get(&X_ADMIN_TOKEN).map(HeaderValue::as_bytes));
        match tokens[..] {
            [] => Given::Nothing,
            [b""] | [b"", b""] => Given::Nothing,
            [token] => Given::Token(token),
            [one, other] if one == other => Given::Token(one),
            _ => Given::Unclear,
        }
    }
}

/// The token of `Bearer TOKEN`; none if it is another scheme.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    let ends = rest.is_empty() || rest.starts_with(b" ");
    (is_bearer && ends).then(|| rest.trim_ascii())
}

impl Gate {
    /// Reads the tokens. Makes the file with one for `operator` if it is not there.
    /// A file that says nothing of use lets nobody in, which the log tells.
    ///
    /// # Errors
    ///
    /// See [`GateError`].
    pub(in crate::api) fn open(path: &Path, metrics: Arc<Metrics>) -> Result<Self, GateError> {
        let io_error = |error| GateError::Io {
            path: path.to_owned(),
            error,
        };
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| GateError::Random)?;
        if !path.try_exists().map_err(io_error)? {
            let mut token = [0; 32];
            rand::fill(&mut token).map_err(|_| GateError::Random)?;
            let line = format!("{OPERATOR} {}\n", URL_SAFE_NO_PAD.encode(token));
            write_private(path, line.as_bytes()).map_err(io_error)?;
            tracing::info!(path = %path.display(), "made a token for the admin API");
        }
        let gate = Gate {
            path: path.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            tokens: Mutex::default(),
            attempts: Mutex::new(Attempts {
                lockout: Lockout::new(clock::unix_now()),
                warned_at: f64::NEG_INFINITY,
            }),
            metrics,
        };
        match read(path) {
            Ok((stamp, text)) => {
                *gate.tokens.lock().unwrap_or_else(PoisonError::into_inner) =
                    gate.take(stamp, &text);
                Ok(gate)
            }
            Err(Unreadable::Io(error)) => Err(io_error(error)),
            Err(Unreadable::Open) => Err(GateError::Open(path.to_owned())),
        }
    }

    /// What a file says.
    fn take(&self, stamp: Stamp, text: &str) -> Tokens {
        let path = self.path.display();
        let hashes = match parse(text) {
            Ok(tokens) => {
                tracing::info!(%path, tokens = tokens.len(), "the admin API's tokens are read");
                let hash = |(name, token): (&str, &str)| {
                    let tag = hmac::sign(&self.key, token.as_bytes());
                    (Actor(name.to_owned()), tag)
                };
                tokens.into_iter().map(hash).collect()
            }
            Err(error) => {
                tracing::error!(%path, %error, "nobody may use the admin API");
                Vec::new()
            }
        };
        Tokens {
            stamp: Some(stamp),
            hashes,
        }
    }

    /// Reads the file again if it changed.
    fn refresh(&self, tokens: &mut Tokens) {
        let stamp = fs::metadata(&self.path).map(|metadata| Stamp::of(&metadata));
        if stamp.as_ref().ok() == tokens.stamp.as_ref() {
            return;
        }
        *tokens = match read(&self.path) {
            Ok((stamp, text)) => self.take(stamp, &text),
            Err(error) => {
                let path = self.path.display();
                tracing::error!(%path, %error, "nobody may use the admin API");
                let (stamp, hashes) = (stamp.ok(), Vec::new());
                Tokens { stamp, hashes }
            }
        };
    }

    /// Whose token this is, compared with each of them; none if nobody's.
    fn actor(&self, token: &[u8]) -> Result<Option<Actor>, Refusal> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut tokens);
        if tokens.hashes.is_empty() {
            return Err(Refusal::NoTokens);
        }
        let given = hmac::sign(&self.key, token);
        let mut found = None;
        for (actor, hash) in &tokens.hashes {
            if verify_slices_are_equal(hash.as_ref(), given.as_ref()).is_ok() {
                found = Some(actor.clone());
            }
        }
        Ok(found)
    }

    /// Who asks. Reads files.
    fn admit(&self, client: IpAddr, token: &[u8], now: f64) -> Result<Actor, Refusal> {
        // Held over the comparison, so that who asks often at once does not guess
        // more often.
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(refused) = attempts.lockout.check(client, now) {
            let overall = matches!(refused, Refused::Overall(_));
            if overall && (now - attempts.warned_at).abs() >= WARN_EVERY_S {
                attempts.warned_at = now;
                tracing::warn!("too many wrong tokens of the admin API from all addresses");
            }
            return Err(Refusal::Unheard(refused));
        }
        if let Some(actor) = self.actor(token)? {
            attempts.lockout.succeeded(client, now);
            return Ok(actor);
        }
        if let Some(pause_s) = attempts.lockout.failed(client, now) {
            self.metrics.locked_out();
            tracing::warn!(%client, pause_s, "locked out: too many wrong tokens of the admin API");
        }
        Err(Refusal::WrongToken)
    }
}

/// Lets those with a token through, and tells who they are as [`Actor`].
///
/// Answers 401 `unauthorized`, and 429 `locked_out` with the seconds to wait.
pub(in crate::api) async fn guard(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    if FREE.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let client = client(request.extensions());
    let given = Given::read(request.headers());
    let admitted = match given {
        Given::Nothing => Err(Refusal::NoToken),
        Given::Unclear => Err(Refusal::TwoTokens),
        Given::Token(token) => {
            let (gate, token, now) = (Arc::clone(&gate), token.to_vec(), clock::unix_now());
            let admitted = tokio::task::spawn_blocking(move || gate.admit(client, &token, now));
            // It ends early with the host only.
            admitted.await.unwrap_or(Err(Refusal::NoTokens))
        }
    };
    match admitted {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(refusal) => {
            gate.metrics.admin_refused(refusal.code());
            Problem::from(refusal).into_response()
        }
    }
}

/// Address of the client. Those of a listener that does not tell are all one.
pub(in crate::api) fn client(extensions: &Extensions) -> IpAddr {
    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip())
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it may be read by others: chmod 600")]
    Open,
}

fn read(path: &Path) -> Result<(Stamp, String), Unreadable> {
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.mode() & 0o077 != 0 {
        return Err(Unreadable::Open);
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok((Stamp::of(&metadata), text))
}

/// What is wrong with a file of tokens. Never tells what is in it.
#[derive(Debug, PartialEq, thiserror::Error)]
enum Malformed {
    #[error("there is no token in it")]
    Empty,
    #[error("line {0} is not `name token`")]
    Words(usize),
    #[error("line {0}: a name has up to {MAX_NAME} of a-z, A-Z, 0-9, `_`, `-`, `.` and `@`")]
    Name(usize),
    #[error("line {0}: a token has at least {MIN_TOKEN} visible ASCII characters")]
    Token(usize),
    #[error("line {0}: another line has the same token")]
    Twice(usize),
}

/// Names and tokens. All lines count or none: a file with a slip may be one that is
/// just being written.
fn parse(text: &str) -> Result<Vec<(&str, &str)>, Malformed> {
    let mut tokens = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split_whitespace();
        let (name, token) = match (words.next(), words.next(), words.next()) {
            (None, ..) => continue,
            (Some(word), ..) if word.starts_with('#') => continue,
            (Some(token), None, _) => (OPERATOR, token),
            (Some(name), Some(token), None) => (name, token),
            _ => return Err(Malformed::Words(number)),
        };
        let in_names = |c: char| c.is_ascii_alphanumeric() || "_-.@".contains(c);
        if name.len() > MAX_NAME || !name.chars().all(in_names) {
            return Err(Malformed::Name(number));
        }
        if token.len() < MIN_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed::Token(number));
        }
        if !seen.insert(token) {
            return Err(Malformed::Twice(number));
        }
        tokens.push((name, token));
    }
    if tokens.is_empty() {
        return Err(Malformed::Empty);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests;
