//! The answer of `GET /internal/v1/get_weights`, as masters of the platform that
//! Proctor replaces read and write it.
//!
//! Their reader (pydantic, in its lax mode) takes more than their writers write:
//! numbers as text, `true` as 1, and NaN. It is followed here in what it takes, what
//! it makes of it, and how it names what it refuses; whoever uses the weights drops
//! those that are not finite.

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a challenge answers when it is asked for its weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightsAnswer {
    /// The challenge.
    pub challenge_slug: String,
    /// A number that grows; challenges of the platform give Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// What each hotkey gets, in a unit of the challenge's own. Read, it may be
    /// anything that a float can be.
    pub weights: BTreeMap<String, f64>,
    /// Anything else.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// When they were made: a date and time of ISO 8601, or Unix seconds, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computed_at: Option<Value>,
}

/// What is wrong with an answer: one place of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {kind}", if loc.is_empty() { "the answer".to_owned() } else { loc.join(".") })]
pub struct WireFault {
    /// Where: a field, and the hotkey in it; empty if it is all of the answer.
    pub loc: Vec<String>,
    /// What, as pydantic names it: `missing`, `string_type`, `float_parsing`, …
    pub kind: &'static str,
}

impl WireFault {
    fn new(loc: &[&str], kind: &'static str) -> Self {
        WireFault {
            loc: loc.iter().map(|&part| part.to_owned()).collect(),
            kind,
        }
    }
}

impl WeightsAnswer {
    /// The answer as it is sent.
    #[must_use]
    pub fn render(&self) -> Value {
        // None of its fields can fail to be written.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads an answer. Fields that are not known are left out.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in the order of the fields. The one difference to
    /// the peers: an `epoch` beyond 64 bits is `int_parsing_size`.
    pub fn parse(answer: &Value) -> Result<Self, Vec<WireFault>> {
        let Some(fields) = answer.as_object() else {
            return Err(vec![WireFault::new(&[], "model_type")]);
        };
        let mut faults = Vec::new();
        let challenge_slug = match fields.get("challenge_slug") {
            Some(Value::String(slug)) => slug.clone(),
            Some(_) => {
                faults.push(WireFault::new(&["challenge_slug"], "string_type"));
                String::new()
            }
            None => {
                faults.push(WireFault::new(&["challenge_slug"], "missing"));
                String::new()
            }
        };
        let epoch = match fields.get("epoch") {
            None | Some(Value::Null) => None,
            Some(value) => integer(value)
                .map_err(|kind| faults.push(WireFault::new(&["epoch"], kind)))
                .ok(),
        };
        let mut weights = BTreeMap::new();
        match fields.get("weights") {
            None => {}
            Some(Value::Object(given)) => {
                for (hotkey, value) in given {
                    match float(value) {
                        Ok(weight) => drop(weights.insert(hotkey.clone(), weight)),
                        Err(kind) => faults.push(WireFault::new(&["weights", hotkey], kind)),
                    }
                }
            }
            Some(_) => faults.push(WireFault::new(&["weights"], "dict_type")),
        }
        let metadata = match fields.get("metadata") {
            None => Map::new(),
            Some(Value::Object(metadata)) => metadata.clone(),
            Some(_) => {
                faults.push(WireFault::new(&["metadata"], "dict_type"));
                Map::new()
            }
        };
        let computed_at = fields.get("computed_at").cloned();
        if let Some(kind) = computed_at.as_ref().and_then(time_fault) {
            faults.push(WireFault::new(&["computed_at"], kind));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(WeightsAnswer {
            challenge_slug,
            epoch,
            weights,
            metadata,
            computed_at,
        })
    }
}

fn float(value: &Value) -> Result<f64, &'static str> {
    match value {
        Value::Bool(flag) => Ok(f64::from(*flag)),
        Value::Number(number) => number.as_f64().ok_or("float_type"),
        Value::String(text) => number_text(text)
            .and_then(|text| text.parse().ok())
            .ok_or("float_parsing"),
        Value::Null | Value::Array(_) | Value::Object(_) => Err("float_type"),
    }
}

fn integer(value: &Value) -> Result<i64, &'static str> {
    match value {
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            (None, Some(float)) if float.fract() != 0.0 => Err("int_from_float"),
            (None, Some(float)) if float.abs() < 2_f64.powi(63) => Ok(float as i64),
            _ => Err("int_parsing_size"),
        },
        Value::String(text) => {
            let text = number_text(text).ok_or("int_parsing")?;
            let whole = match text.split_once('.') {
                Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => {
                    whole
                }
                Some(_) => return Err("int_parsing"),
                None => &text,
            };
            let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err("int_parsing");
            }
            whole.parse().map_err(|_| "int_parsing_size")
        }
        Value::Null | Value::Array(_) | Value::Object(_) => Err("int_type"),
    }
}

