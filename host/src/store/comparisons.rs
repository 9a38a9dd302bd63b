//! Comparisons: how alike two evaluated artifacts are, kept by pair.

use super::{JobKey, Store, StoreError};
use std::collections::BTreeMap;

impl Store {
    /// Comparison logs of a candidate with references, by reference; both are
    /// numbers of evaluations. Those that are not known are left out.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn comparisons(
        &self,
        key: JobKey,
        candidate: i64,
    ) -> Result<BTreeMap<i64, String>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT reference, logs FROM comparisons WHERE challenge = ?1
                     AND plugin_digest = ?2 AND settings_digest = ?3 AND candidate = ?4",
            )?;
            let found = statement.query_map(
                (
                    key.challenge,
                    key.plugin_digest,
                    key.settings_digest,
                    candidate,
                ),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Stores comparison logs of a candidate with references.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_comparisons(
        &self,
        key: JobKey,
        candidate: i64,
        logs: Vec<(i64, String)>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            let mut statement = tx.prepare_cached(
                "INSERT OR IGNORE INTO comparisons VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for (reference, logs) in logs {
                statement.execute((
                    &key.challenge,
                    &key.plugin_digest,
                    &key.settings_digest,
                    candidate,
                    reference,
                    logs,
                ))?;
            }
            Ok(())
        })
        .await
    }
}
