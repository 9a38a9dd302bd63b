//! What is not there now is tried again, and costs nobody a score.

use crate::commits::{Commit, HOUR, all_revealed};
use crate::stored;
use crate::support::{DAY, Event, START, Server, World, until};
use proctor_testing::guest_bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs;

/// Lets the time pass that the next attempt is put off by.
fn retry(world: &World, put_back: &Event) -> f64 {
    let delay = put_back.field("retry_in_s").as_f64().unwrap();
    world.pass(delay);
    delay
}

#[test]
fn an_artifact_that_comes_late_is_scored_when_it_is_there() {
    let world = World::new().with_digits();
    let digest = hex::encode(Sha256::digest(guest_bytes("knn")));
    let commit = Commit::new(3, &digest, 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&["scoring.retry_s=8", "scoring.hold_attempts=5"]);
    for attempt in 1..=3 {
        let event = server.wait_for("evaluation put back");
        assert_eq!(event.field("attempt"), attempt);
        assert_eq!(event.text("outcome"), "unavailable");
        assert!(event.text("reason").contains(&digest), "{event:?}");
        let data = server.scoring_result(&[&commit.encrypted]);
        assert_eq!(data["is_done"], false, "the day waits for it");
        let shown = &data["commits"][&commit.encrypted];
        for unscored in ["score", "penalty", "accepted", "scored_timestamp"] {
            assert_eq!(shown[unscored], Value::Null, "{unscored}");
        }
        if attempt == 3 {
            assert_eq!(world.add_artifact("knn"), digest);
        }
        let doubled = 8.0 * 2_f64.powi(attempt - 1);
        assert_eq!(retry(&world, &event), doubled, "attempt {attempt}");
    }
    let judged = server.wait_for("judged");
    assert!(judged.field("score").as_f64().unwrap() > 0.5, "{judged:?}");
    server.wait_for("challenge finalized");
    let data = server.scoring_result(&[&commit.encrypted]);
    assert_eq!(
        data["commits"][&commit.encrypted]["score"],
        *judged.field("score")
    );
    server.stop();
}

#[test]
fn a_restart_goes_on_with_the_attempts() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &"0".repeat(64), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    let event = server.wait_for("evaluation put back");
    until("that is stored", || {
        let stored = "SELECT outcome IS NOT NULL FROM evaluations";
        stored::value(&world, stored)
    });
    server.kill();
    retry(&world, &event);
    let mut server = world.serve(&[]);
    let event = server.wait_for("evaluation put back");
    assert_eq!(event.field("attempt"), 2);
    server.stop();
}

#[test]
fn others_do_not_wait_for_ever() {
    let world = World::new().with_digits();
    let missing = Commit::new(3, &"0".repeat(64), 30.0);
    let good = Commit::new(4, &world.add_artifact("knn"), 29.0);
    world.ingest(0, &all_revealed([&missing, &good]));
    let mut server = world.serve(&["scoring.hold_attempts=2"]);
    let event = server.wait_for("evaluation put back");
    retry(&world, &event);
    server.wait_for("evaluation put back");
    let judged = server.wait_for("judged");
    assert_eq!(judged.text("hotkey"), good.hotkey);
    let finalized = server.wait_for("challenge finalized");
    assert_eq!(finalized.field("commits"), 1);
    let put_back = server.log.iter().filter(|e| e.is("evaluation put back"));
    assert_eq!(put_back.count(), 2, "{:#?}", server.log);
    server.stop();
}

#[test]
fn nobody_holds_the_day_up_with_an_artifact_that_is_not_there() {
    let world = World::new().with_digits();
    let missing = Commit::new(3, &"0".repeat(64), 30.0);
    world.ingest(0, &all_revealed([&missing]));
    let mut server = world.serve(&["scoring.hold_attempts=2"]);
    let event = server.wait_for("evaluation put back");
    retry(&world, &event);
    server.wait_for("finalized");
    let evaluated = server.log.iter().any(|e| e.is("evaluated"));
    assert!(!evaluated, "it was still being tried: {:#?}", server.log);
    server.stop();
}

#[test]
fn what_comes_too_late_for_its_day_is_judged_on_the_next_one() {
    let world = World::new().with_digits();
    let digest = hex::encode(Sha256::digest(guest_bytes("knn")));
    let commit = Commit::new(3, &digest, 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&["scoring.hold_attempts=1"]);
    let event = server.wait_for("evaluation put back");
    let finalized = server.wait_for("challenge finalized");
    assert_eq!(finalized.field("commits"), 0);
    world.add_artifact("knn");
    retry(&world, &event);
    server.wait_for("evaluated");
    world.set_clock(START - HOUR + DAY);
    let judged = server.wait_for("judged");
    assert!(judged.field("score").as_f64().unwrap() > 0.5, "{judged:?}");
    let finalized = server.wait_for("challenge finalized");
    assert_eq!(finalized.text("day"), "2026-08-23");
    server.stop();
}

