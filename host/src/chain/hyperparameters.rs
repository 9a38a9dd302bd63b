//! What a subnet asks of those who set its weights.

use serde::{Deserialize, Serialize};

/// What a subnet asks of those who set its weights, in the chain's units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hyperparameters {
    /// `Tempo`: blocks of an epoch.
    pub tempo: u16,
    /// `WeightsSetRateLimit`: blocks from one submission of a hotkey to its next.
    pub weights_rate_limit: u64,
    /// `WeightsVersionKey`: the least version key; 0 is any.
    pub weights_version: u64,
    /// `MinAllowedWeights`: the least number of weights.
    pub min_allowed_weights: u16,
    /// `MaxWeightsLimit`: the greatest part of the sum that a weight may have, in
    /// 65535ths. 65535 where the runtime does not ask any more.
    pub max_weight_limit: u16,
    /// `CommitRevealWeightsEnabled`.
    pub commit_reveal_enabled: bool,
    /// `RevealPeriodEpochs`: epochs from a commit to its reveal.
    pub commit_reveal_period: u64,
    /// `CommitRevealWeightsVersion`; `None` where the runtime knows of no timelock.
    pub commit_reveal_version: Option<u16>,
    /// `MechanismCountCurrent`; 1 where the runtime knows of no mechanisms.
    pub mechanism_count: u8,
    /// `StakeThreshold`, in rao.
    pub stake_threshold: u64,
}
