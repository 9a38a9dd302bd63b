//! Queries that are only what they can be: of a slip such as `?dryrun=true` nothing is
//! done, where without this all would be.

use crate::api::problem::Problem;
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

/// Characters of a key that are told back.
const MOST_TOLD: usize = 64;

/// The keys that each operation knows, as the document has them.
#[derive(Debug)]
pub(super) struct Queries(HashMap<(Method, String), Vec<String>>);

impl Queries {
    pub(super) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter();
        let operations = paths.flat_map(|(path, item)| {
            operations(item).map(|(method, operation)| ((method, path.clone()), keys(operation)))
        });
        Queries(operations.collect())
    }

    /// # Errors
    ///
    /// 400 `invalid_query` with the first key that the operation does not know.
    fn check(&self, method: &Method, path: &str, uri: &Uri) -> Result<(), Problem> {
        let method = match *method {
            Method::HEAD => Method::GET,
            ref method => method.clone(),
        };
        // Of what is no operation there is nothing to be done either.
        let Some(known) = self.0.get(&(method, path.to_owned())) else {
            return Ok(());
        };
        let invalid = |detail| Problem::bad_request("invalid_query", detail);
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(pairs) = pairs.map_err(|error| invalid(error.body_text()))?;
        let Some((key, _)) = pairs.into_iter().find(|(key, _)| !known.contains(key)) else {
            return Ok(());
        };
        let told: String = key.chars().take(MOST_TOLD).collect();
        Err(invalid(match known.is_empty() {
            true => format!("{told:?} is not known: there is nothing to be said in the query"),
            false => format!("{told:?} is not known, only {}", known.join(", ")),
        }))
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    let all = all.into_iter();
    all.filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn keys(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let queried = parameters.filter_map(|parameter| match parameter {
        RefOr::T(given) if matches!(given.parameter_in, ParameterIn::Query) => Some(&given.name),
        _ => None,
    });
    queried.cloned().collect()
}

/// Answers 400 `invalid_query` if there is a key that the route does not know.
pub(super) async fn known(
    State(queries): State<Arc<Queries>>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    match queries.check(request.method(), path.as_str(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_that_the_operation_does_not_have_is_named() {
        let query = json!([
            { "name": "a", "in": "query", "required": false },
            { "name": "Idempotency-Key", "in": "header", "required": false },
        ]);
        let document: OpenApi = serde_json::from_value(json!({
            "openapi": "3.1.0", "info": { "title": "", "version": "" },
            "paths": { "/x/{id}": {
                "get": { "responses": {} },
                "post": { "parameters": query, "responses": {} },
            } },
        }))
        .unwrap();
        let queries = Queries::of(&document);
        let check = |method: Method, query: &str| {
            let uri = format!("/x/7{query}").parse().unwrap();
            queries.check(&method, "/x/{id}", &uri)
        };
        for query in ["", "?", "?a", "?a=1", "?%61=1", "?a=1&a=2", "?&"] {
            assert_eq!(check(Method::POST, query), Ok(()), "{query}");
        }
        for (method, query, key) in [
            (Method::POST, "?b=1", "\"b\""),
            (Method::POST, "?a=1&A=1", "\"A\""),
            (Method::POST, "?=1", "\"\""),
            (Method::POST, "?Idempotency-Key=1", "\"Idempotency-Key\""),
            (Method::GET, "?a=1", "\"a\""),
            (Method::HEAD, "?a=1", "\"a\""),
        ] {
            let problem = check(method, query).unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.code),
                (400, "invalid_query")
            );
            assert!(problem.detail.starts_with(key), "{query}: {problem:?}");
        }
        // That is another answer's: 405.
        assert_eq!(check(Method::PUT, "?b=1"), Ok(()));
    }
}
