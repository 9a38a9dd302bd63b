//! Evaluations that were done before, by a host that lost its database.

use super::{EvaluationResult, JobKey, Store, StoreError};

impl Store {
    /// Whether any evaluation of a challenge has ended.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn has_evaluations(&self, challenge: &str) -> Result<bool, StoreError> {
        let challenge = challenge.to_owned();
        self.read(move |connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM evaluations
                     WHERE challenge = ?1 AND state IN ('done', 'failed'))",
                )?
                .query_row([challenge], |row| row.get(0))?)
        })
        .await
    }

    /// Stores an evaluation that was done elsewhere, as if it had been done here at
    /// once, unless there is one with its key, waiting or ended. Returns whether it
    /// is new.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn import_evaluation(
        &self,
        key: JobKey,
        seed: u64,
        logical_now: f64,
        result: EvaluationResult,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let added = tx
                .prepare_cached(
                    "INSERT OR IGNORE INTO evaluations (challenge, plugin_digest, settings_digest,
                         artifact_digest, engine, seed, now, state, attempts, queued_at,
                         not_before, outcome, message, solves, logs, fuel, finished_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?9, ?10, ?11, ?12, ?13, ?14,
                         ?9)",
                )?
                .execute((
                    key.challenge,
                    key.plugin_digest,
                    key.settings_digest,
                    key.artifact_digest,
                    key.engine,
                    seed.cast_signed(),
                    logical_now,
                    if result.done { "done" } else { "failed" },
                    result.finished_at,
                    result.outcome,
                    result.message,
                    result.solves,
                    result.logs,
                    result.fuel.cast_signed(),
                ))?;
            Ok(added == 1)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_evaluation_that_is_known_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let key = |artifact: &str| JobKey {
            challenge: "c".into(),
            plugin_digest: "p".into(),
            settings_digest: "s".into(),
            artifact_digest: artifact.into(),
            engine: "e".into(),
        };
        let result = |fuel| EvaluationResult {
            outcome: "ok",
            done: true,
            message: None,
            solves: "{}".into(),
            logs: "[]".into(),
            fuel,
            finished_at: 1.0,
        };
        store.enqueue(key("waits"), 1, 0.0, 0.0).await.unwrap();
        assert!(!store.has_evaluations("c").await.unwrap());
        for (artifact, new) in [("a", true), ("a", false), ("waits", false)] {
            let imported = store.import_evaluation(key(artifact), u64::MAX, 2.0, result(3));
            assert_eq!(imported.await.unwrap(), new, "{artifact}");
        }
        assert!(store.has_evaluations("c").await.unwrap());
        assert!(!store.has_evaluations("d").await.unwrap());
        let found = store.evaluation(key("a")).await.unwrap().unwrap();
        assert_eq!((found.seed, found.now, found.done), (u64::MAX, 2.0, true));
        assert_eq!(store.fuel_of(found.id).await.unwrap(), Some(3));
        assert!(store.evaluation(key("waits")).await.unwrap().is_none());
    }
}
