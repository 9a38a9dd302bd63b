//! Runs components: the only module that knows wasmtime.
//!
//! A call of an export gets a fresh store from an `InstancePre`, fuel, a
//! deadline, and limits on all that it may take ([`Limits`]). It reaches what it
//! is granted ([`Grants`]) and nothing else. What is scored runs in one
//! deterministic profile, so that a call's result is a function of the
//! component, the [engine's identity](Sandbox::identity), its [`CallContext`], its
//! environment and its input. A challenge's own routes ([`RouteCall`]) live in real
//! time, and may send requests ([`Outbound`]). What comes of a call has one of twelve
//! stable codes ([`Outcome`]), which the API, the metrics and the command line share.

mod bindings;
mod call;
mod check;
mod clock;
mod compile_cache;
mod context;
pub mod contract;
mod database;
mod engine;
mod files;
mod grants;
mod inspect;
mod journal;
mod limits;
mod link;
mod log;
pub mod organic;
mod outbound;
mod outcome;
mod plugin;
mod plugin_call;
mod routes;
mod runner;
mod sockets;
mod solver;
mod standings;
mod state;
mod submit;
mod tape;
mod volume;
mod watch;

pub use bindings::{submissions, types};
pub use call::{CallContext, CallReport, Called};
pub use compile_cache::CacheUse;
pub use engine::{Sandbox, SandboxConfig, SandboxError};
pub use grants::Grants;
pub use inspect::{ComponentKind, Interfaces, Need};
pub use journal::{Journal, JournalEntry, JournalStream};
pub use limits::Limits;
pub use outbound::{Outbound, OutboundRule, OutboundRuleError, is_public_address};
pub use outcome::{Blame, Outcome, PluginError};
pub use plugin::{Capability, Description, PluginComponent, SettingsProblem};
pub use plugin_call::PluginCall;
pub use routes::{Ended, RouteBody, RouteCall, RouteLimits};
pub use runner::{RemoteSolver, RemoteTask, SolveRecord, Solver, Submitted, solve_again};
pub use solver::SolverComponent;
pub use submit::Submit;
pub use tape::{Divergence, HostCall, Tape, first_difference};

/// SHA-256 as 64 lower-case hexadecimal digits: what components and artifacts
/// are called by.
pub fn sha256_hex(bytes: &[u8]) -> String {
    crate::canonical::digest(bytes)
}
