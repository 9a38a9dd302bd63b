//! Who may send what, and what is queued of it.

use super::world::{ORGANIC, Setup};
use proctor_host::chain::Hotkey;
use proctor_host::config::Callers;
use proctor_host::organic::SubmitError;
use proctor_host::store::EntryState;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::time::Instant;

fn code<T>(result: Result<T, SubmitError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

/// In the peer, a subclass of a subclass had none, silently.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blacklists_of_operator_and_challenge_both_hold() {
    let mallory = Hotkey::from_uri("//Mallory").unwrap();
    let mallory = mallory.address();
    let world = Setup::steps(1)
        .with(|organic| organic.blacklist = BTreeSet::from([mallory.to_owned()]))
        .open()
        .await;
    let send = async |caller, body| code(world.send(caller, body).await);
    assert_eq!(send("alice", json!({"x": 1})).await, "ok");
    assert_eq!(send(mallory, json!({"x": 2})).await, "blacklisted");
    assert_eq!(
        send("alice", json!({"x": 3, "blacklist": true})).await,
        "blacklisted"
    );
    assert_eq!(world.status().await.queue.queued, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_which_and_why_and_queues_nothing() {
    let world = Setup::steps(1).open().await;
    for (body, which, why) in [
        (
            json!({"x": 1, "blacklist": true}),
            "blacklisted",
            "blacklist is true",
        ),
        (
            json!({"x": 1, "unverified": true}),
            "unverified",
            "unverified is true",
        ),
        (
            json!({"x": 1, "invalid": true}),
            "invalid",
            "invalid is true",
        ),
        (json!({}), "invalid", "no x"),
        (
            json!({"x": 1, "in": "admit", "fail": "unavailable"}),
            "unavailable",
            "later",
        ),
        (
            json!({"x": 1, "in": "admit", "do": "trap"}),
            "trap",
            "the challenge failed: trap: ",
        ),
        (
            json!({"x": 1, "in": "admit", "priority": "NaN"}),
            "invalid_output",
            "the challenge failed: ",
        ),
    ] {
        let error = world.send("alice", body).await.unwrap_err();
        assert_eq!(error.code(), which);
        assert!(error.to_string().starts_with(why), "{error}");
    }
    let nobody = world.organic.submit("nobody", "alice", "{}", 0.0).await;
    assert_eq!(code(nobody), "unknown_challenge");
    let queue = world.status().await.queue;
    assert_eq!((queue.queued, queue.failed), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_send_is_read_from_the_metagraph() {
    let world = Setup::steps(1)
        .with(|organic| organic.callers = Callers::Validators)
        .open()
        .await;
    let host = Hotkey::from_uri("//Host").unwrap();
    for (caller, told) in [
        (host.address(), "ok"),
        (world.miner(0).hotkey.as_str(), "not_validator"),
        ("alice", "not_registered"),
    ] {
        assert_eq!(code(world.send(caller, json!({"x": caller})).await), told);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_sample_is_queued_once_however_it_is_written() {
    let world = Setup::steps(1).run().await;
    let first = world.sent(json!({"x": {"a": 1, "b": 2}})).await;
    let again = world.send("bob", json!({"x": {"b": 2, "a": 1}, "priority": 3}));
    let again = again.await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.entry.id, first);
    world.steps(1).await;
    world.answered(&first).await;
    let late = world
        .send("bob", json!({"x": {"b": 2, "a": 1}}))
        .await
        .unwrap();
    assert!(late.duplicate && late.entry.answer.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_has_no_more_than_its_share() {
    let world = Setup::steps(1)
        .with(|organic| {
            organic.queue_max = 10;
            organic.caller_share = 0.2;
        })
        .open()
        .await;
    for n in 0..2 {
        world.send("alice", json!({"x": n})).await.unwrap();
    }
    assert_eq!(
        code(world.send("alice", json!({"x": 2})).await),
        "too_many_entries"
    );
    assert_eq!(code(world.send("bob", json!({"x": 2})).await), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_entry_is_told_when_it_is_dropped() {
    let world = Setup::steps(1)
        .with(|organic| organic.queue_max = 2)
        .open()
        .await;
    let first = world.sent(json!({"x": 0})).await;
    let waiting = world.ended(&first);
    let dropping = async {
        for n in 1..3 {
            world.send("bob", json!({"x": n})).await.unwrap();
        }
    };
    let (entry, ()) = tokio::join!(waiting, dropping);
    assert_eq!(entry.state, EntryState::Dropped);
    assert_eq!(entry.code.as_deref(), Some("dropped"));
    assert_eq!(world.status().await.queue.dropped, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_no_longer_gets_the_entry_as_it_is() {
    let world = Setup::steps(1).open().await;
    let id = world.sent(json!({"x": 0})).await;
    let wait = async |challenge, id| world.organic.wait(challenge, id, Instant::now()).await;
    let entry = wait(ORGANIC, &id).await.unwrap().unwrap();
    assert_eq!(entry.state, EntryState::Queued);
    assert_eq!(wait("other", &id).await.unwrap(), None);
    assert_eq!(wait(ORGANIC, "nothing").await.unwrap(), None);
}
