//! Steps of a submission. Each is one statement that only moves it forward: what the
//! row is in by then decides, not what whoever steps believes.

use super::{NewSubmission, SubmissionState};
use crate::store::events::{self, NewEvent};
use crate::store::{Store, StoreError};
use rusqlite::Transaction;
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;

/// A step forward.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it is then.
    pub to: SubmissionState,
    /// The finalized block that has it, and its hash; if known.
    pub block: Option<(u64, String)>,
    /// What came of it: the chain's name of an error, else a code.
    pub outcome: Option<String>,
    /// What came of it, for people.
    pub message: Option<String>,
    /// When, in seconds since the Unix epoch.
    pub at: f64,
}

impl Step {
    /// A step of which nothing more is to be said.
    #[must_use]
    pub fn to(to: SubmissionState, at: f64) -> Self {
        Step {
            to,
            block: None,
            outcome: None,
            message: None,
            at,
        }
    }
}

/// From where a step is one forward.
fn from(to: SubmissionState) -> &'static str {
    match to {
        SubmissionState::Prepared => "0",
        SubmissionState::Sent => "state = 'prepared'",
        SubmissionState::Included => "state IN ('prepared', 'sent')",
        SubmissionState::Finalized | SubmissionState::Failed | SubmissionState::Expired => {
            "state IN ('prepared', 'sent', 'included')"
        }
        SubmissionState::Confirmed | SubmissionState::Unconfirmed => "state = 'finalized'",
        // Another node may have what was given away before.
        SubmissionState::Rejected => "state = 'prepared' AND sends <= 1",
    }
}

impl Store {
    /// Stores a submission before it is sent, and what is told of it. Returns its
    /// number; none if there is one already of which it is not known what became of it,
    /// or one that revealed the same.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn prepare_submission(
        &self,
        new: NewSubmission,
        event: Option<NewEvent>,
    ) -> Result<Option<i64>, StoreError> {
        self.write(move |tx| {
            let inserted = insert(tx, &new);
            match inserted {
                Ok(id) => {
                    if let Some(event) = event {
                        events::put(tx, &event)?;
                    }
                    Ok(Some(id))
                }
                Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, _)))
                    if error.extended_code == SQLITE_CONSTRAINT_UNIQUE =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Takes a step with a submission, and notes what is told of it. Returns false if
    /// that is none forward: nothing has changed then.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn step_submission(
        &self,
        id: i64,
        step: Step,
        event: Option<NewEvent>,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let sql = format!(
                "UPDATE submissions SET state = ?2, block = ifnull(?3, block),
                     block_hash = ifnull(?4, block_hash), outcome = ?5, message = ?6,
                     updated_at = ?7
                 WHERE id = ?1 AND {}",
                from(step.to)
            );
            let (block, hash) = step.block.map_or((None, None), |(n, h)| (Some(n), Some(h)));
            let stepped = tx.prepare_cached(&sql)?.execute((
                id,
                step.to.name(),
                block,
                hash,
                &step.outcome,
                &step.message,
                step.at,
            ))? > 0;
            if let Some(event) = event.filter(|_| stepped) {
                events::put(tx, &event)?;
            }
            Ok(stepped)
        })
        .await
    }

    /// Notes that the bytes of a submission are about to be given to a node. Returns how
    /// often that is then; none if they are not to be sent any more.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_send(&self, id: i64, now: f64) -> Result<Option<u32>, StoreError> {
        self.write(move |tx| {
            let changed = tx.execute(
                "UPDATE submissions SET sends = sends + 1, updated_at = ?2
                 WHERE id = ?1 AND state IN ('prepared', 'sent', 'included')",
                (id, now),
            )?;
            if changed == 0 {
                return Ok(None);
            }
            let sends = "SELECT sends FROM submissions WHERE id = ?1";
            Ok(Some(tx.query_row(sends, [id], |row| row.get(0))?))
        })
        .await
    }

    /// Notes that the bytes of a submission were given to nobody after all.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_not_sent(&self, id: i64, message: String) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE submissions SET sends = sends - 1, message = ?2
                 WHERE id = ?1 AND sends > 0 AND state = 'prepared'",
                (id, message),
            )?;
            Ok(())
        })
        .await
    }

    /// Notes what is known of a submission that is still open, for people.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_of_submission(&self, id: i64, message: String) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE submissions SET message = ?2
                 WHERE id = ?1 AND state IN ('prepared', 'sent', 'included', 'finalized')",
                (id, message),
            )?;
            Ok(())
        })
        .await
    }

    /// Notes something that happened with weights and is no step of a submission.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_event(&self, event: NewEvent) -> Result<(), StoreError> {
        self.write(move |tx| events::put(tx, &event)).await
    }

    /// Notes up to which finalized block was looked for a submission, or for its
    /// reveal.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_looked(&self, id: i64, block: u64) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE submissions SET looked_at = ?2 WHERE id = ?1 AND looked_at < ?2",
                (id, block),
            )?;
            Ok(())
        })
        .await
    }

    /// Notes in which epoch the chain counts a commit, and when it is revealed: the
    /// epoch, and the block that it is foretold to begin with.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_commit(
        &self,
        id: i64,
        commit_epoch: Option<u64>,
        reveal_epoch: Option<u64>,
        reveal_block: Option<u64>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE submissions SET commit_epoch = ?2, reveal_epoch = ifnull(?3, reveal_epoch),
                     reveal_block = ifnull(?4, reveal_block)
                 WHERE id = ?1",
                (id, commit_epoch, reveal_epoch, reveal_block),
            )?;
            Ok(())
        })
        .await
    }
}

fn insert(tx: &Transaction<'_>, new: &NewSubmission) -> Result<i64, StoreError> {
    let salt = new.salt.as_ref().map(serde_json::to_string).transpose()?;
    tx.prepare_cached(
        "INSERT INTO submissions (genesis, netuid, mechanism, hotkey, uid, kind, commit_id,
             asked_by, vector, uids, \"values\", version_key, salt, commit_hash, reveal_round,
             reveal_epoch, reveal_block, call, spec_version, extrinsic, hash, nonce, born, dies,
             looked_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
             ?19, ?20, ?21, ?22, ?23, ?24, ?23, ?25, ?25)",
    )?
    .execute(rusqlite::params![
        new.key.genesis,
        new.key.netuid,
        new.key.mechanism,
        new.key.hotkey,
        new.uid,
        new.kind.name(),
        new.commit_id,
        new.asked_by.name(),
        new.vector,
        serde_json::to_string(&new.uids)?,
        serde_json::to_string(&new.values)?,
        new.version_key.to_string(),
        salt,
        new.commit_hash,
        new.reveal_round,
        new.reveal_epoch,
        new.reveal_block,
        new.call,
        new.spec_version,
        new.extrinsic,
        new.hash,
        new.nonce,
        new.born,
        new.dies,
        new.created_at,
    ])?;
    Ok(tx.last_insert_rowid())
}
