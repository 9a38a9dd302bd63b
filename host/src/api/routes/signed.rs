//! Requests that a miner signed: whoever the challenge is told of, the host has seen
//! the signature of, and each request once.
//!
//! In this order: headers, time, body, signature, registration, artifact, nonce. The
//! nonce comes last, on disk, before the challenge is asked: a miner whose request did
//! not come in whole, or was cut short by the end of the host, can send it again. No
//! artifact is kept for a nonce that is used, and what is kept is counted, whether or not
//! the miner stays for the answer.

use super::headers::Verified;
use super::upload::{self, ReadError, Upload};
use super::{Admitted, Routes, too_large};
use crate::api::problem::Problem;
use crate::artifacts::ArtifactError;
use crate::chain::nonced::{self, NoncedFault, Unverified};
use crate::clock;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Uploads of a miner to a challenge within a day, at most: each may leave an artifact
/// in the store.
const UPLOADS_A_DAY: u64 = 100;

const DAY: f64 = 86_400.0;

/// Who signed a request, and the body that the challenge gets: none of an upload, which
/// is in the artifact store.
pub(super) async fn verify(
    routes: &Routes,
    admitted: &Admitted,
    parts: &Parts,
    body: Body,
) -> Result<(Verified, Body), Problem> {
    let verified = match admitted.upload {
        true => {
            let verified = upload(routes, admitted, parts, body).await;
            let outcome = verified
                .as_ref()
                .map_or_else(|problem| problem.code, |_| "ok");
            let challenge = admitted.plugin.name();
            routes.metrics.uploaded(challenge, outcome);
            (verified?, Body::empty())
        }
        false => {
            let unverified = read_headers(parts)?;
            let most = admitted.plugin.given.route_limits.request_bytes;
            let read = upload::to_memory(body, most).await;
            let (bytes, digest) = read.map_err(|error| unread(error, most))?;
            let verified = signer(routes, admitted, parts, unverified, digest)?;
            let scope = format!("miner:{}", admitted.plugin.name());
            reserve(routes, scope, &verified, clock::unix_now()).await?;
            (verified, Body::from(bytes))
        }
    };
    Ok(verified)
}

async fn upload(
    routes: &Routes,
    admitted: &Admitted,
    parts: &Parts,
    body: Body,
) -> Result<Verified, Problem> {
    let unverified = read_headers(parts)?;
    let limits = admitted.plugin.given.route_limits;
    let most = limits.request_bytes.min(routes.config.artifacts.max_bytes);
    let artifacts = routes.artifacts.clone();
    // Before anything is read in vain.
    if let Ok(Err(ArtifactError::Full { .. })) = spawn_blocking(move || artifacts.room()).await {
        return Err(no_room());
    }
    let read = routes.0.uploads.read(body, most).await;
    let upload = read.map_err(|error| unread(error, most))?;
    if upload.size == 0 {
        let detail = "the body is to be an artifact, and is empty";
        return Err(Problem::bad_request("empty_body", detail));
    }
    let (size, digest) = (upload.size, upload.digest.clone());
    let mut verified = signer(routes, admitted, parts, unverified, digest)?;
    verified.artifact = Some(size);
    let scope = format!("upload:{}", admitted.plugin.name());
    let (routes, held) = (routes.clone(), Arc::clone(&admitted.held));
    // Goes on without the client: whoever leaves in between has its artifact counted.
    let kept = tokio::spawn(async move {
        let _held = held;
        keep(&routes, scope, upload, &verified).await?;
        Ok(verified)
    });
    kept.await.unwrap_or_else(|error| {
        tracing::error!(%error, "an upload was not kept");
        Err(not_stored())
    })
}

