//! Python's `str` of what JSON has.

use std::fmt::Write;

use serde_json::Value;

use crate::compat::python_json;

/// The text of Python 3's `str(value)`: a text is itself, lists and objects are as
/// `repr` writes them. What is printable is so by the Unicode of this program's
/// compiler, which may know characters that a Python does not.
pub(super) fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        _ => {
            let mut out = String::new();
            write_repr(&mut out, value);
            out
        }
    }
}

fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(_) => out.push_str(&python_json(value)),
        Value::String(text) => write_text(out, text),
        Value::Array(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                separate(out, i);
                write_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (name, value)) in fields.iter().enumerate() {
                separate(out, i);
                write_text(out, name);
                out.push_str(": ");
                write_repr(out, value);
            }
            out.push('}');
        }
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// A text in single quotes, or in double ones if it has only single ones in it.
fn write_text(out: &mut String, text: &str) {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    out.push(quote);
    for c in text.chars() {
        // A `String` takes everything that is written to it.
        let _ = match (c, u32::from(c)) {
            ('\n', _) => out.write_str("\\n"),
            ('\r', _) => out.write_str("\\r"),
            ('\t', _) => out.write_str("\\t"),
            (c, _) if c == quote || c == '\\' => write!(out, "\\{c}"),
            (c, _) if is_printable(c) => out.write_char(c),
            (_, code @ ..=0xff) => write!(out, "\\x{code:02x}"),
            (_, code @ ..=0xffff) => write!(out, "\\u{code:04x}"),
            (_, code) => write!(out, "\\U{code:08x}"),
        };
    }
    out.push(quote);
}

/// Python's `isprintable`. Rust's escapes for debugging go by the same categories, but
/// for a mark that would be over a quote in front of it: hence the letter.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    let mut buffer = [b'a'; 5];
    let text = buffer
        .get_mut(1..)
        .map_or(0, |rest| c.encode_utf8(rest).len());
    let text = buffer.get(..=text).unwrap_or_default();
    std::str::from_utf8(text).is_ok_and(|text| !text.escape_debug().any(|c| c == '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    const PYTHON: &str = include_str!("../../../../tests/fixtures/axon/str.json");

    #[derive(Deserialize)]
    struct Python {
        cases: Vec<(Value, String)>,
    }

    #[test]
    fn texts_are_those_of_python() {
        let python: Python = serde_json::from_str(PYTHON).unwrap();
        assert!(python.cases.len() > 400);
        for (value, text) in python.cases {
            assert_eq!(python_str(&value), text, "{value}");
        }
    }

    #[test]
    fn every_character_is_printable_or_not_by_its_category() {
        // A mark over the character before, a sign of two halves, and private, unknown,
        // formatting and separating ones.
        for c in "é漢😀\u{301}\u{20dd}\u{fe0f}\u{fffd}".chars() {
            assert!(is_printable(c), "{c:?}");
        }
        for c in
            "\u{7f}\u{85}\u{a0}\u{ad}\u{200b}\u{2028}\u{3000}\u{e000}\u{feff}\u{10ffff}".chars()
        {
            assert!(!is_printable(c), "{c:?}");
        }
    }
}
