//! A host: everything that a data directory holds, opened once.

use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::chain::{Metagraph, MetagraphError};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::plugins::Loader;
use crate::sandbox::{Limits, Sandbox, SandboxConfig, SandboxError};
use crate::scoring::{Pipeline, PipelineError, Resources};
use crate::store::{Store, StoreError};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a host cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Another process has the data directory.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// A file or directory cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The metagraph cannot be read.
    #[error("metagraph")]
    Metagraph(#[from] MetagraphError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The artifacts cannot be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// There is no sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// What is stored cannot be taken up.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// A data directory that this process has for itself.
#[derive(Debug)]
pub struct Host {
    /// Scores what is in the data directory.
    pub pipeline: Pipeline,
    /// Loads the challenges.
    pub loader: Loader,
    pub(crate) lock: File,
}

impl Host {
    /// Opens the data directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// See [`HostError`].
    pub async fn open(config: Config) -> Result<Self, HostError> {
        let config = Arc::new(config);
        fs::create_dir_all(&config.data_dir).map_err(io_error(&config.data_dir))?;
        let lock = lock(&config.data_dir)?;
        fs::create_dir_all(&config.plugins.dir).map_err(io_error(&config.plugins.dir))?;
        let metagraph = Arc::new(Metagraph::load(&config.metagraph_path())?);
        let metrics = Arc::new(Metrics::default());
        let sandbox = Sandbox::new(&sandbox_config(&config))?;
        let loader = Loader::new(sandbox.clone(), Arc::clone(&config), Arc::clone(&metrics));
        let resources = Resources {
            store: open_store(&config.data_dir)?,
            artifacts: open_artifacts(&config)?,
            plugins: loader.plugins().clone(),
            config,
            sandbox,
            metagraph,
            metrics,
        };
        Ok(Host {
            pipeline: Pipeline::new(resources).await?,
            loader,
            lock,
        })
    }
}

/// Opens the database alone; other processes may have it as well.
///
/// # Errors
///
/// See [`StoreError`].
pub fn open_store(data_dir: &Path) -> Result<Store, StoreError> {
    Store::open(&data_dir.join("proctor.sqlite"))
}

/// Opens the artifacts alone; other processes may have them as well.
///
/// # Errors
///
/// See [`ArtifactError`].
pub fn open_artifacts(config: &Config) -> Result<ArtifactStore, ArtifactError> {
    ArtifactStore::open(
        config.data_dir.join("artifacts"),
        config.artifacts.max_bytes,
    )
}

fn sandbox_config(config: &Config) -> SandboxConfig {
    let default = SandboxConfig::new(config.data_dir.join("compiled"));
    // The pool must hold the largest of all calls.
    let limits = config
        .challenges
        .values()
        .flat_map(|challenge| [challenge.limits, challenge.solver.limits()])
        .chain([Limits::default(), Limits::solver()]);
    let (mut max_memory_bytes, mut max_table_elements) = (0, 0);
    for limits in limits {
        max_memory_bytes = limits.memory_bytes.max(max_memory_bytes);
        max_table_elements = limits.table_elements.max(max_table_elements);
    }
    SandboxConfig {
        cache_max_bytes: config.sandbox.cache_max_bytes,
        max_concurrent_calls: config
            .sandbox
            .max_concurrent_calls
            .unwrap_or(default.max_concurrent_calls),
        max_memory_bytes,
        max_table_elements,
        pooling: config.sandbox.pooling,
        ..default
    }
}

fn lock(data_dir: &Path) -> Result<File, HostError> {
    let path = data_dir.join("lock");
    let file = File::create(&path).map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(HostError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(HostError::Io { path, error }),
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |error| HostError::Io { path, error }
}
