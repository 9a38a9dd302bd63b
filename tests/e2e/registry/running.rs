//! What should run against what runs.

use super::{create_digits, get, operate, patch, path, post, runtime, serve, settings, world};
use crate::support::{Server, World, connect, until, variant};
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};

/// A section for a challenge that needs what it is not given.
const NEEDS_A_SECRET: &str = "
[challenges.digits]
secrets = ['API_KEY']";

/// A challenge that fails, beside one that runs.
fn failing_and_fine(world: &World) -> Server {
    fs::copy(guest("digits"), world.plugins().join("digits.wasm")).unwrap();
    let server = serve(world);
    let artifact = super::component(&server, &guest_bytes("tokens_challenge"));
    let settings = json!({"submissions": {}, "penalty_threshold": 0.5, "tasks": 1});
    let body =
        json!({"slug": "c1", "artifact": artifact, "settings": settings, "status": "active"});
    let created = post(&server, "challenges", &body);
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["challenge"]["runtime"]["state"], "running");
    server
}

/// Returns once another pass is through: it has looked at a file that is new.
fn another_pass(world: &World, server: &Server, mark: u8) {
    let name = format!("other-{mark}.wasm");
    let draft = world.write("draft", variant("answers_challenge", mark));
    fs::rename(draft, world.plugins().join(&name)).unwrap();
    until("the folder was read again", || {
        let plugins = server.get("/v1/plugins").json();
        let mut plugins = plugins["plugins"].as_array().unwrap().iter();
        plugins.any(|plugin| {
            let state = plugin["state"].as_str().unwrap();
            plugin["file"] == *name && ["active", "rejected"].contains(&state)
        })
    });
}

#[test]
fn a6_07_a_failed_start_is_not_adopted_as_healthy() {
    let world = world(NEEDS_A_SECRET);
    let server = failing_and_fine(&world);
    let failed = runtime(&server, "digits");
    assert_eq!(
        (&failed["state"], &failed["reason"]["code"]),
        (&json!("failed"), &json!("missing_secret"))
    );
    for mark in 1..=2 {
        world.pass(60.0);
        another_pass(&world, &server, mark);
        assert_eq!(runtime(&server, "digits"), failed, "since when as well");
    }
    assert_eq!(runtime(&server, "c1")["state"], "running");
    // Nor after another start of the host.
    server.stop();
    let server = serve(&world);
    assert_eq!(runtime(&server, "digits")["reason"], failed["reason"]);
    assert_eq!(runtime(&server, "c1")["state"], "running");
    let metrics = server.admin_get("/metrics").body;
    let state = "proctor_challenge_state{challenge=\"digits\",state=\"failed\"} 1";
    assert!(metrics.contains(state), "{metrics}");
    server.stop();
}

#[test]
fn a6_07_an_edit_of_the_environment_redeploys() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"status": "active"}));
    for change in [
        json!({"environment": {"MODE": "fast"}}),
        json!({"limits": {"fuel": 900_000_000_u64}}),
        json!({"data": true}),
    ] {
        let before = runtime(&server, "digits");
        world.pass(1.0);
        let after = patch(&server, "challenges/digits", &change).json();
        assert_eq!(after["runtime"]["state"], "running", "{after}");
        assert_eq!(after["runtime"]["revision"], after["revision"]);
        assert_ne!(after["runtime"]["revision"], before["revision"], "{change}");
    }
    server.stop();
}

#[test]
fn one_failing_challenge_does_not_stop_the_pass() {
    let world = world(&format!("registry.reconcile_s = 1{NEEDS_A_SECRET}"));
    let server = failing_and_fine(&world);
    server.stop();
    // Of one the component is lost, the next is in need of a secret, a third file is
    // none at all; c1 and a new one are fine.
    fs::write(world.plugins().join("a-broken.wasm"), "no component").unwrap();
    fs::copy(guest("answers_challenge"), world.plugins().join("z.wasm")).unwrap();
    let server = serve(&world);
    until("each is as it should be", || {
        runtime(&server, "c1")["state"] == "running"
            && get(&server, "challenges/answers")["runtime"]["state"] == "running"
    });
    assert_eq!(
        runtime(&server, "digits")["reason"]["code"],
        "missing_secret"
    );
    server.stop();
}

