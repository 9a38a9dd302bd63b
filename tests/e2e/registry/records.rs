//! Making and changing records.

use super::{
    component, configure, create_digits, digits, fields, get, operate, patch, path, post, runtime,
    serve, settings, world,
};
use crate::commits::{Commit, all_revealed};
use crate::support::{Server, send, until};
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a6_06_nan_emission_and_null_patch_fields_are_422() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({}));
    let before = get(&server, "challenges/digits");
    for (change, named) in [
        (json!({"name": null}), &["name"][..]),
        (
            json!({"name": null, "settings": null, "emission_percent": null}),
            &["name", "settings", "emission_percent"],
        ),
        (json!({"emission_percent": "NaN"}), &["emission_percent"]),
        (json!({"emission_percent": -0.1}), &["emission_percent"]),
        (json!({"emission_percent": 250.5}), &["emission_percent"]),
        (json!({"nonsense": 1, "also": null}), &["nonsense", "also"]),
        (json!({"slug": "other"}), &["slug"]),
        (json!({"digest": "sha256:00"}), &["digest"]),
        (json!({"name": 7}), &["name"]),
        (json!({"name": " "}), &["name"]),
        (json!({"status": "gone"}), &["status"]),
        (json!({"limits": {"fuel": "much"}}), &["limits.fuel"]),
        (json!({"limits": {"speed": 1}}), &["limits.speed"]),
        (
            json!({"environment": {"lower": "x"}}),
            &["environment.lower"],
        ),
        (json!({"outbound": ["not a host/"]}), &["outbound.0"]),
        (
            json!({"routes": [{"path": "/x", "upload": true}]}),
            &["routes.0.upload"],
        ),
        (
            json!({"runner": {"kind": "http", "url": "ftp://x"}}),
            &["runner.url"],
        ),
        (json!({"metadata": {"deep": {"er": 1}}}), &["metadata.deep"]),
        (
            json!({"required_capabilities": ["magic"]}),
            &["required_capabilities"],
        ),
        (
            json!({"artifact": format!("sha256:{}", "0".repeat(64))}),
            &["artifact"],
        ),
        (
            json!({"artifact": "ghcr.io/org/digits:1.0.0"}),
            &["artifact"],
        ),
        (json!({"artifact": "file:../digits.wasm"}), &["artifact"]),
        (json!({"track": "tag"}), &["track"]),
        (json!({"version": "9.9.9"}), &["version"]),
    ] {
        let refused = patch(&server, "challenges/digits", &change);
        let mut told = fields(&refused);
        let mut named: Vec<String> = named.iter().map(|field| (*field).to_owned()).collect();
        told.sort();
        named.sort();
        assert_eq!(told, named, "{change}");
    }
    let authorization = format!("Bearer {}", server.token());
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    for number in ["NaN", "Infinity", "1e999"] {
        let body = format!("{{\"emission_percent\": {number}}}");
        let path = path("challenges/digits");
        let refused = send(&server.admin, "PATCH", &path, &headers, body.as_bytes());
        refused.assert_problem(400, "invalid_json");
    }
    assert_eq!(
        get(&server, "challenges/digits"),
        before,
        "nothing of it was taken"
    );
    for (body, named) in [
        (json!({}), &["slug", "artifact"][..]),
        (json!({"slug": "Bad Slug", "artifact": 7}), &["slug"]),
        (json!({"slug": "other"}), &["artifact"]),
        (
            json!({"slug": "other", "artifact": before["digest"]}),
            &["artifact"],
        ),
    ] {
        assert_eq!(fields(&post(&server, "challenges", &body)), named, "{body}");
    }
    server.stop();
}

#[test]
fn a_change_of_what_somebody_else_changed_is_refused() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({}));
    let route = path("challenges/digits");
    let read = server.admin("GET", &route, None, &[]);
    let tag = read.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", read.json()["revision"]));
    let change = |name: &str, tag: &str| {
        let body = json!({ "name": name });
        server.admin("PATCH", &route, Some(&body), &[("if-match", tag)])
    };
    let first = change("one", &tag);
    assert_eq!(first.status, 200, "{first:?}");
    let second = change("two", &tag);
    second.assert_problem(412, "precondition_failed");
    assert_eq!(second.header("etag"), first.header("etag"));
    let activate = path("challenges/digits/activate");
    let late = server.admin("POST", &activate, None, &[("if-match", &tag)]);
    late.assert_problem(412, "precondition_failed");
    let late = server.admin("DELETE", &route, None, &[("if-match", &tag)]);
    late.assert_problem(412, "precondition_failed");
    assert_eq!(get(&server, "challenges/digits")["name"], "one");
    assert_eq!(change("two", first.header("etag")).status, 200);
    assert_eq!(change("three", "*").status, 200);
    change("four", "seven").assert_problem(400, "invalid_if_match");
    server.stop();
}

