//! Runs the cases of a project natively: the files that `proctor plugin test` runs in the
//! sandbox.
//!
//! ```no_run
//! # use proctor_sdk::*;
//! # #[derive(Default, serde::Deserialize, JsonSchema)]
//! # #[serde(crate = "proctor_sdk::serde")]
//! # #[schemars(crate = "proctor_sdk::schemars")]
//! # struct Settings {}
//! # struct Sum;
//! # impl Challenge for Sum {
//! #     type Settings = Settings;
//! #     const NAME: &'static str = "sum";
//! #     const VERSION: &'static str = "0.1.0";
//! #     fn new(_: Settings) -> Self { Sum }
//! # }
//! # impl Controller for Sum {
//! #     type Task = [i64; 2];
//! #     type Solution = i64;
//! #     fn task_count(&self) -> u32 { 3 }
//! #     fn make_task(&self, _: &Context<'_>, _: u32) -> Result<[i64; 2], ChallengeError> { Ok([1, 2]) }
//! #     fn score(&self, _: &[i64; 2], _: &i64) -> Result<f64, String> { Ok(1.0) }
//! # }
//! # struct Adder;
//! # impl Solver for Adder {
//! #     type Task = [i64; 2];
//! #     type Solution = i64;
//! #     fn solve(task: [i64; 2]) -> Result<i64, String> { Ok(task[0] + task[1]) }
//! # }
//! use proctor_sdk::testing::Cases;
//!
//! # /*
//! #[test]
//! # */
//! fn cases() {
//!     Cases::<Sum>::read("../cases").submission::<Adder>("sum-solver").run();
//! }
//! ```
//!
//! A case is one file, `cases/NAME.toml`. All keys but those of the solution are optional:
//!
//! ```toml
//! about = "adding right is worth everything"
//! seed = 7                 # what tasks are drawn by; default 0
//! now = 0.0                # logical time in seconds; default 0
//! solver = "sum-solver"    # a solver of the project, or
//! # component = "x.wasm"   # a component, relative to the project, or
//! # solutions = ["3", {error = "no idea"}, {failure = "out_of_fuel", message = "…"}]
//!
//! [settings]               # of the challenge; default: none
//! tasks = 3
//!
//! [expect]
//! outcome = "ok"           # an outcome code; default ok
//! score = [0.9, 1.0]       # of the verdict, both ends included; or one number
//! accepted = true          # of the verdict
//! message = "part of it"   # in the error, the verdict's reason, or the error of a task
//! ```
//!
//! One with a `task`, a JSON text, asks a solver for its solution and nothing else:
//!
//! ```toml
//! task = "[1, 2]"
//! solver = "sum-solver"    # default: the only one
//!
//! [expect]
//! solution = "3"           # compared as JSON
//! ```

mod expect;
mod format;
mod native;

pub use expect::{Difference, Expect, Found, OUTCOMES, Score, same_json};
pub use format::{Answers, Asked, Case, CaseError, read};
pub use native::{Cases, Report};
