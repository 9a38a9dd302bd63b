//! A hostile submission: answers with what is no JSON.

use proctor_sdk::Solver;

struct MalformedJson;

impl Solver for MalformedJson {
    type Task = proctor_sdk::serde_json::Value;
    type Solution = ();

    fn solve(_: Self::Task) -> Result<(), String> {
        Ok(())
    }

    fn solve_json(_: &str) -> Result<String, String> {
        Ok(r#"{"labels": [1, 2, "#.to_owned())
    }
}

proctor_sdk::export_solver!(MalformedJson);
