//! What a best commit earns as it ages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::softmax_nonzero;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// What an emission is computed from: a commit's score, and since when it stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The score, penalty applied.
    pub score: f64,
    /// When the commit was judged, in seconds since the Unix epoch.
    pub scored_at: f64,
}

/// How scores turn into a challenge's emission. The keys are those of the peer's
/// `emission_config`.
///
/// Source: `ABSChallengeManager`, ab-sniffer-challenge 5e1a456.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmissionRules {
    /// Days for which a score stays whole. Default 10.
    pub stable_period_days: f64,
    /// Days after which nothing is left of a score. Default 15.
    pub expiration_days: f64,
    /// Rate of the slow exponential loss, per day. Default 0.002.
    pub alpha: f64,
    /// Days after which the exponential loss goes no further. Default 10.
    pub t_max: f64,
    /// Temperature of the softmax: the lower, the more goes to the best.
    /// Default 0.2.
    pub reward_temperature: f64,
}

impl Default for EmissionRules {
    fn default() -> Self {
        Self {
            stable_period_days: 10.0,
            expiration_days: 15.0,
            alpha: 0.002,
            t_max: 10.0,
            reward_temperature: 0.2,
        }
    }
}

impl EmissionRules {
    /// Parabolic decay: 1 through the stable period, then 1 − p² where p is the
    /// part of the way to expiration that has gone by, then 0. 0 for NaN.
    ///
    /// Source: `_calculate_decayed_score`.
    pub fn decay(&self, age_days: f64) -> f64 {
        if age_days <= self.stable_period_days {
            1.0
        } else if age_days <= self.expiration_days {
            let stable = self.stable_period_days;
            1.0 - ((age_days - stable) / (self.expiration_days - stable)).powi(2)
        } else {
            0.0
        }
    }

    /// Saturating time factor: e^(−`alpha` · age) up to `t_max` days, constant
    /// after. Above 1 for a negative age, that is if the clock was set back.
    ///
    /// Source: `_time_factor_saturating`.
    pub fn time_factor(&self, age_days: f64) -> f64 {
        (-self.alpha * age_days.min(self.t_max)).exp()
    }

    /// Weights of the best commits at the time `now` (seconds since the Unix
    /// epoch), in their order: each score times [`decay`](Self::decay) times
    /// [`time_factor`](Self::time_factor), then [`softmax_nonzero`].
    ///
    /// They sum to 1, or are all 0 if every commit has expired. A commit
    /// whose score or age is not finite has none.
    ///
    /// Source: `get_challenge_scores`.
    pub fn weights(&self, best: impl IntoIterator<Item = Scored>, now: f64) -> Vec<f64> {
        let current: Vec<f64> = best
            .into_iter()
            .map(|Scored { score, scored_at }| {
                let age_days = (now - scored_at) / SECONDS_PER_DAY;
                score * self.decay(age_days) * self.time_factor(age_days)
            })
            .collect();
        softmax_nonzero(&current, self.reward_temperature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_never_grows_with_age() {
        let emission = EmissionRules::default();
        let left: Vec<f64> = (0..=400)
            .map(|step| f64::from(step) / 20.0)
            .map(|days| emission.decay(days) * emission.time_factor(days))
            .collect();
        assert!(left.is_sorted_by(|earlier, later| earlier >= later));
        assert_eq!((left[0], left[400]), (1.0, 0.0));
    }

    #[test]
    fn expiration_within_the_stable_period_is_a_step_at_its_end() {
        let step = EmissionRules {
            stable_period_days: 10.0,
            expiration_days: 10.0,
            ..EmissionRules::default()
        };
        assert_eq!((step.decay(10.0), step.decay(10.1)), (1.0, 0.0));
    }

    #[test]
    fn an_age_that_is_not_finite_earns_nothing() {
        let at = |scored_at| Scored {
            score: 0.5,
            scored_at,
        };
        let best = [
            at(0.0),
            at(f64::NAN),
            at(f64::INFINITY),
            at(f64::NEG_INFINITY),
        ];
        assert_eq!(
            EmissionRules::default().weights(best, 0.0),
            [1.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn without_commits_there_are_no_shares() {
        assert!(EmissionRules::default().weights([], 0.0).is_empty());
    }
}
