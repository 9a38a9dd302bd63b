//! The history of published weight vectors, and what they are made from.

use super::finalizations::{COLUMNS, read};
use super::receipts::{Kept, Leaves, append, keep};
use super::{FinalizationRow, Store, StoreError};
use rusqlite::{OptionalExtension, Row};

/// A weight vector that was published, without what it pays.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorRow {
    /// Its number; a later one has a greater one.
    pub id: i64,
    /// SHA-256 of the document, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// The last day that it takes in, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// When it was made, in seconds since the Unix epoch.
    pub made_at: f64,
    /// Id of its receipt, if there is one.
    pub receipt: Option<String>,
}

/// A weight vector to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVector {
    /// SHA-256 of the document, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// The last day that it takes in, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// What it pays and how it came about, JSON.
    pub document: String,
    /// When it was made, in seconds since the Unix epoch.
    pub made_at: f64,
    /// Id of its receipt, if there is one.
    pub receipt: Option<String>,
}

/// A weight vector that was published.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedVector {
    /// Which one.
    pub vector: VectorRow,
    /// What it pays and how it came about, JSON.
    pub document: String,
}

const ROW: &str = "id, digest, day, made_at, receipt";

fn read_row(row: &Row<'_>) -> rusqlite::Result<VectorRow> {
    Ok(VectorRow {
        id: row.get("id")?,
        digest: row.get("digest")?,
        day: row.get("day")?,
        made_at: row.get("made_at")?,
        receipt: row.get("receipt")?,
    })
}

impl Store {
    /// Adds a vector to the history, with what is kept with it and what becomes public
    /// with it, unless it is what the last one is: then nothing is kept. Returns its
    /// row, or that of the last one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn publish_vector(
        &self,
        vector: NewVector,
        kept: Kept,
        leaves: Option<Leaves>,
    ) -> Result<VectorRow, StoreError> {
        self.write(move |tx| {
            let sql = format!("SELECT {ROW} FROM published_vectors ORDER BY id DESC LIMIT 1");
            let last = tx.query_row(&sql, [], read_row).optional()?;
            if let Some(last) = last.filter(|last| last.digest == vector.digest) {
                return Ok(last);
            }
            tx.execute(
                "INSERT INTO published_vectors (digest, day, made_at, document, receipt)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    &vector.digest,
                    &vector.day,
                    vector.made_at,
                    vector.document,
                    &vector.receipt,
                ),
            )?;
            let id = tx.last_insert_rowid();
            keep(tx, &kept)?;
            if let Some(leaves) = &leaves {
                append(tx, leaves, vector.made_at)?;
            }
            Ok(VectorRow {
                id,
                digest: vector.digest,
                day: vector.day,
                made_at: vector.made_at,
                receipt: vector.receipt,
            })
        })
        .await
    }

    /// A vector of the history.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn published_vector(&self, id: i64) -> Result<Option<PublishedVector>, StoreError> {
        self.read(move |connection| {
            let sql = format!("SELECT {ROW}, document FROM published_vectors WHERE id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let vector = statement.query_row([id], |row| {
                Ok(PublishedVector {
                    vector: read_row(row)?,
                    document: row.get("document")?,
                })
            });
            Ok(vector.optional()?)
        })
        .await
    }

    /// The history, the last first: what is older than `before`, a number, if it is
    /// given; at most `limit` vectors.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn published_vectors(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<VectorRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {ROW} FROM published_vectors WHERE ?1 IS NULL OR id < ?1
                 ORDER BY id DESC LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((before, limit), read_row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What a challenge last came to, on a day up to `until`; if `paid`, the last time
    /// that it told weights.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn last_finalization(
        &self,
        challenge: String,
        until: String,
        paid: bool,
    ) -> Result<Option<FinalizationRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM finalizations
                 WHERE challenge = ?1 AND day <= ?2
                     AND (NOT ?3 OR (outcome = 'ok' AND weights <> '[]'))
                 ORDER BY day DESC LIMIT 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement
                .query_row((challenge, until, paid), read)
                .optional()?)
        })
        .await
    }

    /// The artifact of each miner's last accepted commit to a challenge, by hotkey, as
    /// the miner named it.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn accepted_artifacts(
        &self,
        challenge: String,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT miner_hotkey, artifact FROM commits
                 WHERE challenge = ?1 AND accepted AND artifact IS NOT NULL
                 ORDER BY committed_at, id",
            )?;
            let rows = statement.query_map([challenge], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vector_is_published_once_until_another_one_was() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let publish = |digest: &str, at| {
            let vector = NewVector {
                digest: digest.into(),
                day: "2026-08-22".into(),
                document: "{}".into(),
                made_at: at,
                receipt: None,
            };
            store.publish_vector(vector, Kept::default(), None)
        };
        let first = publish("a", 1.0).await.unwrap();
        assert_eq!(publish("a", 2.0).await.unwrap(), first);
        let second = publish("b", 3.0).await.unwrap();
        let third = publish("a", 4.0).await.unwrap();
        assert!(first.id < second.id && second.id < third.id);
        assert_eq!(third.made_at, 4.0);
        let history = store.published_vectors(None, 2).await.unwrap();
        assert_eq!(history, [third, second.clone()]);
        let older = store.published_vectors(Some(second.id), 2).await.unwrap();
        assert_eq!(older, std::slice::from_ref(&first));
        let found = store.published_vector(first.id).await.unwrap().unwrap();
        assert_eq!((found.vector, found.document.as_str()), (first, "{}"));
        assert_eq!(store.published_vector(99).await.unwrap(), None);
    }
}
