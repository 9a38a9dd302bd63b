//! The `proctor` binary from outside: real files, sockets of this machine, SQLite,
//! and processes that are killed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking, in their helpers too"
)]

mod api;
mod cli;
mod commits;
mod crash;
mod demo;
mod http;
mod metrics;
mod plugins;
mod retry;
mod support;
