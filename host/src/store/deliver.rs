//! What others are told is read here. Retention may have taken what a notice is
//! about: then there is none.

use super::{CommitRow, JobKey, Store, StoreError, WeightVectorRow};
use rusqlite::{OptionalExtension, Params};
use std::collections::{BTreeMap, HashMap};

impl Store {
    /// The commit with this number, if there is one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn find_commit(&self, id: i64) -> Result<Option<CommitRow>, StoreError> {
        let found = self.commits_by("id = ?1", (id,)).await?;
        Ok(found.into_iter().next())
    }

    /// The commits whose artifact was evaluated by this evaluation, by time of
    /// commit.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_of_evaluation(&self, id: i64) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_by(
            "evaluation_id = ?1 ORDER BY committed_at, miner_hotkey, id",
            (id,),
        )
        .await
    }

    /// The commits that a day's finalization of a challenge judged, by time of
    /// commit.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_finalized_on(
        &self,
        challenge: String,
        day: String,
    ) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_by(
            "challenge = ?1 AND finalized_day = ?2 AND state = 'judged'
             ORDER BY committed_at, miner_hotkey, id",
            (challenge, day),
        )
        .await
    }

    async fn commits_by(
        &self,
        clause: &'static str,
        parameters: impl Params + Send + 'static,
    ) -> Result<Vec<CommitRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!("SELECT * FROM commits WHERE {clause}");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(parameters)?;
            let mut commits = Vec::new();
            while let Some(row) = rows.next()? {
                commits.push(CommitRow::read(row)?);
            }
            Ok(commits)
        })
        .await
    }

    /// The fuel that a challenge used in an evaluation; none if it has not ended.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn fuel_of(&self, evaluation: i64) -> Result<Option<u64>, StoreError> {
        self.read(move |connection| {
            let fuel: Option<Option<i64>> = connection
                .prepare_cached("SELECT fuel FROM evaluations WHERE id = ?1")?
                .query_row([evaluation], |row| row.get(0))
                .optional()?;
            Ok(fuel.flatten().map(i64::cast_unsigned))
        })
        .await
    }

    /// Every day on which any challenge was finalized, in order.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalized_days(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT DISTINCT day FROM finalizations ORDER BY day")?;
            let days = statement.query_map([], |row| row.get(0))?;
            Ok(days.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What each evaluation of a challenge that has a result is known by, by its
    /// number.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn evaluation_keys(
        &self,
        challenge: &str,
    ) -> Result<HashMap<i64, JobKey>, StoreError> {
        let challenge = challenge.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, plugin_digest, settings_digest, artifact_digest, engine
                 FROM evaluations WHERE challenge = ?1 AND state = 'done'",
            )?;
            let keys = statement.query_map([&challenge], |row| {
                let key = JobKey {
                    challenge: challenge.clone(),
                    plugin_digest: row.get(1)?,
                    settings_digest: row.get(2)?,
                    artifact_digest: row.get(3)?,
                    engine: row.get(4)?,
                };
                Ok((row.get(0)?, key))
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The first day that each challenge may be finalized on, by challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn first_days(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, first_day FROM challenges")?;
            let days = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(days.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The last vector, and when it was made, in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn last_vector(&self) -> Result<Option<(WeightVectorRow, f64)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT day, uids, \"values\", derivation, receipt, finalized_at
                       FROM weight_vectors ORDER BY day DESC LIMIT 1";
            let vector = connection.prepare_cached(sql)?.query_row([], |row| {
                let vector = WeightVectorRow {
                    day: row.get(0)?,
                    uids: row.get(1)?,
                    values: row.get(2)?,
                    derivation: row.get(3)?,
                    receipt: row.get(4)?,
                };
                Ok((vector, row.get(5)?))
            });
            Ok(vector.optional()?)
        })
        .await
    }

    /// Removes rows of the outbox that need not be told.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn drop_notices(&self, rows: Vec<i64>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for id in rows {
                tx.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
            }
            Ok(())
        })
        .await
    }
}
