//! Copies are found before they are paid: what is held against a commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which similarities are held against a commit, and from where on it is a copy,
/// whose score counts as 0 whatever it solves.
///
/// Nothing found is nothing held against it: without a reference, or with
/// similarities of 0, a commit is scored like any other.
///
/// Source: `Controller._run_reference_comparison_inputs`, RedTeam ced9b911, and
/// `ABSController._score_miner_with_new_inputs`, ab-sniffer-challenge 5e1a456.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Screening {
    /// Similarity, 0 to 1, from which a commit is a copy. Default 0.6.
    ///
    /// This limit is refused and [`Acceptance::max_penalty`](super::Acceptance)
    /// is admitted. Where both are the same number, screening decides.
    pub copy_from: f64,
    /// Similarity, 0 to 1, from which a miner's own earlier commit is held
    /// against it. Default 0.8: to improve on one's own work is no copying.
    pub own_from: f64,
}

impl Default for Screening {
    fn default() -> Self {
        Self {
            copy_from: 0.6,
            own_from: 0.8,
        }
    }
}

impl Screening {
    /// Whether a similarity is held against a commit; `own` if the reference is
    /// an earlier commit of the same miner. One with another miner always is.
    pub fn counts(&self, similarity: f64, own: bool) -> bool {
        !own || similarity >= self.own_from
    }

    /// Whether a similarity that counts makes the commit a copy. Never, if it is
    /// NaN.
    pub fn is_copy(&self, similarity: f64) -> bool {
        similarity >= self.copy_from
    }
}

/// When a commit is compared once more, with a reference that does as well as it
/// does: a copy that was rewritten until it looked different still scores like
/// its source.
///
/// Source: `ABSController.same_score_comparison`, ab-sniffer-challenge 5e1a456.
/// The peer's base controller has 0.4 for `above`, and leaves out a miner's own
/// commits by [`Screening::counts`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SameScore {
    /// Score above which a commit is compared. Default 0.9.
    pub above: f64,
    /// Most that the scores may differ, before any penalty. Default 0.1.
    pub within: f64,
    /// Similarity, 0 to 1, from which this comparison counts. Default 0.6. It is
    /// not a reason to leave the commit unscored.
    pub counts_from: f64,
}

impl Default for SameScore {
    fn default() -> Self {
        Self {
            above: 0.9,
            within: 0.1,
            counts_from: 0.6,
        }
    }
}

impl SameScore {
    /// Whether a commit and a reference with these scores are compared. Never, if
    /// either is NaN.
    pub fn applies(&self, score: f64, reference: f64) -> bool {
        score > self.above && (reference - score).abs() <= self.within
    }

    /// Whether what the comparison found is held against the commit. Never, if it
    /// is NaN.
    pub fn counts(&self, similarity: f64) -> bool {
        similarity >= self.counts_from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_begins_at_the_limit() {
        let screening = Screening::default();
        assert!(screening.is_copy(0.6));
        assert!(!screening.is_copy(0.6_f64.next_down()));
        assert!(!screening.is_copy(f64::NAN));
    }

    #[test]
    fn a_commit_that_resembles_nothing_is_no_copy() {
        assert!(!Screening::default().is_copy(0.0));
    }

    #[test]
    fn a_miners_own_commit_counts_from_a_limit_of_its_own() {
        let screening = Screening::default();
        assert!(screening.counts(0.8, true));
        assert!(!screening.counts(0.8_f64.next_down(), true));
        assert!(screening.counts(0.0, false));
    }

    #[test]
    fn only_good_commits_of_about_the_same_score_are_compared_again() {
        let same_score = SameScore::default();
        assert!(!same_score.applies(0.9, 0.9), "not above");
        let just_above = 0.9_f64.next_up();
        assert!(same_score.applies(just_above, 0.9));
        assert!(same_score.applies(just_above, 1.0));
        assert!(!same_score.applies(1.0, 0.89));
        assert!(!same_score.applies(1.0, f64::NAN));
        assert!(!same_score.applies(f64::NAN, 1.0));
    }

    #[test]
    fn what_the_second_comparison_finds_counts_from_its_limit() {
        let same_score = SameScore::default();
        assert!(same_score.counts(0.6));
        assert!(!same_score.counts(0.6_f64.next_down()));
        assert!(!same_score.counts(f64::NAN));
    }

    #[test]
    fn limits_are_settings_with_defaults() {
        let screening: Screening = serde_json::from_str(r#"{"copy_from": 0.7}"#).unwrap();
        assert_eq!((screening.copy_from, screening.own_from), (0.7, 0.8));
        assert!(serde_json::from_str::<SameScore>(r#"{"over": 1}"#).is_err());
    }
}
