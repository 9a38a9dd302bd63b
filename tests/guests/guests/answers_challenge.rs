//! A challenge whose routes answer what the header `x-answer` says, as JSON: `status`,
//! `headers` as a list of pairs, and `hex`, the body. Without it the answer is what came:
//! method, path, headers and the body in hex. `POST /submissions` submits what was
//! uploaded, or says who signed.

use proctor_sdk::http::{HeaderName, HeaderValue, StatusCode};
use proctor_sdk::routes::{Body, Problem, Request, Response, Routes, upload, verified};
use proctor_sdk::{Challenge, ChallengeError, Context, HotkeyWeight, Standing, Weights};
use serde_json::{Value, json};

/// Bytes of a body that are read.
const MOST: usize = 1 << 20;

struct Answers;

impl Challenge for Answers {
    type Settings = Value;
    const NAME: &'static str = "answers";
    const VERSION: &'static str = "0.1.0";

    fn new(_: Value) -> Self {
        Answers
    }
}

impl Weights for Answers {
    fn get_weights(
        &self,
        _: &Context<'_>,
        _: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        Ok(Vec::new())
    }
}

impl Routes for Answers {
    fn handle(&self, context: &Context<'_>, request: Request) -> Result<Response, Problem> {
        let bad = |why: &str| Problem::new(StatusCode::BAD_REQUEST, "bad_answer", why);
        if let Some(answer) = request.headers().get("x-answer") {
            let answer: Value = serde_json::from_slice(answer.as_bytes())
                .map_err(|error| bad(&error.to_string()))?;
            return made(&answer).ok_or_else(|| bad("it cannot be made"));
        }
        if request.uri().path() == "/submissions" && request.method() == "POST" {
            let signer = verified(&request).map(|signer| json!([signer.hotkey, signer.uid]));
            let artifact = upload(&request).map(|artifact| artifact.reference);
            let submitted = match &artifact {
                Some(reference) => context.submit(reference).map(|taken| taken.day).ok(),
                None => None,
            };
            let seen = json!({"signer": signer, "artifact": artifact, "day": submitted});
            return Ok(Response::new(Body::json(&seen)?));
        }
        let headers = request.headers().iter();
        let headers: Vec<Value> = headers
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let body: String = request
            .into_body()
            .bytes(MOST)?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let seen = json!({"method": method, "uri": uri, "headers": headers, "body": body});
        Ok(Response::new(Body::json(&seen)?))
    }
}

fn made(answer: &Value) -> Option<Response> {
    let hex = answer
        .get("hex")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let bytes = (0..hex.len() / 2)
        .map(|index| u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    let mut response = Response::new(Body::from(bytes));
    if let Some(status) = answer.get("status").and_then(Value::as_u64) {
        *response.status_mut() = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    }
    for pair in answer.get("headers").and_then(Value::as_array)? {
        let name = HeaderName::from_bytes(pair.get(0)?.as_str()?.as_bytes()).ok()?;
        let value = HeaderValue::from_str(pair.get(1)?.as_str()?).ok()?;
        response.headers_mut().append(name, value);
    }
    Some(response)
}

proctor_sdk::export!(Answers: weights, routes);
