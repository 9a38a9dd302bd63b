//! The fake storage service, as a client on a socket sees it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helper functions of tests"
)]

mod faults;
mod restarts;
mod routes;
mod signatures;
mod support;
