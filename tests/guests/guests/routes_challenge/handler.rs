//! What the routes do.

use crate::outgoing::{fetch, fetch_many};
use hostile_guests::Act;
use proctor_sdk::bindings::routes::proctor::challenge::{standings, submissions};
use proctor_sdk::wasip2;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
    ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

struct Handler;

wasip2::http::proxy::export!(Handler with_types_in proctor_sdk::wasip2);

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let act = header(&request, "x-act").unwrap_or_default();
        let act: Value = serde_json::from_str(&act).unwrap_or_default();
        match act["do"].as_str() {
            Some("silent") => {}
            Some("drop") => drop(out),
            Some("error") => {
                let error = ErrorCode::InternalError(Some("no luck today".into()));
                ResponseOutparam::set(out, Err(error));
            }
            Some("stream") => stream(&act, out),
            Some("echo") => echo(&request, out),
            Some("ignore-body") => answer(out, b"did not look"),
            Some("read-body") => answer(out, read_body(&request).to_string().as_bytes()),
            Some("request") => answer(out, describe(&request).to_string().as_bytes()),
            Some("headers") => headers(&act, out),
            _ => answer(out, perform(&act).to_string().as_bytes()),
        }
    }
}

/// Acts that need no request.
pub(crate) fn perform(act: &Value) -> Value {
    match act["do"].as_str() {
        Some("fetch") => fetch(act),
        Some("fetch-many") => fetch_many(act),
        Some("standings") => {
            let standings = standings::get_standings();
            json!(
                standings
                    .iter()
                    .map(|s| &s.commit.miner.hotkey)
                    .collect::<Vec<_>>()
            )
        }
        Some("submit") => match submissions::submit(act["artifact"].as_str().unwrap_or_default()) {
            Ok(taken) => json!({"id": taken.id, "day": taken.day, "known": taken.known}),
            Err(error) => json!({"error": format!("{error:?}")}),
        },
        Some("now") => {
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(
                act["ms"].as_u64().unwrap_or_default(),
            ));
            let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            json!({
                "slept_ms": start.elapsed().as_millis() as u64,
                "wall": wall.map_or(-1.0, |wall| wall.as_secs_f64()),
            })
        }
        Some("grow") => grow(act),
        Some("say") => {
            println!("{}", act["out"].as_str().unwrap_or_default());
            eprintln!("{}", act["err"].as_str().unwrap_or_default());
            Value::Null
        }
        _ => match serde_json::from_value::<Act>(act.clone()) {
            Ok(act) => act.perform(),
            Err(error) => json!({"act": error.to_string()}),
        },
    }
}

