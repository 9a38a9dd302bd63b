//! Commits: every version of every miner's, and how far it has come.

use super::commit_row::{CommitRow, CommitState};
use super::events::{self, NewEvent};
use super::outbox::{self, Notice};
use super::{Store, StoreError};
use rusqlite::named_params;

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
    /// Id of its receipt, if there is one.
    pub receipt: Option<String>,
}

/// A step of a commit, with what is told of it.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The commit.
    pub commit: i64,
    /// The evaluation of its artifact.
    pub evaluation: i64,
    /// What happened.
    pub event: NewEvent,
    /// Who is to be told.
    pub notices: Vec<Notice>,
}

/// SQL: the first day that a challenge, an expression, may still be finalized on.
pub(super) fn open_day(challenge: &str) -> String {
    format!(
        "max(
        ifnull((SELECT date(max(day), '+1 day') FROM finalizations f
                WHERE f.challenge = {challenge}), ''),
        ifnull((SELECT first_day FROM challenges WHERE name = {challenge}), ''))"
    )
}

/// The next revision; each statement that changes a commit takes one.
pub(super) const NEXT_REVISION: &str = "(SELECT ifnull(max(revision), 0) + 1 FROM commits)";

impl Store {
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

    /// Sealed commits with a key that were committed no later than `latest`, by
    /// time of commit.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn ripe_commits(&self, latest: f64) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_where(
            "state = 'sealed' AND key IS NOT NULL AND committed_at <= :value
             ORDER BY committed_at, miner_hotkey, id",
            latest,
        )
        .await
    }

    /// Evaluated commits that were compared with nothing yet, by challenge and
    /// time of commit.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_to_compare(&self, now: f64) -> Result<Vec<CommitRow>, StoreError> {
        self.commits_where(
            "state = 'evaluated' AND comparisons IS NULL AND judge_not_before <= :value
             ORDER BY challenge, committed_at, miner_hotkey, id",
            now,
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

    /// Opens a sealed commit. It belongs to `batch_day`, or to the first later day
    /// that its challenge is not finalized on.
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
            let open_day = open_day("commits.challenge");
            let sql = format!(
                "UPDATE commits SET state = 'revealed', text = ?2, artifact = ?3,
                     artifact_digest = ?4, batch_day = max(?5, {open_day}),
                     revision = {NEXT_REVISION}
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
        self.move_commit(commit, "refused", "sealed", Some(fault))
            .await
    }

    /// Links a revealed commit to the evaluation of its artifact.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn set_evaluated(&self, linked: Linked) -> Result<(), StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE commits SET state = 'evaluated', fault = NULL, evaluation_id = ?2,
                     comparisons = NULL, judge_attempts = 0, judge_not_before = 0,
                     revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = 'revealed'"
            );
            if tx.execute(&sql, (linked.commit, linked.evaluation))? == 0 {
                return Ok(());
            }
            events::put(tx, &linked.event)?;
            let mut notices = linked.notices.iter();
            notices.try_for_each(|notice| outbox::put(tx, notice, linked.event.at))
        })
        .await
    }

    /// Stores what an evaluated commit was compared with, JSON, before it is
    /// judged.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn set_compared(
        &self,
        commit: i64,
        comparisons: String,
        event: Option<NewEvent>,
        notices: Vec<Notice>,
        now: f64,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE commits SET comparisons = ?2, revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = 'evaluated'"
            );
            if tx.execute(&sql, (commit, comparisons))? == 0 {
                return Ok(());
            }
            event.iter().try_for_each(|event| events::put(tx, event))?;
            let mut notices = notices.iter();
            notices.try_for_each(|notice| outbox::put(tx, notice, now))
        })
        .await
    }

    /// Marks a commit that its challenge cannot evaluate or judge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn set_failed(&self, commit: &CommitRow, fault: String) -> Result<(), StoreError> {
        self.move_commit(commit.id, "failed", commit.state.name(), Some(fault))
            .await
    }

    /// Has a failed commit tried again, for the next day that is not finalized.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn retry(&self, commit: i64) -> Result<(), StoreError> {
        self.write(move |tx| {
            let open_day = open_day("commits.challenge");
            let sql = format!(
                "UPDATE commits SET state = 'revealed', fault = NULL,
                     batch_day = max(batch_day, {open_day}), revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = 'failed'"
            );
            tx.execute(&sql, [commit])?;
            Ok(())
        })
        .await
    }

    async fn move_commit(
        &self,
        commit: i64,
        to: &'static str,
        from: &'static str,
        fault: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE commits SET state = ?2, fault = ?4, revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = ?3"
            );
            tx.execute(&sql, (commit, to, from, fault))?;
            Ok(())
        })
        .await
    }

    /// Has an evaluated commit compared with earlier days not before `not_before`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_off_comparing(&self, commit: i64, not_before: f64) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE commits SET judge_not_before = ?2 WHERE id = ?1 AND state = 'evaluated'",
                (commit, not_before),
            )?;
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
}
