//! Days, by a clock that the tests move: each is finalized once, at its hour, or as
//! if it had been.

use crate::commits::{Commit, HOUR, all_revealed};
use crate::stored::{self, Dump};
use crate::support::{DAY, Event, START, Server, World, until};
use proctor_testing::guest_bytes;
use serde_json::{Map, Value, json};
use std::fs;

/// What a host logs after each step, once it is on disk.
const STEPS: [&str; 6] = [
    "revealed",
    "evaluated",
    "compared",
    "judged",
    "challenge finalized",
    "finalized",
];

/// The scoring hour, so many days after the first.
pub(crate) fn hour_of(day: u32) -> f64 {
    START - HOUR + f64::from(day) * DAY
}

/// What that day is called.
fn name_of(day: u32) -> String {
    format!("2026-08-{}", 22 + day)
}

/// A commit to an artifact of the digits challenge that may be opened at a time.
pub(crate) fn due(uid: u16, digest: &str, at: f64) -> Commit {
    let text = format!("digits---sha256:{digest}");
    Commit::at(&format!("miner-{uid}"), &text, at - DAY)
}

/// Waits for the vectors of some days, in order, and tells what the challenge came
/// to on each.
#[track_caller]
fn all_finalized(server: &mut Server, days: &[u32]) -> Vec<Event> {
    let (mut challenge, mut vectors) = (Vec::new(), Vec::new());
    while vectors.len() < days.len() {
        let event = server.wait(|e| e.is("challenge finalized") || e.is("finalized"));
        match event.is("finalized") {
            true => vectors.push(event.text("day").to_owned()),
            false => challenge.push(event),
        }
    }
    let names: Vec<String> = days.iter().copied().map(name_of).collect();
    assert_eq!(vectors, names);
    let of_challenge: Vec<&str> = challenge.iter().map(|event| event.text("day")).collect();
    assert_eq!(of_challenge, names);
    challenge
}

/// The same for one day.
#[track_caller]
pub(crate) fn finalized(server: &mut Server, day: u32) -> Event {
    all_finalized(server, &[day]).remove(0)
}

pub(crate) fn count(log: &[Event], message: &str) -> usize {
    log.iter().filter(|event| event.is(message)).count()
}

/// Waits until the host knows from which day on the challenge counts.
fn noted(world: &World, server: &mut Server) {
    server.wait_for("plugin active");
    until("the first day is noted", || {
        stored::value::<i64>(world, "SELECT count(*) FROM challenges") == 1
    });
}

#[test]
fn a_day_is_finalized_once_at_its_hour_and_not_before() {
    let world = World::new().with_digits();
    world.set_clock(hour_of(0) - 2.0 * HOUR);
    let commit = due(3, &world.add_artifact("knn"), hour_of(0) - 5.0 * HOUR);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    server.wait_for("evaluated");
    let shown = |server: &Server| {
        let mut data = server.scoring_result(&[&commit.encrypted]);
        (
            data["is_done"].take(),
            data["commits"][&commit.encrypted].take(),
        )
    };
    for early in [HOUR, 1.0, 0.001] {
        world.set_clock(hour_of(0) - early);
        world.look(&mut server);
        let (is_done, shown) = shown(&server);
        assert_eq!(is_done, false, "{early} s too early");
        assert_eq!(shown["scoring_logs"].as_array().unwrap().len(), 2);
        for unscored in ["score", "penalty", "accepted", "scored_timestamp"] {
            assert_eq!(shown[unscored], Value::Null, "{unscored}");
        }
    }
    assert_eq!(count(&server.log, "challenge finalized"), 0);

    world.set_clock(hour_of(0));
    let challenge = finalized(&mut server, 0);
    assert_eq!(challenge.field("late_s"), 0.0);
    assert_eq!(challenge.field("commits"), 1);
    let (is_done, verdict) = shown(&server);
    assert_eq!(is_done, true);
    assert_eq!(verdict["scored_timestamp"], hour_of(0));
    assert!(verdict["score"].is_f64(), "{verdict}");

    for later in [1.0, HOUR, 10.0 * HOUR - 1.0] {
        world.set_clock(hour_of(0) + later);
        world.look(&mut server);
        assert_eq!(shown(&server), (json!(true), verdict.clone()), "{later}");
    }
    // Tomorrow is another day.
    world.set_clock(hour_of(0) + 10.0 * HOUR);
    world.look(&mut server);
    assert_eq!(shown(&server), (json!(false), verdict));
    let log = server.stop();
    assert_eq!(count(&log, "challenge finalized"), 1);
    assert_eq!(count(&log, "finalized"), 1);
}