/// Writes a file of so many bytes, of which the directory may not tell.
fn grow(act: &Value) -> Value {
    let write = || -> std::io::Result<()> {
        let path = act["path"].as_str().unwrap_or("/data/grown");
        let mut file = std::fs::File::create(path)?;
        if act["unlink"] == true {
            std::fs::remove_file(path)?;
        }
        let chunk = vec![1_u8; 64 << 10];
        let mut left = act["bytes"].as_u64().unwrap_or_default();
        while left > 0 {
            let length = left.min(chunk.len() as u64);
            file.write_all(&chunk[..length as usize])?;
            left -= length;
        }
        Ok(())
    };
    match write() {
        Ok(()) => json!("written"),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn header(request: &IncomingRequest, name: &str) -> Option<String> {
    let values = request.headers().get(name);
    String::from_utf8(values.into_iter().next()?).ok()
}

fn describe(request: &IncomingRequest) -> Value {
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Other(other) => other,
        _ => "another".to_owned(),
    };
    let headers = request.headers().entries();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    json!({
        "method": method,
        "path": request.path_with_query(),
        "authority": request.authority(),
        "headers": names,
    })
}

fn head(status: u16, fields: &[(&str, String)]) -> OutgoingResponse {
    let headers = Fields::new();
    for (name, value) in fields {
        let _ = headers.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    response
}

fn answer(out: ResponseOutparam, bytes: &[u8]) {
    let response = head(200, &[("content-length", bytes.len().to_string())]);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let _ = write_all(&stream, bytes);
    }
    let _ = OutgoingBody::finish(body, None);
}

/// Writes `pieces` of `bytes` each with a pause of `ms` between them, for ever if
/// there is no number; then does what `then` says, and finishes if it comes back.
/// `announce` is the length that it tells.
fn stream(act: &Value, out: ResponseOutparam) {
    let length = act["announce"].as_u64().map(|length| length.to_string());
    let length = length.map(|length| ("content-length", length));
    let response = head(200, length.as_slice());
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    let bytes = act["bytes"].as_u64().unwrap_or(1) as usize;
    let pieces = act["pieces"].as_u64().unwrap_or(u64::MAX);
    let pause = act["ms"].as_u64().map(Duration::from_millis);
    let piece = act["text"].as_str().map(|text| text.as_bytes().to_vec());
    let piece = piece.unwrap_or_else(|| vec![b'x'; bytes]);
    {
        let Ok(stream) = body.write() else { return };
        for index in 0..pieces {
            if let (Some(pause), true) = (pause, index > 0) {
                std::thread::sleep(pause);
            }
            if write_all(&stream, &piece).is_err() {
                eprintln!("the client has gone");
                return;
            }
        }
    }
    match act["then"]["do"].as_str() {
        Some("give-up") => drop(body),
        Some("finish-and-go-on") => {
            let _ = OutgoingBody::finish(body, None);
            perform(&act["then"]["act"]);
        }
        Some(_) => {
            perform(&act["then"]);
            let _ = OutgoingBody::finish(body, None);
        }
        None => {
            if let Err(error) = OutgoingBody::finish(body, None) {
                eprintln!("cannot finish: {error:?}");
            }
        }
    }
}

/// Sends back what comes, piece by piece.
fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let response = head(200, &[]);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let sent = with_body(request, |incoming| {
            while let Ok(piece) = incoming.blocking_read(64 << 10) {
                if write_all(&stream, &piece).is_err() {
                    break;
                }
            }
        });
        if sent.is_none() {
            eprintln!("no body");
        }
    }
    let _ = OutgoingBody::finish(body, None);
}

fn with_body<T>(request: &IncomingRequest, read: impl FnOnce(&InputStream) -> T) -> Option<T> {
    let body: IncomingBody = request.consume().ok()?;
    let stream = body.stream().ok()?;
    Some(read(&stream))
}

fn read_body(request: &IncomingRequest) -> Value {
    let seen = with_body(request, |incoming| {
        let mut length = 0_u64;
        loop {
            match incoming.blocking_read(64 << 10) {
                Ok(piece) => length += piece.len() as u64,
                Err(StreamError::Closed) => return json!({"length": length}),
                Err(StreamError::LastOperationFailed(_)) => {
                    return json!({"length": length, "error": "failed"});
                }
            }
        }
    });
    seen.unwrap_or(json!({"error": "no body"}))
}

/// Tries to set headers and a status that there cannot be, and answers with what was
/// refused; then as many bytes of headers as it is told, which may be a trap.
fn headers(act: &Value, out: ResponseOutparam) {
    let headers = Fields::new();
    let mut refused = Vec::new();
    for (name, value) in [
        ("x split", "a"),
        ("x-good", "a\r\nx-injected: b"),
        ("", "a"),
        ("connection", "upgrade"),
        ("transfer-encoding", "chunked"),
        ("content-length", "+5"),
    ] {
        if headers.append(name, value.as_bytes()).is_err() {
            refused.push(name);
        }
    }
    let _ = headers.delete("content-length");
    let bytes = act["bytes"].as_u64().unwrap_or_default();
    for index in 0..bytes / 1024 {
        if headers
            .append(&format!("x-{index}"), &[b'x'; 1024])
            .is_err()
        {
            refused.push("too many");
            break;
        }
    }
    let response = OutgoingResponse::new(headers);
    for status in [0, 99, 1000, 65535] {
        if response.set_status_code(status).is_err() {
            refused.push("status");
        }
    }
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let _ = write_all(&stream, json!(refused).to_string().as_bytes());
    }
    let _ = OutgoingBody::finish(body, None);
}

fn write_all(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = match stream.check_write()? {
            0 => {
                stream.subscribe().block();
                continue;
            }
            room => usize::try_from(room).unwrap_or(usize::MAX),
        };
        let (now, rest) = bytes.split_at(room.min(bytes.len()));
        stream.write(now)?;
        bytes = rest;
    }
    stream.blocking_flush()
}
