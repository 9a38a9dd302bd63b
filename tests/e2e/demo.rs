//! `proctor demo`.

use crate::http;
use crate::support::{Ran, Server, World, proctor, run};
use proctor_testing::guest;
use serde_json::{Value, json};
use std::fs;
use std::thread;

const SOLVERS: [&str; 8] = [
    "nearest_centroid",
    "knn",
    "linear",
    "first_example",
    "knn_renamed",
    "endless_loop",
    "memory_hog",
    "malformed_json",
];

/// A world whose plugins folder is as `cargo xtask plugins` leaves it.
fn world() -> World {
    let world = World::new().with_digits();
    let solvers = world.plugins().join("digits-solvers");
    fs::create_dir(&solvers).unwrap();
    for name in SOLVERS {
        fs::copy(guest(name), solvers.join(name).with_extension("wasm")).unwrap();
    }
    world
}

fn demo(world: &World, arguments: &[&str]) -> Ran {
    let mut command = proctor(&["demo"]);
    command.arg("--plugins").arg(world.plugins());
    command.arg("--data-dir").arg(world.data());
    run(command.args(arguments))
}

#[test]
fn the_demo_catches_the_copy_and_the_hostile_and_pays_the_others() {
    let ran = demo(&world(), &["--json"]);
    assert!(ran.status.success(), "{}", ran.stderr);
    let result = ran.json();
    let lines = result["leaderboard"].as_array().unwrap();
    assert_eq!(lines.len(), SOLVERS.len());
    let line = |hotkey: &str| lines.iter().find(|line| line["hotkey"] == hotkey).unwrap();

    let copy = line("copycat");
    assert_eq!(copy["similar_to"], "neighbours");
    assert_eq!(copy["similarity"], 1.0);
    assert_eq!(copy["accepted"], false);
    assert_eq!(copy["outcome"], "ok");
    assert_eq!(line("neighbours")["accepted"], true, "it came first");
    for (hotkey, outcome) in [
        ("sleeper", "out_of_fuel"),
        ("hoarder", "out_of_memory"),
        ("babbler", "invalid_output"),
    ] {
        let line = line(hotkey);
        assert_eq!(line["score"], 0.0, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["accepted"], false, "{line}");
        assert_eq!(line["similarity"], Value::Null, "{line}");
    }

    // Who is accepted is paid, and nobody else; the better the more.
    let weights: Vec<u64> = lines
        .iter()
        .map(|l| l["weight"].as_u64().unwrap())
        .collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
    assert_eq!(weights[0], 65_535);
    for line in lines {
        assert_eq!(line["weight"] != 0, line["accepted"] == true, "{line}");
    }
    let mut paid: Vec<(u64, u64)> = lines
        .iter()
        .map(|l| (l["uid"].as_u64().unwrap(), l["weight"].as_u64().unwrap()))
        .filter(|(_, weight)| *weight > 0)
        .collect();
    paid.sort_unstable();
    let (uids, values): (Vec<u64>, Vec<u64>) = paid.into_iter().unzip();
    assert_eq!(result["weights"], json!({ "uids": uids, "values": values }));

    // What would be sent is that vector, and the chain would take it.
    let plan = &result["submission"];
    assert_eq!(plan["source"], "offline");
    assert_eq!(plan["call"]["call"], "set_weights");
    assert_eq!(plan["call"]["arguments"]["dests"], json!(uids));
    assert_eq!(plan["call"]["arguments"]["weights"], json!(values));
    assert_eq!(plan["refused"], Value::Null);
    assert!(plan["checks"].as_array().unwrap().len() > 10, "{plan}");
}

#[test]
fn the_seed_decides_every_byte() {
    let seeds = ["1", "1", "2"];
    let [first, again, other] = thread::scope(|scope| {
        let runs = seeds.map(|seed| {
            scope.spawn(move || {
                let ran = demo(&world(), &["--json", "--seed", seed]);
                assert!(ran.status.success(), "{}", ran.stderr);
                ran.stdout
            })
        });
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!(first, again);
    let other: Value = serde_json::from_str(&other).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_ne!(first["leaderboard"], other["leaderboard"]);
}

#[test]
fn the_demo_goes_on_serving_what_it_scored() {
    let world = world();
    let mut command = proctor(&["demo", "--serve"]);
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.arg("--plugins").arg(world.plugins());
    command.arg("--data-dir").arg(world.data());
    let mut demo = Server::start(&mut command);
    let curl = demo.next_printed();
    let (board, rest) = demo.printed.split_at(1 + SOLVERS.len());
    assert!(board[0].starts_with("uid"), "{board:?}");
    assert!(board.iter().all(|line| !line.starts_with("weights of")));
    assert!(
        rest[0].starts_with("weights of 2026-08-22: uids ["),
        "{rest:?}"
    );
    let plan = rest[1..].join("\n");
    for words in [
        "SubtensorModule.set_weights",
        // The call, the subnet, and four uids.
        "0x07003d0010",
        "NeuronNoValidatorPermit",
        "The chain would take it.",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }

    // The line that it tells to try.
    let (url, body) = curl.split_once(" -d '").unwrap();
    let address = format!("http://{}/get_scoring_result", demo.public);
    let json = "-H 'content-type: application/json'";
    assert_eq!(url, format!("try: curl -s {address} {json}"));
    let body = body.strip_suffix('\'').unwrap();
    let response = http::request(&demo.public, "POST", "/get_scoring_result", body.as_bytes());
    assert_eq!(response.status, 200, "{}", response.body);
    let data = &response.json()["data"];
    assert_eq!(data["is_done"], true);
    let commits = data["commits"].as_object().unwrap();
    assert!(
        commits.values().all(|commit| commit["score"].is_f64()),
        "{data}"
    );
    demo.stop();
}

#[test]
fn a_data_directory_that_is_in_use_is_refused() {
    let world = world();
    fs::write(world.data().join("proctor.sqlite"), "").unwrap();
    let data = world.data();
    demo(&world, &[]).assert_refused(&[data.to_str().unwrap(), "fresh data directory"]);
}

#[test]
fn a_component_that_is_missing_is_named_with_the_command_that_builds_it() {
    let world = world();
    for missing in ["digits-solvers/linear.wasm", "digits.wasm"] {
        fs::remove_file(world.plugins().join(missing)).unwrap();
        demo(&world, &[]).assert_refused(&[missing, "cargo xtask plugins"]);
    }
}