/// Commits of four days, all of them told of in the morning of the first; and a
/// host that has seen that morning.
fn four_days() -> World {
    let world = World::new().with_digits();
    world.set_clock(hour_of(0) - 6.0 * HOUR);
    let commits = [
        ("knn", hour_of(0) - 5.0 * HOUR),
        ("linear", hour_of(1) - 5.0 * HOUR),
        // After the hour of the second day: of the third.
        ("knn_renamed", hour_of(1) + 2.0 * HOUR),
        ("first_example", hour_of(3)),
    ];
    let commits: Vec<Commit> = (3..)
        .zip(commits)
        .map(|(uid, (solver, at))| due(uid, &world.add_artifact(solver), at))
        .collect();
    world.ingest(0, &all_revealed(&commits));
    let mut server = world.serve(&[]);
    noted(&world, &mut server);
    server.stop();
    world
}

/// What four days come to for a host that never sleeps.
fn through_four_days(world: &World) -> Dump {
    let mut server = world.serve(&[]);
    for day in 0..4 {
        world.set_clock(hour_of(day));
        let challenge = finalized(&mut server, day);
        assert_eq!(challenge.field("late_s"), 0.0);
        assert_eq!(challenge.field("commits"), 1);
    }
    server.stop();
    Dump::of(world)
}

#[test]
fn a_host_that_was_down_at_the_hour_comes_to_the_same_ledger() {
    let template = four_days();
    let wanted = through_four_days(&template.copy());
    assert_eq!(wanted.finalizations.len(), 4);
    assert_eq!(stored::with_text(&wanted.commits, "judged"), 4);
    assert!(!wanted.comparisons.is_empty());
    // Each list tells when it is up again, and which days it makes up for.
    let late = 4.5 * HOUR;
    let four = |late| [0, 1, 2, 3].map(|day| (hour_of(day) + late, vec![day]));
    let nights: [&[(f64, Vec<u32>)]; 4] = [
        &four(late),
        &four(DAY - HOUR),
        &[(hour_of(3), vec![0, 1, 2, 3])],
        &[
            (hour_of(0) + late, vec![0]),
            (hour_of(2) + 9.0 * HOUR, vec![1, 2]),
            (hour_of(4) - 1.0, vec![3]),
        ],
    ];
    for starts in nights {
        let world = template.copy();
        for (now, days) in starts {
            world.set_clock(*now);
            let mut server = world.serve(&[]);
            let challenge = all_finalized(&mut server, days);
            for (day, challenge) in days.iter().zip(challenge) {
                assert_eq!(challenge.field("late_s"), now - hour_of(*day));
            }
            world.look(&mut server);
            let log = server.stop();
            assert_eq!(count(&log, "challenge finalized"), days.len());
        }
        let dump = without_looks(Dump::of(&world));
        wanted.assert_same(&dump, &format!("up at {starts:?}"));
    }
}

/// Without the commits that [`World::look`] made.
fn without_looks(mut dump: Dump) -> Dump {
    dump.commits
        .retain(|row| !row.contains("Text(\"miner-19\")"));
    dump
}

