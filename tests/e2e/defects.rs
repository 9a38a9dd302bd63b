//! What went wrong with the peer's master, by the number of its defect, and what
//! would have gone wrong in its place here.

use crate::commits::{HOUR, all_revealed};
use crate::days::{due, hour_of};
use crate::http::Response;
use crate::registry::{
    component, create_digits, delete, get, operate, path, post, runtime, serve, world,
};
use crate::stored;
use crate::support::{DAY, Event, Server, World, send, until, variant};
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::fs;
use std::thread;

fn drop_in(world: &World, name: &str, bytes: &[u8]) {
    let draft = world.write("draft", bytes);
    fs::rename(draft, world.plugins().join(name)).unwrap();
}

/// How far the host is with a file; none if it does not know it.
fn state_of(server: &Server, file: &str) -> Value {
    let plugins = server.get("/v1/plugins").json();
    let mut plugins = plugins["plugins"].as_array().unwrap().iter();
    let found = plugins.find(|plugin| plugin["file"] == file);
    found.map_or(Value::Null, |plugin| plugin["state"].clone())
}

/// The peer starts challenges on the threads that serve.
#[test]
fn a6_07_a_slow_start_holds_up_nobody() {
    // They never tell their names.
    let slow = ["slow-1.wasm", "slow-2.wasm", "slow-3.wasm", "slow-4.wasm"];
    let world = world("");
    let mut server = serve(&world);
    create_digits(&server, &json!({"status": "active"}));
    let hostile = component(&server, &guest_bytes("hostile_challenge"));
    let (answers, tokens) = ["answers_challenge", "tokens_challenge"]
        .map(guest_bytes)
        .map(|bytes| component(&server, &bytes))
        .into();
    for (mark, name) in (1..).zip(slow) {
        let draft = world.write(name, variant("describe_loop", mark));
        fs::rename(draft, world.plugins().join(name)).unwrap();
    }
    server.wait(|event| event.is("compiling plugin") && event.text("file").ends_with(slow[0]));
    let (admin, token) = (server.admin.clone(), server.token());
    let endless = thread::spawn(move || {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let act = json!({"in": "validate-settings", "do": "loop"});
        let body = json!({"slug": "hostile", "artifact": hostile, "settings": act});
        let body = body.to_string();
        send(
            &admin,
            "POST",
            &path("challenges"),
            &headers,
            body.as_bytes(),
        )
    });
    for _ in 0..5 {
        let route = server.get("/challenges/digits/tasks/sample");
        assert_eq!(route.status, 200, "{route:?}");
        assert_eq!(runtime(&server, "digits")["state"], "running");
    }
    let restarted = operate(&server, "digits", "restart");
    assert_eq!(restarted["runtime"]["state"], "running");
    let tokens_settings = json!({"submissions": {}, "penalty_threshold": 0.5, "tasks": 1});
    for body in [
        json!({"slug": "answers", "artifact": answers, "status": "active"}),
        json!({"slug": "c1", "artifact": tokens, "settings": tokens_settings, "status": "active"}),
    ] {
        let created = post(&server, "challenges", &body);
        assert_eq!(created.status, 201, "{created:?}");
        let runtime = &created.json()["challenge"]["runtime"];
        assert_eq!(runtime["state"], "running", "{runtime}");
    }
    assert_eq!(server.get("/challenges/answers/x").status, 200);
    // They start in any order.
    let starting = slow
        .iter()
        .any(|name| state_of(&server, name) != "rejected");
    assert!(starting, "all this while they were starting");
    let refused = endless.join().unwrap();
    assert!([409, 422].contains(&refused.status), "{refused:?}");
    for name in slow {
        until("it is given up", || state_of(&server, name) == "rejected");
    }
    // Nor does the folder stay closed to the next.
    drop_in(&world, "routes.wasm", &guest_bytes("routes_challenge"));
    until("it runs", || state_of(&server, "routes.wasm") == "active");
    server.stop();
}

/// Asks as one of the peers' masters.
fn weights(server: &Server, token: &str) -> Response {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-base-challenge-slug", "digits"),
    ];
    let path = "/internal/v1/get_weights";
    send(&server.public, "GET", path, &headers, b"")
}

fn rotate(server: &Server, overlap_s: f64) -> String {
    let body = json!({ "overlap_s": overlap_s });
    let rotated = post(server, "challenges/digits/rotate-token", &body);
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let token = rotated.json()["challenge_token"].take();
    token.as_str().unwrap().to_owned()
}

