//! The shapes and rules of the scoring API that Proctor replaces.
//!
//! Validators that use that API read these fields and compute these hashes, so here
//! they are exactly as there, but for the faults that the documentation of each item
//! names. Everything is pure: no I/O, no clock.
//!
//! There are two versions of the shapes. The route that validators poll answers in
//! the older one ([`OldCommit`]); the storage service and everything else has the
//! newer one ([`MinerChallengeCommit`]).

mod get_weights;
mod hash;
mod logs;
mod old;
mod python_json;
mod python_text;
mod scoring_hour;
mod thin;
mod views;

pub use get_weights::{WeightsAnswer, WireFault};
pub use hash::{hash_cache_key, input_hash, input_hash_of_text};
pub use logs::{ComparisonLog, MinerChallengeCommit, ScoringLog};
pub use old::{OldCommit, OldComparisonLog, OldScoringLog};
pub use python_json::python_json;
pub use python_text::{PythonJsonError, python_json_text};
pub use scoring_hour::{due_scoring_hour, on_time_scoring_hour};
