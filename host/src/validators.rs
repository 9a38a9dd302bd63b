//! Validators that do evaluations again: who is there, who does what, and what came
//! of it.
//!
//! An assignment is an evaluation of a finalized day. It names all that the result
//! depends on, but not the result: a validator that comes to the same
//! [digest](result_digest) has done the work. What may become of an assignment is
//! decided by pure rules; who has it is in the database, so that it outlives the host.

mod assign;
mod digest;
mod redo;
mod report;
mod rules;
mod watch;

pub use assign::{Asked, assignment, pull};
pub use digest::result_digest;
pub use redo::{Redone, redo};
pub use report::{progress, report};
pub use rules::{Refusal, Reported};
pub use watch::run;

use crate::sandbox::Limits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An evaluation to be done again. All that its result depends on is in here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// Its number.
    pub id: i64,
    /// The challenge.
    pub challenge: String,
    /// Until when it is the validator's, in seconds since the Unix epoch.
    pub lease_until: f64,
    /// Which attempt it is, from 1 on.
    pub attempt: u32,
    /// SHA-256 of the challenge's component.
    pub plugin_digest: String,
    /// SHA-256 of `settings`.
    pub settings_digest: String,
    /// SHA-256 of the artifact.
    pub artifact_digest: String,
    /// Version and settings of the sandbox, and a digest of both limits.
    pub engine: String,
    /// The challenge's settings, a JSON text, as the challenge gets it.
    pub settings: String,
    /// What the call of the challenge may take.
    pub limits: Limits,
    /// What the submission may take for each task.
    pub solver_limits: Limits,
    /// The seed of the call, 0 to 2⁶⁴ − 1, in decimal digits.
    pub seed: String,
    /// The logical time of the call, in seconds since the Unix epoch.
    pub logical_time: f64,
    /// Tasks that the challenge is given beside those that it makes.
    pub seed_tasks: Vec<String>,
}
