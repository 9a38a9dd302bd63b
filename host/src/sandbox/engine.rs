//! The engine: every knob of wasmtime, with the reason beside it.

use super::compile_cache::{CacheUse, CompileCache};
use super::limits::Limits;
use super::link;
use super::outcome::{Outcome, PluginError};
use super::state::State;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

/// How the sandbox is set up.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where compiled components are kept.
    pub cache_dir: PathBuf,
    /// Size that the compile cache may have, in bytes.
    pub cache_max_bytes: u64,
    /// Calls of plugins at a time; each may run one solver beside it. Those of `organic`
    /// have as many places of their own, and at least two, of which one challenge takes
    /// at most half.
    pub max_concurrent_calls: u32,
    /// Calls of routes at a time, 1 to 1024. They have places of their own, so that
    /// requests do not hold up what is scored; more are refused.
    pub max_route_calls: u32,
    /// The largest [`Limits::memory_bytes`] of any call.
    pub max_memory_bytes: usize,
    /// The largest [`Limits::table_elements`] of any call.
    pub max_table_elements: usize,
    /// Whether to reserve the memory of all calls ahead. Falls back to
    /// allocating on demand where the machine does not allow it.
    pub pooling: bool,
}

impl SandboxConfig {
    /// 1 GiB of cache, as many calls as there are cores, 64 calls of routes, the
    /// default limits.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        let limits = Limits::default();
        SandboxConfig {
            cache_dir: cache_dir.into(),
            cache_max_bytes: 1 << 30,
            max_concurrent_calls: cores(),
            max_route_calls: 64,
            max_memory_bytes: limits.memory_bytes,
            max_table_elements: limits.table_elements,
            pooling: true,
        }
    }
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(2, |n| u32::try_from(n.get()).unwrap_or(2))
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refuses the settings, or the machine.
    #[error("cannot set up the WebAssembly engine: {0}")]
    Engine(String),
    /// The compile cache cannot be used.
    #[error("compile cache {path}: {error}")]
    Cache {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        error: std::io::Error,
    },
}

/// Version of wasmtime, as the workspace pins it.
const WASMTIME: &str = "48.0.8";
/// Settings of the engine that a result depends on. To be counted up when they
/// change.
const PROFILE: &str = "deterministic-2";

/// Compiles components and calls them. Clones share everything.
#[derive(Clone)]
pub struct Sandbox(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) engine: Engine,
    pub(super) plugin_linker: Linker<State>,
    pub(super) solver_linker: Linker<State>,
    pub(super) route_linker: Linker<State>,
    pub(super) permits: Semaphore,
    /// Places for the calls of `organic`: a caller waits for the first of them, and
    /// what is scored by submission may take minutes.
    pub(super) organic_permits: Semaphore,
    pub(super) route_permits: Arc<Semaphore>,
    /// Routes that compute at a time. Not more than half of the cores, so that
    /// whoever asks them for much does not take the time of what is scored.
    pub(super) route_turns: Arc<Semaphore>,
    max_concurrent_calls: usize,
    organic_share: usize,
    max_memory_bytes: usize,
    max_table_elements: usize,
    cache: CompileCache,
    identity: String,
    pooling: bool,
}

