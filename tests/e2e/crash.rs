//! Killed at any point and started again, a host comes to the same end as one
//! that was left alone, and does nothing twice.

use crate::commits::{Commit, all_revealed, document, unix_now};
use crate::support::{Event, World};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;
use std::fs;

/// What a host logs after each step of the pipeline, once it is on disk.
const STEPS: [&str; 5] = ["revealed", "evaluated", "compared", "judged", "finalized"];

/// Solvers, each committed by one miner; knn by two.
const SOLVERS: [&str; 9] = [
    "nearest_centroid",
    "knn",
    "endless_loop",
    "linear",
    "knn_renamed",
    "memory_hog",
    "first_example",
    "malformed_json",
    "knn",
];

#[test]
fn killed_at_any_step_the_host_comes_to_the_same_end() {
    // Seeds and finalizations go by day: all that is compared must be of one.
    while !has_the_same_end_within(today()) {}
}

fn today() -> u64 {
    (unix_now() / 86_400.0) as u64
}

/// Returns false if the day ended first.
fn has_the_same_end_within(day: u64) -> bool {
    let template = prepare();
    let reference = template.copy();
    let log = finish(&reference, Vec::new());
    let wanted = Dump::of(&reference);
    if today() != day {
        return false;
    }
    let count = |message| log.iter().filter(|event| event.is(message)).count();
    assert_eq!(count("revealed"), SOLVERS.len());
    assert_eq!(count("evaluated"), SOLVERS.len() - 1);
    assert_eq!(count("judged"), SOLVERS.len());
    wanted.assert_plausible();

    // Killed at each step of the whole way, at each second, and so on; then
    // once, at one step or another.
    let mut scenarios = vec![
        vec![1; 100],
        vec![2; 50],
        vec![5; 20],
        vec![3, 1, 4, 1, 5, 9],
    ];
    scenarios.extend((2..=34).step_by(2).map(|kill| vec![kill]));
    for kills in scenarios {
        let world = template.copy();
        let log = finish(&world, kills.clone());
        let dump = Dump::of(&world);
        if today() != day {
            return false;
        }
        assert_done_once(&log);
        wanted.assert_same(&dump, &format!("killed after {kills:?} steps"));
    }
    true
}

#[test]
fn killed_while_it_compiles_the_host_compiles_again() {
    let world = World::cold().with_digits();
    for message in ["compiling plugin", "compiling plugin", "plugin active"] {
        let mut server = world.serve(&[]);
        server.wait_for(message);
        server.kill();
    }
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    server.stop();
}

/// A data directory with everything that is to be done, and nothing done.
fn prepare() -> World {
    let world = World::new().with_digits();
    let commits: Vec<Commit> = (3_u16..)
        .zip(SOLVERS)
        .map(|(uid, solver)| {
            let digest = world.add_artifact(solver);
            Commit::new(uid, &digest, 30.0 - f64::from(uid) / 10.0)
        })
        .collect();
    let without_key = Commit::new(15, &"0".repeat(64), 30.0);
    let not_due = Commit::new(16, &"0".repeat(64), 1.0);
    let nonsense = Commit::of_text(17, "digits---what?", 30.0);
    let good = commits.iter().chain([&not_due, &nonsense]);
    let mut seen: Vec<_> = good.map(|c| (c.hotkey.as_str(), c.revealed())).collect();
    seen.push((&without_key.hotkey, without_key.sealed()));
    world.ingest(0, &document(seen));
    // Half of the others is all that the second one knows.
    world.ingest(1, &all_revealed(commits.iter().step_by(2)));
    world.ingest(2, &all_revealed([]));
    world
}

/// Serves, killed each time after so many more steps, and at last to the end.
/// Returns what was logged in all of that.
fn finish(world: &World, kills: Vec<usize>) -> Vec<Event> {
    let mut log = Vec::new();
    let mut before = Done::default();
    for steps in kills {
        let mut server = world.serve(&[]);
        for _ in 0..steps {
            let step = server.wait(|event| STEPS.contains(&event.message.as_str()));
            if step.is("finalized") {
                break;
            }
        }
        log.extend(server.kill());
        let now = Done::of(world);
        before.assert_kept(&now);
        before = now;
        if before.is_finalized() {
            break;
        }
    }
    if !before.is_finalized() {
        let mut server = world.serve(&[]);
        server.wait_for("finalized");
        log.extend(server.stop());
    }
    // Nothing is left to be done.
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    assert_eq!(server.get("/livez").status, 200);
    log.extend(server.stop());
    before.assert_kept(&Done::of(world));
    log
}

