//! When commits are opened, and which day's finalization takes them in.

use crate::clock;
use crate::commits::is_on_time;
use crate::compat::{due_scoring_hour, on_time_scoring_hour};
use crate::config::{Config, RevealRule};

const DAY: f64 = 86_400.0;

/// The operator's rules about time. Days are `YYYY-MM-DD`, UTC; times are in
/// seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    hour: u8,
    rule: RevealRule,
    reveal_interval: f64,
}

impl Schedule {
    /// The rules of a configuration.
    pub fn new(config: &Config) -> Self {
        Schedule {
            hour: config.scoring.hour,
            rule: config.commits.reveal_rule,
            reveal_interval: config.commits.reveal_interval_s,
        }
    }

    /// When a commit may be opened.
    pub fn due(&self, committed_at: f64) -> f64 {
        match self.rule {
            RevealRule::Interval => committed_at + self.reveal_interval,
            RevealRule::ScoringHour => due_scoring_hour(committed_at, self.hour),
        }
    }

    /// Whether a commit may be opened.
    pub fn is_ripe(&self, now: f64, committed_at: f64) -> bool {
        match self.rule {
            RevealRule::Interval => is_on_time(now, committed_at, self.reveal_interval),
            RevealRule::ScoringHour => on_time_scoring_hour(now, committed_at, self.hour),
        }
    }

    /// No commit of a later time may be opened.
    pub fn latest_ripe(&self, now: f64) -> f64 {
        match self.rule {
            RevealRule::Interval => now - self.reveal_interval,
            RevealRule::ScoringHour => clock::at_hour(now, self.hour) - DAY,
        }
    }

    /// When a day is finalized; the day's start if it is no day.
    pub fn finalized_at(&self, day: &str) -> f64 {
        clock::at_hour(clock::start_of_day(day).unwrap_or_default(), self.hour)
    }

    /// The day that takes in a commit that may be opened at `due`: the first
    /// whose scoring hour is not before.
    pub fn day_of(&self, due: f64) -> String {
        if due <= clock::at_hour(due, self.hour) {
            clock::day(due)
        } else {
            clock::day(due + DAY)
        }
    }

    /// The last day whose scoring hour has come.
    pub fn last_day(&self, now: f64) -> String {
        if now >= clock::at_hour(now, self.hour) {
            clock::day(now)
        } else {
            clock::day(now - DAY)
        }
    }
}

/// The days that are to be finalized now, in order: those after `last`, up to
/// `until`. Before the first finalization it begins with the first day that a commit
/// waits for, or with the last day if that is after `first`: a challenge that comes
/// in the evening is not through with a day that it has not seen, and has missed none.
pub(super) fn days_to_finalize(
    last: Option<&str>,
    first: &str,
    until: &str,
    waited_for: Option<&str>,
) -> Vec<String> {
    let mut day = match (last, waited_for) {
        (Some(last), _) => clock::day_after(last),
        (None, Some(waited_for)) if waited_for <= until => waited_for.to_owned(),
        (None, _) if until > first => until.to_owned(),
        (None, _) => return Vec::new(),
    };
    let mut days = Vec::new();
    while day.as_str() <= until {
        let next = clock::day_after(&day);
        if next <= day {
            break;
        }
        days.push(std::mem::replace(&mut day, next));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: f64 = 1_787_400_000.0; // 2026-08-22T12:00:00Z
    const HOUR: f64 = 3_600.0;

    fn schedule(rule: RevealRule) -> Schedule {
        Schedule {
            hour: 14,
            rule,
            reveal_interval: DAY,
        }
    }

    #[test]
    fn a_day_takes_in_what_is_due_by_its_hour() {
        let schedule = schedule(RevealRule::Interval);
        for (due, day) in [
            (NOON, "2026-08-22"),
            (NOON + 2.0 * HOUR, "2026-08-22"),
            (NOON + 2.0 * HOUR + 0.5, "2026-08-23"),
            (NOON + 12.0 * HOUR, "2026-08-23"),
        ] {
            assert_eq!(schedule.day_of(due), day);
        }
        assert_eq!(schedule.finalized_at("2026-08-22"), NOON + 2.0 * HOUR);
        assert_eq!(schedule.last_day(NOON), "2026-08-21");
        assert_eq!(schedule.last_day(NOON + 2.0 * HOUR), "2026-08-22");
    }

    #[test]
    fn what_is_ripe_is_due_and_not_later_than_the_latest() {
        for rule in [RevealRule::Interval, RevealRule::ScoringHour] {
            let schedule = schedule(rule);
            for hours in 0..96 {
                let committed_at = NOON - f64::from(hours) * HOUR - 1.0;
                let ripe = schedule.is_ripe(NOON, committed_at);
                assert_eq!(ripe, schedule.due(committed_at) <= NOON, "{rule:?} {hours}");
                assert!(!ripe || committed_at <= schedule.latest_ripe(NOON));
            }
        }
    }

    #[test]
    fn days_that_were_missed_are_made_up_for_and_none_is_done_twice() {
        let (first, until) = ("2026-08-20", "2026-08-22");
        let days = |last, waits| days_to_finalize(last, first, until, waits);
        assert_eq!(days(Some("2026-08-20"), None), ["2026-08-21", "2026-08-22"]);
        assert_eq!(days(Some(until), Some(until)), [""; 0]);
        // The clock moved back.
        assert_eq!(days(Some("2026-08-25"), Some(until)), [""; 0]);
        assert_eq!(days(None, Some("2026-08-21")), ["2026-08-21", "2026-08-22"]);
        assert_eq!(days(None, Some("2026-08-23")), [until]);
        assert_eq!(days(None, None), [until], "of a wrong clock, none before");
        assert_eq!(days_to_finalize(None, until, until, None), [""; 0]);
        let end = "9999-12-31";
        assert_eq!(days_to_finalize(None, end, end, Some(end)), [""; 0]);
    }
}
