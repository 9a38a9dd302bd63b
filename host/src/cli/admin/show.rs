//! What the API answers, for people.

use crate::clock;
use serde_json::Value;
use std::fmt::Write;

/// What is at a place, as people read it: `-` for what is not there. What would
/// steer a terminal is written out.
pub(in crate::cli) fn text(value: &Value, pointer: &str) -> String {
    plain(value.pointer(pointer).unwrap_or(&Value::Null))
}

/// A value as people read it.
pub(in crate::cli) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => or_dash(visible(text)),
        Value::Array(values) if values.iter().all(|v| !v.is_array() && !v.is_object()) => {
            let values: Vec<String> = values.iter().map(plain).collect();
            or_dash(values.join(", "))
        }
        Value::Object(map) if map.is_empty() => "-".into(),
        value => visible(&value.to_string()),
    }
}

/// A text without what would steer a terminal.
pub(in crate::cli) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        // Of these, some turn the direction of what follows.
        let steers =
            c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers && c != '\t' {
            // Writing to a string does not fail.
            let _ = write!(visible, "{}", c.escape_unicode());
        } else {
            visible.push(c);
        }
    }
    visible
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".into() } else { text }
}

/// A time, UTC, to the second.
pub(in crate::cli) fn time(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer).and_then(Value::as_f64) {
        Some(seconds) => {
            let of_day = seconds.rem_euclid(86_400.0) as u32;
            let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
            let day = clock::day(seconds);
            format!("{day}T{hour:02}:{minute:02}:{second:02}Z")
        }
        None => "-".into(),
    }
}

/// The beginning of a digest.
pub(in crate::cli) fn short(value: &Value, pointer: &str) -> String {
    let digest = text(value, pointer);
    match digest.strip_prefix("sha256:") {
        Some(digits) => digits.chars().take(12).collect(),
        None => digest,
    }
}

/// Names and values, lined up.
pub(in crate::cli) fn pairs(pairs: &[(String, String)]) -> String {
    let names = pairs.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or(0);
    let mut lines = String::new();
    for (name, value) in pairs {
        let line = format!("{name:<width$}  {value}");
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// What is in a list at a place.
pub(in crate::cli) fn each<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Fields that two objects have with different values, each with both.
pub(in crate::cli) fn changes(
    before: &Value,
    after: &Value,
    but: &[&str],
) -> Vec<(String, String)> {
    let Some(fields) = after.as_object() else {
        return Vec::new();
    };
    let changed = fields.iter().filter_map(|(field, value)| {
        let was = before.get(field).unwrap_or(&Value::Null);
        let differs = was != value && !but.contains(&field.as_str());
        differs.then(|| {
            (
                visible(field),
                format!("{} -> {}", plain(was), plain(value)),
            )
        })
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_told_plainly() {
        let value = json!({
            "list": ["a", 1], "none": [], "map": {"a": [1]}, "text": "a\u{1b}[2J\u{202e}b\n",
            "at": 1_787_410_800.9, "digest": format!("sha256:{}", "0123456789abcdef".repeat(4)),
        });
        for (pointer, expected) in [
            ("/list", "a, 1"),
            ("/none", "-"),
            ("/map", "{\"a\":[1]}"),
            ("/text", "a\\u{1b}[2J\\u{202e}b\\u{a}"),
            ("/nowhere", "-"),
        ] {
            assert_eq!(text(&value, pointer), expected);
        }
        assert_eq!(time(&value, "/at"), "2026-08-22T15:00:00Z");
        assert_eq!(time(&value, "/nowhere"), "-");
        assert_eq!(short(&value, "/digest"), "0123456789ab");
    }

    #[test]
    fn only_what_changed_is_told() {
        let (before, after) = (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3, "c": "x"}));
        let expected = [("b", "2 -> 3"), ("c", "- -> x")];
        let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(changes(&before, &after, &[]), expected);
        assert_eq!(changes(&before, &after, &["b", "c"]), []);
        assert_eq!(pairs(&expected), "b  2 -> 3\nc  - -> x\n");
    }
}
