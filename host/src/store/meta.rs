//! Values of the database as a whole.

use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction};

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

    /// What tells this database from others: what it has, else `fresh`, which is then
    /// kept. A backup carries it, so what is restored is the same database.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn database_id(&self, fresh: String) -> Result<String, StoreError> {
        self.write(move |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO meta VALUES ('database', ?1)",
                [fresh],
            )?;
            let sql = "SELECT value FROM meta WHERE key = 'database'";
            Ok(tx.query_row(sql, [], |row| row.get(0))?)
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

/// Notes that commits from before this time are kept no more. It never goes back.
pub(super) fn keep_from(tx: &Transaction<'_>, time: f64) -> Result<(), StoreError> {
    let time = time.max(kept_from(tx)?);
    tx.execute(
        "INSERT OR REPLACE INTO meta VALUES ('kept_from', ?1)",
        [time.to_string()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_no_more_does_not_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let keep = |time: f64| {
            store.write(move |tx| {
                keep_from(tx, time)?;
                kept_from(tx)
            })
        };
        assert_eq!(store.read(kept_from).await.unwrap(), 0.0);
        assert_eq!(keep(7.25).await.unwrap(), 7.25);
        assert_eq!(keep(3.0).await.unwrap(), 7.25);
    }

    #[tokio::test]
    async fn a_database_is_the_same_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        assert_eq!(store.database_id("a".into()).await.unwrap(), "a");
        assert_eq!(store.database_id("b".into()).await.unwrap(), "a");
    }
}
