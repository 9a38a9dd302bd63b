//! Evaluations: a queue of jobs, each with its result once it is done.

use super::receipts::{Kept, keep};
use super::{Store, StoreError};
use rusqlite::{OptionalExtension, Row};

/// What an evaluation depends on. A result is stored once per key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobKey {
    /// Name of the challenge.
    pub challenge: String,
    /// SHA-256 of the plugin.
    pub plugin_digest: String,
    /// SHA-256 of the challenge's settings.
    pub settings_digest: String,
    /// SHA-256 of the artifact.
    pub artifact_digest: String,
    /// Version and settings of the sandbox, and the limits of its calls.
    pub engine: String,
}

/// A job that was leased: all that a worker needs to know.
#[derive(Debug, Clone)]
pub struct Job {
    /// The row's number.
    pub id: i64,
    /// What to evaluate, and with what.
    pub key: JobKey,
    /// The seed of the call.
    pub seed: u64,
    /// The logical time of the call.
    pub now: f64,
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: f64,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub struct EvaluationResult {
    /// The outcome's code.
    pub outcome: &'static str,
    /// Whether there is a result; else the job failed for good.
    pub done: bool,
    /// Why not, for people.
    pub message: Option<String>,
    /// The submission's own outcomes and how often, JSON.
    pub solves: String,
    /// Scoring logs, JSON.
    pub logs: String,
    /// Fuel that the challenge used.
    pub fuel: u64,
    /// When, in seconds since the Unix epoch.
    pub finished_at: f64,
    /// Id of its receipt, if there is one.
    pub receipt: Option<String>,
    /// What is stored with it.
    pub kept: Kept,
}

/// An evaluation that has ended.
#[derive(Debug, Clone)]
pub struct EvaluationRow {
    /// The row's number.
    pub id: i64,
    /// What was evaluated, and with what.
    pub key: JobKey,
    /// The seed of the call.
    pub seed: u64,
    /// The logical time of the call.
    pub now: f64,
    /// Whether there is a result.
    pub done: bool,
    /// The outcome's code.
    pub outcome: String,
    /// For people.
    pub message: Option<String>,
    /// The submission's own outcomes and how often, JSON.
    pub solves: String,
    /// Scoring logs, JSON.
    pub logs: String,
    /// Id of its receipt, if there is one.
    pub receipt: Option<String>,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QueueDepth {
    /// Jobs that wait or run.
    pub jobs: u64,
    /// When the oldest of them was queued.
    pub oldest: Option<f64>,
}

const COLUMNS: &str = "id, challenge, plugin_digest, settings_digest, artifact_digest, engine";

fn key(row: &Row<'_>) -> rusqlite::Result<JobKey> {
    Ok(JobKey {
        challenge: row.get("challenge")?,
        plugin_digest: row.get("plugin_digest")?,
        settings_digest: row.get("settings_digest")?,
        artifact_digest: row.get("artifact_digest")?,
        engine: row.get("engine")?,
    })
}

impl Store {
    /// Queues a job, unless there is one with its key. Returns whether it is
    /// new.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn enqueue(
        &self,
        key: JobKey,
        seed: u64,
        logical_now: f64,
        queued_at: f64,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let added = tx
                .prepare_cached(
                    "INSERT OR IGNORE INTO evaluations (challenge, plugin_digest, settings_digest,
                         artifact_digest, engine, seed, now, queued_at, not_before)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                )?
                .execute((
                    key.challenge,
                    key.plugin_digest,
                    key.settings_digest,
                    key.artifact_digest,
                    key.engine,
                    seed.cast_signed(),
                    logical_now,
                    queued_at,
                ))?;
            Ok(added == 1)
        })
        .await
    }

    /// Leases a job that may run now, to `lease`: one of the challenge with the
    /// fewest jobs running, and of these the one that waits longest.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn lease(&self, lease: String, now: f64) -> Result<Option<Job>, StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE evaluations SET state = 'leased', lease = ?1, attempts = attempts + 1
                 WHERE id = (SELECT id FROM evaluations e
                     WHERE state = 'queued' AND not_before <= ?2
                     ORDER BY (SELECT count(*) FROM evaluations r
                         WHERE r.state = 'leased' AND +r.challenge = e.challenge), not_before, id
                     LIMIT 1)
                 RETURNING {COLUMNS}, seed, now, attempts, queued_at"
            );
            let job = tx
                .prepare_cached(&sql)?
                .query_row((lease, now), |row| {
                    Ok(Job {
                        id: row.get("id")?,
                        key: key(row)?,
                        seed: row.get::<_, i64>("seed")?.cast_unsigned(),
                        now: row.get("now")?,
                        attempts: row.get("attempts")?,
                        queued_at: row.get("queued_at")?,
                    })
                })
                .optional()?;
            Ok(job)
        })
        .await
    }

    /// Returns every job that is leased to somebody else than `lease`: a host
    /// that has the data directory knows that nobody else is alive. To be cut short
    /// is no attempt, unless it happens so often that the job may be the reason.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn return_leases(&self, lease: String) -> Result<usize, StoreError> {
        self.write(move |tx| {
            Ok(tx.execute(
                "UPDATE evaluations SET state = 'queued', lease = NULL,
                     attempts = attempts - (cut_short < 1000), cut_short = cut_short + 1
                 WHERE state = 'leased' AND lease IS NOT ?1",
                [lease],
            )?)
        })
        .await
    }

    /// Has nothing wait for a time after `latest`: for a clock that was set back.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn bring_forward(&self, latest: f64) -> Result<(), StoreError> {
        self.write(move |tx| {
            for (table, column) in [
                ("evaluations", "not_before"),
                ("commits", "judge_not_before"),
                ("outbox", "not_before"),
            ] {
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {column} > ?1");
                tx.execute(&sql, [latest])?;
            }
            Ok(())
        })
        .await
    }

    /// Returns a job, to be tried again from `not_before` on.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn return_job(
        &self,
        job: i64,
        lease: String,
        not_before: f64,
        outcome: &'static str,
        message: String,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE evaluations SET state = 'queued', lease = NULL, not_before = ?3,
                     outcome = ?4, message = ?5
                 WHERE id = ?1 AND state = 'leased' AND lease = ?2",
                (job, lease, not_before, outcome, message),
            )?;
            Ok(())
        })
        .await
    }

    /// Returns a job that was not begun, to be taken up from `not_before` on. It was no
    /// attempt.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_off_job(
        &self,
        job: i64,
        lease: String,
        not_before: f64,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE evaluations SET state = 'queued', lease = NULL, not_before = ?3,
                     attempts = attempts - 1
                 WHERE id = ?1 AND state = 'leased' AND lease = ?2",
                (job, lease, not_before),
            )?;
            Ok(())
        })
        .await
    }

    /// Has a job that was put off wait no longer than until `not_before`. Tells whether
    /// it waits.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn bring_job_forward(&self, job: i64, not_before: f64) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let changed = tx.execute(
                "UPDATE evaluations SET not_before = min(not_before, ?2)
                 WHERE id = ?1 AND state = 'queued'",
                (job, not_before),
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Stores a job's result, once, with what is kept with it. Returns whether this was
    /// the first; if not, nothing is kept.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finish_job(
        &self,
        job: i64,
        lease: String,
        result: EvaluationResult,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let changed = tx.execute(
                "UPDATE evaluations SET state = ?3, lease = NULL, outcome = ?4, message = ?5,
                     solves = ?6, logs = ?7, fuel = ?8, finished_at = ?9, receipt = ?10
                 WHERE id = ?1 AND state = 'leased' AND lease = ?2",
                (
                    job,
                    lease,
                    if result.done { "done" } else { "failed" },
                    result.outcome,
                    result.message,
                    result.solves,
                    result.logs,
                    result.fuel.cast_signed(),
                    result.finished_at,
                    result.receipt,
                ),
            )?;
            if changed == 1 {
                keep(tx, &result.kept)?;
            }
            Ok(changed == 1)
        })
        .await
    }

    /// The evaluation with this key, if it has ended.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn evaluation(&self, key: JobKey) -> Result<Option<EvaluationRow>, StoreError> {
        let key = (
            key.challenge,
            key.plugin_digest,
            key.settings_digest,
            key.artifact_digest,
            key.engine,
        );
        self.ended_where(
            "challenge = ?1 AND plugin_digest = ?2 AND settings_digest = ?3
                 AND artifact_digest = ?4 AND engine = ?5",
            key,
        )
        .await
    }

    /// The evaluation with this number, if it has ended.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn evaluation_by_id(&self, id: i64) -> Result<Option<EvaluationRow>, StoreError> {
        self.ended_where("id = ?1", (id,)).await
    }

    async fn ended_where(
        &self,
        clause: &'static str,
        parameters: impl rusqlite::Params + Send + 'static,
    ) -> Result<Option<EvaluationRow>, StoreError> {
        self.read(move |connection| {
            let sql =
                format!("SELECT * FROM evaluations WHERE state IN ('done', 'failed') AND {clause}");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row(parameters, evaluation).optional()?)
        })
        .await
    }

    /// How many attempts the job with this key has had in vain, if it waits or runs.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn pending_attempts(&self, key: JobKey) -> Result<Option<u32>, StoreError> {
        self.read(move |connection| {
            let attempts = connection
                .prepare_cached(
                    "SELECT attempts - (state = 'leased') FROM evaluations
                     WHERE challenge = ?1 AND plugin_digest = ?2
                         AND settings_digest = ?3 AND artifact_digest = ?4 AND engine = ?5
                         AND state IN ('queued', 'leased')",
                )?
                .query_row(
                    (
                        key.challenge,
                        key.plugin_digest,
                        key.settings_digest,
                        key.artifact_digest,
                        key.engine,
                    ),
                    |row| row.get(0),
                )
                .optional()?;
            Ok(attempts)
        })
        .await
    }

    /// Drops jobs that wait for what is not `active` any more: each names a
    /// challenge with its version and engine; the artifact is not looked at. They
    /// are queued again should it come back.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn drop_retired(&self, active: Vec<JobKey>) -> Result<usize, StoreError> {
        self.write(move |tx| {
            let waiting: Vec<(i64, JobKey)> = tx
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM evaluations WHERE state = 'queued'"
                ))?
                .query_map([], |row| Ok((row.get("id")?, key(row)?)))?
                .collect::<Result<_, _>>()?;
            let mut dropped = 0;
            for (id, waiting) in waiting {
                let artifact_digest = &waiting.artifact_digest;
                let serves = |active: &JobKey| {
                    let artifact_digest = artifact_digest.clone();
                    waiting
                        == JobKey {
                            artifact_digest,
                            ..active.clone()
                        }
                };
                if !active.iter().any(serves) {
                    dropped += tx.execute("DELETE FROM evaluations WHERE id = ?1", [id])?;
                }
            }
            Ok(dropped)
        })
        .await
    }

    /// Queues a job again that was given up because something was not there, with
    /// this many attempts behind it. Returns whether it was.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn revive(&self, job: i64, attempts: u32, now: f64) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let changed = tx.execute(
                "UPDATE evaluations SET state = 'queued', attempts = ?3, queued_at = ?2,
                     not_before = ?2
                 WHERE id = ?1 AND state = 'failed' AND outcome = 'unavailable'",
                (job, now, attempts),
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// How much waits.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn queue_depth(&self) -> Result<QueueDepth, StoreError> {
        self.read(|connection| {
            let depth = connection
                .prepare_cached(
                    "SELECT count(*), min(queued_at) FROM evaluations
                     WHERE state IN ('queued', 'leased')",
                )?
                .query_row([], |row| {
                    Ok(QueueDepth {
                        jobs: row.get(0)?,
                        oldest: row.get(1)?,
                    })
                })?;
            Ok(depth)
        })
        .await
    }
}

