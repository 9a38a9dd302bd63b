//! What the host answers in a call is recorded, and the call is done again from the
//! record alone: without its files, its database and the submission.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic; clippy.toml covers functions with #[test] only"
)]

use proctor_host::canonical;
use proctor_host::sandbox::types::{ScoringLog, Submission};
use proctor_host::sandbox::{
    CallContext, Called, Grants, HostCall, Limits, Outcome, PluginCall, PluginComponent,
    PluginError, Sandbox, SandboxConfig, SolverComponent, Submitted, Tape,
};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;

struct World {
    sandbox: Sandbox,
    plugin: PluginComponent,
}

impl World {
    /// One that shares nothing with the others but what is compiled.
    fn new(pooling: bool) -> Self {
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/transcripts-cache");
        let sandbox = Sandbox::new(&SandboxConfig {
            max_concurrent_calls: 8,
            pooling,
            ..SandboxConfig::new(cache)
        });
        let sandbox = sandbox.unwrap();
        let bytes = guest_bytes("recorded_challenge");
        let plugin = PluginComponent::load(&sandbox, &bytes).unwrap().0;
        World { sandbox, plugin }
    }

    async fn evaluate(
        &self,
        acts: &Value,
        grants: &Grants,
        solver: &Result<SolverComponent, PluginError>,
        tape: Option<&Tape>,
    ) -> Called<Vec<ScoringLog>> {
        let limits = Limits::default();
        let context = CallContext {
            settings: json!({"acts": acts}).to_string().into(),
            seed: 7,
            now: 1_750_000_000.5,
        };
        let submitted = Submitted {
            solver: solver.clone().map(Into::into),
            limits: Limits::solver(),
        };
        let call = PluginCall {
            submitted: Some(Arc::new(submitted)),
            tape: tape.cloned(),
            ..PluginCall::new(context, &limits, grants)
        };
        let submission = Submission {
            digest: "ab".repeat(32),
        };
        let evaluated = self.plugin.evaluate(&self.sandbox, call, &submission, &[]);
        evaluated.await.0
    }

    /// Evaluates from what was recorded, with nothing else.
    async fn replay(&self, acts: &Value, calls: &[HostCall]) -> (Called<Vec<ScoringLog>>, Tape) {
        let tape = Tape::replay(calls.to_vec());
        let gone = Err(PluginError::new(Outcome::LinkError, "no submission here"));
        let nothing = Grants::default();
        let called = self.evaluate(acts, &nothing, &gone, Some(&tape)).await;
        (called, tape)
    }
}

static WORLD: LazyLock<World> = LazyLock::new(|| World::new(true));
/// Where calls are done again.
static ELSEWHERE: LazyLock<World> = LazyLock::new(|| World::new(false));

/// What a challenge is granted, and a submission.
struct Granted {
    _directory: TempDir,
    grants: Grants,
    solver: Result<SolverComponent, PluginError>,
}

impl Granted {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        fs::write(data.join("there"), "it is \u{e9}\n").unwrap();
        fs::write(data.join("many"), many()).unwrap();
        let bytes = guest_bytes("hostile_solver");
        let (solver, _) = SolverComponent::load(&WORLD.sandbox, &bytes).unwrap();
        Granted {
            grants: Grants {
                data: Some(data),
                database: Some(directory.path().join("challenge.db")),
                database_pages: 256,
                statement: Duration::from_secs(10),
                ..Grants::default()
            },
            _directory: directory,
            solver: Ok(solver),
        }
    }

    async fn record(&self, acts: &Value) -> (Called<Vec<ScoringLog>>, Vec<HostCall>) {
        let tape = Tape::record(64 << 20);
        let called = WORLD.evaluate(acts, &self.grants, &self.solver, Some(&tape));
        (called.await, tape.take_recorded().unwrap())
    }
}

/// What the guest polls for: three chunks, the last of them not full.
fn many() -> Vec<u8> {
    (0..150_000_u32).map(|n| (n % 251) as u8).collect()
}

fn database() -> Vec<Value> {
    let values = json!([null, -5, 0.1, "\u{e9}\"\n", [1]]);
    vec![
        json!({"execute": "CREATE TABLE t(a, b, c, d, e)"}),
        json!({"execute": "INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5)", "values": values}),
        json!({"query": "SELECT * FROM t WHERE d = ?1", "values": ["\u{e9}\"\n"]}),
        json!({"query": "SELECT random()"}),
    ]
}

fn all_acts() -> Value {
    let others = [
        json!({"files": "std"}),
        json!({"files": "read"}),
        json!({"files": "all"}),
        json!({"files": "poll"}),
        json!({"solve": {"do": "random"}}),
        json!({"solve": {"do": "panic"}}),
    ];
    database().into_iter().chain(others).collect()
}

