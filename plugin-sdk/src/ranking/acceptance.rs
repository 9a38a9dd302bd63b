//! Whether a commit may earn, and may be a reference for later ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a commit must reach to be accepted.
///
/// Source: `update_miner_scores`, ab-sniffer-challenge 5e1a456. The peer's
/// challenges set `min_score` to 0.4 (`ab_sniffer_v6`), 0.85 (`bot_virus_v1`) or
/// 0.1 (before October 2025), and `max_penalty` to 0.6.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Acceptance {
    /// Lowest score that is accepted, before any penalty is taken off it.
    /// Default 0.4.
    pub min_score: f64,
    /// Highest penalty that is accepted. Default 0.6.
    pub max_penalty: f64,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self {
            min_score: 0.4,
            max_penalty: 0.6,
        }
    }
}

impl Acceptance {
    /// Whether 0 ≤ `penalty` ≤ `max_penalty` and `score` ≥ `min_score`, where
    /// `score` is the one before [`Easing::adjust`](super::Easing::adjust).
    /// Never, if either is NaN.
    pub fn admits(&self, score: f64, penalty: f64) -> bool {
        (0.0..=self.max_penalty).contains(&penalty) && score >= self.min_score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_are_inclusive() {
        let acceptance = Acceptance::default();
        assert!(acceptance.admits(0.4, 0.0));
        assert!(acceptance.admits(0.4, 0.6));
        assert!(!acceptance.admits(0.4_f64.next_down(), 0.6));
        assert!(!acceptance.admits(0.4, 0.6_f64.next_up()));
    }

    #[test]
    fn what_is_no_number_or_out_of_range_is_refused() {
        let acceptance = Acceptance::default();
        for penalty in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1] {
            assert!(!acceptance.admits(1.0, penalty));
        }
        assert!(!acceptance.admits(f64::NAN, 0.0));
        assert!(!acceptance.admits(f64::NEG_INFINITY, 0.0));
    }
}
