//! Whether an answer is JSON that a plugin can read.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Bytes above which the answer is looked at on another thread: one that takes
/// milliseconds would keep the others from being read.
const LARGE: usize = 64 << 10;

/// The text of an answer; none if it is not JSON.
pub(super) async fn text(body: Vec<u8>) -> Option<String> {
    if body.len() <= LARGE {
        return checked(body);
    }
    tokio::task::spawn_blocking(|| checked(body)).await.ok()?
}

fn checked(body: Vec<u8>) -> Option<String> {
    serde_json::from_slice::<Readable>(&body).ok()?;
    String::from_utf8(body).ok()
}

/// What serde_json makes a value of, without making one: no half surrogates, no
/// numbers that are infinite, nothing that is nested deeper than 127 times. A value that
/// is only skipped is not looked at for these, and would fail in the plugin, at the
/// cost of everybody's rewards.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Readable)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Readable;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Readable>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Readable, Readable>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn an_answer_is_what_a_plugin_can_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            "null",
            " {\"a\": [1, -2.5e3, true, \"\\ud83d\\ude00 é\"]}\n",
            "{\"a\": 1, \"a\": 2}",
            "123456789012345678901234567890",
            nested(127).as_str(),
        ] {
            assert_eq!(checked(text.into()).as_deref(), Some(text));
        }
        for text in [
            "",
            "{",
            "[1] 2",
            "<html>",
            "NaN",
            "'a'",
            "1e999",
            "\"\\ud83d\"",
            "{1: 2}",
            nested(128).as_str(),
            nested(1_000_000).as_str(),
        ] {
            assert_eq!(checked(text.into()), None, "{text:.20}");
        }
        assert_eq!(checked(b"\"\xff\"".to_vec()), None);
    }

    #[test]
    fn it_is_what_serde_json_makes_a_value_of() {
        let parts = [
            "{",
            "}",
            "[",
            "]",
            "\"a\"",
            ":",
            ",",
            "1",
            "1e400",
            "\"\\ud800\"",
        ];
        // All texts of up to four parts.
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            let longer = texts
                .iter()
                .flat_map(|text| parts.map(|part| format!("{text}{part}")));
            texts.extend(longer.collect::<Vec<_>>());
        }
        for text in texts {
            let is_value = serde_json::from_str::<Value>(&text).is_ok();
            assert_eq!(checked(text.clone().into()).is_some(), is_value, "{text}");
        }
    }

    #[tokio::test]
    async fn a_large_answer_is_looked_at_as_a_small_one_is() {
        let large = |end: &str| format!("[{}1{end}", "1,".repeat(LARGE)).into_bytes();
        assert!(text(large("]")).await.is_some());
        assert!(text(large("")).await.is_none());
    }
}
