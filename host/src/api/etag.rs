//! What did not change is not sent again.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Gives an answer the SHA-256 of its body as a strong `ETag`; who has it already
/// gets 304. Costs the whole body in memory and a hash of it.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    let known: Vec<HeaderValue> = known.iter().cloned().collect();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Pages are bounded where they are made.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(&body)));
    let mut headers = HeaderMap::new();
    let no_cache = HeaderValue::from_static("no-cache");
    headers.insert(header::CACHE_CONTROL, no_cache);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if known.iter().any(|value| matches(value, &tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    parts.headers.extend(headers);
    Response::from_parts(parts, Body::from(body))
}

/// Whether a value of `If-None-Match` names this tag. As HTTP wants it, a weak
/// one of the same text does too.
pub(super) fn matches(value: &HeaderValue, tag: &str) -> bool {
    let Ok(list) = value.to_str() else {
        return false;
    };
    list.split(',').map(str::trim).any(|item| {
        let item = item.strip_prefix("W/").unwrap_or(item);
        item == "*" || item == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list() {
        let matches = |value: &str| matches(&HeaderValue::from_str(value).unwrap(), "\"ab\"");
        for value in [
            "\"ab\"",
            "*",
            "W/\"ab\"",
            "\"x\", \"ab\"",
            "\"x\",W/\"ab\" ",
        ] {
            assert!(matches(value), "{value}");
        }
        for value in ["", "ab", "\"abc\"", "\"x\"", "W/", "\"AB\""] {
            assert!(!matches(value), "{value}");
        }
    }
}
