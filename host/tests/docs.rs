//! The book in `docs/` is of this version: its reference is what the code says, its list of
//! codes is complete, and its links lead somewhere.
//!
//! `PROCTOR_TEST_UPDATE=1 cargo test --workspace --test docs` writes the reference anew.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helper functions of a test"
)]

#[path = "docs/codes.rs"]
mod codes;
#[path = "docs/configuration.rs"]
mod configuration;
#[path = "docs/copies.rs"]
mod copies;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/tutorial.rs"]
mod tutorial;
#[path = "docs/wit.rs"]
mod wit;

use std::path::{Path, PathBuf};

/// A directory of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Asserts that a page of the book is `text`, which it is afterwards if it is to be
/// updated.
fn assert_current(page: &str, text: &str) {
    let path = repository("docs").join(page);
    if std::env::var_os("PROCTOR_TEST_UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(there.lines()).find(|(a, b)| a != b);
    assert!(
        text == there,
        "docs/{page} differs at {differs:?}; PROCTOR_TEST_UPDATE=1 writes it anew"
    );
}
