//! Whether a challenge's iterations run, and what they go on from.

use super::changed;
use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension};

/// Whether a challenge's iterations run, and what they go on from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoopRow {
    /// The challenge.
    pub challenge: String,
    /// Whether an operator stopped it. A challenge that nothing is known of runs.
    pub stopped: bool,
    /// Steps that were counted up and that no iteration has taken.
    pub steps: u64,
    /// What the last `fold` returned, JSON; none before the first.
    pub state: Option<String>,
}

/// How steps are counted. There are at most 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// So many more.
    Add(u64),
    /// As many as that.
    Set(u64),
}

impl Store {
    /// Whether a challenge's iterations run, and what they go on from.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_loop(&self, challenge: String) -> Result<LoopRow, StoreError> {
        self.read(move |connection| find(connection, &challenge))
            .await
    }

    /// Stops a challenge's iterations, or has them run again. None begins after it is
    /// stopped; those that run are left alone.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_stop(
        &self,
        challenge: String,
        stopped: bool,
        now: f64,
    ) -> Result<LoopRow, StoreError> {
        self.write(move |tx| {
            changed(tx, &challenge, now)?;
            let sql = "UPDATE organic_loops SET stopped = ?2 WHERE challenge = ?1";
            tx.prepare_cached(sql)?.execute((&challenge, stopped))?;
            find(tx, &challenge)
        })
        .await
    }

    /// Has the next iteration of a challenge go on from no state, as the first did. What
    /// its miners are paid stays until then. An iteration that runs may still write the
    /// state that it began to fold: hold its folding off.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_reset(&self, challenge: String, now: f64) -> Result<LoopRow, StoreError> {
        self.write(move |tx| {
            changed(tx, &challenge, now)?;
            let sql = "UPDATE organic_loops SET state = NULL WHERE challenge = ?1";
            tx.prepare_cached(sql)?.execute([&challenge])?;
            find(tx, &challenge)
        })
        .await
    }

    /// The challenges that anything of organic scoring is known of, whether they are
    /// active or not; by name.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_challenges(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT challenge FROM organic_loops ORDER BY challenge";
            let mut statement = connection.prepare_cached(sql)?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Counts a challenge's steps.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_steps(
        &self,
        challenge: String,
        change: Steps,
        now: f64,
    ) -> Result<LoopRow, StoreError> {
        self.write(move |tx| {
            changed(tx, &challenge, now)?;
            let steps = match change {
                Steps::Add(more) => find(tx, &challenge)?.steps.saturating_add(more),
                Steps::Set(steps) => steps,
            };
            set_steps(tx, &challenge, steps)?;
            find(tx, &challenge)
        })
        .await
    }
}

/// Sets the steps of a challenge that has a row.
pub(super) fn set_steps(
    connection: &Connection,
    challenge: &str,
    steps: u64,
) -> Result<(), StoreError> {
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    let sql = "UPDATE organic_loops SET steps = ?2 WHERE challenge = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute((challenge, steps))?;
    Ok(())
}

pub(super) fn find(connection: &Connection, challenge: &str) -> Result<LoopRow, StoreError> {
    let sql = "SELECT challenge, stopped, steps, state FROM organic_loops WHERE challenge = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([challenge], |row| {
        Ok(LoopRow {
            challenge: row.get("challenge")?,
            stopped: row.get("stopped")?,
            steps: row.get("steps")?,
            state: row.get("state")?,
        })
    });
    Ok(found.optional()?.unwrap_or_else(|| LoopRow {
        challenge: challenge.to_owned(),
        ..LoopRow::default()
    }))
}
