//! What the commands for authors have in common.

pub(super) mod build;
pub(super) mod new;

use super::terminal::Step;
use crate::authoring::BuildError;
use crate::authoring::inspect::Anatomy;
use crate::sandbox::{
    ComponentKind, Description, Interfaces, Limits, Outcome, PluginComponent, PluginError, Sandbox,
    SandboxConfig, SolverComponent,
};
use anyhow::{Context, bail};
use serde_json::{Value, json};
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

/// The bytes of a component, or what the file is instead.
pub(super) fn read_component(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path)?;
    if let Err(error) = Anatomy::of(&bytes) {
        bail!("{}: {error}", path.display());
    }
    Ok(bytes)
}

/// Refuses a component of the other kind. What is none is left to what loads it. `file` is
/// what the author named, as in `--artifact: dist/sum.wasm`.
pub(super) fn expect_kind(bytes: &[u8], wanted: ComponentKind, file: &str) -> anyhow::Result<()> {
    let name = |kind| match kind {
        ComponentKind::Challenge => "a challenge",
        ComponentKind::Solver => "a submission",
    };
    let kind = Interfaces::of(bytes).kind;
    if kind != wanted && Anatomy::of(bytes).is_ok() {
        bail!("{file} is {}, not {}", name(kind), name(wanted));
    }
    Ok(())
}

/// A command was called in a way that cannot be right: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Why a command failed, for programs.
pub(super) fn error_json(error: &anyhow::Error) -> Value {
    let error = match error.downcast_ref::<BuildError>() {
        Some(error) => build::error_json(error),
        None => json!({ "code": "failed", "message": format!("{error:#}") }),
    };
    json!({ "error": error })
}

/// A path as one would type it here.
pub(super) fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = path.strip_prefix(here).unwrap_or(path);
    path.display().to_string()
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
            let _step = Step::begin(format!("compiling it ({size}); this is done once"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proctor_testing::{guest, guest_bytes};

    #[test]
    fn a_component_of_the_other_kind_is_refused() {
        let (challenge, solver) = (guest_bytes("digits"), guest_bytes("knn"));
        let check = |bytes: &[u8], wanted| {
            let checked = expect_kind(bytes, wanted, "--artifact: a.wasm");
            checked.map_err(|error| error.to_string())
        };
        let told = check(&challenge, ComponentKind::Solver).unwrap_err();
        assert_eq!(told, "--artifact: a.wasm is a challenge, not a submission");
        let told = check(&solver, ComponentKind::Challenge).unwrap_err();
        assert_eq!(told, "--artifact: a.wasm is a submission, not a challenge");
        check(&challenge, ComponentKind::Challenge).unwrap();
        check(&solver, ComponentKind::Solver).unwrap();
        check(b"no component", ComponentKind::Solver).unwrap();
    }

    #[test]
    fn a_file_that_is_no_component_is_told_by_its_name() {
        let module = guest("core_module");
        let error = read_component(&module).unwrap_err().to_string();
        let name = module.display().to_string();
        assert!(
            error.starts_with(&format!("{name}: a core WebAssembly module")),
            "{error}"
        );
        assert_eq!(read_component(&guest("knn")).unwrap(), guest_bytes("knn"));
    }

    #[test]
    fn why_a_command_failed_is_json_with_a_code() {
        let error = error_json(&anyhow::anyhow!("inner").context("outer"));
        assert_eq!(
            error,
            json!({"error": {"code": "failed", "message": "outer: inner"}})
        );
        let missing = BuildError::Missing {
            tool: "cargo".to_owned(),
            needed_for: "it builds".to_owned(),
            install: "get it".to_owned(),
        };
        let error = error_json(&anyhow::Error::from(missing).context("building"));
        assert_eq!(error["error"]["code"], "missing_tool");
        assert_eq!(error["error"]["install"], "get it");
    }
}
