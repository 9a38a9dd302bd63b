//! What others are told is read here. Retention may have taken what a notice is
//! about: then there is none.

use super::{CommitRow, Store, StoreError};
use rusqlite::{OptionalExtension, Params};

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
