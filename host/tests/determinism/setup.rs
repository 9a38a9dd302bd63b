//! Hosts' sandboxes, and an evaluation that looks at everything.

use super::receipt::{Done, Evaluation};
use proctor_host::canonical::digest;
use proctor_host::sandbox::{
    CacheUse, Grants, Limits, PluginComponent, PluginError, Sandbox, SandboxConfig, Solver,
    SolverComponent,
};
use proctor_testing::guest_bytes;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A sandbox with the guests of these tests.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) plugin: PluginComponent,
    pub(crate) solver: Result<Solver, PluginError>,
    /// Where the compiled guests came from.
    pub(crate) cache: [CacheUse; 2],
}

/// The one that most tests share.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| World::new(&config()));

/// Kept from run to run.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/determinism-cache");

/// What most tests are not about.
pub(crate) fn config() -> SandboxConfig {
    SandboxConfig {
        max_concurrent_calls: 8,
        max_route_calls: 1,
        ..SandboxConfig::new(CACHE)
    }
}

impl World {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let sandbox = Sandbox::new(config).unwrap();
        let plugin = guest_bytes("determinism_challenge");
        let (plugin, of_plugin) = PluginComponent::load(&sandbox, &plugin).unwrap();
        let solver = guest_bytes("hostile_solver");
        let (solver, of_solver) = SolverComponent::load(&sandbox, &solver).unwrap();
        World {
            sandbox,
            plugin,
            solver: Ok(solver.into()),
            cache: [of_plugin, of_solver],
        }
    }

    /// A sandbox that has nothing of any other: it compiles the guests itself.
    pub(crate) fn fresh(config: &SandboxConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let world = World::new(&SandboxConfig {
            cache_dir: directory.path().join("cache"),
            ..config.clone()
        });
        assert_eq!(world.cache, [CacheUse::Miss; 2]);
        world
    }

    pub(crate) async fn run(&self, evaluation: &Evaluation) -> Done {
        evaluation
            .run(&self.sandbox, &self.plugin, &self.solver)
            .await
    }
}

/// Tasks that end in every way that a submission can bring about.
pub(crate) fn tasks() -> Value {
    json!([
        {"do": "random"},
        {"do": "clocks"},
        {"do": "loop"},
        {"do": "panic"},
        {"do": "trap"},
        {"do": "exit"},
        {"do": "hoard-memory"},
        {"do": "recurse"},
        {"do": "flood-log", "lines": 10},
        {"do": "no such act"},
        {"answer": "no JSON"},
    ])
}

/// Looks at these, with nothing but the tasks granted.
pub(crate) fn look(looks: &[&str]) -> Evaluation {
    let settings = json!({"looks": looks, "tasks": tasks()});
    // No test is about time limits: they must not strike on a machine that is busy.
    let patient = |limits: Limits| Limits {
        wall_ms: 600_000,
        ..limits
    };
    Evaluation {
        challenge: "determinism",
        artifact: digest(guest_bytes("hostile_solver")),
        settings: settings.to_string(),
        seed: 7,
        now: 1_750_000_000.5,
        limits: patient(Limits {
            fuel: 20_000_000,
            memory_bytes: 4 << 20,
            ..Limits::default()
        }),
        solver_limits: patient(Limits {
            fuel: 1_000_000,
            memory_bytes: 4 << 20,
            ..Limits::solver()
        }),
        grants: Grants {
            environment: [("B", "2"), ("A", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Grants::default()
        },
    }
}

/// Looks at everything. `granted` is what the challenge may reach.
pub(crate) fn everything(granted: &Granted) -> Evaluation {
    let looks = [
        "hash_maps",
        "time",
        "random",
        "floats",
        "stack",
        "environment",
        "output",
        "solve",
        "database",
        "files",
        "memory",
        "hash_maps",
        "time",
    ];
    let statements = [
        "SELECT * FROM t",
        "SELECT name, sum(n), avg(x) FROM t GROUP BY name",
        "SELECT random()",
        "SELECT datetime('now')",
        "nonsense",
    ];
    let settings = json!({"looks": looks, "tasks": tasks(), "statements": statements});
    let evaluation = look(&[]);
    Evaluation {
        settings: settings.to_string(),
        grants: granted.grants(&evaluation.grants),
        ..evaluation
    }
}

/// A volume and a database.
pub(crate) struct Granted {
    directory: PathBuf,
    /// Keeps the log of the database where it is.
    _connection: Connection,
    _scratch: Option<TempDir>,
}

impl Granted {
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let data = scratch.path().join("data");
        fs::create_dir(&data).unwrap();
        for name in ["one", "two", "three", "four", "five"] {
            fs::write(data.join(name), name.repeat(100)).unwrap();
        }
        // A file that is read is not newly marked as read if that was later.
        let times = FileTimes::new()
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
            .set_accessed(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000));
        for entry in fs::read_dir(&data).unwrap() {
            File::open(entry.unwrap().path())
                .unwrap()
                .set_times(times)
                .unwrap();
        }
        File::open(&data).unwrap().set_times(times).unwrap();
        let connection = connect(scratch.path());
        let sql = "PRAGMA journal_mode = WAL; CREATE TABLE t(name TEXT, n INT, x REAL);
            INSERT INTO t VALUES('a', 1, 0.1), ('b', 2, 0.2), ('a', -3, 1e300), ('b', NULL, -0.0)";
        connection.execute_batch(sql).unwrap();
        Granted {
            directory: scratch.path().to_owned(),
            _connection: connection,
            _scratch: Some(scratch),
        }
    }

    /// What another process has made.
    pub(crate) fn of(directory: &Path) -> Self {
        Granted {
            directory: directory.to_owned(),
            _connection: connect(directory),
            _scratch: None,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn connect(&self) -> Connection {
        connect(&self.directory)
    }

    fn grants(&self, others: &Grants) -> Grants {
        Grants {
            data: Some(self.directory.join("data")),
            database: Some(database(&self.directory)),
            database_pages: 256,
            statement: Duration::from_secs(60),
            ..others.clone()
        }
    }
}

fn database(directory: &Path) -> PathBuf {
    directory.join("challenge.db")
}

fn connect(directory: &Path) -> Connection {
    Connection::open(database(directory)).unwrap()
}
