//! The import `database`: SQL on the challenge's own SQLite file.

mod record;

use super::bindings::database::{DatabaseError, Host, Rows, Value};
use super::state::State;
use super::tape::{HostCall, Unreadable};
use record::Answer;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, params_from_iter};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Access to one SQLite file for the length of a call. Whatever is not
/// committed at its end is rolled back with the connection.
pub(super) struct DatabaseGrant {
    path: PathBuf,
    pages: u32,
    statement: Duration,
    output_bytes: usize,
    connection: Option<Connection>,
}

impl DatabaseGrant {
    pub(super) fn new(path: PathBuf, pages: u32, statement: Duration, output_bytes: usize) -> Self {
        DatabaseGrant {
            path,
            pages,
            statement,
            output_bytes,
            connection: None,
        }
    }
}

impl Host for State {
    async fn execute(
        &mut self,
        sql: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<u64, DatabaseError>> {
        self.taped("database.execute", sql, parameters, |connection, call| {
            let mut statement = connection.prepare(&call.sql)?;
            let parameters = call.parameters.into_iter().map(to_sqlite);
            Ok(Ok(statement.execute(params_from_iter(parameters))? as u64))
        })
        .await
    }

    async fn query(
        &mut self,
        sql: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Rows, DatabaseError>> {
        self.taped("database.query", sql, parameters, |connection, call| {
            read_rows(connection, &call.sql, call.parameters, call.output_bytes)
        })
        .await
    }
}

/// A statement, and what its result may have.
struct Call {
    sql: String,
    parameters: Vec<Value>,
    output_bytes: usize,
}

impl State {
    /// Answers a call from the tape, or makes and records it. A call without a database
    /// is one as well: whether there is one is nowhere else to be seen.
    async fn taped<T: Answer + Send + 'static>(
        &mut self,
        name: &'static str,
        sql: String,
        parameters: Vec<Value>,
        work: impl FnOnce(&Connection, Call) -> rusqlite::Result<Result<T, DatabaseError>>
        + Send
        + 'static,
    ) -> wasmtime::Result<Result<T, DatabaseError>> {
        let Some(tape) = self.tape.clone() else {
            return self.on_connection(sql, parameters, work).await;
        };
        let request = record::request(&sql, &parameters)?;
        if let Some(answer) = tape.replayed(name, &request)? {
            return record::read(&answer).ok_or_else(|| Unreadable(name).into());
        }
        let result = self.on_connection(sql, parameters, work).await?;
        tape.push(HostCall {
            name: name.to_owned(),
            request,
            response: record::write(&result)?,
            solve: None,
        });
        Ok(result)
    }

    /// Runs `work` on the call's connection, on a thread that may block.
    async fn on_connection<T: Send + 'static>(
        &mut self,
        sql: String,
        parameters: Vec<Value>,
        work: impl FnOnce(&Connection, Call) -> rusqlite::Result<Result<T, DatabaseError>>
        + Send
        + 'static,
    ) -> wasmtime::Result<Result<T, DatabaseError>> {
        let time_left = self.time_left();
        let Some(grant) = self.database.as_mut() else {
            return Ok(Err(DatabaseError::Denied(
                "the challenge is not granted a database".into(),
            )));
        };
        let open = grant.connection.take();
        let (path, pages, output_bytes) = (grant.path.clone(), grant.pages, grant.output_bytes);
        let call = Call {
            sql,
            parameters,
            output_bytes,
        };
        let deadline = Instant::now() + grant.statement.min(time_left);
        let (connection, result) = tokio::task::spawn_blocking(move || {
            let mut connection = match open.map_or_else(|| connect(&path, pages, output_bytes), Ok)
            {
                Ok(connection) => connection,
                Err(error) => return (None, Err(error)),
            };
            if log_bytes(&path) > 2 * u64::from(pages) * PAGE_BYTES {
                return (Some(connection), Ok(Err(DatabaseError::Full)));
            }
            let result = connection
                .progress_handler(STEPS, Some(move || Instant::now() >= deadline))
                .and_then(|()| work(&connection, call));
            (Some(connection), result)
        })
        .await?;
        grant.connection = connection;
        Ok(result.unwrap_or_else(|error| Err(database_error(error))))
    }
}

/// Size of a page of SQLite, as it makes files.
const PAGE_BYTES: u64 = 4096;

/// Size of the write-ahead log. Another call that reads keeps it from being
/// folded into the file, so that it may outgrow the file's own limit.
fn log_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// Bytes that one value may have. What SQLite does with one value is a single
/// step, which cannot be interrupted.
const VALUE_BYTES: usize = 1 << 20;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 100;