fn evaluation(row: &Row<'_>) -> rusqlite::Result<EvaluationRow> {
    Ok(EvaluationRow {
        id: row.get("id")?,
        key: key(row)?,
        seed: row.get::<_, i64>("seed")?.cast_unsigned(),
        now: row.get("now")?,
        done: row.get_ref("state")?.as_str()? == "done",
        outcome: row.get("outcome")?,
        message: row.get("message")?,
        solves: row.get("solves")?,
        logs: row.get("logs")?,
        receipt: row.get("receipt")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(artifact: &str) -> JobKey {
        JobKey {
            challenge: "c".into(),
            plugin_digest: "p".into(),
            settings_digest: "s".into(),
            artifact_digest: artifact.into(),
            engine: "e".into(),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    fn result(done: bool, outcome: &'static str) -> EvaluationResult {
        EvaluationResult {
            outcome,
            done,
            message: None,
            solves: "{}".into(),
            logs: "[]".into(),
            fuel: 0,
            finished_at: 0.0,
            receipt: None,
            kept: Kept::default(),
        }
    }

    async fn lease(store: &Store, lease: &str, now: f64) -> Option<Job> {
        store.lease(lease.into(), now).await.unwrap()
    }

    #[tokio::test]
    async fn a_job_that_is_put_off_was_not_tried() {
        let (_directory, store) = store();
        assert!(store.enqueue(key("a"), 1, 0.0, 0.0).await.unwrap());
        let job = lease(&store, "me", 0.0).await.unwrap();
        let theirs = store.put_off_job(job.id, "you".into(), 0.0);
        theirs.await.unwrap();
        assert!(lease(&store, "you", 0.0).await.is_none());
        let mine = store.put_off_job(job.id, "me".into(), 5.0);
        mine.await.unwrap();
        assert!(lease(&store, "me", 4.9).await.is_none());
        assert!(store.bring_job_forward(job.id, 2.0).await.unwrap());
        assert!(store.bring_job_forward(job.id, 9.0).await.unwrap());
        assert!(lease(&store, "me", 1.9).await.is_none());
        assert_eq!(lease(&store, "me", 2.0).await.unwrap().attempts, 1);
        assert!(!store.bring_job_forward(job.id, 0.0).await.unwrap());
    }

    #[tokio::test]
    async fn a_job_is_stored_once_per_key_and_leased_to_one() {
        let (_directory, store) = store();
        assert!(store.enqueue(key("a"), 1, 0.0, 1.0).await.unwrap());
        assert!(!store.enqueue(key("a"), 2, 0.0, 2.0).await.unwrap());
        assert!(
            lease(&store, "me", 0.5).await.is_none(),
            "not before its time"
        );
        let job = lease(&store, "me", 1.0).await.unwrap();
        assert_eq!((job.seed, job.attempts), (1, 1));
        assert!(lease(&store, "you", 1.0).await.is_none());
        let stored = store.finish_job(job.id, "you".into(), result(true, "ok"));
        assert!(!stored.await.unwrap(), "it is not theirs to finish");
        assert!(
            store
                .finish_job(job.id, "me".into(), result(true, "ok"))
                .await
                .unwrap()
        );
        assert!(
            !store
                .finish_job(job.id, "me".into(), result(true, "ok"))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn what_a_dead_host_held_is_taken_up() {
        let (_directory, store) = store();
        store.enqueue(key("a"), 1, 0.0, 0.0).await.unwrap();
        lease(&store, "dead", 0.0).await.unwrap();
        assert_eq!(store.return_leases("me".into()).await.unwrap(), 1);
        let job = lease(&store, "me", 0.0).await.unwrap();
        assert_eq!(job.attempts, 1, "to be cut short is no attempt");
        assert_eq!(store.return_leases("me".into()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_challenge_with_many_jobs_does_not_keep_others_waiting() {
        let (_directory, store) = store();
        for artifact in ["a", "b", "c"] {
            store.enqueue(key(artifact), 1, 0.0, 0.0).await.unwrap();
        }
        let other = JobKey {
            challenge: "other".into(),
            ..key("d")
        };
        store.enqueue(other.clone(), 1, 0.0, 1.0).await.unwrap();
        assert_eq!(lease(&store, "me", 2.0).await.unwrap().key, key("a"));
        assert_eq!(lease(&store, "me", 2.0).await.unwrap().key, other);
        assert_eq!(lease(&store, "me", 2.0).await.unwrap().key, key("b"));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_does_not_put_jobs_off() {
        let (_directory, store) = store();
        store.enqueue(key("a"), 1, 0.0, 90_000.0).await.unwrap();
        assert!(lease(&store, "me", 100.0).await.is_none());
        store.bring_forward(50.0).await.unwrap();
        assert!(lease(&store, "me", 100.0).await.is_some());
    }

    #[tokio::test]
    async fn only_what_was_unavailable_is_revived() {
        let (_directory, store) = store();
        for (artifact, outcome, revived) in [("a", "unavailable", true), ("b", "trap", false)] {
            store.enqueue(key(artifact), 1, 0.0, 0.0).await.unwrap();
            let job = lease(&store, "me", 0.0).await.unwrap();
            store
                .finish_job(job.id, "me".into(), result(false, outcome))
                .await
                .unwrap();
            assert_eq!(
                store.revive(job.id, 3, 1.0).await.unwrap(),
                revived,
                "{outcome}"
            );
        }
        assert_eq!(lease(&store, "me", 1.0).await.unwrap().attempts, 4);
    }

    #[tokio::test]
    async fn jobs_of_a_retired_version_are_dropped() {
        let (_directory, store) = store();
        let retired = JobKey {
            plugin_digest: "old".into(),
            ..key("a")
        };
        store.enqueue(key("a"), 1, 0.0, 0.0).await.unwrap();
        store.enqueue(retired, 1, 0.0, 0.0).await.unwrap();
        assert_eq!(store.drop_retired(vec![key("")]).await.unwrap(), 1);
        assert_eq!(lease(&store, "me", 0.0).await.unwrap().key, key("a"));
    }
}
