//! Answers that are not what was asked for, as FastAPI words them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: Value,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Refusal {
            status,
            detail: Value::String(detail.into()),
        }
    }

    /// The signature, or what stands for it, is not accepted.
    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Refusal::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// The fake itself cannot.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// What is wrong with `field` of the body.
    pub(crate) fn invalid(kind: &str, field: &str, message: &str) -> Self {
        let place: Vec<_> = ["body", field]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            detail: json!([{"type": kind, "loc": place, "msg": message}]),
        }
    }

    /// `field` is not there, or is something else.
    pub(crate) fn missing(field: &str) -> Self {
        Refusal::invalid("missing", field, "Field required")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"detail": self.detail}))).into_response()
    }
}
