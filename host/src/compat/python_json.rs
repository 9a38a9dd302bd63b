//! JSON as Python writes it.

use std::fmt::Write;

use serde_json::{Number, Value};

/// The text of Python 3's `json.dumps(value)`, character by character.
///
/// A space after each comma and colon, fields in their own order, everything but
/// printable ASCII escaped, numbers as Python's `repr`.
///
/// The number must have been read as Python would have: an integer below
/// −2⁶³ or above 2⁶⁴ − 1 is a float once `serde_json` has read it, and `-0` is
/// `-0.0`, where Python keeps both as integers. Where the text is at hand,
/// [`python_json_text`](super::python_json_text) is exact for these too.
#[must_use]
pub fn python_json(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_text(out, text),
        Value::Array(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                separate(out, i);
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (name, value)) in fields.iter().enumerate() {
                separate(out, i);
                write_text(out, name);
                out.push_str(": ");
                write_value(out, value);
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

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for unit in text.encode_utf16() {
        write_unit(out, unit);
    }
    out.push('"');
}

/// One UTF-16 unit of a text, which may be half of a surrogate pair.
pub(super) fn write_unit(out: &mut String, unit: u16) {
    match u8::try_from(unit) {
        Ok(b'"') => out.push_str("\\\""),
        Ok(b'\\') => out.push_str("\\\\"),
        Ok(b'\n') => out.push_str("\\n"),
        Ok(b'\r') => out.push_str("\\r"),
        Ok(b'\t') => out.push_str("\\t"),
        Ok(0x08) => out.push_str("\\b"),
        Ok(0x0c) => out.push_str("\\f"),
        Ok(ascii @ b' '..=b'~') => out.push(ascii.into()),
        _ => {
            // A `String` takes everything that is written to it.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
}

fn write_number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => write_float(out, float),
        _ => out.push_str(&number.to_string()),
    }
}

/// Python's `repr`: the shortest digits that read back as the same float, with an
/// exponent from 1e16 up and below 1e-4; an infinity as `json.dumps` writes it.
pub(super) fn write_float(out: &mut String, float: f64) {
    if float.is_infinite() {
        let text = if float > 0.0 { "Infinity" } else { "-Infinity" };
        return out.push_str(text);
    }
    let size = float.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        let shortest = format!("{float:?}");
        let exact = format!("{float:.*}", decimals(&shortest));
        return out.push_str(&half_to_even(float, exact, shortest));
    }
    let shortest = format!("{float:e}");
    let mantissa = shortest
        .split_once('e')
        .map_or("", |(mantissa, _)| mantissa);
    let exact = format!("{float:.*e}", decimals(mantissa));
    let text = half_to_even(float, exact, shortest);
    // Without an exponent it is a NaN, which neither a `Number` nor a text can be.
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

fn decimals(number: &str) -> usize {
    number.split_once('.').map_or(0, |(_, digits)| digits.len())
}

/// Of two shortest texts that are equally near Python takes the even one, as do Rust's
/// digits of a given number; Rust's shortest digits are rounded up. The former may not
/// read back: next to a power of two the nearest text is not always near enough.
fn half_to_even(float: f64, exact: String, shortest: String) -> String {
    if exact.parse() == Ok(float) {
        exact
    } else {
        shortest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Texts that Python 3.11 gives back unchanged from `dumps(loads(text))`.
    const UNCHANGED: &[&str] = &[
        "null",
        "true",
        "[]",
        "{}",
        "[[], {}, [{}]]",
        "[1, [2, {\"x\": []}], null]",
        "{\"b\": 1, \"a\": {\"c\": false}, \"\": 0}",
        // Integers.
        "0",
        "-1",
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        // Floats around where the exponent begins and ends.
        "0.0",
        "-0.0",
        "1.0",
        "100.0",
        "0.1",
        "0.30000000000000004",
        "0.0001",
        "0.00012345678901234567",
        "9.999999999999999e-05",
        "1e-05",
        "1e-07",
        "-1.5e-10",
        "1e-100",
        "5e-324",
        "2.2250738585072014e-308",
        "1000000000000000.0",
        "1234567890123456.8",
        // Halfway between two shortest texts: the even one.
        "1564556660853844.2",
        "2147152571044.4062",
        "199840981475203.12",
        "2.9802322387695312e-08",
        "9007199254740992.0",
        "9999999999999998.0",
        "1e+16",
        "1.2345678901234568e+17",
        "1e+22",
        "1e+23",
        "1.7976931348623157e+308",
        "-1e+100",
        // Texts.
        "\"\"",
        "\" ~!/<>&'\"",
        "\"\\\"\\\\\\n\\r\\t\\b\\f\"",
        "\"\\u0000\\u001f\\u007f\\u0080\\u00e9\"",
        "\"\\u2028\\ud7ff\\ue000\\uffff\"",
        "\"\\ud83d\\ude00\\udbff\\udfff\"",
        "{\"\\u00e9\\n\": 1}",
    ];

    #[test]
    fn what_python_leaves_unchanged_is_unchanged() {
        for text in UNCHANGED {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(python_json(&value), *text);
        }
    }

    #[test]
    fn other_texts_become_those_of_python() {
        let cases = [
            (" [1,2 ,3 ]", "[1, 2, 3]"),
            ("1e5", "100000.0"),
            ("1E16", "1e+16"),
            ("0.00001", "1e-05"),
            ("123456789.0e10", "1.23456789e+18"),
            ("1.10", "1.1"),
            ("2.0e-7", "2e-07"),
            ("\"\\/é😀\\u0041\"", "\"/\\u00e9\\ud83d\\ude00A\""),
            ("{\"a\": 1, \"b\": 2, \"a\": 3}", "{\"a\": 3, \"b\": 2}"),
        ];
        for (text, expected) in cases {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(python_json(&value), expected);
        }
    }

    #[test]
    fn integers_that_do_not_fit_are_floats() {
        let value: Value = serde_json::from_str("18446744073709551616").unwrap();
        assert_eq!(python_json(&value), "1.8446744073709552e+19");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(|float| json!(float)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_ascii_and_reads_back_the_same(value in any_value()) {
            let text = python_json(&value);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(python_json(&read), text);
            prop_assert_eq!(read, value);
        }

        #[test]
        fn floats_read_back_to_the_bit(float in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
            let text = python_json(&json!(float));
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), float.to_bits());
            prop_assert!(text.contains(['.', 'e']), "{} must stay a float", text);
        }
    }
}
