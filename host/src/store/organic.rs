//! Organic scoring: entries on their way through the queue, the iterations that take
//! them, and what the miners have earned by them.

mod iterations;
mod log;
mod loops;
mod queue;
mod weights;

pub use iterations::{Begun, Completed, Failed, NewIteration};
pub use log::{IterationRow, IterationState};
pub use loops::{LoopRow, Steps};
pub use queue::{Added, NewEntry, OrganicQueue, QueueRules};
pub use weights::OrganicWeights;

use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

/// Seconds that an entry waits for another try at most. One that is to wait for longer
/// does not: the clock was wrong when it was told to.
const LONGEST_WAIT: f64 = 86_400.0;

/// What became of an entry so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// It waits for an iteration.
    Queued,
    /// An iteration has it.
    Leased,
    /// An iteration was done with it.
    Done,
    /// It was the oldest of a queue that was full.
    Dropped,
    /// Its iterations failed, as often as it is tried; or one of them for good.
    Failed,
}

impl EntryState {
    /// Every state.
    pub const ALL: [EntryState; 5] = [
        EntryState::Queued,
        EntryState::Leased,
        EntryState::Done,
        EntryState::Dropped,
        EntryState::Failed,
    ];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EntryState::Queued => "queued",
            EntryState::Leased => "leased",
            EntryState::Done => "done",
            EntryState::Dropped => "dropped",
            EntryState::Failed => "failed",
        }
    }

    /// The state of a name; none if there is no such.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is to come, unless an operator has it tried again.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Dropped | Self::Failed)
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryRow {
    /// Its number; a later one has a greater one.
    pub seq: i64,
    /// What callers know it by.
    pub id: String,
    /// The challenge.
    pub challenge: String,
    /// The hotkey that sent it.
    pub caller: String,
    /// What miners are asked about, JSON; empty in a list.
    pub sample: String,
    /// A greater one is taken first where that is the policy.
    pub priority: f64,
    /// When it was received, in seconds since the Unix epoch.
    pub received_at: f64,
    /// What became of it so far.
    pub state: EntryState,
    /// Iterations with it that ended by themselves: not those that the end of the host
    /// cut short, and not those before an operator had it tried again.
    pub attempts: u32,
    /// While it is queued: when it may be tried, in seconds since the Unix epoch; 0 if at
    /// any time.
    pub not_before: f64,
    /// The last iteration that had it.
    pub iteration: Option<i64>,
    /// When it ended, in seconds since the Unix epoch.
    pub ended_at: Option<f64>,
    /// What went wrong last: the code of an iteration's failure, or `dropped`.
    pub code: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// Once it is done: what is answered to the caller, JSON; none in a list.
    pub answer: Option<String>,
}

impl Store {
    /// An entry of any challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_entry(&self, id: String) -> Result<Option<EntryRow>, StoreError> {
        self.read(move |connection| find_entry(connection, &id))
            .await
    }

    /// Entries of a challenge in a state, or in any; the newest first, with a number
    /// below `before` if it is given, at most `limit`. Without their samples and answers,
    /// which may be long.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_entries(
        &self,
        challenge: String,
        state: Option<EntryState>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        self.read(move |connection| {
            let before = before.unwrap_or(i64::MAX);
            let which = state.map_or(String::new(), |state| {
                format!("AND state = '{}'", state.name())
            });
            let sql = format!(
                "SELECT seq, id, challenge, caller, '' AS sample, priority, received_at, state,
                     attempts, not_before, iteration, ended_at, code, message, NULL AS answer
                 FROM organic_entries WHERE challenge = ?1 AND seq < ?2 {which}
                 ORDER BY seq DESC LIMIT ?3"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query((challenge, before, limit))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(entry(row)?);
            }
            Ok(found)
        })
        .await
    }
}

/// Notes that something of a challenge changed.
fn changed(connection: &Connection, challenge: &str, now: f64) -> Result<(), StoreError> {
    let sql = "INSERT INTO organic_loops (challenge, revision, updated_at) VALUES (?1, 1, ?2)
               ON CONFLICT DO UPDATE SET revision = revision + 1, updated_at = excluded.updated_at";
    connection.prepare_cached(sql)?.execute((challenge, now))?;
    Ok(())
}

fn find_entry(connection: &Connection, id: &str) -> Result<Option<EntryRow>, StoreError> {
    let sql = "SELECT * FROM organic_entries WHERE id = ?1";
    one(connection, sql, [id])
}

/// The first entry that a statement returns.
fn one(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<EntryRow>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(parameters, |row| Ok(entry(row)));
    found.optional()?.transpose()
}

fn entry(row: &Row<'_>) -> Result<EntryRow, StoreError> {
    let state: String = row.get("state")?;
    let corrupt = || StoreError::Corrupt(format!("an entry is {state:?}"));
    Ok(EntryRow {
        seq: row.get("seq")?,
        id: row.get("id")?,
        challenge: row.get("challenge")?,
        caller: row.get("caller")?,
        sample: row.get("sample")?,
        priority: row.get("priority")?,
        received_at: row.get("received_at")?,
        state: EntryState::from_name(&state).ok_or_else(corrupt)?,
        attempts: row.get("attempts")?,
        not_before: row.get("not_before")?,
        iteration: row.get("iteration")?,
        ended_at: row.get("ended_at")?,
        code: row.get("code")?,
        message: row.get("message")?,
        answer: row.get("answer")?,
    })
}

#[cfg(test)]
mod tests;
