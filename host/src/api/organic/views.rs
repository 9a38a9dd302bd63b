//! What everybody may see of organic scoring. What callers asked, and what miners
//! answered, has only who has the entry's id.

use crate::config::Trigger;
use crate::organic::LoopStatus;
use crate::store::{EntryRow, EntryState, IterationRow};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// How a challenge's organic scoring does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrganicView {
    /// The challenge.
    challenge: String,
    /// `running`; `stopping`: none begins any more; `stopped`; `inactive`: the challenge
    /// does not run.
    state: &'static str,
    /// What an iteration is triggered by.
    trigger: Trigger,
    /// Seconds or steps from one iteration to the next, as long as the queue is now.
    delay: f64,
    /// Entries that are queued.
    queued: u64,
    /// Seconds for which the oldest of them has waited; none if there is none.
    oldest_s: Option<f64>,
    /// Iterations that run now.
    in_flight: u32,
    /// When the last one began, in seconds since the Unix epoch; none if none did since
    /// the host began.
    last_started_at: Option<f64>,
    /// The hotkey of this host, which callers sign for; none if it has no wallet.
    hotkey: Option<String>,
}

impl OrganicView {
    pub(super) fn new(status: LoopStatus, hotkey: Option<&str>, now: f64) -> Self {
        OrganicView {
            challenge: status.challenge,
            hotkey: hotkey.map(str::to_owned),
            state: status.state.name(),
            trigger: status.trigger,
            delay: status.delay,
            queued: status.queue.queued,
            oldest_s: status.queue.oldest_at.map(|at| (now - at).max(0.0)),
            in_flight: status.in_flight,
            last_started_at: status.last_started_at,
        }
    }
}

/// What a miner was rewarded.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct RewardView {
    /// Its slot.
    uid: u16,
    /// Its hotkey.
    hotkey: String,
    /// How much, in the challenge's own unit.
    value: f64,
}

/// An entry, for who sent it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryView {
    /// What it is asked for by.
    id: String,
    /// The challenge.
    challenge: String,
    /// `queued`; `leased`: an iteration has it; `done`; `dropped`: the queue was full;
    /// `failed`: no iteration with it came to its end.
    state: &'static str,
    /// Whether the same was queued before, and this is that one.
    duplicate: bool,
    /// When it came, in seconds since the Unix epoch.
    received_at: f64,
    /// When it ended, in seconds since the Unix epoch.
    ended_at: Option<f64>,
    /// Iterations that it was tried in.
    attempts: u32,
    /// The last of them.
    iteration: Option<i64>,
    /// What the best rewarded miner answered; null if there is nothing.
    #[schema(value_type = Value)]
    answer: Option<Box<RawValue>>,
    /// That miner's slot.
    uid: Option<u16>,
    /// What all of them were rewarded.
    rewards: Vec<RewardView>,
    /// Why there is no answer, a stable name.
    code: Option<String>,
    /// The same for people.
    message: Option<&'static str>,
}

/// What is kept of the answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StoredAnswer {
    pub(super) answer: Option<Box<RawValue>>,
    uid: Option<u16>,
    rewards: Vec<RewardView>,
}

impl StoredAnswer {
    /// That of an entry; empty if there is none yet.
    pub(super) fn of(entry: &EntryRow) -> Result<Self, serde_json::Error> {
        let stored = entry.answer.as_deref();
        stored.map_or_else(|| Ok(StoredAnswer::default()), serde_json::from_str)
    }
}

impl EntryView {
    pub(super) fn new(entry: EntryRow, duplicate: bool) -> Result<Self, serde_json::Error> {
        let StoredAnswer {
            answer,
            uid,
            rewards,
        } = StoredAnswer::of(&entry)?;
        // In the host's words: what the challenge said is for the operator.
        let message = match entry.state {
            EntryState::Queued | EntryState::Leased | EntryState::Done => None,
            EntryState::Dropped => Some("the queue was full, and it was the oldest"),
            EntryState::Failed => Some("no iteration with it came to its end"),
        };
        let code = entry.code.filter(|_| message.is_some());
        Ok(EntryView {
            id: entry.id,
            challenge: entry.challenge,
            state: entry.state.name(),
            duplicate,
            received_at: entry.received_at,
            ended_at: entry.ended_at,
            attempts: entry.attempts,
            iteration: entry.iteration,
            answer,
            uid,
            rewards,
            code,
            message,
        })
    }
}

