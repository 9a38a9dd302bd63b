//! A host: everything that a data directory holds, opened once.

use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::chain::client::Chain;
use crate::chain::error::ChainError;
use crate::chain::subnet::{self, Subnet};
use crate::chain::{Hotkey, KeyError, Metagraph, MetagraphError};
use crate::clock;
use crate::commits::{IngestError, ingest_again};
use crate::config::{ChainMode, Config};
use crate::metrics::Metrics;
use crate::plugins::Loader;
use crate::receipts::{Signer, SignerError};
use crate::registry::{Registry, RegistryError};
use crate::runner::Runners;
use crate::sandbox::{Limits, Sandbox, SandboxConfig, SandboxError, sha256_hex};
use crate::scoring::{Pipeline, PipelineError, Resources};
use crate::storage::{Client, restore_state};
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
    /// The chain cannot be read, and never was.
    #[error("the chain cannot be read, and there is no copy of what it last told")]
    Chain(#[from] ChainError),
    /// The metagraph is of another subnet than the configuration.
    #[error("chain.netuid is {configured}, and the metagraph is of subnet {found}")]
    OtherSubnet {
        /// What the configuration says.
        configured: u16,
        /// What the metagraph says.
        found: u16,
    },
    /// The hotkey cannot be read.
    #[error("wallet")]
    Wallet(#[from] KeyError),
    /// There is nobody to sign receipts.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The hotkey is not the one that the operator expects.
    #[error(
        "SCORING_API_HOTKEY is {expected}, and the hotkey of the wallet is {}",
        found.as_deref().unwrap_or("not set (wallet.name)")
    )]
    OtherHotkey {
        /// What is expected.
        expected: String,
        /// The wallet's address, if there is a wallet.
        found: Option<String>,
    },
    /// What validators published cannot be read once more.
    #[error("what validators published cannot be read with this metagraph")]
    Ingest(#[from] IngestError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The artifacts cannot be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The registry cannot be opened.
    #[error("registry")]
    Registry(#[from] RegistryError),
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
    /// What the challenges are to be, and what of them runs.
    pub registry: Registry,
    /// What this host signs with.
    pub hotkey: Option<Hotkey>,
    /// The chain that the subnet is on; none of a file.
    pub chain: Option<Chain>,
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
        let metrics = Arc::new(Metrics::default());
        let chain = match config.chain.mode() {
            ChainMode::Offline => None,
            ChainMode::Online => Some(Chain::open(&config.chain, Arc::clone(&metrics))?),
        };
        let subnet = open_subnet(&config, chain.as_ref(), &metrics).await?;
        let metagraph = subnet.metagraph();
        let hotkey = load_hotkey(&config)?;
        if let Some(hotkey) = &hotkey {
            let sufficient = has_stake(hotkey, &metagraph, &config);
            metrics.set_stake_sufficient(sufficient);
        }
        let sandbox = Sandbox::new(&sandbox_config(&config))?;
        let components = open_components(&config)?;
        let loader = Loader::new(
            sandbox.clone(),
            Arc::clone(&config),
            Arc::clone(&metrics),
            components.clone(),
        );
        let store = open_store(&config.data_dir)?;
        let registry = Registry::open(
            Arc::clone(&config),
            store.clone(),
            loader.clone(),
            Arc::clone(&metrics),
        )?;
        let rules = &config.commits;
        let neurons = metagraph.neurons();
        let heard = neurons.map(|neuron| (neuron.uid, &neuron.hotkey, neuron.stake));
        let heard_with = serde_json::json!([
            heard.collect::<Vec<_>>(),
            rules.min_validator_stake,
            rules.timestamp,
            rules.quorum
        ]);
        let heard_with = sha256_hex(heard_with.to_string().as_bytes());
        if store.heard_with().await?.as_ref() != Some(&heard_with) {
            ingest_again(&store, &metagraph, rules).await?;
            store.note_heard_with(heard_with).await?;
        }
        // The pipeline goes on from what is there, so what is lost comes back before.
        if let Some(hotkey) = hotkey.clone().filter(|_| config.storage.url.is_some()) {
            let uid = metagraph.uid_of(hotkey.address()).map_or(-1, i32::from);
            // What is wrong with the address is told by who serves.
            if let Ok(client) = Client::new(&config.storage, hotkey, uid) {
                restore_state(&store, &client, clock::unix_now()).await;
            }
        }
        let signer = match config.receipts.record {
            true => Some(open_signer(hotkey.clone(), &config, &store).await?),
            false => None,
        };
        let resources = Resources {
            signer,
            store,
            artifacts: open_artifacts(&config)?,
            components,
            runners: Runners::new(registry.gpu_servers().clone()),
            plugins: loader.plugins().clone(),
            config,
            sandbox,
            subnet,
            metrics,
        };
        let pipeline = Pipeline::new(resources).await?;
        let is_of_a_subnet = hotkey.is_some() || chain.is_some();
        if is_guessed(pipeline.deployment_seed(), is_of_a_subnet) {
            tracing::warn!(
                "scoring.seed is below 2^32: anybody can find it out from receipts, and so all \
                 future tasks. Take a random number of 64 bits, or leave it out"
            );
        }
        Ok(Host {
            chain,
            pipeline,
            registry,
            hotkey,
            lock,
        })
    }

    /// Refuses to go on if this host does not sign as `expected`, an address.
    ///
    /// # Errors
    ///
    /// [`HostError::OtherHotkey`].
    pub fn expect_hotkey(&self, expected: &str) -> Result<(), HostError> {
        let found = self
            .hotkey
            .as_ref()
            .map(|hotkey| hotkey.address().to_owned());
        if found.as_deref() == Some(expected) {
            return Ok(());
        }
        Err(HostError::OtherHotkey {
            expected: expected.to_owned(),
            found,
        })
    }

    /// The uid of this host's hotkey; none if it is not registered.
    pub fn uid(&self) -> Option<u16> {
        let hotkey = self.hotkey.as_ref()?;
        self.pipeline.metagraph().uid_of(hotkey.address())
    }
}

