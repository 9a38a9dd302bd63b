//! JSON text as Python would write it again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::python_json::{write_float, write_unit};

/// Most digits of an integer that Python 3.11 and later read from a text.
const MAX_DIGITS: usize = 4_300;
/// Most lists and objects inside one another. Python reads more; the stack is the limit.
const MAX_DEPTH: usize = 128;

/// Why a text cannot be written as Python would.
#[derive(Debug, thiserror::Error)]
pub enum PythonJsonError {
    /// It is not JSON. Python's `NaN` and `Infinity` are not.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
    /// An integer has so many digits that Python does not read it either.
    #[error("an integer has more than {MAX_DIGITS} digits")]
    TooManyDigits,
    /// Lists and objects are too deep inside one another.
    #[error("more than {MAX_DEPTH} lists and objects are inside one another")]
    TooDeep,
}

/// The text of Python 3's `json.dumps(json.loads(json))`, character by character.
///
/// Like [`python_json`](super::python_json), but exact also for what a
/// [`serde_json::Value`] cannot hold: integers of any size, `-0` as an integer, floats
/// too great for one (`Infinity`), and halves of surrogate pairs. Of fields with the
/// same name the last value stands in the first one's place.
///
/// # Errors
///
/// A [`PythonJsonError`].
pub fn python_json_text(json: &str) -> Result<String, PythonJsonError> {
    // What follows relies on the text being well-formed.
    serde_json::from_str::<IgnoredAny>(json)?;
    let mut writer = Writer {
        rest: json,
        out: String::with_capacity(json.len()),
    };
    writer.value(MAX_DEPTH)?;
    Ok(writer.out)
}

struct Writer<'a> {
    rest: &'a str,
    out: String,
}

