//! The queue: what comes in, what has to go, and what is kept no more.

use super::{EntryRow, EntryState, LONGEST_WAIT, changed, one};
use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension};

/// Entries that are deleted in one transaction: others want to write as well.
const ENTRIES_AT_ONCE: u64 = 100;
/// The same of iterations and their records, which are longer.
const ITERATIONS_AT_ONCE: u64 = 25;

/// An entry that was admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// What callers are to know it by. No two have the same.
    pub id: String,
    /// The challenge.
    pub challenge: String,
    /// The hotkey that sent it.
    pub caller: String,
    /// What miners are asked about, JSON.
    pub sample: String,
    /// What entries of the same content have in common, and no others.
    pub digest: String,
    /// A greater one is taken first where that is the policy. Finite.
    pub priority: f64,
    /// When it was received, in seconds since the Unix epoch.
    pub received_at: f64,
}

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueRules {
    /// Entries that are queued, at least 1; of more the oldest are dropped.
    pub queue_max: u32,
    /// Entries of one caller that are queued or in an iteration.
    pub most_of_caller: u32,
    /// Seconds in which the same content is taken once; 0 if it is taken each time.
    pub dedupe_s: f64,
}

/// What became of a new entry.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    /// It is queued.
    Queued {
        /// The ids of those that had to go for it, the oldest first.
        dropped: Vec<String>,
    },
    /// The same content came in before, and this is what became of that.
    Duplicate(EntryRow),
    /// The caller has as many as it may have.
    TooMany {
        /// How many those are.
        queued: u32,
    },
}

/// How long a queue is, and what became of those that were in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OrganicQueue {
    /// Entries that wait.
    pub queued: u64,
    /// When the one that came first of them was received, in seconds since the Unix
    /// epoch.
    pub oldest_at: Option<f64>,
    /// When the first of them may be tried, in seconds since the Unix epoch; 0 if at any
    /// time.
    pub next_at: Option<f64>,
    /// Entries in an iteration.
    pub leased: u64,
    /// Entries that are done and still kept.
    pub done: u64,
    /// Entries that were dropped and are still kept.
    pub dropped: u64,
    /// Entries that failed and are still kept.
    pub failed: u64,
}

impl OrganicQueue {
    /// Whether an entry may be tried, at a time in seconds since the Unix epoch.
    #[must_use]
    pub fn is_ready(&self, now: f64) -> bool {
        let may = |at| at <= now || at > now + LONGEST_WAIT;
        self.queued > 0 && self.next_at.is_none_or(may)
    }
}

impl Store {
    /// Queues an entry, unless the same content was received within the time and is
    /// queued, in an iteration or done, or its caller has too many. If the queue is full,
    /// the oldest entries go.
    ///
    /// What iterations and operators give back does not count: by that a queue may get
    /// longer than it should be, until the next entry comes.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_add(&self, new: NewEntry, rules: QueueRules) -> Result<Added, StoreError> {
        self.write(move |tx| add(tx, &new, rules)).await
    }

    /// How long a challenge's queue is, and what became of its entries. Costs the same
    /// however many there are.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_queue(&self, challenge: String) -> Result<OrganicQueue, StoreError> {
        self.read(move |connection| {
            let transaction = connection.unchecked_transaction()?;
            queue(&transaction, &challenge)
        })
        .await
    }

    /// Queues an entry again that failed or was dropped, as if it had never been tried.
    /// Returns it; none if there is no such entry, or it is in another state.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_retry(
        &self,
        id: String,
        now: f64,
    ) -> Result<Option<EntryRow>, StoreError> {
        self.write(move |tx| {
            let sql = "UPDATE organic_entries SET state = 'queued', attempts = 0, interrupted = 0,
                           not_before = 0, ended_at = NULL, code = NULL, message = NULL
                       WHERE id = ?1 AND state IN ('failed', 'dropped') RETURNING *";
            if let Some(row) = one(tx, sql, [&id])? {
                changed(tx, &row.challenge, now)?;
                return Ok(Some(row));
            }
            Ok(None)
        })
        .await
    }

    /// Deletes entries and iterations of a challenge that ended before a time, and the
    /// records of iterations that ended before another, both in seconds since the Unix
    /// epoch; a few in one transaction. Returns how many entries and iterations there
    /// were.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; some may be deleted then.
    pub async fn organic_forget(
        &self,
        challenge: String,
        before: f64,
        records_before: f64,
    ) -> Result<u64, StoreError> {
        let entries = "DELETE FROM organic_entries WHERE seq IN (
                           SELECT seq FROM organic_entries
                           WHERE challenge = ?1 AND ended_at < ?2
                               AND state IN ('done', 'dropped', 'failed') LIMIT ?3)";
        let iterations = "DELETE FROM organic_iterations WHERE id IN (
                              SELECT id FROM organic_iterations
                              WHERE challenge = ?1 AND ended_at < ?2 AND state <> 'running'
                              LIMIT ?3)";
        let records = "UPDATE organic_iterations SET record = NULL WHERE id IN (
                           SELECT id FROM organic_iterations
                           WHERE challenge = ?1 AND ended_at < ?2 AND record IS NOT NULL
                           LIMIT ?3)";
        let gone = self.in_parts(entries, &challenge, before, ENTRIES_AT_ONCE);
        let mut gone = gone.await?;
        let ended = self.in_parts(iterations, &challenge, before, ITERATIONS_AT_ONCE);
        gone += ended.await?;
        let emptied = self.in_parts(records, &challenge, records_before, ITERATIONS_AT_ONCE);
        emptied.await?;
        Ok(gone)
    }

    /// Runs a statement, each time in a transaction of its own, until it finds no more
    /// rows. Returns how many it found.
    async fn in_parts(
        &self,
        sql: &'static str,
        challenge: &str,
        before: f64,
        at_once: u64,
    ) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let challenge = challenge.to_owned();
            let some = self.write(move |tx| {
                let mut statement = tx.prepare_cached(sql)?;
                Ok(statement.execute((challenge, before, at_once))? as u64)
            });
            let some = some.await?;
            all += some;
            if some < at_once {
                return Ok(all);
            }
        }
    }
}

