//! Guests that call home: sockets are there in name only.

use super::routes_setup::{Alone, limits, text};
use super::setup::{WORLD, beside, call, load, load_solver, standings};
use bytes::Bytes;
use http_body_util::Full;
use proctor_host::sandbox::{Grants, Limits, Outcome, PluginComponent};
use serde_json::{Value, json};
use std::sync::LazyLock;

static CHALLENGE: LazyLock<PluginComponent> =
    LazyLock::new(|| load(&WORLD.sandbox, "socket_challenge"));

/// What comes of a scored call: its outcome, and what the guest says that it saw.
async fn scored(act: &str) -> (Outcome, String) {
    let (limits, nothing) = (Limits::default(), Grants::default());
    let call = call(json!({"reach": act}), &limits, &nothing);
    let standings = standings();
    let called = CHALLENGE.get_weights(&WORLD.sandbox, call, &standings);
    let error = beside(called).await.result.unwrap_err();
    (error.outcome, error.message)
}

async fn seen(act: &str) -> Value {
    let (outcome, message) = scored(act).await;
    assert_eq!(outcome, Outcome::GuestError, "{message}");
    let (_, seen) = message.split_once('{').unwrap();
    serde_json::from_str(&format!("{{{seen}")).unwrap()
}

/// Every attempt of it was refused.
fn assert_refused(seen: &Value) {
    match seen {
        Value::String(text) => assert!(
            text.contains("AccessDenied")
                || text.contains("access-denied")
                || text.contains("ermission denied")
                // What wasi-libc makes of a lookup that is refused.
                || text.contains("failed to lookup address"),
            "{text}"
        ),
        Value::Array(list) => list.iter().for_each(assert_refused),
        Value::Object(map) => map.values().for_each(assert_refused),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_function_makes_a_socket_or_looks_up_a_name() {
    for act in ["std", "wasi"] {
        let first = seen(act).await;
        assert_refused(&first);
        assert_eq!(first, seen(act).await, "the same in every run");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solver_gets_no_further() {
    let solver = load_solver(&WORLD.sandbox, "socket_solver");
    let tasks = [json!("std"), json!("wasi"), json!("tcp")];
    let solved = WORLD.solve(&solver, Limits::solver(), Limits::default(), &tasks);
    let (called, records) = beside(solved).await;
    let seen = called.result.unwrap();
    for at in [0, 1] {
        let solution = seen[at]["solution"].as_str().unwrap();
        assert_refused(&serde_json::from_str(solution).unwrap());
    }
    assert_eq!(records[2].outcome, Outcome::InvalidOutput);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_that_nobody_was_given_ends_the_call() {
    for act in ["tcp", "udp", "incoming", "outgoing", "lookup"] {
        let (outcome, message) = scored(act).await;
        assert_eq!(outcome, Outcome::InvalidOutput, "{act}: {message}");
        assert!(message.contains("unknown handle"), "{act}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn networks_are_handles_and_counted_as_such() {
    assert_eq!(scored("networks").await.0, Outcome::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_gets_no_further_either() {
    let alone = Alone::new();
    let plugin = load(&alone.sandbox, "socket_challenge");
    for act in ["std", "wasi"] {
        let (call, ended) = alone.call(limits());
        let request = http::Request::get(format!("/{act}")).header("host", "example.com");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let answer = plugin.handle(&alone.sandbox, call, request).await.unwrap();
        let seen: Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_refused(&seen);
        ended.await.unwrap();
    }
}
