//! Nonces of signed requests: each counts once, whatever happens to the host.

use super::{Store, StoreError};

/// Seconds for which a nonce is remembered: far longer than a request is fresh, in case
/// a clock is set back.
const KEPT_S: f64 = 86_400.0;

impl Store {
    /// Takes a nonce of a hotkey. `scope` is who it is for: `miner:<challenge>` or
    /// `validator`; `now` is in seconds since the Unix epoch. Returns whether this is the
    /// first time in a day; what was answered is on disk. Forgets those from before.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn reserve_nonce(
        &self,
        scope: String,
        hotkey: String,
        nonce: String,
        now: f64,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            tx.prepare_cached("DELETE FROM request_nonces WHERE used_at < ?1")?
                .execute([now - KEPT_S])?;
            let sql = "INSERT OR IGNORE INTO request_nonces (scope, hotkey, nonce, used_at)
                       VALUES (?1, ?2, ?3, ?4)";
            let added = tx
                .prepare_cached(sql)?
                .execute((scope, hotkey, nonce, now))?;
            Ok(added == 1)
        })
        .await
    }

    /// How many nonces a hotkey used within a scope since a time, in seconds since the
    /// Unix epoch; those of more than a day ago may be forgotten.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn nonces_since(
        &self,
        scope: String,
        hotkey: String,
        since: f64,
    ) -> Result<u64, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT count(*) FROM request_nonces
                       WHERE scope = ?1 AND hotkey = ?2 AND used_at >= ?3";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row((scope, hotkey, since), |row| row.get(0))?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reserve(store: &Store, scope: &str, hotkey: &str, nonce: &str, now: f64) -> bool {
        let reserved = store.reserve_nonce(scope.into(), hotkey.into(), nonce.into(), now);
        reserved.await.unwrap()
    }

    #[tokio::test]
    async fn a_nonce_counts_once_for_each_scope_and_hotkey() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        assert!(reserve(&store, "miner:a", "h", "n", 1_000.0).await);
        assert!(!reserve(&store, "miner:a", "h", "n", 1_001.0).await);
        assert!(
            !reserve(&store, "miner:a", "h", "n", 500.0).await,
            "the clock moved back"
        );
        assert!(reserve(&store, "miner:b", "h", "n", 1_001.0).await);
        assert!(reserve(&store, "miner:a", "other", "n", 1_001.0).await);
        assert!(reserve(&store, "miner:a", "h", "N", 1_001.0).await);
        let since = |since| store.nonces_since("miner:a".into(), "h".into(), since);
        assert_eq!(since(0.0).await.unwrap(), 2);
        assert_eq!(since(1_000.5).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_used_nonce_outlives_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        assert!(reserve(&Store::open(&path).unwrap(), "validator", "h", "n", 1.0).await);
        assert!(!reserve(&Store::open(&path).unwrap(), "validator", "h", "n", 2.0).await);
    }

    #[tokio::test]
    async fn a_nonce_is_forgotten_after_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        assert!(reserve(&store, "s", "h", "n", 0.0).await);
        assert!(!reserve(&store, "s", "h", "n", KEPT_S).await);
        assert!(reserve(&store, "s", "h", "other", KEPT_S + 1.0).await);
        assert!(reserve(&store, "s", "h", "n", KEPT_S + 2.0).await);
    }
}
