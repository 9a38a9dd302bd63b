//! Commits: every version of every miner's, and how far it has come.

use super::commit_row::{CommitRow, CommitState};
use super::{Store, StoreError};
use rusqlite::{Transaction, named_params};

/// A version of a commit, as the validators know it by now.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The challenge.
    pub challenge: String,
    /// The miner's hotkey.
    pub miner_hotkey: String,
    /// The miner's uid.
    pub miner_uid: u16,
    /// What was published.
    pub encrypted_commit: String,
    /// When, in seconds since the Unix epoch.
    pub committed_at: Option<f64>,
    /// A key that opens it.
    pub key: Option<String>,
}

/// What taking versions in came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Versions not known before.
    pub new: u64,
    /// Versions of which more is known now.
    pub updated: u64,
}

/// A verdict to be stored.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The commit.
    pub commit: i64,
    /// Score, penalty, acceptance and reason.
    pub score: f64,
    /// 0 to 1.
    pub penalty: f64,
    /// Whether it may earn.
    pub accepted: bool,
    /// For people.
    pub reason: Option<String>,
    /// What it was compared with, JSON.
    pub comparisons: String,
    /// When, in seconds since the Unix epoch.
    pub judged_at: f64,
}

/// The next revision; each statement that changes a commit takes one.
const NEXT_REVISION: &str = "(SELECT ifnull(max(revision), 0) + 1 FROM commits)";

impl Store {
    /// Keeps a validator's document, replacing its last one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_view(
        &self,
        validator_uid: u16,
        validator_hotkey: String,
        document: Vec<u8>,
        received_at: f64,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO validator_views VALUES (?1, ?2, ?3, ?4)",
                (validator_uid, validator_hotkey, document, received_at),
            )?;
            Ok(())
        })
        .await
    }

    /// Every validator's last document, as (uid, hotkey, document), by uid.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn views(&self) -> Result<Vec<(u16, String, Vec<u8>)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT validator_uid, validator_hotkey, document FROM validator_views ORDER BY 1",
            )?;
            let views =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(views.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Takes versions in. What is known stays; the earliest time and the first
    /// key are kept, unless the version is no longer sealed.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_versions(&self, versions: Vec<NewVersion>) -> Result<Ingested, StoreError> {
        self.write(move |tx| {
            let mut ingested = Ingested::default();
            for version in versions {
                put_version(tx, &version, &mut ingested)?;
            }
            Ok(ingested)
        })
        .await
    }

    /// Counts faults, as (validator uid, miner hotkey, challenge, code).
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn count_faults(
        &self,
        faults: Vec<(u16, String, String, &'static str)>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO commit_faults VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT DO UPDATE SET count = count + 1",
            )?;
            for fault in faults {
                statement.execute(fault)?;
            }
            Ok(())
        })
        .await
    }

    /// How many faults each validator was counted for, by (uid, code).
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn faults(&self) -> Result<Vec<(u16, String, u64)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT validator_uid, code, sum(count) FROM commit_faults GROUP BY 1, 2 ORDER BY 1, 2",
            )?;
            let faults =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(faults.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Commits in a state, by challenge, time of commit, and hotkey.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_in(&self, state: CommitState) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_where(
            "state = :value ORDER BY challenge, committed_at, miner_hotkey, id",
            state.name().to_owned(),
        )
        .await
    }

    /// Commits of a challenge, by time of commit and hotkey.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_of(&self, challenge: &str) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_where(
            "challenge = :value ORDER BY committed_at, miner_hotkey, id",
            challenge.to_owned(),
        )
        .await
    }

    /// The commit with this number.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; it is one if there is no such commit.
    pub async fn commit(&self, id: i64) -> Result<CommitRow, StoreError> {
        let found = self.commits_where("id = :value", id).await?;
        let missing = || StoreError::Corrupt(format!("no commit {id}"));
        found.into_iter().next().ok_or_else(missing)
    }

    /// Commits that changed after `revision`, in order of change, at most 1,000.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_since(&self, revision: i64) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_where("revision > :value ORDER BY revision LIMIT 1000", revision)
            .await
    }

    /// How many commits there are, by challenge and state.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commit_counts(&self) -> Result<Vec<(String, CommitState, i64)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT challenge, state, count(*) FROM commits GROUP BY 1, 2 ORDER BY 1, 2",
            )?;
            let mut rows = statement.query([])?;
            let mut counts = Vec::new();
            while let Some(row) = rows.next()? {
                let state = CommitState::from_name(row.get_ref(1)?.as_str().unwrap_or_default())?;
                counts.push((row.get(0)?, state, row.get(2)?));
            }
            Ok(counts)
        })
        .await
    }

    async fn commits_where(
        &self,
        clause: &'static str,
        value: impl rusqlite::ToSql + Send + 'static,
    ) -> Result<Vec<CommitRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!("SELECT * FROM commits WHERE {clause}");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(named_params! {":value": value})?;
            let mut commits = Vec::new();
            while let Some(row) = rows.next()? {
                commits.push(CommitRow::read(row)?);
            }
            Ok(commits)
        })
        .await
    }

    /// Opens a sealed commit.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn reveal(
        &self,
        commit: i64,
        text: String,
        artifact: String,
        artifact_digest: String,
        batch_day: String,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE commits SET state = 'revealed', text = ?2, artifact = ?3,
                     artifact_digest = ?4, batch_day = ?5, revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = 'sealed'"
            );
            tx.execute(&sql, (commit, text, artifact, artifact_digest, batch_day))?;
            Ok(())
        })
        .await
    }

    /// Refuses a sealed commit for good.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn refuse(&self, commit: i64, fault: String) -> Result<(), StoreError> {
        self.move_commit(commit, "refused", "sealed", Some(fault), None)
            .await
    }

    /// Links a revealed commit, or one that failed before, to the evaluation of
    /// its artifact.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn set_evaluated(&self, commit: i64, evaluation: i64) -> Result<(), StoreError> {
        self.move_commit(commit, "evaluated", "revealed", None, Some(evaluation))
            .await
    }

    /// Marks a commit that its challenge cannot evaluate or judge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn set_failed(&self, commit: &CommitRow, fault: String) -> Result<(), StoreError> {
        self.move_commit(commit.id, "failed", commit.state.name(), Some(fault), None)
            .await
    }

    /// Has a failed commit tried again.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn retry(&self, commit: i64) -> Result<(), StoreError> {
        self.move_commit(commit, "revealed", "failed", None, None)
            .await
    }

    async fn move_commit(
        &self,
        commit: i64,
        to: &'static str,
        from: &'static str,
        fault: Option<String>,
        evaluation: Option<i64>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE commits SET state = ?2, fault = ?4,
                     evaluation_id = ifnull(?5, evaluation_id), revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = ?3"
            );
            tx.execute(&sql, (commit, to, from, fault, evaluation))?;
            Ok(())
        })
        .await
    }

    /// Notes an attempt to judge a commit that came to nothing; the next is not
    /// before `not_before`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_off_judging(&self, commit: i64, not_before: f64) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE commits SET judge_attempts = judge_attempts + 1, judge_not_before = ?2
                 WHERE id = ?1 AND state = 'evaluated'",
                (commit, not_before),
            )?;
            Ok(())
        })
        .await
    }

    /// Stores a verdict, once. Returns whether this was the first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn set_judged(&self, judged: Judged) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE commits SET state = 'judged', score = ?2, penalty = ?3, accepted = ?4,
                     reason = ?5, comparisons = ?6, judged_at = ?7, revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = 'evaluated'"
            );
            let changed = tx.execute(
                &sql,
                (
                    judged.commit,
                    judged.score,
                    judged.penalty,
                    judged.accepted,
                    judged.reason,
                    judged.comparisons,
                    judged.judged_at,
                ),
            )?;
            Ok(changed == 1)
        })
        .await
    }
}

