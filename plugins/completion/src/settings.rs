//! What an operator can set.

use crate::MAX_CHARS;
use proctor_sdk::ranking::FoldRules;
use proctor_sdk::{JsonSchema, SettingsProblem, schemars};
use serde::Deserialize;

/// Settings of the challenge.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Settings {
    /// How miners are asked: `btauth`, as since version 11 of the Bittensor SDK, or
    /// `dendrite`, as before.
    pub protocol: Signature,
    /// The path of the requests to miners, or the name of the synapse.
    pub path: String,
    /// Whether neurons that may set weights are asked as well.
    pub ask_validators: bool,
    /// Miners that are asked of one sample, drawn anew for each; 0 for all.
    pub miners_per_sample: u32,
    /// Most characters of a completion where the caller does not say, 100 to 1,000.
    pub max_chars: u32,
    /// Seconds that an answer may take to be worth half of one that takes none, above 0.
    pub latency_s: f64,
    /// The part of a miner's average that its newest reward makes, above 0 to 1.
    pub alpha: f64,
}

/// How requests to miners are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "schemars")]
pub enum Signature {
    /// The headers of `btauth/1`.
    Btauth,
    /// The headers of a `Dendrite`.
    Dendrite,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            protocol: Signature::Btauth,
            path: "Completion".to_owned(),
            ask_validators: false,
            miners_per_sample: 0,
            max_chars: 200,
            latency_s: 5.0,
            alpha: FoldRules::default().alpha,
        }
    }
}

impl Settings {
    /// What is wrong with them.
    pub(crate) fn problems(&self) -> Vec<SettingsProblem> {
        [
            (
                "path",
                !self.is_path(),
                "must be 1 to 256 of A-Z a-z 0-9 - _ . /, of segments that are not empty, \
                 are not . and do not have ..; for dendrite without a /",
            ),
            (
                "max_chars",
                !(100..=MAX_CHARS).contains(&self.max_chars),
                "must be 100 to 1000",
            ),
            (
                "latency_s",
                !(self.latency_s.is_finite() && self.latency_s > 0.0),
                "must be above 0",
            ),
            (
                "alpha",
                !(self.alpha > 0.0 && self.alpha <= 1.0),
                "must be above 0 and at most 1",
            ),
        ]
        .into_iter()
        .filter(|(_, wrong, _)| *wrong)
        .map(|(path, _, message)| SettingsProblem {
            path: path.to_owned(),
            message: message.to_owned(),
        })
        .collect()
    }

    /// Whether the host asks miners at this path.
    fn is_path(&self) -> bool {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let odd = |segment: &str| segment.is_empty() || segment == "." || segment.contains("..");
        let path = &self.path;
        let is_name = self.protocol == Signature::Btauth || !path.contains('/');
        path.len() <= 256 && path.chars().all(known) && !path.split('/').any(odd) && is_name
    }
}
