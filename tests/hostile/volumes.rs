//! `/data` has a size.

use super::routes_setup::{Alone, limits};
use super::setup::{WORLD, beside};
use proctor_host::sandbox::{Blame, Grants, Outcome, RouteCall};
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
async fn a_scored_call_whose_volume_is_full_can_be_tried_again() {
    let (_directory, grants) = volume();
    let write = |bytes: usize| {
        let step = json!({"op": "write", "path": "/data/a", "text": "x".repeat(bytes)});
        json!({"do": "files", "steps": [step]})
    };
    let called = beside(WORLD.look(write(500_000), &grants)).await;
    assert_eq!(called.result.unwrap(), json!([{"ok": ""}]));
    let called = beside(WORLD.look(write(1_100_000), &grants)).await;
    let error = called.result.unwrap_err();
    // Who filled it may have been a route.
    assert_eq!(
        (error.outcome, error.blame),
        (Outcome::Unavailable, Blame::Host)
    );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scored_call_that_gives_up_without_room_can_be_tried_again() {
    for (bytes, expected) in [(2 << 20, Outcome::Unavailable), (1 << 19, Outcome::Trap)] {
        let (directory, grants) = volume();
        fs::write(directory.path().join("a"), vec![b'a'; bytes]).unwrap();
        let called = beside(WORLD.look(json!({"do": "panic"}), &grants)).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, expected, "{error}");
        assert!(error.message.contains("the answer is 42"), "{error}");
    }
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
