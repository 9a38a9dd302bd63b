//! Iterations: each begins and ends in one transaction, with all that belongs to it.

use super::queue::count;
use super::{EntryRow, EntryState, LONGEST_WAIT, changed, loops, one, weights};
use crate::config::Sampling;
use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::BTreeMap;

/// How often the end of the host may cut an entry short, before that is laid to the entry.
pub(super) const MAX_INTERRUPTED: u32 = 10;

/// An iteration that is to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewIteration {
    /// The challenge.
    pub challenge: String,
    /// Digest of its component.
    pub plugin: String,
    /// Digest of its settings.
    pub settings: String,
    /// The sandbox that it runs in.
    pub engine: String,
    /// Now, in seconds since the Unix epoch.
    pub started_at: f64,
    /// Which of the queued entries is taken.
    pub sampling: Sampling,
    /// By which one is drawn, where each is as likely as the others.
    pub random: u64,
    /// Steps that it takes; 0 where it is time that triggers.
    pub steps: u64,
    /// The dataset that its sample is made from if no entry may be tried; none if there
    /// is no iteration then.
    pub dataset: Option<String>,
}

/// An iteration that began.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// Its number; a later one has a greater one.
    pub id: i64,
    /// The entry that it has.
    pub entry: Option<EntryRow>,
    /// The dataset, if it has no entry.
    pub dataset: Option<String>,
    /// Entries that are queued besides, whether they may be tried now or not.
    pub queue_size: u64,
    /// Steps that are left.
    pub steps: u64,
}

/// An iteration that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// Which one.
    pub id: i64,
    /// What anybody may know of what it came to, a JSON object: nothing of the sample, nor
    /// the id of the entry, by which its answer is had.
    pub summary: String,
    /// All that it came to, JSON.
    pub record: String,
    /// Now, in seconds since the Unix epoch.
    pub ended_at: f64,
    /// What its caller is answered, JSON; not looked at if it has no entry.
    pub answer: Option<String>,
    /// The state that the next `fold` gets, JSON.
    pub state: String,
    /// The day that the weights are of, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// What miners are paid, by hotkey.
    pub weights: BTreeMap<String, f64>,
}

/// An iteration that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// Which one.
    pub id: i64,
    /// Why: a stable code.
    pub code: String,
    /// Why, for people.
    pub message: String,
    /// What anybody may know of what it came to, as of one that is done.
    pub summary: String,
    /// All that it came to, JSON.
    pub record: String,
    /// Now, in seconds since the Unix epoch.
    pub ended_at: f64,
    /// From when on its entry may be tried again, in seconds since the Unix epoch; none
    /// if it may not.
    pub again_at: Option<f64>,
    /// Whether that was one of the times that its entry is tried; if not, the entry may be
    /// tried again however often it was.
    pub counts: bool,
    /// How often an entry is tried.
    pub max_attempts: u32,
}

impl Store {
    /// Begins an iteration: takes its steps, and has it take an entry that may be tried,
    /// or else a dataset. None, and nothing has changed, if there is neither, there are
    /// too few steps, or the loop is stopped.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_begin(&self, new: NewIteration) -> Result<Option<Begun>, StoreError> {
        self.write(move |tx| begin(tx, new)).await
    }

    /// Ends an iteration that is done, and its entry with it; has the next one go on from
    /// its state; and notes the weights of the day in place of those before. False, and
    /// nothing has changed, if it does not run any more.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_complete(&self, done: Completed) -> Result<bool, StoreError> {
        self.write(move |tx| complete(tx, &done)).await
    }

    /// Ends an iteration that failed, and has its entry queued again; or fail, if it may
    /// not be tried again or was tried as often as it may be. Returns which of both; none
    /// if it had no entry, and if it does not run any more, and nothing has changed.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_fail(&self, failed: Failed) -> Result<Option<EntryState>, StoreError> {
        self.write(move |tx| fail(tx, &failed)).await
    }

    /// Ends the iterations that a host ran when it ended, as `interrupted`, and has their
    /// entries queued again, which does not count as a try; but an entry that this befell
    /// ten times fails, for it may be what ends the host. For the start of a host: none may
    /// run. Returns how many iterations there were.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_take_back(&self, now: f64) -> Result<u64, StoreError> {
        self.write(move |tx| take_back(tx, now)).await
    }
}

