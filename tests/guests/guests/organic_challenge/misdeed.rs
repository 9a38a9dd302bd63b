//! What the challenge does that it should not.
//!
//! The settings tell, and for the calls that get an entry or a sample these as well: `in`
//! names the export, `do` what happens there ([`Act`], or `solve`), `fail` which error it
//! returns, and other fields what is answered instead. A `fail` without `in` is for
//! `queries`, so that an entry that has it is queued.

use hostile_guests::Act;
use proctor_sdk::ChallengeError;
use proctor_sdk::bindings::controller::proctor::challenge::{context, runner};
use serde_json::{Value, json};
use std::iter::repeat_n;

pub(crate) struct Misdeed {
    /// Of the challenge, whatever is to be done.
    pub(crate) settings: Value,
    /// Null if nothing is to be done here.
    wanted: Value,
    /// What was seen while it was done.
    seen: Value,
}

impl Misdeed {
    /// Does what is to be done in `export`.
    ///
    /// Errors: what `fail` says.
    pub(crate) fn of(export: &str, input: &Value) -> Result<Self, ChallengeError> {
        let settings = super::parse(&context::settings());
        let by_input = match (input["in"].as_str(), input["fail"].is_string()) {
            (None, true) => Some("queries"),
            (named, _) => named,
        };
        let wanted = if settings["in"] == export {
            settings.clone()
        } else if by_input == Some(export) {
            input.clone()
        } else {
            Value::Null
        };
        let seen = match wanted["do"].as_str() {
            None => Value::Null,
            Some("solve") => json!(runner::solve("{}").is_ok()),
            Some(_) => match serde_json::from_value::<Act>(wanted.clone()) {
                Ok(act) => act.perform(),
                Err(error) => json!({ "wanted": error.to_string() }),
            },
        };
        match wanted["fail"].as_str() {
            Some("invalid-submission") => Err(ChallengeError::InvalidSubmission("bad".into())),
            Some("unavailable") => Err(ChallengeError::Unavailable("later".into())),
            Some(_) => Err(ChallengeError::Internal("broken".into())),
            None => Ok(Misdeed {
                settings,
                wanted,
                seen,
            }),
        }
    }

    /// The text that is wanted in `field`, or else what was seen, or else `good`.
    pub(crate) fn json(&self, field: &str, good: &Value) -> String {
        let seen = (!self.seen.is_null()).then_some(&self.seen);
        self.text(field, &seen.unwrap_or(good).to_string())
    }

    /// The text that is wanted in `field`, or else `good`.
    pub(crate) fn text(&self, field: &str, good: &str) -> String {
        self.wanted[field].as_str().unwrap_or(good).to_owned()
    }

    /// A number that JSON may have no way to write, such as `"NaN"`.
    pub(crate) fn number(&self, field: &str, good: f64) -> f64 {
        let wanted = self.wanted[field].as_str();
        wanted.and_then(|text| text.parse().ok()).unwrap_or(good)
    }

    /// A text of so many lines that ring a bell.
    pub(crate) fn refusal(&self) -> Option<String> {
        let bytes = self.wanted["refusal"].as_u64()?;
        Some(
            "no\u{7}\r\n\u{1b}[31m"
                .chars()
                .cycle()
                .take(bytes as usize)
                .collect(),
        )
    }

    /// Names in place of the good ones.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        let name = |name: &Value| text(name);
        if let Some(names) = self.wanted["names"].as_array() {
            return Some(names.iter().map(name).collect());
        }
        let seen = (!self.seen.is_null()).then(|| vec![text(&self.seen)]);
        let many = self.many().map(|many| (0..many).map(|n| n.to_string()));
        many.map(Iterator::collect).or(seen)
    }

    /// Whom to name beside the good ones.
    pub(crate) fn uids(&self) -> Vec<u16> {
        let uid = self.wanted["uid"].as_u64().map(|uid| uid as u16);
        let many = self.many().unwrap_or(1);
        uid.map_or_else(Vec::new, |uid| repeat_n(uid, many).collect())
    }

    /// Whom to pay beside the good ones.
    pub(crate) fn hotkeys(&self) -> Vec<String> {
        if let Some(many) = self.many() {
            return (0..many).map(|n| n.to_string()).collect();
        }
        self.wanted["hotkey"]
            .as_str()
            .map(str::to_owned)
            .into_iter()
            .collect()
    }

    fn many(&self) -> Option<usize> {
        self.wanted["many"].as_u64().map(|many| many as usize)
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
