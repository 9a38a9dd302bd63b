//! The challenges' records: what the operator wants, and who changed it when.

use super::credentials::add_token;
use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde_json::Value;

/// A challenge's record, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryRow {
    /// The challenge.
    pub slug: String,
    /// `draft`, `active`, `inactive` or `disabled`.
    pub status: String,
    /// What the operator said, JSON.
    pub spec: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Version that the component told.
    pub version: String,
    /// Capabilities that it exports, JSON.
    pub capabilities: String,
    /// Who made the record: `admin` or `folder`.
    pub origin: String,
    /// Number of the last change. Set by the store.
    pub revision: i64,
    /// Since when an operator has it active, in seconds since the Unix epoch; none if
    /// it was from the beginning.
    pub active_since: Option<f64>,
    /// When it was made, in seconds since the Unix epoch. Set by the store.
    pub created_at: f64,
    /// When it was changed last. Set by the store.
    pub updated_at: f64,
}

/// A change, for the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When, in seconds since the Unix epoch.
    pub at: f64,
    /// Who.
    pub actor: String,
    /// What they did, as in `update`.
    pub action: &'static str,
    /// Each field that changed: `{"field": [before, after]}`.
    pub changes: Value,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Number of the change.
    pub id: i64,
    /// When, in seconds since the Unix epoch.
    pub at: f64,
    /// Who.
    pub actor: String,
    /// What was changed: a challenge's slug, or `gpu-server:` and its id.
    pub subject: String,
    /// What they did.
    pub action: String,
    /// Each field that changed: `{"field": [before, after]}`.
    pub changes: Value,
}

/// A component that a challenge ran.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    /// SHA-256 of the component.
    pub digest: String,
    /// Version that it told.
    pub version: String,
    /// Where it came from.
    pub reference: String,
    /// When it was first taken, in seconds since the Unix epoch.
    pub added_at: f64,
}

/// What became of a write that wants a revision.
#[derive(Debug, Clone, PartialEq)]
pub enum Written<T> {
    /// It is stored.
    Done(T),
    /// The record has another revision, or is not there: nothing was stored.
    Changed(Option<i64>),
}

impl Store {
    /// Every record, by slug.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn registry(&self) -> Result<Vec<RegistryRow>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM registry ORDER BY slug")?;
            let records = statement.query_map([], record)?;
            Ok(records.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The record of a challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn registry_record(&self, slug: String) -> Result<Option<RegistryRow>, StoreError> {
        self.read(move |connection| find(connection, &slug)).await
    }

    /// Makes or changes a record, with its version of the component and a row of the
    /// audit log; values of secrets that it does not name are forgotten. It must have the revision `expected`; none is a new one. A new one
    /// gets `token`. Returns the record as it is now.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_record(
        &self,
        row: RegistryRow,
        reference: String,
        expected: Option<i64>,
        change: Change,
        token: Option<(Vec<u8>, String)>,
    ) -> Result<Written<RegistryRow>, StoreError> {
        self.write(move |tx| {
            let found = find(tx, &row.slug)?;
            let revision = found.as_ref().map(|found| found.revision);
            if revision != expected {
                return Ok(Written::Changed(revision));
            }
            let is_new = found.is_none();
            let used = found.as_ref().map(|found| found.digest.clone());
            let created_at = found.map_or(change.at, |found| found.created_at);
            let row = RegistryRow {
                revision: audit(tx, &row.slug, &change)?,
                created_at,
                updated_at: change.at,
                ..row
            };
            put(tx, &row)?;
            if is_new {
                // What another record of this name had is not its.
                for table in ["registry_tokens", "registry_secrets", "registry_versions"] {
                    tx.execute(&format!("DELETE FROM {table} WHERE slug = ?1"), [&row.slug])?;
                }
            }
            if used.as_ref() != Some(&row.digest) {
                tx.execute(
                    "INSERT INTO registry_versions VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET used_by = excluded.used_by",
                    (
                        &row.slug,
                        &row.digest,
                        &row.version,
                        reference,
                        change.at,
                        row.revision,
                    ),
                )?;
            }
            // A secret that the record does not name any more is no secret of it.
            tx.execute(
                "DELETE FROM registry_secrets WHERE slug = ?1
                     AND name NOT IN (SELECT value FROM json_each(?2, '$.given.secrets'))",
                (&row.slug, &row.spec),
            )?;
            if let Some((hash, hint)) = token {
                add_token(tx, &row.slug, &hash, &hint, change.at)?;
            }
            Ok(Written::Done(row))
        })
        .await
    }

