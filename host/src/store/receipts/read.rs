//! What is known of receipts.

use super::{BlobRow, HeadRow, ReceiptRow};
use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::BTreeSet;

/// A receipt `r` and its leaf `l`; of a solver's run also the first leaf that depends on it.
const COLUMNS: &str = "r.*, l.day, l.leaf,
    (SELECT parent.id FROM receipt_parents p JOIN receipts parent ON parent.seq = p.parent
         JOIN receipt_leaves named ON named.receipt = parent.id
     WHERE p.solve = r.seq ORDER BY named.day, named.leaf LIMIT 1) AS named_by";

const HEAD: &str = "day, size, root, document, signer, signature";

impl Store {
    /// The receipt with this id, [public](ReceiptRow::is_public) or not.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn receipt(&self, id: String) -> Result<Option<ReceiptRow>, StoreError> {
        self.read(move |connection| receipt(connection, &id)).await
    }

    /// The receipts with these ids, by id, [public](ReceiptRow::is_public) or not;
    /// those that are not known are left out.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn receipts(&self, ids: Vec<String>) -> Result<Vec<ReceiptRow>, StoreError> {
        self.read(move |connection| {
            let ids: BTreeSet<String> = ids.into_iter().collect();
            let found = ids.iter().map(|id| receipt(connection, id));
            found.filter_map(Result::transpose).collect()
        })
        .await
    }

    /// Leaves of a day's tree, in order: those after the leaf `after`, if it is given,
    /// at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn receipts_of_day(
        &self,
        day: String,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<ReceiptRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM receipt_leaves l JOIN receipts r ON r.id = l.receipt
                 WHERE l.day = ?1 AND (?2 IS NULL OR l.leaf > ?2) ORDER BY l.leaf LIMIT ?3"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((day, after, limit), read_receipt)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The ids of all leaves of a day's tree, in order.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn leaf_ids(&self, day: String) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| leaves(connection, &day)).await
    }

    /// The last head of each day that has one, the latest day first: of days before
    /// `before`, if it is given, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn heads(
        &self,
        before: Option<String>,
        limit: u32,
    ) -> Result<Vec<HeadRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {HEAD} FROM receipt_heads h
                 WHERE (?1 IS NULL OR day < ?1)
                     AND size = (SELECT max(size) FROM receipt_heads WHERE day = h.day)
                 ORDER BY day DESC LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((before, limit), read_head)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The head of a day's tree when it had `size` leaves; without a size the last one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn head(
        &self,
        day: String,
        size: Option<u64>,
    ) -> Result<Option<HeadRow>, StoreError> {
        self.read(move |connection| match size {
            None => last_head(connection, &day),
            Some(size) => one_head(connection, "day = ?1 AND size = ?2", (day, size)),
        })
        .await
    }

    /// What has this digest, if it is kept.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn blob(&self, digest: String) -> Result<Option<BlobRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT size, zstd, EXISTS (SELECT 1 FROM receipt_private WHERE digest = ?1)
                 FROM receipt_blobs WHERE digest = ?1",
            )?;
            let blob = statement.query_row([digest], |row| {
                Ok(BlobRow {
                    size: row.get(0)?,
                    zstd: row.get(1)?,
                    private: row.get(2)?,
                })
            });
            Ok(blob.optional()?)
        })
        .await
    }

    /// Those of the digests whose blobs are kept, and were used at `since`, in seconds since
    /// the Unix epoch, or later. What was not used for long may be
    /// [pruned](Store::prune_blobs) at any time.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn known_blobs(
        &self,
        digests: Vec<String>,
        since: f64,
    ) -> Result<BTreeSet<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT 1 FROM receipt_blobs WHERE digest = ?1 AND last_used >= ?2";
            which(digests, |digest| {
                Ok(connection.prepare_cached(sql)?.exists((digest, since))?)
            })
        })
        .await
    }

    /// Those of the digests whose content is given to nobody, whether it is kept or not.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn is_private(&self, digests: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT 1 FROM receipt_private WHERE digest = ?1";
            which(digests, |digest| {
                Ok(connection.prepare_cached(sql)?.exists([digest])?)
            })
        })
        .await
    }
}

fn receipt(connection: &Connection, id: &str) -> Result<Option<ReceiptRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM receipts r LEFT JOIN receipt_leaves l ON l.receipt = r.id
         WHERE r.id = ?1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([id], read_receipt).optional()?)
}

fn read_receipt(row: &Row<'_>) -> rusqlite::Result<ReceiptRow> {
    Ok(ReceiptRow {
        id: row.get("id")?,
        kind: row.get("kind")?,
        challenge: row.get("challenge")?,
        body: row.get("body")?,
        signer: row.get("signer")?,
        signature: row.get("signature")?,
        day: row.get("day")?,
        leaf: row.get("leaf")?,
        named_by: row.get("named_by")?,
    })
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<HeadRow> {
    Ok(HeadRow {
        day: row.get("day")?,
        size: row.get("size")?,
        root: row.get("root")?,
        document: row.get("document")?,
        signer: row.get("signer")?,
        signature: row.get("signature")?,
    })
}

pub(super) fn leaves(connection: &Connection, day: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT receipt FROM receipt_leaves WHERE day = ?1 ORDER BY leaf";
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement.query_map([day], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The last head of a day.
pub(in crate::store) fn last_head(
    connection: &Connection,
    day: &str,
) -> Result<Option<HeadRow>, StoreError> {
    one_head(connection, "day = ?1", [day])
}

/// The last head of the last day before a day that has one.
pub(super) fn head_before(
    connection: &Connection,
    day: &str,
) -> Result<Option<HeadRow>, StoreError> {
    one_head(connection, "day < ?1", [day])
}

fn one_head(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<HeadRow>, StoreError> {
    let sql = format!(
        "SELECT {HEAD} FROM receipt_heads WHERE {which} ORDER BY day DESC, size DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(parameters, read_head).optional()?)
}

fn which(
    digests: Vec<String>,
    is_it: impl Fn(&str) -> Result<bool, StoreError>,
) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    for digest in digests {
        if is_it(&digest)? {
            found.insert(digest);
        }
    }
    Ok(found)
}