fn connect(path: &Path, pages: u32, output_bytes: usize) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_millis(100))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What is sorted or queued would otherwise be kept in the host's memory. The
    // files have no name, and are gone with the statement.
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "max_page_count", pages)?;
    let value_bytes = i32::try_from(output_bytes.min(VALUE_BYTES)).unwrap_or(i32::MAX);
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, value_bytes),
        // Bounds VACUUM INTO as well, which attaches its target.
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        // A statement may hold as many values as it has steps and columns.
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 << 10),
        (Limit::SQLITE_LIMIT_VDBE_OP, 2_500),
        (Limit::SQLITE_LIMIT_COLUMN, 128),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 32),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 16),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 4),
        // Matching takes the product of the lengths of pattern and text.
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 128),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.authorizer(Some(authorize))?;
    Ok(connection)
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => false,
        // Extensions of SQLite, whose work is not bounded by what is below.
        AuthAction::CreateVtable { .. } | AuthAction::DropVtable { .. } => false,
        // Neither on the file nor within its limit.
        AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. } => context.database_name != Some("temp"),
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => false,
        // These look at the file. Every other pragma changes how SQLite works,
        // or where it writes.
        AuthAction::Pragma { pragma_name, .. } => matches!(
            pragma_name,
            "table_info"
                | "table_xinfo"
                | "table_list"
                | "index_list"
                | "index_info"
                | "index_xinfo"
                | "foreign_key_list"
                | "foreign_keys"
                | "user_version"
                | "page_count"
                | "integrity_check"
                | "quick_check"
        ),
        AuthAction::Function { function_name } => is_harmless(function_name),
        _ => true,
    };
    if allowed {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

/// Functions that depend on their arguments only, take time in proportion to
/// them, and no memory beyond the limit of a value. This leaves out `random` and
/// the date and time; `instr`, `replace`, `trim` and `json_patch`, which take
/// the product of two lengths; `json_group_array`, `json_group_object` and
/// `json_pretty`, which know no limit; and `load_extension`.
fn is_harmless(function: &str) -> bool {
    // How ALTER TABLE works; a statement cannot call these.
    let internal = ["sqlite_rename_", "sqlite_drop_column", "sqlite_fail"];
    let functions = [
        "->",
        "->>",
        "abs",
        "avg",
        "ceil",
        "changes",
        "char",
        "coalesce",
        "concat",
        "concat_ws",
        "count",
        "cume_dist",
        "dense_rank",
        "first_value",
        "floor",
        "format",
        "glob",
        "group_concat",
        "hex",
        "if",
        "ifnull",
        "iif",
        "json",
        "json_array",
        "json_array_length",
        "json_extract",
        "json_insert",
        "json_object",
        "json_quote",
        "json_remove",
        "json_replace",
        "json_set",
        "json_type",
        "json_valid",
        "lag",
        "last_insert_rowid",
        "last_value",
        "lead",
        "length",
        "like",
        "likelihood",
        "likely",
        "lower",
        "max",
        "min",
        "nth_value",
        "ntile",
        "nullif",
        "octet_length",
        "percent_rank",
        "printf",
        "quote",
        "rank",
        "round",
        "row_number",
        "sign",
        "string_agg",
        "substr",
        "substring",
        "sum",
        "total",
        "total_changes",
        "typeof",
        "unhex",
        "unicode",
        "unlikely",
        "upper",
        "zeroblob",
    ];
    internal.iter().any(|prefix| function.starts_with(prefix)) || functions.contains(&function)
}

fn read_rows(
    connection: &Connection,
    sql: &str,
    parameters: Vec<Value>,
    output_bytes: usize,
) -> rusqlite::Result<Result<Rows, DatabaseError>> {
    let mut statement = connection.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query(params_from_iter(parameters.into_iter().map(to_sqlite)))?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            let value = row.get_ref(index)?;
            bytes += size_of::<Value>();
            if bytes > output_bytes {
                return Ok(Err(DatabaseError::TooLarge));
            }
            values.push(match value {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(i) => Value::Integer(i),
                ValueRef::Real(f) => Value::Real(f),
                ValueRef::Text(text) => {
                    bytes += text.len();
                    Value::Text(String::from_utf8_lossy(text).into_owned())
                }
                ValueRef::Blob(blob) => {
                    bytes += blob.len();
                    Value::Blob(blob.to_vec())
                }
            });
        }
        if bytes > output_bytes {
            return Ok(Err(DatabaseError::TooLarge));
        }
        rows.push(values);
    }
    Ok(Ok(Rows { columns, rows }))
}

fn to_sqlite(value: Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(i) => i.into(),
        Value::Real(f) => f.into(),
        Value::Text(text) => text.into(),
        Value::Blob(blob) => blob.into(),
    }
}

fn database_error(error: rusqlite::Error) -> DatabaseError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::AuthorizationForStatementDenied) => DatabaseError::Denied(text),
        Some(ErrorCode::ConstraintViolation) => DatabaseError::Constraint(text),
        Some(ErrorCode::DiskFull) => DatabaseError::Full,
        Some(ErrorCode::OperationInterrupted) => DatabaseError::Timeout,
        Some(ErrorCode::TooBig) => DatabaseError::TooLarge,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase,
        ) => DatabaseError::Unavailable(text),
        // SQLite has no codes of their own for a function that is refused, and
        // for an ATTACH beyond the limit of zero.
        _ if text.contains("not authorized") || text.contains("too many attached databases") => {
            DatabaseError::Denied(text)
        }
        _ => DatabaseError::Invalid(text),
    }
}
