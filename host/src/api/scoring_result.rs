//! The route that validators of the replaced scoring API call. Its shapes are
//! those of that API, errors included, so that they need not change.

use super::App;
use super::problem::Problem;
use crate::clock;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// Ciphertexts in one request, at most.
const MAX_COMMITS: usize = 10_000;

/// `POST /get_scoring_result`: what is known of commits, null where nothing is.
/// From memory; never waits for scoring.
pub(super) async fn get_scoring_result(
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let (status, detail) = (rejection.status(), rejection.body_text());
            return Problem::new(status, "body_rejected", detail).into_response();
        }
    };
    let (challenge, encrypted) = match read(&body) {
        Ok(asked) => asked,
        Err(problems) => {
            let body = Json(json!({ "detail": problems }));
            return (StatusCode::UNPROCESSABLE_ENTITY, body).into_response();
        }
    };
    if app.plugins.get(&challenge).is_none() && !app.results.knows(&challenge) {
        let detail = format!("there is no challenge {challenge:?}");
        return Problem::new(StatusCode::NOT_FOUND, "unknown_challenge", detail).into_response();
    }
    let today = clock::day(clock::unix_now());
    let is_done = app.results.is_done(&challenge, &encrypted, &today);
    let found = app.results.get(&challenge, &encrypted);
    let body = answer(&encrypted, &found, is_done);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The answer, put together from commits that are JSON already: each ciphertext
/// once, in the order of the request.
fn answer(encrypted: &[String], found: &[Option<Arc<str>>], is_done: bool) -> String {
    let commits = found.iter().flatten().map(|json| json.len()).sum::<usize>();
    let names = encrypted.iter().map(|text| text.len() + 8).sum::<usize>();
    let mut body = String::with_capacity(commits + names + 128);
    body.push_str(
        r#"{"status":"success","message":"Scoring results retrieved successfully","data":{"commits":{"#,
    );
    let mut seen = HashSet::with_capacity(encrypted.len());
    for (encrypted, commit) in encrypted.iter().zip(found) {
        if !seen.insert(encrypted) {
            continue;
        }
        if seen.len() > 1 {
            body.push(',');
        }
        body.push_str(&Value::String(encrypted.clone()).to_string());
        body.push(':');
        body.push_str(commit.as_deref().unwrap_or("null"));
    }
    body.push_str(r#"},"is_done":"#);
    body.push_str(if is_done { "true}}" } else { "false}}" });
    body
}

/// Any other method, as FastAPI answers it.
pub(super) async fn method_not_allowed() -> impl IntoResponse {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "POST")],
        Json(json!({ "detail": "Method Not Allowed" })),
    )
}

/// Reads the request as FastAPI with pydantic 2 does; the problems are in its
/// shape.
fn read(body: &[u8]) -> Result<(String, Vec<String>), Vec<Value>> {
    if body.is_empty() {
        return Err(vec![problem(
            "missing",
            json!(["body"]),
            "Field required",
            Value::Null,
        )]);
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        vec![json!({
            "type": "json_invalid",
            "loc": ["body", error.column()],
            "msg": "JSON decode error",
            "input": {},
            "ctx": { "error": error.to_string() },
        })]
    })?;
    let Value::Object(fields) = &body else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        return Err(vec![problem(
            "model_attributes_type",
            json!(["body"]),
            message,
            body,
        )]);
    };
    let mut problems = Vec::new();
    let missing = |name: &str| {
        problem(
            "missing",
            json!(["body", name]),
            "Field required",
            body.clone(),
        )
    };
    let not_text = |at: Value, input: &Value| {
        problem(
            "string_type",
            at,
            "Input should be a valid string",
            input.clone(),
        )
    };
    let challenge = match fields.get("challenge_name") {
        Some(Value::String(name)) => name.clone(),
        Some(other) => {
            problems.push(not_text(json!(["body", "challenge_name"]), other));
            String::new()
        }
        None => {
            problems.push(missing("challenge_name"));
            String::new()
        }
    };
    let mut encrypted = Vec::new();
    let at = json!(["body", "encrypted_commits"]);
    match fields.get("encrypted_commits") {
        Some(Value::Array(list)) if list.len() > MAX_COMMITS => {
            let message = format!(
                "List should have at most {MAX_COMMITS} items after validation, not {}",
                list.len()
            );
            problems.push(problem("too_long", at, &message, Value::Null));
        }
        Some(Value::Array(list)) => {
            for (index, item) in list.iter().enumerate() {
                match item {
                    Value::String(text) => encrypted.push(text.clone()),
                    other => {
                        problems.push(not_text(json!(["body", "encrypted_commits", index]), other))
                    }
                }
            }
        }
        Some(other) => {
            problems.push(problem(
                "list_type",
                at,
                "Input should be a valid list",
                other.clone(),
            ));
        }
        None => problems.push(missing("encrypted_commits")),
    }
    if problems.is_empty() {
        Ok((challenge, encrypted))
    } else {
        Err(problems)
    }
}

fn problem(kind: &str, loc: Value, msg: &str, input: Value) -> Value {
    json!({ "type": kind, "loc": loc, "msg": msg, "input": input })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(body: &str) -> Value {
        read(body.as_bytes())
            .err()
            .map_or(Value::Null, Value::Array)
    }

    #[test]
    fn a_wrong_type_is_told_as_the_peer_tells_it() {
        assert_eq!(
            problems(r#"{"challenge_name":"c1","encrypted_commits":"x"}"#),
            json!([{"type": "list_type", "loc": ["body", "encrypted_commits"],
                "msg": "Input should be a valid list", "input": "x"}])
        );
        assert_eq!(
            problems(r#"{"challenge_name":1,"encrypted_commits":[2]}"#),
            json!([
                {"type": "string_type", "loc": ["body", "challenge_name"],
                    "msg": "Input should be a valid string", "input": 1},
                {"type": "string_type", "loc": ["body", "encrypted_commits", 0],
                    "msg": "Input should be a valid string", "input": 2},
            ])
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let body = r#"{"challenge_name":"c1"}"#;
        assert_eq!(
            problems(body),
            json!([{"type": "missing", "loc": ["body", "encrypted_commits"],
                "msg": "Field required", "input": {"challenge_name": "c1"}}])
        );
        assert_eq!(problems("")[0]["type"], "missing");
        assert_eq!(problems("[]")[0]["type"], "model_attributes_type");
        assert_eq!(problems("{")[0]["type"], "json_invalid");
    }

    #[test]
    fn an_answer_is_json_whatever_is_asked_for() {
        let asked = ["a", "\"", "a", "\n"].map(str::to_owned);
        let found = [Some(r#"{"x":1}"#.into()), None, Some("1".into()), None];
        let answer: Value = serde_json::from_str(&answer(&asked, &found, true)).unwrap();
        assert_eq!(
            answer["data"],
            json!({"commits": {"a": {"x": 1}, "\"": null, "\n": null}, "is_done": true})
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        let body =
            |n| json!({"challenge_name": "c", "encrypted_commits": vec!["x"; n]}).to_string();
        assert_eq!(problems(&body(MAX_COMMITS)), Value::Null);
        assert_eq!(problems(&body(MAX_COMMITS + 1))[0]["type"], "too_long");
    }
}
