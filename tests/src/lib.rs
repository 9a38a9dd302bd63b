//! The components that the tests run, built from source by `build.rs`: the
//! example challenges, their solvers, and hostile guests.
#![allow(
    clippy::panic,
    reason = "for tests only: a guest that is not there is a mistake in the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Where the component `name` is: `completion`, `digits`, a solver of
/// `plugins/digits-solvers`, or a guest of `tests/guests`.
///
/// # Panics
///
/// There is no such guest.
pub fn guest(name: &str) -> PathBuf {
    let guests = Path::new(concat!(env!("OUT_DIR"), "/guests"));
    let path = guests.join(name).with_extension("wasm");
    assert!(path.exists(), "no guest {name:?} in {}", guests.display());
    path
}

/// The component `name`.
///
/// # Panics
///
/// There is no such guest.
pub fn guest_bytes(name: &str) -> Vec<u8> {
    let path = guest(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
