//! An author's project: what is in it, building it, and running its cases.
//!
//! What runs here runs in the sandbox that a host has, with a host's limits, so that an
//! author sees what a validator will.

pub mod bench;
mod build;
pub mod cases;
mod embedded;
pub mod evaluate;
pub mod inspect;
mod new;
mod project;
mod watch;

pub(crate) use build::quoted;
pub use build::{BuildError, Built, build};
pub use new::{Created, Kind, NewError, create};
pub use project::{ChallengeTarget, Language, Project, ProjectError, SolverTarget};
pub use watch::ProjectChanges;
