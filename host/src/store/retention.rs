//! Taking out what is kept no more.

use super::backup::{Ended, rows_with, told};
use super::{CommitRow, Store, StoreError, connect, meta};
use rusqlite::{Connection, OpenFlags, Transaction};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io;

/// Every commit, with: the last time that anybody claims for it, in seconds since the
/// Unix epoch; when its day was finalized; and whether somebody is still to be told of
/// it.
const SURVEY: &str = "SELECT c.*,
    ifnull((SELECT max(iif(claimed_at > 0, claimed_at, heard_at)) FROM sightings
            WHERE commit_id = c.id), 0) AS last_claim,
    (SELECT finalized_at FROM finalizations f
     WHERE f.challenge = c.challenge AND f.day = ifnull(c.finalized_day, c.batch_day))
        AS day_closed_at,
    EXISTS (SELECT 1 FROM outbox
        WHERE (kind = 'commit' AND subject = CAST(c.id AS TEXT))
            OR (kind = 'score' AND subject = CAST(c.evaluation_id AS TEXT))
            OR (kind = 'archive'
                AND subject = c.challenge || '/' || ifnull(c.finalized_day, c.batch_day)))
        AS to_be_told
    FROM commits c ORDER BY c.id";

/// What validators publish; another text whenever one of them said something.
const VIEWS: &str = "SELECT ifnull(group_concat(concat_ws(' ', validator_uid, received_at)), '')
    FROM validator_views";

/// Evaluations that ended, of the artifact of a commit.
const ITS_EVALUATIONS: &str = "SELECT e.* FROM commits c JOIN evaluations e
        ON e.challenge = c.challenge AND e.artifact_digest = c.artifact_digest
    WHERE c.id = ?1 AND e.state IN ('done', 'failed')";

impl Store {
    /// Every commit without its comparisons, in order of their numbers, each with: the
    /// last time that anybody claims for it; when its day was finalized, if it was; and
    /// whether somebody is still to be told of it. Beside them a text that is another
    /// whenever a validator said something. Reads all commits.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn survey(
        &self,
    ) -> Result<(Vec<(CommitRow, f64, Option<f64>, bool)>, String), StoreError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached(SURVEY)?;
            let mut rows = statement.query([])?;
            let mut commits = Vec::new();
            while let Some(row) = rows.next()? {
                let mut commit = CommitRow::read(row)?;
                commit.comparisons = None;
                let closed_at = row.get("day_closed_at")?;
                commits.push((
                    commit,
                    row.get("last_claim")?,
                    closed_at,
                    row.get("to_be_told")?,
                ));
            }
            Ok((commits, views(&transaction)?))
        })
        .await
    }

    /// Days of the ledger, as (day, challenge), from before a day and finalized before
    /// a time, that still have their standings and results, and a vector; and that
    /// nobody is to be told of.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn full_days(
        &self,
        before: String,
        finalized_before: f64,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT day, challenge FROM finalizations WHERE day < ?1 AND finalized_at < ?2
                     AND (standings <> '[]' OR results <> '[]')
                     AND day <= (SELECT max(day) FROM weight_vectors)
                     AND NOT EXISTS (SELECT 1 FROM outbox
                         WHERE kind = 'archive' AND subject = challenge || '/' || day)
                 ORDER BY 1, 2",
            )?;
            let days = statement.query_map((before, finalized_before), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            Ok(days.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Gives commits, with the sightings, evaluations and comparisons of each, and days
    /// of the ledger, as (day, challenge), to `each`: (table, what names the row in it,
    /// the row). A row may be given more than once.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; within, the first error of `each`.
    pub async fn extract<S: Send + 'static>(
        &self,
        mut sink: S,
        commits: Vec<i64>,
        ledger: Vec<(String, String)>,
        each: impl Fn(&mut S, &'static str, String, Map<String, Value>) -> io::Result<()>
        + Send
        + 'static,
    ) -> Result<io::Result<S>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.unchecked_transaction()?;
            let extract = || {
                let mut give = |table, key: &[&str], row: Map<String, Value>| {
                    let key: Vec<String> = key.iter().map(|name| text(row.get(*name))).collect();
                    Ok(each(&mut sink, table, key.join("/"), row)?)
                };
                for commit in commits {
                    extract_commit(&transaction, commit, &mut give)?;
                }
                for day in ledger {
                    let sql = "SELECT * FROM finalizations WHERE day = ?1 AND challenge = ?2";
                    rows_with(&transaction, sql, day, |row| {
                        give("finalizations", &["day", "challenge"], row)
                    })?;
                }
                Ok(())
            };
            let done = extract();
            told(done.map(|()| sink))
        })
        .await
    }

    /// Removes commits, as (number, revision), with their sightings, and the evaluations
    /// and comparisons that are then of no commit any more; takes standings and results
    /// out of days of the ledger, as (day, challenge); and has commits from before
    /// `kept_from` refused from then on. In one piece.
    ///
    /// Commits that have changed since stay, and so do the last one and the one that
    /// changed last: their numbers are not to be given again. Returns (challenge,
    /// ciphertext) of those that are gone; none, and nothing has changed, if a validator
    /// said something after `views` was read.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn remove(
        &self,
        commits: Vec<(i64, i64)>,
        ledger: Vec<(String, String)>,
        views: String,
        kept_from: f64,
    ) -> Result<Option<Vec<(String, String)>>, StoreError> {
        self.write(move |tx| {
            if self::views(tx)? != views {
                return Ok(None);
            }
            let mut gone = Vec::new();
            let mut artifacts = BTreeSet::new();
            for (id, revision) in commits {
                let removed = tx
                    .prepare_cached(
                        "DELETE FROM commits WHERE id = ?1 AND revision = ?2
                             AND id < (SELECT max(id) FROM commits)
                             AND revision < (SELECT max(revision) FROM commits)
                         RETURNING challenge, encrypted_commit, artifact_digest",
                    )?
                    .query_map((id, revision), |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?))
                    })?
                    .collect::<Result<Vec<(String, String, _)>, _>>()?;
                for (challenge, encrypted, artifact) in removed {
                    forget_told(tx, "commit", id)?;
                    artifacts.extend(artifact.map(|artifact| (challenge.clone(), artifact)));
                    gone.push((challenge, encrypted));
                }
            }
            for (challenge, artifact) in artifacts {
                remove_evaluations(tx, &challenge, &artifact)?;
            }
            let mut strip = tx.prepare_cached(
                "UPDATE finalizations SET standings = '[]', results = '[]'
                 WHERE day = ?1 AND challenge = ?2",
            )?;
            for day in ledger {
                strip.execute(day)?;
            }
            if !gone.is_empty() {
                meta::keep_from(tx, kept_from)?;
            }
            Ok(Some(gone))
        })
        .await
    }

    /// Moves what was written last from the log into the database, and empties the log,
    /// unless others are reading. Returns the bytes that both have on disk.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn checkpoint(&self) -> Result<u64, StoreError> {
        self.alone(|connection| {
            Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })
        .await
    }

    /// Writes the database anew, without the room that was left by what is gone. Takes
    /// as much room again while it does. Returns the bytes that it then has on disk.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; among them, that another process has the database.
    pub async fn vacuum(&self) -> Result<u64, StoreError> {
        self.alone(|connection| {
            connection.execute_batch("VACUUM")?;
            Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })
        .await
    }

    /// Runs `work` on a connection outside of any transaction, then looks how large
    /// the files are.
    async fn alone(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<u64, StoreError> {
        let path = self.0.path.clone();
        let worked = tokio::task::spawn_blocking(move || {
            work(&connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?)?;
            let mut log = path.clone().into_os_string();
            log.push("-wal");
            let size =
                |path: &std::path::Path| std::fs::metadata(path).map_or(0, |file| file.len());
            Ok(size(&path) + size(log.as_ref()))
        });
        worked.await.map_err(|_| StoreError::Stopped)?
    }
}

