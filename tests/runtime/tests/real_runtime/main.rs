//! Weights on a real subtensor runtime (spec 218), with the host's own code on one side
//! and a node in process on the other. Each test says SKIPPED where
//! `PROCTOR_TEST_CHAIN_SPEC` names no chain spec.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod commit_reveal;
mod epochs;
mod faults;
mod metagraph;
mod refusals;
mod set_weights;
mod submission;
mod support;
