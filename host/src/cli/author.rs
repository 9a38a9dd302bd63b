//! What the commands for authors have in common.

use crate::sandbox::{Description, Limits, PluginComponent, PluginError, Sandbox, SandboxConfig};
use anyhow::Context;
use std::env;
use std::path::{Path, PathBuf};

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

/// What keeps a host from loading a component, or what it tells of itself.
pub(super) async fn load(
    sandbox: &Sandbox,
    bytes: &[u8],
) -> Result<(PluginComponent, Description), PluginError> {
    let (component, _) = PluginComponent::load(sandbox, bytes)?;
    let description = component
        .describe(sandbox, &Limits::default())
        .await
        .result?;
    Ok((component, description))
}
