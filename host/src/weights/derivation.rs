//! How a weight vector came about, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::no_miner::NoMiner;

/// How a weight vector came about.
///
/// All shares are parts of one: the whole of what the subnet pays. What
/// challenges contribute and what was dropped adds up to it, if any challenge
/// has a share at all.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Derivation {
    /// Challenge → its share and what it gave to whom.
    pub challenges: BTreeMap<String, ChallengeShare>,
    /// Hotkey → sum of its contributions, before what was dropped is
    /// redistributed. Empty if nobody earned.
    pub hotkeys: BTreeMap<String, f64>,
    /// What was left out, by challenge and hotkey.
    pub dropped: Vec<Dropped>,
    /// Who the vector pays.
    pub decision: Decision,
}

/// One challenge's part in a [`Derivation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChallengeShare {
    /// The emission percent as given; not finite is written as `null`.
    pub emission_percent: f64,
    /// Its part of the whole, 0 to 1.
    pub share: f64,
    /// Hotkey → part of the whole that this challenge gives it. Only hotkeys
    /// that can be paid; the others are in [`Derivation::dropped`].
    pub contributions: BTreeMap<String, f64>,
}

/// Whom a vector pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The miners that earned.
    #[default]
    Miners,
    /// Nobody earned, and this policy decided.
    NoMiner(NoMiner),
}

/// Something that was not paid to whom it was meant for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dropped {
    /// The challenge; `None` for the part of emission that no challenge has.
    pub challenge: Option<String>,
    /// The hotkey; `None` if it concerns the whole challenge.
    pub hotkey: Option<String>,
    /// Why.
    pub reason: DropReason,
    /// The weight as the challenge gave it; not finite is written as `null`.
    pub weight: Option<f64>,
    /// The part of the whole that went elsewhere, 0 to 1: to the other miners
    /// or to the burn uid, as the policy says.
    pub share: f64,
}

/// Why something was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "code", content = "detail")]
pub enum DropReason {
    /// The challenge gave no weights, for the reason named.
    ChallengeFailed(String),
    /// The challenge's emission percent is NaN or infinite.
    EmissionNotFinite,
    /// The challenge's emission percent is negative; it counts as 0.
    EmissionNegative,
    /// The emission percents sum to less than 100, and the rest is burned.
    EmissionUnassigned,
    /// The challenge gave no weight that is finite and positive.
    NoWeights,
    /// The weight is NaN or infinite.
    WeightNotFinite,
    /// The weight is 0 or negative.
    WeightNotPositive,
    /// The hotkey is not registered.
    UnknownHotkey,
    /// The hotkey has the burn uid, which is never paid as a miner.
    BurnUid,
    /// Another hotkey of what looks like the same miner has a greater weight.
    SameMiner,
}

impl DropReason {
    /// The stable name of this reason, in snake case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ChallengeFailed(_) => "challenge_failed",
            Self::EmissionNotFinite => "emission_not_finite",
            Self::EmissionNegative => "emission_negative",
            Self::EmissionUnassigned => "emission_unassigned",
            Self::NoWeights => "no_weights",
            Self::WeightNotFinite => "weight_not_finite",
            Self::WeightNotPositive => "weight_not_positive",
            Self::UnknownHotkey => "unknown_hotkey",
            Self::BurnUid => "burn_uid",
            Self::SameMiner => "same_miner",
        }
    }
}
