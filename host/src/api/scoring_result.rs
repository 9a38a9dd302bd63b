//! The route that validators of the replaced scoring API call. Its shapes are
//! those of that API, errors included, so that they need not change.

use super::App;
use super::json_error::json_error;
use super::long_answer::LongAnswer;
use super::problem::{Problem, ProblemDetails};
use crate::clock;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// Ciphertexts in one request, at most.
const MAX_COMMITS: usize = 10_000;

/// What is asked for.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct ScoringResultRequest {
    /// The challenge.
    challenge_name: String,
    /// What miners published; at most 10 000.
    #[schema(max_items = 10_000)]
    encrypted_commits: Vec<String>,
}

/// What is known.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct ScoringResultAnswer {
    /// Always `success`.
    status: String,
    /// For people.
    message: String,
    data: ScoringResultData,
}

/// The commits that were asked for.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct ScoringResultData {
    /// Each by its ciphertext; null where nothing is known. The fields are those of
    /// the replaced API: `miner_uid`, `miner_hotkey`, `challenge_name`,
    /// `docker_hub_id`, `commit_timestamp`, `encrypted_commit`, `key`, `commit`,
    /// `scoring_logs`, `comparison_logs`, `scored_timestamp`, `score`, `penalty`,
    /// `accepted`. The last four are null before the day is final.
    commits: BTreeMap<String, Option<BTreeMap<String, Value>>>,
    /// Whether today's finalization has run, and none of these still waits for it.
    is_done: bool,
}

/// What is wrong with a request, as FastAPI says it.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct ValidationProblems {
    detail: Vec<BTreeMap<String, Value>>,
}

/// What is known of commits, for validators of the replaced API
///
/// From memory; never waits for scoring.
#[utoipa::path(
    post,
    path = "/get_scoring_result",
    tag = "compatibility",
    request_body = ScoringResultRequest,
    responses(
        (status = 200, body = ScoringResultAnswer, description = "What is known"),
        (status = 400, description = "The body is not text, or is nested too deep; the shape is \
            FastAPI's, with a text as `detail`"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json",
            description = "Only where `public.signed_results` is set: `missing_header`, \
                `malformed_header`, `stale`, `bad_signature`"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json",
            description = "Likewise: `not_registered`, `stake_too_low`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`body_rejected`: it is too large"),
        (status = 422, body = ValidationProblems, description = "The request is malformed"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn get_scoring_result(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let (status, detail) = (rejection.status(), rejection.body_text());
            return Problem::new(status, "body_rejected", detail).into_response();
        }
    };
    if app.config.public.signed_results
        && let Err(problem) = app.signer(&headers, &body)
    {
        return problem.into_response();
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.map(|kind| kind.to_str().unwrap_or_default());
    let (challenge, encrypted) = match read(kind, &body) {
        Ok(asked) => asked,
        Err(Malformed::Unreadable) => {
            let body = Json(json!({ "detail": "There was an error parsing the body" }));
            return (StatusCode::BAD_REQUEST, body).into_response();
        }
        Err(Malformed::Problems(problems)) => {
            let body = Json(json!({ "detail": problems }));
            return (StatusCode::UNPROCESSABLE_ENTITY, body).into_response();
        }
    };
    if let Err(problem) = app.known_challenge(&challenge) {
        return problem.into_response();
    }
    let today = clock::day(clock::unix_now());
    let is_done = app.results().is_done(&challenge, &encrypted, &today);
    let found = app.results().get(&challenge, &encrypted);
    let body = LongAnswer::new(answer(&encrypted, found, is_done));
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, Body::new(body)).into_response()
}

