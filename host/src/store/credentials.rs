//! Tokens and secrets of challenges, and what requests with a key were answered.

use super::registry::{Change, RegistryRow, audit, find, put};
use super::{Store, StoreError};
use rusqlite::{OptionalExtension, Transaction};

/// A token, without what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRow {
    /// Its number.
    pub id: i64,
    /// Its keyed hash.
    pub hash: Vec<u8>,
    /// Its first and last characters.
    pub hint: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When it ends; none if it does not.
    pub expires_at: Option<f64>,
}

/// Tokens of a challenge at a time: each is compared with what is asked with.
const MAX_TOKENS: u32 = 16;

impl Store {
    /// The tokens of a challenge that did not end before `now`, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn tokens(&self, slug: String, now: f64) -> Result<Vec<TokenRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, hash, hint, created_at, expires_at FROM registry_tokens
                 WHERE slug = ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY id",
            )?;
            let tokens = statement.query_map((slug, now), |row| {
                Ok(TokenRow {
                    id: row.get(0)?,
                    hash: row.get(1)?,
                    hint: row.get(2)?,
                    created_at: row.get(3)?,
                    expires_at: row.get(4)?,
                })
            })?;
            Ok(tokens.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Adds a token, and has those before end at `old_end`, unless they end earlier.
    /// Ended ones are forgotten.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn rotate_token(
        &self,
        slug: String,
        hash: Vec<u8>,
        hint: String,
        old_end: f64,
        change: Change,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            if find(tx, &slug)?.is_none() {
                return Ok(false);
            }
            tx.execute(
                "UPDATE registry_tokens SET expires_at = min(coalesce(expires_at, ?2), ?2)
                 WHERE slug = ?1",
                (&slug, old_end),
            )?;
            forget_tokens(tx, &slug, change.at)?;
            add_token(tx, &slug, &hash, &hint, change.at)?;
            tx.execute(
                "DELETE FROM registry_tokens WHERE slug = ?1 AND id NOT IN (
                     SELECT id FROM registry_tokens WHERE slug = ?1 ORDER BY id DESC LIMIT ?2)",
                (&slug, MAX_TOKENS),
            )?;
            audit(tx, &slug, &change)?;
            Ok(true)
        })
        .await
    }

    /// Ends a token at once. Tells whether there was one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn revoke_token(
        &self,
        slug: String,
        id: i64,
        change: Change,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let ended = tx.execute(
                "DELETE FROM registry_tokens WHERE slug = ?1 AND id = ?2",
                (&slug, id),
            )?;
            if ended > 0 {
                audit(tx, &slug, &change)?;
            }
            Ok(ended > 0)
        })
        .await
    }

    /// The sealed secrets of a challenge: name, value, and when it was set.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn secrets(&self, slug: String) -> Result<Vec<(String, Vec<u8>, f64)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, sealed, updated_at FROM registry_secrets WHERE slug = ?1 ORDER BY 1",
            )?;
            let secrets =
                statement.query_map([slug], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(secrets.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Sets a secret, or removes it with none, and gives the record a new revision.
    /// Returns nothing if there is no such record, or no such secret to remove.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_secret(
        &self,
        slug: String,
        name: String,
        sealed: Option<Vec<u8>>,
        change: Change,
    ) -> Result<Option<i64>, StoreError> {
        self.write(move |tx| {
            let Some(record) = find(tx, &slug)? else {
                return Ok(None);
            };
            // Its name may just have been taken out.
            let sql = "SELECT ?1 IN (SELECT value FROM json_each(?2, '$.given.secrets'))";
            let is_named: bool = tx.query_row(sql, (&name, &record.spec), |row| row.get(0))?;
            if sealed.is_some() && !is_named {
                return Ok(None);
            }
            let changed = match sealed {
                Some(sealed) => tx.execute(
                    "INSERT OR REPLACE INTO registry_secrets VALUES (?1, ?2, ?3, ?4)",
                    (&slug, name, sealed, change.at),
                )?,
                None => tx.execute(
                    "DELETE FROM registry_secrets WHERE slug = ?1 AND name = ?2",
                    (&slug, name),
                )?,
            };
            if changed == 0 {
                return Ok(None);
            }
            let revision = audit(tx, &slug, &change)?;
            let updated_at = change.at;
            put(
                tx,
                &RegistryRow {
                    revision,
                    updated_at,
                    ..record
                },
            )?;
            Ok(Some(revision))
        })
        .await
    }

    /// What a request with this key was answered: the digest of the request, the
    /// status and the sealed answer.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn idempotent(
        &self,
        actor: String,
        key: String,
    ) -> Result<Option<(String, u16, Vec<u8>)>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT request, status, answer FROM idempotency_keys
                       WHERE actor = ?1 AND key = ?2";
            Ok(connection
                .prepare_cached(sql)?
                .query_row((actor, key), |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?)
        })
        .await
    }

    /// Keeps what a request with a key was answered, and forgets answers from before
    /// `forget`, in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn keep_answer(
        &self,
        (actor, key): (String, String),
        request: String,
        (status, answer): (u16, Vec<u8>),
        now: f64,
        forget: f64,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "DELETE FROM idempotency_keys WHERE created_at < ?1",
                [forget],
            )?;
            tx.execute(
                "INSERT OR REPLACE INTO idempotency_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (actor, key, request, status, answer, now),
            )?;
            Ok(())
        })
        .await
    }
}

