//! What callers send, on its way into the queue.

use super::{Inner, Organic};
use crate::chain::Neuron;
use crate::config::{self, Callers};
use crate::plugins::{ActivePlugin, RunState};
use crate::sandbox::organic::{Admission, Admitted, Caller, Entry, Refusal};
use crate::sandbox::{Capability, Outcome, PluginError, sha256_hex};
use crate::store::{Added, EntryRow, NewEntry, QueueRules, StoreError};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::task::JoinError;

/// An entry that was taken.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The entry: the new one, or the one with the same sample that was there.
    pub entry: EntryRow,
    /// Whether it was there.
    pub duplicate: bool,
}

/// Why an entry is not queued.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// There is no such challenge.
    #[error("there is no such challenge")]
    UnknownChallenge,
    /// The challenge does not score organic traffic.
    #[error("the challenge takes no organic entries")]
    NotOrganic,
    /// Only registered hotkeys may send entries.
    #[error("the hotkey is not registered on the subnet")]
    NotRegistered,
    /// Only those that may set weights may send entries.
    #[error("the hotkey may not set weights")]
    NotValidator,
    /// The caller may not ask, by the operator's word or the challenge's.
    #[error("{0}")]
    Blacklisted(String),
    /// The caller could not prove what the challenge wants proven.
    #[error("{0}")]
    Unverified(String),
    /// The body is not what the challenge takes.
    #[error("{0}")]
    Invalid(String),
    /// The caller has as many entries queued as one may have.
    #[error("{queued} of your entries are queued, and no more may be")]
    TooMany {
        /// How many.
        queued: u32,
    },
    /// Something that it takes is not there now: try again.
    #[error("{0}")]
    Unavailable(String),
    /// The challenge failed.
    #[error("the challenge failed: {0}")]
    Plugin(PluginError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SubmitError {
    /// The stable code, such as `too_many_entries`.
    pub fn code(&self) -> &'static str {
        match self {
            SubmitError::UnknownChallenge => "unknown_challenge",
            SubmitError::NotOrganic => "no_organic",
            SubmitError::NotRegistered => "not_registered",
            SubmitError::NotValidator => "not_validator",
            SubmitError::Blacklisted(_) => "blacklisted",
            SubmitError::Unverified(_) => "unverified",
            SubmitError::Invalid(_) => "invalid",
            SubmitError::TooMany { .. } => "too_many_entries",
            SubmitError::Unavailable(_) => "unavailable",
            SubmitError::Plugin(error) => error.outcome.code(),
            SubmitError::Store(_) => "host_error",
        }
    }
}

impl Organic {
    /// Has a challenge admit what `caller`, a hotkey that signed it, sent, and queues
    /// it. `body` is JSON; `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`]; then nothing is queued.
    pub async fn submit(
        &self,
        challenge: &str,
        caller: &str,
        body: &str,
        now: f64,
    ) -> Result<Submitted, SubmitError> {
        // Not counted if there is none: names that others make up would be labels.
        let plugin = self.0.taking(challenge)?;
        let submitted = self.0.submit(&plugin, caller, body, now).await;
        let outcome = match &submitted {
            Ok(submitted) if submitted.duplicate => "duplicate",
            Ok(_) => "queued",
            Err(error) => error.code(),
        };
        self.0.resources.metrics.organic_entry(challenge, outcome);
        submitted
    }
}

impl Inner {
    /// The challenge that takes entries of this name.
    fn taking(&self, challenge: &str) -> Result<Arc<ActivePlugin>, SubmitError> {
        let Some(plugin) = self.resources.plugins.get(challenge) else {
            let running = self.resources.plugins.running(challenge);
            return Err(match running.map(|running| running.state) {
                None | Some(RunState::Stopped) => SubmitError::UnknownChallenge,
                Some(_) => SubmitError::Unavailable("the challenge does not run now".into()),
            });
        };
        match plugin.has(Capability::Organic) {
            true => Ok(plugin),
            false => Err(SubmitError::NotOrganic),
        }
    }