/// The peer commits the record, and then writes the token to a file: with that lost
/// there is no other, and the record stays for good.
#[test]
fn a6_13_a_lost_token_is_rotated_and_a_record_deleted() {
    let world = world("");
    let server = serve(&world);
    // The answer is thrown away, and the token with it.
    create_digits(&server, &json!({"status": "active"}));
    let first = rotate(&server, 600.0);
    assert_eq!(weights(&server, &first).status, 200);
    let second = rotate(&server, 600.0);
    for token in [&first, &second] {
        assert_eq!(weights(&server, token).status, 200, "while they overlap");
    }
    world.pass(601.0);
    weights(&server, &first).assert_problem(401, "unauthorized");
    let told = weights(&server, &second);
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(told.json()["challenge_slug"], "digits");

    operate(&server, "digits", "deactivate");
    let deleted = delete(&server, "challenges/digits");
    assert_eq!(deleted.status, 200, "{deleted:?}");
    weights(&server, &second).assert_problem(401, "unauthorized");
    let gone = server.admin_get(&path("challenges/digits"));
    gone.assert_problem(404, "unknown_challenge");
    // The name is free, and the tokens of the one before are not those of the next.
    let again = create_digits(&server, &json!({}));
    weights(&server, &second).assert_problem(401, "unauthorized");
    let token = again["challenge_token"].as_str().unwrap();
    assert_eq!(weights(&server, token).status, 200);
    server.stop();
}

/// The peer deploys what is registered, but wants its secrets made by hand before.
#[test]
fn a6_15_a_registered_challenge_runs_without_secrets_made_by_hand() {
    let world = world(
        "[challenges.digits]
settings = { tasks = 2, batch_size = 10, min_score = 0.2 }
secrets = ['API_KEY']",
    );
    let server = serve(&world);
    drop_in(&world, "digits.wasm", &guest_bytes("digits"));
    let route = path("challenges/digits");
    until("it has a record", || server.admin_get(&route).status == 200);
    until("what it needs is told", || {
        runtime(&server, "digits")["reason"]["code"] == "missing_secret"
    });
    let needs = runtime(&server, "digits");
    assert_eq!(needs["state"], "failed", "{needs}");
    let reason = needs["reason"]["reason"].as_str().unwrap();
    assert!(reason.contains("API_KEY"), "{reason}");
    let record = get(&server, "challenges/digits");
    assert_eq!(
        (&record["status"], &record["origin"]),
        (&json!("active"), &json!("folder"))
    );
    assert_eq!(record["secrets"], json!(["API_KEY"]));

    let secret = format!("{route}/secrets/API_KEY");
    let value = json!({"value": "correct-horse-battery-staple"});
    assert_eq!(server.admin("PUT", &secret, Some(&value), &[]).status, 204);
    until("it runs", || {
        runtime(&server, "digits")["state"] == "running"
    });
    assert_eq!(server.get("/challenges/digits/leaderboard").status, 200);
    until("its file is good", || {
        state_of(&server, "digits.wasm") == "active"
    });
    // Nor is anything of it to be made again for the next start.
    server.stop();
    let server = serve(&world);
    assert_eq!(runtime(&server, "digits")["state"], "running");
    server.stop();
}

/// Digits, where one miner has a standing since the first day, beside a challenge
/// that pays nobody; and a host that has finalized that day.
fn two_challenges() -> (World, Server) {
    let world = World::new().with_digits().configured(
        "[challenges.c1]
settings = { submissions = {}, penalty_threshold = 0.5, tasks = 1 }",
    );
    fs::copy(guest("tokens_challenge"), world.plugins().join("c1.wasm")).unwrap();
    world.set_clock(hour_of(0) - 6.0 * HOUR);
    let commit = due(3, &world.add_artifact("knn"), hour_of(0) - 5.0 * HOUR);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    until("the first day of both is noted", || {
        stored::value::<i64>(&world, "SELECT count(*) FROM challenges") == 2
    });
    world.set_clock(hour_of(0) - 4.0 * HOUR);
    server.wait_for("evaluated");
    world.set_clock(hour_of(0));
    let (finalized, _) = vector(&mut server);
    assert_eq!(finalized, ["c1", "digits"]);
    assert!(paid_by_digits(&world, "miner-3"));
    (world, server)
}