/// The text of a number without what Python allows beside it: white space around it,
/// and single underscores between its digits.
fn number_text(text: &str) -> Option<String> {
    let text = text.trim();
    let mut parts = text.split('_').peekable();
    while let Some(part) = parts.next() {
        let Some(next) = parts.peek() else { break };
        let digit = |at: Option<char>| at.is_some_and(|c| c.is_ascii_digit());
        if !digit(part.chars().next_back()) || !digit(next.chars().next()) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// What is wrong with a time, if anything is.
fn time_fault(value: &Value) -> Option<&'static str> {
    /// Beyond the year 9999, also in milliseconds.
    const END: f64 = 253_402_300_800_000.0;
    match value {
        Value::Number(number) => {
            let in_range = number.as_f64().is_some_and(|seconds| seconds.abs() < END);
            (!in_range).then_some("datetime_parsing")
        }
        Value::String(text) => {
            let seconds = || text.parse::<f64>().is_ok_and(|seconds| seconds.abs() < END);
            (!is_iso_time(text) && !seconds()).then_some("datetime_from_date_parsing")
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Some("datetime_type"),
    }
}

/// Whether this is `YYYY-MM-DD`, or that with `HH:MM[:SS[.fraction]]` and maybe a
/// zone after it.
fn is_iso_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else {
        return false;
    };
    let number = |text: Option<&str>, digits: usize, most: u32| {
        let text = text.filter(|t| t.len() == digits && t.bytes().all(|b| b.is_ascii_digit()))?;
        text.parse::<u32>().ok().filter(|number| *number <= most)
    };
    let mut parts = date.split('-');
    let year = number(parts.next(), 4, 9_999);
    let month = number(parts.next(), 2, 12);
    let day = number(parts.next(), 2, 31);
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if month == 0 || !(1..=days).contains(&day) {
        return false;
    }
    let Some(time) = rest.strip_prefix(['T', 't', ' ', '_']) else {
        return rest.is_empty();
    };
    let (clock, zone) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let hours_and_minutes =
        number(parts.next(), 2, 23).is_some() && number(parts.next(), 2, 59).is_some();
    let seconds = parts.next();
    let zone = zone.strip_prefix(['+', '-']).map_or_else(
        || matches!(zone, "" | "Z" | "z"),
        |offset| {
            let digits = offset.replacen(':', "", 1);
            number(digits.get(..2), 2, 23).is_some() && number(digits.get(2..), 2, 59).is_some()
        },
    );
    hours_and_minutes
        && (seconds.is_none() || number(seconds, 2, 59).is_some())
        && parts.next().is_none()
        && (!fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()))
        && zone
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GOLDEN: &str = include_str!("../../../tests/golden/platform_get_weights_wire.json");

    fn parse(field: &str, value: Value) -> Result<WeightsAnswer, String> {
        let mut answer = json!({"challenge_slug": "a"});
        answer[field] = value;
        let told = |faults: Vec<WireFault>| {
            let faults: Vec<String> = faults.iter().map(WireFault::to_string).collect();
            faults.join(", ")
        };
        WeightsAnswer::parse(&answer).map_err(told)
    }

    #[test]
    fn answers_are_read_as_the_peers_read_them() {
        let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let (name, expected) = (&case["name"], &case["expected"]);
            match WeightsAnswer::parse(&case["payload"]) {
                Ok(answer) => {
                    assert_eq!(expected["accepted"], true, "{name}");
                    let wanted = expected["weights"].as_object().unwrap();
                    assert_eq!(answer.weights.len(), wanted.len(), "{name}");
                    for (hotkey, wanted) in wanted {
                        let read = wanted.as_str().map(|text| text.parse().unwrap());
                        let wanted: f64 = read.or(wanted.as_f64()).unwrap();
                        let got = answer.weights[hotkey];
                        assert!(got == wanted || (got.is_nan() && wanted.is_nan()), "{name}");
                    }
                }
                Err(faults) => {
                    assert_eq!(expected["accepted"], false, "{name}: {faults:?}");
                    let faults: Vec<Value> = faults
                        .iter()
                        .map(|fault| json!({"loc": fault.loc, "type": fault.kind}))
                        .collect();
                    assert_eq!(expected["errors"], json!(faults), "{name}");
                }
            }
        }
    }

    #[test]
    fn weights_are_coerced_or_refused_by_their_type() {
        for (given, read) in [
            (json!(true), 1.0),
            (json!(" 1.5 "), 1.5),
            (json!("1_0.5"), 10.5),
            (json!("-Infinity"), f64::NEG_INFINITY),
            (json!(-3), -3.0),
        ] {
            let answer = parse("weights", json!({"h": given}));
            assert_eq!(answer.unwrap().weights["h"], read, "{given}");
        }
        for (given, kind) in [
            (json!(null), "float_type"),
            (json!([1]), "float_type"),
            (json!(""), "float_parsing"),
            (json!("0x1"), "float_parsing"),
            (json!("1__0"), "float_parsing"),
        ] {
            let fault = parse("weights", json!({"h": given})).unwrap_err();
            assert_eq!(fault, format!("weights.h: {kind}"), "{given}");
        }
        assert_eq!(
            parse("weights", json!(null)).unwrap_err(),
            "weights: dict_type"
        );
    }

    #[test]
    fn an_epoch_is_whatever_comes_to_a_whole_number() {
        for (given, read) in [
            (json!(null), None),
            (json!(true), Some(1)),
            (json!(2.0), Some(2)),
            (json!(" 5.00 "), Some(5)),
            (json!("1_000"), Some(1_000)),
            (json!("-07"), Some(-7)),
        ] {
            assert_eq!(
                parse("epoch", given.clone()).unwrap().epoch,
                read,
                "{given}"
            );
        }
        for (given, kind) in [
            (json!(1.5), "int_from_float"),
            (json!(1e20), "int_parsing_size"),
            (json!("5."), "int_parsing"),
            (json!("5e3"), "int_parsing"),
            (json!(""), "int_parsing"),
            (json!([]), "int_type"),
        ] {
            let fault = parse("epoch", given.clone()).unwrap_err();
            assert_eq!(fault, format!("epoch: {kind}"), "{given}");
        }
    }

    #[test]
    fn a_time_is_iso_8601_or_a_number() {
        for given in [
            json!("2024-02-29"),
            json!("2024-01-01T00:00"),
            json!("2024-01-01 00:00:00.123456789+00:00"),
            json!("2024-01-01t23:59:59z"),
            json!("2024-01-01_00:00:00-0130"),
            json!("1700000000.5"),
            json!(-1),
        ] {
            assert!(parse("computed_at", given.clone()).is_ok(), "{given}");
        }
        for (given, kind) in [
            (json!("2023-02-29"), "datetime_from_date_parsing"),
            (json!("2024-01-01T25:00:00"), "datetime_from_date_parsing"),
            (json!("2024-01-01T00:00:60Z"), "datetime_from_date_parsing"),
            (
                json!("2024-01-01T00:00:00+24:00"),
                "datetime_from_date_parsing",
            ),
            (json!("2024-01-01T00"), "datetime_from_date_parsing"),
            (json!(""), "datetime_from_date_parsing"),
            (json!(1e20), "datetime_parsing"),
            (json!(null), "datetime_type"),
            (json!(true), "datetime_type"),
        ] {
            let fault = parse("computed_at", given.clone()).unwrap_err();
            assert_eq!(fault, format!("computed_at: {kind}"), "{given}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_unknown_fields_are_not() {
        let answer = json!({"challenge_slug": 1, "epoch": "x", "weights": {"a": null, "b": "y"},
            "metadata": [], "extra": 1});
        let faults = WeightsAnswer::parse(&answer).unwrap_err();
        let told: Vec<String> = faults.iter().map(WireFault::to_string).collect();
        let expected = [
            "challenge_slug: string_type",
            "epoch: int_parsing",
            "weights.a: float_type",
            "weights.b: float_parsing",
            "metadata: dict_type",
        ];
        assert_eq!(told, expected);
        let faults = WeightsAnswer::parse(&json!([])).unwrap_err();
        assert_eq!(faults, [WireFault::new(&[], "model_type")]);
    }

    #[test]
    fn what_is_rendered_is_read_back() {
        let answer = WeightsAnswer {
            challenge_slug: "digits".into(),
            epoch: Some(1_787_400_000),
            weights: BTreeMap::from([("5F".to_owned(), 0.25)]),
            metadata: Map::new(),
            computed_at: Some("2026-08-22T14:00:00Z".into()),
        };
        let sent = answer.render();
        assert_eq!(
            sent,
            json!({"challenge_slug": "digits", "epoch": 1_787_400_000, "weights": {"5F": 0.25},
                "computed_at": "2026-08-22T14:00:00Z"})
        );
        assert_eq!(WeightsAnswer::parse(&sent).unwrap(), answer);
    }
}
