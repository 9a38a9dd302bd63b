//! From the weights of every challenge to one vector for the chain.
//!
//! [`aggregate`](fn@aggregate) makes floats by uid, and a [`Derivation`] that
//! shows people where each came from and what was dropped; [`quantise`](fn@quantise)
//! or [`conform`] makes the `u16` pairs that are submitted.
//!
//! Pure functions: no I/O, no clock. The same input gives the same bytes, in
//! whatever order it was put together.

mod aggregate;
mod derivation;
mod mix;
mod no_miner;
mod on_chain;
mod quantise;
mod same_miner;
mod share;

pub use aggregate::{
    Aggregated, ChallengeWeights, Miner, Policy, Reported, Unassigned, aggregate, aggregate_or_skip,
};
pub use derivation::{ChallengeShare, Decision, Derivation, DropReason, Dropped};
pub use mix::mix;
pub use no_miner::{NoMiner, NoMinerError, burn_vector};
pub use on_chain::{OnChain, on_chain};
pub use quantise::{QuantiseError, Quantised, TooFew, conform, quantise};
pub use same_miner::SameMiner;

/// The uid that is never paid as a miner, and that stands for burning: the
/// subnet owner's, whose incentive the chain burns.
pub const BURN_UID: u16 = 0;

/// What the chain accepts of a weight vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Least number of non-zero weights; the runtime's `MinAllowedWeights`.
    pub min_allowed_weights: u16,
    /// Greatest part of the sum that one weight may have, in 65535ths; the
    /// runtime's `MaxWeightsLimit`.
    pub max_weight_limit: u16,
}

impl Default for Limits {
    /// No limits: at least one weight, of any size.
    fn default() -> Self {
        Self {
            min_allowed_weights: 1,
            max_weight_limit: u16::MAX,
        }
    }
}
