//! Comparisons: how alike two evaluated artifacts are, kept by pair.

use super::receipts::{Kept, keep};
use super::{JobKey, Store, StoreError};
use std::collections::BTreeMap;

/// How alike two artifacts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonRow {
    /// Comparison logs, JSON.
    pub logs: String,
    /// Id of the receipt of the call that they are from, if there is one.
    pub receipt: Option<String>,
}

impl Store {
    /// Comparisons of a candidate with references, by reference; both are
    /// numbers of evaluations. Those that are not known are left out.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn comparisons(
        &self,
        key: JobKey,
        candidate: i64,
    ) -> Result<BTreeMap<i64, ComparisonRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT reference, logs, receipt FROM comparisons WHERE challenge = ?1
                     AND plugin_digest = ?2 AND settings_digest = ?3 AND candidate = ?4",
            )?;
            let found = statement.query_map(
                (
                    key.challenge,
                    key.plugin_digest,
                    key.settings_digest,
                    candidate,
                ),
                |row| {
                    let logs = row.get(1)?;
                    let receipt = row.get(2)?;
                    Ok((row.get(0)?, ComparisonRow { logs, receipt }))
                },
            )?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Stores comparison logs of a candidate with references, with the id of the
    /// receipt of the call that they are from, and what is kept with it. A pair that
    /// is known stays as it is.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_comparisons(
        &self,
        key: JobKey,
        candidate: i64,
        logs: Vec<(i64, String)>,
        receipt: Option<String>,
        kept: Kept,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            keep(tx, &kept)?;
            let mut statement = tx.prepare_cached(
                "INSERT OR IGNORE INTO comparisons (challenge, plugin_digest, settings_digest,
                     candidate, reference, logs, receipt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for (reference, logs) in logs {
                statement.execute((
                    &key.challenge,
                    &key.plugin_digest,
                    &key.settings_digest,
                    candidate,
                    reference,
                    logs,
                    &receipt,
                ))?;
            }
            Ok(())
        })
        .await
    }
}
