//! Answers, compared with an OpenAPI document.

use super::Answer;
use super::input::resolve;
use serde_json::{Value, json};

/// Codes of what is refused before a handler is asked, or by all of them alike. They
/// are not in the document at every operation.
const OF_ALL: [&str; 11] = [
    "body_rejected",
    "invalid_idempotency_key",
    "invalid_if_match",
    "invalid_json",
    "invalid_path",
    "invalid_query",
    "locked_out",
    "method_not_allowed",
    "not_found",
    "unauthorized",
    "unsupported_media_type",
];

/// What is not as it should be.
pub(super) fn faults(document: &Value, operation: &Value, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |text: String| {
        let body = String::from_utf8_lossy(&answer.body);
        let body: String = body.chars().take(400).collect();
        faults.push(format!("{} {text}: {body}", answer.status));
    };
    let status = answer.status.to_string();
    let described = operation["responses"].get(&status);
    let kind = answer
        .headers
        .get("content-type")
        .map_or("", String::as_str);
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let is_problem = essence == "application/problem+json";
    if is_problem {
        let problem = json.as_ref();
        let field = |name: &str| problem.map_or(&Value::Null, |problem| &problem[name]);
        let whole = ["type", "title", "code", "detail"]
            .iter()
            .all(|name| field(name).is_string());
        if !whole || field("status") != answer.status {
            fault("is no whole problem".to_owned());
        }
        if field("detail")
            .as_str()
            .is_some_and(|detail| detail.len() > 20_000)
        {
            fault("repeats too much".to_owned());
        }
    }
    match answer.status {
        500.. if described.is_none() || answer.status == 500 => fault("is the host's fault".into()),
        503 if !answer.headers.contains_key("retry-after") => fault("has no Retry-After".into()),
        400.. if described.is_none() => {
            let code = json.as_ref().and_then(|json| json["code"].as_str());
            let of_all = code.is_some_and(|code| OF_ALL.contains(&code));
            // What is no HTTP is refused by the library, without a body.
            let no_http = answer.status == 400 && answer.body.is_empty() && kind.is_empty();
            if !(is_problem && of_all || no_http) {
                fault("is not described".to_owned());
            }
        }
        _ if described.is_none() => fault("is not described".to_owned()),
        _ => {}
    }
    if answer.headers.contains_key("x-injected") {
        fault("has a header of the request's making".to_owned());
    }
    let Some(content) = described.and_then(|described| described["content"].as_object()) else {
        let bodiless = matches!(answer.status, 204 | 304);
        if bodiless && !answer.body.is_empty() {
            fault("has a body".to_owned());
        }
        return faults;
    };
    // Some statuses have several bodies, of which one is described.
    let Some(content) = content.get(essence) else {
        let code = json.as_ref().and_then(|json| json["code"].as_str());
        if !(is_problem && code.is_some_and(|code| OF_ALL.contains(&code))) {
            fault(format!(
                "is {kind:?}, not {:?}",
                content.keys().collect::<Vec<_>>()
            ));
        }
        return faults;
    };
    if let Some(json) = json.filter(|_| essence.ends_with("json")) {
        let schema = resolve(document, &content["schema"]);
        if let Err(text) = fits(document, schema, &json, "body") {
            fault(text);
        }
    } else if essence.ends_with("json") {
        fault("is no JSON".to_owned());
    }
    faults
}

/// Whether a value is one of a schema, as far as the host's schemas go.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(document, schema);
    for choice in ["oneOf", "anyOf"] {
        if let Some(all) = schema[choice].as_array() {
            let fitting = all.iter().map(|schema| fits(document, schema, value, at));
            let faults: Vec<String> = fitting.filter_map(Result::err).collect();
            if faults.len() == all.len() {
                return Err(faults.join(", and "));
            }
        }
    }
    if let Some(all) = schema["allOf"].as_array() {
        for part in all {
            fits(document, part, value, at)?;
        }
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Err(format!("{at} is {value}, none of {values:?}"));
    }
    let is_a = |kind: &Value| match kind.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => true,
    };
    let right = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is_a),
        kind => is_a(kind),
    };
    if !right {
        return Err(format!("{at} is {value}, not {}", schema["type"]));
    }
    match value {
        Value::Object(fields) => {
            for required in schema["required"].as_array().into_iter().flatten() {
                let name = required.as_str().unwrap_or_default();
                if !fields.contains_key(name) {
                    return Err(format!("{at} has no {name}"));
                }
            }
            let properties = schema["properties"].as_object();
            let others = &schema["additionalProperties"];
            for (name, value) in fields {
                let property = properties.and_then(|properties| properties.get(name));
                let at = format!("{at}.{name}");
                if property.is_none() && *others == false {
                    return Err(format!("{at} is not described"));
                }
                fits(document, property.unwrap_or(others), value, &at)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                fits(document, &schema["items"], item, &format!("{at}[]"))?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[test]
fn what_is_not_as_described_is_found() {
    let document = json!({ "components": { "schemas": {
        "Thing": { "type": "object", "required": ["a"], "properties": {
            "a": { "type": ["integer", "null"] },
            "d": { "$ref": "#/components/schemas/Closed" },
            "b": { "type": "array", "items": { "$ref": "#/components/schemas/Other" } },
        } },
        "Closed": { "additionalProperties": false, "properties": { "a": {} } },
        "Other": { "oneOf": [{ "type": "string", "enum": ["x"] }, { "type": "boolean" }] },
    } } });
    let thing = json!({ "$ref": "#/components/schemas/Thing" });
    let operation = json!({ "responses": {
        "200": { "content": { "application/json": { "schema": thing } } },
        "204": {},
        "503": { "content": { "application/problem+json": {} } },
    } });
    let found = |status, kind: &str, body: &str| {
        let headers = [("content-type".to_owned(), kind.to_owned())];
        let answer = Answer {
            status,
            headers: headers.into(),
            body: body.as_bytes().to_vec(),
        };
        faults(&document, &operation, &answer).len()
    };
    let json = "application/json";
    for body in [r#"{"a": 1}"#, r#"{"a": null, "b": ["x", true], "c": {}}"#] {
        assert_eq!(found(200, json, body), 0, "{body}");
    }
    for body in [
        "",
        "[]",
        "{}",
        r#"{"a": "1"}"#,
        r#"{"a": 1, "b": ["y"]}"#,
        r#"{"a": 1, "d": {"b": 1}}"#,
    ] {
        assert_eq!(found(200, json, body), 1, "{body}");
    }
    assert_eq!(found(200, "text/plain", r#"{"a": 1}"#), 1, "another type");
    assert_eq!(found(201, json, r#"{"a": 1}"#), 1, "another status");
    assert_eq!(found(204, "", ""), 0);
    assert_eq!(found(204, "", "x"), 1, "a body");
    let problem = |status: u16, code: &str| {
        let body = json!({
            "type": "about:blank", "title": "", "status": status, "code": code, "detail": "",
        });
        found(status, "application/problem+json", &body.to_string())
    };
    assert_eq!(problem(404, "not_found"), 0, "of all");
    assert_eq!(problem(404, "unknown_thing"), 1, "not described");
    assert_eq!(problem(503, "unavailable"), 1, "no Retry-After");
    assert_eq!(problem(500, "internal"), 1, "never");
    assert_eq!(problem(502, "no_gateway"), 1, "not described");
    assert_eq!(
        found(404, "application/problem+json", "{}"),
        2,
        "no problem"
    );
}
