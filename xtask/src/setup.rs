//! What must be on the machine before anything can be built.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{cargo, progress};

/// What components are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-wasip2";

/// Checks that there is a C compiler, and installs the target if it is missing.
pub(crate) fn check() -> Result<()> {
    if cfg!(unix) {
        c_compiler(&env::var_os("CC").unwrap_or_else(|| "cc".into()))?;
    }
    wasm_target()
}

fn c_compiler(name: &OsString) -> Result<()> {
    // `CC` may hold flags too.
    let program = name.to_string_lossy();
    let program = program.split_whitespace().next().unwrap_or("cc");
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => bail!(
            "no C compiler: `{program} --version` does not run. SQLite is compiled from C. Install one \
             (Debian, Ubuntu: apt install build-essential; Fedora: dnf install gcc; macOS: xcode-select --install), \
             or name yours in CC."
        ),
    }
}

fn wasm_target() -> Result<()> {
    if has_wasm_target()? {
        return Ok(());
    }
    progress(&format!("installing the Rust target {WASM_TARGET}"));
    match cargo::command("rustup")
        .args(["target", "add", WASM_TARGET])
        .status()
    {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`rustup target add {WASM_TARGET}` failed ({status})"),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the Rust target {WASM_TARGET} is missing, and there is no rustup to install it. Install rustup \
             (https://rustup.rs), or the target's standard library with what installed your Rust."
        ),
        Err(error) => Err(error).context("cannot run rustup"),
    }
}

/// Whether the compiler has the target's standard library. Asks the compiler and
/// not rustup, which need not be there.
fn has_wasm_target() -> Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut query = cargo::command(rustc);
    query.args(["--print", "target-libdir", "--target", WASM_TARGET]);
    let output = query.output().context("cannot run rustc")?;
    if !output.status.success() {
        bail!(
            "this rustc does not know {WASM_TARGET}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
