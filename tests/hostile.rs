//! What hostile challenges and submissions try, and what comes of it: each is
//! contained with a code of its own, while a well-behaved challenge that runs
//! beside it comes to the same result with the same fuel as ever.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic; clippy.toml covers functions with #[test] only"
)]

#[path = "hostile/answers.rs"]
mod answers;
#[path = "hostile/components.rs"]
mod components;
#[path = "hostile/database.rs"]
mod database;
#[path = "hostile/deterministic.rs"]
mod deterministic;
#[path = "hostile/endless.rs"]
mod endless;
#[path = "hostile/files.rs"]
mod files;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/organic.rs"]
mod organic;
#[path = "hostile/organic_setup.rs"]
mod organic_setup;
#[path = "hostile/outbound.rs"]
mod outbound;
#[path = "hostile/routes.rs"]
mod routes;
#[path = "hostile/routes_setup.rs"]
mod routes_setup;
#[path = "hostile/setup.rs"]
mod setup;
#[path = "hostile/sockets.rs"]
mod sockets;
#[path = "hostile/solvers.rs"]
mod solvers;
#[path = "hostile/streams.rs"]
mod streams;
#[path = "hostile/traps.rs"]
mod traps;
#[path = "hostile/volumes.rs"]
mod volumes;
