//! What a case is expected to come to, and how what came differs.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The outcome codes of a host.
pub const OUTCOMES: [&str; 12] = [
    "ok",
    "guest_error",
    "unavailable",
    "trap",
    "out_of_fuel",
    "timeout",
    "out_of_memory",
    "stack_overflow",
    "denied",
    "invalid_output",
    "link_error",
    "host_error",
];

/// How far a score may be from the one number that a case names: machines agree on the
/// bits, people do not write them.
const EXACT: f64 = 1e-9;

/// The scores that a case takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// This one, up to 10⁻⁹.
    Exactly(f64),
    /// From the first to the second, both included.
    Between(f64, f64),
}

impl Score {
    /// Whether a score is one of them.
    pub fn takes(self, score: f64) -> bool {
        match self {
            Score::Exactly(wanted) => (score - wanted).abs() <= EXACT,
            Score::Between(least, most) => (least..=most).contains(&score),
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Score::Exactly(score) => write!(f, "{score}"),
            Score::Between(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadScore)
    }
}

struct ReadScore;

fn finite<E: de::Error>(score: f64) -> Result<f64, E> {
    match score.is_finite() {
        true => Ok(score),
        false => Err(E::custom(format_args!("{score} is no score"))),
    }
}

impl<'de> Visitor<'de> for ReadScore {
    type Value = Score;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or [least, most]")
    }

    fn visit_f64<E: de::Error>(self, score: f64) -> Result<Score, E> {
        finite(score).map(Score::Exactly)
    }

    fn visit_i64<E: de::Error>(self, score: i64) -> Result<Score, E> {
        #[allow(clippy::cast_precision_loss, reason = "scores are floats")]
        let score = score as f64;
        Ok(Score::Exactly(score))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Score, A::Error> {
        let mut next = |index| {
            let number = seq.next_element::<f64>()?;
            finite(number.ok_or_else(|| de::Error::invalid_length(index, &self))?)
        };
        let (least, most) = (next(0)?, next(1)?);
        if seq.next_element::<f64>()?.is_some() {
            return Err(de::Error::invalid_length(3, &self));
        }
        if least > most {
            let why = format_args!("[{least}, {most}] has the greater number first");
            return Err(de::Error::custom(why));
        }
        Ok(Score::Between(least, most))
    }
}

/// What a case is expected to come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// The outcome code.
    pub outcome: String,
    /// The verdict's score. None: any.
    pub score: Option<Score>,
    /// Whether the verdict accepts. None: either.
    pub accepted: Option<bool>,
    /// What must stand in a message. None: nothing.
    pub message: Option<String>,
    /// The solution of a case with a task. None: any.
    pub solution: Option<Value>,
}

impl Default for Expect {
    /// The outcome `ok`, and nothing else.
    fn default() -> Self {
        Expect {
            outcome: "ok".to_owned(),
            score: None,
            accepted: None,
            message: None,
            solution: None,
        }
    }
}

/// What a case came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// The outcome code.
    pub outcome: &'a str,
    /// The verdict's score, if there is a verdict.
    pub score: Option<f64>,
    /// Whether the verdict accepts.
    pub accepted: Option<bool>,
    /// All that was said: the error, the verdict's reason, the errors of tasks.
    pub messages: &'a [String],
    /// The solution of a case with a task, JSON.
    pub solution: Option<&'a str>,
}

/// One thing that is not as it was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What, such as `score`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl Difference {
    /// One of a few words.
    pub fn new(
        what: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Difference {
            what: what.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            what,
            expected,
            found,
        } = self;
        write!(f, "{what}: expected {expected}, found {found}")
    }
}