#[test]
fn a_creation_that_is_sent_again_is_done_once() {
    let world = world("");
    let server = serve(&world);
    let artifact = component(&server, &guest_bytes("digits"));
    let route = path("challenges");
    let body = json!({"slug": "digits", "artifact": artifact, "settings": settings()});
    let create = |key: &str, body: &Value| {
        server.admin("POST", &route, Some(body), &[("idempotency-key", key)])
    };
    let first = create("one", &body);
    assert_eq!(first.status, 201, "{first:?}");
    let again = create("one", &body);
    assert_eq!(
        (again.status, again.json()),
        (201, first.json()),
        "the token as well"
    );
    assert!(first.json()["challenge_token"].as_str().unwrap().len() == 43);
    let other = json!({"slug": "digits", "artifact": artifact});
    create("one", &other).assert_problem(422, "idempotency_key_reused");
    create("two", &body).assert_problem(409, "exists");
    post(&server, "challenges", &body).assert_problem(409, "exists");
    let audit = get(&server, "audit?subject=digits");
    assert_eq!(audit["changes"].as_array().unwrap().len(), 1, "{audit}");
    server.stop();
}

#[test]
fn a_dry_run_tells_what_would_come_of_it_and_changes_nothing() {
    let world = world("");
    let server = serve(&world);
    let artifact = component(&server, &guest_bytes("digits"));
    let body = json!({"slug": "digits", "artifact": artifact, "status": "active"});
    let would = post(&server, "challenges?dry_run=true", &body);
    assert_eq!(would.status, 200, "{would:?}");
    let would = would.json();
    assert_eq!(
        (&would["dry_run"], &would["challenge_token"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(would["challenge"]["digest"], artifact);
    assert_eq!(get(&server, "challenges"), json!({"challenges": []}));
    assert_eq!(get(&server, "audit"), json!({"changes": []}));

    create_digits(&server, &json!({}));
    let other = digits(&server, 1);
    let before = get(&server, "challenges/digits");
    let would = patch(
        &server,
        "challenges/digits?dry_run=true",
        &json!({"emission_percent": 20, "artifact": other}),
    );
    let would = would.json();
    assert_eq!(would["emission_percent"], 20.0);
    assert_eq!(
        (&would["digest"], &would["revision"]),
        (&json!(other), &before["revision"])
    );
    let bad = json!({"settings": {"tasks": 0}});
    assert_eq!(
        fields(&patch(&server, "challenges/digits?dry_run=true", &bad)),
        ["settings.tasks"]
    );
    operate(&server, "digits", "activate?dry_run=true");
    operate(&server, "digits", "restart?dry_run=true");
    let gone = super::delete(&server, "challenges/digits?dry_run=true&data=purge").json();
    assert_eq!(gone["dry_run"], true);
    let odd = patch(
        &server,
        "challenges/digits?dry_run=perhaps",
        &json!({"name": "x"}),
    );
    odd.assert_problem(400, "invalid_query");
    assert_eq!(get(&server, "challenges/digits"), before);
    assert_eq!(
        get(&server, "audit")["changes"].as_array().unwrap().len(),
        1
    );
    server.stop();
}

#[test]
fn a_key_that_no_query_has_is_refused_and_nothing_is_done() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"secrets": ["API_KEY"]}));
    let server_ = json!({"id": "gpu-1", "base_url": "https://gpu.example.org"});
    assert_eq!(post(&server, "gpu-servers", &server_).status, 201);
    let before = (get(&server, "challenges/digits"), get(&server, "audit"));
    let id = &before.0["tokens"][0]["id"];
    let digits = "challenges/digits";
    for (method, rest, body) in [
        ("GET", "challenges".to_owned(), Value::Null),
        ("GET", digits.to_owned(), Value::Null),
        ("GET", "audit".to_owned(), Value::Null),
        ("GET", "validators".to_owned(), Value::Null),
        ("GET", "assignments".to_owned(), Value::Null),
        ("GET", format!("{digits}/logs"), Value::Null),
        ("GET", format!("{digits}/versions"), Value::Null),
        ("POST", "challenges".to_owned(), json!({"slug": "other"})),
        ("PATCH", digits.to_owned(), json!({"name": "x"})),
        ("DELETE", digits.to_owned(), Value::Null),
        ("POST", format!("{digits}/activate"), Value::Null),
        ("POST", format!("{digits}/disable"), Value::Null),
        ("POST", format!("{digits}/rollback"), Value::Null),
        ("POST", format!("{digits}/rotate-token"), Value::Null),
        ("DELETE", format!("{digits}/tokens/{id}"), Value::Null),
        (
            "PUT",
            format!("{digits}/secrets/API_KEY"),
            json!({"value": "x"}),
        ),
        ("DELETE", format!("{digits}/secrets/API_KEY"), Value::Null),
        ("POST", "gpu-servers".to_owned(), json!({"id": "gpu-2"})),
        (
            "PATCH",
            "gpu-servers/gpu-1".to_owned(),
            json!({"enabled": false}),
        ),
        ("DELETE", "gpu-servers/gpu-1".to_owned(), Value::Null),
        ("POST", "components".to_owned(), Value::Null),
    ] {
        let target = path(&format!("{rest}?dryrun=true"));
        let body = Some(&body).filter(|body| !body.is_null());
        let refused = server.admin(method, &target, body, &[]);
        refused.assert_problem(400, "invalid_query");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("\"dryrun\""), "{method} {rest}: {detail}");
    }
    // What has no dry run does not do it in earnest.
    let gone = super::delete(&server, "gpu-servers/gpu-1?dry_run=true");
    gone.assert_problem(400, "invalid_query");
    let after = (get(&server, "challenges/digits"), get(&server, "audit"));
    assert_eq!(after, before);
    get(&server, "gpu-servers/gpu-1");
    server.stop();
}

