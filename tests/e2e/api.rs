//! The HTTP API over real sockets.

use crate::commits::{Commit, HOUR, all_revealed, document};
use crate::http;
use crate::support::{DAY, START, Server, World, until};
use serde_json::{Value, json};

/// Keys of RedTeam's `MinerChallengeCommit`, in its order.
const COMMIT: [&str; 14] = [
    "miner_uid",
    "miner_hotkey",
    "challenge_name",
    "docker_hub_id",
    "commit_timestamp",
    "encrypted_commit",
    "key",
    "commit",
    "scoring_logs",
    "comparison_logs",
    "scored_timestamp",
    "score",
    "penalty",
    "accepted",
];

/// Those of its `ScoringLog`, without `validation_output`, which is newer than
/// the route.
const SCORING_LOG: [&str; 6] = [
    "score",
    "miner_input",
    "miner_output",
    "error",
    "baseline_score",
    "input_hash",
];

/// Those of its `ComparisonLog`, without `reason`, which is newer too.
const COMPARISON_LOG: [&str; 8] = [
    "similarity_score",
    "miner_input",
    "miner_output",
    "reference_output",
    "error",
    "input_hash",
    "reference_hotkey",
    "reference_similarity_score",
];

fn keys(object: &Value) -> Vec<&str> {
    let object = object.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

/// Two miners; the second one is compared with the first.
fn two_miners(world: &World) -> [Commit; 2] {
    let knn = world.add_artifact("knn");
    let linear = world.add_artifact("linear");
    [Commit::new(3, &knn, 30.0), Commit::new(4, &linear, 29.0)]
}

/// A host that has scored everything that it can.
fn scored(world: &World, settings: &[&str]) -> Server {
    let mut server = world.serve(settings);
    server.wait_for("finalized");
    server
}

#[test]
fn a_scored_commit_has_the_shape_of_the_peers_model() {
    let world = World::new().with_digits();
    let commits = two_miners(&world);
    world.ingest(0, &all_revealed(&commits));
    let server = scored(&world, &[]);
    let [first, second] = &commits;
    let body = json!({
        "challenge_name": "digits",
        "encrypted_commits": [second.encrypted, first.encrypted, "never seen"],
    });
    let response = server.post("/get_scoring_result", &body);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    let answer = response.json();
    assert_eq!(keys(&answer), ["status", "message", "data"]);
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["message"], "Scoring results retrieved successfully");
    let data = &answer["data"];
    assert_eq!(keys(data), ["commits", "is_done"]);
    assert_eq!(data["is_done"], true);
    assert_eq!(data["commits"].as_object().unwrap().len(), 3);
    assert_eq!(data["commits"]["never seen"], Value::Null);

    let commit = &data["commits"][&second.encrypted];
    assert_eq!(keys(commit), COMMIT);
    assert_eq!(commit["miner_uid"], 4);
    assert_eq!(commit["miner_hotkey"], "miner-4");
    assert_eq!(commit["challenge_name"], "digits");
    assert_eq!(commit["encrypted_commit"], second.encrypted);
    assert_eq!(commit["key"], second.key);
    assert_eq!(commit["commit_timestamp"], second.committed_at);
    let artifact = commit["docker_hub_id"].as_str().unwrap();
    assert_eq!(commit["commit"], format!("digits---{artifact}"));
    let score = commit["score"].as_f64().unwrap();
    assert!(score > 0.0 && score <= 1.0, "{score}");
    assert!((0.0..=1.0).contains(&commit["penalty"].as_f64().unwrap()));
    assert!(commit["accepted"].is_boolean());
    assert_eq!(commit["scored_timestamp"], START - HOUR, "the scoring hour");

    let logs = commit["scoring_logs"].as_array().unwrap();
    assert_eq!(logs.len(), 2, "one per task");
    for log in logs {
        assert_eq!(keys(log), SCORING_LOG);
        assert!(log["score"].is_f64());
        for hidden in ["miner_input", "miner_output", "input_hash"] {
            assert_eq!(log[hidden], Value::Null, "public_view leaves it out");
        }
    }
    let reference = &data["commits"][&first.encrypted]["docker_hub_id"];
    assert_eq!(
        keys(&commit["comparison_logs"]),
        [reference.as_str().unwrap()]
    );
    let logs = &commit["comparison_logs"][reference.as_str().unwrap()];
    let log = &logs[0];
    assert_eq!(keys(log), COMPARISON_LOG);
    assert!((0.0..=1.0).contains(&log["similarity_score"].as_f64().unwrap()));
    assert_eq!(log["reference_hotkey"], "miner-3");
    for hidden in [
        "miner_input",
        "miner_output",
        "reference_output",
        "input_hash",
    ] {
        assert_eq!(log[hidden], Value::Null, "public_view leaves it out");
    }
    server.stop();
}

