//! Validators that said that they are there.

use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::{Map, Value};

/// A validator that registered with this host.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatorNode {
    /// Its hotkey, in SS58.
    pub hotkey: String,
    /// Its uid when it was last heard.
    pub uid: u16,
    /// What it told of itself.
    pub about: Map<String, Value>,
    /// Challenges that it works for; none is all.
    pub subscriptions: Vec<String>,
    /// When it registered first, in seconds since the Unix epoch.
    pub registered_at: f64,
    /// When it was last heard, in seconds since the Unix epoch.
    pub seen_at: f64,
}

impl ValidatorNode {
    /// Whether it works for a challenge.
    pub fn works_for(&self, challenge: &str) -> bool {
        self.subscriptions.is_empty() || self.subscriptions.iter().any(|name| name == challenge)
    }
}

/// Seconds without a word after which a validator is forgotten: it may register again.
const KEPT_S: f64 = 30.0 * 86_400.0;

impl Store {
    /// Registers a validator, or takes in what it tells of itself now; its
    /// subscriptions stay. Forgets those that were not heard for 30 days.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn register_validator(
        &self,
        hotkey: String,
        uid: u16,
        about: Map<String, Value>,
        now: f64,
    ) -> Result<ValidatorNode, StoreError> {
        self.write(move |tx| {
            tx.execute(
                "DELETE FROM validator_nodes WHERE seen_at < ?1",
                [now - KEPT_S],
            )?;
            tx.execute(
                "INSERT INTO validator_nodes
                     (hotkey, uid, about, subscriptions, registered_at, seen_at)
                 VALUES (?1, ?2, ?3, '[]', ?4, ?4)
                 ON CONFLICT (hotkey) DO UPDATE SET uid = ?2, about = ?3,
                     seen_at = max(seen_at, ?4)",
                (&hotkey, uid, Value::Object(about).to_string(), now),
            )?;
            find(tx, &hotkey)?.ok_or_else(|| StoreError::Corrupt("validator_nodes".into()))
        })
        .await
    }

    /// Notes that a validator was heard, and what it says of its status if it does.
    /// Returns it; none if it has not registered.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn validator_heard(
        &self,
        hotkey: String,
        uid: u16,
        status: Option<String>,
        now: f64,
    ) -> Result<Option<ValidatorNode>, StoreError> {
        self.write(move |tx| {
            tx.prepare_cached(
                "UPDATE validator_nodes SET uid = ?2, seen_at = max(seen_at, ?3),
                     about = iif(?4 IS NULL, about, json_set(about, '$.status', ?4))
                 WHERE hotkey = ?1",
            )?
            .execute((&hotkey, uid, now, status))?;
            find(tx, &hotkey)
        })
        .await
    }

    /// Has a validator work for these challenges only; none is all. Returns it; none
    /// if it has not registered.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn subscribe_validator(
        &self,
        hotkey: String,
        subscriptions: Vec<String>,
    ) -> Result<Option<ValidatorNode>, StoreError> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE validator_nodes SET subscriptions = ?2 WHERE hotkey = ?1",
                (&hotkey, Value::from(subscriptions).to_string()),
            )?;
            find(tx, &hotkey)
        })
        .await
    }

    /// Every validator that registered, by uid.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn validator_nodes(&self) -> Result<Vec<ValidatorNode>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT * FROM validator_nodes ORDER BY uid, hotkey";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut nodes = Vec::new();
            while let Some(row) = rows.next()? {
                nodes.push(node(row)?);
            }
            Ok(nodes)
        })
        .await
    }
}

fn find(connection: &Connection, hotkey: &str) -> Result<Option<ValidatorNode>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM validator_nodes WHERE hotkey = ?1")?;
    let found = statement
        .query_row([hotkey], |row| Ok(node(row)))
        .optional()?;
    found.transpose()
}

fn node(row: &Row<'_>) -> Result<ValidatorNode, StoreError> {
    Ok(ValidatorNode {
        hotkey: row.get("hotkey")?,
        uid: row.get("uid")?,
        about: serde_json::from_str(row.get_ref("about")?.as_str().unwrap_or_default())?,
        subscriptions: serde_json::from_str(
            row.get_ref("subscriptions")?.as_str().unwrap_or_default(),
        )?,
        registered_at: row.get("registered_at")?,
        seen_at: row.get("seen_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    fn about(version: &str) -> Map<String, Value> {
        Map::from_iter([("version".to_owned(), json!(version))])
    }

    #[tokio::test]
    async fn a_validator_that_registers_again_keeps_what_it_works_for() {
        let (_directory, store) = store();
        let first = store.register_validator("a".into(), 3, about("1"), 10.0);
        assert!(first.await.unwrap().works_for("anything"));
        let subscribed = store.subscribe_validator("a".into(), vec!["digits".into()]);
        assert!(!subscribed.await.unwrap().unwrap().works_for("other"));
        let again = store.register_validator("a".into(), 4, about("2"), 20.0);
        let again = again.await.unwrap();
        let expected = ValidatorNode {
            hotkey: "a".into(),
            uid: 4,
            about: about("2"),
            subscriptions: vec!["digits".into()],
            registered_at: 10.0,
            seen_at: 20.0,
        };
        assert_eq!(again, expected);
        assert_eq!(store.validator_nodes().await.unwrap(), [expected]);
    }

    #[tokio::test]
    async fn only_a_validator_that_registered_is_heard() {
        let (_directory, store) = store();
        let heard = |hotkey: &str, status: Option<&str>, now| {
            store.validator_heard(hotkey.into(), 3, status.map(Into::into), now)
        };
        assert_eq!(heard("a", None, 5.0).await.unwrap(), None);
        let subscribed = store.subscribe_validator("a".into(), Vec::new());
        assert_eq!(subscribed.await.unwrap(), None);
        store
            .register_validator("a".into(), 3, about("1"), 10.0)
            .await
            .unwrap();
        let node = heard("a", Some("busy"), 30.0).await.unwrap().unwrap();
        assert_eq!(
            (&node.about["status"], node.seen_at),
            (&json!("busy"), 30.0)
        );
        assert_eq!(node.about["version"], "1");
        let node = heard("a", None, 20.0).await.unwrap().unwrap();
        assert_eq!(node.about["status"], "busy");
        assert_eq!(node.seen_at, 30.0, "it never goes back");
    }

    #[tokio::test]
    async fn who_is_silent_for_long_is_forgotten() {
        let (_directory, store) = store();
        let register =
            |hotkey: &str, now| store.register_validator(hotkey.into(), 3, about("1"), now);
        register("a", 0.0).await.unwrap();
        register("b", KEPT_S).await.unwrap();
        assert_eq!(store.validator_nodes().await.unwrap().len(), 2);
        register("b", KEPT_S + 1.0).await.unwrap();
        let left = store.validator_nodes().await.unwrap();
        assert_eq!(
            left.iter().map(|n| n.hotkey.as_str()).collect::<Vec<_>>(),
            ["b"]
        );
    }
}
