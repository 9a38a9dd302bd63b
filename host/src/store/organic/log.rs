//! Iterations as they are looked up.

use crate::store::{Store, StoreError};
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};

/// How far an iteration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IterationState {
    /// It runs, or the host ended while it did.
    Running,
    /// It is folded into the weights.
    Done,
    /// Nothing came of it.
    Failed,
}

impl IterationState {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            IterationState::Running => "running",
            IterationState::Done => "done",
            IterationState::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// An iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationRow {
    /// Its number; a later one has a greater one.
    pub id: i64,
    /// The challenge.
    pub challenge: String,
    /// The entry that it had, which may be kept no more.
    pub entry: Option<String>,
    /// The dataset that its sample was made from, if it had no entry.
    pub dataset: Option<String>,
    /// When it began, in seconds since the Unix epoch.
    pub started_at: f64,
    /// When it ended, in seconds since the Unix epoch.
    pub ended_at: Option<f64>,
    /// How far it has come.
    pub state: IterationState,
    /// Why it failed: a stable code, of which `interrupted` is the end of the host.
    pub code: Option<String>,
    /// Why it failed, for people.
    pub message: Option<String>,
    /// Digest of the component.
    pub plugin: String,
    /// Digest of its settings.
    pub settings: String,
    /// The sandbox.
    pub engine: String,
    /// Entries that were queued once it had its own.
    pub queue_size: u64,
    /// What anybody may know of what it came to, a JSON object; an empty one while it runs
    /// and if it was interrupted.
    pub summary: String,
    /// All that it came to, JSON; none while it runs, if it was interrupted, once it is
    /// kept no more, and in a list.
    pub record: Option<String>,
}

impl Store {
    /// An iteration of any challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_iteration(&self, id: i64) -> Result<Option<IterationRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM organic_iterations WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_row([id], |found| Ok(row(found)));
            found.optional()?.transpose()
        })
        .await
    }

    /// Iterations of a challenge, the newest first: those with a number below `before` if
    /// it is given, at most `limit`. Without their records, which are long.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_iterations(
        &self,
        challenge: String,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<IterationRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id, challenge, entry, dataset, started_at, ended_at, state, code,
                           message, plugin, settings, engine, queue_size, summary,
                           NULL AS record
                       FROM organic_iterations WHERE challenge = ?1 AND id < ?2
                       ORDER BY id DESC LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((challenge, before.unwrap_or(i64::MAX), limit))?;
            let mut found = Vec::new();
            while let Some(next) = rows.next()? {
                found.push(row(next)?);
            }
            Ok(found)
        })
        .await
    }
}

fn row(row: &Row<'_>) -> Result<IterationRow, StoreError> {
    let state: String = row.get("state")?;
    let corrupt = || StoreError::Corrupt(format!("an iteration is {state:?}"));
    Ok(IterationRow {
        id: row.get("id")?,
        challenge: row.get("challenge")?,
        entry: row.get("entry")?,
        dataset: row.get("dataset")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        state: IterationState::from_name(&state).ok_or_else(corrupt)?,
        code: row.get("code")?,
        message: row.get("message")?,
        plugin: row.get("plugin")?,
        settings: row.get("settings")?,
        engine: row.get("engine")?,
        queue_size: row.get("queue_size")?,
        summary: row.get("summary")?,
        record: row.get("record")?,
    })
}
