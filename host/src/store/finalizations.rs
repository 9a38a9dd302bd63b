//! What a day came to.

use super::{Store, StoreError};
use rusqlite::OptionalExtension;

/// What a challenge came to on a day.
#[derive(Debug, Clone)]
pub struct Finalization {
    /// Name of the challenge.
    pub challenge: String,
    /// SHA-256 of the plugin that paid.
    pub plugin_digest: String,
    /// The outcome's code.
    pub outcome: &'static str,
    /// Why there are no weights, for people.
    pub message: Option<String>,
    /// The standings that were paid, JSON.
    pub standings: String,
    /// What each hotkey got, JSON.
    pub weights: String,
}

/// A day's vector, as the chain wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightVectorRow {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Uids, JSON.
    pub uids: String,
    /// Weights 0 to 65535 in the order of the uids, JSON.
    pub values: String,
    /// How it came about, JSON.
    pub derivation: String,
}

impl Store {
    /// Stores what a day came to, once: a second time nothing changes. Returns
    /// whether this was the first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalize(
        &self,
        vector: WeightVectorRow,
        challenges: Vec<Finalization>,
        finalized_at: f64,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let added = tx.execute(
                "INSERT OR IGNORE INTO weight_vectors VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    &vector.day,
                    vector.uids,
                    vector.values,
                    vector.derivation,
                    finalized_at,
                ),
            )?;
            if added == 0 {
                return Ok(false);
            }
            for challenge in challenges {
                tx.execute(
                    "INSERT INTO finalizations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    (
                        &vector.day,
                        challenge.challenge,
                        challenge.plugin_digest,
                        challenge.outcome,
                        challenge.message,
                        challenge.standings,
                        challenge.weights,
                        finalized_at,
                    ),
                )?;
            }
            Ok(true)
        })
        .await
    }

    /// The vector of a day.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn weight_vector(&self, day: String) -> Result<Option<WeightVectorRow>, StoreError> {
        self.read(move |connection| {
            let row = connection
                .prepare_cached(
                    "SELECT day, uids, \"values\", derivation FROM weight_vectors WHERE day = ?1",
                )?
                .query_row([day], |row| {
                    Ok(WeightVectorRow {
                        day: row.get(0)?,
                        uids: row.get(1)?,
                        values: row.get(2)?,
                        derivation: row.get(3)?,
                    })
                })
                .optional()?;
            Ok(row)
        })
        .await
    }
}
