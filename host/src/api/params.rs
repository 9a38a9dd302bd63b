//! Reading what a path or a query says, with problem details for what is wrong.

use super::App;
use super::problem::Problem;
use crate::clock;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query of a request. Unknown keys are ignored.
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
            Err(error) => Err(Problem::bad_request("invalid_path", error.body_text())),
        }
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
