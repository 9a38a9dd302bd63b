//! A real subtensor runtime in process, for tests.
//!
//! The runtime is WebAssembly from a chain spec, executed by smoldot. This crate is the
//! rest of a node: storage, a pool, blocks, and JSON-RPC. What it does not have, and
//! what these tests therefore do not show: forks, finality that comes later than the
//! block, other nodes, offchain workers, and the root of the state, which is not that of
//! the trie.
//!
//! It is a crate of its own, and no part of any binary, because smoldot is under the GPL.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "for tests only: what goes wrong here is a mistake in the test"
)]

mod chain;
mod header;
mod node;
mod pool;
mod rpc;
mod runtime;
mod spec;
mod storage;
mod subnet;
mod validity;

pub use node::Node;
pub use spec::{VARIABLE, genesis_or_skip};
pub use storage::{Key, Storage};
pub use subnet::{Member, Subnet};
