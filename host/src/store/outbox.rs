//! What others are still to be told. A row says that something changed, not what
//! it is now: that is read when it is told, so a row never grows old.

use super::{Store, StoreError};
use rusqlite::{OptionalExtension, Transaction};

/// Something of which others are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutboxKind {
    /// Scores of an artifact, for the storage service. The subject is the number
    /// of the evaluation.
    Score,
    /// A commit, for the storage service. The subject is its number.
    Commit,
    /// The standings of all challenges, for the storage service. The subject is
    /// empty.
    State,
    /// The public views of a day, for the archive. The subject is
    /// `challenge/day`.
    Archive,
}

impl OutboxKind {
    /// Every kind.
    pub const ALL: [OutboxKind; 4] = [
        OutboxKind::Score,
        OutboxKind::Commit,
        OutboxKind::State,
        OutboxKind::Archive,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            OutboxKind::Score => "score",
            OutboxKind::Commit => "commit",
            OutboxKind::State => "state",
            OutboxKind::Archive => "archive",
        }
    }
}

/// A change, by kind and subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is.
    pub kind: OutboxKind,
    /// Which one.
    pub subject: String,
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Its number: those of a kind are told in this order.
    pub id: i64,
    /// Which one.
    pub subject: String,
    /// When it was queued, in seconds since the Unix epoch.
    pub queued_at: f64,
    /// Attempts to tell it that came to nothing.
    pub attempts: u32,
}

/// How much of a kind waits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OutboxDepth {
    /// Rows.
    pub rows: u64,
    /// When the oldest was queued.
    pub oldest: Option<f64>,
    /// Rows that were refused, and wait for longer.
    pub refused: u64,
}

/// Queues a notice behind all others; one that waits already moves there.
pub(super) fn put(tx: &Transaction<'_>, notice: &Notice, now: f64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO outbox (kind, subject, queued_at) VALUES (?1, ?2, ?3)",
    )?
    .execute((notice.kind.name(), &notice.subject, now))?;
    Ok(())
}

impl Store {
    /// Queues notices.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn notify(&self, notices: Vec<Notice>, now: f64) -> Result<(), StoreError> {
        self.write(move |tx| notices.iter().try_for_each(|notice| put(tx, notice, now)))
            .await
    }

    /// The first rows of a kind that may be told now, in order.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn outbox(
        &self,
        kind: OutboxKind,
        now: f64,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, subject, queued_at, attempts FROM outbox
                 WHERE kind = ?1 AND not_before <= ?2 ORDER BY id LIMIT ?3",
            )?;
            let rows = statement.query_map((kind.name(), now, limit), |row| {
                Ok(OutboxRow {
                    id: row.get(0)?,
                    subject: row.get(1)?,
                    queued_at: row.get(2)?,
                    attempts: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Removes rows that were told, and notes what: (row, subject, digest). A row
    /// that was queued anew meanwhile has another number, and stays.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn told(
        &self,
        kind: OutboxKind,
        rows: Vec<(i64, String, String)>,
        now: f64,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            for (id, subject, digest) in rows {
                tx.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
                tx.execute(
                    "INSERT OR REPLACE INTO outbox_sent VALUES (?1, ?2, ?3, ?4)",
                    (kind.name(), subject, digest, now),
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Notes an attempt that was refused: the row waits until `not_before`, and
    /// those behind it do not.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn refused(
        &self,
        rows: Vec<i64>,
        not_before: f64,
        error: String,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            for id in rows {
                tx.execute(
                    "UPDATE outbox SET attempts = attempts + 1, not_before = ?2, error = ?3
                     WHERE id = ?1",
                    (id, not_before, &error),
                )?;
            }
            Ok(())
        })
        .await
    }

    /// The digest of what was told last of a subject.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn told_digest(
        &self,
        kind: OutboxKind,
        subject: String,
    ) -> Result<Option<String>, StoreError> {
        self.read(move |connection| {
            Ok(connection
                .prepare_cached("SELECT digest FROM outbox_sent WHERE kind = ?1 AND subject = ?2")?
                .query_row((kind.name(), subject), |row| row.get(0))
                .optional()?)
        })
        .await
    }

    /// How much of a kind waits.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn outbox_depth(&self, kind: OutboxKind) -> Result<OutboxDepth, StoreError> {
        self.read(move |connection| {
            let depth = connection
                .prepare_cached(
                    "SELECT count(*), min(queued_at), ifnull(sum(attempts > 0), 0) FROM outbox
                     WHERE kind = ?1",
                )?
                .query_row([kind.name()], |row| {
                    Ok(OutboxDepth {
                        rows: row.get(0)?,
                        oldest: row.get(1)?,
                        refused: row.get(2)?,
                    })
                })?;
            Ok(depth)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(subject: &str) -> Notice {
        Notice {
            kind: OutboxKind::Commit,
            subject: subject.into(),
        }
    }

    async fn subjects(store: &Store, now: f64) -> Vec<String> {
        let rows = store.outbox(OutboxKind::Commit, now, 10).await.unwrap();
        rows.into_iter().map(|row| row.subject).collect()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn what_changes_while_it_is_told_is_told_again() {
        let (_directory, store) = store();
        store
            .notify(vec![notice("a"), notice("b")], 1.0)
            .await
            .unwrap();
        let rows = store.outbox(OutboxKind::Commit, 1.0, 1).await.unwrap();
        store.notify(vec![notice("a")], 2.0).await.unwrap();
        let told = vec![(rows[0].id, "a".to_owned(), "digest".to_owned())];
        store.told(OutboxKind::Commit, told, 2.0).await.unwrap();
        assert_eq!(subjects(&store, 2.0).await, ["b", "a"]);
        let digest = store
            .told_digest(OutboxKind::Commit, "a".into())
            .await
            .unwrap();
        assert_eq!(digest.as_deref(), Some("digest"));
    }

    #[tokio::test]
    async fn what_is_refused_waits_and_holds_nobody_up() {
        let (_directory, store) = store();
        store
            .notify(vec![notice("a"), notice("b")], 1.0)
            .await
            .unwrap();
        let rows = store.outbox(OutboxKind::Commit, 1.0, 1).await.unwrap();
        store
            .refused(vec![rows[0].id], 9.0, "no".into())
            .await
            .unwrap();
        assert_eq!(subjects(&store, 8.0).await, ["b"]);
        assert_eq!(subjects(&store, 9.0).await, ["a", "b"]);
        let depth = store.outbox_depth(OutboxKind::Commit).await.unwrap();
        assert_eq!((depth.rows, depth.refused, depth.oldest), (2, 1, Some(1.0)));
    }
}
