//! How long it is from one round to the next.

use std::str::FromStr;
use std::time::Duration;

/// An epoch of a subnet: 360 blocks of 12 seconds.
const EPOCH: Duration = Duration::from_secs(360 * 12);
/// The longest, so that no sum of times overflows: 366 days.
const LONGEST: u64 = 366 * 86_400;

/// The time from the beginning of one round to that of the next, 1 s to 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(pub Duration);

impl Default for Every {
    fn default() -> Self {
        Every(EPOCH)
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "epoch" {
            return Ok(Every::default());
        }
        let units = [("h", 3_600), ("m", 60), ("s", 1)];
        let unit = units
            .into_iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)));
        let (digits, unit) = unit.unwrap_or((text, 1));
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| digits.parse::<u64>().ok()).flatten();
        let seconds = number.and_then(|number| number.checked_mul(unit));
        match seconds.filter(|seconds| (1..=LONGEST).contains(seconds)) {
            Some(seconds) => Ok(Every(Duration::from_secs(seconds))),
            None => Err(format!(
                "{text:?} is neither \"epoch\" nor a time of 1 s to 366 days, such as 90, 15m or 1h"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_epoch_or_has_a_unit_or_is_in_seconds() {
        for (text, seconds) in [
            ("epoch", 4_320),
            ("90", 90),
            ("90s", 90),
            ("15m", 900),
            ("1h", 3_600),
        ] {
            assert_eq!(
                text.parse(),
                Ok(Every(Duration::from_secs(seconds))),
                "{text}"
            );
        }
        let longest = u64::MAX.to_string();
        for bad in [
            "", "0", "h", "-1", "+1", "1.5h", "1d", "9000h", " 1", &longest,
        ] {
            assert!(bad.parse::<Every>().is_err(), "{bad}");
        }
    }
}