/// Waits for the next vector, and returns what was finalized before, and its day.
#[track_caller]
fn vector(server: &mut Server) -> (Vec<String>, String) {
    let mut challenges = Vec::new();
    loop {
        let event = server.wait(|e| e.is("challenge finalized") || e.is("finalized"));
        if event.is("finalized") {
            challenges.sort();
            return (challenges, event.text("day").to_owned());
        }
        challenges.push(event.text("challenge").to_owned());
    }
}

/// Whether the last vector has what digits pays a miner.
fn paid_by_digits(world: &World, miner: &str) -> bool {
    let sql = "SELECT derivation FROM weight_vectors ORDER BY day DESC LIMIT 1";
    let derivation: Value = serde_json::from_str(&stored::value::<String>(world, sql)).unwrap();
    let paid = &derivation["challenges"]["digits"]["contributions"][miner];
    paid.as_f64().is_some_and(|paid| paid > 0.0)
}

fn of_digits(event: &Event) -> bool {
    event.is("challenge finalized") && event.text("challenge") == "digits"
}

#[test]
fn a_challenge_switched_off_for_long_does_not_hold_the_weights_up() {
    let (world, mut server) = two_challenges();
    let first = "2026-08-22";
    operate(&server, "digits", "deactivate");
    // Longer than the days that a host makes up for.
    let away = 34;
    for day in 1..=away {
        world.set_clock(hour_of(day));
        let (finalized, _) = vector(&mut server);
        assert_eq!(finalized, ["c1"], "day {day}");
    }
    world.pass(HOUR);
    operate(&server, "digits", "activate");
    world.look(&mut server);
    // What the first miner did is worth nothing any more.
    let at = hour_of(away + 1) - 5.0 * HOUR;
    let commit = due(4, &world.add_artifact("linear"), at);
    world.ingest(0, &all_revealed([&commit]));
    let found = server.log.iter().filter(|event| of_digits(event)).count();
    assert_eq!(found, 1, "it was off at the hour");

    world.set_clock(hour_of(away + 1));
    let (finalized, last) = vector(&mut server);
    assert_eq!(finalized, ["c1", "digits"]);
    assert!(paid_by_digits(&world, "miner-4"));
    let ledger = server.get("/v1/finalizations?challenge=digits&limit=100");
    let ledger = ledger.json();
    let days = ledger["finalizations"].as_array().unwrap().iter();
    let days: Vec<&str> = days.map(|of| of["day"].as_str().unwrap()).collect();
    assert_eq!(days, [last.as_str(), first]);
    // And so it goes on, after another start too.
    server.stop();
    let mut server = world.serve(&[]);
    world.set_clock(hour_of(away + 1) + DAY);
    let (finalized, _) = vector(&mut server);
    assert_eq!(finalized, ["c1", "digits"]);
    server.stop();
}

#[test]
fn an_active_challenge_that_is_not_there_at_the_hour_is_waited_for() {
    let (world, mut server) = two_challenges();
    fs::remove_file(world.plugins().join("digits.wasm")).unwrap();
    server.wait_for("plugin retired");
    world.set_clock(hour_of(1));
    let others = server.wait_for("challenge finalized");
    assert_eq!(others.text("challenge"), "c1");
    let vectors = |server: &Server| {
        let log = server.log.iter();
        log.filter(|event| event.is("finalized")).count()
    };
    for _ in 0..3 {
        world.look(&mut server);
        assert_eq!(vectors(&server), 1, "not without digits");
        world.pass(HOUR / 4.0);
    }
    drop_in(&world, "digits.wasm", &guest_bytes("digits"));
    let (finalized, day) = vector(&mut server);
    assert_eq!(
        (&finalized[..], day.as_str()),
        (&["digits".to_owned()][..], "2026-08-23")
    );
    assert!(paid_by_digits(&world, "miner-3"));

    // For an hour, not for good.
    fs::remove_file(world.plugins().join("digits.wasm")).unwrap();
    server.wait_for("plugin retired");
    world.set_clock(hour_of(2) + HOUR - 1.0);
    server.wait_for("challenge finalized");
    world.look(&mut server);
    assert_eq!(vectors(&server), 2);
    world.pass(1.0);
    let (finalized, day) = vector(&mut server);
    assert_eq!((&finalized[..], day.as_str()), (&[][..], "2026-08-24"));
    assert!(paid_by_digits(&world, "miner-3"), "as it last told");
    server.stop();
}
