//! What an author does, in each language, with nothing but the binary and the language's
//! own tools: a new project, built, tested, dropped into a host that serves, scored.
//!
//! Python and JavaScript need componentize-py, componentize-js and esbuild on the `PATH`.
//! Where they are not, those tests say so and pass, unless `PROCTOR_TEST_LANGUAGES` names
//! the language.

use crate::commits::Commit;
use crate::support::{World, proctor};
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// Where cargo builds what authors write, kept from run to run.
const BUILT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/authors");
/// Where the commands for authors keep what they compiled, kept from run to run.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/authors-cache");

/// Whether the tools of a language are here.
fn has(language: &str, tools: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = |tool: &&str| env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    let missing: Vec<_> = tools.iter().filter(|tool| !found(tool)).collect();
    let wanted = env::var("PROCTOR_TEST_LANGUAGES").unwrap_or_default();
    let wanted = wanted.split(',').any(|name| name == language);
    assert!(missing.is_empty() || !wanted, "{missing:?} not on the PATH");
    if !missing.is_empty() {
        eprintln!("skipped: {missing:?} not on the PATH");
    }
    missing.is_empty()
}

/// The binary, in a project.
fn author(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = proctor(arguments);
    command.current_dir(directory);
    command.env("XDG_CACHE_HOME", CACHE);
    command.env("CARGO_TARGET_DIR", BUILT);
    // What the workspace has downloaded is enough.
    command.env("CARGO_NET_OFFLINE", "true");
    command
}

/// Runs it to its end, however long a compiler takes.
fn output(directory: &Path, arguments: &[&str]) -> Output {
    author(directory, arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams
        .map(|bytes| String::from_utf8_lossy(bytes))
        .join("\n")
}

/// Runs it, which must succeed, with `--json`.
#[track_caller]
fn done(directory: &Path, arguments: &[&str]) -> Value {
    let output = output(directory, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
}

/// A new project of a language, in a directory of its own.
fn new(world: &World, language: &str) -> PathBuf {
    done(
        world.path(),
        &["plugin", "new", "my-sum", "--lang", language],
    );
    world.path().join("my-sum")
}

/// Drops what was built into a host, commits the solver, and returns the score.
fn dropped_and_scored(project: &Path, world: &World) -> f64 {
    let mut server = world.serve(&[]);
    let bytes = fs::read(project.join("dist/my-sum.wasm")).unwrap();
    let draft = world.write("draft", bytes);
    fs::rename(draft, world.plugins().join("my-sum.wasm")).unwrap();
    server.wait_for("plugin active");
    let solver = project.join("dist/my-sum-solver.wasm");
    let digest = world.done(&["artifact", "add", solver.to_str().unwrap()]);
    let commit = Commit::of_text(3, &format!("my-sum---{}", digest.trim()), 26.0);
    let document = json!({ "miner_commits": { &commit.hotkey: { "my-sum": commit.revealed() } } });
    world.ingest(0, &document);
    server.wait_for("challenge finalized");
    let result = server.scoring_result_of("my-sum", &[&commit.encrypted]);
    let shown = &result["commits"][&commit.encrypted];
    assert_eq!(shown["accepted"], true, "{shown}");
    let score = shown["score"].as_f64().unwrap();
    server.stop();
    score
}

/// A compiler takes all cores, which others need as well.
static TURN: Mutex<()> = Mutex::new(());

fn from_nothing_to_a_score(language: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new();
    let project = new(&world, language);
    let built = done(&project, &["plugin", "build"]);
    assert_eq!(built["built"].as_array().unwrap().len(), 2, "{built}");
    let tested = done(&project, &["plugin", "test"]);
    assert_eq!(tested["failed"], 0, "{tested}");
    assert!(tested["passed"].as_u64().unwrap() >= 2, "{tested}");
    assert_eq!(dropped_and_scored(&project, &world), 1.0);
}

#[test]
fn from_nothing_to_a_score_in_rust() {
    from_nothing_to_a_score("rust");
}

#[test]
fn from_nothing_to_a_score_in_python() {
    if has("python", &["componentize-py"]) {
        from_nothing_to_a_score("python");
    }
}

#[test]
fn from_nothing_to_a_score_in_javascript() {
    if has("js", &["componentize-js", "esbuild"]) {
        from_nothing_to_a_score("js");
    }
}
