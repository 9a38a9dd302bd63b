//! Everything that is stored, as rows of names and values: for the backup, for its
//! way back, and for people.

mod check;
mod load;

use super::{MIGRATIONS, Store, StoreError, connect};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

/// The parts of a backup: its name, the table, and which rows of it, in which order.
/// A part comes after those that its rows refer to. Secrets are in it as they are
/// stored, sealed.
const PARTS: [(&str, &str, &str); 33] = [
    ("meta", "meta", ""),
    ("challenges", "challenges", ""),
    (
        "results",
        "evaluations",
        "WHERE state IN ('done', 'failed') ORDER BY id",
    ),
    (
        "jobs",
        "evaluations",
        "WHERE state IN ('queued', 'leased') ORDER BY id",
    ),
    ("commits", "commits", "ORDER BY id"),
    ("sightings", "sightings", ""),
    (
        "validator_views",
        "validator_views",
        "ORDER BY validator_uid",
    ),
    ("faults", "commit_faults", ""),
    ("comparisons", "comparisons", ""),
    ("finalizations", "finalizations", ""),
    ("vectors", "weight_vectors", ""),
    ("published_vectors", "published_vectors", "ORDER BY id"),
    ("receipts", "receipts", "ORDER BY seq"),
    (
        "receipt_parents",
        "receipt_parents",
        "ORDER BY solve, parent",
    ),
    ("receipt_leaves", "receipt_leaves", "ORDER BY day, leaf"),
    ("receipt_heads", "receipt_heads", "ORDER BY rowid"),
    ("receipt_private", "receipt_private", "ORDER BY rowid"),
    ("submissions", "submissions", "ORDER BY id"),
    ("outbox", "outbox", "ORDER BY id"),
    ("outbox_sent", "outbox_sent", ""),
    ("registry", "registry", ""),
    ("registry_versions", "registry_versions", ""),
    ("registry_audit", "registry_audit", "ORDER BY id"),
    ("registry_secrets", "registry_secrets", ""),
    ("registry_tokens", "registry_tokens", "ORDER BY id"),
    ("gpu_servers", "gpu_servers", ""),
    ("validator_nodes", "validator_nodes", ""),
    ("assignments", "assignments", "ORDER BY id"),
    ("assignment_marks", "assignment_marks", ""),
    ("organic_loops", "organic_loops", ""),
    ("organic_entries", "organic_entries", "ORDER BY seq"),
    ("organic_iterations", "organic_iterations", "ORDER BY id"),
    ("organic_weights", "organic_weights", ""),
];

/// Tables that no backup has: what only matters for a while, or comes back by itself; and
/// what receipts name by digest, which is kept for a while only, can be many gigabytes,
/// and is in the bundles of its days.
#[cfg(test)]
const PASSING: [&str; 6] = [
    "events",
    "signed_requests",
    "request_nonces",
    "idempotency_keys",
    "organic_counts",
    "receipt_blobs",
];

/// A number that grows with every finalization.
const LEDGER: &str = "(SELECT count(*) FROM finalizations) + (SELECT count(*) FROM weight_vectors)";

