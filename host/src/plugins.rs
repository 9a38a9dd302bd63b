//! Plugins: from a file in the drop folder to a challenge that can be called.
//!
//! `discovered → verified → compiling → compiled → linked → described → configured →
//! active`, or `rejected` with a code and a reason. Each file is loaded in the
//! background, by itself: one that takes long to compile holds up neither the others nor
//! its own last good version, which stays active until then, and if it fails. Calls in
//! flight finish on the version that they began with. What becomes of a component that
//! was read, the registry says.

mod active;
mod background;
mod files;
mod load;
mod state;
mod watch;

pub use active::{ActivePlugin, Configuration, engine, grants};
pub use background::Loads;
pub use load::{Candidate, Loader, Rejection};
pub use state::{PluginState, PluginStatus, Plugins, RunState, Running};
pub use watch::FolderChanges;