/// By the log of all runs, each thing was stored at most once. It may lack a
/// line: the host may die between the two.
fn assert_done_once(log: &[Event]) {
    let mut seen: BTreeMap<(&str, String), u32> = BTreeMap::new();
    for event in log {
        let what = match event.message.as_str() {
            "evaluated" | "judged" => {
                assert_eq!(event.field("stored"), true, "{event:?}");
                format!("{}{}", event.text("hotkey"), event.text("artifact"))
            }
            "revealed" => event.text("hotkey").to_owned(),
            "finalized" => String::new(),
            _ => continue,
        };
        *seen.entry((&event.message, what)).or_default() += 1;
    }
    for (what, times) in seen {
        assert_eq!(times, 1, "{what:?}");
    }
}

/// The database of a host that does not run, as copied: opening the original
/// would tidy up after the kill what the host itself must.
fn open(world: &World) -> (tempfile::TempDir, Connection) {
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

/// What is stored for good, with the time at which it was.
#[derive(Debug, Default)]
struct Done(BTreeMap<&'static str, Vec<String>>);

impl Done {
    fn of(world: &World) -> Self {
        let (_directory, connection) = open(world);
        let queries = [
            (
                "evaluations",
                "SELECT * FROM evaluations WHERE state IN ('done', 'failed')",
            ),
            (
                "verdicts",
                "SELECT id, score, penalty, accepted, judged_at, evaluation_id, comparisons
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

    fn is_finalized(&self) -> bool {
        self.0.get("vectors").is_some_and(|rows| !rows.is_empty())
    }

    /// Everything is in `later` as it is here, to the byte: an evaluation that
    /// ran again would have another time, or more attempts.
    fn assert_kept(&self, later: &Done) {
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

/// All that matters in the end, without the times at which it was done.
#[derive(Debug)]
struct Dump {
    commits: Vec<String>,
    evaluations: Vec<String>,
    comparisons: Vec<String>,
    finalizations: Vec<String>,
    vectors: Vec<(String, Vec<u16>, Vec<u16>)>,
}

impl Dump {
    fn of(world: &World) -> Self {
        let (_directory, connection) = open(world);
        let vectors = connection
            .prepare("SELECT day, uids, \"values\" FROM weight_vectors")
            .unwrap()
            .query_map([], |row| {
                let list = |column| -> rusqlite::Result<Vec<u16>> {
                    let text: String = row.get(column)?;
                    Ok(serde_json::from_str(&text).unwrap())
                };
                Ok((row.get(0)?, list(1)?, list(2)?))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        Dump {
            commits: rows(
                &connection,
                "SELECT challenge, miner_hotkey, miner_uid, encrypted_commit, committed_at, key,
                     state, fault, text, artifact, c.artifact_digest, batch_day,
                     e.artifact_digest AS evaluated, comparisons, score, penalty, accepted, reason
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
                "SELECT day, challenge, plugin_digest, outcome, message FROM finalizations
                 ORDER BY day, challenge",
            ),
            vectors,
        }
    }

    /// The reference itself is what was meant.
    fn assert_plausible(&self) {
        let in_state = |rows: &[String], state: &str| {
            let state = format!("Text({state:?})");
            rows.iter().filter(|row| row.contains(&state)).count()
        };
        let states = ["judged", "sealed", "refused"].map(|state| in_state(&self.commits, state));
        assert_eq!(states, [SOLVERS.len(), 2, 1]);
        assert_eq!(in_state(&self.evaluations, "done"), SOLVERS.len() - 1);
        assert_eq!(self.evaluations.len(), SOLVERS.len() - 1);
        assert!(!self.comparisons.is_empty());
        assert_eq!((self.finalizations.len(), self.vectors.len()), (1, 1));
        assert!(self.vectors[0].2.contains(&u16::MAX), "{:?}", self.vectors);
    }

    fn assert_same(&self, other: &Dump, when: &str) {
        assert_eq!(self.commits, other.commits, "{when}");
        assert_eq!(self.evaluations, other.evaluations, "{when}");
        assert_eq!(self.comparisons, other.comparisons, "{when}");
        assert_eq!(self.finalizations, other.finalizations, "{when}");
        assert_eq!(self.vectors.len(), other.vectors.len(), "{when}");
        for (wanted, got) in self.vectors.iter().zip(&other.vectors) {
            assert_eq!((&wanted.0, &wanted.1), (&got.0, &got.1), "{when}");
            // A weight decays by the second from the verdict on.
            for (wanted, got) in wanted.2.iter().zip(&got.2) {
                assert!(wanted.abs_diff(*got) <= 1, "{when}: {self:?} {other:?}");
            }
        }
    }
}