    /// Removes a record with its tokens and secrets; the audit log and the versions
    /// stay, and so does all that was scored.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn delete_record(
        &self,
        slug: String,
        expected: i64,
        change: Change,
    ) -> Result<Written<()>, StoreError> {
        self.write(move |tx| {
            let revision = find(tx, &slug)?.map(|found| found.revision);
            if revision != Some(expected) {
                return Ok(Written::Changed(revision));
            }
            audit(tx, &slug, &change)?;
            for table in ["registry", "registry_tokens", "registry_secrets"] {
                tx.execute(&format!("DELETE FROM {table} WHERE slug = ?1"), [&slug])?;
            }
            Ok(Written::Done(()))
        })
        .await
    }

    /// The components that a challenge ran, the one that it ran last first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn versions(&self, slug: String) -> Result<Vec<VersionRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT digest, version, reference, added_at FROM registry_versions
                 WHERE slug = ?1 ORDER BY used_by DESC",
            )?;
            let versions = statement.query_map([slug], |row| {
                Ok(VersionRow {
                    digest: row.get(0)?,
                    version: row.get(1)?,
                    reference: row.get(2)?,
                    added_at: row.get(3)?,
                })
            })?;
            Ok(versions.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The audit log, the last change first: of one subject or of all, before the
    /// change `before`, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn audit_log(
        &self,
        subject: Option<String>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at, actor, subject, action, changes FROM registry_audit
                 WHERE (?1 IS NULL OR subject = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3",
            )?;
            let mut rows = statement.query((subject, before.unwrap_or(i64::MAX), limit))?;
            let mut log = Vec::new();
            while let Some(row) = rows.next()? {
                log.push(AuditRow {
                    id: row.get(0)?,
                    at: row.get(1)?,
                    actor: row.get(2)?,
                    subject: row.get(3)?,
                    action: row.get(4)?,
                    changes: serde_json::from_str(&row.get::<_, String>(5)?)?,
                });
            }
            Ok(log)
        })
        .await
    }

    /// Adds a change to the audit log that is no change of a record. Returns its
    /// number.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_change(&self, subject: String, change: Change) -> Result<i64, StoreError> {
        self.write(move |tx| audit(tx, &subject, &change)).await
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<RegistryRow> {
    Ok(RegistryRow {
        slug: row.get("slug")?,
        status: row.get("status")?,
        spec: row.get("spec")?,
        digest: row.get("digest")?,
        version: row.get("version")?,
        capabilities: row.get("capabilities")?,
        origin: row.get("origin")?,
        revision: row.get("revision")?,
        active_since: row.get("active_since")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) fn find(connection: &Connection, slug: &str) -> Result<Option<RegistryRow>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT * FROM registry WHERE slug = ?1")?
        .query_row([slug], record)
        .optional()?)
}

pub(super) fn put(tx: &Transaction<'_>, row: &RegistryRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO registry (slug, status, spec, digest, version, capabilities,
             origin, revision, created_at, updated_at, active_since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        (
            &row.slug,
            &row.status,
            &row.spec,
            &row.digest,
            &row.version,
            &row.capabilities,
            &row.origin,
            row.revision,
            row.created_at,
            row.updated_at,
            row.active_since,
        ),
    )?;
    Ok(())
}

/// Adds a row to the audit log. Returns its number.
pub(super) fn audit(
    tx: &Transaction<'_>,
    subject: &str,
    change: &Change,
) -> Result<i64, StoreError> {
    tx.execute(
        "INSERT INTO registry_audit (at, actor, subject, action, changes)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            change.at,
            &change.actor,
            subject,
            change.action,
            change.changes.to_string(),
        ),
    )?;
    Ok(tx.last_insert_rowid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(action: &'static str) -> Change {
        Change {
            at: 5.0,
            actor: "operator".into(),
            action,
            changes: json!({}),
        }
    }

    fn row() -> RegistryRow {
        RegistryRow {
            slug: "digits".into(),
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
        }
    }

    fn open() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    async fn put(store: &Store, expected: Option<i64>) -> Written<RegistryRow> {
        let change = change("update");
        let put = store.put_record(row(), "file:d".into(), expected, change, None);
        put.await.unwrap()
    }

    #[tokio::test]
    async fn of_two_changes_of_one_revision_the_second_has_no_effect() {
        let (_directory, store) = open();
        let Written::Done(first) = put(&store, None).await else {
            panic!("not stored");
        };
        assert_eq!(
            put(&store, None).await,
            Written::Changed(Some(first.revision))
        );
        let Written::Done(second) = put(&store, Some(first.revision)).await else {
            panic!("not stored");
        };
        assert!(second.revision > first.revision);
        assert_eq!(
            put(&store, Some(first.revision)).await,
            Written::Changed(Some(second.revision))
        );
        let log = store.audit_log(None, None, 10).await.unwrap();
        assert_eq!(log.len(), 2, "{log:?}");
        let gone = store.delete_record("digits".into(), second.revision, change("delete"));
        assert_eq!(gone.await.unwrap(), Written::Done(()));
        // A record of the same name is another one.
        let Written::Done(third) = put(&store, None).await else {
            panic!("not stored");
        };
        assert!(third.revision > second.revision);
    }

    #[tokio::test]
    async fn the_value_of_a_secret_goes_with_its_name() {
        let (_directory, store) = open();
        let mut named = row();
        named.spec = r#"{"given": {"secrets": ["A", "B"]}}"#.into();
        let made = store.put_record(named.clone(), "x".into(), None, change("create"), None);
        assert!(matches!(made.await.unwrap(), Written::Done(_)));
        for name in ["A", "B"] {
            let set = change("set_secret");
            let set = store.put_secret("digits".into(), name.into(), Some(vec![1]), set);
            assert!(set.await.unwrap().is_some());
        }
        named.spec = r#"{"given": {"secrets": ["B"]}}"#.into();
        let record = store.registry_record("digits".into()).await.unwrap();
        let revision = record.map(|record| record.revision);
        let changed = store.put_record(named, "x".into(), revision, change("update"), None);
        assert!(matches!(changed.await.unwrap(), Written::Done(_)));
        let left = store.secrets("digits".into()).await.unwrap();
        let left: Vec<&str> = left.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(left, ["B"]);
    }
}
