//! Servers with GPUs, as operators describe them.

use super::registry::audit;
use super::{Change, Store, StoreError, Written};
use rusqlite::{Connection, OptionalExtension, Row};

/// A GPU server, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuServerRow {
    /// What operators call it.
    pub id: String,
    /// What the operator said, JSON.
    pub spec: String,
    /// Its token, sealed; none if it has none.
    pub token: Option<Vec<u8>>,
    /// The token's first and last characters; none if it has none.
    pub token_hint: Option<String>,
    /// Number of the last change. Set by the store.
    pub revision: i64,
    /// When it was made, in seconds since the Unix epoch. Set by the store.
    pub created_at: f64,
    /// When it was changed last. Set by the store.
    pub updated_at: f64,
}

/// What the audit log calls a GPU server.
fn subject(id: &str) -> String {
    format!("gpu-server:{id}")
}

impl Store {
    /// Every GPU server, by id.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn gpu_servers(&self) -> Result<Vec<GpuServerRow>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM gpu_servers ORDER BY id")?;
            let servers = statement.query_map([], server)?;
            Ok(servers.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A GPU server.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn gpu_server(&self, id: String) -> Result<Option<GpuServerRow>, StoreError> {
        self.read(move |connection| find(connection, &id)).await
    }

    /// Makes or changes a GPU server, with a row of the audit log. It must have the
    /// revision `expected`; none is a new one. Returns it as it is now.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_gpu_server(
        &self,
        row: GpuServerRow,
        expected: Option<i64>,
        change: Change,
    ) -> Result<Written<GpuServerRow>, StoreError> {
        self.write(move |tx| {
            let found = find(tx, &row.id)?;
            let revision = found.as_ref().map(|found| found.revision);
            if revision != expected {
                return Ok(Written::Changed(revision));
            }
            let row = GpuServerRow {
                revision: audit(tx, &subject(&row.id), &change)?,
                created_at: found.map_or(change.at, |found| found.created_at),
                updated_at: change.at,
                ..row
            };
            tx.execute(
                "INSERT OR REPLACE INTO gpu_servers
                     (id, spec, token, token_hint, revision, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    &row.id,
                    &row.spec,
                    &row.token,
                    &row.token_hint,
                    row.revision,
                    row.created_at,
                    row.updated_at,
                ),
            )?;
            Ok(Written::Done(row))
        })
        .await
    }

    /// Removes a GPU server; the audit log stays.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn delete_gpu_server(
        &self,
        id: String,
        expected: i64,
        change: Change,
    ) -> Result<Written<()>, StoreError> {
        self.write(move |tx| {
            let revision = find(tx, &id)?.map(|found| found.revision);
            if revision != Some(expected) {
                return Ok(Written::Changed(revision));
            }
            audit(tx, &subject(&id), &change)?;
            tx.execute("DELETE FROM gpu_servers WHERE id = ?1", [&id])?;
            Ok(Written::Done(()))
        })
        .await
    }
}

fn find(connection: &Connection, id: &str) -> Result<Option<GpuServerRow>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT * FROM gpu_servers WHERE id = ?1")?
        .query_row([id], server)
        .optional()?)
}

fn server(row: &Row<'_>) -> rusqlite::Result<GpuServerRow> {
    Ok(GpuServerRow {
        id: row.get("id")?,
        spec: row.get("spec")?,
        token: row.get("token")?,
        token_hint: row.get("token_hint")?,
        revision: row.get("revision")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