/// Changes with whatever a backup would be written anew for. That a validator said
/// the same once more is nothing.
const MARK: &str = "SELECT concat_ws('/',
    (SELECT ifnull(max(revision), 0) FROM commits), (SELECT count(*) FROM commits),
    (SELECT count(*) FROM sightings), (SELECT count(*) FROM comparisons),
    (SELECT ifnull(max(id), 0) FROM evaluations),
    (SELECT count(*) FROM evaluations WHERE state IN ('done', 'failed')),
    (SELECT group_concat(concat(validator_uid, validator_hotkey, length(document), heard))
        FROM validator_views),
    (SELECT total(count) FROM commit_faults), (SELECT total(length(value)) FROM meta),
    (SELECT count(*) FROM outbox), (SELECT ifnull(max(id), 0) FROM outbox),
    (SELECT ifnull(max(sent_at), 0) FROM outbox_sent),
    (SELECT total(length(results)) FROM finalizations),
    (SELECT ifnull(max(id), 0) FROM published_vectors),
    (SELECT ifnull(max(seq), 0) FROM receipts),
    (SELECT ifnull(max(rowid), 0) FROM receipt_heads),
    (SELECT ifnull(max(rowid), 0) FROM receipt_private),
    (SELECT ifnull(max(id), 0) FROM submissions),
    (SELECT ifnull(max(updated_at), 0) FROM submissions),
    (SELECT ifnull(max(id), 0) FROM registry_audit),
    (SELECT group_concat(concat(hotkey, about, subscriptions)) FROM validator_nodes),
    (SELECT count(*) FROM assignments), (SELECT ifnull(max(updated_at), 0) FROM assignments),
    (SELECT ifnull(sum(revision), 0) FROM organic_loops),";

/// Why rows are given no more: the database, or whom they are given to.
pub(super) enum Ended {
    Store(StoreError),
    Io(io::Error),
}

impl From<rusqlite::Error> for Ended {
    fn from(error: rusqlite::Error) -> Self {
        Ended::Store(error.into())
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Ended::Store(error)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Ended::Io(error)
    }
}

/// Tells the error of the receiver from those of the database.
pub(super) fn told<T>(result: Result<T, Ended>) -> Result<io::Result<T>, StoreError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Ended::Io(error)) => Ok(Err(error)),
        Err(Ended::Store(error)) => Err(error),
    }
}

impl Store {
    /// Gives everything to `each`, as it is at one moment, without keeping it in
    /// memory: first (`header`, what is known of the database as a whole), then for
    /// each part (its name, nothing), followed by (its name, a row) for each row.
    /// What is no text in a column is base64. Costs a walk through the whole
    /// database, beside which others go on reading and writing.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; within, the first error of `each`.
    pub async fn dump<S: Send + 'static>(
        &self,
        mut sink: S,
        each: impl Fn(&mut S, &'static str, Option<Map<String, Value>>) -> io::Result<()>
        + Send
        + 'static,
    ) -> Result<io::Result<S>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut give = |part, row| Ok(each(&mut sink, part, row)?);
            let done = dump(&transaction, &mut give);
            told(done.map(|()| sink))
        })
        .await
    }

    /// A text that changes with whatever a backup would be written anew for; none
    /// while there is nothing to be backed up.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn mark(&self) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            if is_empty(connection)? {
                return Ok(None);
            }
            mark(connection).map(Some)
        })
        .await
    }

    /// A number that grows with every finalization, and with every vector.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn ledger_length(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {LEDGER}");
            Ok(connection
                .prepare_cached(&sql)?
                .query_row([], |row| row.get(0))?)
        })
        .await
    }

    /// Gives each row of each table of the database at `path` to `each`, with the
    /// table's name, as of one moment; another process may have the database. Unless
    /// `with_keys`, what is not to be known yet is left out: the deployment's seed,
    /// keys of sealed commits, and the documents of validators, which hold such keys;
    /// what is sealed or hashed of secrets and tokens; what callers of organic scoring
    /// asked and were answered, with the ids of their entries; and what receipts name by
    /// digest.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]; within, the first error of `each`.
    pub fn export(
        path: &Path,
        with_keys: bool,
        mut each: impl FnMut(&str, Map<String, Value>) -> io::Result<()>,
    ) -> Result<io::Result<()>, StoreError> {
        let connection = open_to_read(path)?;
        let transaction = connection.unchecked_transaction()?;
        let mut export = || {
            for table in tables(&transaction)? {
                rows(&transaction, &format!("SELECT * FROM {table}"), |row| {
                    let row = if with_keys {
                        Some(row)
                    } else {
                        disclosed(&table, row)
                    };
                    row.map_or(Ok(()), |row| Ok(each(&table, row)?))
                })?;
            }
            Ok(())
        };
        told(export())
    }
}

