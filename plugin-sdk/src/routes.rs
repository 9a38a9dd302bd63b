//! The capability `proxy_routes`: HTTP routes of a challenge's own, below
//! `/challenges/{slug}` of the host.
//!
//! ```
//! # use proctor_sdk::*;
//! use proctor_sdk::routes::{Body, Problem, Request, Response, Routes};
//! use proctor_sdk::testing::Harness;
//! # #[derive(Default, serde::Deserialize, JsonSchema)]
//! # #[serde(crate = "proctor_sdk::serde")]
//! # #[schemars(crate = "proctor_sdk::schemars")]
//! # struct Settings {}
//! # struct Sum;
//! # impl Challenge for Sum {
//! #     type Settings = Settings;
//! #     const NAME: &'static str = "sum";
//! #     const VERSION: &'static str = "0.1.0";
//! #     fn new(_: Settings) -> Self { Sum }
//! # }
//! impl Routes for Sum {
//!     fn handle(&self, context: &Context<'_>, request: Request) -> Result<Response, Problem> {
//!         match request.uri().path() {
//!             "/best" => {
//!                 let best = context.standings().first().map(|standing| standing.score);
//!                 Ok(Response::new(Body::json(&best)?))
//!             }
//!             _ => Err(Problem::not_found()),
//!         }
//!     }
//! }
//!
//! let request = http::Request::get("/best").body(Vec::new()).unwrap();
//! let response = Harness::<Sum>::new().request(request);
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers()["content-type"], "application/json");
//! assert_eq!(response.body(), b"null");
//! ```

mod body;
mod fetch;
mod identity;
mod problem;
mod stream;
#[cfg(target_family = "wasm")]
mod wasi;

use crate::context::Context;
use crate::{Challenge, settings};
use http::header::{CONTENT_TYPE, HeaderValue};

pub use crate::bindings::routes::proctor::challenge::submissions::{SubmitError, Submitted};
pub use body::{Body, IncomingBody};
pub use fetch::{FetchError, fetch};
pub use identity::{Artifact, Signer, upload, verified};
pub use problem::Problem;
pub use stream::BodyWriter;

pub(crate) use body::Content;
#[cfg(not(target_family = "wasm"))]
pub(crate) use fetch::with_outbound;
pub(crate) use stream::Client;

/// A request for one of the challenge's routes. Its URI is the path below
/// `/challenges/{slug}`, at least `/`, with the query as it came.
pub type Request = http::Request<IncomingBody>;

/// What a route answers.
pub type Response = http::Response<Body>;

/// The capability `proxy_routes`.
///
/// A call of `handle` is not deterministic, and no score comes of it: clocks and
/// random numbers are real, as are the context's time and seed, and secrets are in
/// the environment. Its database and its directory are those that scored calls see.
pub trait Routes: Challenge {
    /// Answers one request.
    ///
    /// The host has checked the path and limited the size of headers and body. It
    /// stops a handler that takes too long or too much memory, and many may run at
    /// the same time.
    ///
    /// Errors: a [`Problem`], which is answered as it says. `?` makes one of
    /// [`ChallengeError`](crate::ChallengeError), of
    /// [`DatabaseError`](crate::DatabaseError) and of [`SubmitError`].
    fn handle(&self, context: &Context<'_>, request: Request) -> Result<Response, Problem>;
}

/// Reads the settings and has the challenge answer. What a client is not told of
/// a failure is logged.
pub(crate) fn answer<C: Routes>(json: &str, context: &Context<'_>, request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let answer = settings::call(json, context, |challenge: C, context| {
        Ok(challenge.handle(context, request))
    });
    let mut response = answer
        .map_err(Problem::from)
        .flatten()
        .unwrap_or_else(|problem| {
            if let Some(cause) = problem.cause() {
                eprintln!("{asked}: {cause}");
            }
            problem.into_response()
        });
    if let Some(content_type) = response.body().content_type() {
        let content_type = HeaderValue::from_static(content_type);
        response
            .headers_mut()
            .entry(CONTENT_TYPE)
            .or_insert(content_type);
    }
    response
}

#[cfg(test)]
mod tests;
