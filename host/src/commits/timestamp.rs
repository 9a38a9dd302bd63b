//! When a commit was made, of all that validators claim.

use crate::config::TimestampPolicy;

/// The time that counts, of the times that validators claim, one each and in any
/// order, in seconds since the Unix epoch. None if that is not known yet.
///
/// A single validator can move the earliest time as far back as it likes, the
/// median only if it has half of the others with it, and the quorum's time only
/// if it has `quorum - 1` others with it.
#[must_use]
pub fn resolve(policy: TimestampPolicy, quorum: usize, mut claimed: Vec<f64>) -> Option<f64> {
    claimed.sort_by(f64::total_cmp);
    let place = match policy {
        TimestampPolicy::Earliest => 0,
        TimestampPolicy::Median => claimed.len().checked_sub(1)? / 2,
        TimestampPolicy::Quorum => quorum.checked_sub(1)?,
    };
    claimed.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_takes_its_place_in_the_order() {
        let claimed = vec![9.0, 1.0, 5.0, 7.0];
        for (policy, quorum, time) in [
            (TimestampPolicy::Earliest, 9, Some(1.0)),
            (TimestampPolicy::Median, 9, Some(5.0)),
            (TimestampPolicy::Quorum, 1, Some(1.0)),
            (TimestampPolicy::Quorum, 3, Some(7.0)),
            (TimestampPolicy::Quorum, 5, None),
        ] {
            assert_eq!(resolve(policy, quorum, claimed.clone()), time, "{policy:?}");
            assert_eq!(resolve(policy, quorum, Vec::new()), None);
        }
        assert_eq!(
            resolve(TimestampPolicy::Median, 1, vec![3.0, 2.0, 1.0]),
            Some(2.0)
        );
    }

    #[test]
    fn one_validator_cannot_backdate_a_median_or_a_quorum() {
        let honest = vec![100.0, 101.0, 102.0];
        let with_liar = [honest, vec![-1e9]].concat();
        assert_eq!(
            resolve(TimestampPolicy::Median, 2, with_liar.clone()),
            Some(100.0)
        );
        assert_eq!(resolve(TimestampPolicy::Quorum, 2, with_liar), Some(100.0));
    }
}
