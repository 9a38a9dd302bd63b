//! A submission that calls home, as its task says: see [`reach`](hostile_guests::reach).

use hostile_guests::reach;
use proctor_sdk::Solver;
use serde_json::Value;

struct Socket;

impl Solver for Socket {
    type Task = String;
    type Solution = Value;

    fn solve(task: String) -> Result<Value, String> {
        Ok(reach(&task))
    }
}

proctor_sdk::export_solver!(Socket);
