//! The older rule for when a commit is scored: once a day has begun on whose eve
//! it was there before the scoring hour.

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Whether a commit may be revealed and scored, by the rule of the scoring hour.
///
/// True exactly when `commit_timestamp` is before `hour` o'clock UTC of the day
/// before `now`'s; that moment itself is late. What time it is within the day makes
/// no difference. Times are Unix seconds. A NaN is never on time.
///
/// Formula: RedTeam at 9233c923, `MainConfig.is_commit_on_time`. The rule of the
/// interval is [`is_on_time`](crate::commits::is_on_time).
#[must_use]
pub fn on_time_scoring_hour(now: f64, commit_timestamp: f64, hour: u8) -> bool {
    commit_timestamp < start_of_day(now) - DAY + seconds(hour)
}

/// The first time at which [`on_time_scoring_hour`] is true of a commit: a midnight
/// UTC, in Unix seconds, more than one day and at most two after the scoring hour
/// that the commit was before.
///
/// NaN for a timestamp that is not finite.
#[must_use]
pub fn due_scoring_hour(commit_timestamp: f64, hour: u8) -> f64 {
    start_of_day(commit_timestamp - seconds(hour)) + 2.0 * DAY
}

fn seconds(hour: u8) -> f64 {
    f64::from(hour) * 3_600.0
}

/// The remainder is exact, where a quotient is rounded and may reach the next day.
fn start_of_day(time: f64) -> f64 {
    time - time.rem_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2025-06-13 00:00 UTC.
    const MIDNIGHT: f64 = 1_749_772_800.0;

    #[test]
    fn the_scoring_hour_itself_is_late() {
        let hour = MIDNIGHT + 14.0 * 3_600.0;
        let before = hour.next_down();
        assert_eq!(due_scoring_hour(before, 14), MIDNIGHT + DAY);
        assert_eq!(due_scoring_hour(hour, 14), MIDNIGHT + 2.0 * DAY);
        assert!(on_time_scoring_hour(MIDNIGHT + DAY, before, 14));
        assert!(!on_time_scoring_hour(MIDNIGHT + DAY, hour, 14));
    }

    #[test]
    fn the_time_of_the_day_makes_no_difference() {
        let timestamp = MIDNIGHT + 3_600.0;
        for now in [
            DAY,
            DAY + 1.0,
            1.5 * DAY,
            (MIDNIGHT + 2.0 * DAY).next_down() - MIDNIGHT,
        ] {
            assert!(on_time_scoring_hour(MIDNIGHT + now, timestamp, 14), "{now}");
        }
        let eve = (MIDNIGHT + DAY).next_down();
        assert!(!on_time_scoring_hour(eve, timestamp, 14));
    }

    #[test]
    fn an_unknown_time_is_never_on_time() {
        assert!(!on_time_scoring_hour(MIDNIGHT, f64::NAN, 14));
        assert!(!on_time_scoring_hour(f64::NAN, 0.0, 14));
        assert!(due_scoring_hour(f64::INFINITY, 14).is_nan());
    }

    proptest! {
        #[test]
        fn a_commit_is_due_at_the_first_midnight_at_which_it_is_on_time(
            timestamp in prop_oneof![
                0.0..4e9_f64,
                // Whole hours, and the last moment before them.
                (24..1_000_000_u32).prop_map(|hour| f64::from(hour) * 3_600.0),
                (24..1_000_000_u32).prop_map(|hour| (f64::from(hour) * 3_600.0).next_down()),
            ],
            hour in 0..24_u8,
        ) {
            let due = due_scoring_hour(timestamp, hour);
            prop_assert_eq!(due.rem_euclid(DAY), 0.0);
            prop_assert!(on_time_scoring_hour(due, timestamp, hour));
            prop_assert!(!on_time_scoring_hour(due - 1.0, timestamp, hour));
            prop_assert!(!on_time_scoring_hour(due.next_down(), timestamp, hour));
        }
    }
}
