//! The current weight vector: what stands in for a challenge that fails, what
//! validators read, and the history.

use crate::commits::{Commit, HOUR};
use crate::days::hour_of;
use crate::http::Response;
use crate::stored;
use crate::support::{DAY, Event, Server, World, metagraph, send, until};
use proctor_testing::guest;
use serde_json::{Value, json};
use std::fs;

const LATEST: &str = "/v1/weights/latest";

fn latest(server: &Server) -> Value {
    let answer = server.get(LATEST);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn commit(challenge: &str, uid: u16, digest: &str) -> Commit {
    let text = format!("{challenge}---sha256:{digest}");
    Commit::at(
        &format!("miner-{uid}"),
        &text,
        hour_of(0) - 5.0 * HOUR - DAY,
    )
}

/// A challenge that pays whoever it is told to, of these settings.
fn hostile(settings: &str) -> String {
    format!("[challenges.hostile]\nemission_percent = 60\nsettings = {{ {settings} }}")
}

/// Digits, whose miner is 3, and the hostile challenge, whose miner is 4; before the
/// first hour.
fn world() -> World {
    let world = World::new().with_digits().configured(&hostile(""));
    fs::copy(
        guest("hostile_challenge"),
        world.plugins().join("hostile.wasm"),
    )
    .unwrap();
    world.set_clock(hour_of(0) - 6.0 * HOUR);
    let knn = world.add_artifact("knn");
    let (of_digits, of_hostile) = (commit("digits", 3, &knn), commit("hostile", 4, &knn));
    world.ingest(
        0,
        &json!({"miner_commits": {
            "miner-3": { "digits": of_digits.revealed() },
            "miner-4": { "hostile": of_hostile.revealed() },
        }}),
    );
    let mut server = world.serve(&[]);
    until("the first day of both is noted", || {
        stored::value::<i64>(&world, "SELECT count(*) FROM challenges") == 2
    });
    world.set_clock(hour_of(0) - 4.0 * HOUR);
    for _ in 0..2 {
        server.wait_for("evaluated");
    }
    server.stop();
    world
}

/// A host that has finalized a day.
fn finalized(world: &World, day: u32, settings: &[&str]) -> Server {
    let mut server = world.serve(settings);
    world.set_clock(hour_of(day));
    server.wait_for("finalized");
    let of_day = |source: &Value| source["slug"] != "digits" || source["day"] == day_of(day);
    until("its vector is told", || {
        let answer = server.get(LATEST);
        answer.status == 200 && {
            let vector = answer.json();
            let mut sources = vector["source_challenges"].as_array().unwrap().iter();
            sources.all(of_day)
        }
    });
    server
}

fn day_of(day: u32) -> String {
    format!("2026-08-{}", 22 + day)
}

/// What was logged, before or after what was waited for last.
fn logged(server: &mut Server, message: &str) -> Event {
    let earlier = server.log.iter().find(|event| event.is(message)).cloned();
    earlier.unwrap_or_else(|| server.wait_for(message))
}

/// What a challenge pays, of a vector.
fn source(vector: &Value, challenge: &str) -> Value {
    let mut sources = vector["source_challenges"].as_array().unwrap().iter();
    let found = sources.find(|source| source["slug"] == challenge);
    found.expect("it is in the vector").clone()
}

#[test]
fn a_challenge_that_lies_is_paid_as_it_last_told_while_that_is_fresh() {
    let world = world();
    let mut server = finalized(&world, 0, &[]);
    let good = latest(&server);
    assert_eq!(good["uids"], json!([3, 4]));
    assert_eq!(source(&good, "hostile")["source"], "own");
    assert_eq!(source(&good, "hostile")["ok"], true);
    server.stop();

    let world = world.configured(&hostile("weight = 'NaN'"));
    let mut server_of_next = finalized(&world, 1, &[]);
    let vector = latest(&server_of_next);
    assert_eq!(vector["weights"], good["weights"], "nobody loses anything");
    let fallback = source(&vector, "hostile");
    assert_eq!(fallback["source"], "fallback", "{fallback}");
    assert_eq!(
        (&fallback["ok"], &fallback["day"]),
        (&json!(false), &json!(day_of(0)))
    );
    let error = fallback["error"].as_str().unwrap();
    assert!(error.starts_with("invalid_output: "), "{error}");
    assert_eq!(source(&vector, "digits")["source"], "own");
    let told = logged(
        &mut server_of_next,
        "a challenge tells no weights of its own",
    );
    assert_eq!(told.text("challenge"), "hostile");
    assert_eq!(told.text("from"), "fallback");
    let metrics = server_of_next.admin_get("/metrics").body;
    let gauge = "proctor_weights_source{challenge=\"hostile\",source=\"fallback\"} 1";
    assert!(metrics.contains(gauge), "{metrics}");

    // After two days it is nothing, and the other has all.
    world.set_clock(hour_of(2) + 1.0);
    server_of_next.wait_for("finalized");
    until("the fallback is too old", || {
        let answer = server_of_next.get(LATEST);
        answer.status == 200 && source(&answer.json(), "hostile")["source"] == "none"
    });
    let vector = latest(&server_of_next);
    assert_eq!(
        (&vector["uids"], &vector["weights"]),
        (&json!([3]), &json!([1.0]))
    );
    server_of_next.stop();

    let world = world.configured(&hostile(""));
    server = finalized(&world, 3, &["weights.unassigned=burn"]);
    assert_eq!(source(&latest(&server), "hostile")["source"], "own");
    server.stop();
}

#[test]
fn a_host_that_was_down_tells_no_vector_before_it_has_made_up_for_the_days() {
    let world = world();
    finalized(&world, 0, &[]).stop();
    // Longer than the last good weights stand in for later ones.
    let server = finalized(&world, 3, &[]);
    let vector = latest(&server);
    assert_eq!(vector["day"], day_of(3));
    let page = server.get("/v1/weights").json();
    for summary in page["vectors"].as_array().unwrap() {
        let old = server.get(&format!("/v1/weights/{}", summary["id"])).json();
        assert_eq!(
            old["uids"],
            json!([3, 4]),
            "nothing is burned meanwhile: {old}"
        );
    }
    server.stop();
}

#[test]
fn no_fallback_where_the_operator_wants_none() {
    let world = world();
    finalized(&world, 0, &[]).stop();
    let world = world.configured(&hostile("weight = '-1'"));
    let server = finalized(&world, 1, &["fallback_weights.max_age_s=0"]);
    let vector = latest(&server);
    assert_eq!(source(&vector, "hostile")["source"], "none");
    assert_eq!(vector["uids"], json!([3]));
    let dropped = vector["derivation"]["dropped"].as_array().unwrap();
    let reason = &dropped[0]["reason"];
    assert_eq!(reason["code"], "challenge_failed", "{vector}");
    server.stop();
}

#[test]
fn validators_get_a_vector_that_is_made_once_and_stays_valid() {
    let world = world();
    let before = world.serve(&[]);
    before.get(LATEST).assert_problem(503, "no_weights");
    before.stop();
    let mut server = finalized(&world, 0, &[]);
    let answer = server.get(LATEST);
    let vector = answer.json();
    let tag = answer.header("etag").to_owned();
    let again = send(
        &server.public,
        "GET",
        LATEST,
        &[("if-none-match", &tag)],
        b"",
    );
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for (key, value) in [
        ("netuid", json!(61)),
        ("chain_endpoint", json!("offline")),
        ("day", json!(day_of(0))),
        ("metagraph_updated_at", Value::Null),
        ("valid_from", json!(hour_of(0))),
    ] {
        assert_eq!(vector[key], value, "{key}");
    }
    let on_chain = &vector["on_chain"];
    assert_eq!(on_chain["uids"], vector["uids"]);
    let values = on_chain["values"].as_array().unwrap();
    assert!(values.contains(&json!(65_535)), "{on_chain}");
    let contributions = &vector["derivation"]["challenges"]["hostile"]["contributions"];
    assert_eq!(
        contributions["miner-4"],
        vector["hotkey_weights"]["miner-4"]
    );
    let now = hour_of(0) + 60.0;
    assert_eq!(payload_check(&vector, 61, now, 720.0), None);

    // It is confirmed before it expires, and is the same one.
    world.pass(600.0);
    until("it is confirmed", || {
        latest(&server)["valid_until"] == json!(hour_of(0) + 1_320.0)
    });
    let confirmed = latest(&server);
    for same in ["id", "digest", "valid_from", "uids", "weights"] {
        assert_eq!(confirmed[same], vector[same], "{same}");
    }
    assert_eq!(
        payload_check(&confirmed, 61, hour_of(0) + 1_319.0, 720.0),
        None
    );
    assert_ne!(server.get(LATEST).header("etag"), tag);

    // Another start makes no other.
    server.stop();
    server = world.serve(&[]);
    until("it is told again", || server.get(LATEST).status == 200);
    assert_eq!(latest(&server)["id"], vector["id"]);
    server.stop();

    // Another share does, and both are in the history.
    let more = hostile("").replace("= 60", "= 20");
    let world = world.configured(&more);
    let server = world.serve(&[]);
    until("another one is told", || {
        let answer = server.get(LATEST);
        answer.status == 200 && answer.json()["digest"] != vector["digest"]
    });
    let other = latest(&server);
    let page = server.get("/v1/weights?limit=1").json();
    assert_eq!(page["vectors"][0]["id"], other["id"]);
    let next = format!(
        "/v1/weights?limit=1&cursor={}",
        page["next"].as_str().unwrap()
    );
    let page = server.get(&next).json();
    assert_eq!(page["vectors"][0]["digest"], vector["digest"]);
    assert_eq!(page["next"], Value::Null);
    let old = server.get(&format!("/v1/weights/{}", vector["id"])).json();
    for same in ["digest", "day", "uids", "weights", "derivation", "on_chain"] {
        assert_eq!(old[same], vector[same], "{same}");
    }
    for unknown in ["0", "99", "x", "-1"] {
        let answer = server.get(&format!("/v1/weights/{unknown}"));
        answer.assert_problem(404, "unknown_vector");
    }
    server
        .get("/v1/weights?cursor=x")
        .assert_problem(400, "invalid_cursor");
    server.stop();
}

#[test]
fn too_few_weights_are_refused_or_padded_as_the_operator_wants() {
    let world = world();
    let mut subnet = metagraph();
    subnet["hyperparameters"] = json!({
        "tempo": 360, "weights_rate_limit": 100, "weights_version": 0,
        "min_allowed_weights": 4, "max_weight_limit": 65_535,
        "commit_reveal_enabled": false, "commit_reveal_period": 1,
        "commit_reveal_version": 4, "mechanism_count": 1, "stake_threshold": 0,
    });
    world.set_metagraph(&subnet);
    let mut server = finalized(&world, 0, &[]);
    let refused = latest(&server);
    let reason = refused["on_chain"]["refused"].as_str().unwrap();
    assert!(
        reason.contains("requires at least 4 weights; only 2"),
        "{reason}"
    );
    assert_eq!(refused["on_chain"]["uids"], json!([]));
    assert_eq!(refused["uids"], json!([3, 4]), "what is earned is told");
    logged(&mut server, "the subnet would refuse the weights");
    assert!(
        server
            .admin_get("/metrics")
            .body
            .contains("proctor_weights_refused 1")
    );
    server.stop();
    let server = world.serve(&["weights.too_few=pad"]);
    until("it is told", || server.get(LATEST).status == 200);
    let padded = latest(&server);
    assert_eq!(padded["on_chain"]["uids"], json!([0, 1, 3, 4]));
    assert_eq!(padded["on_chain"]["values"][0], 1);
    assert_eq!(padded["on_chain"]["padded"], json!([0, 1]));
    assert_eq!(padded["on_chain"]["clipped"], false);
    assert_eq!(padded["on_chain"]["refused"], Value::Null);
    server.stop();
}

/// What a validator of the platform has against a payload.
fn payload_check(payload: &Value, netuid: u64, now: f64, freshness_s: f64) -> Option<String> {
    let time = |key: &str| seconds(payload[key].as_str().unwrap());
    let list = |key: &str| payload[key].as_array().unwrap().len();
    if payload["netuid"] != netuid {
        let got = &payload["netuid"];
        return Some(format!("netuid mismatch: expected {netuid}, got {got}"));
    }
    if time("expires_at") <= now {
        return Some("payload expired".into());
    }
    if now - time("computed_at") > freshness_s {
        return Some("payload stale".into());
    }
    match (list("uids"), list("weights")) {
        (0, _) => Some("uids vector is empty".into()),
        (_, 0) => Some("weights vector is empty".into()),
        (uids, weights) if uids != weights => Some("uids and weights vector lengths differ".into()),
        _ => None,
    }
}

/// A time as in `2030-01-01T00:00:00[.000000]+00:00`, in seconds since the Unix epoch.
fn seconds(text: &str) -> f64 {
    let (text, zone) = text.split_at(text.len() - "+00:00".len());
    assert_eq!(zone, "+00:00");
    let (day, time) = text.split_once('T').unwrap();
    let mut time = time.split(':').map(|part| part.parse::<f64>().unwrap());
    let mut next = || time.next().unwrap();
    let (hours, minutes, seconds) = (next(), next(), next());
    let start = proctor_host::clock::start_of_day(day).unwrap();
    start + hours * HOUR + minutes * 60.0 + seconds
}

/// That the check above is that of the platform.
#[test]
fn the_check_of_payloads_is_that_of_validators_of_the_platform() {
    let golden = include_str!("../golden/platform_validator_payload_check.json");
    let cases: Vec<Value> = serde_json::from_str(golden).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let mut payload = json!({
            "netuid": 100, "uids": [1, 2], "weights": [0.5, 0.5],
            "computed_at": "2030-01-01T00:00:00+00:00",
            "expires_at": "2030-01-01T00:12:00+00:00",
        });
        for (key, value) in case["overrides"].as_object().unwrap() {
            payload[key] = value.clone();
        }
        let made = seconds("2030-01-01T00:00:00+00:00");
        let now = made + case["now_offset_s"].as_f64().unwrap();
        let freshness = case["weights_freshness_seconds"].as_f64().unwrap();
        let reason = payload_check(&payload, 100, now, freshness);
        assert_eq!(json!(reason), case["expected_reason"], "{case}");
    }
}

/// That an answer is bytes of one making.
#[test]
fn the_same_vector_is_the_same_bytes() {
    let world = world();
    let server = finalized(&world, 0, &[]);
    let bodies: Vec<Response> = (0..3).map(|_| server.get(LATEST)).collect();
    assert!(bodies.windows(2).all(|pair| pair[0].body == pair[1].body));
    server.stop();
}
