//! What came of asking for each validator's commits, for operators.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What came of asking for one validator's commits. Times are in seconds since the
/// Unix epoch, none if it never happened in this process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PollStatus {
    /// The validator's uid.
    pub validator_uid: u16,
    /// The validator's hotkey.
    pub validator_hotkey: String,
    /// When it was asked for first.
    pub first_asked: f64,
    /// When it was asked for last.
    pub last_asked: f64,
    /// When its commits were last read, changed or not.
    pub last_read: Option<f64>,
    /// When they last told something new.
    pub last_changed: Option<f64>,
    /// What came of it last: `changed`, `unchanged`, or the code of what went wrong.
    pub outcome: &'static str,
    /// What went wrong, for people.
    pub message: Option<String>,
}

impl PollStatus {
    /// Whether the last request failed.
    pub fn is_failing(&self) -> bool {
        self.message.is_some()
    }
}

/// The [`PollStatus`] of each validator that is asked for. Clones share everything.
#[derive(Debug, Clone, Default)]
pub struct PollState(Arc<Mutex<BTreeMap<u16, PollStatus>>>);

impl PollState {
    /// Everything, by uid; empty before the first round.
    pub fn snapshot(&self) -> Vec<PollStatus> {
        self.lock().values().cloned().collect()
    }

    /// Notes what came of a request that was sent at `asked`. Returns what was
    /// known before.
    pub(super) fn note(
        &self,
        (uid, hotkey): (u16, &str),
        asked: f64,
        outcome: Result<bool, (&'static str, String)>,
    ) -> Option<PollStatus> {
        let mut all = self.lock();
        let before = all.get(&uid).filter(|s| s.validator_hotkey == hotkey);
        let mut status = before.cloned().unwrap_or_else(|| PollStatus {
            validator_uid: uid,
            validator_hotkey: hotkey.to_owned(),
            first_asked: asked,
            last_asked: asked,
            last_read: None,
            last_changed: None,
            outcome: "unchanged",
            message: None,
        });
        let before = before.cloned();
        status.last_asked = asked;
        match outcome {
            Ok(changed) => {
                status.last_read = Some(asked);
                status.outcome = if changed { "changed" } else { "unchanged" };
                status.message = None;
                if changed {
                    status.last_changed = Some(asked);
                }
            }
            Err((code, message)) => {
                status.outcome = code;
                status.message = Some(message);
            }
        }
        all.insert(uid, status);
        before
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, PollStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
