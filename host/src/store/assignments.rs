//! Evaluations that validators do again: who has which, and what came of it.

mod fill;
mod lease;

pub use fill::{FinalizedEvaluation, NewAssignment};
pub use lease::Wanted;

use super::events::{self, NewEvent};
use super::{JobKey, Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde::{Deserialize, Serialize};

/// How far an assignment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentState {
    /// It waits for a validator.
    Open,
    /// A validator has it.
    Leased,
    /// A validator came to the same result.
    Confirmed,
    /// Those that came to a result came to another one.
    Contradicted,
    /// Nobody came to a result.
    Failed,
}

impl AssignmentState {
    /// Every state.
    pub const ALL: [AssignmentState; 5] = [
        AssignmentState::Open,
        AssignmentState::Leased,
        AssignmentState::Confirmed,
        AssignmentState::Contradicted,
        AssignmentState::Failed,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            AssignmentState::Open => "open",
            AssignmentState::Leased => "leased",
            AssignmentState::Confirmed => "confirmed",
            AssignmentState::Contradicted => "contradicted",
            AssignmentState::Failed => "failed",
        }
    }

    /// The state of a [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is to come.
    pub fn is_final(self) -> bool {
        !matches!(self, AssignmentState::Open | AssignmentState::Leased)
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// The result is this host's.
    Agrees,
    /// The result is another one.
    Differs,
    /// The validator could not come to a result.
    Failed,
    /// The validator told nothing in time.
    LeaseOver,
}

impl AttemptEnd {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            AttemptEnd::Agrees => "agrees",
            AttemptEnd::Differs => "differs",
            AttemptEnd::Failed => "failed",
            AttemptEnd::LeaseOver => "lease_over",
        }
    }
}

/// What a validator says of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// Whether it came to a result.
    pub success: bool,
    /// The digest of the result.
    pub digest: Option<String>,
    /// How the evaluation ended, a code.
    pub outcome: Option<String>,
    /// Fuel that it used.
    pub fuel: Option<u64>,
    /// For people.
    pub detail: Option<String>,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who made it: a hotkey.
    pub validator: String,
    /// When it began, in seconds since the Unix epoch.
    pub leased_at: f64,
    /// When it ended, in seconds since the Unix epoch.
    pub ended_at: f64,
    /// What it came to.
    pub end: AttemptEnd,
    /// What the assignment was after it.
    pub left: AssignmentState,
    /// What the validator said.
    pub report: AttemptReport,
}

/// An evaluation that is to be done again.
#[derive(Debug, Clone, PartialEq)]
pub struct AssignmentRow {
    /// Its number.
    pub id: i64,
    /// The challenge.
    pub challenge: String,
    /// Number of the evaluation.
    pub evaluation_id: i64,
    /// SHA-256 of the artifact; none if the evaluation is kept no more.
    pub artifact_digest: Option<String>,
    /// How far it has come.
    pub state: AssignmentState,
    /// Digest of this host's result.
    pub expected: String,
    /// Who has it.
    pub validator: Option<String>,
    /// Since when, in seconds since the Unix epoch.
    pub leased_at: Option<f64>,
    /// Until when, in seconds since the Unix epoch.
    pub lease_until: Option<f64>,
    /// Attempts that were begun.
    pub attempts: u32,
    /// How much of it is done, 0 to 1, as its validator says.
    pub progress: Option<f64>,
    /// Attempts that ended, in order.
    pub results: Vec<Attempt>,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When it changed last, in seconds since the Unix epoch.
    pub updated_at: f64,
}

/// What is to be evaluated, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct AssignmentSubject {
    /// Challenge, plugin, settings, artifact and engine.
    pub key: JobKey,
    /// The seed of the call.
    pub seed: u64,
    /// The logical time of the call, in seconds since the Unix epoch.
    pub now: f64,
}

