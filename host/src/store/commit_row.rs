//! One version of a miner's commit, as it is stored.

use super::StoreError;
use rusqlite::Row;

/// How far a commit has come. Moves forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommitState {
    /// Not to be opened yet, or without a key that fits.
    Sealed,
    /// Opened, and no commit of the challenge, or left behind by newer versions of
    /// its day. Final.
    Refused,
    /// Opened: its artifact is known.
    Revealed,
    /// Its artifact was evaluated.
    Evaluated,
    /// It has a verdict. Final.
    Judged,
    /// The challenge cannot evaluate it, which is not its fault. A new version
    /// of the plugin tries again.
    Failed,
}

impl CommitState {
    /// Every state, in order.
    pub const ALL: [CommitState; 6] = [
        CommitState::Sealed,
        CommitState::Refused,
        CommitState::Revealed,
        CommitState::Evaluated,
        CommitState::Judged,
        CommitState::Failed,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            CommitState::Sealed => "sealed",
            CommitState::Refused => "refused",
            CommitState::Revealed => "revealed",
            CommitState::Evaluated => "evaluated",
            CommitState::Judged => "judged",
            CommitState::Failed => "failed",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self, StoreError> {
        CommitState::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::Corrupt(format!("commit state {name:?}")))
    }
}

/// One version of a miner's commit.
#[derive(Debug, Clone)]
pub struct CommitRow {
    /// The row's number.
    pub id: i64,
    /// The challenge that it was published for.
    pub challenge: String,
    /// Who published it.
    pub miner_hotkey: String,
    /// The miner's uid when it was last reported.
    pub miner_uid: u16,
    /// What was published.
    pub encrypted_commit: String,
    /// When, in seconds since the Unix epoch.
    pub committed_at: Option<f64>,
    /// The key that opens it. Not to be shown while it is sealed.
    pub key: Option<String>,
    /// How far it has come.
    pub state: CommitState,
    /// Why it is refused or failed.
    pub fault: Option<String>,
    /// The plain commit, once revealed.
    pub text: Option<String>,
    /// The artifact's reference, once revealed.
    pub artifact: Option<String>,
    /// The artifact's SHA-256, once revealed.
    pub artifact_digest: Option<String>,
    /// The day that takes it in, `YYYY-MM-DD`, UTC: the first whose scoring hour is
    /// not before the time that it was due.
    pub batch_day: Option<String>,
    /// The evaluation of its artifact.
    pub evaluation_id: Option<i64>,
    /// Attempts to judge it that came to nothing.
    pub judge_attempts: u32,
    /// When to make the next, in seconds since the Unix epoch.
    pub judge_not_before: f64,
    /// What the judge saw of its likeness to others, JSON.
    pub comparisons: Option<String>,
    /// The verdict's score.
    pub score: Option<f64>,
    /// The verdict's penalty.
    pub penalty: Option<f64>,
    /// Whether the verdict accepts it.
    pub accepted: Option<bool>,
    /// The verdict's reason.
    pub reason: Option<String>,
    /// When it was judged.
    pub judged_at: Option<f64>,
    /// The day whose finalization judged it.
    pub finalized_day: Option<String>,
    /// Id of the verdict's receipt.
    pub receipt: Option<String>,
    /// Grows with every change of any commit.
    pub revision: i64,
}

impl CommitRow {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(CommitRow {
            id: row.get("id")?,
            challenge: row.get("challenge")?,
            miner_hotkey: row.get("miner_hotkey")?,
            miner_uid: row.get("miner_uid")?,
            encrypted_commit: row.get("encrypted_commit")?,
            committed_at: row.get("committed_at")?,
            key: row.get("key")?,
            state: CommitState::from_name(row.get_ref("state")?.as_str().unwrap_or_default())?,
            fault: row.get("fault")?,
            text: row.get("text")?,
            artifact: row.get("artifact")?,
            artifact_digest: row.get("artifact_digest")?,
            batch_day: row.get("batch_day")?,
            evaluation_id: row.get("evaluation_id")?,
            judge_attempts: row.get("judge_attempts")?,
            judge_not_before: row.get("judge_not_before")?,
            comparisons: row.get("comparisons")?,
            score: row.get("score")?,
            penalty: row.get("penalty")?,
            accepted: row.get("accepted")?,
            reason: row.get("reason")?,
            judged_at: row.get("judged_at")?,
            finalized_day: row.get("finalized_day")?,
            receipt: row.get("receipt")?,
            revision: row.get("revision")?,
        })
    }
}

#[cfg(test)]
impl CommitRow {
    /// A sealed commit, for tests.
    pub(crate) fn sample(id: i64, hotkey: &str) -> Self {
        CommitRow {
            id,
            challenge: "c".into(),
            miner_hotkey: hotkey.into(),
            miner_uid: 1,
            encrypted_commit: id.to_string(),
            committed_at: None,
            key: None,
            state: CommitState::Sealed,
            fault: None,
            text: None,
            artifact: None,
            artifact_digest: None,
            batch_day: None,
            evaluation_id: None,
            judge_attempts: 0,
            judge_not_before: 0.0,
            comparisons: None,
            score: None,
            penalty: None,
            accepted: None,
            reason: None,
            judged_at: None,
            finalized_day: None,
            receipt: None,
            revision: id,
        }
    }
}
