//! Reading what a path or a query says, with problem details for what is wrong.

use super::App;
use super::problem::Problem;
use crate::clock;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query of a request. Unknown keys are ignored, but not on the private listener.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(error) => Err(Problem::bad_request("invalid_query", error.body_text())),
        }
    }
}

/// The variable parts of a path.
#[derive(Debug)]
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Segments(segments)),
            Err(error) => Err(Problem::bad_request("invalid_path", wrong(&error))),
        }
    }
}

/// What is wrong with a path, in words that are not those of the language it is read
/// with.
fn wrong(error: &PathRejection) -> String {
    let PathRejection::FailedToDeserializePathParams(failed) = error else {
        return error.body_text();
    };
    match failed.kind() {
        ErrorKind::ParseErrorAtKey { key, value, .. } => {
            format!("{key} must be a number, and is {value:?}")
        }
        ErrorKind::ParseErrorAtIndex { value, .. } | ErrorKind::ParseError { value, .. } => {
            format!("{value:?} must be a number")
        }
        _ => error.body_text(),
    }
}

impl App {
    /// That a challenge is active, or was ever scored.
    pub(super) fn known_challenge(&self, challenge: &str) -> Result<(), Problem> {
        if self.plugins.get(challenge).is_some() || self.results().knows(challenge) {
            Ok(())
        } else {
            Err(Problem::unknown_challenge(challenge))
        }
    }
}

/// Whether this is a day as it is written everywhere.
pub(super) fn is_day(text: &str) -> bool {
    clock::start_of_day(text).is_some_and(|start| clock::day(start) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::routing::get;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_path_that_wants_a_number_says_so() {
        #[derive(serde::Deserialize)]
        struct Named {
            #[serde(rename = "id")]
            _id: i64,
        }
        let router = Router::new()
            .route("/one/{id}", get(async |_: Segments<u16>| ()))
            .route(
                "/two/{slug}/{id}",
                get(async |_: Segments<(String, i64)>| ()),
            )
            .route("/named/{id}", get(async |_: Segments<Named>| ()));
        for path in ["/one/a", "/one/65536", "/two/a/b", "/named/a"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 400, "{path}");
            let body = to_bytes(answer.into_body(), 4_096).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["code"], "invalid_path");
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("must be a number"), "{path}: {detail}");
            assert!(
                !detail.contains("i64") && !detail.contains("u16"),
                "{detail}"
            );
        }
    }
}
