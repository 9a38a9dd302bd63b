//! A challenge that has miners echo a value, and misbehaves where it is told to
//! ([`misdeed`]).
//!
//! An entry is `{"x": value}`, with a `priority` if it likes, and is refused if
//! `blacklist`, `unverified` or `invalid` is true in it. Every miner is asked for the
//! value, and earns 1 for `{"echo": value}`. The weights are the sums of that. Settings:
//! `protocol`, `btauth` or `dendrite`, and `hashed`, the fields that the latter hashes.
//!
//! The exports are those that are generated, because the SDK's trait would not let it
//! return what it should not.
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

#[path = "organic_challenge/misdeed.rs"]
mod misdeed;

use misdeed::Misdeed;
use proctor_sdk::bindings::organic::exports::proctor::challenge::organic::{
    Guest, Query, Response,
};
use proctor_sdk::organic::{
    Admission, Admitted, Entry, Folded, MinerReward, Neuron, Protocol, Refusal, Rewarded,
};
use proctor_sdk::{Challenge, ChallengeError, HotkeyWeight};
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Echo;

impl Challenge for Echo {
    type Settings = Value;
    const NAME: &'static str = "organic";
    const VERSION: &'static str = "0.1.0";

    fn new(_: Value) -> Self {
        Echo
    }
}

type Refuse = fn(String) -> Refusal;

/// Why an entry is refused: the fields that say so.
const REFUSALS: [(&str, Refuse); 3] = [
    ("blacklist", Refusal::Blacklisted),
    ("unverified", Refusal::Unverified),
    ("invalid", Refusal::Invalid),
];

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// What a sample has miners echo: a field and its value.
fn asked(sample: &Value) -> (&'static str, &Value) {
    match sample.get("x") {
        Some(value) => ("x", value),
        None => ("n", &sample["n"]),
    }
}

impl Guest for Echo {
    fn admit(entry: Entry) -> Result<Admission, ChallengeError> {
        let mut body = parse(&entry.body);
        let misdeed = Misdeed::of("admit", &body)?;
        if let Some(why) = misdeed.refusal() {
            return Ok(Admission::Refused(Refusal::Blacklisted(why)));
        }
        let refusal = REFUSALS.iter().find(|(field, _)| body[*field] == true);
        if let Some((field, refusal)) = refusal {
            return Ok(Admission::Refused(refusal(format!("{field} is true"))));
        }
        let priority = misdeed.number("priority", body["priority"].as_f64().unwrap_or(0.0));
        let sample = match body.as_object_mut() {
            Some(fields) if fields.contains_key("x") => fields,
            _ => return Ok(Admission::Refused(Refusal::Invalid("no x".into()))),
        };
        let is_of_entry = |key: &str| key == "priority" || REFUSALS.iter().any(|r| r.0 == key);
        sample.retain(|key, _| !is_of_entry(key));
        Ok(Admission::Admitted(Admitted {
            sample: misdeed.json("sample", &body),
            priority,
        }))
    }

    fn datasets() -> Result<Vec<String>, ChallengeError> {
        let misdeed = Misdeed::of("datasets", &Value::Null)?;
        Ok(misdeed.names().unwrap_or_else(|| vec!["counting".into()]))
    }

    fn synthesize(_: String, seed: u64) -> Result<String, ChallengeError> {
        let misdeed = Misdeed::of("synthesize", &Value::Null)?;
        Ok(misdeed.json("sample", &json!({ "n": seed % 1_000 })))
    }

    fn queries(sample: String, metagraph: Vec<Neuron>) -> Result<Vec<Query>, ChallengeError> {
        let sample = parse(&sample);
        let misdeed = Misdeed::of("queries", &sample)?;
        let (field, value) = asked(&sample);
        let body = misdeed.json("body", &json!({ field: value }));
        let protocol = match misdeed.settings["protocol"].as_str() {
            Some("dendrite") => {
                let fields = misdeed.settings["hashed"].as_array().into_iter().flatten();
                Protocol::Dendrite(
                    fields
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect(),
                )
            }
            _ => Protocol::Btauth,
        };
        let uids = metagraph.iter().map(|neuron| neuron.uid);
        let query = |uid| Query {
            uid,
            path: misdeed.text("path", "Echo"),
            body: body.clone(),
            protocol: protocol.clone(),
        };
        Ok(uids.chain(misdeed.uids()).map(query).collect())
    }

    fn reference(sample: String) -> Result<Option<String>, ChallengeError> {
        let sample = parse(&sample);
        let misdeed = Misdeed::of("reference", &sample)?;
        Ok(Some(misdeed.json("reference", asked(&sample).1)))
    }

    fn reward(
        sample: String,
        responses: Vec<Response>,
        reference: Option<String>,
    ) -> Result<Vec<MinerReward>, ChallengeError> {
        let misdeed = Misdeed::of("reward", &parse(&sample))?;
        let expected = json!({ "echo": parse(&reference.unwrap_or_default()) });
        let rewards = responses.iter().map(|response| {
            let right = |answer: &String| parse(answer) == expected;
            let is_right = response.outcome.as_ref().is_ok_and(right);
            let value = if is_right { 1.0 } else { 0.0 };
            (response.uid, misdeed.number("value", value))
        });
        let more = misdeed.uids().into_iter().map(|uid| (uid, 1.0));
        let reward = |(uid, value)| MinerReward { uid, value };
        Ok(rewards.chain(more).map(reward).collect())
    }

    fn fold(rewards: Vec<Rewarded>, state: Option<String>) -> Result<Folded, ChallengeError> {
        let misdeed = Misdeed::of("fold", &Value::Null)?;
        let state = state.as_deref().unwrap_or("{}");
        let mut sums: BTreeMap<String, f64> = serde_json::from_str(state)
            .map_err(|error| ChallengeError::Internal(error.to_string()))?;
        for Rewarded { hotkey, value, .. } in rewards {
            *sums.entry(hotkey).or_default() += value;
        }
        let state = misdeed.json("state", &json!(sums));
        let weight = |(hotkey, weight)| HotkeyWeight {
            hotkey,
            weight: misdeed.number("weight", weight),
        };
        let more = misdeed.hotkeys().into_iter().map(|hotkey| (hotkey, 1.0));
        let weights = sums.into_iter().chain(more).map(weight).collect();
        Ok(Folded { state, weights })
    }
}

proctor_sdk::export!(Echo);

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, unused_qualifications, reason = "it is generated")]
const _: () = {
    proctor_sdk::bindings::organic::export_organic!(Echo with_types_in proctor_sdk::bindings::organic);
};
