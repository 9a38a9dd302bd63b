//! The subnet on chain: who is registered, with what stake, and who signed what.

pub(crate) mod blocks;
pub mod btauth;
pub mod call;
pub mod client;
pub mod commit_hash;
pub mod dendrite;
pub mod drand;
pub mod endpoints;
pub mod epoch;
pub mod error;
mod hyperparameters;
mod invalid;
mod keys;
pub mod metadata;
mod metagraph;
pub mod network;
pub mod nonced;
mod password;
pub mod preflight;
pub mod read;
pub mod rejection;
pub mod signed;
pub(crate) mod ss58;
pub mod subnet;
pub mod timelock;
pub mod transaction;

pub use hyperparameters::Hyperparameters;
pub use invalid::{InvalidMetagraph, MetagraphError};
pub use keys::{Hotkey, KeyError, verify};
pub use metagraph::{Metagraph, Neuron};
pub use nonced::NoncedFault;
pub use signed::{SignatureFault, Signed};
