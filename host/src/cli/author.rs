//! What the commands for authors have in common.

pub(super) mod build;
pub(super) mod new;

use super::terminal::Step;
use crate::sandbox::{
    Description, Limits, Outcome, PluginComponent, PluginError, Sandbox, SandboxConfig,
    SolverComponent,
};
use anyhow::Context;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most memory of one call, in bytes: as much as any configuration may give.
const MAX_MEMORY: usize = 4 << 30;

/// A sandbox whose compiled components outlive the command, so that a large component is
/// compiled once. Neither its cache nor anything else is that of a host.
pub(super) fn sandbox() -> anyhow::Result<Sandbox> {
    let mut config = SandboxConfig::new(cache().join("compiled"));
    config.max_memory_bytes = MAX_MEMORY;
    Ok(Sandbox::new(&config)?)
}

/// Where authors' commands keep what can be made again: `proctor` in `XDG_CACHE_HOME`, or
/// in `~/.cache`; without a home in the system's directory for temporary files.
pub(super) fn cache() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("proctor")
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// What keeps a host from loading a component, or what it tells of itself. While a large
/// one is compiled, which is done once, people are told.
pub(super) async fn load(
    sandbox: &Sandbox,
    bytes: &[u8],
) -> Result<(PluginComponent, Description), PluginError> {
    let (compiler, copy) = (sandbox.clone(), bytes.to_vec());
    let load = move || PluginComponent::load(&compiler, &copy);
    let (component, _) = compiling(bytes.len(), load).await?;
    let description = component
        .describe(sandbox, &Limits::default())
        .await
        .result?;
    Ok((component, description))
}

/// The same for a submission, which tells nothing of itself.
pub(super) async fn load_solver(sandbox: &Sandbox, bytes: &[u8]) -> Result<(), PluginError> {
    let (compiler, copy) = (sandbox.clone(), bytes.to_vec());
    let load = move || SolverComponent::load(&compiler, &copy);
    compiling(bytes.len(), load).await.map(drop)
}

/// What is done sooner is not worth a line.
const SOON: Duration = Duration::from_millis(300);

async fn compiling<T: Send + 'static>(
    bytes: usize,
    load: impl FnOnce() -> Result<T, PluginError> + Send + 'static,
) -> Result<T, PluginError> {
    let mut loaded = tokio::task::spawn_blocking(load);
    let loaded = match tokio::time::timeout(SOON, &mut loaded).await {
        Ok(loaded) => loaded,
        Err(_) => {
            let size = size(bytes as u64);
            let _step = Step::begin(format!("compiling {size}, which is kept for the next time"));
            loaded.await
        }
    };
    loaded.map_err(|error| PluginError::new(Outcome::HostError, error.to_string()))?
}

/// A size, for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}