    async fn submit(
        self: &Arc<Self>,
        plugin: &ActivePlugin,
        caller: &str,
        body: &str,
        now: f64,
    ) -> Result<Submitted, SubmitError> {
        let (challenge, organic) = (plugin.name(), &plugin.given.organic);
        let metagraph = self.resources.metagraph();
        let neuron = metagraph.by_hotkey(caller);
        may_send(organic, caller, neuron)?;
        let entry = Entry {
            caller: Caller {
                hotkey: caller.to_owned(),
                uid: neuron.map(|neuron| neuron.uid),
                stake: neuron.map_or(0.0, |neuron| neuron.stake),
                validator_permit: neuron.is_some_and(|neuron| neuron.validator_permit),
            },
            body: body.to_owned(),
            received_at: now,
        };
        let Admitted { sample, priority } = self.admit(plugin, &entry, now).await?;
        let digest = digest(challenge, &sample)?;
        let new = NewEntry {
            id: hex::encode(rand::random::<[u8; 16]>()),
            challenge: challenge.to_owned(),
            caller: caller.to_owned(),
            sample,
            digest,
            priority,
            received_at: now,
        };
        let rules = QueueRules {
            queue_max: organic.queue_max,
            most_of_caller: organic.most_of_caller(),
            dedupe_s: organic.dedupe_s,
        };
        // A task of its own: should the caller go away meanwhile, what is queued still
        // wakes the loop.
        let adding = Arc::clone(self).add(new, rules, organic.clone());
        let ended = |error: JoinError| SubmitError::Unavailable(error.to_string());
        tokio::spawn(adding).await.map_err(ended)?
    }

    async fn admit(
        &self,
        plugin: &ActivePlugin,
        entry: &Entry,
        now: f64,
    ) -> Result<Admitted, SubmitError> {
        let call = super::iteration::call(plugin, rand::random(), now);
        let sandbox = &self.resources.sandbox;
        let called = plugin.component.admit(sandbox, call, entry).await;
        match called.result {
            Ok(Admission::Admitted(admitted)) => Ok(admitted),
            Ok(Admission::Refused(refusal)) => Err(match refusal {
                Refusal::Blacklisted(why) => SubmitError::Blacklisted(why),
                Refusal::Unverified(why) => SubmitError::Unverified(why),
                Refusal::Invalid(why) => SubmitError::Invalid(why),
            }),
            Err(error) if error.outcome == Outcome::Unavailable => {
                Err(SubmitError::Unavailable(error.message))
            }
            Err(error) => Err(SubmitError::Plugin(error)),
        }
    }

    async fn add(
        self: Arc<Self>,
        new: NewEntry,
        rules: QueueRules,
        organic: config::Organic,
    ) -> Result<Submitted, SubmitError> {
        let (challenge, id) = (new.challenge.clone(), new.id.clone());
        let dropped = match self.resources.store.organic_add(new, rules).await? {
            Added::Duplicate(entry) => {
                return Ok(Submitted {
                    entry,
                    duplicate: true,
                });
            }
            Added::TooMany { queued } => return Err(SubmitError::TooMany { queued }),
            Added::Queued { dropped } => dropped,
        };
        let shared = self.shared(&challenge, &organic);
        if !dropped.is_empty() {
            let count = dropped.len() as u64;
            self.resources.metrics.organic_dropped(&challenge, count);
            tracing::warn!(challenge, count, "the queue is full: the oldest had to go");
        }
        for entry in &dropped {
            shared.ended(entry);
        }
        shared.wake.notify_one();
        let stored = self.resources.store.organic_entry(id).await?;
        let gone = || StoreError::Corrupt("an entry is not there after it was queued".into());
        Ok(Submitted {
            entry: stored.ok_or_else(gone)?,
            duplicate: false,
        })
    }
}

