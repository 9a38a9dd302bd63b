//! Every entry is accounted for exactly once, and so is every reward.

use super::{ORGANIC, Subnet, caller, status, until_status};
use crate::stored;
use proctor_dev_miners::Behaviour;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Entries, each with a sample of its own.
const ENTRIES: usize = 1_000;

/// Iterations that are seen to end between two kills.
const KILLS: [usize; 6] = [1, 60, 7, 150, 30, 200];

/// 32 miners, of which a third misbehave, each in a way of its own.
fn behaviours() -> Vec<Behaviour> {
    let bad = [
        Behaviour::Hang,
        Behaviour::SlowBody,
        Behaviour::HugeBody,
        Behaviour::WrongType,
        Behaviour::NotJson,
        Behaviour::Redirect("http://127.0.0.1:1/".to_owned()),
        Behaviour::Status(500),
        Behaviour::Close,
        Behaviour::Wrong,
        Behaviour::Slow(Duration::from_secs(100)),
    ];
    let good = (0..32 - bad.len()).map(|_| Behaviour::Good);
    bad.iter().cloned().chain(good).collect()
}

#[test]
fn every_entry_is_accounted_for_exactly_once_whatever_is_killed_when() {
    let subnet = Subnet::new(
        &behaviours(),
        "frequency = 0.02
frequency_min = 0.01
concurrency = 16
caller_share = 1
miner_timeout_ms = 400
max_response_bytes = 65536",
    );
    let server = subnet.serve();
    let address = Mutex::new(server.public.clone());
    let (next, accepted) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let server = thread::scope(|scope| {
        let mut server = server;
        for number in 0..4 {
            let (subnet, address, next, accepted) = (&subnet, &address, &next, &accepted);
            scope.spawn(move || {
                let caller = caller(number);
                loop {
                    let entry = next.fetch_add(1, Ordering::Relaxed);
                    if entry >= ENTRIES {
                        return;
                    }
                    let id = send_until_taken(subnet, address, &caller, entry);
                    accepted.lock().unwrap().insert(entry, id);
                }
            });
        }
        for ends in KILLS {
            for _ in 0..ends {
                server.wait_for("organic iteration");
            }
            server.kill();
            server = subnet.serve();
            server.public.clone_into(&mut address.lock().unwrap());
        }
        server
    });
    let accepted = accepted
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    assert_eq!(accepted.len(), ENTRIES);
    until_status(&server, "the queue is empty", |status| {
        status["queue"]["queued"] == 0 && status["queue"]["leased"] == 0
    });
    server.stop();
    assert_accounted(&subnet, &accepted);
}

/// Sends an entry until the host has said that it is queued: again if the host died over
/// it, or was not there. Returns its id.
fn send_until_taken(
    subnet: &Subnet,
    address: &Mutex<String>,
    caller: &proctor_host::chain::Hotkey,
    entry: usize,
) -> String {
    loop {
        let to = address.lock().unwrap().clone();
        let Some(answer) = subnet.try_send(&to, caller, &json!({ "x": entry }), &[]) else {
            thread::yield_now();
            continue;
        };
        // It has just begun, and loads the challenge.
        if matches!(answer.status, 503 | 404) {
            thread::yield_now();
            continue;
        }
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        return answer.json()["id"].as_str().unwrap().to_owned();
    }
}

