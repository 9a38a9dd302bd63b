//! Errors as RFC 9457 problem details, with a stable `code`.

use crate::registry::FieldProblem;
use crate::store::StoreError;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// An error that a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code, in snake case.
    pub code: &'static str,
    /// What is wrong with this request, for people.
    pub detail: String,
    /// What is wrong with each field of its body; empty if it is not about fields.
    pub errors: Vec<FieldProblem>,
    /// What is answered beside it. One of each name; they win over what is answered
    /// to all of a status.
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Problem details, RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemDetails {
    /// Always `about:blank`: see `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, for programs: a stable name.
    code: &'static str,
    /// What is wrong with this request, for people.
    detail: String,
    /// What is wrong with each field; not there if it is not about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

impl Problem {
    /// A problem with this status, code and text.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Problem {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 422 `invalid_fields`: what is wrong with each field of a body.
    pub fn invalid(errors: Vec<FieldProblem>) -> Self {
        let detail = match &errors[..] {
            [error] if error.field.is_empty() => error.message.clone(),
            [error] => format!("{}: {}", error.field, error.message),
            errors => format!("{} fields are not valid", errors.len()),
        };
        Problem::unprocessable("invalid_fields", detail).with_errors(errors)
    }

    /// 422: what is asked for is understood, and cannot be.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 409: as things are now, it cannot be.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }

    /// 404: what it is about is not there.
    pub fn missing(code: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// The same with what is wrong with each field.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// The same with another header.
    #[must_use]
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(super) fn unknown_challenge(challenge: &str) -> Self {
        let detail = format!("there is no challenge {challenge:?}");
        Problem::new(StatusCode::NOT_FOUND, "unknown_challenge", detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request was not answered");
        let detail = "the database cannot be used now";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "what is stored cannot be read");
        let detail = "the host failed on this request";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemDetails {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Hotkey");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            _ => {}
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this route does not take that method",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    async fn body(problem: Problem) -> (header::HeaderMap, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn fields_are_told_where_there_are_any() {
        let problem = Problem::invalid(vec![FieldProblem::new("limits.fuel", "is no number")]);
        let (headers, told) = body(problem).await;
        assert_eq!(headers["content-type"], "application/problem+json");
        let expected = json!({
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
            "code": "invalid_fields", "detail": "limits.fuel: is no number",
            "errors": [{"field": "limits.fuel", "message": "is no number"}],
        });
        assert_eq!(told, expected);
        let (_, told) = body(Problem::missing("not_found", "no")).await;
        assert!(told.get("errors").is_none(), "{told}");
    }

    #[tokio::test]
    async fn a_header_is_there_once() {
        let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "no");
        let (headers, _) = body(unauthorized()).await;
        assert_eq!(headers["www-authenticate"], "Hotkey");
        let bearer = HeaderValue::from_static("Bearer");
        let problem = unauthorized().with_header(header::WWW_AUTHENTICATE, bearer);
        let (headers, _) = body(problem).await;
        let schemes: Vec<_> = headers.get_all("www-authenticate").iter().collect();
        assert_eq!(schemes, ["Bearer"]);
    }
}