#[test]
fn killed_at_any_step_while_it_catches_up_it_comes_to_the_same_ledger() {
    let template = four_days();
    let wanted = through_four_days(&template.copy());
    template.set_clock(hour_of(3));
    let to_the_end = |server: &mut Server| {
        server.wait(|event| event.is("finalized") && event.text("day") == name_of(3));
    };
    let world = template.copy();
    let mut server = world.serve(&[]);
    to_the_end(&mut server);
    let log = server.stop();
    let is_step = |event: &Event| STEPS.contains(&event.message.as_str());
    let steps = log.iter().filter(|event| is_step(event)).count();
    assert!(steps > 20, "{log:#?}");
    for kill in 1..steps {
        let world = template.copy();
        let mut server = world.serve(&[]);
        for _ in 0..kill {
            server.wait(is_step);
        }
        server.kill();
        if Dump::of(&world).vectors.len() < 4 {
            let mut server = world.serve(&[]);
            to_the_end(&mut server);
            server.stop();
        }
        wanted.assert_same(&Dump::of(&world), &format!("killed after {kill} steps"));
    }
}

#[test]
fn a_clock_that_moves_back_finalizes_nothing_again() {
    let world = four_days();
    let mut server = world.serve(&[]);
    for day in 0..2 {
        world.set_clock(hour_of(day));
        finalized(&mut server, day);
    }
    let before = Dump::of(&world);
    for back in [HOUR, DAY, 2.5 * DAY] {
        world.set_clock(hour_of(1) - back);
        world.look(&mut server);
        assert_eq!(server.scoring_result(&[])["is_done"], true);
    }
    // Nor does a host that starts then.
    let log = server.stop();
    assert_eq!(count(&log, "challenge finalized"), 2);
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    world.look(&mut server);
    assert_eq!(server.scoring_result(&[])["is_done"], true);
    before.assert_same(&without_looks(Dump::of(&world)), "in the past");
    // It goes on where it was.
    world.set_clock(hour_of(3));
    all_finalized(&mut server, &[2, 3]);
    server.stop();
}

/// The peer's bug: it says that it is done in the round that finalizes, and takes it
/// back in the next one if anything is open that it did not accept.
#[test]
fn is_done_flips_back() {
    let world = World::new().with_digits();
    let copied = world.add_artifact("knn");
    let commits = [(3, -5.0), (4, -4.0)].map(|(uid, at)| due(uid, &copied, hour_of(0) + at * HOUR));
    let late = due(5, &world.add_artifact("linear"), hour_of(0) + 1.5 * HOUR);
    world.ingest(0, &all_revealed(commits.iter().chain([&late])));
    let mut server = world.serve(&[]);
    finalized(&mut server, 0);
    let ask = |server: &Server| {
        let asked = [&commits[0], &commits[1], &late].map(|c| c.encrypted.as_str());
        server.scoring_result(&asked)
    };
    let data = ask(&server);
    assert_eq!(data["is_done"], true);
    assert_eq!(data["commits"][&commits[1].encrypted]["accepted"], false);
    assert_eq!(data["commits"][&late.encrypted]["key"], Value::Null);

    // A rejected commit is still there, and another one is opened.
    world.set_clock(hour_of(0) + 2.0 * HOUR);
    server.wait(|event| event.is("revealed") && event.text("hotkey") == late.hotkey);
    assert_eq!(ask(&server)["is_done"], true);
    server.wait_for("evaluated");
    world.look(&mut server);
    let data = ask(&server);
    assert_eq!(data["is_done"], true, "it belongs to tomorrow");
    let shown = &data["commits"][&late.encrypted];
    assert_eq!(shown["key"], late.key);
    assert_eq!(shown["scoring_logs"].as_array().unwrap().len(), 2);
    for unscored in ["score", "penalty", "accepted", "scored_timestamp"] {
        assert_eq!(shown[unscored], Value::Null, "{unscored}");
    }
    server.kill();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    assert_eq!(ask(&server)["is_done"], true, "nor does a restart");

    world.set_clock(hour_of(1));
    assert_eq!(finalized(&mut server, 1).field("commits"), 1);
    let data = ask(&server);
    assert_eq!(data["is_done"], true);
    let shown = &data["commits"][&late.encrypted];
    assert_eq!(shown["scored_timestamp"], hour_of(1));
    assert!(shown["score"].is_f64(), "{shown}");
    server.stop();
}

