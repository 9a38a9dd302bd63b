//! Days and times. The pure rules take the time as an argument; this is where it
//! comes from, and how it is written.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use time::{Date, OffsetDateTime};

/// Names a file with the time in it, for tests that go through days.
const TEST_CLOCK: &str = "PROCTOR_TEST_CLOCK";

/// What the system's clock is off, in seconds.
static OFFSET: OnceLock<f64> = OnceLock::new();

/// Has this process live at another time from now on, for a demonstration. Only the
/// first call counts.
pub fn begin_at(now: f64) {
    let _ = OFFSET.set(now - system_now());
}

/// Seconds since the Unix epoch, by the system's clock.
pub fn unix_now() -> f64 {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(TEST_CLOCK).map(PathBuf::from));
    let told = |path: &PathBuf| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let told = file.as_ref().and_then(told);
    told.unwrap_or_else(|| system_now() + OFFSET.get().copied().unwrap_or_default())
}

fn system_now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}

/// [`unix_now`] in nanoseconds.
pub fn unix_now_ns() -> u64 {
    (unix_now() * 1e9) as u64
}

const DAY: f64 = 86_400.0;
/// The end of year 9999, the last that is written with four digits.
const MAX_TIME: f64 = 253_402_300_799.0;

/// The day of a time, `YYYY-MM-DD`, UTC.
pub fn day(now: f64) -> String {
    let seconds = now.clamp(0.0, MAX_TIME) as i64;
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .date()
        .to_string()
}

/// A time as in RFC 3339, `2026-08-22T15:00:00.250000+00:00`.
pub fn rfc3339(now: f64) -> String {
    let now = now.clamp(0.0, MAX_TIME);
    let micros = (now.fract() * 1e6) as u32;
    let seconds = (now % DAY) as u32;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let (day, seconds) = (day(now), seconds % 60);
    format!("{day}T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}+00:00")
}

/// When a day began, in seconds since the Unix epoch; none if it is no day as
/// [`day`] writes it.
pub fn start_of_day(day: &str) -> Option<f64> {
    let mut parts = day.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, month.try_into().ok()?, parts.next()?.parse().ok()?);
    Some(date.ok()?.midnight().assume_utc().unix_timestamp() as f64)
}

/// The day after a day; the day itself if it is none.
pub fn day_after(day_: &str) -> String {
    start_of_day(day_).map_or_else(|| day_.to_owned(), |start| day(start + DAY))
}

/// The day before a day; the day itself if it is none.
pub fn day_before(day_: &str) -> String {
    start_of_day(day_).map_or_else(|| day_.to_owned(), |start| day(start - DAY))
}

/// When it was `hour`, 0 to 23, on the day of a time.
pub fn at_hour(now: f64, hour: u8) -> f64 {
    (now / DAY).floor() * DAY + f64::from(hour) * 3_600.0
}

/// The hour of a time, 0 to 23, UTC.
pub fn hour(now: f64) -> u8 {
    (now.rem_euclid(DAY) / 3_600.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0.0, "1970-01-01"),
            (86_399.9, "1970-01-01"),
            (951_782_400.0, "2000-02-29"),
            (1_787_410_800.0, "2026-08-22"),
            (4_107_542_400.0, "2100-03-01"),
        ] {
            assert_eq!(day(seconds), date);
        }
        assert_eq!(hour(1_787_410_800.0), 15);
        assert_eq!(at_hour(1_787_410_801.5, 15), 1_787_410_800.0);
        assert_eq!(start_of_day("2026-08-22"), Some(1_787_356_800.0));
        assert_eq!(start_of_day("2026-02-29"), None);
        assert_eq!(start_of_day("today"), None);
        assert_eq!(
            rfc3339(1_787_410_801.25),
            "2026-08-22T15:00:01.250000+00:00"
        );
        assert_eq!(rfc3339(-1.0), "1970-01-01T00:00:00.000000+00:00");
    }
}
