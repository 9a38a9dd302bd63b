//! A challenge that calls home, as its setting `reach` or the path of a request says: see
//! [`reach`](hostile_guests::reach).
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

use hostile_guests::reach;
use proctor_sdk::routes::{Body, Problem, Request, Response, Routes};
use proctor_sdk::{Challenge, ChallengeError, Context, HotkeyWeight, Standing, Weights};
use serde_json::Value;

struct Socket(String);

impl Challenge for Socket {
    type Settings = Value;
    const NAME: &'static str = "socket";
    const VERSION: &'static str = "0.1.0";

    fn new(settings: Value) -> Self {
        Socket(settings["reach"].as_str().unwrap_or_default().to_owned())
    }
}

impl Weights for Socket {
    /// Fails with what it saw.
    fn get_weights(
        &self,
        _: &Context<'_>,
        _: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        Err(ChallengeError::Internal(reach(&self.0).to_string()))
    }
}

impl Routes for Socket {
    /// The path is the act.
    fn handle(&self, _: &Context<'_>, request: Request) -> Result<Response, Problem> {
        let seen = reach(request.uri().path().trim_start_matches('/'));
        Ok(Response::new(Body::json(&seen)?))
    }
}

proctor_sdk::export!(Socket: weights, routes);