/// A page of iterations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IterationPage {
    /// The last one first.
    pub(super) iterations: Vec<IterationView>,
    /// Where the next page begins; none if this is the last.
    pub(super) next: Option<String>,
}

/// An iteration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IterationView {
    /// Its number.
    id: i64,
    /// `running`, `done` or `failed`.
    state: &'static str,
    /// Why it failed, a stable name.
    code: Option<String>,
    /// When it began, in seconds since the Unix epoch.
    started_at: f64,
    /// When it ended, in seconds since the Unix epoch.
    ended_at: Option<f64>,
    /// Whether its sample was a caller's.
    is_organic_sample: bool,
    /// The synthetic dataset that its sample is of, if it is of one.
    dataset: Option<String>,
    /// Entries that were queued when it had begun, without its own.
    organic_queue_size: u64,
    /// Seconds that it took to have a sample.
    organic_time_sample: Option<f64>,
    /// Seconds that the answers of the miners and the reference took.
    organic_time_responses: Option<f64>,
    /// Seconds that the rewards took.
    organic_time_rewards: Option<f64>,
    /// Seconds that the weights took.
    organic_time_weights: Option<f64>,
    /// Seconds that all of it took.
    organic_time_total: Option<f64>,
    /// The challenge's component, by digest.
    plugin: String,
    /// Its settings, by digest.
    settings: String,
    /// What ran it.
    engine: String,
    /// What the miners were rewarded, by uid.
    rewards: Vec<RewardView>,
}

/// What is kept of an iteration for everybody to see.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Summary {
    organic_time_sample: Option<f64>,
    organic_time_responses: Option<f64>,
    organic_time_rewards: Option<f64>,
    organic_time_weights: Option<f64>,
    organic_time_total: Option<f64>,
    rewards: Vec<RewardView>,
}

impl IterationView {
    pub(super) fn new(row: IterationRow) -> Result<Self, serde_json::Error> {
        let summary: Summary = serde_json::from_str(&row.summary)?;
        Ok(IterationView {
            id: row.id,
            state: row.state.name(),
            code: row.code,
            started_at: row.started_at,
            ended_at: row.ended_at,
            is_organic_sample: row.entry.is_some(),
            dataset: row.dataset,
            organic_queue_size: row.queue_size,
            organic_time_sample: summary.organic_time_sample,
            organic_time_responses: summary.organic_time_responses,
            organic_time_rewards: summary.organic_time_rewards,
            organic_time_weights: summary.organic_time_weights,
            organic_time_total: summary.organic_time_total,
            plugin: row.plugin,
            settings: row.settings,
            engine: row.engine,
            rewards: summary.rewards,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::IterationState;
    use serde_json::{Value, json};

    fn row(summary: &Value) -> IterationRow {
        IterationRow {
            id: 7,
            challenge: "c".into(),
            entry: None,
            dataset: Some("d".into()),
            started_at: 1.0,
            ended_at: Some(2.0),
            state: IterationState::Done,
            code: None,
            message: None,
            plugin: "p".into(),
            settings: "s".into(),
            engine: "e".into(),
            queue_size: 3,
            summary: summary.to_string(),
            record: None,
        }
    }

    #[test]
    fn an_iteration_is_told_without_its_record() {
        let reward = json!({"uid": 4, "hotkey": "h", "value": 0.5});
        let summary = json!({"organic_time_total": 1.5, "rewards": [&reward]});
        let view = IterationView::new(row(&summary)).unwrap();
        let told = serde_json::to_value(view).unwrap();
        assert_eq!(told["organic_time_total"], 1.5);
        assert_eq!(told["organic_time_sample"], Value::Null);
        assert_eq!(told["rewards"], json!([reward]));
        assert_eq!(told["organic_queue_size"], 3);
        let running = IterationView::new(row(&json!({}))).unwrap();
        assert!(running.rewards.is_empty());
    }
}
