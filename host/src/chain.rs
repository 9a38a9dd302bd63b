//! The subnet on chain: who is registered, with what stake, and who signed what.

mod invalid;
mod keys;
mod metagraph;
pub mod nonced;
pub mod signed;
mod ss58;

pub use invalid::{InvalidMetagraph, MetagraphError};
pub use keys::{Hotkey, KeyError, verify};
pub use metagraph::{Metagraph, Neuron};
pub use nonced::NoncedFault;
pub use signed::{SignatureFault, Signed};
