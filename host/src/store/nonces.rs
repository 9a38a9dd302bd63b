//! Nonces of signed requests: each counts once, whatever happens to the host.

use super::{Store, StoreError};

/// Seconds for which a nonce is remembered: far longer than a request is fresh, in case
/// a clock is set back.
const KEPT_S: f64 = 3_600.0;

/// Seconds for which those of uploads are, whose scopes begin with `upload:`: they are
/// counted by the day.
const UPLOADS_KEPT_S: f64 = 86_400.0;

impl Store {
    /// Takes a nonce of a hotkey. `scope` is what it is for: `miner:<challenge>`,
    /// `upload:<challenge>`, `organic:<challenge>`, `organic` for entries whose signature
    /// names no challenge, or `validator`; `now` is in seconds since the Unix epoch.
    /// Returns whether this is the first time in an hour, or in a day for an upload; what
    /// was answered is on disk. Forgets those from before.
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
            let old = "DELETE FROM request_nonces
                       WHERE used_at < ?1 AND (used_at < ?2 OR scope NOT GLOB 'upload:*')";
            tx.prepare_cached(old)?
                .execute([now - KEPT_S, now - UPLOADS_KEPT_S])?;
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
    /// Unix epoch, and whether this one is used. Those that are forgotten are not.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn nonces_since(
        &self,
        scope: String,
        hotkey: String,
        nonce: String,
        since: f64,
    ) -> Result<(u64, bool), StoreError> {
        self.read(move |connection| {
            let sql = "SELECT count(*) FILTER (WHERE used_at >= ?4),
                              count(*) FILTER (WHERE nonce = ?3) > 0
                       FROM request_nonces WHERE scope = ?1 AND hotkey = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_row((scope, hotkey, nonce, since), |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
            Ok(found?)
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
        let since = |nonce: &str, since| {
            store.nonces_since("miner:a".into(), "h".into(), nonce.into(), since)
        };
        assert_eq!(since("n", 0.0).await.unwrap(), (2, true));
        assert_eq!(since("n", 1_000.5).await.unwrap(), (1, true));
        assert_eq!(since("m", 1_002.0).await.unwrap(), (0, false));
    }

    #[tokio::test]
    async fn a_used_nonce_outlives_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        assert!(reserve(&Store::open(&path).unwrap(), "validator", "h", "n", 1.0).await);
        assert!(!reserve(&Store::open(&path).unwrap(), "validator", "h", "n", 2.0).await);
    }

    #[tokio::test]
    async fn a_nonce_is_forgotten_after_an_hour_and_that_of_an_upload_after_a_day() {
        for (scope, kept) in [
            ("miner:upload:", KEPT_S),
            ("validator", KEPT_S),
            ("upload:a", UPLOADS_KEPT_S),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::open(&directory.path().join("db")).unwrap();
            assert!(reserve(&store, scope, "h", "n", 0.0).await);
            // Whoever comes next has those of all others forgotten.
            reserve(&store, "validator", "v", "o", kept).await;
            assert!(!reserve(&store, scope, "h", "n", kept).await, "{scope}");
            reserve(&store, "validator", "v", "p", kept + 1.0).await;
            let used = store.nonces_since(scope.into(), "h".into(), "n".into(), -1.0);
            assert_eq!(used.await.unwrap(), (0, false), "{scope}");
            assert!(
                reserve(&store, scope, "h", "n", kept + 1.0).await,
                "{scope}"
            );
        }
    }
}
