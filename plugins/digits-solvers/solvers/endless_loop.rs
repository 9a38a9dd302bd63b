//! A hostile submission: never answers.

use proctor_sdk::Solver;
use std::hint::black_box;

struct EndlessLoop;

impl Solver for EndlessLoop {
    type Task = proctor_sdk::serde_json::Value;
    type Solution = ();

    fn solve(_: Self::Task) -> Result<(), String> {
        let mut turns = 0_u64;
        while black_box(turns) < u64::MAX {
            turns = black_box(turns.wrapping_add(1)) % 1_000_000;
        }
        Ok(())
    }
}

proctor_sdk::export_solver!(EndlessLoop);