impl Writer<'_> {
    /// The next character that is not white space, which is left where it is.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches(is_space);
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        let mut rest = self.rest.chars();
        rest.next();
        self.rest = rest.as_str();
    }

    fn value(&mut self, depth: usize) -> Result<(), PythonJsonError> {
        match self.peek() {
            Some('"') => self.string(),
            Some('[') => self.list(inner(depth)?)?,
            Some('{') => self.object(inner(depth)?)?,
            _ => self.scalar()?,
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<(), PythonJsonError> {
        self.skip();
        self.out.push('[');
        loop {
            match self.peek() {
                Some(']') | None => break,
                Some(',') => {
                    self.skip();
                    self.out.push_str(", ");
                }
                Some(_) => self.value(depth)?,
            }
        }
        self.skip();
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), PythonJsonError> {
        self.skip();
        let start = self.out.len();
        self.out.push('{');
        // Where each field's name and value are in what is written.
        let mut fields: Vec<[Range<usize>; 2]> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut repeated = false;
        loop {
            match self.peek() {
                Some('}') | None => break,
                Some(',') => self.skip(),
                Some(_) => {
                    if !fields.is_empty() {
                        self.out.push_str(", ");
                    }
                    let from = self.out.len();
                    self.string();
                    let name = from..self.out.len();
                    self.peek();
                    self.skip();
                    self.out.push_str(": ");
                    let from = self.out.len();
                    self.value(depth)?;
                    let value = from..self.out.len();
                    match places.entry(self.written(&name).to_owned()) {
                        Entry::Vacant(place) => {
                            place.insert(fields.len());
                            fields.push([name, value]);
                        }
                        Entry::Occupied(place) => {
                            repeated = true;
                            if let Some([_, earlier]) = fields.get_mut(*place.get()) {
                                *earlier = value;
                            }
                        }
                    }
                }
            }
        }
        self.skip();
        if repeated {
            let fields = fields.iter();
            let fields: Vec<_> = fields
                .map(|[name, value]| format!("{}: {}", self.written(name), self.written(value)))
                .collect();
            self.out.truncate(start + 1);
            self.out.push_str(&fields.join(", "));
        }
        self.out.push('}');
        Ok(())
    }

    fn written(&self, range: &Range<usize>) -> &str {
        self.out.get(range.clone()).unwrap_or_default()
    }

    fn string(&mut self) {
        self.skip();
        self.out.push('"');
        let mut rest = self.rest.chars();
        loop {
            let character = match rest.next() {
                Some('"') | None => break,
                Some('\\') => match rest.next() {
                    Some('u') => {
                        let text = rest.as_str();
                        let (digits, after) = text.split_at_checked(4).unwrap_or((text, ""));
                        let unit = u16::from_str_radix(digits, 16).unwrap_or_default();
                        write_unit(&mut self.out, unit);
                        rest = after.chars();
                        continue;
                    }
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => break,
                },
                Some(other) => other,
            };
            for unit in character.encode_utf16(&mut [0; 2]) {
                write_unit(&mut self.out, *unit);
            }
        }
        self.rest = rest.as_str();
        self.out.push('"');
    }

    fn scalar(&mut self) -> Result<(), PythonJsonError> {
        let ends = |c| is_space(c) || matches!(c, ',' | ']' | '}');
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if !token.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            self.out.push_str(token);
        } else if token.contains(['.', 'e', 'E']) {
            write_float(&mut self.out, token.parse().unwrap_or(f64::NAN));
        } else if token.trim_start_matches('-').len() > MAX_DIGITS {
            return Err(PythonJsonError::TooManyDigits);
        } else {
            self.out.push_str(if token == "-0" { "0" } else { token });
        }
        Ok(())
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn inner(depth: usize) -> Result<usize, PythonJsonError> {
    depth.checked_sub(1).ok_or(PythonJsonError::TooDeep)
}

#[cfg(test)]
mod tests {
    use super::super::python_json;
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Texts and what Python 3.11 makes of them.
    const CASES: &[(&str, &str)] = &[
        (" null\n", "null"),
        ("[ ]", "[]"),
        ("[1,[2 ,{ }], true]", "[1, [2, {}], true]"),
        // Integers.
        ("-0", "0"),
        ("[-0,-1]", "[0, -1]"),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
        (
            "123456789012345678901234567890123456789012345678901234567890",
            "123456789012345678901234567890123456789012345678901234567890",
        ),
        // Floats.
        ("-0.0", "-0.0"),
        ("-0e5", "-0.0"),
        ("1e400", "Infinity"),
        ("[-1E400]", "[-Infinity]"),
        ("1e-400", "0.0"),
        ("1E16", "1e+16"),
        ("1.50", "1.5"),
        ("18446744073709551616.0", "1.8446744073709552e+19"),
        // Texts.
        (r#""\ud800""#, r#""\ud800""#),
        (r#""\uDC00\uD83D\uDE00""#, r#""\udc00\ud83d\ude00""#),
        (r#""\ud83d\ud83d\ude00x""#, r#""\ud83d\ud83d\ude00x""#),
        (
            "\"\\/\\u0041\\u00e9é😀\u{7f}\\u000a\"",
            r#""/A\u00e9\u00e9\ud83d\ude00\u007f\n""#,
        ),
        (r#"",]}\"{[""#, r#"",]}\"{[""#),
        // Names that are there twice.
        (r#"{"a":1, "b":2,"a":[3]}"#, r#"{"a": [3], "b": 2}"#),
        (
            r#"{"a":{"x":1,"x":-0},"\u0061":{"y":1,"y":2}}"#,
            r#"{"a": {"y": 2}}"#,
        ),
        (
            r#"{"\ud800":1,"\uD800":2,"\ud801":3}"#,
            r#"{"\ud800": 2, "\ud801": 3}"#,
        ),
        (r#"[{"a":1,"a":2},7]"#, r#"[{"a": 2}, 7]"#),
    ];

    #[test]
    fn a_text_becomes_what_python_makes_of_it() {
        for (text, expected) in CASES {
            assert_eq!(python_json_text(text).unwrap(), *expected, "{text}");
            assert_eq!(
                python_json_text(expected).ok().as_deref(),
                is_json(expected),
                "{text}"
            );
        }
    }

    /// What Python writes is read again, but for the infinities.
    fn is_json(text: &'static str) -> Option<&'static str> {
        (!text.contains("Infinity")).then_some(text)
    }

    #[test]
    fn what_python_does_not_read_or_is_no_json_is_refused() {
        let long = "1".repeat(MAX_DIGITS + 1);
        for bad in [
            "",
            "NaN",
            "Infinity",
            "-Infinity",
            "[1,]",
            "[1 2]",
            "{\"a\" 1}",
            "{1: 2}",
            "01",
            "1.",
            "+1",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "1 2",
            "'a'",
            "\u{feff}1",
            &long,
        ] {
            assert!(python_json_text(bad).is_err(), "{bad}");
        }
        assert!(python_json_text(&long[1..]).is_ok());
        assert!(python_json_text(&format!("-{}", &long[1..])).is_ok());
    }

    #[test]
    fn a_deep_text_does_not_exhaust_the_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(
            python_json_text(&nested(MAX_DEPTH)).unwrap(),
            nested(MAX_DEPTH)
        );
        let fault = python_json_text(&nested(1_000_000));
        assert!(matches!(fault, Err(PythonJsonError::TooDeep)));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_becomes_what_it_stays(text in "[\\[\\]{},:\" 01.e\\-\\\\uda-f8tr]{0,24}") {
            if let Ok(written) = python_json_text(&text)
                && !written.contains("Infinity")
            {
                prop_assert_eq!(python_json_text(&written).unwrap(), written);
            }
        }

        #[test]
        fn what_a_value_can_hold_becomes_the_same_either_way(
            numbers in prop::collection::vec(any::<f64>(), 0..4),
            integer in any::<i64>(),
            texts in prop::collection::vec((any::<String>(), any::<String>()), 0..4),
        ) {
            let fields: serde_json::Map<_, _> =
                texts.into_iter().map(|(name, text)| (name, text.into())).collect();
            let value = serde_json::json!([numbers, integer, fields]);
            let text = value.to_string();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(python_json_text(&text).unwrap(), python_json(&read));
        }
    }
}
