//! A challenge whose routes do what the header `x-act` of the request says: `do` is
//! an [`Act`](hostile_guests::Act), or one of the acts of the handler, and other
//! fields how. What was seen is the answer, as JSON.
//!
//! In a scored call it does with requests what its settings say.
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

#[cfg(target_family = "wasm")]
#[path = "routes_challenge/handler.rs"]
mod handler;
#[cfg(target_family = "wasm")]
#[path = "routes_challenge/outgoing.rs"]
mod outgoing;

use proctor_sdk::{Challenge, ChallengeError, Context, HotkeyWeight, Standing, Weights};
use serde_json::Value;

struct Routes(Value);

impl Challenge for Routes {
    type Settings = Value;
    const NAME: &'static str = "routes";
    const VERSION: &'static str = "0.1.0";

    fn new(settings: Value) -> Self {
        Routes(settings)
    }
}

impl Weights for Routes {
    /// Fails with what it saw.
    fn get_weights(
        &self,
        _: &Context<'_>,
        _: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        let seen = perform(&self.0);
        Err(ChallengeError::Internal(seen.to_string()))
    }
}

#[cfg(target_family = "wasm")]
fn perform(act: &Value) -> Value {
    handler::perform(act)
}

#[cfg(not(target_family = "wasm"))]
fn perform(act: &Value) -> Value {
    act["do"].clone()
}

proctor_sdk::export!(Routes: weights);