/// A row without what is not to be known yet.
fn disclosed(table: &str, mut row: Map<String, Value>) -> Option<Map<String, Value>> {
    match table {
        "meta" if row.get("key").is_some_and(|key| key == "seed") => return None,
        "commits" if row.get("state").is_some_and(|state| state == "sealed") => {
            row.insert("key".into(), Value::Null);
        }
        "validator_views" => {
            row.insert("document".into(), Value::Null);
        }
        // Of a commit that is not revealed: whoever has it knows what is committed to.
        "submissions" => {
            let over = ["confirmed", "unconfirmed", "rejected", "failed", "expired"];
            if row
                .get("state")
                .is_none_or(|state| !over.iter().any(|over| state == over))
            {
                row.insert("salt".into(), Value::Null);
            }
        }
        // What callers asked, and were answered, is theirs; and whoever knows the id of an
        // entry may ask for its answer.
        "organic_entries" => {
            row.insert("sample".into(), Value::Null);
            row.insert("answer".into(), Value::Null);
            hide(&mut row, "id");
        }
        "organic_iterations" => {
            row.insert("record".into(), Value::Null);
            hide(&mut row, "entry");
        }
        // Some is private, and some of days that are not over.
        "receipt_blobs" => {
            row.insert("zstd".into(), Value::Null);
        }
        "registry_secrets" | "registry_tokens" | "idempotency_keys" => return None,
        "gpu_servers" => {
            row.insert("token".into(), Value::Null);
        }
        _ => {}
    }
    Some(row)
}

/// Puts the SHA-256 of a text in its place: rows that have it still belong together.
fn hide(row: &mut Map<String, Value>, column: &str) {
    if let Some(Value::String(text)) = row.get_mut(column) {
        *text = hex::encode(Sha256::digest(&*text));
    }
}

/// A connection to a database that this program knows, for reading only.
fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(connection),
        std::cmp::Ordering::Greater => Err(StoreError::TooNew { found, known }),
        std::cmp::Ordering::Less => Err(StoreError::Corrupt(format!(
            "it has version {found} and not {known}: `proctor serve` brings it up to date"
        ))),
    }
}

fn tables(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         ORDER BY rowid",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

type Give<'a> = dyn FnMut(&'static str, Option<Map<String, Value>>) -> Result<(), Ended> + 'a;

fn dump(connection: &Connection, give: &mut Give<'_>) -> Result<(), Ended> {
    give("header", Some(header(connection)?))?;
    for (part, table, which) in PARTS {
        give(part, None)?;
        rows(
            connection,
            &format!("SELECT * FROM {table} {which}"),
            |mut row| {
                if part == "results" {
                    let published = published(connection, row.get("id"))?;
                    row.insert("published".into(), published);
                }
                give(part, Some(row))
            },
        )?;
    }
    Ok(())
}

fn header(connection: &Connection) -> Result<Map<String, Value>, StoreError> {
    let value = |key: &str| -> Result<Option<String>, StoreError> {
        let sql = "SELECT max(value) FROM meta WHERE key = ?1";
        Ok(connection.query_row(sql, [key], |row| row.get(0))?)
    };
    let last_event: i64 = connection.query_row(
        "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'",
        [],
        |row| row.get(0),
    )?;
    let header = json!({
        "schema": MIGRATIONS.len(),
        "database": value("database")?,
        "seed": value("seed")?,
        "mark": mark(connection)?,
        "last_event": last_event,
    });
    match header {
        Value::Object(header) => Ok(header),
        _ => Ok(Map::new()),
    }
}

fn mark(connection: &Connection) -> Result<String, StoreError> {
    let sql = format!("{MARK} {LEDGER})");
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

/// Whether a database holds nothing that anybody did.
fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM commits)
        AND NOT EXISTS (SELECT 1 FROM evaluations)
        AND NOT EXISTS (SELECT 1 FROM finalizations)
        AND NOT EXISTS (SELECT 1 FROM organic_entries)
        AND NOT EXISTS (SELECT 1 FROM organic_weights)
        AND NOT EXISTS (SELECT 1 FROM registry_audit
            WHERE actor NOT IN ('folder', 'configuration', 'tag'))";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// How the artifact of an evaluation was published, when it was judged, and with what