fn views(connection: &Connection) -> Result<String, StoreError> {
    Ok(connection.query_row(VIEWS, [], |row| row.get(0))?)
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

type Give<'a> = dyn FnMut(&'static str, &[&str], Map<String, Value>) -> Result<(), Ended> + 'a;

fn extract_commit(connection: &Connection, commit: i64, give: &mut Give<'_>) -> Result<(), Ended> {
    let sql = "SELECT * FROM commits WHERE id = ?1";
    rows_with(connection, sql, [commit], |row| {
        give("commits", &["id"], row)
    })?;
    let sql = "SELECT * FROM sightings WHERE commit_id = ?1";
    rows_with(connection, sql, [commit], |row| {
        give(
            "sightings",
            &["commit_id", "validator_hotkey", "claimed_at"],
            row,
        )
    })?;
    let mut evaluations = Vec::new();
    rows_with(connection, ITS_EVALUATIONS, [commit], |row| {
        evaluations.extend(row.get("id").and_then(Value::as_i64));
        give("evaluations", &["id"], row)
    })?;
    for evaluation in evaluations {
        let sql = "SELECT * FROM comparisons WHERE candidate = ?1 OR reference = ?1";
        let key = ["plugin_digest", "settings_digest", "candidate", "reference"];
        rows_with(connection, sql, [evaluation], |row| {
            give("comparisons", &key, row)
        })?;
    }
    Ok(())
}

/// Removes the evaluations of an artifact that no commit is left of.
fn remove_evaluations(
    tx: &Transaction<'_>,
    challenge: &str,
    artifact: &str,
) -> Result<(), StoreError> {
    let unneeded: Vec<i64> = tx
        .prepare_cached(
            "SELECT id FROM evaluations WHERE challenge = ?1 AND artifact_digest = ?2
                 AND state IN ('done', 'failed') AND id < (SELECT max(id) FROM evaluations)
                 AND NOT EXISTS (SELECT 1 FROM commits
                     WHERE commits.challenge = ?1 AND commits.artifact_digest = ?2)
                 AND NOT EXISTS (SELECT 1 FROM commits WHERE evaluation_id = evaluations.id)
                 AND NOT EXISTS (SELECT 1 FROM outbox
                     WHERE kind = 'score' AND subject = CAST(evaluations.id AS TEXT))",
        )?
        .query_map((challenge, artifact), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in unneeded {
        tx.prepare_cached("DELETE FROM comparisons WHERE candidate = ?1 OR reference = ?1")?
            .execute([id])?;
        tx.prepare_cached("DELETE FROM evaluations WHERE id = ?1")?
            .execute([id])?;
        forget_told(tx, "score", id)?;
    }
    Ok(())
}

fn forget_told(tx: &Transaction<'_>, kind: &str, subject: i64) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM outbox_sent WHERE kind = ?1 AND subject = ?2")?
        .execute((kind, subject.to_string()))?;
    Ok(())
}
