//! Builds the guests: components in Rust by a cargo of its own, those that Rust
//! cannot express from text.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const TARGET: &str = "wasm32-wasip2";

fn main() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("no OUT_DIR")?);
    let tests = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("no CARGO_MANIFEST_DIR")?);
    let root = tests.parent().context("tests/ has no parent")?;
    for source in [
        "Cargo.lock",
        "Cargo.toml",
        "wit",
        "plugin-sdk",
        "plugins",
        "tests/guests",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let mut guests = BTreeMap::new();
    for component in rust_guests(root, &out)? {
        let name = component
            .file_name()
            .context("a component without a name")?;
        guests.insert(name.to_owned(), fs::read(&component)?);
    }
    text_guests(root, &mut guests)?;
    replace(&out.join("guests"), &guests)
}

/// Makes `directory` hold these files and no others. Each is replaced at once,
/// because the tests of another build may be reading it.
fn replace(directory: &Path, files: &BTreeMap<OsString, Vec<u8>>) -> Result<()> {
    fs::create_dir_all(directory)?;
    for (name, bytes) in files {
        let path = directory.join(name);
        if fs::read(&path).is_ok_and(|old| &old == bytes) {
            continue;
        }
        let new = path.with_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(new, path)?;
    }
    for file in fs::read_dir(directory)? {
        let file = file?;
        if !files.contains_key(&file.file_name()) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Builds the packages, and returns the components that cargo made of them.
fn rust_guests(root: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    // <target>/<profile>/build/<package>/out. A directory beside those of the
    // profiles, because the cargo that runs this script has locked its own.
    let target = out
        .ancestors()
        .nth(4)
        .context("OUT_DIR is not in a target directory")?;
    let mut cargo = Command::new(env::var_os("CARGO").context("no CARGO")?);
    cargo
        .current_dir(root)
        .args([
            "build",
            "--locked",
            "--lib",
            "--examples",
            "--target",
            TARGET,
        ])
        .args([
            "--profile",
            "plugin",
            "--message-format",
            "json-render-diagnostics",
        ])
        .args([
            "-p",
            "completion",
            "-p",
            "digits",
            "-p",
            "digits-solvers",
            "-p",
            "hostile-guests",
        ])
        .arg("--target-dir")
        .arg(target.join("guests"))
        .stdout(Stdio::piped());
    // What the outer build sets for itself: flags for another target, and
    // wrappers such as clippy's.
    for name in [
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_ENCODED_RUSTFLAGS",
        "CLIPPY_ARGS",
        "CLIPPY_CONF_DIR",
        "RUSTC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
    ] {
        cargo.env_remove(name);
    }
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "cannot build the guests, see above{}",
        if has_target() {
            ""
        } else {
            ": run `rustup target add wasm32-wasip2`"
        },
    );
    let messages = String::from_utf8(output.stdout)?;
    let mut components = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line)?;
        let files = message.get("filenames").and_then(Value::as_array);
        let files = files.into_iter().flatten().filter_map(Value::as_str);
        components.extend(
            files
                .filter(|file| file.ends_with(".wasm"))
                .map(PathBuf::from),
        );
    }
    Ok(components)
}

/// Whether the standard library for the guests is installed.
fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let directory = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    directory.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists())
}

/// Assembles `tests/guests/wat`. The folder tells what becomes of a file: a
/// `component` stands as it is, so does a core `module`, and the others are core
/// modules that are made components of the world with the folder's name.
fn text_guests(root: &Path, guests: &mut BTreeMap<OsString, Vec<u8>>) -> Result<()> {
    for folder in fs::read_dir(root.join("tests/guests/wat"))? {
        let folder = folder?.path();
        let world = folder
            .file_name()
            .and_then(|n| n.to_str())
            .context("a folder's name")?;
        for file in fs::read_dir(&folder)? {
            let file = file?.path();
            let binary = wat::parse_file(&file)?;
            let binary = match world {
                "component" | "module" => binary,
                _ => component(root, world, binary).with_context(|| file.display().to_string())?,
            };
            let name = file.file_stem().context("a file without a name")?;
            let name = Path::new(name).with_extension("wasm");
            guests.insert(name.into_os_string(), binary);
        }
    }
    Ok(())
}

fn component(root: &Path, world: &str, mut module: Vec<u8>) -> Result<Vec<u8>> {
    let package = if world == "solver" {
        "solver"
    } else {
        "challenge"
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit").join(package))?;
    let world = resolve.select_world(&[package], Some(world))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()
}