#[test]
fn errors_are_those_of_the_peer() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let golden: Value = serde_json::from_str(include_str!("../golden/api.json")).unwrap();
    let cases = golden["get_scoring_result_endpoint"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let method = case["input"]["method"].as_str().unwrap_or("POST");
        let body = match &case["input"]["request_body"] {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let response = http::request(
            &server.public,
            method,
            "/get_scoring_result",
            body.as_bytes(),
        );
        if id == "ep_inactive" {
            // The peer answers 500, because of a failed assert.
            assert_eq!(case["expected"]["status"], 500);
            response.assert_problem(404, "unknown_challenge");
            continue;
        }
        assert_eq!(case["expected"]["status"], response.status, "{id}");
        assert_eq!(case["expected"]["body"], response.json(), "{id}");
        assert_eq!(response.header("content-type"), "application/json", "{id}");
    }
    let slash = server.post("/get_scoring_result/", &json!({}));
    assert_eq!(slash.status, 307);
    assert_eq!(slash.header("location"), "/get_scoring_result");
    server.stop();
}

#[test]
fn a_sealed_commit_gives_nothing_away() {
    let world = World::new().with_digits();
    let knn = world.add_artifact("knn");
    let not_due = Commit::new(3, &knn, 23.9);
    let without_key = Commit::new(4, &knn, 30.0);
    let linear = world.add_artifact("linear");
    let open = Commit::new(5, &linear, 30.0);
    // The validators say what is in it, and nobody may know yet.
    let mut told = not_due.revealed();
    told["commit"] = json!(format!("digits---sha256:{knn}"));
    world.ingest(
        0,
        &document([
            (not_due.hotkey.as_str(), told),
            (&without_key.hotkey, without_key.sealed()),
            (&open.hotkey, open.revealed()),
        ]),
    );
    let server = scored(&world, &[]);
    let data = server.scoring_result(&[&not_due.encrypted, &without_key.encrypted]);
    assert_eq!(data["is_done"], true, "neither waits for today's verdicts");
    for commit in [&not_due, &without_key] {
        let shown = &data["commits"][&commit.encrypted];
        assert_eq!(keys(shown), COMMIT);
        assert_eq!(shown["miner_hotkey"], commit.hotkey);
        assert_eq!(shown["commit_timestamp"], commit.committed_at);
        for hidden in [
            "key",
            "commit",
            "docker_hub_id",
            "score",
            "penalty",
            "accepted",
            "scored_timestamp",
        ] {
            assert_eq!(shown[hidden], Value::Null, "{hidden}");
        }
        assert_eq!(shown["scoring_logs"], json!([]));
        assert_eq!(shown["comparison_logs"], json!({}));
    }
    let text = data.to_string();
    assert!(
        !text.contains(&not_due.key) && !text.contains(&knn),
        "{text}"
    );
    server.stop();
}

#[test]
fn it_is_done_once_today_is_finalized_and_no_asked_commit_waits_for_that() {
    let world = World::new().with_digits();
    let known = Commit::new(3, &world.add_artifact("knn"), 30.0);
    let missing = Commit::new(4, &"0".repeat(64), 29.0);
    world.ingest(0, &all_revealed([&known, &missing]));
    let mut server = world.serve(&["scoring.retry_s=60", "scoring.hold_attempts=2"]);
    server.wait_for("evaluation put back");
    until("the other one is evaluated", || {
        let data = server.scoring_result(&[&known.encrypted]);
        data["commits"][&known.encrypted]["scoring_logs"] != json!([])
    });
    let data = server.scoring_result(&[&known.encrypted]);
    assert_eq!(data["is_done"], false, "the day waits for the missing one");
    for unscored in ["score", "penalty", "accepted", "scored_timestamp"] {
        let shown = &data["commits"][&known.encrypted][unscored];
        assert_eq!(*shown, Value::Null, "{unscored}");
    }

    // From the second attempt on it does not.
    world.pass(60.0);
    server.wait_for("finalized");
    let data = server.scoring_result(&[&known.encrypted]);
    assert_eq!(data["is_done"], true);
    assert!(data["commits"][&known.encrypted]["score"].is_f64());
    assert_eq!(server.scoring_result(&[])["is_done"], true);
    let data = server.scoring_result(&[&known.encrypted, &missing.encrypted]);
    assert_eq!(data["is_done"], false);
    let waiting = &data["commits"][&missing.encrypted];
    assert_eq!(waiting["score"], Value::Null);
    assert_eq!(waiting["key"], missing.key, "it is revealed");

    // Another day.
    world.set_clock(START - HOUR + DAY);
    let finalized = server.wait_for("finalized");
    assert_eq!(finalized.text("day"), "2026-08-23");
    assert_eq!(server.scoring_result(&[&known.encrypted])["is_done"], true);
    server.stop();
}

