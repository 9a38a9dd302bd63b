use crate::support::{alice, bob, raw, request, send, start};
use proctor_dev_storage::{Fault, FaultError, FaultKind, RunningStorage};
use serde_json::json;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const LATEST: &str = "/fetch-latest-miner-commits";
const REPO: &str = "/upload-hf-repo-id";

/// A storage service with one fault, and Alice's request to one of its routes, sent.
fn sent(fault: Fault, path: &str) -> (RunningStorage, TcpStream) {
    let storage = start();
    storage.set_faults(vec![fault]).unwrap();
    let body = json!({"validator_uid": 0, "hf_repo_id": "a/b"}).to_string();
    let headers = alice().headers(&body);
    let stream = send(storage.address, "POST", path, &headers, &body);
    (storage, stream)
}

fn counted(storage: &RunningStorage, route: &str, answer: &str) -> u64 {
    let requests = storage.requests();
    let answers = requests.get(route);
    answers
        .and_then(|answers| answers.get(answer))
        .copied()
        .unwrap_or(0)
}

#[test]
fn a_status_comes_with_json() {
    let fault = Fault {
        status: 429,
        ..Fault::new(REPO, FaultKind::Status)
    };
    let (storage, mut stream) = sent(fault, REPO);
    let answer = raw(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.ends_with("}"), "{answer}");
    assert_eq!(counted(&storage, REPO, "429"), 1);
    assert!(storage.uploads(0).is_empty());
}

#[test]
fn a_request_that_hangs_gets_nothing_until_the_end() {
    let (storage, mut stream) = sent(Fault::new("*", FaultKind::Hang), REPO);
    let deadline = Instant::now() + Duration::from_secs(60);
    while counted(&storage, REPO, "hang") == 0 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(2));
    }
    // Others are served meanwhile.
    assert_eq!(request(&storage, "GET", "/dev/state", "").status, 200);
    stream.set_nonblocking(true).unwrap();
    let mut byte = [0];
    let nothing = stream.read(&mut byte).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    drop(storage);
    assert_eq!(raw(&mut stream), "");
}

#[test]
fn a_closed_connection_has_not_a_byte() {
    let (storage, mut stream) = sent(Fault::new("*", FaultKind::Close), REPO);
    assert_eq!(raw(&mut stream), "");
    assert_eq!(counted(&storage, REPO, "close"), 1);
    assert!(storage.uploads(0).is_empty());
}

#[test]
fn garbage_is_a_success_without_json() {
    let (_storage, mut stream) = sent(Fault::new("*", FaultKind::Garbage), LATEST);
    let answer = raw(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!body.is_empty());
    serde_json::from_str::<serde_json::Value>(body).unwrap_err();
}

#[test]
fn a_truncated_answer_is_half_of_what_it_says() {
    for miners in [1, 10_000] {
        let storage = start();
        let commits: serde_json::Map<_, _> = (0..miners)
            .map(|miner| (format!("miner-{miner}"), json!({"c": {}})))
            .collect();
        storage.set_miner_commits(0, commits.into()).unwrap();
        let whole = alice()
            .post(&storage, LATEST, &json!({"validator_uid": 0}))
            .body;
        storage
            .set_faults(vec![Fault::new(LATEST, FaultKind::Truncate)])
            .unwrap();
        let half = alice().post(&storage, LATEST, &json!({"validator_uid": 0}));
        assert_eq!(half.status, 200);
        assert_eq!(half.header("content-length"), whole.len().to_string());
        assert_eq!(half.body, whole[..whole.len() / 2]);
        assert_eq!(counted(&storage, LATEST, "truncate"), 1);
    }
}

#[test]
fn a_huge_answer_goes_on_and_on() {
    let (storage, stream) = sent(Fault::new("*", FaultKind::Huge).times(1), LATEST);
    let mut some = Vec::new();
    stream.take(16 << 20).read_to_end(&mut some).unwrap();
    assert_eq!(some.len(), 16 << 20);
    assert!(some.starts_with(b"HTTP/1.1 200 "));
    // Whoever has had enough may go, and the service is still there.
    assert_eq!(alice().latest(&storage, 0, &[]), json!({}));
}