#[test]
fn a_record_whose_file_is_gone_fails_and_comes_back_with_it() {
    let world = world("");
    let file = world.plugins().join("digits.wasm");
    fs::copy(guest("digits"), &file).unwrap();
    let server = serve(&world);
    assert_eq!(runtime(&server, "digits")["state"], "running");
    fs::remove_file(&file).unwrap();
    until("the file is missed", || {
        runtime(&server, "digits")["reason"]["code"] == "no_file"
    });
    let missed = runtime(&server, "digits");
    assert_eq!(
        (&missed["state"], &missed["digest"]),
        (&json!("failed"), &Value::Null)
    );
    assert_eq!(
        get(&server, "challenges/digits")["status"],
        "active",
        "the record stays"
    );
    fs::copy(guest("digits"), world.path().join("draft")).unwrap();
    fs::rename(world.path().join("draft"), &file).unwrap();
    until("it runs again", || {
        runtime(&server, "digits")["state"] == "running"
    });
    server.stop();
}

#[test]
fn a_version_that_cannot_run_leaves_the_one_before_running() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"status": "active"}));
    let before = runtime(&server, "digits");
    let needs = patch(
        &server,
        "challenges/digits",
        &json!({"secrets": ["API_KEY"]}),
    )
    .json();
    let degraded = &needs["runtime"];
    assert_eq!(degraded["state"], "degraded", "{needs}");
    assert_eq!(degraded["reason"]["code"], "missing_secret");
    assert_eq!(
        (&degraded["digest"], &degraded["revision"]),
        (&before["digest"], &before["revision"])
    );
    assert_eq!(
        patch(&server, "challenges/digits", &json!({"secrets": []})).json()["runtime"]["state"],
        "running"
    );
    server.stop();
}

#[test]
fn a_restart_loads_the_challenge_anew() {
    let world = world("");
    let mut server = serve(&world);
    create_digits(&server, &json!({"status": "active"}));
    server.wait_for("plugin active");
    let restarted = operate(&server, "digits", "restart");
    assert_eq!(restarted["runtime"]["state"], "running");
    assert_eq!(server.wait_for("plugin active").text("challenge"), "digits");
    server.stop();
}

#[test]
fn records_and_what_runs_survive_another_start_of_the_host() {
    let world = world("");
    let server = serve(&world);
    let more = json!({"status": "active", "name": "Digits", "emission_percent": 12.5,
        "environment": {"MODE": "fast"}, "metadata": {"tagline": "Ten of them"}});
    create_digits(&server, &more);
    let before = get(&server, "challenges/digits");
    server.stop();
    let server = serve(&world);
    let mut after = get(&server, "challenges/digits");
    assert_eq!(after["runtime"]["state"], "running");
    assert_eq!(after["runtime"]["revision"], before["revision"]);
    after["runtime"] = before["runtime"].clone();
    assert_eq!(after, before);
    server.stop();
}

#[test]
fn a_change_that_was_answered_outlives_a_kill() {
    let world = world("");
    let mut server = serve(&world);
    create_digits(&server, &json!({}));
    for emission in 1..=5 {
        let change = json!({"emission_percent": emission, "settings": settings()});
        let changed = patch(&server, "challenges/digits", &change);
        assert_eq!(changed.status, 200, "{changed:?}");
        server.kill();
        server = serve(&world);
        let record = get(&server, "challenges/digits");
        assert_eq!(record["emission_percent"], f64::from(emission));
        let audit = get(&server, "audit?limit=1");
        assert_eq!(
            audit["changes"][0]["changes"]["emission_percent"][1],
            f64::from(emission)
        );
    }
    server.stop();
}

#[test]
fn the_log_of_a_challenge_is_kept_and_can_be_followed() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"status": "active"}));
    let log = get(&server, "challenges/digits/logs");
    let entries = log["entries"].as_array().unwrap();
    let last = entries.last().unwrap();
    assert_eq!(last["stream"], "host");
    assert!(
        last["text"].as_str().unwrap().contains("runs version"),
        "{log}"
    );
    let number = last["id"].as_u64().unwrap();
    let none = get(&server, &format!("challenges/digits/logs?after={number}"));
    assert_eq!(none["entries"], json!([]));

    let mut stream = connect(&server.admin);
    let route = path(&format!(
        "challenges/digits/logs?follow=true&after={number}"
    ));
    let head = format!(
        "GET {route} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        server.token()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(
        lines.next().unwrap().contains("200"),
        "it is there before anything is said"
    );
    operate(&server, "digits", "restart");
    let data = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let entries = data.map(|data| serde_json::from_str::<Value>(&data).unwrap());
    for (id, entry) in (number + 1..).zip(entries) {
        assert_eq!(entry["id"], id, "none is left out");
        if entry["text"].as_str().unwrap().contains("runs version") {
            break;
        }
    }
    for query in ["limit=0", "after=x", "follow=perhaps"] {
        let odd = server.admin(
            "GET",
            &path(&format!("challenges/digits/logs?{query}")),
            None,
            &[],
        );
        odd.assert_problem(400, "invalid_query");
    }
    server.stop();
}
