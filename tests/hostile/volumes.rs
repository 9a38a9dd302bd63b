//! `/data` has a size.

use super::routes_setup::{Alone, limits};
use super::setup::{WORLD, beside};
use proctor_host::sandbox::{Grants, Limits, Outcome, RouteCall};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

/// A volume of one megabyte.
fn volume() -> (TempDir, Grants) {
    let directory = tempfile::tempdir().unwrap();
    let grants = Grants {
        data: Some(directory.path().to_owned()),
        data_max_bytes: 1 << 20,
        ..Grants::default()
    };
    (directory, grants)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outgrows_its_volume_is_denied() {
    let (_directory, grants) = volume();
    let write = |bytes: usize| {
        let step = json!({"op": "write", "path": "/data/a", "text": "x".repeat(bytes)});
        json!({"do": "files", "steps": [step]})
    };
    let called = beside(WORLD.look(write(500_000), &grants)).await;
    assert_eq!(called.result.unwrap(), json!([{"ok": ""}]));
    let called = beside(WORLD.look(write(1_100_000), &grants)).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Denied);
    assert!(error.message.contains("its volume is full"), "{error}");
    assert!(error.message.ends_with("of 1048576 bytes"), "{error}");
    // It may make room.
    let called = beside(WORLD.look(write(10), &grants)).await;
    assert_eq!(called.result.unwrap(), json!([{"ok": ""}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_is_much_too_full_can_only_be_read() {
    let (directory, grants) = volume();
    fs::write(directory.path().join("a"), vec![b'a'; 2 << 20]).unwrap();
    let steps = json!([
        {"op": "write", "path": "/data/b", "text": "more"},
        {"op": "list", "path": "/data"},
    ]);
    let called = beside(WORLD.look(json!({"do": "files", "steps": steps}), &grants)).await;
    let seen = called.result.unwrap();
    assert!(seen[0]["error"].is_string(), "{seen}");
    assert_eq!(seen[1], json!({"ok": "a"}));
}

/// A gigabyte takes longer to write than the host takes to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_stopped_while_it_fills_the_disk() {
    for unlink in [false, true] {
        let (directory, grants) = volume();
        let alone = Alone::new();
        let (route, ended) = alone.call(limits());
        let route = RouteCall { grants, ..route };
        let doing = json!({"do": "grow", "bytes": 64_u64 << 30, "unlink": unlink});
        let request = super::routes_setup::act(&doing)
            .body(http_body_util::Full::<bytes::Bytes>::default())
            .unwrap();
        let answer = beside(alone.plugin.handle(&alone.sandbox, route, request)).await;
        let error = answer.unwrap_err();
        assert_eq!(error.outcome, Outcome::Denied, "{error}");
        assert!(error.message.contains("its volume is full"), "{error}");
        ended.await.unwrap();
        alone.is_free().await;
        // What is left is what the operator can see.
        assert_eq!(directory.path().join("grown").exists(), !unlink);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_without_number_are_denied() {
    let (directory, grants) = volume();
    let grants = Grants {
        data_max_bytes: 1 << 30,
        ..grants
    };
    for folder in 0..101 {
        let folder = directory.path().join(folder.to_string());
        fs::create_dir(&folder).unwrap();
        for file in 0..999 {
            fs::write(folder.join(file.to_string()), "").unwrap();
        }
    }
    // It does not start above the limit of 100 000, but 101 folders of 999 files are.
    let remove = fs::remove_dir_all(directory.path().join("100"));
    remove.unwrap();
    let steps: Vec<_> = (0..200)
        .map(|file| json!({"op": "write", "path": format!("/data/more-{file}"), "text": ""}))
        .collect();
    let act = json!({"do": "files", "steps": steps, "in": "evaluate"});
    let limits = Limits::default();
    let call = super::setup::call(act, &limits, &grants);
    let submission = super::setup::submission();
    let (called, _) = WORLD
        .hostile
        .evaluate(&WORLD.sandbox, call, &submission, &[])
        .await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Denied, "{error}");
    assert!(error.message.ends_with("of 100000 files"), "{error}");
}
