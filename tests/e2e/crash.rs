//! Killed at any point and started again, a host comes to the same end as one
//! that was left alone, and does nothing twice.

use crate::commits::{Commit, all_revealed, document};
use crate::stored::{self, Done, Dump, with_text};
use crate::support::{Event, World, until};
use proctor_testing::guest_bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;

/// What a host logs after each step of the pipeline, once it is on disk.
const STEPS: [&str; 6] = [
    "revealed",
    "evaluated",
    "compared",
    "judged",
    "challenge finalized",
    "finalized",
];

/// Solvers, each committed by one miner; knn by two.
const SOLVERS: [&str; 9] = [
    "nearest_centroid",
    "knn",
    "endless_loop",
    "linear",
    "knn_renamed",
    "memory_hog",
    "first_example",
    "malformed_json",
    "knn",
];

#[test]
fn killed_at_any_step_the_host_comes_to_the_same_end() {
    let template = prepare();
    let reference = template.copy();
    let log = finish(&reference, Vec::new());
    let wanted = Dump::of(&reference);
    let count = |message| log.iter().filter(|event| event.is(message)).count();
    assert_eq!(count("revealed"), SOLVERS.len());
    assert_eq!(count("evaluated"), SOLVERS.len() - 1);
    assert_eq!(count("judged"), SOLVERS.len());
    assert_eq!(count("challenge finalized"), 1);
    assert_plausible(&wanted);

    // Killed at each step of the whole way, at each second, and so on; then
    // once, at one step or another.
    let mut scenarios = vec![
        vec![1; 100],
        vec![2; 50],
        vec![5; 20],
        vec![3, 1, 4, 1, 5, 9],
    ];
    scenarios.extend((2..=40).step_by(2).map(|kill| vec![kill]));
    for kills in scenarios {
        let world = template.copy();
        let log = finish(&world, kills.clone());
        let dump = Dump::of(&world);
        assert_done_once(&log);
        wanted.assert_same(&dump, &format!("killed after {kills:?} steps"));
    }
}

#[test]
fn killed_while_it_compiles_the_host_compiles_again() {
    let world = World::cold().with_digits();
    for message in ["compiling plugin", "compiling plugin", "plugin active"] {
        let mut server = world.serve(&[]);
        server.wait_for(message);
        server.kill();
    }
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    server.stop();
}

#[test]
fn being_killed_is_no_attempt_in_vain() {
    let world = World::new();
    let plugin = world.plugins().join("hostile.wasm");
    fs::write(plugin, guest_bytes("hostile_challenge")).unwrap();
    let digest = world.add_artifact("knn");
    let commit = Commit::of_text(3, &format!("hostile---sha256:{digest}"), 30.0);
    let seen = json!({ &commit.hotkey: { "hostile": commit.revealed() } });
    world.ingest(0, &json!({ "miner_commits": seen }));
    let endless = [
        "challenges.hostile.settings={in='evaluate',do='loop'}",
        "challenges.hostile.limits.wall_ms=60000",
        "challenges.hostile.limits.fuel=1000000000000000",
        "scoring.hold_attempts=2",
    ];
    for _ in 0..3 {
        let server = world.serve(&endless);
        until("it is being evaluated", || {
            let leased = "SELECT EXISTS (SELECT 1 FROM evaluations WHERE state = 'leased')";
            stored::value(&world, leased)
        });
        server.kill();
    }
    let mut server = world.serve(&endless);
    server.wait_for("plugin active");
    world.look(&mut server);
    let finalized = server.log.iter().any(|e| e.is("challenge finalized"));
    assert!(!finalized, "the day waits for it: {:#?}", server.log);
    server.kill();
}

/// A data directory with everything that is to be done, and nothing done.
fn prepare() -> World {
    let world = World::new().with_digits();
    let commits: Vec<Commit> = (3_u16..)
        .zip(SOLVERS)
        .map(|(uid, solver)| {
            let digest = world.add_artifact(solver);
            Commit::new(uid, &digest, 30.0 - f64::from(uid) / 10.0)
        })
        .collect();
    let without_key = Commit::new(15, &"0".repeat(64), 30.0);
    let not_due = Commit::new(16, &"0".repeat(64), 1.0);
    let nonsense = Commit::of_text(17, "digits---what?", 30.0);
    let good = commits.iter().chain([&not_due, &nonsense]);
    let mut seen: Vec<_> = good.map(|c| (c.hotkey.as_str(), c.revealed())).collect();
    seen.push((&without_key.hotkey, without_key.sealed()));
    world.ingest(0, &document(seen));
    // Half of the others is all that the second one knows.
    world.ingest(1, &all_revealed(commits.iter().step_by(2)));
    world.ingest(2, &all_revealed([]));
    world
}

/// Serves, killed each time after so many more steps, and at last to the end.
/// Returns what was logged in all of that.
fn finish(world: &World, kills: Vec<usize>) -> Vec<Event> {
    let mut log = Vec::new();
    let mut before = Done::default();
    for steps in kills {
        let mut server = world.serve(&[]);
        for _ in 0..steps {
            let step = server.wait(|event| STEPS.contains(&event.message.as_str()));
            if step.is("finalized") {
                break;
            }
        }
        log.extend(server.kill());
        let now = Done::of(world);
        before.assert_kept(&now);
        before = now;
        if before.days() == 1 {
            break;
        }
    }
    if before.days() == 0 {
        let mut server = world.serve(&[]);
        server.wait_for("finalized");
        log.extend(server.stop());
    }
    // Nothing is left to be done.
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    assert_eq!(server.get("/livez").status, 200);
    log.extend(server.stop());
    before.assert_kept(&Done::of(world));
    log
}

/// By the log of all runs, each thing was stored at most once. It may lack a
/// line: the host may die between the two.
fn assert_done_once(log: &[Event]) {
    let mut seen: BTreeMap<(&str, String), u32> = BTreeMap::new();
    for event in log {
        let what = match event.message.as_str() {
            "evaluated" | "challenge finalized" => {
                assert_eq!(event.field("stored"), true, "{event:?}");
                format!("{}{}", event.text("artifact"), event.text("day"))
            }
            "revealed" | "judged" => event.text("hotkey").to_owned(),
            "finalized" => event.text("day").to_owned(),
            _ => continue,
        };
        *seen.entry((&event.message, what)).or_default() += 1;
    }
    for (what, times) in seen {
        assert_eq!(times, 1, "{what:?}");
    }
}

/// The reference itself is what was meant.
fn assert_plausible(dump: &Dump) {
    let states = ["judged", "sealed", "refused"].map(|state| with_text(&dump.commits, state));
    assert_eq!(states, [SOLVERS.len(), 2, 1]);
    assert_eq!(with_text(&dump.evaluations, "done"), SOLVERS.len() - 1);
    assert_eq!(dump.evaluations.len(), SOLVERS.len() - 1);
    assert!(!dump.comparisons.is_empty());
    assert_eq!((dump.finalizations.len(), dump.vectors.len()), (1, 1));
    assert!(dump.vectors[0].contains("65535"), "{:?}", dump.vectors);
}