/// it was compared: each (artifact, hotkey, logs).
fn published(connection: &Connection, evaluation: Option<&Value>) -> Result<Value, StoreError> {
    let id = evaluation.and_then(Value::as_i64).unwrap_or_default();
    let (artifact, judged_at): (Option<String>, Option<f64>) = connection
        .prepare_cached(
            "SELECT (SELECT artifact FROM commits WHERE evaluation_id = ?1 ORDER BY id LIMIT 1),
                 (SELECT max(judged_at) FROM commits WHERE evaluation_id = ?1)",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT artifact FROM commits WHERE evaluation_id = reference ORDER BY id LIMIT 1),
             (SELECT miner_hotkey FROM commits WHERE evaluation_id = reference ORDER BY id LIMIT 1),
             'sha256:' || e.artifact_digest, c.logs
         FROM comparisons c JOIN evaluations e ON e.id = reference
         WHERE candidate = ?1 ORDER BY reference",
    )?;
    let compared = statement.query_map([id], |row| {
        let artifact: Option<String> = row.get(0)?;
        let artifact = artifact.map_or_else(|| row.get(2), Ok)?;
        let (hotkey, logs): (Option<String>, String) = (row.get(1)?, row.get(3)?);
        Ok(json!([artifact, hotkey, logs]))
    })?;
    let compared: Vec<Value> = compared.collect::<Result<_, _>>()?;
    Ok(json!({"artifact": artifact, "judged_at": judged_at, "compared": compared}))
}

/// Gives each row to `each`.
pub(super) fn rows(
    connection: &Connection,
    sql: &str,
    each: impl FnMut(Map<String, Value>) -> Result<(), Ended>,
) -> Result<(), Ended> {
    rows_with(connection, sql, [], each)
}

/// [`rows`] of a query with parameters.
pub(super) fn rows_with(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    mut each: impl FnMut(Map<String, Value>) -> Result<(), Ended>,
) -> Result<(), Ended> {
    let mut statement = connection.prepare_cached(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        each(fields(&names, row)?)?;
    }
    Ok(())
}

fn fields(names: &[String], row: &Row<'_>) -> Result<Map<String, Value>, StoreError> {
    let mut fields = Map::new();
    for (index, name) in names.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) => number.into(),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => text.into(),
                Err(_) => return Err(StoreError::Corrupt(format!("{name} is no UTF-8"))),
            },
            ValueRef::Blob(bytes) => STANDARD.encode(bytes).into(),
        };
        fields.insert(name.clone(), value);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        drop(Store::open(&path).unwrap());
        let connection = open_to_read(&path).unwrap();
        for table in tables(&connection).unwrap() {
            let kept = PARTS.iter().any(|(_, of, _)| *of == table);
            let left_out = PASSING.contains(&table.as_str());
            assert_ne!(kept, left_out, "{table}");
        }
    }

    #[tokio::test]
    async fn the_mark_changes_with_what_is_known_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        assert_eq!(store.mark().await.unwrap(), None, "nothing to back up");
        let commit = |number: i64| {
            store.write(move |tx| {
                tx.execute(
                    "INSERT INTO commits (challenge, miner_hotkey, miner_uid, encrypted_commit,
                         revision) VALUES ('c', 'm', 1, ?1, ?1)",
                    [number],
                )?;
                Ok(())
            })
        };
        commit(1).await.unwrap();
        let first = store.mark().await.unwrap();
        assert!(first.is_some());
        assert_eq!(store.mark().await.unwrap(), first);
        commit(2).await.unwrap();
        assert_ne!(store.mark().await.unwrap(), first);
    }
}
