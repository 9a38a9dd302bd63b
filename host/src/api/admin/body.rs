//! Bodies of requests: JSON, with what is wrong told by field.

use super::super::problem::Problem;
use crate::registry::FieldProblem;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A body of JSON, an object of known fields. Of `T` it wants
/// `deny_unknown_fields`. Nulls are refused, as an `Option` of `T` would take one for
/// a field that is not there.
///
/// Answers 415 `unsupported_media_type`, 413 `body_rejected`, 400 `invalid_json` with
/// the place, 422 `invalid_fields` with the field.
#[derive(Debug)]
pub(in crate::api) struct JsonBody<T>(pub(in crate::api) T);

/// The same, but a request may have no body at all, or null.
#[derive(Debug)]
pub(in crate::api) struct MaybeJson<T>(pub(in crate::api) T);

/// A body of JSON, an object of whatever fields, nulls included.
#[derive(Debug)]
pub(in crate::api) struct JsonMap(pub(in crate::api) Map<String, Value>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        is_json(request.headers())?;
        fields(&bytes(request, state).await?).map(JsonBody)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() {
            return Ok(MaybeJson(T::default()));
        }
        is_json?;
        if bytes.trim_ascii() == b"null" {
            return Ok(MaybeJson(T::default()));
        }
        fields(&bytes).map(MaybeJson)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonMap {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        is_json(request.headers())?;
        object(&bytes(request, state).await?).map(JsonMap)
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    // JSON is UTF-8, and other parameters it has none.
    let is_utf8 = ["", "charset=utf-8", "charset=\"utf-8\""].contains(&parameters.as_str());
    if kind.trim().eq_ignore_ascii_case("application/json") && is_utf8 {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let detail = "the body must be application/json";
    Err(Problem::new(status, "unsupported_media_type", detail))
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|error| Problem::new(error.status(), "body_rejected", error.body_text()))
}

/// Any object.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(invalid("", "must be an object")),
        Err(error) => Err(Problem::bad_request("invalid_json", error.to_string())),
    }
}

/// An object as `T`.
fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // All of it first, so that what is no JSON is not taken for a wrong field.
    let map = object(bytes)?;
    let nulls = map.iter().filter(|(_, value)| value.is_null());
    let nulls: Vec<FieldProblem> = nulls
        .map(|(field, _)| FieldProblem::new(field, "may not be null"))
        .collect();
    if !nulls.is_empty() {
        return Err(Problem::invalid(nulls));
    }
    // From the text, so that a field that is there twice is seen.
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        let message = error.inner().to_string();
        match of_field(&message) {
            Some((field, message)) if path.is_empty() => invalid(field, message),
            Some((field, message)) => invalid(&format!("{path}.{field}"), message),
            None => invalid(path, plain(&message)),
        }
    })
}

fn invalid(field: &str, message: &str) -> Problem {
    Problem::invalid(vec![FieldProblem::new(field, message)])
}

/// The field that a message of serde is about that is told with the path of what it
/// is in.
fn of_field(message: &str) -> Option<(&str, &str)> {
    let told = [
        ("missing field `", "is missing"),
        ("duplicate field `", "is there twice"),
    ];
    told.into_iter().find_map(|(begin, told)| {
        let (field, _) = message.strip_prefix(begin)?.split_once('`')?;
        Some((field, told))
    })
}