impl Sandbox {
    /// Sets the engine up. Takes milliseconds.
    ///
    /// # Errors
    ///
    /// See [`SandboxError`].
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let (engine, pooling) = engine(config).map_err(|e| SandboxError::Engine(e.to_string()))?;
        let cache = CompileCache::open(&config.cache_dir, config.cache_max_bytes, &engine)
            .map_err(|error| SandboxError::Cache {
                path: config.cache_dir.clone(),
                error,
            })?;
        let link_error = |e: wasmtime::Error| SandboxError::Engine(e.to_string());
        tick(&engine).map_err(|e| SandboxError::Engine(e.to_string()))?;
        let max_concurrent_calls = config.max_concurrent_calls.max(1) as usize;
        Ok(Sandbox(Arc::new(Inner {
            plugin_linker: link::plugin_linker(&engine).map_err(link_error)?,
            solver_linker: link::solver_linker(&engine).map_err(link_error)?,
            route_linker: link::route_linker(&engine).map_err(link_error)?,
            permits: Semaphore::new(max_concurrent_calls),
            organic_permits: Semaphore::new(organic_calls(config) as usize),
            route_permits: Arc::new(Semaphore::new(route_calls(config) as usize)),
            route_turns: Arc::new(Semaphore::new((cores() / 2).max(1) as usize)),
            max_concurrent_calls,
            organic_share: organic_calls(config).div_ceil(2) as usize,
            identity: format!("wasmtime-{WASMTIME}+{PROFILE}.{}", std::env::consts::ARCH),
            max_memory_bytes: config.max_memory_bytes,
            max_table_elements: config.max_table_elements,
            cache,
            engine,
            pooling,
        })))
    }

    /// What results depend on beside the component and its input: the version of
    /// wasmtime, its settings, and the architecture, which decides how deep calls
    /// may nest. Part of a result's identity, with the limits.
    pub fn identity(&self) -> &str {
        &self.0.identity
    }

    /// Calls of plugins at a time; more wait for their turn.
    pub fn max_concurrent_calls(&self) -> usize {
        self.0.max_concurrent_calls
    }

    /// Calls of `organic` that one challenge may have at a time: half of all, rounded up.
    pub(super) fn organic_share(&self) -> usize {
        self.0.organic_share
    }

    /// Places for calls of routes that are free. Others may take them at any moment.
    pub fn free_route_calls(&self) -> usize {
        self.0.route_permits.available_permits()
    }

    /// Whether memory is reserved ahead ([`SandboxConfig::pooling`]).
    pub fn is_pooling(&self) -> bool {
        self.0.pooling
    }

    /// `limits`, but no more than the sandbox has. Without this, how a guest is
    /// refused would depend on whether memory is reserved ahead.
    pub(crate) fn clamp(&self, limits: &Limits) -> Limits {
        Limits {
            memory_bytes: limits.memory_bytes.min(self.0.max_memory_bytes),
            table_elements: limits.table_elements.min(self.0.max_table_elements),
            ..*limits
        }
    }

    /// Compiles a component, or takes it from the cache. Takes from a tenth of a
    /// second to many seconds of all cores: never call it on a request's path.
    pub(super) fn compile(&self, bytes: &[u8]) -> Result<(Component, CacheUse), PluginError> {
        check_header(bytes)?;
        let link_error = |why| PluginError::new(Outcome::LinkError, why);
        let compiled = self.0.cache.component(&self.0.engine, bytes);
        let (component, cache) = compiled.map_err(|e| link_error(self.why_not(bytes, &e)))?;
        match too_much(&component) {
            Some(why) => Err(link_error(why)),
            None => Ok((component, cache)),
        }
    }
}

impl Sandbox {
    /// Why a component is none, in the same words with a pool and without one: a challenge
    /// is told them.
    fn why_not(&self, bytes: &[u8], error: &wasmtime::Error) -> String {
        let invalid = |error: &wasmtime::Error| format!("not a valid component: {error:#}");
        if !self.0.pooling {
            return invalid(error);
        }
        let on_demand = Engine::new(&base_config());
        match on_demand.and_then(|engine| Component::from_binary(&engine, bytes)) {
            Ok(component) => too_much(&component).unwrap_or_else(|| invalid(error)),
            Err(error) => invalid(&error),
        }
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("identity", &self.0.identity)
            .field("pooling", &self.0.pooling)
            .finish_non_exhaustive()
    }
}

/// Tells what a file is, where wasmtime would only say that it is malformed.
fn check_header(bytes: &[u8]) -> Result<(), PluginError> {
    let problem = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => return Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
            "a core WebAssembly module, not a component: build it for wasm32-wasip2"
        }
        Some([0, b'a', b's', b'm', ..]) => "WebAssembly of an unknown version",
        Some(_) => "not WebAssembly",
        None => "too short to be WebAssembly",
    };
    Err(PluginError::new(Outcome::LinkError, problem))
}

/// Memories that a component may have.
const MAX_MEMORIES: u32 = 4;
/// Tables that a component may have.
const MAX_TABLES: u32 = 40;
/// Entries that a table may have from the start.
const MAX_FIRST_TABLE: usize = 100_000;

/// Why a component is refused that wants more than every sandbox has, if it does: a pool
/// would refuse it, and without one it would run.
fn too_much(component: &Component) -> Option<String> {
    // None of what is known at run time only: a component that imports others.
    let needed = component.resources_required()?;
    let first_table = needed.max_initial_table_size.unwrap_or(0);
    let first_table = usize::try_from(first_table).unwrap_or(usize::MAX);
    if needed.num_memories > MAX_MEMORIES {
        let memories = needed.num_memories;
        return Some(format!(
            "it has {memories} memories; {MAX_MEMORIES} are allowed"
        ));
    }
    if needed.num_tables > MAX_TABLES {
        let tables = needed.num_tables;
        return Some(format!("it has {tables} tables; {MAX_TABLES} are allowed"));
    }
    (first_table > MAX_FIRST_TABLE).then(|| {
        format!("a table of it begins with {first_table} entries; {MAX_FIRST_TABLE} are allowed")
    })
}

/// How often every guest gives way by time.
const TICK: Duration = Duration::from_millis(10);

/// Lets time pass for the guests, for as long as the engine is there.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("sandbox-ticker".into())
        .spawn(ticker)?;
    Ok(())
}

