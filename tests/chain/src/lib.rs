//! A simulated subtensor, for tests: the real metadata of spec 365 behind the JSON-RPC
//! methods that clients use.
//!
//! It decodes signed extrinsics by itself, verifies their signature, era and nonce, does
//! what the calls that set weights do, with the checks of the pallet in its order, opens
//! timelocked weights, and tells events as the metadata encodes them. Everything may
//! fail on demand: [`Faults`] between it and its clients, [`SimulatedChain`] in the chain
//! itself.
//!
//! It is not a node: there is no consensus, no trie and no fee, state roots are made up,
//! stake only changes by [`SimulatedChain::edit`], and no epoch computes anything.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what goes wrong here is a failed test"
)]

mod apis;
mod block;
mod call;
mod chain;
mod commits;
pub mod drand;
mod epoch;
mod event;
mod extrinsic;
mod faults;
mod metagraph;
mod node;
mod pool;
mod rpc;
mod runtime;
mod server;
mod state;
mod storage;
mod validity;
mod value;
mod weights;
mod world;

pub use call::{Call, Reveal};
pub use chain::{NETUID, SimulatedChain, account};
pub use event::{Event, Failure};
pub use extrinsic::{Era, Extrinsic};
pub use faults::Faults;
pub use node::{Node, RpcError, Subscription, from_hex, to_hex};
pub use runtime::{Rules, Runtime};
pub use server::Server;
pub use state::{Account, Commit, Neuron, State, Subnet, Timelocked};
pub use validity::Invalid;
pub use world::{Outcome, Received};
