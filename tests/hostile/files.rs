//! `/data`: the directory that a challenge is granted, and the ways out of it.

use super::setup::{WORLD, beside};
use proctor_host::sandbox::{Grants, Outcome};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// `data`, granted, beside `secret`, which is not.
struct Volume {
    directory: TempDir,
    grants: Grants,
}

impl Volume {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        let grants = Grants {
            data: Some(data),
            ..Grants::default()
        };
        Volume { directory, grants }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    async fn steps(&self, steps: Value) -> Vec<Value> {
        steps_on(&self.grants, steps).await
    }
}

async fn steps_on(grants: &Grants, steps: Value) -> Vec<Value> {
    let called = beside(WORLD.look(json!({"do": "files", "steps": steps}), grants)).await;
    called.result.unwrap().as_array().unwrap().clone()
}

fn all_refused(seen: &[Value]) {
    assert!(!seen.is_empty());
    for step in seen {
        assert!(step["error"].is_string(), "not refused: {step} in {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_stay_from_call_to_call() {
    let volume = Volume::new();
    let written = volume
        .steps(json!([{"op": "write", "path": "/data/a", "text": "kept"}]))
        .await;
    assert_eq!(written, [json!({"ok": ""})]);
    let read = volume
        .steps(json!([{"op": "read", "path": "/data/a"}, {"op": "list", "path": "/data"}]))
        .await;
    assert_eq!(read, [json!({"ok": "kept"}), json!({"ok": "a"})]);
    let other = Volume::new()
        .steps(json!([{"op": "read", "path": "/data/a"}]))
        .await;
    all_refused(&other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_there_is_no_directory() {
    let steps = json!([
        {"op": "read", "path": "/data/a"},
        {"op": "write", "path": "/data/a", "text": ""},
        {"op": "list", "path": "/"},
        {"op": "list", "path": "."},
        {"op": "read", "path": "/etc/passwd"},
    ]);
    all_refused(&steps_on(&Grants::default(), steps).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_does_not_lead_out() {
    let volume = Volume::new();
    let secret = volume.path("secret");
    let seen = volume
        .steps(json!([
            {"op": "read", "path": "/data/../secret"},
            {"op": "read", "path": "/data/../../../../../../../etc/passwd"},
            {"op": "read", "path": "/data/./x/../../secret"},
            {"op": "read", "path": secret},
            {"op": "read", "path": "/etc/passwd"},
            {"op": "list", "path": "/data/.."},
            {"op": "list", "path": "/"},
            {"op": "write", "path": "/data/../made", "text": ""},
            {"op": "remove", "path": "/data/../secret"},
        ]))
        .await;
    all_refused(&seen);
    assert!(!Path::new(&volume.path("made")).exists());
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_name_nor_a_file_can_be_moved_across() {
    let volume = Volume::new();
    fs::write(volume.path("data/mine"), "mine").unwrap();
    let seen = volume
        .steps(json!([
            {"op": "rename", "from": "/data/mine", "to": "/data/../mine"},
            {"op": "rename", "from": "/data/../secret", "to": "/data/stolen"},
            {"op": "link", "from": "/data/../secret", "to": "/data/stolen"},
            {"op": "link", "from": "/data/mine", "to": "/data/../mine"},
        ]))
        .await;
    all_refused(&seen);
    assert!(Path::new(&volume.path("data/mine")).exists());
    assert!(!Path::new(&volume.path("mine")).exists());
    assert!(!Path::new(&volume.path("data/stolen")).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_that_the_guest_makes_does_not_lead_out() {
    let volume = Volume::new();
    let (root, secret) = (volume.path(""), volume.path("secret"));
    let seen = volume
        .steps(json!([
            {"op": "symlink", "target": "/", "path": "/data/absolute"},
            {"op": "symlink", "target": root, "path": "/data/absolute"},
            {"op": "symlink", "target": "..", "path": "/data/up"},
            {"op": "symlink", "target": "../secret", "path": "/data/file"},
            {"op": "symlink", "target": "up/secret", "path": "/data/twice"},
            {"op": "read", "path": format!("/data/absolute{secret}")},
            {"op": "read", "path": "/data/absolute/secret"},
            {"op": "read", "path": "/data/up/secret"},
            {"op": "list", "path": "/data/up"},
            {"op": "write", "path": "/data/up/made", "text": ""},
            {"op": "read", "path": "/data/file"},
            {"op": "write", "path": "/data/file", "text": "changed"},
            {"op": "read", "path": "/data/twice"},
            {"op": "rename", "from": "/data/up/secret", "to": "/data/stolen"},
            {"op": "link", "from": "/data/file", "to": "/data/up/linked"},
        ]))
        .await;
    // Making one within /data may work or not; following it out never does.
    all_refused(&seen[..2]);
    all_refused(&seen[5..]);
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    assert!(!Path::new(&volume.path("made")).exists());
    assert!(!Path::new(&volume.path("linked")).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_that_is_there_already_does_not_lead_out() {
    let volume = Volume::new();
    std::os::unix::fs::symlink("/", volume.path("data/root")).unwrap();
    std::os::unix::fs::symlink(volume.path("secret"), volume.path("data/secret")).unwrap();
    std::os::unix::fs::symlink("../secret", volume.path("data/relative")).unwrap();
    let seen = volume
        .steps(json!([
            {"op": "read", "path": "/data/root/etc/passwd"},
            {"op": "list", "path": "/data/root"},
            {"op": "read", "path": "/data/secret"},
            {"op": "write", "path": "/data/secret", "text": "changed"},
            {"op": "read", "path": "/data/relative"},
        ]))
        .await;
    all_refused(&seen);
    assert_eq!(fs::read_to_string(volume.path("secret")).unwrap(), "secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_cannot_be_is_not_the_challenges_fault() {
    let volume = Volume::new();
    fs::write(volume.path("file"), "").unwrap();
    let grants = Grants {
        data: Some(volume.path("file/absent").into()),
        ..Grants::default()
    };
    let called = beside(WORLD.look(json!({"do": "count"}), &grants)).await;
    assert_eq!(called.outcome(), Outcome::Unavailable);
    assert!(called.result.unwrap_err().message.contains("absent"));
}

/// Each open file is a file descriptor of the host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hoard_of_open_files_is_denied() {
    let volume = Volume::new();
    fs::write(volume.path("data/a"), "").unwrap();
    let hold = |times: u32| json!({"do": "files", "steps": [{"op": "hold", "path": "/data/a", "times": times}]});
    let called = beside(WORLD.look(hold(50), &volume.grants)).await;
    assert_eq!(called.result.unwrap(), json!([{"ok": "50"}]));
    let called = beside(WORLD.look(hold(100_000), &volume.grants)).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Denied, "{error}");
    assert!(error.message.contains("table"), "{}", error.message);
}
