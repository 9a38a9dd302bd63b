//! Plugins: from a file in the drop folder to a challenge that can be called.
//!
//! `discovered → verified → compiled → linked → described → configured →
//! active`, or `rejected` with a code and a reason. A file that fails to reload
//! leaves its last good version active; calls in flight finish on the version
//! that they began with. What becomes of a component that was read, the registry
//! says.

mod active;
mod files;
mod load;
mod state;
mod watch;

pub use active::{ActivePlugin, Configuration, engine, grants};
pub use load::{Candidate, Loader, Rejection};
pub use state::{PluginState, PluginStatus, Plugins, RunState, Running};
pub use watch::FolderChanges;
