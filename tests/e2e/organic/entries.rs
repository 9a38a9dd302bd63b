//! What becomes of an entry: refused, joined to another, awaited, fetched later.

use super::{ORGANIC, Subnet, caller, try_request};
use proctor_dev_miners::Behaviour;
use proctor_host::chain::Hotkey;
use serde_json::json;

/// Nothing is taken from the queue before somebody counts a step.
const STEPS: &str = "trigger = 'steps'\nfrequency = 1\nfrequency_min = 1\n";

#[test]
fn an_answer_can_be_awaited_or_fetched_later() {
    let subnet = Subnet::new(
        &[Behaviour::Wrong, Behaviour::Good],
        "frequency = 0.02\nfrequency_min = 0.01",
    );
    let server = subnet.serve();
    let awaited = subnet.send(
        &server,
        &caller(0),
        &json!({ "x": 7 }),
        &[("prefer", "wait=20")],
    );
    assert_eq!(awaited.status, 200, "{awaited:?}");
    assert_eq!(awaited.header("preference-applied"), "wait=20");
    let entry = awaited.json();
    assert_eq!(entry["state"], "done");
    assert_eq!(entry["answer"], json!({ "echo": 7 }), "the best answer");
    let good = &subnet.miners.all()[1];
    assert_eq!(entry["uid"], good.uid);
    let id = entry["id"].as_str().unwrap();
    let later = server.get(&format!("/v1/organic/{ORGANIC}/entries/{id}"));
    assert_eq!(later.json()["answer"], entry["answer"]);
    assert_eq!(later.header("cache-control"), "no-store");
    server
        .get(&format!("/v1/organic/{ORGANIC}/entries/{}", "0".repeat(32)))
        .assert_problem(404, "unknown_entry");
    server.stop();
}

#[test]
fn who_waits_is_answered_when_the_host_stops() {
    let subnet = Subnet::new(&[Behaviour::Good], &format!("{STEPS}dedupe_s = 1"));
    let server = subnet.serve();
    let address = server.public.clone();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let wait = [("prefer", "wait=25")];
            subnet.try_send(&address, &caller(0), &json!({ "x": 1 }), &wait)
        });
        super::until_status(&server, "it is queued", |status| {
            status["queue"]["queued"] == 1
        });
        let log = server.stop();
        let cut = "requests were still open";
        assert!(!log.iter().any(|event| event.message.starts_with(cut)));
        let answer = waits.join().unwrap().expect("an answer");
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json()["state"], "queued");
    });
}

#[test]
fn the_same_sample_is_queued_once() {
    let subnet = Subnet::new(&[Behaviour::Good], STEPS);
    let server = subnet.serve();
    let first = subnet.send(&server, &caller(0), &json!({ "x": 1, "priority": 1 }), &[]);
    assert_eq!(
        (first.status, &first.json()["duplicate"]),
        (202, &json!(false))
    );
    let id = first.json()["id"].clone();
    assert_eq!(
        first.header("location"),
        format!("/v1/organic/{ORGANIC}/entries/{}", id.as_str().unwrap())
    );
    // Another caller, other spaces.
    let again = subnet.send(&server, &caller(1), &json!({ "x": 1 }), &[]);
    assert_eq!(
        (&again.json()["id"], &again.json()["duplicate"]),
        (&id, &json!(true))
    );
    let other = subnet.send(&server, &caller(0), &json!({ "x": 2 }), &[]);
    assert_ne!(other.json()["id"], id);
    server.stop();
}

