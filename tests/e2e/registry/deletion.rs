//! Deleting records, and what becomes of their data.

use super::{create_digits, delete, get, operate, serve, world};
use proctor_testing::guest;
use serde_json::{Value, json};
use std::fs;

fn has(list: &Value, name: &str) -> bool {
    list.as_array().unwrap().iter().any(|entry| entry == name)
}

#[test]
fn a_deleted_challenge_keeps_its_volume_unless_it_is_purged() {
    let world = world("");
    let server = serve(&world);
    let more = json!({"data": true, "database": true, "status": "active"});
    create_digits(&server, &more);
    let volume = world.data().join("volumes").join("digits");
    fs::write(volume.join("data").join("kept"), "x").unwrap();
    delete(&server, "challenges/digits").assert_problem(409, "still_active");
    operate(&server, "digits", "deactivate");
    let odd = delete(&server, "challenges/digits?data=perhaps");
    odd.assert_problem(400, "invalid_query");
    let kept = delete(&server, "challenges/digits");
    assert_eq!(kept.status, 200, "{kept:?}");
    let kept = kept.json();
    assert!(
        has(&kept["kept"], "volume") && !has(&kept["removed"], "volume"),
        "{kept}"
    );
    assert_eq!(kept["volume"], volume.to_str().unwrap());
    assert!(volume.join("data").join("kept").exists());
    let gone = server.admin("GET", "/v1/admin/challenges/digits", None, &[]);
    gone.assert_problem(404, "unknown_challenge");
    let log = get(&server, "audit?subject=digits");
    assert_eq!(log["changes"][0]["action"], "delete", "the audit log stays");

    let again = create_digits(&server, &json!({}));
    assert_eq!(
        again["challenge"]["tokens"].as_array().unwrap().len(),
        1,
        "{again}"
    );
    let would = delete(&server, "challenges/digits?data=purge&dry_run=true").json();
    assert!(has(&would["removed"], "volume"), "{would}");
    assert!(volume.exists());
    let purged = delete(&server, "challenges/digits?data=purge").json();
    assert!(
        has(&purged["removed"], "volume") && !has(&purged["kept"], "volume"),
        "{purged}"
    );
    assert!(!volume.exists());
    delete(&server, "challenges/digits").assert_problem(404, "unknown_challenge");
    server.stop();
}

#[test]
fn what_the_folder_would_bring_back_is_not_deleted() {
    let world = world("registry.auto_activate = false");
    let file = world.plugins().join("digits.wasm");
    fs::copy(guest("digits"), &file).unwrap();
    let server = serve(&world);
    let refused = delete(&server, "challenges/digits");
    refused.assert_problem(409, "in_folder");
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("digits.wasm")
    );
    fs::remove_file(file).unwrap();
    crate::support::until("the file is missed", || {
        server.admin_get("/v1/plugins").json()["plugins"] == json!([])
    });
    assert_eq!(delete(&server, "challenges/digits").status, 200);
    assert_eq!(get(&server, "challenges"), json!({"challenges": []}));
    server.stop();
}