/// The engine, and whether it pools.
fn engine(config: &SandboxConfig) -> wasmtime::Result<(Engine, bool)> {
    if config.pooling {
        match Engine::new(base_config().allocation_strategy(pool(config))) {
            Ok(engine) => return Ok((engine, true)),
            // Small machines and strict overcommit cannot reserve the addresses.
            Err(error) => tracing::warn!(%error, "no memory pool: allocating on demand"),
        }
    }
    Ok((Engine::new(&base_config())?, false))
}

fn base_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // WASI 0.3 is not offered, and its machinery makes every call dearer.
        .concurrency_support(false)
        // Deterministic: the same call runs out at the same instruction on
        // every machine.
        .consume_fuel(true)
        // Not all work takes fuel: a host call, or a string that is passed
        // between components, may take milliseconds for an instruction. Time
        // makes the guest give way, and changes nothing that it can see.
        .epoch_interruption(true)
        // The bits of a NaN may otherwise differ between processors.
        .cranelift_nan_canonicalization(true)
        // Relaxed instructions may otherwise differ between processors.
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        // Components have no use for it, and the pool could not hold what is on demand.
        .wasm_memory64(false)
        // Part of what a result depends on: a deeper stack overflows later.
        .max_wasm_stack(1 << 20)
        // What the host calls in a guest (`realloc`) from deep down in it gets that much
        // once more, beside the host's own frames.
        .async_stack_size(4 << 20);
    config
}

/// The most calls of routes: their memories take 16 TiB of the 128 TiB of addresses
/// that a process has.
const MAX_ROUTE_CALLS: u32 = 1024;

fn route_calls(config: &SandboxConfig) -> u32 {
    config.max_route_calls.clamp(1, MAX_ROUTE_CALLS)
}

/// Calls of `organic` at a time; more wait. At least two, so that one which takes long
/// does not hold up the others.
fn organic_calls(config: &SandboxConfig) -> u32 {
    config.max_concurrent_calls.max(2)
}

fn pool(config: &SandboxConfig) -> InstanceAllocationStrategy {
    // A call of a plugin and the solver beside it; and the calls of routes and of
    // `organic`, which must find a place in the pool without taking one of the others.
    let stores = config.max_concurrent_calls.max(1).saturating_mul(2);
    let stores = stores.saturating_add(organic_calls(config));
    let stores = stores.saturating_add(route_calls(config));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(stores)
        // A component is made of several core modules; Python's of dozens.
        .total_core_instances(stores.saturating_mul(1_000))
        .max_core_instances_per_component(1_000)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .total_memories(stores.saturating_mul(MAX_MEMORIES))
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .total_tables(stores.saturating_mul(MAX_TABLES))
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(config.max_table_elements.max(MAX_FIRST_TABLE))
        .total_stacks(stores)
        // As much as there can be: what a call gets is decided by its limits, as it is
        // without a pool. Only addresses are reserved, and these are anyway.
        .max_memory_size(4 << 30);
    // Keeping pages resident pays only where the kernel tells which were
    // touched; without that it costs more than it saves. Both or neither.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(2 << 20)
            .table_keep_resident(64 << 10);
    }
    InstanceAllocationStrategy::Pooling(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_the_machine_cannot_reserve_falls_back_to_demand() {
        let directory = tempfile::tempdir().unwrap();
        let config = SandboxConfig {
            max_concurrent_calls: 1_000_000,
            ..SandboxConfig::new(directory.path().join("cache"))
        };
        assert!(!Sandbox::new(&config).unwrap().is_pooling());
    }

    #[test]
    fn no_challenge_takes_all_places_for_calls_of_organic() {
        for (calls, all, share) in [(1, 2, 1), (2, 2, 1), (4, 4, 2), (5, 5, 3)] {
            let directory = tempfile::tempdir().unwrap();
            let config = SandboxConfig {
                max_concurrent_calls: calls,
                pooling: false,
                ..SandboxConfig::new(directory.path().join("cache"))
            };
            let sandbox = Sandbox::new(&config).unwrap();
            assert_eq!(sandbox.0.organic_permits.available_permits(), all);
            assert_eq!(sandbox.organic_share(), share);
        }
    }

    #[test]
    fn the_identity_names_the_wasmtime_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        let linked = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n");
        assert!(
            lock.contains(&linked),
            "WASMTIME is not the version in Cargo.lock"
        );
    }

    #[test]
    fn a_file_that_is_no_component_is_told_what_it_is() {
        let message = |bytes: &[u8]| check_header(bytes).unwrap_err().message;
        assert!(message(b"\0asm\x01\0\0\0").contains("core WebAssembly module"));
        assert!(message(b"PK\x03\x04aaaa").contains("not WebAssembly"));
        assert!(message(b"\0as").contains("too short"));
    }
}
