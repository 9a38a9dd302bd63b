//! How weights are made, and when they are submitted.

use super::ConfigError;
use crate::weights::{NoMiner, SameMiner, TooFew, Unassigned};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Section `weights`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// What becomes of emission that nobody is paid: `redistribute` pays it to the miners
    /// that earned, in proportion; `burn` to the burn uid. Default: `redistribute`.
    #[schema(value_type = String)]
    pub unassigned: Unassigned,
    /// What is paid when nobody earned anything: `burn` pays the burn uid, `uniform`
    /// everybody the same, `skip` submits nothing. Default: `burn`.
    #[schema(value_type = String)]
    #[serde(alias = "no_miner")]
    pub zero_miner: NoMiner,
    /// What becomes of miners that look like one: `off` pays each, `keep_best` only the
    /// best of them. Default: `off`.
    #[schema(value_type = String)]
    pub same_miner: SameMiner,
    /// What to do with fewer weights than the subnet asks for: `refuse` the vector, or
    /// `pad` it with others of the least weight. Default: `refuse`.
    #[schema(value_type = String)]
    pub too_few: TooFew,
    /// Seconds for which `GET /v1/weights/latest` says that it is valid. Default: 720.
    pub valid_s: f64,
    /// Attempts at a challenge's weights of a day, 1 to 100, with the pauses of
    /// `scoring.retry_s`, within an hour. Default: 10.
    pub max_attempts: u32,
    /// Whether this host submits its vector, with the hotkey of `wallet`. Default: no.
    pub submit: bool,
    /// The version of the rules that is told to the chain, which refuses one below the
    /// subnet's. Default: 0.
    pub version_key: u64,
    /// Blocks before the end of an epoch by which the vector is to be on chain.
    /// Default: 20.
    pub margin_blocks: u64,
    /// The most blocks by which a submission is brought forward, by a number that each
    /// hotkey has for each epoch, so that not all submit at once. Default: 10.
    pub jitter_blocks: u64,
    /// Submits again in an epoch, as the rate limit allows, if the vector differs from
    /// the one on chain by more than this: the sum of all differences, 0 to 2. Default:
    /// none; once.
    pub resubmit_above: Option<f64>,
    /// The most blocks for which a submission may be taken into the chain, a power of two
    /// of 8 to 2,048; fewer where the epoch ends before. Default: 32.
    pub mortality_blocks: u64,
}

impl Default for Weights {
    fn default() -> Self {
        Weights {
            unassigned: Unassigned::default(),
            zero_miner: NoMiner::default(),
            same_miner: SameMiner::default(),
            too_few: TooFew::default(),
            valid_s: 720.0,
            max_attempts: 10,
            submit: false,
            version_key: 0,
            margin_blocks: 20,
            jitter_blocks: 10,
            resubmit_above: None,
            mortality_blocks: 32,
        }
    }
}

impl Weights {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(10.0..=86_400.0).contains(&self.valid_s) {
            let problem = format!("{} is not in 10 to 86400", self.valid_s);
            return Err(ConfigError::key("weights.valid_s", problem));
        }
        if !(1..=100).contains(&self.max_attempts) {
            let problem = format!("{} is not in 1 to 100", self.max_attempts);
            return Err(ConfigError::key("weights.max_attempts", problem));
        }
        if let Some(above) = self.resubmit_above
            && !(0.0..=2.0).contains(&above)
        {
            let problem = format!("{above} is not in 0 to 2");
            return Err(ConfigError::key("weights.resubmit_above", problem));
        }
        if !self.mortality_blocks.is_power_of_two() || !(8..=2_048).contains(&self.mortality_blocks)
        {
            let problem = format!(
                "{} is not a power of two in 8 to 2048",
                self.mortality_blocks
            );
            return Err(ConfigError::key("weights.mortality_blocks", problem));
        }
        for (key, blocks) in [
            ("weights.margin_blocks", self.margin_blocks),
            ("weights.jitter_blocks", self.jitter_blocks),
        ] {
            if blocks > 50_400 {
                let problem = format!("{blocks} is more than 50400, the longest epoch");
                return Err(ConfigError::key(key, problem));
            }
        }
        Ok(())
    }
}

/// Section `fallback_weights`: what counts for a challenge that tells no weights.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FallbackWeights {
    /// Seconds for which a challenge's own last good weights stand in for those that
    /// it does not tell, from the scoring hour of their day on. 0 is never. Default:
    /// 172,800, so that one day may fail.
    pub max_age_s: f64,
}

impl Default for FallbackWeights {
    fn default() -> Self {
        FallbackWeights {
            max_age_s: 172_800.0,
        }
    }
}

impl FallbackWeights {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(0.0..=31_536_000.0).contains(&self.max_age_s) {
            let problem = format!("{} is not in 0 to 31536000", self.max_age_s);
            return Err(ConfigError::key("fallback_weights.max_age_s", problem));
        }
        Ok(())
    }
}
