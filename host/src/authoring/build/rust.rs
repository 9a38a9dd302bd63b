//! Rust: cargo builds components for `wasm32-wasip2` by itself.

use super::tool::{command_line, output_of};
use super::{BuildError, Job, find_tool};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// One of the messages that cargo prints with `--message-format json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

pub(super) fn build(job: &Job<'_>) -> Result<(), BuildError> {
    find_tool("cargo", None, &job.path).ok_or_else(|| BuildError::Missing {
        tool: "cargo".to_owned(),
        needed_for: "it builds projects in Rust".to_owned(),
        install: "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh".to_owned(),
    })?;
    require_target(job)?;
    // By its name, so that what is shown can be typed.
    let mut command = Command::new("cargo");
    command
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--package", job.source])
        .current_dir(&job.project.root)
        .env("PATH", &job.path);
    let line = command_line(&command);
    let output = output_of(command).map_err(without_messages)?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let component = component(&messages, job.source).ok_or_else(|| BuildError::NoOutput {
        command: line,
        hint: format!(
            "the package `{}` needs [lib] with crate-type = [\"cdylib\"] in its Cargo.toml",
            job.source
        ),
    })?;
    fs::copy(&component, &job.out).map_err(BuildError::io(&component))?;
    Ok(())
}

/// The target's standard library is asked for before anything is compiled, which may take
/// long, and whose error says less.
fn require_target(job: &Job<'_>) -> Result<(), BuildError> {
    let Some(rustc) = find_tool("rustc", None, &job.path) else {
        return Ok(());
    };
    let mut command = Command::new(rustc);
    command
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(&job.project.root)
        .env("PATH", &job.path);
    let output = output_of(command)?;
    let directory = String::from_utf8_lossy(&output.stdout);
    if Path::new(directory.trim()).is_dir() {
        return Ok(());
    }
    Err(BuildError::Missing {
        tool: format!("Rust's target {TARGET}"),
        needed_for: "components are built for it".to_owned(),
        install: format!("rustup target add {TARGET}"),
    })
}

/// The component of a package, by what cargo says that it made. It may have made others:
/// a dependency can be a component too.
fn component(messages: &str, package: &str) -> Option<PathBuf> {
    let mut found = None;
    for line in messages.lines() {
        // Build scripts may print anything.
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            continue;
        };
        let is_wasm = |file: &&PathBuf| file.extension().is_some_and(|end| end == "wasm");
        let file = message.filenames.iter().find(is_wasm);
        if let Some(file) = file.filter(|_| message.reason == "compiler-artifact")
            && package_of(&message.manifest_path).is_some_and(|name| name == package)
        {
            found = Some(file.clone());
        }
    }
    found
}

/// The name of the package that a manifest is of.
fn package_of(manifest: &Path) -> Option<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).ok()?.parse().ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    Some(name.to_owned())
}

/// What cargo prints for programs is of no use to people.
fn without_messages(error: BuildError) -> BuildError {
    let BuildError::Failed {
        command,
        status,
        output,
    } = error
    else {
        return error;
    };
    let lines = output.lines().filter(|line| !line.starts_with('{'));
    BuildError::Failed {
        command,
        status,
        output: lines.collect::<Vec<_>>().join("\n"),
    }
}
