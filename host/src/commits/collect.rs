//! Which validators are heard, and the whole way from views to commits.

use super::aggregate::{MinerCommits, aggregate, in_order};
use super::sift::{CommitFault, sift};
use super::versions::{CommitVersion, versions};
use super::wire::ValidatorView;
use crate::chain::Metagraph;

/// What [`collect`] made of all views.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// The current commit of each miner and challenge, by (uid, hotkey).
    pub commits: Vec<MinerCommits>,
    /// Every ciphertext in the views, see [`versions`](super::versions).
    pub versions: Vec<CommitVersion>,
    /// Keys and plain commits that did not verify.
    pub faults: Vec<CommitFault>,
    /// Validators whose view was left out, as (uid, hotkey, reason).
    pub ineligible: Vec<(u16, String, Ineligible)>,
}

/// Why a validator's view is left out.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Ineligible {
    /// The metagraph has another hotkey, or none, at this uid.
    #[error("no such validator in the metagraph")]
    UnknownValidator,
    /// It has too little stake.
    #[error("stake {stake} is below the minimum of {minimum}")]
    StakeTooLow {
        /// The validator's stake.
        stake: f64,
        /// The least stake that is needed.
        minimum: f64,
    },
}

impl Ineligible {
    /// The stable name of this reason, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownValidator => "unknown_validator",
            Self::StakeTooLow { .. } => "stake_too_low",
        }
    }
}

/// Checks that the view's validator is in the metagraph with a stake of at
/// least `min_validator_stake`, in the metagraph's unit. No permit is needed.
///
/// # Errors
///
/// [`Ineligible`], with the reason.
pub fn admit(
    view: &ValidatorView,
    metagraph: &Metagraph,
    min_validator_stake: f64,
) -> Result<(), Ineligible> {
    let neuron = metagraph
        .by_uid(view.validator_uid)
        .filter(|neuron| neuron.hotkey == view.validator_hotkey)
        .ok_or(Ineligible::UnknownValidator)?;
    if neuron.stake >= min_validator_stake {
        Ok(())
    } else {
        Err(Ineligible::StakeTooLow {
            stake: neuron.stake,
            minimum: min_validator_stake,
        })
    }
}

/// [`admit`], [`sift`](fn@sift), [`aggregate`] and [`versions`] in one.
///
/// One view for each validator; their order does not matter.
#[must_use]
pub fn collect(
    views: Vec<ValidatorView>,
    metagraph: &Metagraph,
    min_validator_stake: f64,
) -> Collected {
    let mut good = Vec::new();
    let mut faults = Vec::new();
    let mut ineligible = Vec::new();
    for view in in_order(views) {
        if let Err(reason) = admit(&view, metagraph, min_validator_stake) {
            ineligible.push((view.validator_uid, view.validator_hotkey, reason));
            continue;
        }
        let sifted = sift(view);
        faults.extend(sifted.faults);
        good.push(sifted.view);
    }
    let commits = aggregate(&good, metagraph);
    let versions = versions(&good, metagraph);
    Collected {
        commits,
        versions,
        faults,
        ineligible,
    }
}
