//! Runs components: the only module that knows wasmtime.
//!
//! A call of an export gets a fresh store from an `InstancePre`, fuel, a
//! deadline, and limits on all that it may take ([`Limits`]). It reaches what it
//! is granted ([`Grants`]) and nothing else. Everything runs in one
//! deterministic profile, so that a call's result is a function of the
//! component, the [engine's identity](Sandbox::identity), its [`CallContext`]
//! and its input. What comes of a call has one of twelve stable codes
//! ([`Outcome`]), which the API, the metrics and the command line share.

mod bindings;
mod call;
mod check;
mod clock;
mod compile_cache;
mod context;
mod database;
mod engine;
mod inspect;
mod limits;
mod link;
mod log;
mod outcome;
mod plugin;
mod runner;
mod solver;
mod state;

pub use bindings::types;
pub use call::{CallContext, CallReport, Called, Grants};
pub use compile_cache::CacheUse;
pub use engine::{Sandbox, SandboxConfig, SandboxError};
pub use inspect::Interfaces;
pub use limits::Limits;
pub use outcome::{Blame, Outcome, PluginError};
pub use plugin::{Capability, Description, PluginCall, PluginComponent, SettingsProblem};
pub use runner::{SolveRecord, Submitted};
pub use solver::SolverComponent;

use sha2::{Digest, Sha256};

/// SHA-256 as 64 lower-case hexadecimal digits: what components and artifacts
/// are called by.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