#[test]
fn what_was_given_up_is_taken_up_when_its_artifact_comes() {
    let world = World::new().with_digits();
    let digest = hex::encode(Sha256::digest(guest_bytes("knn")));
    let commit = Commit::new(3, &digest, 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&["scoring.max_attempts=1"]);
    let given_up = server.wait_for("evaluated");
    assert_eq!(given_up.text("outcome"), "unavailable");
    world.add_artifact("knn");
    let evaluated = server.wait_for("evaluated");
    assert_eq!(evaluated.text("outcome"), "ok");
    // Nobody waits for what was given up once.
    world.set_clock(START - HOUR + DAY);
    let judged = server.wait_for("judged");
    assert!(judged.field("score").as_f64().unwrap() > 0.5, "{judged:?}");
    server.stop();
}

#[test]
fn what_is_given_up_has_failed_and_is_not_scored() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &"0".repeat(64), 30.0);
    let good = Commit::new(4, &world.add_artifact("knn"), 29.0);
    world.ingest(0, &all_revealed([&commit, &good]));
    let mut server = world.serve(&["scoring.max_attempts=1"]);
    let evaluated = server.wait(|e| e.is("evaluated") && e.text("outcome") != "ok");
    assert_eq!(evaluated.text("outcome"), "unavailable");
    server.wait_for("finalized");
    let data = server.scoring_result(&[&commit.encrypted, &good.encrypted]);
    assert_eq!(data["commits"][&commit.encrypted]["score"], Value::Null);
    assert!(data["commits"][&good.encrypted]["score"].is_f64());
    assert_eq!(data["is_done"], true);
    server.stop();
}

#[test]
fn a_comparison_that_never_ends_holds_the_day_up_for_a_few_attempts_only() {
    let world = World::new();
    let plugin = world.plugins().join("hostile.wasm");
    fs::write(plugin, guest_bytes("hostile_challenge")).unwrap();
    let artifacts = ["knn", "linear", "nearest_centroid"].map(|name| world.add_artifact(name));
    let commits: Vec<Commit> = (3_u16..)
        .zip(&artifacts)
        .map(|(uid, digest)| Commit::of_text(uid, &format!("hostile---sha256:{digest}"), 30.0))
        .collect();
    let published: Map<String, Value> = commits
        .iter()
        .map(|commit| {
            (
                commit.hotkey.clone(),
                json!({ "hostile": commit.revealed() }),
            )
        })
        .collect();
    world.ingest(0, &json!({ "miner_commits": published }));
    let mut server = world.serve(&[
        "challenges.hostile.settings={in='compare',do='loop',solution='{}'}",
        "challenges.hostile.limits.wall_ms=100",
        "challenges.hostile.limits.fuel=1000000000000",
        "scoring.hold_attempts=2",
        "scoring.max_attempts=4",
    ]);
    let put_off = |server: &mut Server, who: usize, attempts: u64| {
        let event = server.wait_for("judging put off");
        assert_eq!(event.text("hotkey"), commits[who].hotkey, "{event:?}");
        assert_eq!(event.field("attempts"), attempts);
        retry(&world, &event);
    };
    // The first comes before the others, so there is nothing to compare it with.
    // The third is not held up by the second for long, nor is the day by both.
    for (who, attempts) in [(1, 1), (1, 2), (2, 1), (1, 3), (2, 2)] {
        put_off(&mut server, who, attempts);
    }
    assert_eq!(server.wait_for("judged").text("hotkey"), commits[0].hotkey);
    let finalized = server.wait_for("challenge finalized");
    assert_eq!(finalized.field("commits"), 1);
    // Nor is the next one.
    world.set_clock(START - HOUR + DAY);
    let failed = server.wait_for("the challenge cannot judge a commit");
    assert_eq!(failed.text("hotkey"), commits[1].hotkey);
    put_off(&mut server, 2, 3);
    let finalized = server.wait_for("challenge finalized");
    assert_eq!(finalized.text("day"), "2026-08-23");
    server.stop();
}

#[test]
fn a_submission_that_takes_too_long_gets_the_benefit_of_the_doubt_first() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &world.add_artifact("endless_loop"), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[
        "challenges.digits.solver.fuel=1000000000000",
        "challenges.digits.solver.wall_ms=50",
        "scoring.hold_attempts=2",
    ]);
    let put_back = server.wait_for("evaluation put back");
    assert_eq!(put_back.text("outcome"), "timeout");
    assert_eq!(put_back.field("attempt"), 1);
    retry(&world, &put_back);
    // The second time it counts as its own.
    assert_eq!(server.wait_for("evaluated").text("outcome"), "ok");
    let judged = server.wait_for("judged");
    assert_eq!(judged.field("score").as_f64(), Some(0.0));
    server.stop();
}

#[test]
fn an_artifact_of_two_miners_is_evaluated_once_and_the_second_is_a_copy() {
    let world = World::new().with_digits();
    let digest = world.add_artifact("knn");
    let (first, second) = (Commit::new(4, &digest, 30.0), Commit::new(3, &digest, 29.0));
    world.ingest(0, &all_revealed([&first, &second]));
    let mut server = world.serve(&[]);
    let judged = server.wait_for("judged");
    assert_eq!(judged.text("hotkey"), first.hotkey, "the earlier commit");
    assert_eq!(judged.field("accepted"), true);
    let judged = server.wait_for("judged");
    assert_eq!(judged.field("accepted"), false);
    assert_eq!(judged.field("penalty").as_f64(), Some(1.0));
    let evaluated = server.log.iter().filter(|event| event.is("evaluated"));
    assert_eq!(evaluated.count(), 1, "{:#?}", server.log);
    server.stop();
}
