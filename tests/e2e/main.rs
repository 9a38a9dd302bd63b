//! The `proctor` binary from outside: real files, sockets of this machine, SQLite,
//! and processes that are killed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking, in their helpers too"
)]

mod admin_attacks;
mod admin_cli;
mod api;
mod attacks;
mod authors;
mod chain;
mod cli;
mod commits;
mod crash;
mod days;
mod defects;
mod demo;
mod forward_simulation;
mod guards;
mod http;
mod keep;
mod metrics;
#[path = "../../host/tests/oci_registry/server.rs"]
mod oci_server;
mod openapi_fuzz;
mod operator;
mod organic;
mod plugins;
mod receipts;
mod registry;
mod retry;
mod routes;
mod runner;
mod simulation;
mod stored;
mod support;
mod swap;
mod tags;
mod timestamps;
mod v1;
mod validators;
mod versions;
mod weights;
