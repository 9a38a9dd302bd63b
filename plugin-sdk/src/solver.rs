//! What a miner implements.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A submission: an answer to the tasks of one challenge. Every call starts in
/// a fresh sandbox without files, network, time or randomness of its own.
pub trait Solver {
    /// The challenge's task, read from JSON.
    type Task: DeserializeOwned;
    /// The answer, sent as JSON.
    type Solution: Serialize;

    /// Solves one task.
    ///
    /// Errors: a text for people. The task then scores 0.
    fn solve(task: Self::Task) -> Result<Self::Solution, String>;

    /// [`solve`](Self::solve) between JSON texts.
    ///
    /// Errors: as `solve`, or what is wrong with the JSON.
    fn solve_json(task: &str) -> Result<String, String> {
        let task = serde_json::from_str(task).map_err(|e| format!("cannot read the task: {e}"))?;
        let solution = Self::solve(task)?;
        serde_json::to_string(&solution).map_err(|e| format!("cannot write the solution: {e}"))
    }
}
