//! Reading what a miner answers, of which nothing is believed.

use crate::sandbox::organic::Failure;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response, StatusCode};
use std::error::Error;

/// Sends a request, and reads the body of its answer: at most `max_bytes`, of which
/// it is not known whether it is JSON. Nothing of an answer is read that is none.
///
/// Has no end of its own: the deadline is the caller's. `status` is set as soon as it
/// is known.
pub(super) async fn read(
    request: RequestBuilder,
    max_bytes: usize,
    status: &mut Option<u16>,
) -> Result<Vec<u8>, Failure> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    *status = Some(response.status().as_u16());
    if response.status() != StatusCode::OK {
        return Err(Failure::Status);
    }
    let most = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    if response.content_length().is_some_and(|bytes| bytes > most) {
        return Err(Failure::TooLarge);
    }
    if !is_json(&response) {
        return Err(Failure::Malformed);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if chunk.len() > max_bytes.saturating_sub(body.len()) {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn is_json(response: &Response) -> bool {
    let value = response.headers().get(CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    // Parameters are allowed; the only one in use says UTF-8, which JSON is anyway.
    let kind = text.split(';').next().unwrap_or("");
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Bytes that are no HTTP are an answer; a connection that ends is none.
fn failure(error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(error) = cause {
        match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse_too_large() => return Failure::TooLarge,
            Some(error) if error.is_parse() => return Failure::Malformed,
            _ => cause = error.source(),
        }
    }
    Failure::Connection
}
