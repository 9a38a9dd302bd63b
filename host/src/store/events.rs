//! What happened, in order, for whoever follows it.

use super::{Store, StoreError};
use rusqlite::Transaction;
use serde_json::Value;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number; later ones are greater.
    pub id: i64,
    /// When, in seconds since the Unix epoch.
    pub at: f64,
    /// What: `scored`, `compared` or `finalized`.
    pub kind: String,
    /// The challenge.
    pub challenge: String,
    /// Details, a JSON object.
    pub data: String,
}

/// Something that is happening: it is stored with the change itself.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When, in seconds since the Unix epoch.
    pub at: f64,
    /// What: `scored`, `compared` or `finalized`.
    pub kind: &'static str,
    /// The challenge.
    pub challenge: String,
    /// Details, a JSON object.
    pub data: Value,
}

pub(super) fn put(tx: &Transaction<'_>, event: &NewEvent) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO events (at, kind, challenge, data) VALUES (?1, ?2, ?3, ?4)")?
        .execute((
            event.at,
            event.kind,
            &event.challenge,
            event.data.to_string(),
        ))?;
    Ok(())
}

impl Store {
    /// The events after a number, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn events_after(&self, id: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at, kind, challenge, data FROM events WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let events = statement.query_map((id, limit), |row| {
                Ok(Event {
                    id: row.get(0)?,
                    at: row.get(1)?,
                    kind: row.get(2)?,
                    challenge: row.get(3)?,
                    data: row.get(4)?,
                })
            })?;
            Ok(events.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The numbers of the first event that is kept and of the last that
    /// happened; both 0 if nothing ever did.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn event_range(&self) -> Result<(i64, i64), StoreError> {
        self.read(|connection| {
            let range = connection.query_row(
                "SELECT ifnull(min(id), 0), ifnull(max(id), 0) FROM events",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(range)
        })
        .await
    }

    /// Forgets all but the last `keep` events. Returns how many were forgotten.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn forget_events(&self, keep: u64) -> Result<usize, StoreError> {
        self.write(move |tx| {
            Ok(tx.execute(
                "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?1",
                [i64::try_from(keep).unwrap_or(i64::MAX)],
            )?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_keep_their_numbers_when_old_ones_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        assert_eq!(store.event_range().await.unwrap(), (0, 0));
        for at in 0..5 {
            let event = NewEvent {
                at: f64::from(at),
                kind: "scored",
                challenge: "c".into(),
                data: serde_json::json!({}),
            };
            store.write(move |tx| put(tx, &event)).await.unwrap();
        }
        assert_eq!(store.forget_events(2).await.unwrap(), 3);
        assert_eq!(store.event_range().await.unwrap(), (4, 5));
        let after = store.events_after(4, 10).await.unwrap();
        assert_eq!(
            after.iter().map(|e| (e.id, e.at)).collect::<Vec<_>>(),
            [(5, 4.0)]
        );
    }
}