fn begin(connection: &Connection, new: NewIteration) -> Result<Option<Begun>, StoreError> {
    let known = loops::find(connection, &new.challenge)?;
    let Some(steps) = known.steps.checked_sub(new.steps) else {
        return Ok(None);
    };
    if known.stopped {
        return Ok(None);
    }
    let queued = count(connection, &new.challenge, EntryState::Queued)?;
    let picked = pick(connection, &new, queued)?;
    let dataset = new.dataset.filter(|_| picked.is_none());
    if picked.is_none() && dataset.is_none() {
        return Ok(None);
    }
    changed(connection, &new.challenge, new.started_at)?;
    if new.steps > 0 {
        loops::set_steps(connection, &new.challenge, steps)?;
    }
    let queue_size = queued.saturating_sub(u64::from(picked.is_some()));
    let sql = "INSERT INTO organic_iterations
                   (challenge, entry, dataset, started_at, plugin, settings, engine, queue_size)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute((
        &new.challenge,
        &picked,
        &dataset,
        new.started_at,
        &new.plugin,
        &new.settings,
        &new.engine,
        queue_size,
    ))?;
    let id = connection.last_insert_rowid();
    let lease = "UPDATE organic_entries SET state = 'leased', iteration = ?2
                 WHERE id = ?1 AND state = 'queued' RETURNING *";
    let entry = match picked {
        Some(picked) => one(connection, lease, (picked, id))?,
        None => None,
    };
    Ok(Some(Begun {
        id,
        entry,
        dataset,
        queue_size,
        steps,
    }))
}

