//! From scoring logs to one score.

/// Mean of the scores of a commit's scoring logs.
///
/// `None` if there are no logs, or if one of them has no score: leaving it out
/// would let a submission choose its tasks, so such a commit is not judged yet.
/// A task that the submission failed is a score of 0, not a missing one.
///
/// `Some(0.0)` if the mean is not a finite number; one NaN is enough.
///
/// Source: `ChallengeManager.update_miner_scores`, RedTeam 9233c923.
pub fn mean_score(scores: impl IntoIterator<Item = impl Into<Option<f64>>>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for score in scores {
        sum += score.into()?;
        count += 1;
    }
    let mean = sum / f64::from(count);
    (count > 0).then_some(if mean.is_finite() { mean } else { 0.0 })
}

/// Highest score of a commit's scoring logs.
///
/// `None` if there are no logs. Logs without a finite score are passed over;
/// `Some(0.0)` if no log has one.
///
/// Source: `MinerChallengeCommit.get_higest_scoring_score`, RedTeam ced9b911.
pub fn max_score(scores: impl IntoIterator<Item = impl Into<Option<f64>>>) -> Option<f64> {
    let mut scores = scores.into_iter().map(Into::into).peekable();
    scores.peek()?;
    let best = scores
        .flatten()
        .filter(|score| score.is_finite())
        .reduce(f64::max);
    Some(best.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [f64; 0] = [];

    #[test]
    fn without_logs_there_is_no_score() {
        assert_eq!(mean_score(NONE), None);
        assert_eq!(max_score(NONE), None);
    }

    #[test]
    fn a_log_without_score_leaves_the_mean_open_and_does_not_count_for_the_maximum() {
        assert_eq!(mean_score([None, Some(0.7)]), None);
        assert_eq!(max_score([None, Some(0.7)]), Some(0.7));
        assert_eq!(max_score([None::<f64>, None]), Some(0.0));
    }

    #[test]
    fn a_score_that_is_not_finite_is_worth_nothing() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(mean_score([0.5, bad]), Some(0.0));
            assert_eq!(max_score([0.5, bad]), Some(0.5));
            assert_eq!(max_score([bad]), Some(0.0));
        }
        assert_eq!(mean_score([f64::MAX, f64::MAX]), Some(0.0));
    }

    #[test]
    fn scores_below_a_baseline_stay_negative() {
        assert_eq!(mean_score([-0.5, -0.25]), Some(-0.375));
        assert_eq!(max_score([-0.5, -0.25]), Some(-0.25));
    }
}
