//! What a cheat does: `Knn` with other names and another order of things.

use digits_solvers::{Solution, Task};
use proctor_sdk::Solver;

struct DeepVisionEnsemble;

impl Solver for DeepVisionEnsemble {
    type Task = Task;
    type Solution = Solution;

    fn solve(work: Task) -> Result<Solution, String> {
        work.label(|picture| {
            let mut closest = [(u32::MAX, 0_u8); 3];
            for (known, class) in digits_data::train() {
                let gap: u32 = (0..64)
                    .filter_map(|i| {
                        Some(u32::from(picture.get(i)?.abs_diff(*known.get(i)?)).pow(2))
                    })
                    .sum();
                if let [.., last] = &mut closest
                    && (gap, class) < *last
                {
                    *last = (gap, class);
                    closest.sort_unstable();
                }
            }
            let [(_, first), (_, second), (_, third)] = closest;
            if second == third { second } else { first }
        })
    }
}

proctor_sdk::export_solver!(DeepVisionEnsemble);
