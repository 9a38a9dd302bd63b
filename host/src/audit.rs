//! A validator's continuous check of a host: that it never takes back a receipt that it
//! told, and that what it told is what anybody computes.
//!
//! Knows the host by its public routes alone.

mod difference;
mod every;
mod host;
mod metrics;
mod round;
mod rules;
mod state;

pub use difference::{Difference, Found};
pub use every::Every;
pub use host::Failure;
pub use metrics::AuditMetrics;
pub use round::{AuditedDay, Ended, Failed, Round};
pub use rules::{KEPT_DAYS, pause};
pub use state::StateError;

use crate::verify::SampleSize;
use host::Host;
use state::{State, StateFile};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a host is audited.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Its address, `http` or `https`.
    pub from: String,
    /// How many of a day's new receipts are computed again.
    pub sample: SampleSize,
    /// Who may sign its heads, SS58 with prefix 42; whoever did before, if it is empty.
    pub signers: Vec<String>,
    /// The file of what is known of the host. Made if it is not there.
    pub state: PathBuf,
    /// Components and artifacts that the host does not give.
    pub plugins: Option<PathBuf>,
    /// Calls at a time, at least 1.
    pub jobs: usize,
    /// Where compiled components are kept, and bundles while they are looked at. None: in
    /// a directory that is deleted in the end.
    pub cache: Option<PathBuf>,
    /// The largest bundle that is taken, in bytes.
    pub max_bytes: u64,
    /// The most time that the verification of one day gets; its download has 4 hours.
    pub max_day: Duration,
    /// Days that are looked at when nothing is known of the host, at most [`KEPT_DAYS`].
    pub days: usize,
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The address is none.
    #[error("--from {0}")]
    Address(String),
    /// There is no state.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no directory for bundles.
    #[error("the directory of bundles, {path}: {source}")]
    Cache {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Audits a host, a [`round`](Self::round) at a time.
#[derive(Debug)]
pub struct Auditor {
    options: AuditOptions,
    host: Host,
    file: StateFile,
    state: State,
    metrics: Arc<AuditMetrics>,
    /// Where bundles are, and compiled components.
    cache: PathBuf,
    _scratch: Option<tempfile::TempDir>,
    rounds: u64,
}

impl Auditor {
    /// Opens the state, and asks nobody yet. No other auditor can have it meanwhile.
    ///
    /// # Errors
    ///
    /// See [`AuditError`]. A state that cannot be read is left as it is.
    pub fn open(options: AuditOptions, metrics: Arc<AuditMetrics>) -> Result<Self, AuditError> {
        let host = Host::new(&options.from).map_err(AuditError::Address)?;
        let (file, state) = StateFile::open(&options.state, &host.name())?;
        let no_cache = |path: &PathBuf, source| AuditError::Cache {
            path: path.clone(),
            source,
        };
        let mut scratch = None;
        let cache = match &options.cache {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(|error| no_cache(path, error))?;
                path.clone()
            }
            None => {
                let made = tempfile::tempdir();
                let made = made.map_err(|error| no_cache(&std::env::temp_dir(), error))?;
                let path = made.path().to_owned();
                scratch = Some(made);
                path
            }
        };
        if let Some(at) = state.last_success {
            metrics.succeeded_before(at);
        }
        Ok(Auditor {
            options,
            host,
            file,
            state,
            metrics,
            cache,
            _scratch: scratch,
            rounds: 0,
        })
    }

    /// Whether anything ever differed, in this process or as its state says.
    #[must_use]
    pub fn has_differed(&self) -> bool {
        !self.state.found.is_empty()
    }

    /// Everything that ever differed, each once, in the order in which it was found.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        &self.state.found
    }
}
