//! What miners called an artifact.

use super::{Store, StoreError};
use rusqlite::OptionalExtension;

impl Store {
    /// The reference that an artifact of a challenge was first committed with, of those
    /// that have a repository; none if there is no such commit. Who copies an artifact
    /// does not choose where it is pulled from.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn artifact_repository(
        &self,
        challenge: String,
        artifact_digest: String,
    ) -> Result<Option<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT artifact FROM commits
                       WHERE challenge = ?1 AND artifact_digest = ?2 AND artifact LIKE '%@%'
                       ORDER BY committed_at IS NULL, committed_at, miner_hotkey, id LIMIT 1";
            Ok(connection
                .prepare_cached(sql)?
                .query_row((challenge, artifact_digest), |row| row.get(0))
                .optional()?)
        })
        .await
    }
}
