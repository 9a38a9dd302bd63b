#![allow(missing_docs, dead_code, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#[path = "../../tests/e2e/commits.rs"]
mod commits;
#[path = "../../tests/e2e/http.rs"]
mod http;
#[path = "../../tests/e2e/keep.rs"]
mod keep;
#[path = "../../tests/e2e/stored.rs"]
mod stored;
#[path = "../../tests/e2e/support.rs"]
mod support;