impl Expect {
    /// All that is not as expected. If the outcome is another one, the rest says nothing
    /// and is left out.
    pub fn differences(&self, found: &Found<'_>) -> Vec<Difference> {
        let said = match found.messages {
            [] => "nothing was said".to_owned(),
            messages => messages.join("; "),
        };
        if found.outcome != self.outcome {
            let found = match found.messages {
                [] => found.outcome.to_owned(),
                _ => format!("{} ({said})", found.outcome),
            };
            return vec![Difference::new("outcome", &self.outcome, found)];
        }
        let mut differences = Vec::new();
        if let (Some(wanted), Some(score)) = (self.score, found.score)
            && !wanted.takes(score)
        {
            differences.push(Difference::new("score", wanted, score));
        }
        if let (Some(wanted), Some(accepted)) = (self.accepted, found.accepted)
            && wanted != accepted
        {
            differences.push(Difference::new("accepted", wanted, accepted));
        }
        if let Some(wanted) = &self.message
            && !found.messages.iter().any(|said| said.contains(wanted))
        {
            differences.push(Difference::new("message", format!("{wanted:?}"), said));
        }
        if let (Some(wanted), Some(text)) = (&self.solution, found.solution) {
            let value: Option<Value> = serde_json::from_str(text).ok();
            if !value.is_some_and(|value| same_json(wanted, &value)) {
                differences.push(Difference::new("solution", wanted, text));
            }
        }
        differences
    }
}

/// Whether two JSON values are the same: numbers by what they are worth, so that `3` is
/// `3.0`; objects in any order of their keys.
pub fn same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64() == b.as_f64() && !is_integer(a, b)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, a)| b.get(key).is_some_and(|b| same_json(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

/// Whether both are integers, of which large ones have the same float.
fn is_integer(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    !a.is_f64() && !b.is_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Found<'_> = Found {
        outcome: "ok",
        score: Some(0.5),
        accepted: Some(true),
        messages: &[],
        solution: None,
    };

    fn texts(expect: &Expect, found: &Found<'_>) -> Vec<String> {
        let differences = expect.differences(found);
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_named_may_be_anything() {
        assert_eq!(texts(&Expect::default(), &OK), [""; 0]);
    }

    #[test]
    fn each_difference_is_told() {
        let expect = Expect {
            score: Some(Score::Between(0.6, 1.0)),
            accepted: Some(false),
            message: Some("too slow".into()),
            ..Expect::default()
        };
        let expected = [
            "score: expected 0.6 to 1, found 0.5",
            "accepted: expected false, found true",
            "message: expected \"too slow\", found nothing was said",
        ];
        assert_eq!(texts(&expect, &OK), expected);
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        let range = Score::Between(0.5, 0.75);
        assert!(range.takes(0.5) && range.takes(0.75));
        assert!(!range.takes(0.499_999_999) && !range.takes(0.750_000_001));
        assert!(!range.takes(f64::NAN));
        assert!(Score::Exactly(0.3).takes(0.1 + 0.2));
        assert!(!Score::Exactly(0.3).takes(0.300_001));
    }

    #[test]
    fn another_outcome_is_told_with_its_reason_and_alone() {
        let expect = Expect {
            score: Some(Score::Exactly(1.0)),
            ..Expect::default()
        };
        let messages = ["division by zero".to_owned()];
        let found = Found {
            outcome: "trap",
            score: None,
            messages: &messages,
            ..OK
        };
        let expected = ["outcome: expected ok, found trap (division by zero)"];
        assert_eq!(texts(&expect, &found), expected);
    }

    #[test]
    fn json_is_compared_by_value() {
        let same = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| serde_json::from_str(text).unwrap());
            same_json(&a, &b)
        };
        assert!(same("3", "3.0"));
        assert!(same(
            r#"{"a": [1], "b": null}"#,
            r#"{"b": null, "a": [1.0]}"#
        ));
        assert!(!same("3", "\"3\""));
        assert!(!same("[1, 2]", "[2, 1]"));
        assert!(!same(r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#));
        // The same float.
        assert!(!same("9007199254740993", "9007199254740992"));
    }
}
