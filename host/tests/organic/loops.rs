//! When iterations begin, and who decides it.

use super::world::{ORGANIC, Setup};
use proctor_dev_miners::Behaviour;
use proctor_host::clock;
use proctor_host::config::{self, Trigger};
use proctor_host::organic::LoopState;
use proctor_host::store::{IterationState, Steps};
use serde_json::json;

/// In the peer the first iteration was the last, and steps could not be counted up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_mode_begins_iterations_and_goes_on() {
    let world = Setup::steps(1)
        .with(|organic| organic.frequency = 3.0)
        .run()
        .await;
    for round in 1..=3 {
        world.steps(2).await;
        // Waiting takes nothing off.
        world.look().await;
        assert_eq!(world.status().await.steps, 2);
        world.steps(1).await;
        let status = world
            .until("it ended", |s| s.iterations == round && s.in_flight == 0)
            .await;
        assert_eq!((status.steps, status.steps_needed), (0, 3));
    }
    let set = world.organic.steps(ORGANIC, Steps::Set(7), 0.0).await;
    assert!(set.unwrap().unwrap().steps <= 7);
    let status = world
        .until("two more", |s| s.iterations == 5 && s.in_flight == 0)
        .await;
    assert_eq!(status.steps, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_heeded_at_once_and_a_start_as_well() {
    let world = Setup::steps(1).run().await;
    let stopped = world.organic.stop(ORGANIC, 0.0).await.unwrap().unwrap();
    assert_eq!(stopped.state, LoopState::Stopped);
    world.steps(100).await;
    let id = world.sent(json!({"x": 1})).await;
    world.look().await;
    let status = world.status().await;
    assert_eq!((status.iterations, status.steps), (0, 100));
    assert_eq!(status.queue.queued, 1);
    let started = world.organic.start(ORGANIC, 0.0).await.unwrap().unwrap();
    assert_eq!(started.state, LoopState::Running);
    world.answered(&id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_heeded_while_it_waits_for_its_time() {
    let world = Setup::steps(1)
        .with(|organic| {
            organic.trigger = Trigger::Seconds;
            organic.frequency = 0.02;
            organic.frequency_min = 0.02;
        })
        .run()
        .await;
    world.until("it runs", |status| status.iterations > 2).await;
    world.organic.stop(ORGANIC, 0.0).await.unwrap();
    let after = clock::unix_now();
    world.organic.drained(ORGANIC).await;
    let before = world.status().await.iterations;
    world.look().await;
    assert_eq!(world.status().await.iterations, before);
    let last = world.iterations().await.pop().unwrap();
    assert!(last.started_at <= after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_runs_end() {
    let world = Setup::steps(1)
        .behave(&[Behaviour::Hang])
        .with(|organic| organic.miner_timeout_ms = 700)
        .run()
        .await;
    world.steps(1).await;
    world.miner(0).until(|counts| counts.total() == 1).await;
    let status = world.organic.stop(ORGANIC, 0.0).await.unwrap().unwrap();
    assert_eq!((status.state, status.in_flight), (LoopState::Stopping, 1));
    world.organic.drained(ORGANIC).await;
    assert_eq!(world.status().await.state, LoopState::Stopped);
    assert_eq!(world.iterations().await[0].state, IterationState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_iterations_run_at_a_time_than_may() {
    let world = Setup::steps(1)
        .behave(&[Behaviour::Hang])
        .with(|organic| {
            organic.concurrency = 2;
            organic.miner_timeout_ms = 300;
        })
        .run()
        .await;
    world.steps(5).await;
    let mut most = 0;
    let status = world
        .until("all ended", |status| {
            most = most.max(status.in_flight);
            status.iterations == 5 && status.in_flight == 0
        })
        .await;
    assert_eq!((most, status.steps), (2, 0));
}

/// In the peer it was waited for one iteration before the next began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iterations_keep_their_rate_while_miners_hang() {
    let world = Setup::steps(1)
        .behave(&[Behaviour::Hang])
        .with(|organic| {
            organic.trigger = Trigger::Seconds;
            organic.frequency = 0.2;
            organic.frequency_min = 0.2;
            organic.miner_timeout_ms = 60_000;
        })
        .run()
        .await;
    world
        .until("they overlap", |status| status.in_flight == 4)
        .await;
    let begun: Vec<f64> = world
        .iterations()
        .await
        .iter()
        .map(|row| row.started_at)
        .collect();
    let gaps: Vec<f64> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap > 0.15), "{gaps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_sample_nothing_begins_and_no_step_is_taken() {
    let world = Setup::steps(1).organic_only().run().await;
    world.steps(5).await;
    world.look().await;
    let status = world.status().await;
    assert_eq!((status.iterations, status.steps), (0, 5));
    let id = world.sent(json!({"x": 1})).await;
    world.answered(&id).await;
    assert_eq!(world.status().await.steps, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datasets_that_cannot_be_told_hold_up_no_entry() {
    let world = Setup::steps(1)
        .settings(json!({"in": "datasets", "do": "trap"}))
        .run()
        .await;
    world.steps(2).await;
    let id = world.sent(json!({"x": 1})).await;
    world.answered(&id).await;
    assert_eq!(world.status().await.steps, 1);
}

/// In the peer it made a loop that never waits.
#[test]
fn a_trigger_that_is_none_is_refused_when_it_is_read() {
    let read = serde_json::from_value::<config::Organic>;
    assert_eq!(
        read(json!({"trigger": "steps"})).unwrap().trigger,
        Trigger::Steps
    );
    let error = read(json!({"trigger": "minutes"})).unwrap_err();
    assert!(
        error.to_string().contains("`seconds` or `steps`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_that_goes_has_no_loop_until_it_comes_back() {
    let world = Setup::steps(1).run().await;
    world.steps(1).await;
    world
        .until("one ended", |s| s.iterations == 1 && s.in_flight == 0)
        .await;
    let file = world.file();
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    world.host.registry.pass().await.unwrap();
    let status = world.status().await;
    assert_eq!(status.state, LoopState::Inactive);
    world.steps(1).await;
    world.look().await;
    assert_eq!(world.status().await.iterations, 1);
    std::fs::rename(&aside, &file).unwrap();
    world.host.registry.pass().await.unwrap();
    world
        .until("one more", |s| s.iterations == 2 && s.steps == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_loop_of_a_challenge_that_there_is_not() {
    let world = Setup::steps(1).run().await;
    let organic = &world.organic;
    assert!(organic.status("nobody").await.unwrap().is_none());
    assert!(organic.stop("nobody", 0.0).await.unwrap().is_none());
    assert!(organic.start("nobody", 0.0).await.unwrap().is_none());
    let steps = organic.steps("nobody", Steps::Set(1), 0.0).await;
    assert!(steps.unwrap().is_none());
    let statuses = organic.statuses().await;
    let names: Vec<_> = statuses.iter().map(|s| s.challenge.as_str()).collect();
    assert_eq!(names, [ORGANIC]);
}
