//! A backup on its way back into a database.

use super::{PARTS, Store, StoreError, check, is_empty};
use crate::store::MIGRATIONS;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes the rows of a part.
type Insert<'a> = dyn FnMut(&str, Map<String, Value>) -> Result<(), StoreError> + 'a;

impl Store {
    /// Fills the database with what `work` gives to the function that it is given:
    /// what [`dump`](Store::dump) gave. In one piece: after an error, of `work` or of
    /// what the rows are checked for, nothing has changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotWritten`] if the database is not empty, a row does not fit its
    /// table, or all of them contradict one another; else the error of `work`.
    pub async fn load<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Insert<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let failed: Arc<Mutex<Option<E>>> = Arc::default();
        let slot = Arc::clone(&failed);
        let loaded = self.write(move |tx| {
            if !is_empty(tx)? {
                return refuse("it is not empty");
            }
            clear(tx)?;
            let mut columns = BTreeMap::new();
            let mut insert = |part: &str, row| insert(tx, &mut columns, part, row);
            let value = match work(&mut insert) {
                Ok(value) => value,
                Err(error) => {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return Err(StoreError::Stopped);
                }
            };
            match check::errors(tx)?.first() {
                Some(problem) => refuse(format!("what is restored contradicts itself: {problem}")),
                None => Ok(value),
            }
        });
        let loaded = loaded.await;
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failed {
            Some(error) => Err(error),
            None => Ok(loaded?),
        }
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::NotWritten(why.into()))
}

/// Removes what a host notes before it has done anything.
fn clear(connection: &Connection) -> Result<(), StoreError> {
    for table in super::tables(connection)? {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

/// The columns of a table, and which of them hold bytes.
type Columns = BTreeMap<String, bool>;

fn columns_of(connection: &Connection, table: &str) -> Result<Columns, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, type = 'BLOB' FROM pragma_table_info(?1)")?;
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(columns.collect::<Result<_, _>>()?)
}

fn insert(
    connection: &Connection,
    known: &mut BTreeMap<&'static str, Columns>,
    part: &str,
    mut row: Map<String, Value>,
) -> Result<(), StoreError> {
    if part == "header" {
        return begin(connection, &row);
    }
    let Some((_, table, _)) = PARTS.iter().find(|(name, ..)| *name == part) else {
        return refuse(format!("{part:?} is unknown to this version"));
    };
    if part == "jobs" {
        row.insert("state".into(), "queued".into());
        row.insert("lease".into(), Value::Null);
    }
    if !known.contains_key(table) {
        known.insert(table, columns_of(connection, table)?);
    }
    let columns = known.get(table);
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    for (name, value) in row {
        let Some(is_blob) = columns.and_then(|columns| columns.get(&name)) else {
            return refuse(format!("{part}: {name:?} is unknown to this version"));
        };
        match cell(value, *is_blob) {
            Some(cell) => cells.push(cell),
            None => return refuse(format!("{part}: {name} has a value of the wrong type")),
        }
        names.push(format!("\"{name}\""));
    }
    let places = vec!["?"; names.len()].join(", ");
    // What the header says is said in `meta` as well.
    let sql = format!(
        "INSERT OR {} INTO {table} ({}) VALUES ({places})",
        if part == "meta" { "REPLACE" } else { "ABORT" },
        names.join(", ")
    );
    let inserted = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.execute(params_from_iter(cells)));
    match inserted {
        Ok(_) => Ok(()),
        Err(error) => refuse(format!("{part}: {error}")),
    }
}

/// Takes over what the database as a whole had.
fn begin(connection: &Connection, header: &Map<String, Value>) -> Result<(), StoreError> {
    let schema = header.get("schema").and_then(Value::as_u64);
    if schema.is_none_or(|schema| schema > MIGRATIONS.len() as u64) {
        return refuse("the backup is of a newer version: use a newer one");
    }
    for key in ["seed", "database"] {
        if let Some(value) = header.get(key).and_then(Value::as_str) {
            connection.execute("INSERT INTO meta VALUES (?1, ?2)", [key, value])?;
        }
    }
    // So that who follows the events does not take new ones for known ones.
    let last_event = header.get("last_event").and_then(Value::as_i64);
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'", [])?;
    connection.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?1)",
        [last_event.unwrap_or_default()],
    )?;
    Ok(())
}

