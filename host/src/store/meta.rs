//! Values of the database as a whole.

use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension};

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

/// Commits from before this time are kept no more, in seconds since the Unix
/// epoch; 0 if all are.
pub(super) fn kept_from(connection: &Connection) -> Result<f64, StoreError> {
    let kept: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'kept_from'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    kept.map_or(Ok(0.0), |text| {
        text.parse()
            .map_err(|_| StoreError::Corrupt("meta.kept_from".into()))
    })
}
