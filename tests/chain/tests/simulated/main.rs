//! That the simulated chain does what it says, mostly asked through plain subxt.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod client;
mod commit_reveal;
mod epochs;
mod faults;
mod forks;
mod pool;
mod reads;
mod support;
mod timelock;
mod upgrade;
mod weights;