/// Each entry is there once, done, by one iteration; and what each miner has is what the
/// iterations that are done gave it.
fn assert_accounted(subnet: &Subnet, accepted: &BTreeMap<usize, String>) {
    let world = &subnet.world;
    let count = |sql: &str| stored::value::<i64>(world, sql);
    let all = i64::try_from(ENTRIES).unwrap();
    assert_eq!(count("SELECT count(*) FROM organic_entries"), all);
    assert_eq!(
        count("SELECT count(*) FROM organic_entries WHERE state = 'done'"),
        all
    );
    assert_eq!(
        count("SELECT count(DISTINCT sample) FROM organic_entries"),
        all
    );
    let once = "SELECT count(DISTINCT entry) FROM organic_iterations
                WHERE state = 'done' AND entry IS NOT NULL";
    let done = "SELECT count(*) FROM organic_iterations
                WHERE state = 'done' AND entry IS NOT NULL";
    assert_eq!((count(once), count(done)), (all, all));
    assert_eq!(
        count("SELECT count(*) FROM organic_iterations WHERE state = 'running'"),
        0
    );
    let known = stored::values::<String>(world, "SELECT id FROM organic_entries");
    assert!(accepted.values().all(|id| known.contains(id)));

    let mut paid: BTreeMap<String, f64> = BTreeMap::new();
    let records = "SELECT record FROM organic_iterations WHERE state = 'done'";
    for record in stored::values::<String>(world, records) {
        let record: Value = serde_json::from_str(&record).unwrap();
        for reward in record["rewards"].as_array().unwrap() {
            let hotkey = reward["hotkey"].as_str().unwrap().to_owned();
            *paid.entry(hotkey).or_default() += reward["value"].as_f64().unwrap();
        }
    }
    let state = "SELECT state FROM organic_loops";
    let state: Value = serde_json::from_str(&stored::value::<String>(world, state)).unwrap();
    let state: BTreeMap<String, f64> = serde_json::from_value(state).unwrap();
    paid.retain(|_, value| *value > 0.0);
    let mut folded = state;
    folded.retain(|_, value| *value > 0.0);
    assert_eq!(folded, paid);
    assert!(paid.len() >= 20, "the good ones are paid: {paid:?}");
    let bad = subnet.miners.all().iter().take(10);
    for miner in bad {
        assert!(!paid.contains_key(&miner.hotkey), "{miner:?}");
    }
}

#[test]
fn iterations_keep_their_rate_while_all_miners_hang() {
    let hanging = vec![Behaviour::Hang; 4];
    let subnet = Subnet::new(
        &hanging,
        "frequency = 0.05
frequency_min = 0.05
concurrency = 12
miner_timeout_ms = 600000",
    );
    let server = subnet.serve();
    // A miner that hangs is busy with four, so those never end; others begin and end.
    let status = until_status(&server, "iterations begin and end", |status| {
        status["iterations"].as_u64().unwrap() >= 40
    });
    assert_eq!(status["state"], "running");
    let of_first = "SELECT state FROM organic_iterations ORDER BY id LIMIT 4";
    let of_first = stored::values::<String>(&subnet.world, of_first);
    assert_eq!(of_first, ["running"; 4]);
    let done = "SELECT count(*) FROM organic_iterations WHERE state = 'done'";
    assert!(stored::value::<i64>(&subnet.world, done) >= 20);
    server.kill();
}

#[test]
fn a_failing_sample_is_tried_again_and_then_kept_for_inspection() {
    let subnet = Subnet::new(&[Behaviour::Good], "frequency = 0.02\nfrequency_min = 0.01");
    let mut server = subnet.serve();
    let poison = json!({ "x": 1, "fail": "internal" });
    let answer = subnet.send(&server, &caller(0), &poison, &[]);
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        server.wait(|event| event.is("organic iteration failed") && event.text("entry") == id);
    }
    until_status(&server, "it is given up", |status| {
        status["queue"]["failed"] == 1
    });
    let entry = server
        .get(&format!("/v1/organic/{ORGANIC}/entries/{id}"))
        .json();
    assert_eq!(
        (&entry["state"], &entry["attempts"]),
        (&json!("failed"), &json!(3)),
        "{entry}"
    );
    let failed = server.admin_get(&format!("/v1/admin/organic/{ORGANIC}/entries?state=failed"));
    assert_eq!(failed.json()["entries"][0]["id"], json!(id));
    assert_eq!(status(&server)["queue"]["failed"], 1);
    server.stop();
}
