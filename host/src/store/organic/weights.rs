//! What a challenge's miners are paid for organic scoring, day by day.

use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// What a challenge's miners are paid, as of the last iteration of a day.
#[derive(Debug, Clone, PartialEq)]
pub struct OrganicWeights {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// When that iteration ended, in seconds since the Unix epoch.
    pub at: f64,
    /// By hotkey, as `fold` gave them.
    pub weights: BTreeMap<String, f64>,
}

impl Store {
    /// What a challenge's miners are paid, as of the last day that has it; of the days up
    /// to `until_day`, `YYYY-MM-DD`, if it is given. None if there is no such day.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn organic_weights(
        &self,
        challenge: String,
        until_day: Option<String>,
    ) -> Result<Option<OrganicWeights>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT day, at, weights FROM organic_weights
                       WHERE challenge = ?1 AND day <= ?2 ORDER BY day DESC LIMIT 1";
            let mut statement = connection.prepare_cached(sql)?;
            // Any day is less than this.
            let until = until_day.unwrap_or_else(|| "~".to_owned());
            let found = statement.query_row((challenge, until), |row| {
                let weights: String = row.get("weights")?;
                Ok((row.get("day")?, row.get("at")?, weights))
            });
            let Some((day, at, weights)) = found.optional()? else {
                return Ok(None);
            };
            let weights = serde_json::from_str(&weights)?;
            Ok(Some(OrganicWeights { day, at, weights }))
        })
        .await
    }
}

/// Notes the weights of a day, in place of those before: what was folded last counts,
/// whatever the clock said.
pub(super) fn put(
    connection: &Connection,
    challenge: &str,
    day: &str,
    at: f64,
    weights: &BTreeMap<String, f64>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO organic_weights (challenge, day, at, weights) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET at = excluded.at, weights = excluded.weights";
    let weights = serde_json::to_string(weights)?;
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute((challenge, day, at, weights))?;
    Ok(())
}