/// The peer's bug: a challenge is never done on a day on which nothing is open.
#[test]
fn is_done_is_never_true_without_reveals() {
    let world = World::new().with_digits();
    world.set_clock(hour_of(0) - HOUR);
    let not_due = due(3, &"0".repeat(64), hour_of(2) + HOUR);
    world.ingest(0, &all_revealed([&not_due]));
    let mut server = world.serve(&[]);
    noted(&world, &mut server);
    let is_done = |server: &Server| {
        let nothing = server.scoring_result(&[])["is_done"].take();
        assert_eq!(server.scoring_result(&["unknown"])["is_done"], nothing);
        assert_eq!(
            server.scoring_result(&[&not_due.encrypted])["is_done"],
            nothing
        );
        nothing
    };
    assert_eq!(is_done(&server), false);
    for day in 0..2 {
        world.set_clock(hour_of(day));
        assert_eq!(finalized(&mut server, day).field("commits"), 0);
        assert_eq!(is_done(&server), true, "day {day}");
        world.set_clock(hour_of(day) + 10.0 * HOUR);
        assert_eq!(is_done(&server), false, "day {day} is over");
    }
    server.stop();
}

#[test]
fn by_the_rule_of_the_scoring_hour_commits_are_opened_at_midnight() {
    let world = World::new().with_digits();
    let midnight = hour_of(0) - 14.0 * HOUR;
    world.set_clock(midnight - 1.0);
    let at = |uid, solver, at| {
        let text = format!("digits---sha256:{}", world.add_artifact(solver));
        Commit::at(&format!("miner-{uid}"), &text, at)
    };
    // Just in time for the hour of the day before, and just too late.
    let in_time = at(3, "knn", hour_of(0) - DAY - 1.0);
    let too_late = at(4, "linear", hour_of(0) - DAY + 1.0);
    world.ingest(0, &all_revealed([&in_time, &too_late]));
    let mut server = world.serve(&["commits.reveal_rule=scoring_hour"]);
    noted(&world, &mut server);
    world.look(&mut server);
    assert_eq!(count(&server.log, "revealed"), 0);
    for (day, commit) in [(0, &in_time), (1, &too_late)] {
        world.set_clock(midnight + f64::from(day) * DAY);
        assert_eq!(server.wait_for("revealed").text("hotkey"), commit.hotkey);
        server.wait_for("evaluated");
        world.set_clock(hour_of(day));
        assert_eq!(server.wait_for("judged").text("hotkey"), commit.hotkey);
        finalized(&mut server, day);
    }
    assert_eq!(count(&server.log, "revealed"), 2);
    server.stop();
}

#[test]
fn a_challenge_with_many_slow_jobs_does_not_keep_another_waiting() {
    let world = World::new().with_digits();
    fs::write(
        world.plugins().join("hostile.wasm"),
        guest_bytes("hostile_challenge"),
    )
    .unwrap();
    let digest = world.add_artifact("knn");
    let mut commits = Map::new();
    for (uid, mark) in (3..).zip(0..8) {
        let digest = world.add_variant("not_utf8", mark);
        let text = format!("hostile---sha256:{digest}");
        let commit = Commit::of_text(uid, &text, 30.0);
        commits.insert(
            commit.hotkey.clone(),
            json!({ "hostile": commit.revealed() }),
        );
    }
    let quick = Commit::new(19, &digest, 30.0);
    commits.insert(quick.hotkey.clone(), json!({ "digits": quick.revealed() }));
    world.ingest(0, &json!({ "miner_commits": commits }));
    let mut server = world.serve(&[
        "challenges.hostile.settings={in='evaluate',do='loop'}",
        "challenges.hostile.limits.wall_ms=1000",
        "challenges.hostile.limits.fuel=1000000000000000",
    ]);
    server.wait(|event| event.is("evaluated") && event.text("challenge") == "digits");
    // Two at a time: no third one can have begun before it.
    assert!(
        count(&server.log, "evaluation put back") <= 2,
        "{:#?}",
        server.log
    );
    server.stop();
}