impl Store {
    /// An assignment and what it is about; none if either is not there any more.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn assignment(
        &self,
        id: i64,
    ) -> Result<Option<(AssignmentRow, AssignmentSubject)>, StoreError> {
        self.read(move |connection| {
            let sql = format!("{WITH_SUBJECT} WHERE a.id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([id])?;
            let found = rows.next()?;
            found
                .map(|found| Ok((row(found)?, subject(found)?)))
                .transpose()
        })
        .await
    }

    /// Changes an assignment as `change` says, and notes what happened with it, in one
    /// piece. Returns what `change` returned; none if there is no such assignment.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn change_assignment<T: Send + 'static>(
        &self,
        id: i64,
        change: impl FnOnce(&mut AssignmentRow) -> (T, Option<NewEvent>) + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        self.write(move |tx| {
            let Some(mut found) = find(tx, id)? else {
                return Ok(None);
            };
            let before = found.clone();
            let (told, event) = change(&mut found);
            if found != before {
                save(tx, &found)?;
            }
            if let Some(event) = event {
                events::put(tx, &event)?;
            }
            Ok(Some(told))
        })
        .await
    }

    /// Changes each assignment whose lease ended by `now` as `over` says, at most
    /// `limit` of them, and notes what happened with them. Returns them as they are
    /// then.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn end_leases(
        &self,
        now: f64,
        limit: u32,
        over: impl Fn(&mut AssignmentRow) -> Option<NewEvent> + Send + 'static,
    ) -> Result<Vec<AssignmentRow>, StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "{ROWS} WHERE a.state = 'leased' AND a.lease_until <= ?1 ORDER BY a.id LIMIT ?2"
            );
            let mut ended = all(tx, &sql, (now, limit))?;
            for row in &mut ended {
                let event = over(row);
                save(tx, row)?;
                if let Some(event) = event {
                    events::put(tx, &event)?;
                }
            }
            Ok(ended)
        })
        .await
    }

    /// Assignments with a number below `before`, the last first, at most `limit`; of
    /// one state if it is given.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn assignment_page(
        &self,
        state: Option<AssignmentState>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AssignmentRow>, StoreError> {
        let state = state.map(AssignmentState::name);
        self.read(move |connection| {
            let sql = format!(
                "{ROWS} WHERE (?1 IS NULL OR a.state = ?1) AND a.id < ?2
                 ORDER BY a.id DESC LIMIT ?3"
            );
            all(connection, &sql, (state, before.unwrap_or(i64::MAX), limit))
        })
        .await
    }

    /// How many assignments there are, by challenge and state.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn assignment_counts(
        &self,
    ) -> Result<Vec<(String, AssignmentState, u64)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT challenge, state, count(*) FROM assignments
                       GROUP BY 1, 2 ORDER BY 1, 2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut counts = Vec::new();
            while let Some(row) = rows.next()? {
                counts.push((row.get(0)?, state(row, 1)?, row.get(2)?));
            }
            Ok(counts)
        })
        .await
    }
}

/// Assignments, of which the evaluation may be gone.
const ROWS: &str = "SELECT a.*, e.artifact_digest FROM assignments a
     LEFT JOIN evaluations e ON e.id = a.evaluation_id";

/// Assignments with what they are about.
const WITH_SUBJECT: &str = "SELECT a.*, e.plugin_digest, e.settings_digest, e.artifact_digest,
     e.engine, e.seed, e.now FROM assignments a JOIN evaluations e ON e.id = a.evaluation_id";

fn find(connection: &Connection, id: i64) -> Result<Option<AssignmentRow>, StoreError> {
    let sql = format!("{ROWS} WHERE a.id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_row([id], |found| Ok(row(found)))
        .optional()?;
    found.transpose()
}

fn all(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<AssignmentRow>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(next) = rows.next()? {
        found.push(row(next)?);
    }
    Ok(found)
}

fn row(row: &Row<'_>) -> Result<AssignmentRow, StoreError> {
    Ok(AssignmentRow {
        id: row.get("id")?,
        challenge: row.get("challenge")?,
        evaluation_id: row.get("evaluation_id")?,
        artifact_digest: row.get("artifact_digest")?,
        state: state(row, "state")?,
        expected: row.get("expected")?,
        validator: row.get("validator")?,
        leased_at: row.get("leased_at")?,
        lease_until: row.get("lease_until")?,
        attempts: row.get("attempts")?,
        progress: row.get("progress")?,
        results: serde_json::from_str(row.get_ref("results")?.as_str().unwrap_or_default())?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn state(row: &Row<'_>, column: impl rusqlite::RowIndex) -> Result<AssignmentState, StoreError> {
    let name: String = row.get(column)?;
    let state = AssignmentState::from_name(&name);
    state.ok_or_else(|| StoreError::Corrupt(format!("an assignment is {name:?}")))
}

fn subject(row: &Row<'_>) -> Result<AssignmentSubject, StoreError> {
    Ok(AssignmentSubject {
        key: JobKey {
            challenge: row.get("challenge")?,
            plugin_digest: row.get("plugin_digest")?,
            settings_digest: row.get("settings_digest")?,
            artifact_digest: row.get("artifact_digest")?,
            engine: row.get("engine")?,
        },
        seed: row.get::<_, i64>("seed")?.cast_unsigned(),
        now: row.get("now")?,
    })
}

fn save(tx: &Transaction<'_>, row: &AssignmentRow) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE assignments SET state = ?2, validator = ?3, leased_at = ?4, lease_until = ?5,
             attempts = ?6, progress = ?7, results = ?8, updated_at = ?9
         WHERE id = ?1",
    )?
    .execute((
        row.id,
        row.state.name(),
        &row.validator,
        row.leased_at,
        row.lease_until,
        row.attempts,
        row.progress,
        serde_json::to_string(&row.results)?,
        row.updated_at,
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests;
