//! Guests that answer, but not with what was asked for.

use super::setup::{EXPORTS, WORLD, beside, load};
use proctor_host::sandbox::{Limits, Outcome, PluginCall};
use serde_json::{Value, json};

/// Calls `export` with an answer that the host must not take.
async fn refused(export: &str, act: Value, why: &str) {
    assert!(EXPORTS.contains(&export));
    let called = beside(WORLD.call(export, act.clone(), &Limits::default())).await;
    let error = called.result.expect_err(&format!("{export} {act} passed"));
    assert_eq!(
        error.outcome,
        Outcome::InvalidOutput,
        "{export} {act}: {error}"
    );
    assert!(
        error.message.contains(why),
        "{export} {act}: {}",
        error.message
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_that_are_no_numbers() {
    for score in ["NaN", "inf", "-inf"] {
        refused("evaluate", json!({"score": score}), "not finite").await;
        refused("judge", json!({"score": score}), "score").await;
    }
    refused("judge", json!({"score": "-0.1"}), "-0.1").await;
    for penalty in ["NaN", "1.1", "-1"] {
        refused("judge", json!({"penalty": penalty}), "penalty").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_that_are_no_json() {
    refused("evaluate", json!({"task": "{oops"}), "not JSON").await;
    refused("evaluate", json!({"solution": ""}), "not JSON").await;
    // Deep enough to overflow the stack of a reader that recurses.
    refused("evaluate", json!({"task": "[".repeat(100_000)}), "not JSON").await;
    refused("evaluate", json!({"logs": 0}), "without a single task").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn similarities_out_of_range_or_of_strangers() {
    for similarity in ["NaN", "1.5", "-0.5", "inf"] {
        refused("compare", json!({"similarity": similarity}), "similarity").await;
    }
    refused(
        "compare",
        json!({"reference": "c".repeat(64)}),
        "unknown reference",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_that_cannot_be_paid() {
    for weight in ["NaN", "inf", "-inf", "-0.5"] {
        refused("get-weights", json!({"weight": weight}), "weight").await;
    }
    refused("get-weights", json!({"hotkey": "mallory"}), "mallory").await;
    // A second entry, for a miner that has one.
    refused("get-weights", json!({"hotkey": "alice"}), "alice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_above_the_limit() {
    refused(
        "evaluate",
        json!({"do": "output", "bytes": 20 << 20}),
        "too much data",
    )
    .await;
    refused(
        "judge",
        json!({"do": "output", "bytes": 20 << 20}),
        "too much data",
    )
    .await;
    // Each log is small.
    refused(
        "evaluate",
        json!({"task": format!("\"{}\"", "a".repeat(1000)), "logs": 20_000}),
        "too much data",
    )
    .await;
}

/// The guest's megabyte would be the host's 8 gigabytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_names_the_same_bytes_many_times() {
    let plugin = load(&WORLD.sandbox, "amplification");
    let limits = Limits::default();
    let called =
        beside(plugin.validate_settings(&WORLD.sandbox, PluginCall::bare(&limits), "{}")).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::InvalidOutput);
    assert!(error.message.contains("too much data"), "{}", error.message);
}
