//! Temporary.
#![allow(missing_docs, dead_code, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#[path = "../../tests/e2e/commits.rs"]
mod commits;
#[path = "../../tests/e2e/http.rs"]
mod http;
#[path = "../../tests/e2e/metrics.rs"]
mod metrics;
#[path = "../../tests/e2e/support.rs"]
mod support;
#[path = "../../tests/e2e/v1.rs"]
mod v1;