pub(super) fn add_token(
    tx: &Transaction<'_>,
    slug: &str,
    hash: &[u8],
    hint: &str,
    at: f64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO registry_tokens (slug, hash, hint, created_at) VALUES (?1, ?2, ?3, ?4)",
        (slug, hash, hint, at),
    )?;
    Ok(())
}

fn forget_tokens(tx: &Transaction<'_>, slug: &str, now: f64) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM registry_tokens WHERE slug = ?1 AND expires_at <= ?2",
        (slug, now),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn a_rotated_token_ends_when_it_is_told_to() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let change = |action| Change {
            at: 5.0,
            actor: "operator".into(),
            action,
            changes: json!({}),
        };
        let record = RegistryRow {
            slug: "a".into(),
            status: "draft".into(),
            spec: "{}".into(),
            digest: "d".into(),
            version: "1".into(),
            capabilities: "[]".into(),
            origin: "admin".into(),
            revision: 0,
            active_since: None,
            created_at: 0.0,
            updated_at: 0.0,
        };
        let early =
            store.rotate_token("a".into(), vec![1], "x".into(), 1.0, change("rotate_token"));
        assert!(!early.await.unwrap(), "there is no record");
        let made = store.put_record(record, "x".into(), None, change("create"), None);
        made.await.unwrap();
        let rotate = |hint: &str, end| {
            store.rotate_token(
                "a".into(),
                vec![1],
                hint.into(),
                end,
                change("rotate_token"),
            )
        };
        rotate("one", 0.0).await.unwrap();
        rotate("two", 100.0).await.unwrap();
        let hints = async |now| {
            let tokens = store.tokens("a".into(), now).await.unwrap();
            tokens
                .into_iter()
                .map(|token| token.hint)
                .collect::<Vec<_>>()
        };
        assert_eq!(hints(99.0).await, ["one", "two"]);
        assert_eq!(hints(100.0).await, ["two"]);
        // An end is never put off.
        rotate("three", 1_000.0).await.unwrap();
        assert_eq!(hints(100.0).await, ["two", "three"]);
        let two = store.tokens("a".into(), 100.0).await.unwrap()[0].id;
        assert!(
            store
                .revoke_token("a".into(), two, change("revoke_token"))
                .await
                .unwrap()
        );
        assert!(
            !store
                .revoke_token("a".into(), two, change("revoke_token"))
                .await
                .unwrap()
        );
        assert_eq!(hints(100.0).await, ["three"]);
    }
}
