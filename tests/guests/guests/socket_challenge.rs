//! A challenge that calls home. Merely naming sockets makes it import them.

use proctor_sdk::{Challenge, ChallengeError, Context, HotkeyWeight, Standing, Weights};
use serde_json::Value;

struct Socket;

impl Challenge for Socket {
    type Settings = Value;
    const NAME: &'static str = "socket";
    const VERSION: &'static str = "0.1.0";

    fn new(_: Value) -> Self {
        Socket
    }
}

impl Weights for Socket {
    fn get_weights(
        &self,
        _: &Context<'_>,
        _: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        match std::net::TcpStream::connect("127.0.0.1:9") {
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(ChallengeError::Internal(error.to_string())),
        }
    }
}

proctor_sdk::export!(Socket: weights);
