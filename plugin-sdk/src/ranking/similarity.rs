//! From comparison logs to a penalty, and what the penalty takes off a score.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The penalty of a commit: the highest similarity that any of its comparison
/// logs, with whatever reference, has found. 0 if there is none.
///
/// Similarities are 0 (nothing in common) to 1 (the same). `None` and NaN are
/// passed over. A number out of range is not corrected here, so that
/// [`Acceptance::admits`](super::Acceptance::admits) refuses it.
///
/// Source: `MinerChallengeCommit.get_higest_comparison_score`, RedTeam ced9b911.
pub fn similarity_penalty(similarities: impl IntoIterator<Item = impl Into<Option<f64>>>) -> f64 {
    similarities
        .into_iter()
        .filter_map(Into::into)
        .filter(|similarity| !similarity.is_nan())
        .reduce(f64::max)
        .unwrap_or(0.0)
}

/// How a penalty is taken off a score: nothing up to `free_below`, a little and
/// linearly up to `break_point`, then along [`ease_circle_in_out`] to all of it
/// at `full_at`.
///
/// Source: `_adjust_score_by_similarity`, ab-sniffer-challenge 5e1a456.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Easing {
    /// Penalty below which a score stands as it is. Default 0.4.
    pub free_below: f64,
    /// Penalty up to which the reduction is linear. Default 0.6.
    pub break_point: f64,
    /// Penalty from which nothing is left of the score. Default 1.
    pub full_at: f64,
}

impl Default for Easing {
    fn default() -> Self {
        Self {
            free_below: 0.4,
            break_point: 0.6,
            full_at: 1.0,
        }
    }
}

impl Easing {
    /// The score that is left after `penalty` (0 to 1).
    ///
    /// A penalty of 0, or below, takes nothing. The result is 0 if the score is
    /// not finite or the penalty is NaN.
    pub fn adjust(&self, score: f64, penalty: f64) -> f64 {
        if !score.is_finite() || penalty.is_nan() {
            return 0.0;
        }
        score * (1.0 - self.reduction(penalty))
    }

    fn reduction(&self, penalty: f64) -> f64 {
        if penalty < self.free_below {
            return 0.0;
        }
        if penalty > self.break_point {
            return ease_circle_in_out(progress(penalty, self.free_below, self.full_at));
        }
        // The line must end where the curve begins.
        progress(penalty, self.free_below, self.break_point)
            * ease_circle_in_out(progress(self.break_point, self.free_below, self.full_at))
    }
}

/// How far `value` is on the way between two limits, 0 to 1. An empty way is done.
fn progress(value: f64, from: f64, to: f64) -> f64 {
    if to > from {
        ((value - from) / (to - from)).clamp(0.0, 1.0)
    } else {
        1.0
    }
}

/// A circular ease-in-out over y = x^1.5: ½(1−√(1−(2y)²)) for y < ½, else
/// ½(1+√(1−(2y−2)²)). From 0 at 0 to 1 at 1; `x` is clamped to that range, and
/// NaN stays NaN.
///
/// Source: `_ease_circle_in_out_shifted`, ab-sniffer-challenge 5e1a456.
pub fn ease_circle_in_out(x: f64) -> f64 {
    let y = x.clamp(0.0, 1.0).powf(1.5);
    if y < 0.5 {
        0.5 * (1.0 - (1.0 - (2.0 * y).powi(2)).sqrt())
    } else {
        0.5 * ((1.0 - (2.0 * y - 2.0).powi(2)).sqrt() + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [f64; 0] = [];

    #[test]
    fn the_most_similar_reference_counts() {
        assert_eq!(similarity_penalty([0.2, 0.9, 0.3]), 0.9);
        assert_eq!(similarity_penalty([None, Some(0.2), Some(f64::NAN)]), 0.2);
    }

    #[test]
    fn no_comparison_is_no_penalty_and_the_score_stands() {
        let penalty = similarity_penalty(NONE);
        assert_eq!(penalty, 0.0);
        assert_eq!(Easing::default().adjust(0.73, penalty), 0.73);
    }

    #[test]
    fn more_similarity_never_pays_more() {
        let easing = Easing::default();
        let scores: Vec<f64> = (-10..=120)
            .map(|percent| easing.adjust(0.8, f64::from(percent) / 100.0))
            .collect();
        assert!(scores.is_sorted_by(|earlier, later| earlier >= later));
        assert!(scores.iter().all(|score| (0.0..=0.8).contains(score)));
    }

    #[test]
    fn a_similarity_out_of_range_is_as_bad_as_a_copy() {
        assert_eq!(similarity_penalty([0.1, f64::INFINITY]), f64::INFINITY);
        assert_eq!(Easing::default().adjust(0.8, f64::INFINITY), 0.0);
        assert_eq!(Easing::default().adjust(0.8, 1.5), 0.0);
    }

    #[test]
    fn what_is_no_number_is_worth_nothing() {
        let easing = Easing::default();
        assert_eq!(easing.adjust(0.8, f64::NAN), 0.0);
        assert_eq!(easing.adjust(f64::NAN, 0.1), 0.0);
        assert_eq!(easing.adjust(f64::INFINITY, 1.0), 0.0);
        assert!(ease_circle_in_out(f64::NAN).is_nan());
    }

    #[test]
    fn limits_in_one_point_make_a_step() {
        let step = Easing {
            free_below: 0.5,
            break_point: 0.5,
            full_at: 0.5,
        };
        assert_eq!(step.adjust(0.8, 0.49), 0.8);
        assert_eq!(step.adjust(0.8, 0.5), 0.0);
    }
}
