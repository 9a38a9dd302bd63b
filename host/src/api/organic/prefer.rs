//! What a client prefers, RFC 7240.

use axum::http::HeaderMap;
use std::time::Duration;

/// The preferences that are known here. Others, and what cannot be read, are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::api) struct Prefer {
    /// For how long to wait before it is answered that there is no answer yet.
    pub(in crate::api) wait: Option<Duration>,
    /// Whether not to wait at all.
    pub(in crate::api) respond_async: bool,
}

impl Prefer {
    /// Reads every `Prefer` header. Of a preference that is there twice the first counts.
    pub(in crate::api) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Prefer::default();
        let mut has_wait = false;
        let values = headers.get_all("prefer").iter();
        for value in values.filter_map(|value| value.to_str().ok()) {
            for preference in parts(value, b',') {
                // What comes after a semicolon says more of it, and nothing here.
                let preference = parts(preference, b';').next().unwrap_or_default();
                let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
                let name = name.trim();
                if name.eq_ignore_ascii_case("respond-async") {
                    prefer.respond_async = true;
                } else if name.eq_ignore_ascii_case("wait") && !has_wait {
                    has_wait = true;
                    prefer.wait = seconds(value.trim());
                }
            }
        }
        prefer
    }
}

/// The parts of a list, but not within quotes.
fn parts(list: &str, separator: u8) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && c == char::from(separator),
        }
        false
    })
}

/// Whole seconds in decimal, quoted or not.
fn seconds(word: &str) -> Option<Duration> {
    let unquoted = word.strip_prefix('"').and_then(|w| w.strip_suffix('"'));
    let digits = unquoted.unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // Of more digits than fit, nobody waits for the end.
    is_number.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefer(values: &[&str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", value.parse().unwrap());
        }
        Prefer::of(&headers)
    }

    fn wait(values: &[&str]) -> Option<u64> {
        prefer(values).wait.map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        for values in [
            &["wait=10"][..],
            &["Wait = 10"],
            &["wait=\"10\""],
            &["wait=0010; x=y"],
            &["respond-async, wait=10"],
            &["return=minimal; a=\"b, wait=3; c\", wait=10"],
            &["x=\"a\\\", wait=3, \\\\\", wait=10"],
            &["handling=lenient", ",, wait=10 ,"],
            // The first counts.
            &["wait=10, wait=20"],
            &["wait=10", "WAIT=20"],
        ] {
            assert_eq!(wait(values), Some(10), "{values:?}");
        }
    }

    #[test]
    fn what_is_no_wait_is_ignored() {
        for values in [
            &[][..],
            &[""],
            &["wait"],
            &["wait="],
            &["wait=\"\""],
            &["wait=-1"],
            &["wait=+1"],
            &["wait=1.5"],
            &["wait=1s"],
            &["wait=\"1"],
            &["waiting=1"],
            &["x=\"wait=1"],
            &["x; wait=1"],
            &["wait=soon, wait=1"],
        ] {
            assert_eq!(wait(values), None, "{values:?}");
        }
    }

    #[test]
    fn a_wait_may_be_longer_than_anything() {
        assert_eq!(wait(&["wait=99999999999999999999999"]), Some(u64::MAX));
        assert_eq!(wait(&["wait=0"]), Some(0));
    }

    #[test]
    fn who_wants_no_wait_says_so() {
        assert!(prefer(&["a, Respond-Async"]).respond_async);
        assert!(!prefer(&["wait=1", "x=\"respond-async\""]).respond_async);
    }
}
