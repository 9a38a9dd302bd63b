//! The same call comes to the same bytes with the same fuel, wherever it runs.

use super::setup::{WORLD, World, beside, call, evaluated, settings};
use proctor_host::sandbox::{Called, Grants, Limits, Outcome, SandboxConfig};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::process::Command;

/// Everything that can be told of a call, but the time it took.
fn facts<T: Debug>(called: &Called<T>) -> String {
    let report = &called.report;
    format!(
        "{:?} {} {} {} {:?}",
        called.result, report.fuel, report.memory_bytes, report.host_calls, report.log
    )
}

/// What calls of many kinds come to in `world`.
async fn behaviour(world: &World) -> Vec<String> {
    let limits = Limits {
        fuel: 30_000_000,
        memory_bytes: 32 << 20,
        ..Limits::default()
    };
    let mut facts_seen = vec![format!("{:?}", world.well_behaved().await)];
    for act in [
        json!({"do": "random"}),
        json!({"do": "clocks"}),
        json!({"do": "loop"}),
        json!({"do": "panic"}),
        json!({"do": "recurse"}),
        json!({"do": "hoard-memory"}),
        json!({"do": "flood-log", "lines": 100}),
    ] {
        facts_seen.push(facts(&world.call("evaluate", act, &limits).await));
    }
    for act in [json!({"do": "random"}), json!({"do": "clocks"})] {
        facts_seen.push(facts(&world.look(act, &Grants::default()).await));
    }
    let tasks = [
        json!({"do": "random"}),
        json!({"do": "loop"}),
        json!({"do": "hoard-memory"}),
    ];
    let (called, records) = world
        .solve(&world.solver, limits, Limits::default(), &tasks)
        .await;
    facts_seen.push(format!("{} {records:?}", facts(&called)));
    facts_seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_and_without_a_pool() {
    let cache = tempfile::tempdir().unwrap();
    let config = SandboxConfig {
        pooling: false,
        ..SandboxConfig::new(cache.path().join("cache"))
    };
    let on_demand = World::new(config);
    assert!(!on_demand.sandbox.is_pooling());
    assert!(WORLD.sandbox.is_pooling());
    assert_eq!(on_demand.sandbox.identity(), WORLD.sandbox.identity());
    let pooled = beside(behaviour(&WORLD)).await;
    for (fact, pooled) in behaviour(&on_demand).await.iter().zip(&pooled) {
        assert_eq!(fact, pooled);
    }
}

/// Compiled from scratch, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_process_with_an_empty_cache() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "deterministic::prints_its_behaviour",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for fact in beside(behaviour(&WORLD)).await {
        let fact = Value::from(fact).to_string();
        assert!(printed.contains(&fact), "{fact} is not in {printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by in_another_process_with_an_empty_cache"]
async fn prints_its_behaviour() {
    let cache = tempfile::tempdir().unwrap();
    let world = World::new(SandboxConfig::new(cache.path().join("cache")));
    for fact in behaviour(&world).await {
        println!("{}", Value::from(fact));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_never_used_twice() {
    for _ in 0..5 {
        let called = beside(WORLD.look(json!({"do": "count"}), &Grants::default())).await;
        assert_eq!(called.result.unwrap(), 1);
    }
    // Nor after a call that was stopped half-way.
    let limits = Limits {
        fuel: 1_000_000,
        ..Limits::default()
    };
    let stopped = WORLD.call("evaluate", json!({"do": "loop"}), &limits).await;
    assert_eq!(stopped.outcome(), Outcome::OutOfFuel);
    let called = WORLD.look(json!({"do": "count"}), &Grants::default()).await;
    assert_eq!(called.result.unwrap(), 1);
}

async fn with_seed(act: Value, seed: u64, now: f64) -> Value {
    let (limits, grants) = Default::default();
    let mut call = call(settings("evaluate", act), &limits, &grants);
    call.context.seed = seed;
    call.context.now = now;
    let submission = super::setup::submission();
    let called = WORLD
        .hostile
        .evaluate(&WORLD.sandbox, call, &submission, &[])
        .await
        .0;
    super::setup::seen(called).result.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_numbers_come_from_the_seed() {
    let random = |seed| with_seed(json!({"do": "random"}), seed, 0.0);
    let first = beside(random(1)).await;
    assert_eq!(first["code"], 0, "{first}");
    assert_eq!(first, random(1).await);
    let other = random(2).await;
    assert_ne!(first["bytes"], other["bytes"]);
    assert_ne!(first["hash"], other["hash"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_start_at_the_logical_time() {
    let clocks = |now| with_seed(json!({"do": "clocks"}), 1, now);
    let seen = beside(clocks(1_234_567.25)).await;
    assert_eq!(seen["wall"], 1_234_567.25);
    assert_eq!(seen, clocks(1_234_567.25).await);
    // A guest that sleeps finds that the time has passed.
    assert!(
        seen["slept_ns"].as_u64() >= Some(3_600_000_000_000),
        "{seen}"
    );
    // A time that is none is the epoch, not a fault.
    assert_eq!(clocks(f64::NAN).await["wall"], 0.0);
    assert_eq!(clocks(-5.0).await["wall"], 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_has_no_arguments_or_environment() {
    let called = beside(WORLD.look(json!({"do": "environment"}), &Grants::default())).await;
    let seen = called.result.unwrap();
    assert_eq!(seen["arguments"], json!([]));
    assert_eq!(seen["variables"], json!([]));
    assert_eq!(
        (&seen["input"], &seen["input_read"]),
        (&json!(""), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judging_knows_the_settings_and_nothing_of_other_calls() {
    let (limits, grants) = Default::default();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let call = call(json!({"score": "0.25"}), &limits, &grants);
        seen.push(facts(
            &WORLD
                .hostile
                .judge(&WORLD.sandbox, call, &evaluated())
                .await,
        ));
    }
    assert!(seen[0].contains("0.25"), "{}", seen[0]);
    assert_eq!(seen[0], seen[1]);
}
