//! A vector as the subnet takes it.

use super::{Limits, Quantised, conform};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A vector as the chain wants it, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChain {
    /// What is submitted.
    Vector {
        /// The uids and their weights.
        quantised: Quantised,
        /// Who earned nothing, or next to it, and was added for the subnet's least
        /// number of weights.
        padded: Vec<u16>,
        /// Whether a weight was cut to the subnet's greatest.
        clipped: bool,
    },
    /// Why the subnet would refuse it.
    Refused(String),
}

/// The vector as the chain wants it, and what had to be done to it for that: the weights
/// by uid, [`conform`]ed to the subnet's limits with others of `pad_with`.
#[must_use]
pub fn on_chain(weights: &[(u16, f64)], limits: Limits, pad_with: &BTreeSet<u16>) -> OnChain {
    let quantised = match conform(weights, limits, None, pad_with) {
        Ok(quantised) => quantised,
        Err(error) => return OnChain::Refused(error.to_string()),
    };
    let least = Limits {
        min_allowed_weights: 0,
        ..limits
    };
    let unpadded = conform(weights, least, None, &BTreeSet::new()).unwrap_or_default();
    let unclipped = conform(weights, Limits::default(), None, &BTreeSet::new());
    if let Some(part) = quantised.above(limits.max_weight_limit) {
        let (part, limit) = (part * 100.0, f64::from(limits.max_weight_limit) / 655.35);
        let reason =
            format!("the greatest weight is {part:.2} % of all; the subnet allows {limit:.2} %");
        return OnChain::Refused(reason);
    }
    let padded = quantised.uids.iter().copied();
    OnChain::Vector {
        padded: padded.filter(|uid| !unpadded.uids.contains(uid)).collect(),
        clipped: unclipped.is_ok_and(|unclipped| unclipped != unpadded),
        quantised,
    }
}
