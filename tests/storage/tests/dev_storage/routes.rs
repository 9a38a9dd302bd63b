use crate::support::{alice, bob, post, request, start};
use serde_json::{Value, json};

const SCORES: &str = "/upload-centralized-score";

fn result(challenge: &str, docker_hub_id: &str, score: f64) -> Value {
    json!({
        "challenge_name": challenge, "docker_hub_id": docker_hub_id,
        "scoring_logs": [{"score": score}], "comparison_logs": {}, "scored_timestamp": 1.5,
        "not_in_any_version": {"kept": [1e-7]},
    })
}

fn commit(miner: &str, challenge: &str, ciphertext: &str, timestamp: Option<f64>) -> Value {
    json!({
        "miner_uid": 3, "miner_hotkey": miner, "challenge_name": challenge,
        "encrypted_commit": ciphertext, "commit_timestamp": timestamp, "accepted": null,
    })
}

#[test]
fn more_than_five_results_are_refused() {
    let storage = start();
    let upload = |results: usize| {
        let results = vec![result("c", "d", 0.5); results];
        alice().post(&storage, SCORES, &json!({"scoring_results": results}))
    };
    assert_eq!(upload(5).status, 200);
    upload(6).assert_refused(422, "at most 5");
    assert_eq!(storage.uploads(0).len(), 1);
}

#[test]
fn results_are_replaced_by_newer_ones_and_come_back_whole() {
    let storage = start();
    let alice = alice();
    let upload =
        |results: &[Value]| alice.done(&storage, SCORES, &json!({"scoring_results": results}));
    let fetch = |body: Value| {
        let mut answer = alice.done(&storage, "/fetch-centralized-score", &body);
        answer["data"].take()
    };
    upload(&[result("c", "a", 0.1), result("c", "b", 0.2)]);
    upload(&[result("other", "a", 0.3)]);
    upload(&[result("c", "a", 0.9)]);
    let (a, b, other) = (
        result("c", "a", 0.9),
        result("c", "b", 0.2),
        result("other", "a", 0.3),
    );
    assert_eq!(fetch(json!({"challenge_names": ["c"]})), json!([a, b]));
    assert_eq!(fetch(json!({"challenge_names": []})), json!([a, other, b]));
    let mut form = json!({
        "challenge_names": ["c"], "limit": 1, "full_results": false, "get_detailed_results": true,
    });
    assert_eq!(fetch(form.clone()), json!([a]));
    form["get_detailed_results"] = json!(false);
    let brief = fetch(form);
    assert_eq!(brief[0]["scored_timestamp"], 1.5);
    assert_eq!(brief[0].get("scoring_logs"), None);
    assert_eq!(fetch(json!({"challenge_names": ["unknown"]})), json!([]));
}

#[test]
fn miner_commits_are_those_of_the_challenges_asked_for() {
    let storage = start();
    let document = json!({"m1": {"c": {"key": 1}, "d": [{"key": 2}]}, "m2": {"d": {"key": 3}}});
    let body = json!({"miner_commits": document}).to_string();
    let put = |body: &str| request(&storage, "PUT", "/dev/miner-commits/4", body);
    assert_eq!(put(&body).status, 204);
    assert_eq!(alice().latest(&storage, 4, &[]), document);
    assert_eq!(
        alice().latest(&storage, 4, &["c", "x"]),
        json!({"m1": {"c": {"key": 1}}})
    );
    assert_eq!(alice().latest(&storage, 4, &["x"]), json!({}));
    assert_eq!(alice().latest(&storage, 5, &[]), json!({}));
    put("{}").assert_refused(422, "miner_commits");
    // A client must be able to bear anything.
    for odd in [json!(null), json!([1]), json!({"m": 7})] {
        storage.set_miner_commits(4, odd.clone()).unwrap();
        assert_eq!(alice().latest(&storage, 4, &["c"]), odd);
    }
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let storage = start();
    let body = json!({"validator_uid": 0}).to_string();
    let fetch = |if_none_match: &str| {
        let mut headers = alice().headers(&body);
        headers.push(("if-none-match".to_owned(), if_none_match.to_owned()));
        post(&storage, "/fetch-latest-miner-commits", &headers, &body)
    };
    let first = fetch("\"something else\"");
    assert_eq!(first.status, 200);
    let tag = first.header("etag").to_owned();
    for tags in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
        let same = fetch(&tags);
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{tags}");
        assert_eq!(same.header("etag"), tag);
    }
    storage
        .set_miner_commits(0, json!({"m": {"c": {}}}))
        .unwrap();
    let changed = fetch(&tag);
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(storage.requests()["/fetch-latest-miner-commits"]["304"], 3);
}

#[test]
fn commits_come_back_to_whom_they_came_from_newest_first() {
    let storage = start();
    let set = commit("m", "c", "set", Some(20.0));
    let alone = commit("m", "alone", "x", Some(1.0));
    let document = json!({"m": {"c": set, "alone": alone}});
    storage.set_miner_commits(0, document).unwrap();
    let (old, new, undated) = (
        commit("m", "c", "old", Some(10.0)),
        commit("m", "c", "new", Some(30.0)),
        commit("m", "c", "undated", None),
    );
    for commit in [&new, &undated, &commit("m", "c", "old", Some(15.0)), &old] {
        alice().done(&storage, "/upload-commit", commit);
    }
    let bobs = commit("m2", "c", "x", Some(5.0));
    bob().done(&storage, "/upload-commit", &bobs);
    let latest = alice().latest(&storage, 0, &[]);
    assert_eq!(
        latest,
        json!({"m": {"c": [new, set, old, undated], "alone": alone}})
    );
    assert_eq!(bob().latest(&storage, 1, &[]), json!({"m2": {"c": [bobs]}}));
    let uploads = storage.uploads(0);
    assert_eq!(uploads.len(), 5);
    assert_eq!((uploads[4].seq, uploads[4].uid), (5, Some(1)));
    assert_eq!(uploads[4].hotkey.as_deref(), Some(bob().hotkey));
}

