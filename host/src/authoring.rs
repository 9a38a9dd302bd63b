//! An author's project: what is in it, building it, and running its cases.
//!
//! What runs here runs in the sandbox that a host has, with a host's limits, so that an
//! author sees what a validator will.

mod project;

pub use project::{ChallengeTarget, Language, Project, ProjectError, SolverTarget};