/// Whether somebody may try all seeds like this one: receipts tell what is made of it. Who
/// has neither a chain nor a hotkey tries things out, as the demo does.
fn is_guessed(seed: u64, is_of_a_subnet: bool) -> bool {
    is_of_a_subnet && seed < 1 << 32
}

/// What is known of the subnet: of the file, or of the chain. A chain that does not
/// answer is no reason not to start, if it answered at an earlier start.
async fn open_subnet(
    config: &Config,
    chain: Option<&Chain>,
    metrics: &Metrics,
) -> Result<Subnet, HostError> {
    let subnet = match (chain, config.chain.netuid) {
        (Some(chain), Some(netuid)) => {
            subnet::open(chain, netuid, config, clock::unix_now()).await?
        }
        _ => Subnet::new(Metagraph::load(&config.metagraph_path())?, None),
    };
    let metagraph = subnet.metagraph();
    let found = metagraph.netuid();
    if let Some(configured) = config
        .chain
        .netuid
        .filter(|configured| *configured != found)
    {
        return Err(HostError::OtherSubnet { configured, found });
    }
    if let Some(read_at) = subnet.read_at() {
        metrics.set_metagraph(metagraph.block(), read_at);
    }
    Ok(subnet)
}

/// Who signs receipts. Whoever audits this host is to be told if it is another one than
/// before.
async fn open_signer(
    hotkey: Option<Hotkey>,
    config: &Config,
    store: &Store,
) -> Result<Signer, HostError> {
    let signer = Signer::open(hotkey, &config.data_dir)?;
    let before = store.heads(None, 1).await?.into_iter().next();
    if let Some(before) = before.filter(|before| before.signer != signer.address()) {
        tracing::warn!(
            signer = signer.address(),
            before = before.signer,
            "RECEIPTS ARE SIGNED BY ANOTHER KEY than before: audits of this host will say so"
        );
    }
    Ok(signer)
}

fn load_hotkey(config: &Config) -> Result<Option<Hotkey>, HostError> {
    let hotkey = Hotkey::open(&config.wallet)?;
    if let Some(hotkey) = &hotkey {
        tracing::info!(hotkey = hotkey.address(), "signing");
    }
    Ok(hotkey)
}

/// Whether a hotkey has the stake of a validator that is heard: others may treat
/// it as it treats them.
fn has_stake(hotkey: &Hotkey, metagraph: &Metagraph, config: &Config) -> bool {
    let minimum = config.commits.min_validator_stake;
    let hotkey = hotkey.address();
    match metagraph.by_hotkey(hotkey) {
        Some(neuron) if neuron.stake >= minimum => true,
        Some(neuron) => {
            let (uid, stake) = (neuron.uid, neuron.stake);
            tracing::warn!(hotkey, uid, stake, minimum, "INSUFFICIENT STAKE");
            false
        }
        None => {
            tracing::warn!(hotkey, minimum, "INSUFFICIENT STAKE: not registered");
            false
        }
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
    let directory = config.data_dir.join("artifacts");
    let store = ArtifactStore::open(directory, config.artifacts.max_bytes)?;
    Ok(store.with_max_total(config.artifacts.max_total_bytes))
}

/// Opens the store of components, which keeps every one that was ever loaded.
///
/// # Errors
///
/// See [`ArtifactError`].
pub fn open_components(config: &Config) -> Result<ArtifactStore, ArtifactError> {
    let directory = config.data_dir.join("components");
    ArtifactStore::open(directory, config.plugins.max_bytes)
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
    let routes = config.challenges.values().map(|c| c.route_limits);
    let largest = routes.map(|limits| limits.memory_bytes).max();
    max_memory_bytes = max_memory_bytes.max(largest.unwrap_or_default());
    SandboxConfig {
        cache_max_bytes: config.sandbox.cache_max_bytes,
        max_concurrent_calls: config
            .sandbox
            .max_concurrent_calls
            .unwrap_or(default.max_concurrent_calls),
        max_route_calls: config.sandbox.max_route_calls,
        max_memory_bytes,
        max_table_elements,
        pooling: config.sandbox.pooling,
        ..default
    }
}

/// Takes a data directory for this process, until the file is dropped.
///
/// # Errors
///
/// [`HostError::InUse`] if another process has it.
pub(crate) fn lock(data_dir: &Path) -> Result<File, HostError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_seed_is_told_of_where_there_are_miners() {
        for (seed, of_a_subnet, of_none) in [
            (0, true, false),
            (u64::from(u32::MAX), true, false),
            (1 << 32, false, false),
            (u64::MAX, false, false),
        ] {
            assert_eq!(is_guessed(seed, true), of_a_subnet, "{seed}");
            assert_eq!(is_guessed(seed, false), of_none, "{seed}");
        }
    }
}