/// The texts of the answer, among them commits that are JSON already: each ciphertext
/// once, in the order of the request.
fn answer(encrypted: &[String], found: Vec<Option<Arc<str>>>, is_done: bool) -> Vec<Arc<str>> {
    let mut texts: Vec<Arc<str>> = Vec::with_capacity(2 * encrypted.len() + 2);
    texts.push(
        r#"{"status":"success","message":"Scoring results retrieved successfully","data":{"commits":{"#
            .into(),
    );
    let null: Arc<str> = "null".into();
    let mut seen = HashSet::with_capacity(encrypted.len());
    for (encrypted, commit) in encrypted.iter().zip(found) {
        if !seen.insert(encrypted) {
            continue;
        }
        let comma = if seen.len() > 1 { "," } else { "" };
        let name = Value::String(encrypted.clone());
        texts.push(format!("{comma}{name}:").into());
        texts.push(commit.unwrap_or_else(|| Arc::clone(&null)));
    }
    texts.push(format!(r#"}},"is_done":{is_done}}}}}"#).into());
    texts
}

/// Any other method, as FastAPI answers it.
pub(super) async fn method_not_allowed() -> impl IntoResponse {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "POST")],
        Json(json!({ "detail": "Method Not Allowed" })),
    )
}

/// Why a request is not answered.
#[derive(Debug)]
enum Malformed {
    /// What Python would not read either.
    Unreadable,
    /// What FastAPI tells of it.
    Problems(Vec<Value>),
}

/// Reads the request as FastAPI 0.115 with pydantic 2.11 does; the problems are in
/// its shape. `kind` is the content type.
fn read(kind: Option<&str>, body: &[u8]) -> Result<(String, Vec<String>), Malformed> {
    let no_body = || {
        let problem = problem("missing", json!(["body"]), "Field required", Value::Null);
        Malformed::Problems(vec![problem])
    };
    if body.is_empty() {
        return Err(no_body());
    }
    let text = std::str::from_utf8(body).map_err(|_| Malformed::Unreadable)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body = if kind.is_none_or(is_json) {
        serde_json::from_str(text).map_err(|_| not_json(text))?
    } else {
        Value::from(text)
    };
    if body.is_null() {
        return Err(no_body());
    }
    let Value::Object(fields) = &body else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        let problem = problem("model_attributes_type", json!(["body"]), message, body);
        return Err(Malformed::Problems(vec![problem]));
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
        Err(Malformed::Problems(problems))
    }
}

/// Whether a content type is JSON: `application/json`, or any that ends so.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/")
        .is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

fn not_json(text: &str) -> Malformed {
    // What only Python reads (NaN, half a surrogate pair) is refused all the same.
    let Some(error) = json_error(text) else {
        return Malformed::Unreadable;
    };
    Malformed::Problems(vec![json!({
        "type": "json_invalid",
        "loc": ["body", error.at],
        "msg": "JSON decode error",
        "input": {},
        "ctx": { "error": error.message },
    })])
}

fn problem(kind: &str, loc: Value, msg: &str, input: Value) -> Value {
    json!({ "type": kind, "loc": loc, "msg": msg, "input": input })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(body: &str) -> Value {
        match read(None, body.as_bytes()) {
            Ok(_) => Value::Null,
            Err(Malformed::Problems(problems)) => problems.into(),
            Err(Malformed::Unreadable) => "unreadable".into(),
        }
    }

    /// Answers of FastAPI 0.115.12 with pydantic 2.11.10 on Python 3.11 to a model
    /// of these two fields. A 500 is a failure of its own, which is not repeated.
    #[test]
    fn what_is_wrong_is_told_as_the_peer_tells_it() {
        let golden = include_str!("../../../tests/golden/validation_errors.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        let cases = golden["cases"].as_array().unwrap();
        assert!(cases.len() > 50);
        for case in cases {
            let kind = case["content_type"].as_str();
            let text = case["body"].as_str().unwrap();
            let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
            let told = match read(kind, &bytes) {
                Ok(_) => json!(200),
                Err(Malformed::Problems(problems)) => json!({ "detail": problems }),
                Err(Malformed::Unreadable) => json!(400),
            };
            let expected = match case["status"].as_u64().unwrap() {
                422 => serde_json::from_str(case["answer"].as_str().unwrap()).unwrap(),
                // Ours is the client's fault.
                500 => json!(400),
                status => json!(status),
            };
            assert_eq!(told, expected, "{case}");
        }
    }

    #[test]
    fn an_answer_is_json_whatever_is_asked_for() {
        let asked = ["a", "\"", "a", "\n"].map(str::to_owned);
        let found = vec![Some(r#"{"x":1}"#.into()), None, Some("1".into()), None];
        let answer: Value = serde_json::from_str(&answer(&asked, found, true).concat()).unwrap();
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
