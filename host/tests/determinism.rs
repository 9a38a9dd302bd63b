//! A receipt is a function of what it names: the same evaluation has the same receipt,
//! wherever, whenever and beside whatever else it is done. `docs/receipts.md` lists the
//! sources of nondeterminism; each has a test here that fails if it is open.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic; clippy.toml covers functions with #[test] only"
)]

#[path = "determinism/fuel.rs"]
mod fuel;
#[path = "determinism/golden.rs"]
mod golden;
#[path = "determinism/hosts.rs"]
mod hosts;
#[path = "determinism/known.rs"]
mod known;
#[path = "determinism/machine.rs"]
mod machine;
#[path = "determinism/pipeline.rs"]
mod pipeline;
#[path = "determinism/receipt.rs"]
mod receipt;
#[path = "determinism/setup.rs"]
mod setup;
#[path = "determinism/sources.rs"]
mod sources;
#[path = "determinism/timing.rs"]
mod timing;
