//! The host's own store of components.

use super::auth::Actor;
use super::challenges::problem;
use crate::api::App;
use crate::api::problem::{Problem, ProblemDetails};
use crate::artifacts::ArtifactError;
use crate::registry::signature::Evidence;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
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
            description = "`no_component`: it is no WebAssembly component"),
    ),
)]
pub(super) async fn add(
    State(app): State<App>,
    actor: Actor,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ComponentView>), Problem> {
    let body =
        body.map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))?;
    check_header(&body)?;
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

/// Add a signature to a component in the host's own store
///
/// The body is what `proctor plugin sign` or `cosign sign-blob` wrote. Whether it counts,
/// each challenge's `signed_by` says: it is checked when the component is loaded.
#[utoipa::path(
    post,
    path = "/v1/admin/components/{digest}/signatures",
    operation_id = "add_signature",
    tag = "challenges",
    params(("digest" = String, Path, description = "The component, `sha256:` and 64 hexadecimal digits")),
    request_body(content = String, content_type = "text/plain", description = "The signature"),
    responses(
        (status = 204, description = "It is kept"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_component`"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_many_signatures`: a component has at most 32"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`body_rejected`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`bad_signature`: it is none that is understood"),
    ),
)]
pub(super) async fn sign(
    State(app): State<App>,
    Path(digest): Path<String>,
    actor: Actor,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let body =
        body.map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))?;
    let evidence = Evidence::parse(&body);
    let evidence =
        evidence.map_err(|error| Problem::unprocessable("bad_signature", error.to_string()))?;
    let digest = digest.trim_start_matches("sha256:").to_ascii_lowercase();
    let added = app.registry().add_signature(&digest, evidence).await;
    match added.map_err(problem)? {
        true => {
            tracing::info!(actor = actor.0, digest, "signature added");
            Ok(StatusCode::NO_CONTENT)
        }
        false => {
            let detail = "the component has as many signatures as are kept, 32";
            Err(Problem::conflict("too_many_signatures", detail))
        }
    }
}

/// Tells what a file is that is no component, as the sandbox tells it.
fn check_header(bytes: &[u8]) -> Result<(), Problem> {
    let detail = match bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => return Ok(()),
        Some(b"\0asm\x01\0\0\0") => {
            "a core WebAssembly module, not a component: build it for wasm32-wasip2"
        }
        Some([0, b'a', b's', b'm', ..]) => "WebAssembly of an unknown version",
        Some(_) => "not WebAssembly",
        None => "too short to be WebAssembly",
    };
    Err(Problem::unprocessable("no_component", detail))
}

fn ended(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "cannot keep a component");
    let detail = "the host's disk cannot be used now";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_told_what_it_is() {
        assert_eq!(check_header(b"\0asm\x0d\0\x01\0more"), Ok(()));
        for (bytes, told) in [
            (&b"\0asm\x01\0\0\0more"[..], "a core WebAssembly module"),
            (b"\0asm\x02\0\0\0", "unknown version"),
            (b"\x7fELF\x02\x01\x01\0", "not WebAssembly"),
            (b"\0asm", "too short"),
            (b"", "too short"),
        ] {
            let problem = check_header(bytes).unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.code),
                (422, "no_component")
            );
            assert!(problem.detail.contains(told), "{problem:?}");
        }
    }
}