#[test]
fn accepted_commits_are_grouped_by_what_was_committed() {
    let storage = start();
    let upload = |ciphertext: &str, timestamp: f64, accepted: bool| {
        let mut commit = commit("m", "c", ciphertext, Some(timestamp));
        commit["accepted"] = json!(accepted);
        alice().done(&storage, "/upload-commit", &commit);
        commit
    };
    let unjudged = upload("e1", 10.0, false);
    let judged = upload("e1", 10.0, true);
    let later = upload("e2", 20.0, true);
    upload("e3", 30.0, true);
    upload("e3", 30.0, false);
    let fetch = |challenge: &str| {
        let body = json!({"challenge_name": challenge});
        alice().done(&storage, "/fetch-accepted-miner-commits", &body)
    };
    let groups = json!([{"commits": [later]}, {"commits": [judged, unjudged]}]);
    assert_eq!(fetch("c"), json!({"miner_commits": groups}));
    assert_eq!(fetch("d"), json!({"miner_commits": []}));
}

#[test]
fn the_last_state_of_a_validator_comes_back() {
    let storage = start();
    let (alice, bob) = (alice(), bob());
    let fetch = |body: Value| alice.post(&storage, "/fetch-validator-state", &body);
    let anybody = json!({"subnet": "Redteam"});
    fetch(anybody.clone()).assert_refused(404, "no validator state");
    let who = |uid: i64| json!({"validator_uid": uid, "validator_hotkey": format!("h{uid}")});
    let state = |uid: i64, dates: &[&str]| {
        let mut state = who(uid);
        state["scoring_dates"] = json!(dates);
        state
    };
    assert_eq!(fetch(who(0)).json(), json!({"data": null}));
    for (validator, state) in [
        (&alice, state(0, &["2026-01-01"])),
        (&alice, state(0, &["2026-01-01", "2026-01-02"])),
        (&bob, state(1, &[])),
    ] {
        validator.done(&storage, "/upload-validator-state", &state);
    }
    let newest = state(0, &["2026-01-01", "2026-01-02"]);
    assert_eq!(fetch(who(0)).json(), json!({"data": newest}));
    assert_eq!(fetch(anybody).json(), json!({"data": state(1, &[])}));
    let other_key = json!({"validator_uid": 0, "validator_hotkey": "h1"});
    assert_eq!(fetch(other_key).json(), json!({"data": null}));
}

#[test]
fn a_body_without_what_it_needs_is_refused() {
    let storage = start();
    for (route, field) in [
        ("/fetch-latest-miner-commits", "validator_uid"),
        ("/fetch-accepted-miner-commits", "challenge_name"),
        ("/upload-commit", "challenge_name"),
        ("/upload-centralized-score", "scoring_results"),
        ("/upload-validator-state", "validator_hotkey"),
        ("/upload-log", "logs"),
        ("/upload-hf-repo-id", "hf_repo_id"),
    ] {
        for body in [json!({}), json!([1]), json!(7)] {
            alice()
                .post(&storage, route, &body)
                .assert_refused(422, field);
        }
    }
    let body = "{";
    let headers = alice().headers(body);
    post(&storage, "/upload-log", &headers, body).assert_refused(422, "JSON");
    assert!(storage.uploads(0).is_empty());
}

#[test]
fn the_control_plane_tells_what_happened() {
    let storage = start();
    let get = |path: &str| request(&storage, "GET", path, "").json();
    for repo in ["a/a", "b/b", "c/c"] {
        alice().done(&storage, "/upload-hf-repo-id", &json!({"hf_repo_id": repo}));
    }
    request(&storage, "POST", "/upload-log", "{}").assert_refused(401, "required");
    request(&storage, "POST", "/upload-logs", "{}").assert_refused(404, "Not Found");
    let upload = |seq: u64, repo: &str| {
        json!({
            "seq": seq, "route": "/upload-hf-repo-id", "uid": 0, "hotkey": alice().hotkey,
            "body": {"hf_repo_id": repo},
        })
    };
    assert_eq!(get("/dev/uploads")[0], upload(1, "a/a"));
    assert_eq!(
        get("/dev/uploads?since=1"),
        json!([upload(2, "b/b"), upload(3, "c/c")])
    );
    assert_eq!(get("/dev/uploads?since=3"), json!([]));
    let requests = json!({
        "/upload-hf-repo-id": {"200": 3}, "/upload-log": {"401": 1}, "unknown": {"404": 1},
    });
    assert_eq!(get("/dev/requests"), requests);
    let state = get("/dev/state");
    assert_eq!(state["uploads"], 3);
    assert_eq!(state["requests"], requests);
    assert_eq!(state["signatures"], true);
}