/// All that a call comes to, but for the time that it took.
fn facts(called: &Called<Vec<ScoringLog>>) -> String {
    let report = &called.report;
    let took = (report.fuel, report.memory_bytes, report.host_calls);
    format!("{:?} {took:?} {:?}", called.result, report.log)
}

fn seen(called: Called<Vec<ScoringLog>>) -> Vec<Value> {
    let logs = called.result.unwrap();
    serde_json::from_str(&logs[0].task).unwrap()
}

fn names(calls: &[HostCall]) -> Vec<&str> {
    calls.iter().map(|call| call.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_comes_to_the_same_from_its_record_alone() {
    let granted = Granted::new();
    let (recorded, calls) = granted.record(&all_acts()).await;
    let (replayed, tape) = ELSEWHERE.replay(&all_acts(), &calls).await;
    assert_eq!(tape.divergence(), None);
    assert_eq!(facts(&replayed), facts(&recorded));

    // And the record has what the guest did.
    let seen = seen(recorded);
    let text = json!(seen).to_string();
    for part in [
        "it is é",
        "writtenappended",
        "not authorized",
        "Trap",
        "(1, 65536, Some(",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let names = names(&calls);
    for name in [
        "database.execute",
        "database.query",
        "runner.solve",
        "filesystem.get-directories",
        "filesystem.open-at",
        "filesystem.directory.read",
        "filesystem.stream.read",
        "filesystem.stream.skip",
        "filesystem.stream.write",
        "filesystem.metadata-hash",
        "filesystem.append-via-stream",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_the_same_whether_it_is_recorded_or_not() {
    let (granted, other) = (Granted::new(), Granted::new());
    let acts = json!([{"files": "poll"}, {"files": "read"}, {"solve": {"do": "random"}}]);
    let (recorded, _) = granted.record(&acts).await;
    let plain = WORLD.evaluate(&acts, &other.grants, &other.solver, None);
    assert_eq!(facts(&plain.await), facts(&recorded));
}

/// So that others can read them, and there is one digest of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_and_answers_are_canonical() {
    let (_, calls) = Granted::new().record(&all_acts()).await;
    let is_canonical = |text: &[u8]| {
        let value: Value = serde_json::from_slice(text).unwrap();
        canonical::to_string(&value).unwrap().as_bytes() == text
    };
    for call in &calls {
        let is_read = ["filesystem.read", "filesystem.stream.read"].contains(&&*call.name);
        let is_bytes = is_read && matches!(call.response.first(), Some(b'=' | b'.'));
        assert!(is_canonical(&call.request), "{call:?}");
        assert!(is_bytes || is_canonical(&call.response), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_another_byte_is_found_out() {
    let others = [
        json!({"files": "all"}),
        json!({"solve": {"do": "random"}}),
        json!({"solve": {"do": "panic"}}),
    ];
    let acts: Value = database().into_iter().chain(others).collect();
    let (recorded, calls) = Granted::new().record(&acts).await;
    let expected = facts(&recorded);
    let mut kinds = std::collections::BTreeSet::new();
    for (index, call) in calls.iter().enumerate() {
        kinds.insert(&call.name);
        let length = call.response.len();
        // All of a short answer, and some of a long one.
        for at in (0..length).step_by(length.div_ceil(12)) {
            let mut changed = calls.clone();
            changed[index].response[at] ^= 1;
            let (replayed, tape) = ELSEWHERE.replay(&acts, &changed).await;
            let is_found = facts(&replayed) != expected || tape.divergence().is_some();
            let text = String::from_utf8_lossy(&call.response);
            assert!(is_found, "{index}, {}: byte {at} of {text}", call.name);
        }
    }
    assert!(kinds.len() > 30, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_does_something_else_is_told_where() {
    let granted = Granted::new();
    let acts = |sql: &str| json!([{"query": "SELECT 1"}, {"query": sql}, {"files": "read"}]);
    let (_, calls) = granted.record(&acts("SELECT 2")).await;

    let (replayed, tape) = ELSEWHERE.replay(&acts("SELECT 3"), &calls).await;
    assert!(replayed.result.is_err());
    let diverged = tape.divergence().unwrap();
    let request = r#"{"parameters":[],"sql":"SELECT 2"}"#;
    assert_eq!(diverged.index, 1);
    assert_eq!(diverged.byte(), request.find('2'));

    // Another call, one too many, one too few.
    let other = json!([{"query": "SELECT 1"}, {"files": "read"}]);
    let (_, tape) = ELSEWHERE.replay(&other, &calls).await;
    let expected = "host call 1: filesystem.get-directories instead of database.query";
    assert_eq!(tape.divergence().unwrap().to_string(), expected);
    let (_, tape) = ELSEWHERE.replay(&acts("SELECT 2"), &calls[..2]).await;
    assert_eq!(tape.divergence(), None, "a call without a directory");
    let last = calls.len() - 1;
    let (replayed, tape) = ELSEWHERE.replay(&acts("SELECT 2"), &calls[..last]).await;
    assert!(replayed.result.is_err());
    assert_eq!(tape.divergence().unwrap().index, last);
    let (replayed, tape) = ELSEWHERE.replay(&json!([]), &calls).await;
    assert!(replayed.result.is_ok());
    assert_eq!(tape.divergence().unwrap().index, 0);
}

/// Streams of wasmtime-wasi read beside the guest: what is ready when is up to the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_of_files_do_not_depend_on_time() {
    let granted = Arc::new(Granted::new());
    let acts = json!([{"files": "poll"}, {"files": "read"}]);
    // The first to read a file sets when it was.
    granted.record(&acts).await;
    let (first, transcript) = granted.record(&acts).await;
    let seen = seen(first.clone());
    assert_eq!(seen[0][0], "[true, true, true]", "{seen:?}");
    assert_eq!(seen[1]["Ok"][0], json!([65_536, 65_536, 18_928]));
    let again = move |granted: Arc<Granted>, times: u32| {
        let (acts, first, transcript) = (acts.clone(), facts(&first), transcript.clone());
        async move {
            for _ in 0..times {
                let (called, calls) = granted.record(&acts).await;
                assert_eq!(facts(&called), first);
                assert_eq!(calls, transcript);
            }
        }
    };
    again(Arc::clone(&granted), 50).await;
    let tasks: Vec<_> = (0..4)
        .map(|_| tokio::spawn(again(Arc::clone(&granted), 10)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Tokio has a task give way after so many looks at what it waits for; a guest would see
/// when, which depends on how long it has been running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ready_does_not_depend_on_how_often_it_is_asked() {
    let (called, _) = Granted::new().record(&json!([{"files": "ask-body"}])).await;
    assert_eq!(seen(called), [json!(10_000)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_reaches_nothing_has_an_empty_transcript() {
    let acts = json!([{"files": "std"}, {"files": "all"}, {"files": "poll"}]);
    let granted = Granted {
        grants: Grants::default(),
        ..Granted::new()
    };
    let (recorded, calls) = granted.record(&acts).await;
    assert_eq!(calls, []);
    let (replayed, tape) = ELSEWHERE.replay(&acts, &calls).await;
    assert_eq!(tape.divergence(), None);
    assert_eq!(facts(&replayed), facts(&recorded));
}

/// Whether there is a database is nowhere else to be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_an_answer() {
    let granted = Granted {
        grants: Grants::default(),
        ..Granted::new()
    };
    let acts = json!([{"query": "SELECT 1"}]);
    let (recorded, calls) = granted.record(&acts).await;
    let expected =
        br#"{"error":{"name":"denied","text":"the challenge is not granted a database"}}"#;
    assert_eq!(calls[0].response, expected);
    let (replayed, _) = ELSEWHERE.replay(&acts, &calls).await;
    assert_eq!(facts(&replayed), facts(&recorded));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_table_ends_a_call_in_the_same_place() {
    let acts = json!([{"files": "hoard"}]);
    let (recorded, calls) = Granted::new().record(&acts).await;
    assert_eq!(recorded.outcome(), Outcome::Denied);
    assert!(calls.len() > 100, "{}", calls.len());
    let (replayed, tape) = ELSEWHERE.replay(&acts, &calls).await;
    assert_eq!(tape.divergence(), None);
    assert_eq!(facts(&replayed), facts(&recorded));
}

/// What a changed challenge asks beside it is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lenient_tape_answers_what_it_has_of_files() {
    let granted = Granted::new();
    let (recorded, calls) = granted.record(&json!([{"files": "read"}])).await;
    let tape = Tape::lenient(calls);
    let acts = json!([{"files": "read"}, {"files": "std"}]);
    let nothing = Grants::default();
    let called = ELSEWHERE.evaluate(&acts, &nothing, &granted.solver, Some(&tape));
    let seen_again = seen(called.await);
    assert_eq!(seen_again[0], seen(recorded)[0]);
    assert!(
        seen_again[1].as_str().unwrap().contains("not permitted"),
        "{seen_again:?}"
    );
}
