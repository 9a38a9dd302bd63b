//! What miners called an artifact.

use super::{Store, StoreError};

impl Store {
    /// The references that an artifact of a challenge was committed with, of those that
    /// have a repository, at most `most`: the first one first. Who copies an artifact
    /// does not choose where it is pulled from.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn artifact_repositories(
        &self,
        challenge: String,
        artifact_digest: String,
        most: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT artifact FROM (
                           SELECT artifact, row_number() OVER (ORDER BY committed_at IS NULL,
                                      committed_at, miner_hotkey, id) AS place
                           FROM commits
                           WHERE challenge = ?1 AND artifact_digest = ?2 AND artifact LIKE '%@%')
                       GROUP BY artifact ORDER BY min(place) LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map((challenge, artifact_digest, most), |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