/// Whether the operator lets a hotkey send entries. The challenge is asked after that:
/// whom either refuses is refused.
pub(crate) fn may_send(
    organic: &config::Organic,
    caller: &str,
    neuron: Option<&Neuron>,
) -> Result<(), SubmitError> {
    if organic.blacklist.contains(caller) {
        let why = "the operator takes no entries of this hotkey";
        return Err(SubmitError::Blacklisted(why.into()));
    }
    match (organic.callers, neuron) {
        (Callers::Anyone, _) => Ok(()),
        (_, None) => Err(SubmitError::NotRegistered),
        (Callers::Registered, Some(_)) => Ok(()),
        (Callers::Validators, Some(neuron)) if neuron.validator_permit => Ok(()),
        (Callers::Validators, Some(_)) => Err(SubmitError::NotValidator),
    }
}

/// What a sample is known by: the same for the same JSON, however it is written.
fn digest(challenge: &str, sample: &str) -> Result<String, SubmitError> {
    let sample: Value = serde_json::from_str(sample).map_err(|error| {
        let message = format!("the sample is not JSON: {error}");
        SubmitError::Plugin(PluginError::new(Outcome::InvalidOutput, message))
    })?;
    let text = format!("{challenge}\0{}", sorted(sample));
    Ok(sha256_hex(text.as_bytes()))
}

/// The same with the keys of every object in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            let entries = entries.into_iter();
            let entries: Map<_, _> = entries.map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(entries)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organic(callers: Callers, blacklist: &[&str]) -> config::Organic {
        config::Organic {
            callers,
            blacklist: blacklist.iter().map(|key| (*key).to_owned()).collect(),
            ..config::Organic::default()
        }
    }

    fn code(organic: &config::Organic, caller: &str, neuron: Option<&Neuron>) -> &'static str {
        may_send(organic, caller, neuron).map_or_else(|error| error.code(), |()| "ok")
    }

    #[test]
    fn who_may_send_is_the_operators_to_say() {
        let miner = Neuron::default();
        let validator = Neuron {
            validator_permit: true,
            ..Neuron::default()
        };
        for (callers, of_nobody, of_miner, of_validator) in [
            (Callers::Anyone, "ok", "ok", "ok"),
            (Callers::Registered, "not_registered", "ok", "ok"),
            (Callers::Validators, "not_registered", "not_validator", "ok"),
        ] {
            let organic = organic(callers, &[]);
            assert_eq!(code(&organic, "a", None), of_nobody);
            assert_eq!(code(&organic, "a", Some(&miner)), of_miner);
            assert_eq!(code(&organic, "a", Some(&validator)), of_validator);
        }
    }

    #[test]
    fn the_operators_blacklist_holds_whoever_may_send() {
        for callers in [Callers::Anyone, Callers::Registered, Callers::Validators] {
            let organic = organic(callers, &["a"]);
            let validator = Neuron {
                validator_permit: true,
                ..Neuron::default()
            };
            assert_eq!(code(&organic, "a", Some(&validator)), "blacklisted");
            assert_eq!(code(&organic, "b", Some(&validator)), "ok");
        }
    }

    #[test]
    fn the_same_json_is_the_same_sample() {
        let one = digest("c", r#"{"a": [1, {"x": 1, "y": 2}], "b": null}"#).unwrap();
        let other = digest("c", r#"{"b":null,"a":[1,{"y":2,"x":1}]}"#).unwrap();
        assert_eq!(one, other);
        for different in [
            digest("d", r#"{"b":null,"a":[1,{"y":2,"x":1}]}"#),
            digest("c", r#"{"b":null,"a":[{"y":2,"x":1},1]}"#),
            digest("c", r#"{"b":"","a":[1,{"y":2,"x":1}]}"#),
        ] {
            assert_ne!(different.unwrap(), one);
        }
    }
}