fn cell(value: Value, is_blob: bool) -> Option<Cell> {
    match value {
        Value::Null => Some(Cell::Null),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(Cell::Integer(integer)),
            None => number.as_f64().map(Cell::Real),
        },
        Value::String(text) if is_blob => STANDARD.decode(text).ok().map(Cell::Blob),
        Value::String(text) => Some(Cell::Text(text)),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn header() -> Map<String, Value> {
        row(json!({"schema": 2, "seed": "18446744073709551615", "database": "d", "last_event": 7}))
    }

    fn commit() -> Value {
        json!({"id": 3, "challenge": "c", "miner_hotkey": "m", "miner_uid": 1,
               "encrypted_commit": "e", "committed_at": 1.5, "revision": 9})
    }

    async fn load(store: &Store, rows: Vec<(&'static str, Value)>) -> Result<(), StoreError> {
        store
            .load(move |insert| {
                insert("header", header())?;
                rows.into_iter()
                    .try_for_each(|(part, value)| insert(part, row(value)))
            })
            .await
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn what_was_dumped_is_loaded_as_it_was() {
        let (_directory, store) = store();
        let view = json!({"validator_uid": 0, "validator_hotkey": "v", "document": "/wA=",
                          "received_at": 2.0, "heard": 1, "source": "push"});
        let sighting =
            json!({"commit_id": 3, "validator_hotkey": "v", "claimed_at": 1.5, "heard_at": 2.0});
        load(
            &store,
            vec![
                ("commits", commit()),
                ("sightings", sighting),
                ("validator_views", view),
            ],
        )
        .await
        .unwrap();
        assert_eq!(store.seed(None, 1).await.unwrap(), u64::MAX);
        assert_eq!(store.commit(3).await.unwrap().committed_at, Some(1.5));
        assert_eq!(store.view(0).await.unwrap().unwrap().document, [0xff, 0]);
        let again = store.dump(Vec::new(), |rows, part, row| {
            rows.push((part, row));
            Ok(())
        });
        let again = again.await.unwrap().unwrap();
        let commits: Vec<_> = again
            .iter()
            .filter_map(|(part, row)| row.as_ref().filter(|_| *part == "commits"))
            .collect();
        assert_eq!(commits.len(), 1);
        assert_eq!(commits[0]["revision"], 9);
        assert_eq!(again[0].1.as_ref().unwrap()["last_event"], 7);
    }

    #[tokio::test]
    async fn a_database_that_holds_anything_is_left_alone() {
        let (_directory, store) = store();
        load(&store, vec![("commits", commit())]).await.unwrap();
        let error = load(&store, Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
    }

    #[tokio::test]
    async fn what_does_not_fit_changes_nothing() {
        let (_directory, store) = store();
        let bad = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut row = row(commit());
            change(&mut row);
            ("commits", Value::Object(row))
        };
        let cases = [
            bad(&|row| drop(row.insert("state".into(), "lost".into()))),
            bad(&|row| drop(row.insert("miner_uid".into(), "one".into()))),
            bad(&|row| drop(row.insert("accepted".into(), true.into()))),
            bad(&|row| drop(row.insert("novel".into(), 1.into()))),
            bad(&|row| drop(row.remove("challenge"))),
            bad(&|row| drop(row.insert("evaluation_id".into(), 5.into()))),
            bad(&|row| drop(row.insert("state".into(), "judged".into()))),
            ("novel", json!({})),
            (
                "validator_views",
                json!({"validator_uid": 0, "validator_hotkey": "v",
                "document": "no base64!", "received_at": 2.0}),
            ),
        ];
        for (part, value) in cases {
            let rows = vec![("commits", commit()), (part, value.clone())];
            let rows = if part == "commits" {
                rows.split_at(1).1.to_vec()
            } else {
                rows
            };
            let error = load(&store, rows).await.unwrap_err();
            assert!(
                matches!(error, StoreError::NotWritten(_)),
                "{value}: {error}"
            );
            assert_eq!(store.mark().await.unwrap(), None, "{value}");
        }
        assert_eq!(store.seed(None, 5).await.unwrap(), 5, "the header neither");
    }
}
