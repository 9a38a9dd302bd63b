//! Puts into the binary what `proctor plugin new` writes: templates, SDKs and WIT.

#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "an error ends the build"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What is taken, relative to the repository: files, and directories with all below.
const TAKEN: [&str; 16] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "host/templates",
    "plugin-sdk/Cargo.toml",
    "plugin-sdk/README.md",
    "plugin-sdk/js/README.md",
    "plugin-sdk/js/package.json",
    "plugin-sdk/js/src",
    "plugin-sdk/js/types",
    "plugin-sdk/js/wit",
    "plugin-sdk/python/README.md",
    "plugin-sdk/python/proctor_sdk",
    "plugin-sdk/src",
    "wit",
];

/// What is left out, wherever it is.
const LEFT_OUT: [&str; 4] = ["__pycache__", "node_modules", "published.toml", "target"];

fn main() {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = host.parent().expect("the host is in a repository");
    let mut files = Vec::new();
    for name in TAKEN {
        let path = root.join(name);
        // A path that is not there would build the host again each time.
        if path.exists() {
            let first = files.len();
            take(&path, &mut files);
            // Python writes into its directories whenever it runs, which is no reason to
            // build the host again.
            let watched = match name.starts_with("plugin-sdk/python") {
                true => files.get(first..).unwrap_or_default(),
                false => std::slice::from_ref(&path),
            };
            for path in watched {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    files.sort();
    let mut table = String::from("pub(super) static FILES: &[(&str, &[u8])] = &[\n");
    for file in &files {
        let name = file.strip_prefix(root).expect("it is in the repository");
        let name = name.to_str().expect("names are UTF-8");
        let file = file.to_str().expect("names are UTF-8");
        writeln!(table, "    ({name:?}, include_bytes!({file:?})),").expect("a string takes all");
    }
    table.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("embedded.rs"), table).expect("OUT_DIR can be written");
}

fn take(path: &Path, files: &mut Vec<PathBuf>) {
    if LEFT_OUT.iter().any(|name| path.ends_with(name)) {
        return;
    }
    if !path.is_dir() {
        files.push(path.to_owned());
        return;
    }
    // What tools keep beside sources: `.venv`, `.mypy_cache`.
    let name = path.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| name.starts_with('.')) {
        return;
    }
    let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for entry in entries {
        take(&entry.expect("the directory is read").path(), files);
    }
}