fn put_version(
    tx: &Transaction<'_>,
    version: &NewVersion,
    ingested: &mut Ingested,
) -> Result<(), StoreError> {
    let insert = format!(
        "INSERT OR IGNORE INTO commits
             (challenge, miner_hotkey, miner_uid, encrypted_commit, committed_at, key, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, {NEXT_REVISION})"
    );
    let parameters = (
        &version.challenge,
        &version.miner_hotkey,
        version.miner_uid,
        &version.encrypted_commit,
        version.committed_at,
        &version.key,
    );
    if tx.prepare_cached(&insert)?.execute(parameters)? == 1 {
        ingested.new += 1;
        return Ok(());
    }
    let update = format!(
        "UPDATE commits SET
             miner_uid = ?3,
             committed_at = CASE WHEN state = 'sealed'
                 THEN min(ifnull(committed_at, ?5), ifnull(?5, committed_at))
                 ELSE committed_at END,
             key = ifnull(key, ?6),
             revision = {NEXT_REVISION}
         WHERE challenge = ?1 AND miner_hotkey = ?2 AND encrypted_commit = ?4
             AND (miner_uid IS NOT ?3
                 OR (key IS NULL AND ?6 IS NOT NULL)
                 OR (state = 'sealed' AND ?5 IS NOT NULL
                     AND (committed_at IS NULL OR ?5 < committed_at)))"
    );
    ingested.updated += tx.prepare_cached(&update)?.execute(parameters)? as u64;
    Ok(())
}
