//! What organic scoring pays is in the one vector.

use super::{ORGANIC, Subnet};
use crate::support::until;
use proctor_dev_miners::Behaviour;
use serde_json::json;

#[test]
fn miners_are_paid_for_what_they_answered() {
    let behaviours = [
        Behaviour::Good,
        Behaviour::Wrong,
        Behaviour::Good,
        Behaviour::Close,
    ];
    let subnet = Subnet::new(
        &behaviours,
        "frequency = 0.02\nfrequency_min = 0.01\nminer_timeout_ms = 60000",
    );
    let server = subnet.serve();
    let miners = subnet.miners.all();
    until("a vector pays the good ones", || {
        let answer = server.get("/v1/weights/latest");
        answer.status == 200 && answer.json()["uids"] == json!([miners[0].uid, miners[2].uid])
    });
    let vector = server.get("/v1/weights/latest").json();
    let source = &vector["source_challenges"][0];
    assert_eq!(
        (&source["slug"], &source["source"]),
        (&json!(ORGANIC), &json!("own"))
    );
    let log = server
        .get(&format!("/v1/organic/{ORGANIC}/iterations"))
        .json();
    let mut iterations = log["iterations"].as_array().unwrap().iter();
    let last = iterations.find(|one| one["state"] == "done").unwrap();
    for key in [
        "organic_time_sample",
        "organic_time_responses",
        "organic_time_rewards",
        "organic_time_weights",
        "organic_time_total",
        "organic_queue_size",
        "is_organic_sample",
    ] {
        assert!(!last[key].is_null(), "{key}: {last}");
    }
    server.stop();
}
