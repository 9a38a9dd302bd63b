//! Values of the database as a whole.

use super::{Store, StoreError};
use rusqlite::OptionalExtension;

impl Store {
    /// The deployment's seed: `wanted` if given, else what the database has,
    /// else `fresh`, which is then kept.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn seed(&self, wanted: Option<u64>, fresh: u64) -> Result<u64, StoreError> {
        if let Some(seed) = wanted {
            return Ok(seed);
        }
        self.write(move |tx| {
            let kept: Option<String> = tx
                .query_row("SELECT value FROM meta WHERE key = 'seed'", [], |row| {
                    row.get(0)
                })
                .optional()?;
            if let Some(seed) = kept {
                return seed
                    .parse()
                    .map_err(|_| StoreError::Corrupt("meta.seed".into()));
            }
            tx.execute("INSERT INTO meta VALUES ('seed', ?1)", [fresh.to_string()])?;
            Ok(fresh)
        })
        .await
    }
}
