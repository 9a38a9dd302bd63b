//! How long the host takes to answer.

use super::receipt::{Done, Evaluation};
use super::setup::{Granted, WORLD, World, everything, look};
use proctor_host::sandbox::{Limits, Outcome, PluginError, RemoteSolver, Solver};
use rand::RngExt;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Solves in a time of its own each time, some tasks not at all; and what it took.
fn dawdling() -> (Result<Solver, PluginError>, Arc<Mutex<Vec<Duration>>>) {
    let took = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&took);
    let solver = RemoteSolver::new(move |task| {
        let pause = Duration::from_micros(rand::rng().random_range(0..3_000));
        noted.lock().unwrap().push(pause);
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            match task.task.contains("loop") {
                true => Err(PluginError::submission(Outcome::OutOfFuel, "no end")),
                false => Ok(json!({"solved": task.task}).to_string()),
            }
        })
    });
    (Ok(Solver::Remote(solver)), took)
}

async fn run(evaluation: &Evaluation, solver: &Result<Solver, PluginError>) -> Done {
    evaluation.run(&WORLD.sandbox, &WORLD.plugin, solver).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn host_call_timing_is_not_seen() {
    let evaluation = look(&["time", "solve", "time", "solve", "time", "random"]);
    let (solver, took) = dawdling();
    let done = run(&evaluation, &solver).await;
    assert_eq!(done.error, None);
    for _ in 0..30 {
        assert_eq!(run(&evaluation, &solver).await, done);
    }
    // From the transcript there is no wait at all.
    let replayed = evaluation
        .replay(&WORLD.sandbox, &WORLD.plugin, &done)
        .await;
    assert_eq!(replayed, done);
    // Each run took a time of its own, which the guest has looked at.
    let took = took.lock().unwrap().clone();
    let sums: Vec<Duration> = took.chunks(22).map(|run| run.iter().sum()).collect();
    assert_eq!(sums.len(), 31);
    assert!(sums.iter().max() > sums.iter().min());
    // An answer that is another one is another receipt.
    let other = RemoteSolver::new(|_| Box::pin(async { Ok("1".to_owned()) }));
    let other = run(&evaluation, &Ok(Solver::Remote(other))).await;
    assert_ne!(other.receipt.transcript, done.receipt.transcript);
}

/// A guest that computes for long gives way by time, so often as it happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_call_timing_of_giving_way_is_not_seen() {
    let evaluation = look(&[]);
    let settings = json!({"looks": ["spin", "time"], "rounds": 50_000_000});
    let evaluation = Evaluation {
        settings: settings.to_string(),
        limits: Limits {
            fuel: 10_000_000_000,
            ..evaluation.limits
        },
        ..evaluation
    };
    let start = Instant::now();
    let done = WORLD.run(&evaluation).await;
    assert_eq!(done.error, None);
    // Several ticks of the engine.
    assert!(
        start.elapsed() > Duration::from_millis(20),
        "{:?}",
        start.elapsed()
    );
    for _ in 0..5 {
        assert_eq!(WORLD.run(&evaluation).await, done);
    }
}

/// Writes while another connection has the database locked for some milliseconds.
fn writing(granted: &Granted) -> Evaluation {
    let statements = ["UPDATE t SET x = 0.5 WHERE n = 1", "SELECT * FROM t"];
    let settings = json!({"looks": ["database", "time"], "statements": statements});
    Evaluation {
        settings: settings.to_string(),
        ..everything(granted)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_call_timing_of_a_locked_database_is_not_seen() {
    let granted = Granted::new();
    let evaluation = writing(&granted);
    let done = WORLD.run(&evaluation).await;
    assert!(!is_refused(&done), "{}", done.output);
    let mut same = 0;
    for _ in 0..20 {
        let connection = granted.connect();
        let (locked, is_locked) = mpsc::channel();
        let pause = Duration::from_micros(rand::rng().random_range(0..5_000));
        let lock = thread::spawn(move || {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            locked.send(()).unwrap();
            // What is tested is that this is not seen.
            thread::sleep(pause);
            connection.execute_batch("ROLLBACK").unwrap();
        });
        is_locked.recv().unwrap();
        let again = WORLD.run(&evaluation).await;
        lock.join().unwrap();
        // On a machine that is very busy the lock may last for too long.
        if !is_refused(&again) {
            assert_eq!(again, done);
            same += 1;
        }
    }
    assert!(same > 0);
}

/// A lock that lasts is an answer, which the transcript has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_call_timing_that_changes_an_answer_is_in_the_transcript() {
    let granted = Granted::new();
    let evaluation = writing(&granted);
    let done = WORLD.run(&evaluation).await;
    let connection = granted.connect();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = WORLD.run(&evaluation).await;
    connection.execute_batch("ROLLBACK").unwrap();
    assert!(is_refused(&refused), "{}", refused.output);
    assert_ne!(refused.receipt.transcript, done.receipt.transcript);
    let elsewhere = World::fresh(&super::setup::config());
    let replayed = evaluation.replay(&elsewhere.sandbox, &elsewhere.plugin, &refused);
    assert_eq!(replayed.await, refused);
}

/// Whether the database was locked for longer than a call waits.
fn is_refused(done: &Done) -> bool {
    done.calls.iter().any(|call| {
        let answer: Value = serde_json::from_slice(&call.response).unwrap();
        answer["error"]["name"] == "unavailable"
    })
}
