//! Errors as RFC 9457 problem details, of the same shape as the host's own.

use crate::routes::{Body, Response, SubmitError};
use crate::{ChallengeError, DatabaseError};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;

/// An error that a client is told.
///
/// ```
/// use proctor_sdk::http::StatusCode;
/// use proctor_sdk::routes::Problem;
///
/// let closed = Problem::new(StatusCode::CONFLICT, "closed", "the day is over");
/// assert_eq!(closed.into_response().status(), 409);
/// ```
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
}

#[derive(Serialize)]
struct ProblemDetails<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
}

impl Problem {
    /// A problem with a status, a stable code in snake case for programs, and what
    /// is wrong with this request, for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Problem {
            status,
            code,
            detail: detail.into(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 404.
    pub fn not_found() -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
    }

    /// 405, with the methods that the route takes.
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let detail = "this route does not take that method";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        match HeaderValue::from_str(&allowed.join(", ")) {
            Ok(allowed) => problem.with_header(header::ALLOW, allowed),
            Err(_) => problem,
        }
    }

    /// 401: the request is not signed, and has to be.
    pub fn not_signed() -> Self {
        let detail = "this takes a request that is signed by a registered hotkey";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "not_signed", detail);
        problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Hotkey"))
    }

    /// 503: try again. The cause is logged, and the client is not told.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        let detail = "the challenge cannot answer now";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"));
        problem.with_cause(cause)
    }

    /// 500: the challenge is at fault. The cause is logged, and the client is not
    /// told.
    pub fn internal(cause: impl Into<String>) -> Self {
        let detail = "the challenge failed on this request";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).with_cause(cause)
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What is logged, and not answered.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let details = ProblemDetails {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
        };
        // Strings and a number can always be written.
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().extend(self.headers);
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl From<ChallengeError> for Problem {
    fn from(error: ChallengeError) -> Self {
        match error {
            ChallengeError::Unavailable(why) => Problem::unavailable(why),
            ChallengeError::Internal(why) => Problem::internal(why),
            ChallengeError::InvalidSubmission(why) => {
                Problem::internal(format!("invalid submission: {why}"))
            }
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(why) => Problem::unavailable(format!("database: {why}")),
            DatabaseError::Timeout => Problem::unavailable("database: timeout"),
            other => Problem::internal(format!("database: {other:?}")),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::NotSigned => Problem::not_signed(),
            SubmitError::UnknownArtifact => Problem::new(
                StatusCode::CONFLICT,
                "unknown_artifact",
                "the host does not have that artifact: upload it again",
            ),
            SubmitError::Unavailable(why) => Problem::unavailable(format!("submit: {why}")),
        }
    }
}

impl From<http::Error> for Problem {
    fn from(error: http::Error) -> Self {
        Problem::internal(format!("response: {error}"))
    }
}
