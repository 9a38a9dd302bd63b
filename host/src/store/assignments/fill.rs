//! Which evaluations are there to be done again.

use crate::store::{Store, StoreError};
use rusqlite::OptionalExtension;

/// An evaluation that a finalized commit has its score from.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalizedEvaluation {
    /// The day whose finalization judged the commit, and the commit's number: where
    /// the next look begins.
    pub mark: (String, i64),
    /// Number of the evaluation.
    pub evaluation_id: i64,
    /// Whether its result is a function of what it depends on: it is not if the
    /// submission was stopped by the clock.
    pub repeatable: bool,
}

/// An assignment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAssignment {
    /// Number of the evaluation.
    pub evaluation_id: i64,
    /// Digest of this host's result.
    pub expected: String,
}

impl Store {
    /// The evaluations behind a challenge's finalized commits that were not looked at
    /// yet, in order of their finalization, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalized_evaluations(
        &self,
        challenge: String,
        limit: u32,
    ) -> Result<Vec<FinalizedEvaluation>, StoreError> {
        self.read(move |connection| {
            let mark = "SELECT day, commit_id FROM assignment_marks WHERE challenge = ?1";
            let (day, commit): (String, i64) = connection
                .prepare_cached(mark)?
                .query_row([&challenge], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?
                .unwrap_or_default();
            let mut statement = connection.prepare_cached(
                "SELECT c.finalized_day, c.id, e.id,
                     e.state = 'done' AND json_extract(e.solves, '$.timeout') IS NULL
                 FROM commits c JOIN evaluations e ON e.id = c.evaluation_id
                 WHERE c.challenge = ?1 AND c.finalized_day IS NOT NULL
                     AND (c.finalized_day, c.id) > (?2, ?3)
                 ORDER BY c.finalized_day, c.id LIMIT ?4",
            )?;
            let found = statement.query_map((challenge, day, commit, limit), |row| {
                Ok(FinalizedEvaluation {
                    mark: (row.get(0)?, row.get(1)?),
                    evaluation_id: row.get(2)?,
                    repeatable: row.get(3)?,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Adds assignments of a challenge, of which each evaluation has at most one, and
    /// notes up to where its commits were looked at. What is about evaluations that
    /// are kept no more is removed. Returns how many are new.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn add_assignments(
        &self,
        challenge: String,
        mark: (String, i64),
        new: Vec<NewAssignment>,
        now: f64,
    ) -> Result<usize, StoreError> {
        self.write(move |tx| {
            let mut added = 0;
            for NewAssignment {
                evaluation_id,
                expected,
            } in new
            {
                added += tx
                    .prepare_cached(
                        "INSERT OR IGNORE INTO assignments
                             (challenge, evaluation_id, expected, created_at, updated_at)
                         SELECT ?1, id, ?3, ?4, ?4 FROM evaluations WHERE id = ?2",
                    )?
                    .execute((&challenge, evaluation_id, expected, now))?;
            }
            // Of two that look at the same time the first may be behind.
            tx.execute(
                "INSERT INTO assignment_marks VALUES (?1, ?2, ?3)
                 ON CONFLICT (challenge) DO UPDATE SET day = ?2, commit_id = ?3
                     WHERE (day, commit_id) < (?2, ?3)",
                (&challenge, mark.0, mark.1),
            )?;
            tx.execute(
                "DELETE FROM assignments WHERE challenge = ?1 AND state <> 'leased'
                     AND NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.id = evaluation_id)",
                [challenge],
            )?;
            Ok(added)
        })
        .await
    }
}
