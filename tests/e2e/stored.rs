//! What a host has stored, read from outside.

use crate::support::World;
use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OpenFlags, Row};
use std::collections::BTreeMap;
use std::fs;

/// The database of a host that does not run, as copied: opening the original
/// would tidy up after a kill what the host itself must.
fn copied(world: &World) -> (tempfile::TempDir, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("proctor.sqlite");
    for suffix in ["", "-wal"] {
        let name = format!("proctor.sqlite{suffix}");
        let from = world.data().join(&name);
        if from.exists() {
            fs::copy(from, directory.path().join(name)).unwrap();
        }
    }
    let connection = Connection::open(copy).unwrap();
    (directory, connection)
}

/// Rows as text, one line each.
fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let line = |row: &Row<'_>| {
        let values = (0..columns).map(|column| row.get::<_, Value>(column));
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        Ok(format!("{values:?}"))
    };
    let lines = statement.query_map([], line).unwrap();
    lines.collect::<Result<_, _>>().unwrap()
}

/// The rows that a host has stored that does not run, as text.
pub(crate) fn rows_of(world: &World, sql: &str) -> Vec<String> {
    let (_directory, connection) = copied(world);
    rows(&connection, sql)
}

/// One column from the database of a host that runs.
pub(crate) fn values<T: FromSql>(world: &World, sql: &str) -> Vec<T> {
    let connection = open(world);
    let mut statement = connection.prepare(sql).unwrap();
    let values = statement.query_map([], |row| row.get(0)).unwrap();
    values.collect::<Result<_, _>>().unwrap()
}

/// One value from the database of a host that runs.
pub(crate) fn value<T: FromSql>(world: &World, sql: &str) -> T {
    open(world).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn open(world: &World) -> Connection {
    let path = world.data().join("proctor.sqlite");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// What is stored for good, with the time at which it was.
#[derive(Debug, Default)]
pub(crate) struct Done(BTreeMap<&'static str, Vec<String>>);

impl Done {
    pub(crate) fn of(world: &World) -> Self {
        let (_directory, connection) = copied(world);
        let queries = [
            (
                "evaluations",
                "SELECT * FROM evaluations WHERE state IN ('done', 'failed')",
            ),
            (
                "verdicts",
                "SELECT id, score, penalty, accepted, judged_at, finalized_day, evaluation_id,
                     comparisons
                 FROM commits WHERE state = 'judged'",
            ),
            (
                "refusals",
                "SELECT id, fault FROM commits WHERE state = 'refused'",
            ),
            (
                "reveals",
                "SELECT id, text, artifact_digest, batch_day FROM commits WHERE text IS NOT NULL",
            ),
            ("comparisons", "SELECT * FROM comparisons"),
            ("finalizations", "SELECT * FROM finalizations"),
            ("vectors", "SELECT * FROM weight_vectors"),
        ];
        Done(
            queries
                .map(|(what, sql)| (what, rows(&connection, sql)))
                .into(),
        )
    }

    /// How many days have their vector.
    pub(crate) fn days(&self) -> usize {
        self.0.get("vectors").map_or(0, Vec::len)
    }

    /// Everything is in `later` as it is here, to the byte: an evaluation that
    /// ran again would have another time, or more attempts.
    pub(crate) fn assert_kept(&self, later: &Done) {
        for (what, lines) in &self.0 {
            for line in lines {
                assert!(
                    later.0[what].contains(line),
                    "{what} lost or changed: {line}"
                );
            }
        }
    }
}

/// All that matters in the end, without the order and the number of attempts in
/// which it came about, and without when it was done: times in it are logical.
#[derive(Debug, PartialEq)]
pub(crate) struct Dump {
    pub(crate) commits: Vec<String>,
    pub(crate) evaluations: Vec<String>,
    pub(crate) comparisons: Vec<String>,
    pub(crate) finalizations: Vec<String>,
    pub(crate) vectors: Vec<String>,
}

impl Dump {
    pub(crate) fn of(world: &World) -> Self {
        let (_directory, connection) = copied(world);
        Dump {
            commits: rows(
                &connection,
                "SELECT challenge, miner_hotkey, miner_uid, encrypted_commit, committed_at, key,
                     state, fault, text, artifact, c.artifact_digest, batch_day,
                     e.artifact_digest AS evaluated, comparisons, score, penalty, accepted, reason,
                     judged_at, finalized_day
                 FROM commits c LEFT JOIN (SELECT id AS evaluation, artifact_digest FROM evaluations) e
                     ON evaluation = evaluation_id
                 ORDER BY challenge, miner_hotkey, encrypted_commit",
            ),
            evaluations: rows(
                &connection,
                "SELECT challenge, plugin_digest, settings_digest, artifact_digest, engine, seed,
                     now, state, lease, outcome, message, solves, logs, fuel
                 FROM evaluations ORDER BY 1, 2, 3, 4",
            ),
            comparisons: rows(
                &connection,
                "SELECT c.challenge, c.plugin_digest, c.settings_digest, a.artifact_digest,
                     b.artifact_digest, c.logs
                 FROM comparisons c JOIN evaluations a ON a.id = candidate
                     JOIN evaluations b ON b.id = reference
                 ORDER BY 1, 2, 3, 4, 5",
            ),
            finalizations: rows(
                &connection,
                "SELECT day, challenge, plugin_digest, settings_digest, engine, outcome, message,
                     standings, weights, results, scheduled_at
                 FROM finalizations ORDER BY day, challenge",
            ),
            vectors: rows(
                &connection,
                "SELECT day, uids, \"values\", derivation FROM weight_vectors ORDER BY day",
            ),
        }
    }

    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Dump, when: &str) {
        assert_eq!(self.commits, other.commits, "{when}");
        assert_eq!(self.evaluations, other.evaluations, "{when}");
        assert_eq!(self.comparisons, other.comparisons, "{when}");
        assert_eq!(self.finalizations, other.finalizations, "{when}");
        assert_eq!(self.vectors, other.vectors, "{when}");
    }
}

/// How many rows hold this text as a value.
pub(crate) fn with_text(rows: &[String], value: &str) -> usize {
    let value = format!("Text({value:?})");
    rows.iter().filter(|row| row.contains(&value)).count()
}
