//! Why weights are not submitted.

use crate::chain::error::ChainError;
use crate::chain::rejection::Rejection;
use crate::chain::timelock::TimelockError;
use crate::store::StoreError;
use crate::submission::Plan;

/// Why weights are not submitted, or cannot even be planned.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// There is no vector yet.
    #[error("there are no weights yet: no day was finalized")]
    NoVector,
    /// There is none that still counts.
    #[error("the weights have expired, and the host cannot make others now")]
    Expired,
    /// The subnet would not take the vector.
    #[error("the current weights make no vector that the subnet would take: {0}")]
    NoneForTheChain(String),
    /// Nobody signs.
    #[error("this host has no hotkey to sign with: set wallet.name")]
    NoHotkey,
    /// There is no chain to send to.
    #[error("this host knows the subnet from a file: set chain.network to submit")]
    Offline,
    /// The metagraph is too old.
    #[error(
        "the metagraph was read {age_s:.0} s ago, which is longer than chain.stale_after_s: \
         what has become of the subnet since is not known"
    )]
    Stale {
        /// Its age in seconds.
        age_s: f64,
    },
    /// It is not known what became of the submission before.
    #[error("it is not known yet what became of submission {0}: until it is, nothing else is sent")]
    Open(i64),
    /// The subnet has no epochs.
    #[error("the subnet does not run: its tempo is 0")]
    NotRunning,
    /// The chain would refuse it, by what it says itself.
    #[error("the chain would refuse it: {}", .0.refused.as_deref().unwrap_or("?"))]
    WouldRefuse(Box<Plan>),
    /// The pool of a node refused it.
    #[error("the node refused it: {0}")]
    Rejected(Rejection),
    /// The chain has no answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The weights could not be encrypted.
    #[error("the weights could not be encrypted")]
    Timelock(#[from] TimelockError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopped,
}

impl SubmissionError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            SubmissionError::NoVector => "no_weights",
            SubmissionError::Expired => "weights_expired",
            SubmissionError::NoneForTheChain(_) => "no_vector_for_the_chain",
            SubmissionError::NoHotkey => "no_hotkey",
            SubmissionError::Offline => "chain_offline",
            SubmissionError::Stale { .. } => "metagraph_stale",
            SubmissionError::Open(_) => "submission_open",
            SubmissionError::NotRunning => "subnet_not_running",
            SubmissionError::WouldRefuse(_) => "would_be_refused",
            SubmissionError::Rejected(_) => "rejected",
            SubmissionError::Chain(error) => error.code(),
            SubmissionError::Timelock(_) => "timelock",
            SubmissionError::Store(_) | SubmissionError::Stopped => "unavailable",
        }
    }
}
