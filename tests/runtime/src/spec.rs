//! The chain spec of a real runtime.

use crate::storage::Storage;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

/// The variable with the path of the chain spec.
pub const VARIABLE: &str = "PROCTOR_TEST_CHAIN_SPEC";

/// The storage of the first block of the chain spec that is named in [`VARIABLE`]: its
/// runtime is in there. Where none is named it says `SKIPPED` and why on standard error,
/// past the harness, which would keep it to itself.
///
/// # Panics
///
/// One is named, and cannot be read.
#[must_use]
pub fn genesis_or_skip(test: &str) -> Option<Storage> {
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        let why = format!("SKIPPED: {test}: {VARIABLE} is not set, see CONTRIBUTING.md\n");
        let _ = io::stderr().write_all(why.as_bytes());
        return None;
    };
    let path = Path::new(&path);
    let text = fs::read(path).unwrap_or_else(|error| panic!("{VARIABLE}: {path:?}: {error}"));
    let storage = read(&text).unwrap_or_else(|| {
        panic!("{VARIABLE}: {path:?} is no raw chain spec, with `genesis.raw.top`")
    });
    Some(storage)
}

fn read(text: &[u8]) -> Option<Storage> {
    let spec: Value = serde_json::from_slice(text).ok()?;
    let entries = spec.pointer("/genesis/raw/top")?.as_object()?;
    let mut storage = Storage::default();
    for (key, value) in entries {
        storage.set_raw(unhex(key)?, unhex(value.as_str()?)?);
    }
    Some(storage)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x")?).ok()
}
