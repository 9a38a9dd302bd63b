//! What is written down of an iteration: all that its result depends on, with what
//! came of each step and how long it took.

use super::iteration::Fault;
use crate::miners::Answer;
use crate::sandbox::organic::{Protocol, Query, Response, Rewarded, failure_name};
use crate::sandbox::sha256_hex;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes that all texts of one kind may take in a record. Of a longer one the record
/// has the digest.
const ROOM: usize = 64 << 10;
/// Bytes of a text that a record has whatever the others take.
const LEAST: usize = 256;

/// The record of an iteration. The keys of the timings are those of the peer.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Record {
    pub(super) is_organic_sample: bool,
    pub(super) entry: Option<String>,
    pub(super) dataset: Option<String>,
    /// After the sample was taken.
    pub(super) organic_queue_size: u64,
    /// In seconds, as all of them; none of a phase that did not end.
    pub(super) organic_time_sample: Option<f64>,
    pub(super) organic_time_responses: Option<f64>,
    pub(super) organic_time_rewards: Option<f64>,
    pub(super) organic_time_weights: Option<f64>,
    pub(super) organic_time_total: Option<f64>,
    pub(super) plugin: String,
    pub(super) settings: String,
    pub(super) engine: String,
    /// In decimal: most readers of JSON have no whole numbers of that size.
    pub(super) seed: String,
    pub(super) now: f64,
    pub(super) metagraph: Option<Value>,
    pub(super) sample: Option<Value>,
    pub(super) queries: Vec<Value>,
    pub(super) responses: Vec<Value>,
    pub(super) reference: Option<Value>,
    pub(super) rewards: Vec<Value>,
    pub(super) state_before: Option<String>,
    pub(super) state_after: Option<String>,
    pub(super) weights: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<Value>,
}

impl Record {
    pub(super) fn set_sample(&mut self, sample: &str) {
        self.sample = Some(text(sample, ROOM));
    }

    pub(super) fn set_queries(&mut self, queries: &[Query]) {
        let room = room(queries.len());
        let queries = queries.iter().map(|query| {
            let protocol = match &query.protocol {
                Protocol::Btauth => json!("btauth"),
                Protocol::Dendrite(fields) => json!({"dendrite": fields}),
            };
            json!({
                "uid": query.uid,
                "path": query.path,
                "protocol": protocol,
                "body": text(&query.body, room),
            })
        });
        self.queries = queries.collect();
    }

    pub(super) fn set_responses(&mut self, responses: &[(Response, Option<u16>)]) {
        let room = room(responses.len());
        let responses = responses.iter().map(|(response, status)| {
            let mut told = json!({
                "uid": response.uid,
                "hotkey": response.hotkey,
                "latency": response.latency,
                "status": status,
            });
            let (key, value) = match &response.outcome {
                Ok(body) => ("body", text(body, room)),
                Err(failure) => ("failure", failure_name(*failure).into()),
            };
            if let Some(told) = told.as_object_mut() {
                told.insert(key.into(), value);
            }
            told
        });
        self.responses = responses.collect();
    }

    pub(super) fn set_reference(&mut self, reference: Option<&str>) {
        self.reference = reference.map(|reference| text(reference, ROOM));
    }

    pub(super) fn set_rewards(&mut self, rewards: &[Rewarded]) {
        self.rewards = rewards.iter().map(reward).collect();
    }

    pub(super) fn set_fault(&mut self, fault: &Fault) {
        self.failed = Some(json!({
            "phase": fault.phase,
            "code": fault.code,
            "message": fault.message,
        }));
    }

    /// What of it anybody may read, and what is kept longer.
    pub(super) fn summary(&self) -> String {
        json!({
            "is_organic_sample": self.is_organic_sample,
            "dataset": self.dataset,
            "organic_queue_size": self.organic_queue_size,
            "organic_time_sample": self.organic_time_sample,
            "organic_time_responses": self.organic_time_responses,
            "organic_time_rewards": self.organic_time_rewards,
            "organic_time_weights": self.organic_time_weights,
            "organic_time_total": self.organic_time_total,
            "rewards": self.rewards,
        })
        .to_string()
    }

    /// As it is stored.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".into())
    }
}

/// SHA-256 of a text.
pub(super) fn digest(text: &str) -> String {
    sha256_hex(text.as_bytes())
}

/// What the caller is told: the answer of the miner that earned the most, of those
/// that answered; of these the fastest, then the first.
pub(super) fn answer(responses: &[Response], rewards: &[Rewarded]) -> String {
    // What earned nothing is no answer.
    let earned = rewards.iter().filter(|rewarded| rewarded.value > 0.0);
    let answered = earned.filter_map(|rewarded| {
        let response = responses.iter().find(|r| r.uid == rewarded.uid)?;
        Some((rewarded, response, response.outcome.as_ref().ok()?))
    });
    let best = answered.min_by(|(one, fast, _), (other, slow, _)| {
        let earned = other.value.total_cmp(&one.value);
        let sooner = fast.latency.total_cmp(&slow.latency);
        earned.then(sooner).then(one.uid.cmp(&other.uid))
    });
    let body = best.and_then(|(_, _, body)| serde_json::from_str::<&RawValue>(body).ok());
    #[derive(Serialize)]
    struct Told<'a> {
        answer: Option<&'a RawValue>,
        uid: Option<u16>,
        hotkey: Option<&'a str>,
        rewards: Vec<Value>,
    }
    let told = Told {
        answer: body,
        uid: best.map(|(rewarded, ..)| rewarded.uid),
        hotkey: best.map(|(rewarded, ..)| rewarded.hotkey.as_str()),
        rewards: rewards.iter().map(reward).collect(),
    };
    serde_json::to_string(&told).unwrap_or_else(|_| "{}".into())
}

/// What a miner answered, as the challenge gets it.
pub(super) fn response(uid: u16, hotkey: String, answer: Answer) -> (Response, Option<u16>) {
    let response = Response {
        uid,
        hotkey,
        outcome: answer.outcome,
        latency: seconds(answer.latency),
    };
    (response, answer.status)
}

pub(super) fn seconds(took: Duration) -> f64 {
    took.as_secs_f64()
}

fn reward(rewarded: &Rewarded) -> Value {
    json!({"uid": rewarded.uid, "hotkey": rewarded.hotkey, "value": rewarded.value})
}

/// Bytes that each of so many texts may take.
fn room(texts: usize) -> usize {
    (ROOM / texts.max(1)).max(LEAST)
}

/// A text, or if it is too long what it is known by.
fn text(text: &str, room: usize) -> Value {
    match text.len() <= room {
        true => text.into(),
        false => json!({"sha256": digest(text), "bytes": text.len()}),
    }
}
