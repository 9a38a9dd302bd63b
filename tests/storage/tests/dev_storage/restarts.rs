use crate::support::{alice, start};
use proctor_dev_storage::{FakeStorage, Fault, FaultKind, Options, StartError, StateError};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

fn with_state(path: &Path) -> Options {
    Options {
        state: Some(path.to_owned()),
        ..Options::default()
    }
}

fn upload(storage: &proctor_dev_storage::RunningStorage, repo: &str) {
    alice().done(storage, "/upload-hf-repo-id", &json!({"hf_repo_id": repo}));
}

#[test]
fn what_was_uploaded_survives_at_the_same_address() {
    let directory = tempfile::tempdir().unwrap();
    let options = with_state(&directory.path().join("state"));
    let first = FakeStorage::start(options.clone()).unwrap();
    first
        .set_miner_commits(2, json!({"m": {"c": {"score": 0.1}}}))
        .unwrap();
    upload(&first, "a/a");
    upload(&first, "b/b");
    first
        .set_faults(vec![Fault::new("*", FaultKind::Close)])
        .unwrap();
    let (address, uploads) = (first.address, first.uploads(0));
    drop(first);

    let again = Options {
        listen: address,
        ..options
    };
    let second = FakeStorage::start(again).unwrap();
    assert_eq!(second.uploads(0), uploads);
    assert_eq!(second.faults(), []);
    assert!(second.requests().is_empty());
    assert_eq!(
        alice().latest(&second, 2, &[]),
        json!({"m": {"c": {"score": 0.1}}})
    );
    upload(&second, "c/c");
    assert_eq!(second.uploads(2)[0].seq, 3);
}

#[test]
fn half_a_line_is_left_by_a_killed_writer_and_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    upload(&FakeStorage::start(with_state(&path)).unwrap(), "a/a");
    let whole = fs::read(&path).unwrap();
    for half in 1..whole.len() {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&whole[..half]).unwrap();
        drop(file);
        drop(FakeStorage::start(with_state(&path)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), whole, "{half}");
    }
    let storage = FakeStorage::start(with_state(&path)).unwrap();
    upload(&storage, "b/b");
    drop(storage);
    let storage = FakeStorage::start(with_state(&path)).unwrap();
    let bodies: Vec<Value> = storage.uploads(0).into_iter().map(|one| one.body).collect();
    assert_eq!(
        bodies,
        [json!({"hf_repo_id": "a/a"}), json!({"hf_repo_id": "b/b"})]
    );
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    for (content, line) in [
        ("{\"miner_commits\":{}}\n", true),
        ("[1]\n{\"upload\":{", true),
        ("[1]", false),
        ("{\"up\": 1}", false),
    ] {
        fs::write(&path, content).unwrap();
        let error = FakeStorage::start(with_state(&path)).unwrap_err();
        let expected = match error {
            StartError::State(StateError::Line { line: 1, .. }) => line,
            StartError::State(StateError::Foreign(_)) => !line,
            _ => false,
        };
        assert!(expected, "{content}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn two_do_not_share_a_file_or_an_address() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let _first = FakeStorage::start(with_state(&path)).unwrap();
    let error = FakeStorage::start(with_state(&path)).unwrap_err();
    assert!(
        matches!(error, StartError::State(StateError::InUse(_))),
        "{error}"
    );
    let first = start();
    let error = FakeStorage::start(Options {
        listen: first.address,
        ..Options::default()
    })
    .unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
}
