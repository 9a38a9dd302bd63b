//! Versions of a component: swapped, gone back to, pinned.

use super::{create_digits, digits, get, operate, patch, post, refused, runtime, serve, world};
use crate::support::{Server, World, until, variant};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use std::fs;

fn drop_in(world: &World, bytes: &[u8]) {
    let draft = world.write("draft", bytes);
    fs::rename(draft, world.plugins().join("digits.wasm")).unwrap();
}

/// What `/v1/plugins` tells of the file, once there is a rejection or none.
fn file(server: &Server) -> Value {
    server.get("/v1/plugins").json()["plugins"][0].clone()
}

fn running(server: &Server) -> String {
    let runtime = runtime(server, "digits");
    assert_eq!(runtime["state"], "running", "{runtime}");
    runtime["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_version_is_swapped_in_and_any_earlier_one_can_be_gone_back_to() {
    let world = world("");
    let server = serve(&world);
    let created = create_digits(&server, &json!({"status": "active"}));
    let first = created["challenge"]["digest"].as_str().unwrap().to_owned();
    refused(&server, "digits", "rollback", 404, "unknown_version");
    let (second, third) = (digits(&server, 2), digits(&server, 3));
    for artifact in [&second, &third] {
        world.pass(60.0);
        let changed = patch(
            &server,
            "challenges/digits",
            &json!({ "artifact": artifact }),
        );
        assert_eq!(
            changed.json()["runtime"]["digest"],
            **artifact,
            "{changed:?}"
        );
    }
    let versions = get(&server, "challenges/digits/versions");
    let told: Vec<(&Value, &Value)> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| (&version["digest"], &version["current"]))
        .collect();
    let expected = [(&third, true), (&second, false), (&first, false)];
    let expected = expected.map(|(digest, current)| (json!(digest), json!(current)));
    assert!(
        told.into_iter().eq(expected.iter().map(|(a, b)| (a, b))),
        "{versions}"
    );

    operate(&server, "digits", "rollback");
    assert_eq!(running(&server), second, "the last one that is another");
    let back = post(
        &server,
        "challenges/digits/rollback",
        &json!({"digest": first}),
    );
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(running(&server), first);
    let record = get(&server, "challenges/digits");
    assert_eq!(
        (&record["artifact"], &record["track"]),
        (&json!(first), &json!("none"))
    );
    let never = format!("sha256:{}", "0".repeat(64));
    let unknown = post(
        &server,
        "challenges/digits/rollback",
        &json!({"digest": never}),
    );
    unknown.assert_problem(404, "unknown_version");
    let dry = post(
        &server,
        "challenges/digits/rollback?dry_run=true",
        &json!({"digest": third}),
    );
    assert_eq!(dry.status, 200, "{dry:?}");
    assert_eq!(running(&server), first);
    server.stop();
}

#[test]
fn a6_08_a_pin_is_never_rewritten() {
    let world = world("");
    drop_in(&world, &guest_bytes("digits"));
    let server = serve(&world);
    let first = running(&server);
    drop_in(&world, &variant("digits", 2));
    until("the folder is followed", || running(&server) != first);
    operate(&server, "digits", "rollback");
    assert_eq!(running(&server), first);

    drop_in(&world, &variant("digits", 3));
    until("the file was looked at", || {
        file(&server)["rejected"]["code"] == "pinned"
    });
    let reason = file(&server)["rejected"]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        reason.contains(&first) && reason.contains("track"),
        "{reason}"
    );
    operate(&server, "digits", "restart");
    operate(&server, "digits", "pull");
    assert_eq!(running(&server), first);
    let record = get(&server, "challenges/digits");
    assert_eq!(
        (&record["digest"], &record["artifact"]),
        (&json!(first), &json!(first))
    );
    server.stop();

    // Nor by another start of the host.
    let server = serve(&world);
    assert_eq!(running(&server), first);
    let follow = json!({"artifact": "file:digits.wasm", "track": "folder"});
    let followed = patch(&server, "challenges/digits", &follow).json();
    assert_eq!(followed["runtime"]["state"], "running", "{followed}");
    assert_ne!(followed["digest"], first);
    assert_eq!(running(&server), followed["digest"]);
    until("the file runs", || file(&server)["rejected"].is_null());
    server.stop();
}