#[test]
fn only_a_component_is_taken_for_one() {
    let world = world("");
    let server = serve(&world);
    for (bytes, told) in [
        (&b"\0asm\x01\0\0\0"[..], "wasm32-wasip2"),
        (b"#!/bin/sh", "not WebAssembly"),
        (b"", "too short"),
    ] {
        let token = format!("Bearer {}", server.token());
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/wasm"),
        ];
        let target = path("components");
        let refused = send(&server.admin, "POST", &target, &headers, bytes);
        refused.assert_problem(422, "no_component");
        assert!(refused.body.contains(told), "{refused:?}");
    }
    server.stop();
}

#[test]
fn every_limit_that_is_wrong_is_told_at_once() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({}));
    let body = json!({
        "limits": {"fuel": 0, "memory_bytes": 1, "wall_ms": 86_400_001},
        "solver": {"fuel": 1e15 as u64 + 1, "wall_ms": 0},
        "route_limits": {"concurrency": 1_025, "head_ms": 0},
    });
    let refused = patch(&server, "challenges/digits", &body);
    let mut told = fields(&refused);
    told.sort();
    let expected = [
        "limits.fuel",
        "limits.memory_bytes",
        "limits.wall_ms",
        "route_limits.concurrency",
        "route_limits.head_ms",
        "solver.fuel",
        "solver.wall_ms",
    ];
    assert_eq!(told, expected);
    server.stop();
}

/// How many tasks a commit was scored by.
fn tasks_of(server: &Server, commit: &Commit) -> usize {
    let data = server.scoring_result(&[&commit.encrypted]);
    let logs = data["commits"][&commit.encrypted]["scoring_logs"].as_array();
    logs.map_or(0, Vec::len)
}

#[test]
fn settings_are_checked_by_the_challenge_and_take_effect_at_once() {
    let world = world("");
    let mut server = serve(&world);
    create_digits(&server, &json!({"status": "active"}));
    for (settings, named) in [
        (json!({"tasks": 0}), "settings.tasks"),
        (json!({"min_score": 2}), "settings.min_score"),
        (json!({"tasks": 2, "speed": 1}), "settings"),
    ] {
        let refused = patch(
            &server,
            "challenges/digits",
            &json!({ "settings": settings }),
        );
        assert!(fields(&refused)[0].starts_with(named), "{refused:?}");
    }
    let settings = json!({"tasks": 3, "batch_size": 10, "min_score": 0.2});
    let changed = patch(
        &server,
        "challenges/digits",
        &json!({ "settings": settings }),
    )
    .json();
    assert_eq!(changed["settings"], settings);
    assert_eq!(changed["runtime"]["state"], "running");
    assert_eq!(changed["runtime"]["revision"], changed["revision"]);
    let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    server.wait_for("judged");
    until("the result is told", || tasks_of(&server, &commit) == 3);
    server.stop();
}

#[test]
fn the_section_of_the_configuration_wins() {
    let world = world("");
    let section = "[challenges.digits]
emission_percent = 30
settings = { tasks = 2, batch_size = 10, min_score = 0.2 }";
    configure(&world, "");
    let whole = fs::read_to_string(world.config()).unwrap() + section;
    fs::write(world.config(), whole).unwrap();
    fs::copy(guest("digits"), world.plugins().join("digits.wasm")).unwrap();
    let server = serve(&world);
    let record = get(&server, "challenges/digits");
    assert_eq!(
        (&record["configured"], &record["emission_percent"]),
        (&json!(true), &json!(30.0))
    );
    let refused = patch(
        &server,
        "challenges/digits",
        &json!({"emission_percent": 40, "data": true}),
    );
    refused.assert_problem(409, "configured");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("emission_percent, data"), "{detail}");
    // What the configuration does not say, and what it says as well.
    let changed = patch(
        &server,
        "challenges/digits",
        &json!({"name": "Digits", "emission_percent": 30}),
    );
    assert_eq!(changed.json()["name"], "Digits", "{changed:?}");
    server.stop();
    // It was changed there.
    let whole = fs::read_to_string(world.config()).unwrap();
    fs::write(
        world.config(),
        whole.replace("emission_percent = 30", "emission_percent = 35"),
    )
    .unwrap();
    let server = serve(&world);
    assert_eq!(get(&server, "challenges/digits")["emission_percent"], 35.0);
    let change = &get(&server, "audit?subject=digits")["changes"][0];
    assert_eq!(change["actor"], "configuration");
    assert_eq!(change["changes"], json!({"emission_percent": [30.0, 35.0]}));
    assert_eq!(runtime(&server, "digits")["state"], "running");
    server.stop();
}
