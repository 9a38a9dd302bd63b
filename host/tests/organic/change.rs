//! What a new version, a reset and time do to what is stored.

use super::world::{LONG, ORGANIC, Setup, record};
use proctor_dev_miners::Behaviour;
use proctor_host::config::Sampling;
use proctor_host::store::{Added, Failed, IterationState, NewEntry, NewIteration, QueueRules};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A custom section called `x`, which changes the digest of a component and nothing
/// else.
const NOTHING: [u8; 4] = [0, 2, 1, b'x'];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_version_does_not_fold_into_the_state_of_a_later_one() {
    let world = Setup::steps(1)
        .organic_only()
        .with(|organic| organic.max_attempts = 1)
        .behave(&[Behaviour::Slow(Duration::from_secs(8))])
        .run()
        .await;
    let id = world.sent(json!({"x": 1})).await;
    world.steps(2).await;
    world.miner(0).until(|counts| counts.total() == 1).await;
    world.miner(0).behave(Behaviour::Good);
    let mut bytes = std::fs::read(world.file()).unwrap();
    bytes.extend(NOTHING);
    std::fs::write(world.file(), bytes).unwrap();
    world.host.registry.pass().await.unwrap();
    assert_eq!(world.status().await.in_flight, 1, "it still runs");

    world.answered(&id).await;
    let entry = world.ended(&id).await;
    assert_eq!(entry.attempts, 1, "what was superseded is no attempt");
    let rows = world.iterations().await;
    let ends: Vec<_> = rows.iter().map(|r| (r.state, r.code.as_deref())).collect();
    assert_eq!(
        ends,
        [
            (IterationState::Failed, Some("superseded")),
            (IterationState::Done, None)
        ]
    );
    assert_ne!(rows[0].plugin, rows[1].plugin);
    let weights = world.store().organic_weights(ORGANIC.into(), None);
    let weights = weights.await.unwrap().unwrap().weights;
    assert_eq!(weights[&world.miner(0).hotkey], 1.0, "it counts once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reset_the_next_fold_gets_no_state() {
    let world = Setup::steps(1).run().await;
    for rounds in [1, 2] {
        world.steps(1).await;
        world
            .until("it ended", |s| s.iterations == rounds && s.in_flight == 0)
            .await;
    }
    assert!(world.organic.reset("nobody", 0.0).await.unwrap().is_none());
    assert!(world.organic.reset(ORGANIC, 0.0).await.unwrap().is_some());
    world.steps(1).await;
    world
        .until("one more", |s| s.iterations == 3 && s.in_flight == 0)
        .await;
    let rows = world.iterations().await;
    let before: Vec<bool> = rows
        .iter()
        .map(|row| record(row)["state_before"] == Value::Null)
        .collect();
    assert_eq!(before, [true, false, true]);
    let weights = world.store().organic_weights(ORGANIC.into(), None);
    assert_eq!(
        weights.await.unwrap().unwrap().weights[&world.miner(0).hotkey],
        1.0
    );
}

/// One that was removed for good would otherwise keep its rows for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_long_ago_is_forgotten_of_challenges_that_are_gone_as_well() {
    let mut world = Setup::steps(1).open().await;
    let gone = || "gone".to_owned();
    let store = world.store().clone();
    let new = NewEntry {
        id: "old".into(),
        challenge: gone(),
        caller: "alice".into(),
        sample: "{}".into(),
        digest: "digest".into(),
        priority: 0.0,
        received_at: 1.0,
    };
    let rules = QueueRules {
        queue_max: 10,
        most_of_caller: 10,
        dedupe_s: 0.0,
    };
    let added = store.organic_add(new, rules).await.unwrap();
    assert!(matches!(added, Added::Queued { .. }));
    let begun = NewIteration {
        challenge: gone(),
        plugin: String::new(),
        settings: String::new(),
        engine: String::new(),
        started_at: 1.0,
        sampling: Sampling::Uniform,
        random: 0,
        steps: 0,
        dataset: None,
    };
    let begun = store.organic_begin(begun).await.unwrap().unwrap();
    let failed = Failed {
        id: begun.id,
        code: "trap".into(),
        message: String::new(),
        record: "{}".into(),
        summary: "{}".into(),
        ended_at: 2.0,
        again_at: None,
        max_attempts: 1,
        counts: true,
    };
    store.organic_fail(failed).await.unwrap();
    world.begin();
    let deadline = Instant::now() + LONG;
    while store.organic_iteration(begun.id).await.unwrap().is_some()
        || store.organic_entry("old".into()).await.unwrap().is_some()
    {
        assert!(Instant::now() < deadline, "it is kept");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