fn add(connection: &Connection, new: &NewEntry, rules: QueueRules) -> Result<Added, StoreError> {
    if rules.dedupe_s > 0.0 {
        let sql = "SELECT * FROM organic_entries
                   WHERE challenge = ?1 AND digest = ?2 AND received_at > ?3
                       AND state IN ('queued', 'leased', 'done')
                   ORDER BY seq LIMIT 1";
        let since = new.received_at - rules.dedupe_s;
        if let Some(first) = one(connection, sql, (&new.challenge, &new.digest, since))? {
            return Ok(Added::Duplicate(first));
        }
    }
    let sql = "SELECT count(*) FROM organic_entries
               WHERE challenge = ?1 AND caller = ?2 AND state IN ('queued', 'leased')";
    let queued: u32 = connection
        .prepare_cached(sql)?
        .query_row((&new.challenge, &new.caller), |row| row.get(0))?;
    if queued >= rules.most_of_caller {
        return Ok(Added::TooMany { queued });
    }
    let dropped = make_room(connection, new, rules.queue_max)?;
    let sql = "INSERT INTO organic_entries
                   (id, challenge, caller, digest, priority, received_at, sample)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute((
        &new.id,
        &new.challenge,
        &new.caller,
        &new.digest,
        new.priority,
        new.received_at,
        &new.sample,
    ))?;
    changed(connection, &new.challenge, new.received_at)?;
    Ok(Added::Queued { dropped })
}

/// Drops the oldest, so that there is room for one. Returns their ids.
fn make_room(
    connection: &Connection,
    new: &NewEntry,
    queue_max: u32,
) -> Result<Vec<String>, StoreError> {
    let room = u64::from(queue_max).saturating_sub(1);
    let over = count(connection, &new.challenge, EntryState::Queued)?.saturating_sub(room);
    if over == 0 {
        return Ok(Vec::new());
    }
    // RETURNING has no order of its own.
    let sql = "SELECT seq, id FROM organic_entries WHERE challenge = ?1 AND state = 'queued'
               ORDER BY seq LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let oldest = statement.query_map((&new.challenge, over), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let oldest: Vec<_> = oldest.collect::<Result<_, _>>()?;
    let sql = "UPDATE organic_entries SET state = 'dropped', ended_at = ?2, code = 'dropped',
                   message = 'the queue was full, and it was the oldest in it'
               WHERE seq = ?1 AND state = 'queued'";
    let mut statement = connection.prepare_cached(sql)?;
    let mut dropped = Vec::with_capacity(oldest.len());
    for (seq, id) in oldest {
        statement.execute((seq, new.received_at))?;
        dropped.push(id);
    }
    Ok(dropped)
}

/// How many entries of a challenge are in a state.
pub(super) fn count(
    connection: &Connection,
    challenge: &str,
    state: EntryState,
) -> Result<u64, StoreError> {
    let sql = "SELECT entries FROM organic_counts WHERE challenge = ?1 AND state = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row((challenge, state.name()), |row| row.get(0));
    Ok(found.optional()?.unwrap_or_default())
}

fn queue(connection: &Connection, challenge: &str) -> Result<OrganicQueue, StoreError> {
    let of = |state| count(connection, challenge, state);
    let first = |what: &str, by: &str| -> Result<Option<f64>, StoreError> {
        let sql = format!(
            "SELECT {what} FROM organic_entries WHERE challenge = ?1 AND state = 'queued'
             ORDER BY {by} LIMIT 1"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        Ok(statement
            .query_row([challenge], |row| row.get(0))
            .optional()?)
    };
    Ok(OrganicQueue {
        queued: of(EntryState::Queued)?,
        oldest_at: first("received_at", "seq")?,
        next_at: first("not_before", "not_before")?,
        leased: of(EntryState::Leased)?,
        done: of(EntryState::Done)?,
        dropped: of(EntryState::Dropped)?,
        failed: of(EntryState::Failed)?,
    })
}
