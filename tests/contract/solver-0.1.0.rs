//! Adds.

struct Adds;

impl proctor_sdk::Solver for Adds {
    type Task = [u64; 2];
    type Solution = u64;

    fn solve(task: [u64; 2]) -> Result<u64, String> {
        Ok(task.iter().sum())
    }
}

proctor_sdk::export_solver!(Adds);
