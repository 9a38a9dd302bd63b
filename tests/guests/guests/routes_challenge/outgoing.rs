//! Requests of the guest's own.

use proctor_sdk::wasip2::http::outgoing_handler;
use proctor_sdk::wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use serde_json::{Value, json};

/// Sends a request to `authority`, and returns status, headers and body, or the
/// error.
pub(crate) fn fetch(act: &Value) -> Value {
    match send(act).and_then(|response| read(&response)) {
        Ok(seen) => seen,
        Err(error) => json!({"error": error}),
    }
}

/// Sends as many requests as it says, reads none of the answers, and tells what came
/// of each.
pub(crate) fn fetch_many(act: &Value) -> Value {
    let count = act["count"].as_u64().unwrap_or_default();
    let answers: Vec<_> = (0..count).map(|_| send(act)).collect();
    let seen = |answer: &Result<IncomingResponse, String>| match answer {
        Ok(response) => json!(response.status()),
        Err(error) => json!(error),
    };
    answers.iter().map(seen).collect()
}

fn send(act: &Value) -> Result<IncomingResponse, String> {
    let request = OutgoingRequest::new(Fields::new());
    let authority = act["authority"].as_str();
    let scheme = match act["scheme"].as_str() {
        Some("https") => Some(Scheme::Https),
        Some("http") => Some(Scheme::Http),
        Some(other) => Some(Scheme::Other(other.to_owned())),
        None => None,
    };
    let method = match act["method"].as_str() {
        Some("CONNECT") => Method::Connect,
        Some("POST") => Method::Post,
        _ => Method::Get,
    };
    let refused = |()| "the host takes no such request".to_owned();
    request.set_method(&method).map_err(refused)?;
    request.set_scheme(scheme.as_ref()).map_err(refused)?;
    request.set_authority(authority).map_err(refused)?;
    let path = act["path"].as_str();
    request.set_path_with_query(path).map_err(refused)?;
    let body = request.body().map_err(refused)?;
    let options = RequestOptions::new();
    if let Some(ms) = act["first_byte_ms"].as_u64() {
        let _ = options.set_first_byte_timeout(Some(ms * 1_000_000));
    }
    if let Some(ms) = act["between_bytes_ms"].as_u64() {
        let _ = options.set_between_bytes_timeout(Some(ms * 1_000_000));
    }
    let sent = outgoing_handler::handle(request, Some(options));
    let sent = sent.map_err(|error| format!("{error:?}"))?;
    if let Some(text) = act["body"].as_str() {
        let stream = body.write().map_err(refused)?;
        let written = stream.blocking_write_and_flush(text.as_bytes());
        written.map_err(|error| format!("{error:?}"))?;
    }
    OutgoingBody::finish(body, None).map_err(|error| format!("{error:?}"))?;
    sent.subscribe().block();
    let answer = sent.get().and_then(Result::ok).ok_or("no answer")?;
    answer.map_err(|error| format!("{error:?}"))
}

fn read(response: &IncomingResponse) -> Result<Value, String> {
    let headers: Vec<_> = response.headers().entries().into_iter().collect();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into()));
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no stream")?;
    let mut bytes = Vec::new();
    let ended = loop {
        match stream.blocking_read(64 << 10) {
            Ok(more) => bytes.extend(more),
            Err(error) => break format!("{error:?}"),
        }
    };
    Ok(json!({
        "status": response.status(),
        "headers": headers.collect::<serde_json::Map<String, Value>>(),
        "length": bytes.len(),
        "body": String::from_utf8_lossy(bytes.get(..1024).unwrap_or(&bytes)),
        "ended": ended,
    }))
}
