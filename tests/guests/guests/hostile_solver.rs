//! A submission that does what the task says: an [`Act`], or
//! `{"answer": "…"}` for that text as it is.
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

use hostile_guests::Act;
use proctor_sdk::Solver;
use serde_json::Value;

struct Hostile;

impl Solver for Hostile {
    type Task = Value;
    type Solution = Value;

    fn solve(task: Value) -> Result<Value, String> {
        let act: Act = serde_json::from_value(task).map_err(|error| error.to_string())?;
        Ok(act.perform())
    }

    fn solve_json(task: &str) -> Result<String, String> {
        let task: Value = serde_json::from_str(task).map_err(|error| error.to_string())?;
        match task["answer"].as_str() {
            Some(answer) => Ok(answer.to_owned()),
            None => Self::solve(task).map(|seen| seen.to_string()),
        }
    }
}

proctor_sdk::export_solver!(Hostile);
