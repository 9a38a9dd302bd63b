//! The host's own store of components.

use super::auth::Actor;
use crate::api::App;
use crate::api::problem::{Problem, ProblemDetails};
use crate::artifacts::ArtifactError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A component that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ComponentView {
    /// What a record calls it: `sha256:` and 64 hexadecimal digits.
    artifact: String,
    /// Its size in bytes.
    size: u64,
}

/// Put a component into the host's own store
///
/// It runs nowhere before a record names it.
#[utoipa::path(
    post,
    path = "/v1/admin/components",
    operation_id = "add_component",
    tag = "challenges",
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component"),
    responses(
        (status = 201, body = ComponentView, description = "It is kept"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_large`, `body_rejected`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`no_component`: it is not WebAssembly"),
    ),
)]
pub(super) async fn add(
    State(app): State<App>,
    actor: Actor,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ComponentView>), Problem> {
    let body =
        body.map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))?;
    if !body.starts_with(b"\0asm") {
        let detail = "it is not WebAssembly";
        return Err(Problem::unprocessable("no_component", detail));
    }
    let components = app.components.clone();
    let added = tokio::task::spawn_blocking(move || components.add(&body)).await;
    let added = added.map_err(|error| ended(&error))?;
    let added = added.map_err(|error| match error {
        ArtifactError::TooLarge { .. } => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            error.to_string(),
        ),
        error => ended(&error),
    })?;
    tracing::info!(
        actor = actor.0,
        digest = added.digest,
        size = added.size,
        "component added"
    );
    let view = ComponentView {
        artifact: format!("sha256:{}", added.digest),
        size: added.size,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

fn ended(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "cannot keep a component");
    let detail = "the host's disk cannot be used now";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}