/// Puts an upload into the artifact store, and takes its nonce.
async fn keep(
    routes: &Routes,
    scope: String,
    upload: Upload,
    verified: &Verified,
) -> Result<(), Problem> {
    let uploads = &routes.0.uploads;
    let _turn = uploads.turn(&verified.hotkey).await;
    let now = clock::unix_now();
    let (hotkey, nonce) = (verified.hotkey.clone(), verified.nonce.clone());
    let used = routes
        .store
        .nonces_since(scope.clone(), hotkey, nonce, now - DAY);
    let (count, is_used) = used.await?;
    if is_used {
        return Err(replayed());
    }
    if count >= UPLOADS_A_DAY {
        let detail = format!("a miner may upload {UPLOADS_A_DAY} times in 24 hours");
        let retry = HeaderValue::from_static("3600");
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Err(Problem::new(status, "too_many_uploads", detail)
            .with_header(header::RETRY_AFTER, retry));
    }
    let kept = uploads.keep(&routes.artifacts, upload).await;
    kept.map_err(|error| match error {
        ArtifactError::TooLarge { max, .. } => too_large(max),
        ArtifactError::Full { .. } => no_room(),
        error => {
            tracing::error!(%error, "an upload was not kept");
            not_stored()
        }
    })?;
    reserve(routes, scope, verified, now).await
}

fn no_room() -> Problem {
    tracing::warn!("an upload was refused: artifacts.max_total_bytes is reached");
    let detail = "the host has no room for more artifacts";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "store_full", detail)
}

fn not_stored() -> Problem {
    let detail = "the artifact cannot be stored now";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}

fn read_headers(parts: &Parts) -> Result<Unverified, Problem> {
    let header = |name: &str| {
        // What is no text is malformed, and so is the empty text.
        let value = parts.headers.get(name)?;
        Some(value.to_str().unwrap_or_default())
    };
    nonced::read(header, clock::unix_now()).map_err(unauthorized)
}

/// Who signed: a miner that is registered. As with the peers, uid 0 is none: it is
/// where emission is burnt.
fn signer(
    routes: &Routes,
    admitted: &Admitted,
    parts: &Parts,
    unverified: Unverified,
    body: String,
) -> Result<Verified, Problem> {
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let message = nonced::miner_message(
        routes.metagraph().netuid(),
        admitted.plugin.name(),
        parts.method.as_str(),
        target,
        unverified.claims(),
        &body,
    );
    let claims = unverified.verify(&message).map_err(unauthorized)?;
    let refused = |code, detail: String| Err(Problem::new(StatusCode::UNAUTHORIZED, code, detail));
    let Some(uid) = routes.metagraph().uid_of(&claims.hotkey) else {
        let detail = format!("{} is not registered on the subnet", claims.hotkey);
        return refused("not_registered", detail);
    };
    if uid == 0 {
        return refused("blocked_uid", "uid 0 takes no part".to_owned());
    }
    Ok(Verified {
        hotkey: claims.hotkey,
        uid,
        nonce: claims.nonce,
        body,
        artifact: None,
    })
}

/// Takes the nonce, once.
async fn reserve(
    routes: &Routes,
    scope: String,
    verified: &Verified,
    now: f64,
) -> Result<(), Problem> {
    let (hotkey, nonce) = (verified.hotkey.clone(), verified.nonce.clone());
    match routes
        .store
        .reserve_nonce(scope, hotkey, nonce, now)
        .await?
    {
        true => Ok(()),
        false => Err(replayed()),
    }
}

fn replayed() -> Problem {
    let detail = "a request with this nonce was taken before";
    Problem::new(StatusCode::CONFLICT, "replayed", detail)
}

fn unauthorized(fault: NoncedFault) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, fault.code(), fault.to_string())
}

pub(in crate::api) fn unread(error: ReadError, most: u64) -> Problem {
    match error {
        ReadError::TooLarge => too_large(most),
        ReadError::TooSlow => {
            let detail = "the body comes in too slowly";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
        }
        ReadError::Broken(error) => Problem::bad_request("body_rejected", error.to_string()),
        ReadError::Io(error) => {
            tracing::error!(%error, "an upload was not written");
            let detail = "the host cannot take the body now";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }
}
