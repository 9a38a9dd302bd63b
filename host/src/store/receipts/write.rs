//! What comes with a result, and the leaves of a day.

use super::{HeadRow, Kept, Leaves, NewReceipt, read};
use crate::store::{Store, StoreError};
use rusqlite::{Connection, Transaction};

impl Store {
    /// Removes blobs that nothing stored since `before`, in seconds since the Unix
    /// epoch, names: those that were not used for the longest time first, at most
    /// `limit`. Their receipts stay. Returns how many are gone, and the bytes that
    /// they took, compressed.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn prune_blobs(&self, before: f64, limit: u32) -> Result<(u64, u64), StoreError> {
        self.write(move |tx| {
            let mut statement = tx.prepare_cached(
                "DELETE FROM receipt_blobs WHERE digest IN (
                     SELECT digest FROM receipt_blobs WHERE last_used < ?1
                     ORDER BY last_used LIMIT ?2)
                 RETURNING length(zstd)",
            )?;
            let mut rows = statement.query((before, limit))?;
            let (mut count, mut bytes) = (0, 0);
            while let Some(row) = rows.next()? {
                count += 1;
                bytes += row.get::<_, u64>(0)?;
            }
            Ok((count, bytes))
        })
        .await
    }

    /// Removes receipts of solvers' runs that nothing stored since `before`, in seconds
    /// since the Unix epoch, came with: those that did not for the longest time first, at
    /// most `limit`. What depends on them stays, and names them. Returns how many are gone.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn prune_solves(&self, before: f64, limit: u32) -> Result<u64, StoreError> {
        self.write(move |tx| {
            let mut statement = tx.prepare_cached(
                "DELETE FROM receipts WHERE seq IN (
                     SELECT seq FROM receipts WHERE kind = 'solve' AND made_at < ?1
                     ORDER BY made_at LIMIT ?2)",
            )?;
            Ok(statement.execute((before, limit))? as u64)
        })
        .await
    }
}

/// The kind of the receipts of solvers' runs.
const SOLVE: &str = "solve";

/// Stores what comes with a result.
pub(in crate::store) fn keep(tx: &Transaction<'_>, kept: &Kept) -> Result<(), StoreError> {
    for receipt in &kept.receipts {
        put(tx, receipt, kept.at)?;
    }
    // They may come before the runs that they depend on.
    for receipt in kept.receipts.iter().filter(|r| r.kind != SOLVE) {
        note_solves(tx, receipt)?;
    }
    for blob in &kept.blobs {
        tx.prepare_cached(
            "INSERT INTO receipt_blobs (digest, size, last_used, zstd) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (digest) DO UPDATE SET last_used = max(last_used, excluded.last_used)",
        )?
        .execute((&blob.digest, blob.size, kept.at, &blob.zstd))?;
    }
    for digest in &kept.used {
        tx.prepare_cached(
            "UPDATE receipt_blobs SET last_used = ?2 WHERE digest = ?1 AND last_used < ?2",
        )?
        .execute((digest, kept.at))?;
    }
    let blobs = kept.blobs.iter().filter(|blob| blob.private);
    let private = blobs.map(|blob| &blob.digest).chain(&kept.private);
    for digest in private {
        tx.prepare_cached("INSERT INTO receipt_private VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([digest])?;
    }
    Ok(())
}

fn put(tx: &Transaction<'_>, receipt: &NewReceipt, at: f64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO receipts (id, kind, challenge, body, signer, signature, made_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET made_at = max(made_at, excluded.made_at)
             WHERE kind = 'solve'",
    )?
    .execute((
        &receipt.id,
        &receipt.kind,
        &receipt.challenge,
        &receipt.body,
        &receipt.signer,
        &receipt.signature,
        at,
    ))?;
    Ok(())
}

/// Notes which solvers' runs a stored receipt depends on.
fn note_solves(tx: &Transaction<'_>, receipt: &NewReceipt) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO receipt_parents (solve, parent)
         SELECT solve.seq, (SELECT seq FROM receipts WHERE id = ?1)
         FROM json_each(?2, '$.depends_on') named
             CROSS JOIN receipts solve ON solve.id = named.value AND solve.kind = 'solve'",
    )?
    .execute((&receipt.id, &receipt.body))?;
    Ok(())
}

/// Makes receipts leaves of a day's tree, at a time in seconds since the Unix epoch.
pub(in crate::store) fn append(
    tx: &Transaction<'_>,
    leaves: &Leaves,
    at: f64,
) -> Result<(), StoreError> {
    let day = &leaves.day;
    let mut ids = read::leaves(tx, day)?;
    let before = ids.len();
    for id in &leaves.receipts {
        if is_leaf(tx, id)? {
            continue;
        }
        add_leaf(tx, day, ids.len() as u64, id)?;
        ids.push(id.clone());
    }
    if ids.len() == before {
        return Ok(());
    }
    let head = leaves.head.make(day, &ids, read::head_before(tx, day)?);
    if head.day != *day || head.size != ids.len() as u64 {
        return Err(StoreError::Corrupt(format!(
            "the head of {} leaves of {day} is of {} of {}",
            ids.len(),
            head.size,
            head.day
        )));
    }
    put_head(tx, &head, at)
}

fn is_leaf(connection: &Connection, id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM receipt_leaves WHERE receipt = ?1";
    let found = connection.prepare_cached(sql)?.exists([id])?;
    Ok(found)
}

fn add_leaf(tx: &Transaction<'_>, day: &str, leaf: u64, id: &str) -> Result<(), StoreError> {
    let is_known = tx
        .prepare_cached("SELECT 1 FROM receipts WHERE id = ?1")?
        .exists([id])?;
    if !is_known {
        return Err(StoreError::Corrupt(format!("no receipt {id}")));
    }
    tx.prepare_cached("INSERT INTO receipt_leaves VALUES (?1, ?2, ?3)")?
        .execute((day, leaf, id))?;
    Ok(())
}

fn put_head(tx: &Transaction<'_>, head: &HeadRow, at: f64) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO receipt_heads VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute((
            &head.day,
            head.size,
            &head.root,
            &head.document,
            &head.signer,
            &head.signature,
            at,
        ))?;
    Ok(())
}
