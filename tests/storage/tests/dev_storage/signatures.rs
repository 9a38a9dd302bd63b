use crate::support::{alice, bob, post, request, start};
use proctor_dev_storage::{Clock, FakeStorage, Options};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const LATEST: &str = "/fetch-latest-miner-commits";
const NOW: u128 = 1_787_410_800;
const SECOND: u128 = 1_000_000_000;

/// Options with a clock that stands.
fn at(directory: &TempDir, clock: &str) -> Options {
    let path = directory.path().join("clock");
    fs::write(&path, clock).unwrap();
    Options {
        clock: Clock::File(path),
        ..Options::default()
    }
}

#[test]
fn what_python_signed_is_accepted_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FakeStorage::start(at(&directory, "1787410800\n")).unwrap();
    let golden: Value = serde_json::from_str(include_str!("../../../golden/compat.json")).unwrap();
    let signed = |case: &&Value| case["family"] == "request_header_signature";
    let cases: Vec<_> = golden["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(signed)
        .collect();
    assert!(!cases.is_empty());
    for case in cases {
        let headers: Vec<_> = case["expected"]["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let body = case["input"]["body_text"].as_str().unwrap();
        let response = post(&storage, LATEST, &headers, body);
        assert_eq!(response.status, 200, "{}", response.body);
        let tampered = body.replace("ab_sniffer", "ab_snuffer");
        assert_ne!(tampered, body);
        post(&storage, LATEST, &headers, &tampered).assert_refused(401, "does not match");
    }
}

#[test]
fn each_of_the_four_headers_is_needed() {
    let storage = start();
    let body = json!({"validator_uid": 0}).to_string();
    let headers = alice().headers(&body);
    assert_eq!(post(&storage, LATEST, &headers, &body).status, 200);
    for (left_out, (name, _)) in headers.iter().enumerate() {
        let mut headers = headers.clone();
        headers.remove(left_out);
        post(&storage, LATEST, &headers, &body).assert_refused(401, name);
    }
}

#[test]
fn a_header_that_was_changed_is_refused() {
    let storage = start();
    let body = json!({"validator_uid": 0}).to_string();
    for (changed, value, detail) in [
        ("validator-uid", "seven".to_owned(), "validator-uid"),
        (
            "validator-hotkey",
            bob().hotkey.to_owned(),
            "does not match",
        ),
        ("validator-hotkey", "hotkey".to_owned(), "no address"),
        ("timestamp", "now".to_owned(), "timestamp"),
        (
            "signature",
            format!("0x{}", "01".repeat(64)),
            "does not match",
        ),
        ("signature", "0x01".to_owned(), "64 bytes"),
        ("signature", "01".repeat(64), "64 bytes"),
    ] {
        let mut headers = alice().headers(&body);
        for header in headers.iter_mut().filter(|(name, _)| name == changed) {
            header.1.clone_from(&value);
        }
        post(&storage, LATEST, &headers, &body).assert_refused(401, detail);
    }
}

#[test]
fn a_timestamp_is_fresh_for_five_minutes_either_way() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FakeStorage::start(at(&directory, &NOW.to_string())).unwrap();
    let body = json!({"validator_uid": 0}).to_string();
    let status = |seconds: u128| {
        let headers = alice().headers_at(&body, seconds * SECOND);
        post(&storage, LATEST, &headers, &body).status
    };
    for (seconds, expected) in [
        (NOW - 301, 401),
        (NOW - 300, 200),
        (NOW, 200),
        (NOW + 300, 200),
        (NOW + 301, 401),
    ] {
        assert_eq!(status(seconds), expected, "{seconds}");
    }
    // The file is read again.
    at(&directory, &format!("{}.5", NOW + 300));
    assert_eq!(status(NOW), 401);
    assert_eq!(status(NOW + 500), 200);
    at(&directory, "noon");
    assert_eq!(status(NOW), 500);
}

#[test]
fn without_signatures_everybody_is_who_they_say() {
    let storage = FakeStorage::start(Options {
        signatures: false,
        ..Options::default()
    })
    .unwrap();
    let body = json!({"hf_repo_id": "a/b"}).to_string();
    let uid = ("validator-uid".to_owned(), "7".to_owned());
    for headers in [vec![], vec![uid]] {
        let response = post(&storage, "/upload-hf-repo-id", &headers, &body);
        assert_eq!(response.status, 200, "{}", response.body);
    }
    let uids: Vec<_> = storage.uploads(0).iter().map(|upload| upload.uid).collect();
    assert_eq!(uids, [None, Some(7)]);
}

#[test]
fn a_validator_may_ask_about_another_one() {
    let storage = start();
    storage
        .set_miner_commits(1, json!({"m": {"c": {}}}))
        .unwrap();
    assert_eq!(alice().latest(&storage, 1, &[]), json!({"m": {"c": {}}}));
}

#[test]
fn logs_come_with_an_api_key() {
    let storage = start();
    let (alice, body) = (alice(), json!({"logs": ["{}"]}));
    let identity = json!({"validator_uid": alice.uid, "validator_hotkey": alice.hotkey});
    let answer = alice.done(&storage, "/get-api-key", &identity);
    let key = answer["api_key"].as_str().unwrap().to_owned();
    let upload = |key: String| {
        let headers = [("authorization".to_owned(), key)];
        post(&storage, "/upload-log", &headers, &body.to_string())
    };
    assert_eq!(upload(key.clone()).status, 200);
    assert_eq!(upload(format!("{key}0")).status, 401);
    let uploads = storage.uploads(0);
    assert_eq!(uploads.len(), 1);
    assert_eq!(uploads[0].hotkey.as_deref(), Some(alice.hotkey));
    assert_eq!(alice.post(&storage, "/upload-log", &body).status, 200);
}

#[test]
fn registration_times_are_for_everybody() {
    let response = request(&start(), "GET", "/fetch-uids-registration-time", "");
    assert_eq!(response.status, 200);
    assert_eq!(response.json(), json!({"data": {}}));
}