#[test]
fn requests_are_bounded() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let ask = |server: &Server, count: usize| {
        let encrypted: Vec<String> = (0..count).map(|i| format!("commit {i}")).collect();
        let body = json!({ "challenge_name": "digits", "encrypted_commits": encrypted });
        server.post("/get_scoring_result", &body)
    };
    let most = ask(&server, 10_000);
    assert_eq!(most.status, 200);
    let commits = &most.json()["data"]["commits"];
    assert_eq!(commits.as_object().unwrap().len(), 10_000);
    assert!(commits.as_object().unwrap().values().all(Value::is_null));
    let too_many = ask(&server, 10_001);
    assert_eq!(too_many.status, 422);
    assert_eq!(too_many.json()["detail"][0]["type"], "too_long");
    server.stop();

    let server = world.serve(&["public.max_body_bytes=1000"]);
    let body = |length: usize| "x".repeat(length).into_bytes();
    let post = |length| http::request(&server.public, "POST", "/get_scoring_result", &body(length));
    assert_eq!(post(1_000).status, 422, "it is read, and is no JSON");
    post(1_001).assert_problem(413, "body_rejected");
    server.stop();
}

#[test]
fn probes_answer_on_both_listeners() {
    let world = World::new();
    let mut server = world.serve(&[]);
    assert_eq!(server.get("/livez").body, "ok");
    assert_eq!(server.admin_get("/livez").status, 200);
    until("ready", || server.get("/readyz").status == 200);
    assert_eq!(server.admin_get("/readyz").body, "ok");
    // A plugin that is rejected does not make the host unready.
    std::fs::write(world.plugins().join("bad.wasm"), "nonsense").unwrap();
    server.wait_for("plugin rejected");
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}

#[test]
fn plugins_are_shown_with_state_and_reason() {
    let world = World::new().with_digits();
    std::fs::write(world.plugins().join("bad.wasm"), "nonsense").unwrap();
    let mut server = world.serve(&[]);
    let active = server.wait_for("plugin active");
    let list = server.get("/v1/plugins").json();
    assert_eq!(list, server.admin_get("/v1/plugins").json());
    assert_eq!(keys(&list), ["plugins"]);
    let [bad, digits] = &list["plugins"].as_array().unwrap()[..] else {
        panic!("{list}");
    };
    for plugin in [bad, digits] {
        let shape = [
            "file",
            "name",
            "version",
            "digest",
            "exports",
            "capabilities",
            "state",
            "rejected",
        ];
        assert_eq!(keys(plugin), shape);
    }
    assert_eq!(digits["file"], "digits.wasm");
    assert_eq!(digits["name"], "digits");
    assert_eq!(digits["version"], "0.1.0");
    assert_eq!(digits["digest"], active.text("digest"));
    assert_eq!(digits["state"], "active");
    assert_eq!(digits["rejected"], Value::Null);
    assert_eq!(
        digits["capabilities"],
        json!(["scoring", "comparison", "get_weights", "proxy_routes"])
    );
    let exports = digits["exports"].as_array().unwrap();
    assert!(
        exports.contains(&json!("proctor:challenge/info@0.1.1")),
        "{digits}"
    );
    assert_eq!(bad["file"], "bad.wasm");
    assert_eq!(bad["name"], Value::Null);
    assert_eq!(bad["state"], "rejected");
    assert_eq!(bad["rejected"]["code"], "link_error");
    assert!(bad["rejected"]["reason"].is_string());
    server.stop();
}

#[test]
fn unknown_routes_and_methods_are_problems() {
    let world = World::new();
    let server = world.serve(&[]);
    let paths = ["/", "/v1", "/v1/plugins/", "/get_scoring_result/x", "/%00"];
    for path in paths {
        server.get(path).assert_problem(404, "not_found");
        server.admin_get(path).assert_problem(404, "not_found");
    }
    // What is public is not also for the operator.
    let body = json!({ "challenge_name": "digits", "encrypted_commits": [] });
    let asked = http::request(
        &server.admin,
        "POST",
        "/get_scoring_result",
        body.to_string().as_bytes(),
    );
    asked.assert_problem(404, "not_found");
    for path in ["/livez", "/readyz", "/v1/plugins"] {
        for method in ["POST", "DELETE"] {
            let response = http::request(&server.public, method, path, b"");
            response.assert_problem(405, "method_not_allowed");
            assert_eq!(response.header("allow"), "GET,HEAD");
        }
    }
    server.stop();
}
