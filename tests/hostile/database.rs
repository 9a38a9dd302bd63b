//! `database`: the file that a challenge is granted, and the ways out of it or
//! to more than its share.

use super::setup::{WORLD, beside};
use proctor_host::sandbox::{Grants, Outcome};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct File {
    directory: TempDir,
    grants: Grants,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let grants = Grants {
            database: Some(directory.path().join("challenge.db")),
            database_pages: 256,
            statement: Duration::from_millis(300),
            ..Grants::default()
        };
        File { directory, grants }
    }

    /// Runs statements in one call, and returns what came of each.
    async fn sql(&self, steps: &[&str]) -> Vec<Value> {
        sql(&self.grants, steps).await
    }

    fn bytes(&self) -> u64 {
        let files = fs::read_dir(self.directory.path()).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    }
}

async fn sql(grants: &Grants, steps: &[&str]) -> Vec<Value> {
    let called = beside(WORLD.look(json!({"do": "sql", "steps": steps}), grants)).await;
    called.result.unwrap().as_array().unwrap().clone()
}

fn all_fail(seen: &[Value], steps: &[&str], error: &str) {
    assert_eq!(seen.len(), steps.len());
    for (step, sql) in seen.iter().zip(steps) {
        let sql: String = sql.chars().take(100).collect();
        assert_eq!(step["error"], error, "{sql}: {step}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_stay_from_call_to_call() {
    let file = File::new();
    let made = file
        .sql(&[
            "CREATE TABLE t(a UNIQUE, b REAL)",
            "INSERT INTO t VALUES(1, 2.5), ('x', x'00ff')",
        ])
        .await;
    assert_eq!(made, [json!({"changed": 0}), json!({"changed": 2})]);
    let found = file.sql(&["SELECT a, b FROM t ORDER BY rowid"]).await;
    assert_eq!(found[0]["rows"].as_array().unwrap().len(), 2, "{found:?}");
    all_fail(
        &file.sql(&["INSERT INTO t VALUES(1, 1)"]).await,
        &["INSERT"],
        "constraint",
    );
    all_fail(
        &File::new().sql(&["SELECT * FROM t"]).await,
        &["SELECT"],
        "invalid",
    );
}

/// What is refused to bound memory and time leaves enough of SQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinary_statements_work() {
    let steps = [
        "CREATE TABLE miner(id INTEGER PRIMARY KEY, hotkey TEXT NOT NULL UNIQUE)",
        "CREATE TABLE score(miner REFERENCES miner(id) ON DELETE CASCADE, value REAL, log TEXT)",
        "CREATE INDEX score_by_miner ON score(miner, value DESC)",
        "CREATE VIEW best AS SELECT hotkey, max(value) AS value FROM miner JOIN score ON miner = id GROUP BY id",
        "CREATE TRIGGER clean BEFORE INSERT ON score WHEN new.value < 0 BEGIN SELECT RAISE(ABORT, 'negative'); END",
        "INSERT INTO miner(hotkey) VALUES('a'), ('b') ON CONFLICT DO NOTHING",
        "BEGIN IMMEDIATE",
        "INSERT INTO score SELECT id, id * 0.5, json_object('n', id) FROM miner",
        "SAVEPOINT s",
        "DELETE FROM score",
        "ROLLBACK TO s",
        "COMMIT",
        "UPDATE miner SET hotkey = upper(hotkey) WHERE hotkey LIKE 'a%'",
        "ALTER TABLE score RENAME TO scores",
        "ALTER TABLE scores ADD COLUMN note TEXT DEFAULT ''",
        "ALTER TABLE scores RENAME COLUMN note TO remark",
        "ALTER TABLE scores DROP COLUMN remark",
        "SELECT hotkey, value, row_number() OVER (ORDER BY value DESC) FROM best ORDER BY 2 DESC",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT sum(i), group_concat(i) IS NOT NULL FROM n",
        "SELECT log ->> 'n', json_extract(log, '$.n'), typeof(value), printf('%.2f', value) FROM scores",
        "SELECT value FROM json_each('[1, 2, 3]')",
        "SELECT * FROM pragma_table_info('miner')",
        "PRAGMA user_version",
        "REINDEX",
        "ANALYZE",
        "DROP VIEW best",
    ];
    let seen = File::new().sql(&steps).await;
    for (step, sql) in seen.iter().zip(steps) {
        assert!(step["error"].is_null(), "{sql}: {step}");
    }
    assert_eq!(seen[17]["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_there_is_no_database() {
    let steps = ["SELECT 1", "CREATE TABLE t(a)"];
    all_fail(&sql(&Grants::default(), &steps).await, &steps, "denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_at_the_end_of_a_call_is_rolled_back() {
    let file = File::new();
    file.sql(&["CREATE TABLE t(a)", "BEGIN", "INSERT INTO t VALUES(1)"])
        .await;
    let found = file.sql(&["SELECT count(*) FROM t"]).await;
    assert_eq!(found[0]["rows"], json!(["[Value::Integer(0)]"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_file_can_be_reached() {
    let file = File::new();
    let other = file.directory.path().join("other.db").display().to_string();
    let steps = [
        format!("ATTACH '{other}' AS other"),
        format!("ATTACH 'file:{other}?mode=rwc' AS other"),
        "ATTACH ':memory:' AS other".to_owned(),
        format!("VACUUM INTO '{other}'"),
        "DETACH main".to_owned(),
        "PRAGMA writable_schema = 1".to_owned(),
        "PRAGMA temp_store_directory = '/tmp'".to_owned(),
        "PRAGMA data_store_directory = '/tmp'".to_owned(),
        "SELECT load_extension('/tmp/evil.so')".to_owned(),
        "SELECT readfile('/etc/passwd')".to_owned(),
        "SELECT writefile('/tmp/x', 'x')".to_owned(),
        "SELECT * FROM pragma_database_list".to_owned(),
        "CREATE VIRTUAL TABLE t USING fts5(a)".to_owned(),
    ];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let seen = file.sql(&steps).await;
    for (step, sql) in seen.iter().zip(&steps) {
        let error = step["error"].as_str();
        let expected = if sql.contains("file('") {
            "invalid"
        } else {
            "denied"
        };
        assert_eq!(error, Some(expected), "{sql}: {step}");
    }
    assert!(!file.directory.path().join("other.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_of_the_connection_cannot_be_changed() {
    let steps = [
        "PRAGMA journal_mode = DELETE",
        "PRAGMA journal_mode",
        "PRAGMA max_page_count = 1000000",
        "PRAGMA main.max_page_count = 1000000",
        "PRAGMA page_size = 65536",
        "PRAGMA cache_size = 1000000",
        "PRAGMA mmap_size = 1000000000",
        "PRAGMA temp_store = 2",
        "PRAGMA hard_heap_limit = 1",
        "PRAGMA soft_heap_limit = 1",
        "PRAGMA threads = 8",
        "PRAGMA busy_timeout = 100000000",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA trusted_schema = 1",
        "PRAGMA wal_autocheckpoint = 0",
        "SELECT * FROM pragma_max_page_count(1000000)",
    ];
    let seen = File::new().sql(&steps).await;
    for (step, sql) in seen.iter().zip(steps) {
        assert!(
            step["error"] == "denied" || step["error"] == "invalid",
            "{sql}: {step}"
        );
    }
}

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_at_its_deadline() {
    let file = File::new();
    let steps = [
        format!("{ENDLESS} SELECT count(*) FROM n"),
        format!("{ENDLESS} SELECT max(i) FROM n WHERE i < 0"),
    ];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let start = Instant::now();
    all_fail(&file.sql(&steps).await, &steps, "timeout");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let after = file.sql(&["SELECT 1"]).await;
    assert_eq!(after[0]["rows"], json!(["[Value::Integer(1)]"]));
}

/// What happens within a single step of SQLite's machine is not interrupted, so
/// it must be short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_single_function_takes_long() {
    let big = "printf('%.*c', 8000000, 'a')";
    let steps = [
        format!("SELECT instr({big}, substr({big}, 1, 4000000) || 'b')"),
        format!("SELECT length(replace({big}, substr({big}, 1, 4000000) || 'b', ''))"),
        format!("SELECT length(ltrim({big}, {big} || 'b'))"),
        format!("SELECT length(trim({big}, hex(zeroblob(4000000)) || 'a'))"),
        format!("SELECT {big} LIKE '%a%a%a%a%a%a%a%a%b'"),
        format!("SELECT {big} LIKE '%' || substr({big}, 1, 40000) || 'b'"),
        format!("SELECT {big} GLOB '*' || substr({big}, 1, 40000) || 'b'"),
        "SELECT json_patch((SELECT json_group_object(value, 1) FROM generate_series(1, 1000000)), '{}')".to_owned(),
    ];
    let file = File::new();
    for step in &steps {
        let start = Instant::now();
        let seen = file.sql(&[step]).await;
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{step}: {:?}: {seen:?}",
            start.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_reaches_its_size_is_full() {
    let file = File::new();
    let limit = 256 * 4096;
    let seen = file
        .sql(&[
            "CREATE TABLE t(a)",
            "INSERT INTO t VALUES(zeroblob(900000))",
            "INSERT INTO t VALUES(zeroblob(900000))",
        ])
        .await;
    assert_eq!(seen[1]["changed"], 1, "{seen:?}");
    assert_eq!(seen[2]["error"], "full", "{seen:?}");
    // The next call has a connection of its own, with the same limit.
    let again = file
        .sql(&[
            "INSERT INTO t VALUES(zeroblob(900000))",
            "SELECT count(*) FROM t",
        ])
        .await;
    assert_eq!(again[0]["error"], "full", "{again:?}");
    assert_eq!(again[1]["rows"], json!(["[Value::Integer(1)]"]));
    assert!(file.bytes() < 3 * limit, "{}", file.bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_the_database_does_not_grow_without_end() {
    let file = File::new();
    let mut steps = vec![
        "CREATE TABLE t(a)",
        "INSERT INTO t VALUES(zeroblob(450000))",
        "BEGIN",
    ];
    steps.extend(
        [
            "UPDATE t SET a = zeroblob(400000)",
            "UPDATE t SET a = zeroblob(450000)",
        ]
        .repeat(30),
    );
    file.sql(&steps).await;
    assert!(file.bytes() < 4 * 256 * 4096, "{}", file.bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_does_not_let_the_log_of_the_database_grow_without_end() {
    let file = File::new();
    file.sql(&[
        "CREATE TABLE t(a)",
        "INSERT INTO t VALUES(zeroblob(450000))",
    ])
    .await;
    let reader = rusqlite::Connection::open(file.grants.database.as_ref().unwrap()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM t")
        .unwrap();
    let steps = [
        "UPDATE t SET a = zeroblob(400000)",
        "UPDATE t SET a = zeroblob(450000)",
    ]
    .repeat(20);
    let seen = file.sql(&steps).await;
    assert_eq!(seen[39]["error"], "full", "{seen:?}");
    assert!(file.bytes() < 5 * 256 * 4096, "{}", file.bytes());
    drop(reader);
    let after = file.sql(&steps[..2]).await;
    assert_eq!(after[1]["changed"], 1, "{after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_outside_of_the_file() {
    let steps = [
        "CREATE TEMP TABLE t(a)",
        "CREATE TEMP VIEW t AS SELECT 1",
        "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END",
        "CREATE TABLE temp.t(a)",
    ];
    let file = File::new();
    file.sql(&["CREATE TABLE x(a)"]).await;
    all_fail(&file.sql(&steps).await, &steps, "denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_above_the_limit_is_too_large() {
    let file = File::new();
    file.sql(&[
        "CREATE TABLE t(a)",
        "INSERT INTO t VALUES(zeroblob(900000))",
    ])
    .await;
    let columns = ["a"; 30].join(", ");
    let steps = [
        format!("{ENDLESS} SELECT hex(zeroblob(100000)) FROM n"),
        format!("SELECT {columns} FROM t"),
        "SELECT zeroblob(1000000000)".to_owned(),
        "SELECT hex(zeroblob(500000000))".to_owned(),
        "SELECT printf('%.*c', 1000000000, 'a')".to_owned(),
        "SELECT group_concat(hex(zeroblob(100000 + value))) FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]')".to_owned(),
    ];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    all_fail(&file.sql(&steps).await, &steps, "too-large");
}

/// Peak of this process' memory, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// SQLite's own memory is the host's: sorters, queues, aggregates, registers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_cannot_take_the_hosts_memory() {
    let _quiet = super::setup::QUIET.write().await;
    let file = File::new();
    let big = "hex(zeroblob(200000) || i)";
    let many = (0..1500)
        .map(|i| format!("hex(zeroblob(300000 + {i}))"))
        .collect::<Vec<_>>()
        .join(", ");
    let steps = [
        format!("{ENDLESS} SELECT {big} FROM n ORDER BY 1"),
        format!("{ENDLESS} SELECT DISTINCT {big} FROM n WHERE {big} IS NULL"),
        "WITH RECURSIVE n(i) AS (SELECT 'a' UNION ALL SELECT hex(zeroblob(200000)) FROM n UNION ALL SELECT hex(zeroblob(200001)) FROM n) SELECT count(*) FROM n".to_owned(),
        format!("{ENDLESS} SELECT json_group_array({big}) FROM n"),
        format!("{ENDLESS} SELECT count(*) FROM n GROUP BY {big}"),
        format!("SELECT 1 WHERE length(concat({many})) < 0"),
    ];
    // So that the peak is not of an earlier test.
    fs::write("/proc/self/clear_refs", "5").ok();
    let before = peak_memory();
    for step in &steps {
        let called = WORLD
            .look(json!({"do": "sql", "steps": [step]}), &file.grants)
            .await;
        let short: String = step.chars().take(120).collect();
        let grown = peak_memory().saturating_sub(before);
        assert!(grown < 200 << 20, "{short}: {} MiB", grown >> 20);
        let seen = called.result.unwrap();
        assert!(seen[0]["error"].is_string(), "{short}: {seen}");
    }
}

/// A call that is stopped while a statement runs leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_stopped_during_a_statement() {
    let file = File::new();
    let step = format!("{ENDLESS} SELECT count(*) FROM n");
    let act = json!({"in": "evaluate", "do": "sql", "steps": ["CREATE TABLE t(a)", "BEGIN", "INSERT INTO t VALUES(1)", step]});
    let limits = proctor_host::sandbox::Limits {
        wall_ms: 100,
        ..Default::default()
    };
    let call = super::setup::call(act, &limits, &file.grants);
    let submission = super::setup::submission();
    let called = beside(
        WORLD
            .hostile
            .evaluate(&WORLD.sandbox, call, &submission, &[]),
    )
    .await
    .0;
    assert_eq!(called.outcome(), Outcome::Timeout);
    // The statement ends at the deadline of the call, and with it its lock.
    let seen = file
        .sql(&["INSERT INTO t VALUES(2)", "SELECT count(*) FROM t"])
        .await;
    assert_eq!(seen[1]["rows"], json!(["[Value::Integer(1)]"]), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chance_and_the_wall_clock_are_not_to_be_had() {
    let file = File::new();
    let steps = [
        "SELECT random()",
        "SELECT hex(randomblob(8))",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT CURRENT_DATE",
        "SELECT CURRENT_TIME",
        "SELECT datetime('now')",
        "SELECT unixepoch()",
        "SELECT strftime('%s')",
        "SELECT julianday('now')",
    ];
    all_fail(&file.sql(&steps).await, &steps, "denied");
    // A default is compiled without asking the authorizer.
    let seen = file
        .sql(&[
            "CREATE TABLE t(a, b DEFAULT CURRENT_TIMESTAMP)",
            "CREATE TABLE u(a, b DEFAULT (random()))",
            "CREATE TABLE v(a, b AS (datetime('now')))",
            "INSERT INTO t(a) VALUES(1)",
            "INSERT INTO u(a) VALUES(1)",
            "SELECT b FROM t",
            "SELECT b FROM u",
            "SELECT b FROM v",
        ])
        .await;
    for step in &seen[5..] {
        assert!(
            step["error"].is_string() || step["rows"] == json!([]),
            "{step} in {seen:?}"
        );
    }
}