/// A message of serde without the place in the text, which the path tells better.
fn plain(message: &str) -> &str {
    message.split_once(" at line ").map_or(message, |(m, _)| m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        fuel: u64,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        percent: Option<f64>,
        #[serde(default)]
        limits: Vec<Inner>,
    }

    async fn post<T: FromRequest<(), Rejection = Problem>>(
        kind: &str,
        body: impl Into<axum::body::Body>,
    ) -> Result<T, Problem> {
        let request = Request::post("/").header("content-type", kind);
        T::from_request(request.body(body.into()).unwrap(), &()).await
    }

    /// What is wrong with a body: the code, and of each field its name and what is
    /// wrong.
    async fn wrong(body: &str) -> (u16, &'static str, Vec<(String, String)>) {
        let problem = post::<JsonBody<Outer>>("application/json", body.to_owned())
            .await
            .unwrap_err();
        let errors = problem.errors.into_iter();
        let errors = errors.map(|error| (error.field, error.message)).collect();
        (problem.status.as_u16(), problem.code, errors)
    }

    #[tokio::test]
    async fn only_json_is_read() {
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            let JsonMap(map) = post(kind, "{\"a\": null}").await.unwrap();
            assert_eq!(Value::Object(map), json!({"a": null}));
        }
        for kind in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "application/json; charset=utf-16",
            "text/plain; application/json",
            "application/json, text/plain",
        ] {
            let problem = post::<JsonMap>(kind, "{}").await.unwrap_err();
            assert_eq!(problem.status, 415, "{kind}");
            assert_eq!(problem.code, "unsupported_media_type");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_is_told_with_its_place() {
        let deep = "[".repeat(1_000);
        for body in [
            "",
            "{",
            "{\"name\": }",
            "{} {}",
            "{\"name\": \"a\",}",
            "{\"percent\": NaN}",
            "{'name': 1}",
            deep.as_str(),
            // Wrong in two ways: it is no JSON in the first place.
            "{\"name\": 7, ",
        ] {
            let body = body.to_owned();
            let sent = post::<JsonBody<Outer>>("application/json", body.clone());
            let problem = sent.await.unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.code),
                (400, "invalid_json")
            );
            assert!(
                problem.detail.contains("at line 1 column "),
                "{body}: {problem:?}"
            );
        }
        let latin = b"{\"name\": \"\xe9\"}".to_vec();
        let problem = post::<JsonMap>("application/json", latin)
            .await
            .unwrap_err();
        assert_eq!(problem.code, "invalid_json");
        let late = post::<JsonMap>("application/json", "{\n\n \"a\": x}").await;
        assert!(late.unwrap_err().detail.contains("line 3 column 7"));
    }

    #[tokio::test]
    async fn each_wrong_field_is_named_with_its_path() {
        for (body, field, message) in [
            ("[]", "", "must be an object"),
            ("\"text\"", "", "must be an object"),
            ("{}", "name", "is missing"),
            (
                "{\"name\": 7}",
                "name",
                "invalid type: integer `7`, expected a string",
            ),
            (
                "{\"name\": \"a\", \"nome\": 7}",
                "nome",
                "unknown field `nome`, expected one of `name`, `percent`, `limits`",
            ),
            (
                "{\"name\": \"a\", \"name\": \"b\"}",
                "name",
                "is there twice",
            ),
            (
                "{\"name\": \"a\", \"limits\": [{\"fuel\": 1}, {\"fuel\": -1}]}",
                "limits[1].fuel",
                "invalid value: integer `-1`, expected u64",
            ),
            (
                "{\"name\": \"a\", \"limits\": [{}]}",
                "limits[0].fuel",
                "is missing",
            ),
            (
                "{\"name\": \"a\", \"limits\": [{\"fuel\": null}]}",
                "limits[0].fuel",
                "invalid type: null, expected u64",
            ),
        ] {
            let expected = vec![(field.to_owned(), message.to_owned())];
            assert_eq!(
                wrong(body).await,
                (422, "invalid_fields", expected),
                "{body}"
            );
        }
        let (_, _, nulls) = wrong("{\"name\": null, \"percent\": null}").await;
        let nulls: Vec<_> = nulls.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(nulls, ["name", "percent"]);
        // Python writes it, and it is no number of JSON.
        assert_eq!(wrong("{\"percent\": 1e999}").await.0, 400);
    }

    #[tokio::test]
    async fn a_body_may_be_left_out_where_that_is_said() {
        let MaybeJson::<Outer>(outer) = post("", "").await.unwrap();
        assert_eq!(outer, Outer::default());
        let MaybeJson::<Outer>(outer) = post("application/json", " null\n").await.unwrap();
        assert_eq!(outer, Outer::default());
        let MaybeJson(outer) = post::<MaybeJson<Outer>>("application/json", "{\"name\": \"a\"}")
            .await
            .unwrap();
        assert_eq!(outer.name, "a");
        let problem = post::<MaybeJson<Outer>>("", "{}").await.unwrap_err();
        assert_eq!(problem.status, 415);
        let problem = post::<JsonBody<Outer>>("application/json", "").await;
        assert_eq!(problem.unwrap_err().code, "invalid_json");
    }
}
