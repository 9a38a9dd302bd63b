//! The subnet on chain: who is registered, with what stake.

mod invalid;
mod metagraph;

pub use invalid::{InvalidMetagraph, MetagraphError};
pub use metagraph::{Metagraph, Neuron};
