//! From scores to shares.

/// Softmax over the non-zero entries: shares that sum to 1, in the order of
/// `scores`. An entry of 0 has no score and stays 0; without any score all
/// shares are 0.
///
/// The lower the `temperature`, the more goes to the best. At 0, and for
/// anything else that is not positive, it is the limit: the best share all of it
/// equally.
///
/// A negative score counts as present, with the exponent of 0, as it does for
/// the peer; filter them out if they must not be paid. An entry that is not
/// finite is no score.
///
/// Source: `_apply_softmax`, ab-sniffer-challenge 5e1a456.
pub fn softmax_nonzero(scores: &[f64], temperature: f64) -> Vec<f64> {
    let present = |score: f64| (score.is_finite() && score != 0.0).then_some(score.max(0.0));
    let best = scores
        .iter()
        .filter_map(|&score| present(score))
        .fold(0.0, f64::max);
    let exponential = |score: f64| match present(score) {
        // Also for a temperature of 0, where the quotient would be NaN.
        Some(score) if score == best => 1.0,
        Some(score) if temperature > 0.0 => ((score - best) / temperature).exp(),
        _ => 0.0,
    };
    let mut shares: Vec<f64> = scores.iter().map(|&score| exponential(score)).collect();
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 {
        shares.iter_mut().for_each(|share| *share /= sum);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_scores_nobody_has_a_share() {
        assert!(softmax_nonzero(&[], 0.2).is_empty());
        assert_eq!(softmax_nonzero(&[0.0, -0.0], 0.2), [0.0, 0.0]);
        assert_eq!(softmax_nonzero(&[f64::NAN, f64::INFINITY], 0.2), [0.0, 0.0]);
    }

    #[test]
    fn shares_sum_to_one_and_keep_the_order_of_the_scores() {
        for temperature in [1e-300, 0.01, 0.2, 5.0, f64::INFINITY] {
            let shares = softmax_nonzero(&[0.1, 0.2, 0.2, 0.0, 0.9, 1e300], temperature);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(shares[0] <= shares[1] && shares[2] <= shares[4] && shares[4] <= shares[5]);
            assert_eq!(shares[1], shares[2]);
            assert_eq!(shares[3], 0.0);
        }
    }

    #[test]
    fn without_a_temperature_the_best_share_equally() {
        for temperature in [0.0, -1.0, f64::NAN] {
            let shares = softmax_nonzero(&[0.9, 0.5, 0.9, 0.0], temperature);
            assert_eq!(shares, [0.5, 0.0, 0.5, 0.0]);
        }
    }

    #[test]
    fn a_score_that_is_not_finite_takes_nothing_from_the_others() {
        let scores = [f64::INFINITY, 0.5, f64::NAN, f64::NEG_INFINITY];
        assert_eq!(softmax_nonzero(&scores, 0.2), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn only_negative_scores_share_equally() {
        assert_eq!(softmax_nonzero(&[-0.5, -0.1], 0.2), [0.5, 0.5]);
    }
}
