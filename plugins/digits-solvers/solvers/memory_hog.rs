//! A hostile submission: takes memory until there is none.

use proctor_sdk::Solver;
use std::hint::black_box;

struct MemoryHog;

impl Solver for MemoryHog {
    type Task = proctor_sdk::serde_json::Value;
    type Solution = usize;

    fn solve(_: Self::Task) -> Result<usize, String> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(black_box(vec![1_u8; 1 << 20]));
            if black_box(hoard.len()) == usize::MAX {
                return Ok(hoard.len());
            }
        }
    }
}

proctor_sdk::export_solver!(MemoryHog);
