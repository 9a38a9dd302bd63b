//! Draft, active, inactive, disabled.

use super::{create_digits, get, operate, patch, post, refused, runtime, serve, world};
use crate::commits::{Commit, all_revealed};
use crate::registry::component;
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_challenge_goes_from_draft_to_active_and_back_and_from_disabled_nowhere() {
    let world = world("");
    let server = serve(&world);
    let created = create_digits(&server, &json!({}));
    let record = &created["challenge"];
    assert_eq!(record["status"], "draft");
    assert_eq!(record["origin"], "admin");
    assert_eq!(
        record["emission_percent"], 0.0,
        "nothing is given away by a default"
    );
    assert_eq!(record["public_path"], "/challenges/digits");
    assert_eq!(record["runtime"]["state"], "stopped");
    refused(&server, "digits", "deactivate", 409, "transition");
    assert_eq!(runtime(&server, "digits")["state"], "stopped");

    let active = operate(&server, "digits", "activate");
    assert_eq!(active["status"], "active");
    assert_eq!(active["runtime"]["state"], "running");
    assert_eq!(active["runtime"]["digest"], record["digest"]);
    assert!(active["runtime"]["since"].is_f64());
    assert_eq!(active["runtime"]["reason"], Value::Null);
    let back = patch(&server, "challenges/digits", &json!({"status": "draft"}));
    back.assert_problem(409, "transition");

    let inactive = operate(&server, "digits", "deactivate");
    assert_eq!(
        (&inactive["status"], &inactive["runtime"]["state"]),
        (&json!("inactive"), &json!("stopped"))
    );
    // A field of the record like any other.
    let active = patch(&server, "challenges/digits", &json!({"status": "active"}));
    assert_eq!(active.json()["runtime"]["state"], "running", "{active:?}");

    operate(&server, "digits", "disable");
    for operation in ["activate", "deactivate"] {
        refused(&server, "digits", operation, 409, "transition");
    }
    for status in ["draft", "active", "inactive"] {
        let changed = patch(&server, "challenges/digits", &json!({ "status": status }));
        changed.assert_problem(409, "transition");
    }
    assert_eq!(get(&server, "challenges/digits")["status"], "disabled");
    assert_eq!(runtime(&server, "digits")["state"], "stopped");
    for operation in ["activate", "restart", "pull", "rollback"] {
        refused(&server, "nobody", operation, 404, "unknown_challenge");
    }
    server.stop();
}

#[test]
fn what_a_record_requires_the_component_must_export() {
    let world = world("");
    let server = serve(&world);
    let artifact = component(&server, &guest_bytes("routes_challenge"));
    let body = json!({"slug": "routes", "artifact": artifact,
        "required_capabilities": ["scoring", "get_weights"]});
    // A draft may be made of it, to be completed later.
    let created = post(&server, "challenges", &body);
    assert_eq!(created.status, 201, "{created:?}");
    let activated = server.admin("POST", "/v1/admin/challenges/routes/activate", None, &[]);
    activated.assert_problem(409, "not_ready");
    let detail = activated.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("missing_capability") && detail.contains("scoring"),
        "{detail}"
    );
    assert_eq!(get(&server, "challenges/routes")["status"], "draft");
    let changed = patch(
        &server,
        "challenges/routes",
        &json!({"required_capabilities": ["get_weights"], "status": "active"}),
    );
    assert_eq!(changed.json()["runtime"]["state"], "running", "{changed:?}");
    let requires = json!({"required_capabilities": ["comparison"]});
    patch(&server, "challenges/routes", &requires).assert_problem(409, "not_ready");
    server.stop();
}

#[test]
fn a_dropped_component_waits_as_a_draft_where_the_operator_activates() {
    let world = world("registry.auto_activate = false");
    fs::copy(guest("digits"), world.plugins().join("digits.wasm")).unwrap();
    let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = serve(&world);
    let record = get(&server, "challenges/digits");
    assert_eq!(
        (&record["status"], &record["origin"]),
        (&json!("draft"), &json!("folder"))
    );
    assert_eq!(
        (&record["artifact"], &record["track"]),
        (&json!("file:digits.wasm"), &json!("folder"))
    );
    assert_eq!(record["emission_percent"], 100.0);
    assert_eq!(record["runtime"]["state"], "stopped");
    let shown = server.admin_get("/v1/plugins").json();
    assert_ne!(shown["plugins"][0]["state"], "active", "{shown}");

    patch(
        &server,
        "challenges/digits",
        &json!({"settings": super::settings()}),
    );
    operate(&server, "digits", "activate");
    let judged = server.wait_for("judged");
    assert_eq!(judged.text("hotkey"), commit.hotkey);
    let place = |message: &str| server.log.iter().position(|event| event.is(message));
    assert!(
        place("plugin active") < place("judged"),
        "nothing was scored before"
    );
    server.stop();
}
