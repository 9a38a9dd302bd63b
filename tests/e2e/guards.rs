//! What the registry does not let happen, and what it does not give up on.

use crate::registry::{
    component, create_digits, delete, digits, fields, get, operate, patch, path, post, refused,
    runtime, serve, world,
};
use crate::support::{send, until, variant};
use serde_json::json;
use std::fs;

#[test]
fn a_challenge_is_active_only_with_all_that_it_needs() {
    let world = world("");
    let server = serve(&world);
    let artifact = digits(&server, 1);
    create_digits(
        &server,
        &json!({"artifact": artifact, "status": "draft", "secrets": ["API_KEY"]}),
    );
    refused(&server, "digits", "activate", 409, "not_ready");
    let put = server.admin(
        "PUT",
        &path("challenges/digits/secrets/API_KEY"),
        Some(&json!({"value": "s3cret"})),
        &[],
    );
    assert_eq!(put.status, 204, "{put:?}");
    operate(&server, "digits", "activate");
    assert_eq!(runtime(&server, "digits")["state"], "running");
    // At once, not at the next pass.
    let state = "proctor_challenge_state{challenge=\"digits\",state=\"running\"} 1";
    let metrics = server.admin_get("/metrics").body;
    assert!(metrics.contains(state), "{metrics}");
    server.stop();
}

#[test]
fn the_operator_sees_all_challenges_on_a_page_that_is_escaped() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"name": "<b>Digits</b>"}));
    let page = server.admin("GET", "/v1/admin", None, &[]);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for cell in ["<td>digits<td>&lt;b&gt;Digits", "<td>draft<td>stopped"] {
        assert!(page.body.contains(cell), "{}", page.body);
    }
    let stranger = send(&server.admin, "GET", "/v1/admin", &[], b"");
    stranger.assert_problem(401, "unauthorized");
    server.stop();
}

#[test]
fn what_must_be_given_is_told() {
    let world = world("");
    let server = serve(&world);
    let refused = post(&server, "challenges", &json!({"slug": "x"}));
    assert_eq!(fields(&refused), ["artifact"]);
    server.stop();
}

#[test]
fn a_file_that_is_gone_activates_nothing() {
    let world = world("registry.auto_activate = false");
    let file = world.plugins().join("digits.wasm");
    fs::write(&file, variant("digits", 1)).unwrap();
    let server = serve(&world);
    fs::remove_file(&file).unwrap();
    refused(&server, "digits", "activate", 409, "not_ready");
    fs::write(&file, variant("digits", 1)).unwrap();
    // It is taken up when the folder has been read; the record is as it was.
    until("the file is there again", || {
        post(&server, "challenges/digits/activate", &json!({})).status == 200
    });
    until("it runs", || {
        runtime(&server, "digits")["state"] == "running"
    });
    server.stop();
}

#[test]
fn what_a_file_may_bring_back_is_not_deleted_even_if_it_cannot_be_read_now() {
    let world = world("");
    let file = world.plugins().join("digits.wasm");
    fs::write(&file, variant("digits", 1)).unwrap();
    let server = serve(&world);
    operate(&server, "digits", "disable");
    // Half of it, as while it is copied.
    fs::write(&file, b"\0asm").unwrap();
    delete(&server, "challenges/digits").assert_problem(409, "in_folder");
    fs::remove_file(&file).unwrap();
    until("the folder was read", || {
        delete(&server, "challenges/digits").status == 200
    });
    server.stop();
}

#[test]
fn a_rollback_goes_to_what_ran_last_before() {
    let world = world("");
    let server = serve(&world);
    let versions: Vec<String> = (1..=3).map(|mark| digits(&server, mark)).collect();
    create_digits(
        &server,
        &json!({"artifact": versions[0], "status": "active"}),
    );
    for artifact in &versions[1..] {
        let changed = patch(&server, "challenges/digits", &json!({"artifact": artifact}));
        assert_eq!(changed.status, 200, "{changed:?}");
    }
    // Back from the third to the second, and then to the first by hand.
    operate(&server, "digits", "rollback");
    assert_eq!(
        get(&server, "challenges/digits")["digest"],
        json!(versions[1])
    );
    let changed = patch(
        &server,
        "challenges/digits",
        &json!({"artifact": versions[0]}),
    );
    assert_eq!(changed.status, 200, "{changed:?}");
    operate(&server, "digits", "rollback");
    assert_eq!(
        get(&server, "challenges/digits")["digest"],
        json!(versions[1]),
        "not the third, which was gone back from"
    );
    server.stop();
}

#[test]
fn settings_are_checked_by_the_schema_all_at_once() {
    let world = world("");
    let server = serve(&world);
    let artifact = component(&server, &variant("digits", 1));
    create_digits(&server, &json!({"artifact": artifact}));
    let body = json!({"settings": {"tasks": "many", "min_score": "high", "nonsense": 1}});
    let changed = patch(&server, "challenges/digits", &body);
    changed.assert_problem(422, "invalid_fields");
    let problem = changed.json();
    let fields: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    for field in ["settings.tasks", "settings.min_score"] {
        assert!(fields.contains(&field), "{problem}");
    }
    let text = problem["errors"].to_string();
    assert!(text.contains("nonsense"), "{text}");
    server.stop();
}
