//! Calling cargo, and finding out what it built and where.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::setup::WASM_TARGET;

/// What `cargo metadata` says about this workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the user has configured it to be.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
}

/// A message of `cargo build` about something that is built.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A component that cargo has built.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) path: PathBuf,
    /// Whether it is an example of its package, not the package itself.
    pub(crate) example: bool,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let mut metadata = cargo();
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        serde_json::from_slice(&stdout(metadata)?)
            .context("cannot read the output of cargo metadata")
    }

    /// Builds one binary in the dev profile, and returns its path.
    ///
    /// `--workspace`, not `--package`: features are unified over the selected
    /// packages, and another selection means another build of wasmtime.
    pub(crate) fn build_binary(&self, name: &str) -> Result<PathBuf> {
        let mut build = cargo();
        build
            .current_dir(&self.root)
            .args(["build", "--workspace", "--bin", name]);
        messages(build)?
            .into_iter()
            .filter(|message| {
                message
                    .target
                    .as_ref()
                    .is_some_and(|target| target.name == name)
            })
            .find_map(|message| message.executable)
            .with_context(|| format!("cargo did not say where it put `{name}`"))
    }

    /// Builds the libraries and examples of some packages for wasm32-wasip2.
    ///
    /// In one go, and into the target directory that the tests' build script uses
    /// as well, so that both get the same files. That directory is not our own:
    /// the script would wait forever for the lock of the build it belongs to.
    pub(crate) fn build_components(&self, packages: &[&str]) -> Result<Vec<Component>> {
        let mut build = cargo();
        build
            .current_dir(&self.root)
            .args(["build", "--lib", "--examples", "--target", WASM_TARGET])
            .args(["--profile", "plugin", "--target-dir"])
            .arg(self.target.join("guests"));
        for package in packages {
            build.args(["--package", package]);
        }
        let mut components = Vec::new();
        for message in messages(build)? {
            let kinds = message.target.map(|target| target.kind).unwrap_or_default();
            let example = kinds.iter().any(|kind| kind == "example");
            for path in message.filenames {
                if path.extension() == Some(OsStr::new("wasm")) {
                    components.push(Component { path, example });
                }
            }
        }
        Ok(components)
    }
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command without what `cargo run` sets for us alone. Some build scripts
/// depend on these variables, and would run again every time.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command as the rest of this process: its exit status is ours, and so
/// are the signals we get.
pub(crate) fn hand_over(mut command: Command) -> Result<ExitCode> {
    let program = command.get_program().display().to_string();
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(command.exec()).with_context(|| format!("cannot run {program}"))
    }
    #[cfg(not(unix))]
    {
        let status = command
            .status()
            .with_context(|| format!("cannot run {program}"))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

fn messages(mut build: Command) -> Result<Vec<Message>> {
    build.arg("--message-format=json-render-diagnostics");
    let output = stdout(build)?;
    let lines = serde_json::Deserializer::from_slice(&output).into_iter::<Message>();
    let messages: Vec<_> = lines
        .collect::<Result<_, _>>()
        .context("cannot read the messages of cargo build")?;
    Ok(messages
        .into_iter()
        .filter(|message| message.reason == "compiler-artifact")
        .collect())
}

fn stdout(mut command: Command) -> Result<Vec<u8>> {
    let line = format!("{command:?}");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {line}"))?;
    if !output.status.success() {
        bail!("failed ({}): {line}", output.status);
    }
    Ok(output.stdout)
}
