//! The tests of a project in Rust, run natively by cargo.

use super::super::super::terminal::Step;
use crate::authoring::Project;
use anyhow::{Context, anyhow};
use std::io;
use std::process::{Command, Stdio};

/// What came of `cargo test`.
pub(in crate::cli) struct Native {
    /// Whether all tests passed.
    pub(in crate::cli) passed: bool,
    /// What it printed.
    pub(in crate::cli) output: String,
}

/// Runs `cargo test` in a project.
pub(super) fn test(project: &Project) -> anyhow::Result<Native> {
    let _step = Step::begin("running the native tests: cargo test");
    let mut cargo = Command::new("cargo");
    // What failed is told by case: a backtrace would be that of the SDK.
    cargo.args(["test", "--quiet"]).env("RUST_BACKTRACE", "0");
    cargo.current_dir(&project.root);
    let output = cargo.stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(anyhow!(
                "cargo is not installed, which runs the native tests of a project in Rust: get \
                 it at https://rustup.rs, or leave them out with --no-native"
            ));
        }
        Err(error) => return Err(error).context("cannot run cargo test"),
    };
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes));
    Ok(Native {
        passed: output.status.success(),
        output: text.concat(),
    })
}
