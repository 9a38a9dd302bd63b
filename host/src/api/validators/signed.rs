//! Requests that validators sign, with a nonce in each.

use super::super::App;
use super::super::problem::{Problem, ProblemDetails};
use crate::chain::nonced;
use crate::clock;
use crate::registry::FieldProblem;
use crate::sandbox::sha256_hex;
use crate::store::ValidatorNode;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};

/// Whose nonces these are.
const SCOPE: &str = "validator";

/// Characters of a claimed hotkey that are logged.
const MAX_CLAIM: usize = 64;

/// A request that a validator signed: of a registered hotkey with a permit and enough
/// stake, just now, and for the first time. An empty body is read as `{}`.
#[derive(Debug)]
pub(super) struct FromValidator<T> {
    pub(super) hotkey: String,
    pub(super) uid: u16,
    /// When it came, in seconds since the Unix epoch.
    pub(super) now: f64,
    /// Its body.
    pub(super) told: T,
}

/// The headers of a request that a validator signs.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct SignedHeaders {
    /// The validator's hotkey, in SS58.
    #[param(rename = "x-hotkey")]
    hotkey: String,
    /// Now, in whole seconds since the Unix epoch; within 300 of this host's clock.
    #[param(rename = "x-timestamp")]
    timestamp: String,
    /// What was never used before: 1 to 128 visible ASCII characters.
    #[param(rename = "x-nonce")]
    nonce: String,
    /// 128 hex digits, with or without `0x`: the sr25519 signature over method, path
    /// with its query in order, timestamp, nonce, and the SHA-256 of the body in hex, on
    /// a line each.
    #[param(rename = "x-signature")]
    signature: String,
}

/// Why such a request is not answered.
#[derive(Debug, utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is only described")]
pub(super) enum SignedRefusals {
    /// `invalid_json`, or a path that cannot be
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemDetails),
    /// `missing_header`, `malformed_header`, `stale`, `bad_signature`
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemDetails),
    /// `not_registered` on the subnet, `stake_too_low`, `no_permit`
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// `replayed`: the nonce was used before; `register_first`; of an assignment also
    /// `not_yours`, `lease_over`, `done`
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
    /// `body_rejected`: it is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// `unavailable`, `overloaded`, `timeout`: try again
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDetails),
}

impl App {
    /// Answers a request of a validator: it is read as signed by one, then `answer` has
    /// it. What it came to is counted under `kind`, and told if it is refused.
    pub(super) async fn answer<T: DeserializeOwned, A>(
        &self,
        kind: &'static str,
        request: Request,
        answer: impl AsyncFnOnce(FromValidator<T>) -> Result<A, Problem>,
    ) -> Result<A, Problem> {
        let headers = request.headers().clone();
        let answered = match read(request, &headers, self).await {
            Ok(from) => answer(from).await,
            Err(problem) => Err(problem),
        };
        let outcome = answered
            .as_ref()
            .map_or_else(|problem| problem.code, |_| "ok");
        self.metrics.validator_asked(kind, outcome);
        answered.inspect_err(|problem| {
            let claimed = header(&headers, nonced::HOTKEY).unwrap_or_default();
            let claimed: String = claimed.chars().take(MAX_CLAIM).collect();
            tracing::warn!(
                hotkey = claimed,
                kind,
                code = problem.code,
                detail = problem.detail,
                "validator refused"
            );
        })
    }
}

async fn read<T: DeserializeOwned>(
    request: Request,
    headers: &HeaderMap,
    app: &App,
) -> Result<FromValidator<T>, Problem> {
    let now = clock::unix_now();
    let unauthorized = |fault: nonced::NoncedFault| {
        Problem::new(StatusCode::UNAUTHORIZED, fault.code(), fault.to_string())
    };
    // Before the body, which nobody without a signature may have read.
    let unverified = nonced::read(|name| header(headers, name), now).map_err(unauthorized)?;
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let body = Bytes::from_request(request, app)
        .await
        .map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))?;
    let message = nonced::validator_message(
        method.as_str(),
        uri.path(),
        uri.query(),
        unverified.claims(),
        &sha256_hex(&body),
    );
    let claims = unverified.verify(&message).map_err(unauthorized)?;
    let uid = app.validator(&claims.hotkey)?;
    let (scope, hotkey) = (SCOPE.to_owned(), claims.hotkey.clone());
    let reserved = app.store.reserve_nonce(scope, hotkey, claims.nonce, now);
    if !reserved.await? {
        let detail = "this nonce was used before";
        return Err(Problem::conflict("replayed", detail));
    }
    Ok(FromValidator {
        hotkey: claims.hotkey,
        uid,
        now,
        told: fields(&body)?,
    })
}

/// The text of a header; empty if it is none.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap_or_default())
}

fn fields<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    // What is no JSON at all is not the fault of a field.
    serde_json::from_slice::<IgnoredAny>(body)
        .map_err(|error| Problem::bad_request("invalid_json", error.to_string()))?;
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        Problem::invalid(vec![FieldProblem::new(path, error.inner().to_string())])
    })
}

impl App {
    /// The uid of a hotkey that may work as a validator.
    fn validator(&self, hotkey: &str) -> Result<u16, Problem> {
        let forbidden = |code, detail| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
        let metagraph = self.metagraph();
        let Some(neuron) = metagraph.by_hotkey(hotkey) else {
            let detail = format!("{hotkey} is not registered on the subnet");
            return forbidden("not_registered", detail);
        };
        let minimum = self.config.commits.min_validator_stake;
        if neuron.stake < minimum {
            let stake = neuron.stake;
            let detail = format!("a stake of {stake} is below the minimum of {minimum}");
            return forbidden("stake_too_low", detail);
        }
        if !neuron.validator_permit {
            let detail = format!("{hotkey} has no validator permit");
            return forbidden("no_permit", detail);
        }
        Ok(neuron.uid)
    }
}

impl<T> FromValidator<T> {
    /// Notes that the validator was heard, with what it says of its status if it does.
    /// Returns it; 409 `register_first` if it did not register with this host.
    pub(super) async fn member(
        &self,
        app: &App,
        status: Option<String>,
    ) -> Result<ValidatorNode, Problem> {
        let heard = app
            .store
            .validator_heard(self.hotkey.clone(), self.uid, status, self.now);
        heard.await?.ok_or_else(not_a_member)
    }
}

pub(super) fn not_a_member() -> Problem {
    let detail = "this validator did not register here: POST /v1/validators/register";
    Problem::conflict("register_first", detail)
}