#[test]
fn a_refusal_says_which_and_why_and_nothing_is_queued() {
    let denied = caller(3);
    let subnet = Subnet::new(
        &[Behaviour::Good],
        &format!(
            "{STEPS}max_body_bytes = 1000\nblacklist = ['{}']",
            denied.address()
        ),
    );
    let server = subnet.serve();
    let refused = |body: serde_json::Value, status, code| {
        let answer = subnet.send(&server, &caller(0), &body, &[]);
        answer.assert_problem(status, code);
    };
    refused(json!({ "x": 1, "blacklist": true }), 403, "blacklisted");
    refused(json!({ "x": 1, "unverified": true }), 401, "unverified");
    refused(json!({ "x": 1, "invalid": true }), 422, "invalid");
    refused(json!({ "x": "y".repeat(2_000) }), 413, "body_too_large");
    let entry = json!({ "x": 1 });
    let nobody = Hotkey::from_uri("//Nobody").unwrap();
    subnet
        .send(&server, &nobody, &entry, &[])
        .assert_problem(403, "not_registered");
    server
        .post(&format!("/v1/organic/{ORGANIC}"), &entry)
        .assert_problem(401, "missing_header");
    server
        .post("/v1/organic/nobody", &entry)
        .assert_problem(404, "unknown_challenge");

    // A signature counts for one body, and once.
    let path = format!("/v1/organic/{ORGANIC}");
    let body = entry.to_string();
    let signed = subnet.signed(&caller(0), &path, body.as_bytes());
    let headers: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let sent =
        |body: &str| try_request(&server.public, "POST", &path, &headers, body.as_bytes()).unwrap();
    sent(r#"{"x":2}"#).assert_problem(401, "bad_signature");
    assert_eq!(sent(&body).status, 202);
    sent(&body).assert_problem(409, "replayed");
    // Who may not ask does not even use it up.
    let signed = subnet.signed(&denied, &path, body.as_bytes());
    let headers: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    for _ in 0..2 {
        let answer = try_request(&server.public, "POST", &path, &headers, body.as_bytes());
        answer.unwrap().assert_problem(403, "blacklisted");
    }
    assert_eq!(super::status(&server)["queue"]["queued"], 1);
    let metrics = server.admin_get("/metrics").body;
    for reason in [
        "blacklisted",
        "unverified",
        "invalid",
        "body_too_large",
        "not_registered",
    ] {
        assert!(metrics.contains(reason), "{reason}");
    }
    server.stop();
}

#[test]
fn one_caller_has_its_share_and_the_oldest_are_dropped() {
    let subnet = Subnet::new(
        &[Behaviour::Good],
        &format!("{STEPS}queue_max = 4\ncaller_share = 0.5"),
    );
    let server = subnet.serve();
    let send = |number, x: u32| subnet.send(&server, &caller(number), &json!({ "x": x }), &[]);
    let first = send(0, 1).json();
    assert_eq!(send(0, 2).status, 202);
    send(0, 3).assert_problem(429, "too_many_entries");
    for (number, x) in [(1, 4), (1, 5), (2, 6)] {
        assert_eq!(send(number, x).status, 202);
    }
    let queue = super::status(&server)["queue"].clone();
    assert_eq!(
        (&queue["queued"], &queue["dropped"]),
        (&json!(4), &json!(1))
    );
    let id = first["id"].as_str().unwrap();
    let dropped = server
        .get(&format!("/v1/organic/{ORGANIC}/entries/{id}"))
        .json();
    assert_eq!(
        (&dropped["state"], &dropped["code"]),
        (&json!("dropped"), &json!("dropped"))
    );
    // Another one of the first caller is taken now.
    assert_eq!(send(0, 7).status, 202);
    server.stop();
}

#[test]
fn an_entry_may_come_by_a_route_of_the_challenge() {
    let subnet = Subnet::new(
        &[Behaviour::Good],
        &format!(
            "{STEPS}[[challenges.{ORGANIC}.routes]]\nmethod = 'POST'\npath = '/Echo'\norganic = true"
        ),
    );
    let server = subnet.serve();
    let path = format!("/challenges/{ORGANIC}/Echo");
    let body = json!({ "x": 1 }).to_string();
    let signed = subnet.signed(&caller(0), &path, body.as_bytes());
    let headers: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = try_request(&server.public, "POST", &path, &headers, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(super::status(&server)["queue"]["queued"], 1);
    server.get(&path).assert_problem(404, "no_routes");
    server.stop();
}