#[test]
fn a_slow_answer_is_late_and_whole() {
    let fault = Fault {
        delay_ms: 80,
        ..Fault::new(REPO, FaultKind::Slow)
    };
    let before = Instant::now();
    let (storage, mut stream) = sent(fault, REPO);
    let answer = raw(&mut stream);
    assert!(before.elapsed() >= Duration::from_millis(80));
    assert!(answer.ends_with(r#"{"status":"success"}"#), "{answer}");
    assert_eq!(counted(&storage, REPO, "200"), 1);
    assert_eq!(storage.uploads(0).len(), 1);
}

#[test]
fn an_upload_may_be_kept_and_its_answer_lost() {
    for kind in [FaultKind::Close, FaultKind::Status, FaultKind::Garbage] {
        let fault = Fault {
            applied: true,
            ..Fault::new(REPO, kind)
        };
        let (storage, mut stream) = sent(fault, REPO);
        raw(&mut stream);
        assert_eq!(storage.uploads(0).len(), 1, "{kind:?}");
    }
    let (storage, mut stream) = sent(Fault::new(REPO, FaultKind::Truncate), REPO);
    raw(&mut stream);
    assert_eq!(storage.uploads(0).len(), 1);
}

#[test]
fn each_request_takes_the_first_fault_that_is_left() {
    let storage = start();
    let status = |route: &str, status| Fault {
        status,
        ..Fault::new(route, FaultKind::Status)
    };
    storage
        .set_faults(vec![
            status(REPO, 500).times(1),
            status("*", 502).times(2),
            status(LATEST, 503).of_validator(1),
        ])
        .unwrap();
    let repo = || {
        alice()
            .post(&storage, REPO, &json!({"hf_repo_id": "a/b"}))
            .status
    };
    // By the body, whoever sends it.
    let latest = |uid: i64| {
        alice()
            .post(&storage, LATEST, &json!({"validator_uid": uid}))
            .status
    };
    assert_eq!([repo(), repo()], [500, 502]);
    assert_eq!([latest(0), latest(0)], [502, 200]);
    assert_eq!(repo(), 200);
    assert_eq!([latest(1), latest(1)], [503, 503]);
    let left: Vec<_> = storage.faults().iter().map(|fault| fault.times).collect();
    assert_eq!(left, [Some(0), Some(0), None]);
    storage.clear_faults();
    assert_eq!(latest(1), 200);
}

#[test]
fn a_fault_of_a_validator_is_for_what_it_sends_itself() {
    let storage = start();
    let fault = Fault::new("*", FaultKind::Status).of_validator(bob().uid);
    storage.set_faults(vec![fault]).unwrap();
    let body = json!({"hf_repo_id": "a/b"});
    assert_eq!(alice().post(&storage, REPO, &body).status, 200);
    assert_eq!(bob().post(&storage, REPO, &body).status, 503);
}

#[test]
fn faults_are_set_and_ended_from_other_processes() {
    let storage = start();
    let put = |body: serde_json::Value| request(&storage, "PUT", "/dev/faults", &body.to_string());
    let all = json!([{
        "route": "/upload-commit", "validator_uid": null, "kind": "status", "status": 500,
        "times": 2, "delay_ms": 5,
    }, { "route": "*", "kind": "hang" }]);
    assert_eq!(put(all).status, 204);
    let expected = Fault {
        status: 500,
        delay_ms: 5,
        ..Fault::new("/upload-commit", FaultKind::Status).times(2)
    };
    assert_eq!(
        storage.faults(),
        [expected, Fault::new("*", FaultKind::Hang)]
    );
    put(json!([{"route": "/upload-comit", "kind": "hang"}])).assert_refused(422, "no route");
    put(json!([{"route": "*", "kind": "hangs"}])).assert_refused(422, "hangs");
    put(json!([{"route": "*", "kind": "hang", "time": 1}])).assert_refused(422, "time");
    assert_eq!(storage.faults().len(), 2);
    assert_eq!(request(&storage, "DELETE", "/dev/faults", "").status, 204);
    assert_eq!(storage.faults(), []);
}

#[test]
fn a_fault_that_could_not_come_to_pass_is_refused() {
    let storage = start();
    let unknown = storage.set_faults(vec![Fault::new("/upload", FaultKind::Close)]);
    assert_eq!(unknown, Err(FaultError::UnknownRoute("/upload".to_owned())));
    let success = Fault {
        status: 200,
        ..Fault::new("*", FaultKind::Status)
    };
    assert_eq!(
        storage.set_faults(vec![success]),
        Err(FaultError::Status(200))
    );
}
