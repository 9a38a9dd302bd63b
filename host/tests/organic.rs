//! Organic scoring by the library of the host: the database, the sandbox, miners on
//! loopback. Where the name of a test contradicts the system that organic scoring
//! replaces, that one was found to behave otherwise.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helper functions of a test"
)]

#[path = "organic/change.rs"]
mod change;
#[path = "organic/loops.rs"]
mod loops;
#[path = "organic/queue.rs"]
mod queue;
#[path = "organic/world.rs"]
mod world;

use proctor_dev_miners::{Behaviour, Work};
use proctor_host::organic::LoopStatus;
use proctor_host::sandbox::sha256_hex;
use proctor_host::store::{EntryState, IterationState};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use world::{ORGANIC, Setup, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_scored_and_its_caller_gets_the_best_answer() {
    let world = Setup::steps(3)
        .behave(&[Behaviour::Wrong, Behaviour::Good, Behaviour::NotJson])
        .run()
        .await;
    let id = world.sent(json!({"x": [1, 2]})).await;
    world.steps(1).await;
    let good = world.miner(1);
    let answer = world.answered(&id).await;
    assert_eq!(answer["answer"], json!({"echo": [1, 2]}));
    assert_eq!(
        (&answer["uid"], &answer["hotkey"]),
        (&json!(good.uid), &json!(good.hotkey))
    );
    let values: Vec<&Value> = answer["rewards"].as_array().unwrap().iter().collect();
    let values: Vec<f64> = values
        .iter()
        .map(|r| r["value"].as_f64().unwrap())
        .collect();
    assert_eq!(values, [0.0, 1.0, 0.0]);
    let weights = world.store().organic_weights(ORGANIC.into(), None);
    let weights = weights.await.unwrap().unwrap();
    assert_eq!(weights.weights[&good.hotkey], 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nobody_asks_samples_are_synthetic() {
    let world = Setup::steps(1).run().await;
    world.steps(2).await;
    world
        .until("both ended", |s| s.iterations == 2 && s.in_flight == 0)
        .await;
    for row in world.iterations().await {
        assert_eq!(row.state, IterationState::Done, "{row:?}");
        assert_eq!(row.dataset.as_deref(), Some("counting"));
        let record = record(&row);
        assert_eq!(record["is_organic_sample"], false);
        let seed: u64 = record["seed"].as_str().unwrap().parse().unwrap();
        let sample: Value = serde_json::from_str(record["sample"].as_str().unwrap()).unwrap();
        assert_eq!(sample, json!({"n": seed % 1_000}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_record_says_what_a_result_depends_on_and_how_long_it_took() {
    let world = Setup::steps(2)
        .behave(&[Behaviour::Good, Behaviour::Status(500)])
        .run()
        .await;
    let id = world.sent(json!({"x": "y"})).await;
    world.steps(1).await;
    world.answered(&id).await;
    let rows = world.iterations().await;
    let record = record(&rows[0]);
    let plugin = world.host.pipeline.plugins.get(ORGANIC).unwrap();
    assert_eq!(record["plugin"], plugin.component.digest());
    assert_eq!(record["settings"], plugin.settings_digest);
    assert_eq!(record["engine"], plugin.engine);
    assert_eq!(record["entry"], id.as_str());
    assert_eq!(record["sample"], r#"{"x":"y"}"#);
    assert_eq!(record["reference"], r#""y""#);
    assert_eq!(record["metagraph"]["neurons"], 2);
    assert_eq!(record["is_organic_sample"], true);
    assert_eq!(record["organic_queue_size"], 0);
    let body = r#"{"x":"y"}"#;
    assert_eq!(
        record["queries"],
        json!([
            {"uid": 1, "path": "Echo", "protocol": "btauth", "body": body},
            {"uid": 2, "path": "Echo", "protocol": "btauth", "body": body},
        ])
    );
    assert_eq!(record["responses"][0]["body"], r#"{"echo":"y"}"#);
    assert_eq!(record["responses"][1]["failure"], "status");
    assert_eq!(record["responses"][1]["status"], 500);
    let state = world.store().organic_loop(ORGANIC.into()).await.unwrap();
    let state = sha256_hex(state.state.unwrap().as_bytes());
    assert_eq!(record["state_before"], Value::Null);
    assert_eq!(record["state_after"], state);
    let seconds = |key: &str| record[key].as_f64().unwrap();
    let phases = ["sample", "responses", "rewards", "weights"];
    let phases = phases.map(|phase| seconds(&format!("organic_time_{phase}")));
    let latency = record["responses"][0]["latency"].as_f64().unwrap();
    assert!(phases[1] >= latency && latency > 0.0, "{record}");
    let sum: f64 = phases.iter().sum();
    let total = seconds("organic_time_total");
    assert!((sum - total).abs() < 0.1, "{sum} {total}");
}

/// Of a text that is too long the record has the digest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_does_not_grow_with_what_miners_answer() {
    let world = Setup::steps(4).run().await;
    let long = "a".repeat(100_000);
    let id = world.sent(json!({"x": long})).await;
    world.steps(1).await;
    assert_eq!(world.answered(&id).await["answer"]["echo"], long);
    let rows = world.iterations().await;
    assert!(rows[0].record.as_ref().unwrap().len() < 10_000);
    let record = record(&rows[0]);
    let body = json!({"echo": long}).to_string();
    let expected = json!({"sha256": sha256_hex(body.as_bytes()), "bytes": body.len()});
    assert_eq!(record["responses"][0]["body"], expected);
}

/// What they answer together must not fill the challenge's memory: it would fail, and
/// nobody would be paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn miners_whose_answers_are_the_largest_cost_no_other_its_reward() {
    let world = Setup::steps(3)
        .with(|organic| organic.max_response_bytes = 8 << 20)
        .run()
        .await;
    // Of 8 MiB that all have together.
    for (index, mib) in [(0, 5), (1, 6)] {
        let work = move |_: &Value| Value::from("x".repeat(mib << 20));
        world.miner(index).set_work(Work::new(work));
    }
    let id = world.sent(json!({"x": 1})).await;
    world.steps(1).await;
    assert_eq!(world.answered(&id).await["uid"], world.miner(2).uid);
    let record = record(&world.iterations().await[0]);
    assert_eq!(record["responses"][0]["failure"], Value::Null);
    assert_eq!(record["responses"][1]["failure"], "too_large");
    assert_eq!(record["responses"][2]["body"], r#"{"echo":1}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_summary_has_the_timings_and_rewards_and_not_the_sample() {
    let world = Setup::steps(1).run().await;
    let id = world.sent(json!({"x": "secret"})).await;
    world.steps(1).await;
    world.answered(&id).await;
    let row = &world.iterations().await[0];
    let (whole, told): (Value, Value) = (record(row), row.summary.parse().unwrap());
    for (key, value) in told.as_object().unwrap() {
        assert_eq!(&whole[key], value, "{key}");
    }
    assert_eq!(told["is_organic_sample"], true);
    assert_eq!(told["rewards"][0]["value"], 1.0);
    assert!(told["organic_time_total"].is_number());
    assert!(!row.summary.contains("secret") && !row.summary.contains(&id));
}

/// Miners that answer in time are paid whatever the others do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_miner_has_a_deadline_and_costs_only_its_own_answer() {
    let world = Setup::steps(4)
        .behave(&[
            Behaviour::Hang,
            Behaviour::Good,
            Behaviour::SlowBody,
            Behaviour::Close,
        ])
        .with(|organic| organic.miner_timeout_ms = 500)
        .run()
        .await;
    let id = world.sent(json!({"x": 1})).await;
    world.steps(1).await;
    assert_eq!(world.answered(&id).await["uid"], world.miner(1).uid);
    let record = record(&world.iterations().await[0]);
    let failures = record["responses"].as_array().unwrap().iter();
    let failures: Vec<&Value> = failures.map(|response| &response["failure"]).collect();
    assert_eq!(
        failures,
        [
            "timeout".into(),
            Value::Null,
            "timeout".into(),
            "connection".into()
        ]
        .iter()
        .collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_that_takes_too_long_fails_and_cancels_the_queries() {
    let world = Setup::steps(1)
        .behave(&[Behaviour::Hang])
        .with(|organic| {
            organic.reference_timeout_ms = 1_000;
            organic.miner_timeout_ms = 600_000;
            organic.max_attempts = 1;
        })
        .run()
        .await;
    let id = world
        .sent(json!({"x": 1, "in": "reference", "do": "loop"}))
        .await;
    world.steps(1).await;
    world.miner(0).until(|counts| counts.total() == 1).await;
    let entry = world.ended(&id).await;
    assert_eq!(entry.code.as_deref(), Some("timeout"));
    assert!(entry.message.unwrap().starts_with("reference: "));
    // Ten minutes before it would have been given up.
    world.miner(0).until(|counts| counts.open == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_that_fails_cancels_the_queries() {
    let world = Setup::steps(1)
        .behave(&[Behaviour::Hang])
        .with(|organic| {
            organic.miner_timeout_ms = 600_000;
            organic.max_attempts = 1;
        })
        .run()
        .await;
    let id = world
        .sent(json!({"x": 1, "in": "reference", "fail": "internal"}))
        .await;
    world.steps(1).await;
    let entry = world.ended(&id).await;
    assert_eq!(entry.code.as_deref(), Some("guest_error"));
    world.miner(0).until(|counts| counts.open == 0).await;
    world.organic.drained(ORGANIC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_message_is_a_sample_like_any_other() {
    let world = Setup::steps(1).run().await;
    let id = world.sent(json!({"x": ""})).await;
    world.steps(1).await;
    assert_eq!(world.answered(&id).await["answer"], json!({"echo": ""}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_that_fails_is_tried_again_and_then_kept() {
    let world = Setup::steps(1).organic_only().run().await;
    let id = world.sent(json!({"x": 1, "fail": "internal"})).await;
    world.steps(3).await;
    let entry = world.ended(&id).await;
    assert_eq!((entry.state, entry.attempts), (EntryState::Failed, 3));
    assert_eq!(entry.code.as_deref(), Some("guest_error"));
    let rows = world.iterations().await;
    let failed = rows.iter().filter(|row| row.entry.as_ref() == Some(&id));
    assert_eq!(failed.count(), 3);
    let told = record(&rows[0]);
    assert_eq!(told["failed"]["phase"], "queries");
    assert_eq!(told["failed"]["message"], "broken");
    assert!(told["organic_time_total"].is_number());
    // An operator who has mended the challenge may have it tried again.
    let again = world.store().organic_retry(id.clone(), 0.0).await.unwrap();
    assert_eq!(again.unwrap().state, EntryState::Queued);
    world.organic.wake(ORGANIC);
    world.steps(3).await;
    world.ended(&id).await;
    assert_eq!(world.iterations().await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_that_cannot_be_worked_with_is_not_tried_again() {
    let world = Setup::steps(1).organic_only().run().await;
    let id = world
        .sent(json!({"x": 1, "fail": "invalid-submission"}))
        .await;
    world.steps(1).await;
    let entry = world.ended(&id).await;
    assert_eq!((entry.state, entry.attempts), (EntryState::Failed, 1));
    assert_eq!(entry.code.as_deref(), Some("invalid_submission"));
}

/// In the peer a sample, once taken from the queue, was gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_not_lost_when_the_host_stops() {
    let mut world = Setup::steps(1)
        .organic_only()
        .behave(&[Behaviour::Hang])
        .run()
        .await;
    let id = world.sent(json!({"x": 1})).await;
    world.steps(2).await;
    world.miner(0).until(|counts| counts.total() == 1).await;
    world.miner(0).behave(Behaviour::Good);
    world.restart().await;
    world.answered(&id).await;
    let entry = world.ended(&id).await;
    assert_eq!(entry.attempts, 1, "what was cut short is no attempt");
    let rows = world.iterations().await;
    let of_entry: Vec<_> = rows
        .iter()
        .filter(|row| row.entry.as_ref() == Some(&id))
        .map(|row| (row.state, row.code.as_deref()))
        .collect();
    assert_eq!(
        of_entry,
        [
            (IterationState::Failed, Some("interrupted")),
            (IterationState::Done, None)
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iterations_that_overlap_lose_no_reward() {
    let world = Setup::steps(2)
        .with(|organic| organic.concurrency = 8)
        .run()
        .await;
    let mut ids = Vec::new();
    for n in 0..24 {
        ids.push(world.sent(json!({"x": n})).await);
    }
    world.steps(24).await;
    for id in &ids {
        world.answered(id).await;
    }
    for row in world.iterations().await {
        let responses = &record(&row)["responses"];
        let failed = responses.as_array().unwrap().iter();
        let failed = failed.filter(|one| !one["failure"].is_null());
        assert_eq!(failed.count(), 0, "{responses}");
    }
    let rewarded: BTreeMap<String, f64> = world
        .miners
        .all()
        .iter()
        .map(|miner| (miner.hotkey.clone(), 24.0))
        .collect();
    let weights = world.store().organic_weights(ORGANIC.into(), None);
    assert_eq!(weights.await.unwrap().unwrap().weights, rewarded);
    let state = world.store().organic_loop(ORGANIC.into()).await.unwrap();
    let state: BTreeMap<String, f64> = serde_json::from_str(&state.state.unwrap()).unwrap();
    assert_eq!(state, rewarded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_that_fails_changes_nothing_and_breaks_no_loop() {
    let world = Setup::steps(1)
        .settings(json!({"in": "fold", "fail": "internal"}))
        .run()
        .await;
    world.steps(3).await;
    world
        .until("all ended", |s| s.iterations == 3 && s.in_flight == 0)
        .await;
    for row in world.iterations().await {
        assert_eq!(row.state, IterationState::Failed);
        assert_eq!(row.code.as_deref(), Some("guest_error"));
        assert!(record(&row)["organic_time_rewards"].is_number());
    }
    let state = world.store().organic_loop(ORGANIC.into()).await.unwrap();
    assert_eq!(state.state, None);
    let weights = world.store().organic_weights(ORGANIC.into(), None);
    assert_eq!(weights.await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_a_hotkey_asks_nobody_and_says_so() {
    let mut setup = Setup::steps(1);
    setup.hotkey = None;
    let world = setup.with(|organic| organic.max_attempts = 1).run().await;
    let id = world.sent(json!({"x": 1})).await;
    world.steps(1).await;
    let waits = |status: &LoopStatus| status.last_iteration.is_some() && status.in_flight == 0;
    world.until("the iteration has failed", waits).await;
    // It is not the sample's fault: it waits for a host that can ask.
    let entry = world.organic.entry(ORGANIC, &id).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.attempts), (EntryState::Queued, 0));
    assert_eq!(entry.code.as_deref(), Some("no_hotkey"));
    assert_eq!(world.miner(0).counts().connections, 0);
}

#[tokio::test]
async fn while_no_miner_can_be_asked_samples_wait_and_weights_grow_old() {
    let world = Setup::steps(0).run().await;
    let id = world.sent(json!({"x": 1})).await;
    world.steps(1).await;
    let failed = |status: &LoopStatus| status.last_iteration.is_some() && status.in_flight == 0;
    world.until("the iteration has failed", failed).await;
    let entry = world.organic.entry(ORGANIC, &id).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.attempts), (EntryState::Queued, 0));
    assert_eq!(entry.code.as_deref(), Some("no_miners"));
    let weights = world.store().organic_weights(ORGANIC.into(), None).await;
    assert!(weights.unwrap().is_none());
}
