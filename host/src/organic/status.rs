//! What is told of a loop.

use super::rate::Rate;
use super::shared::Shared;
use crate::config::Trigger;
use crate::store::{LoopRow, OrganicQueue};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether iterations begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoopState {
    /// They begin when they are due.
    Running,
    /// None begins any more; some that began have not ended.
    Stopping,
    /// None begins until the loop is started.
    Stopped,
    /// None begins until the challenge is active again.
    Inactive,
}

impl LoopState {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            LoopState::Running => "running",
            LoopState::Stopping => "stopping",
            LoopState::Stopped => "stopped",
            LoopState::Inactive => "inactive",
        }
    }
}

/// How the loop of a challenge does.
#[derive(Debug, Clone)]
pub struct LoopStatus {
    /// Name of the challenge.
    pub challenge: String,
    /// Whether iterations begin.
    pub state: LoopState,
    /// What an iteration is triggered by.
    pub trigger: Trigger,
    /// Seconds, or steps, from one iteration to the next while the queue is empty.
    pub frequency: f64,
    /// The least that it becomes while the queue is long.
    pub frequency_min: f64,
    /// Queued samples that make it less by one.
    pub scaling: f64,
    /// Seconds, or steps before they are made whole, from one iteration to the next
    /// with the queue as it is now.
    pub delay: f64,
    /// Steps that are counted and not taken off.
    pub steps: u64,
    /// Steps that the next iteration costs; 0 if it is triggered by time.
    pub steps_needed: u64,
    /// What is queued, and what became of what was.
    pub queue: OrganicQueue,
    /// Iterations that began and have not ended.
    pub in_flight: u32,
    /// When the last one began, in seconds since the Unix epoch; none in this process.
    pub last_started_at: Option<f64>,
    /// Its id.
    pub last_iteration: Option<i64>,
    /// Iterations that began in this process.
    pub iterations: u64,
}

impl LoopStatus {
    pub(super) fn new(shared: &Shared, active: bool, row: LoopRow, queue: OrganicQueue) -> Self {
        let known = shared.known();
        let rate = Rate::of(&known.given);
        let in_flight = shared.in_flight();
        let state = match (active, row.stopped) {
            (false, _) => LoopState::Inactive,
            (true, false) => LoopState::Running,
            (true, true) if in_flight > 0 => LoopState::Stopping,
            (true, true) => LoopState::Stopped,
        };
        LoopStatus {
            challenge: row.challenge,
            state,
            trigger: rate.trigger,
            frequency: rate.frequency,
            frequency_min: rate.frequency_min,
            scaling: rate.scaling,
            delay: rate.delay(queue.queued),
            steps: row.steps,
            steps_needed: match rate.trigger {
                Trigger::Seconds => 0,
                Trigger::Steps => rate.steps(queue.queued),
            },
            queue,
            in_flight,
            last_started_at: known.last_started_at,
            last_iteration: known.last_iteration,
            iterations: known.iterations,
        }
    }
}