/// The entry that is next of those that may be tried.
fn pick(
    connection: &Connection,
    new: &NewIteration,
    queued: u64,
) -> Result<Option<String>, StoreError> {
    let too_far = new.started_at + LONGEST_WAIT;
    let (due, skipped) = match new.sampling {
        // The sign keeps SQLite from another index, by which it would sort them all.
        Sampling::Priority => (
            "(+not_before <= ?2 OR +not_before > ?3) ORDER BY priority DESC, seq",
            0,
        ),
        Sampling::Uniform => {
            // Few wait for another try. Those that may be tried are many.
            let sql = "SELECT count(*) FROM organic_entries
                       WHERE challenge = ?1 AND state = 'queued' AND not_before > ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut after = |at: f64| -> Result<u64, StoreError> {
                Ok(statement.query_row((&new.challenge, at), |row| row.get(0))?)
            };
            let due = queued.saturating_sub(after(new.started_at)?);
            match new.random.checked_rem(due + after(too_far)?) {
                Some(skipped) if skipped < due => {
                    ("not_before <= ?2 ORDER BY not_before, seq", skipped)
                }
                Some(skipped) => (
                    "not_before > ?3 ORDER BY not_before, seq",
                    skipped.saturating_sub(due),
                ),
                None => return Ok(None),
            }
        }
    };
    let sql = format!(
        "SELECT id FROM organic_entries
         WHERE challenge = ?1 AND state = 'queued' AND {due} LIMIT 1 OFFSET ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters = (&new.challenge, new.started_at, too_far, skipped);
    let found = statement.query_row(parameters, |row| row.get(0));
    Ok(found.optional()?)
}

fn complete(connection: &Connection, done: &Completed) -> Result<bool, StoreError> {
    let sql = "UPDATE organic_iterations SET state = 'done', ended_at = ?2, summary = ?3,
                   record = ?4
               WHERE id = ?1 AND state = 'running' RETURNING challenge, entry";
    let mut statement = connection.prepare_cached(sql)?;
    let parameters = (done.id, done.ended_at, &done.summary, &done.record);
    let ended = statement.query_row(parameters, of);
    let Some((challenge, entry)) = ended.optional()? else {
        return Ok(false);
    };
    if let Some(entry) = entry {
        let sql = "UPDATE organic_entries SET state = 'done', attempts = attempts + 1,
                       ended_at = ?3, code = NULL, message = NULL, answer = ?4
                   WHERE id = ?1 AND iteration = ?2 AND state = 'leased'";
        let mut statement = connection.prepare_cached(sql)?;
        let ended = statement.execute((&entry, done.id, done.ended_at, &done.answer))?;
        held(ended == 1, done.id)?;
    }
    changed(connection, &challenge, done.ended_at)?;
    let sql = "UPDATE organic_loops SET state = ?2 WHERE challenge = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute((&challenge, &done.state))?;
    weights::put(
        connection,
        &challenge,
        &done.day,
        done.ended_at,
        &done.weights,
    )?;
    Ok(true)
}

fn fail(connection: &Connection, failed: &Failed) -> Result<Option<EntryState>, StoreError> {
    let sql = "UPDATE organic_iterations
               SET state = 'failed', ended_at = ?2, code = ?3, message = ?4, summary = ?5,
                   record = ?6
               WHERE id = ?1 AND state = 'running' RETURNING challenge, entry";
    let mut statement = connection.prepare_cached(sql)?;
    let ended = statement.query_row(
        (
            failed.id,
            failed.ended_at,
            &failed.code,
            &failed.message,
            &failed.summary,
            &failed.record,
        ),
        of,
    );
    let Some((challenge, entry)) = ended.optional()? else {
        return Ok(None);
    };
    changed(connection, &challenge, failed.ended_at)?;
    let Some(entry) = entry else {
        return Ok(None);
    };
    let sql = "UPDATE organic_entries SET attempts = attempts + ?8, code = ?3, message = ?4,
                   state = iif(?5 IS NOT NULL AND (NOT ?8 OR attempts + 1 < ?6),
                       'queued', 'failed'),
                   not_before = ifnull(?5, not_before),
                   ended_at = iif(?5 IS NOT NULL AND (NOT ?8 OR attempts + 1 < ?6), NULL, ?7)
               WHERE id = ?1 AND iteration = ?2 AND state = 'leased' RETURNING *";
    let row = one(
        connection,
        sql,
        (
            entry,
            failed.id,
            &failed.code,
            &failed.message,
            failed.again_at,
            failed.max_attempts,
            failed.ended_at,
            failed.counts,
        ),
    )?;
    held(row.is_some(), failed.id)?;
    Ok(row.map(|row| row.state))
}

fn take_back(connection: &Connection, now: f64) -> Result<u64, StoreError> {
    let sql = "UPDATE organic_iterations
               SET state = 'failed', ended_at = ?1, code = 'interrupted',
                   message = 'the host ended while it ran'
               WHERE state = 'running' RETURNING challenge, entry";
    let mut statement = connection.prepare_cached(sql)?;
    let interrupted = statement.query_map([now], of)?;
    let interrupted: Vec<_> = interrupted.collect::<Result<_, _>>()?;
    let sql = "UPDATE organic_entries SET interrupted = interrupted + 1,
                   state = iif(interrupted + 1 < ?2, 'queued', 'failed'),
                   ended_at = iif(interrupted + 1 < ?2, NULL, ?3),
                   code = iif(interrupted + 1 < ?2, code, 'interrupted'),
                   message = iif(interrupted + 1 < ?2, message,
                       'the host ended each time while it was tried')
               WHERE id = ?1 AND state = 'leased'";
    let mut statement = connection.prepare_cached(sql)?;
    for (challenge, entry) in &interrupted {
        statement.execute((entry, MAX_INTERRUPTED, now))?;
        changed(connection, challenge, now)?;
    }
    Ok(interrupted.len() as u64)
}

/// The challenge and the entry of an iteration.
fn of(row: &Row<'_>) -> rusqlite::Result<(String, Option<String>)> {
    Ok((row.get("challenge")?, row.get("entry")?))
}

/// An iteration that runs has its entry.
fn held(is_held: bool, iteration: i64) -> Result<(), StoreError> {
    let problem = || StoreError::Corrupt(format!("iteration {iteration} does not have its entry"));
    is_held.then_some(()).ok_or_else(problem)
}
