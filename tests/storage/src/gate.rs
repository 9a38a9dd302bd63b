//! What happens to a request before and after its route: faults, signatures, counts.

use crate::faults;
use crate::peer::{Access, Asked, Route};
use crate::refusal::Refusal;
use crate::server::Shared;
use crate::signature::{Caller, key_holder};
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Answers one request, or does to it what a fault says.
pub(crate) async fn answer(shared: &Shared, route: &Route, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body is too large");
        shared.note(route.path, "413", None);
        return refusal.into_response();
    };
    let parsed: Option<Value> = serde_json::from_slice(&body).ok();
    let about = parsed
        .as_ref()
        .and_then(|body| body.get("validator_uid")?.as_i64())
        .or(Caller::claimed(&parts.headers).uid);
    let fault = faults::take(&mut shared.lock().faults, route.path, about);
    let Some(fault) = fault else {
        let answer = undisturbed(shared, route, &parts, &body, parsed);
        shared.note(route.path, answer.status().as_str(), about);
        return answer;
    };
    let answer = fault
        .takes_effect()
        .then(|| undisturbed(shared, route, &parts, &body, parsed));
    // Before it is slow or hangs: the client may go, and nothing is run then.
    shared.note(route.path, &fault.label(answer.as_ref()), about);
    fault.spoil(answer).await
}

fn undisturbed(
    shared: &Shared,
    route: &Route,
    parts: &Parts,
    body: &[u8],
    parsed: Option<Value>,
) -> Response {
    let answer = admit(shared, route.access, parts, body).and_then(|caller| {
        let body = match parsed {
            Some(body) => body,
            None if body.is_empty() => Value::Null,
            None => return Err(Refusal::invalid("json_invalid", "", "JSON decode error")),
        };
        let if_none_match = parts.headers.get(header::IF_NONE_MATCH);
        let asked = Asked {
            caller,
            body,
            if_none_match: if_none_match
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        };
        (route.answer)(&mut shared.lock().book, asked)
    });
    answer.unwrap_or_else(|refusal| {
        tracing::debug!(route = route.path, ?refusal, "refused");
        refusal.into_response()
    })
}

fn admit(shared: &Shared, access: Access, parts: &Parts, body: &[u8]) -> Result<Caller, Refusal> {
    let holder = match access {
        Access::Open => Some(Caller::claimed(&parts.headers)),
        Access::ApiKey => key_holder(&parts.headers),
        Access::Signed => None,
    };
    if let Some(caller) = holder {
        return Ok(caller);
    }
    if !shared.signatures {
        return Ok(Caller::claimed(&parts.headers));
    }
    let now = shared.clock.now().map_err(Refusal::internal)?;
    Caller::verified(&parts.headers, body, now).map_err(Refusal::unauthorized)
}
