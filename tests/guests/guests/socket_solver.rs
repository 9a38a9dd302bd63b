//! A submission that calls home. Merely naming sockets makes it import them.

use proctor_sdk::Solver;
use serde_json::Value;

struct Socket;

impl Solver for Socket {
    type Task = Value;
    type Solution = ();

    fn solve(_: Value) -> Result<(), String> {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").map_err(|error| error.to_string())?;
        socket
            .send_to(b"task", "127.0.0.1:9")
            .map_err(|error| error.to_string())?;
        Ok(())
    }
}

proctor_sdk::export_solver!(Socket);
