//! Receipts: a day's scores, told to somebody else, who computes them again.

use crate::commits::{HOUR, all_revealed};
use crate::days::{due, finalized, hour_of};
use crate::stored;
use crate::support::{Ran, Server, World, proctor, run};
use proctor_host::receipts::tree::is_consistent;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const DAY: &str = "2026-08-22";

/// A world with two honest submissions, a copy, and one that never ends, on the first
/// day.
fn world() -> World {
    let world = World::new().with_digits();
    world.set_clock(hour_of(0) - 2.0 * HOUR);
    let miners = ["knn", "nearest_centroid", "knn_renamed", "endless_loop"];
    let commits: Vec<_> = (3..)
        .zip(miners)
        .map(|(uid, solver)| {
            let at = hour_of(0) - 9.0 * HOUR + f64::from(uid) * HOUR;
            due(uid, &world.add_artifact(solver), at)
        })
        .collect();
    world.ingest(0, &all_revealed(&commits));
    world
}

/// The same, finalized.
fn scored() -> (World, Server) {
    let world = world();
    let mut server = world.serve(&[]);
    for _ in 0..4 {
        server.wait_for("evaluated");
    }
    world.set_clock(hour_of(0));
    finalized(&mut server, 0);
    (world, server)
}

/// Exports a day with all that it takes to do it again.
pub(crate) fn export(world: &World, day: &str, more: &[&str]) -> PathBuf {
    let path = world.path().join(format!("{day}.bundle"));
    let output = path.to_str().unwrap();
    let arguments = ["receipts", "export", "--day", day, "--output", output];
    let ran = world.run(&[&arguments[..], more].concat());
    assert!(ran.status.success(), "{}", ran.stderr);
    path
}

/// Has a bundle verified where nothing else is known of the host.
pub(crate) fn verify(bundle: &str, more: &[&str]) -> Ran {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = proctor(&["verify", bundle, "--json"]);
    command.args(more).current_dir(elsewhere.path());
    let cache = elsewhere.path().join("cache");
    command.arg("--cache").arg(cache);
    run(&mut command)
}

/// Exports a day, and has it verified: every receipt is.
#[track_caller]
pub(crate) fn assert_verified(world: &World, day: &str) -> Value {
    let bundle = export(world, day, &["--artifacts"]);
    let ran = verify(bundle.to_str().unwrap(), &[]);
    let report = ran.json();
    assert_eq!(report["verdict"], "verified", "{report:#}");
    assert_eq!(ran.status.code(), Some(0));
    report
}

/// Ids of a kind of receipts that are stored.
fn ids(world: &World, kind: &str) -> Vec<String> {
    stored::values(
        world,
        &format!("SELECT id FROM receipts WHERE kind = '{kind}' ORDER BY seq"),
    )
}

#[test]
fn a_days_scores_are_computed_again_by_somebody_else_to_the_same_bytes() {
    let (world, server) = scored();
    let while_it_serves = assert_verified(&world, DAY);
    let kinds = &while_it_serves["receipts"];
    for (kind, least) in [
        ("evaluate", 4),
        ("judge", 4),
        ("get_weights", 1),
        ("vector", 1),
    ] {
        let verified = kinds[kind]["verified"].as_u64();
        assert!(verified >= Some(least), "{kind}: {while_it_serves:#}");
    }
    // What never ends is out of fuel at the same instruction.
    let outcomes: Vec<String> = stored::values(
        &world,
        "SELECT body ->> 'outcome' FROM receipts WHERE kind = 'solve' GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(outcomes, ["ok", "out_of_fuel"]);
    let address = server.public.clone();
    let url = format!("http://{address}/v1/days/{DAY}/bundle?artifacts=true");
    let ran = verify(&url, &[]);
    assert_eq!(ran.json()["verdict"], "verified", "{}", ran.stderr);
    let ran = verify(
        &format!("http://{address}"),
        &["--day", DAY, "--sample", "2"],
    );
    assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    server.stop();
    assert_verified(&world, DAY);
}

#[test]
fn nothing_of_a_day_is_told_before_it_is_finalized() {
    let world = world();
    let mut server = world.serve(&[]);
    for _ in 0..4 {
        server.wait_for("evaluated");
    }
    let evaluations = ids(&world, "evaluate");
    let solves = ids(&world, "solve");
    assert!(evaluations.len() == 4 && solves.len() >= 4);
    let all: Vec<&String> = evaluations.iter().chain(&solves).collect();
    let status = |id: &str| server.get(&format!("/v1/receipts/{id}")).status;
    for id in &all {
        assert_eq!(status(id), 404);
    }
    assert_eq!(server.get(&format!("/v1/days/{DAY}")).status, 404);
    assert_eq!(server.get(&format!("/v1/days/{DAY}/bundle")).status, 404);
    let ran = world.run(&["receipts", "export", "--day", DAY]);
    assert!(!ran.status.success());
    world.set_clock(hour_of(0));
    finalized(&mut server, 0);
    for id in &all {
        assert_eq!(
            server.get(&format!("/v1/receipts/{id}")).status,
            200,
            "{id}"
        );
    }
    server.stop();
}

#[test]
fn without_the_artifacts_their_runs_are_not_checkable_and_nothing_is_said_to_differ() {
    let (world, server) = scored();
    server.stop();
    let bundle = export(&world, DAY, &[]);
    let bundle = bundle.to_str().unwrap();
    let ran = verify(bundle, &[]);
    assert_eq!(ran.status.code(), Some(3), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["verdict"], "not_checkable");
    assert!(report["receipts"]["evaluate"]["verified"].as_u64() >= Some(4));
    // They are found elsewhere by their digests.
    let artifacts = world.path().join("miners");
    fs::create_dir(&artifacts).unwrap();
    for solver in ["knn", "nearest_centroid", "knn_renamed", "endless_loop"] {
        let from = proctor_testing::guest(solver);
        fs::copy(from, artifacts.join(solver).with_extension("wasm")).unwrap();
    }
    let ran = verify(bundle, &["--plugins", artifacts.to_str().unwrap()]);
    assert_eq!(ran.json()["verdict"], "verified", "{}", ran.stderr);
}

/// The same work on another host has the same receipts: nothing in them is chance, time
/// or place.
#[test]
fn two_hosts_that_do_the_same_have_the_same_receipts() {
    let world = world();
    let other = world.copy();
    let of = |world: &World, calls: &str| {
        let mut server = world.serve(&[calls]);
        for _ in 0..4 {
            server.wait_for("evaluated");
        }
        server.stop();
        ["evaluate", "solve"].map(|kind| {
            let mut ids = ids(world, kind);
            ids.sort();
            ids
        })
    };
    let one = of(&world, "sandbox.max_concurrent_calls=1");
    let many = of(&other, "sandbox.max_concurrent_calls=8");
    assert_eq!(one, many);
    assert_eq!(one[0].len(), 4);
}

#[test]
fn a_score_leads_to_its_receipt_and_its_receipt_to_the_signed_day() {
    let (_world, mut server) = scored();
    if !server.log.iter().any(|event| event.is("weights")) {
        server.wait_for("weights");
    }
    let day = server.get(&format!("/v1/days/{DAY}")).json();
    let head = &day["head"]["head"];
    let size = head["size"].as_u64().unwrap();
    let weights = server.get("/v1/weights/latest").json();
    let vector = weights["receipt"].as_str().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut left = vec![vector.to_owned()];
    while let Some(id) = left.pop() {
        let told = server.get(&format!("/v1/receipts/{id}")).json();
        assert_eq!(told["id"], id.as_str());
        let of = told["receipt"]["depends_on"].as_array().unwrap().clone();
        left.extend(of.iter().map(|id| id.as_str().unwrap().to_owned()));
        seen.insert((told["receipt"]["kind"].to_string(), id));
    }
    let count = |kind: &str| {
        let kind = json!(kind).to_string();
        seen.iter().filter(|(of, _)| *of == kind).count()
    };
    // The vector pays two, whose verdicts rest on evaluations, whose tasks were solved.
    assert_eq!(count("vector"), 1);
    assert_eq!(count("get_weights"), 1);
    assert!(count("judge") >= 2 && count("evaluate") >= 2 && count("solve") >= 4);
    let finalization = server.get(&format!("/v1/finalizations/digits/{DAY}"));
    let finalization = finalization.json();
    assert!(finalization["receipt"].is_string(), "{finalization:#}");
    // The tree of then is the beginning of that of now.
    let tree = &finalization["tree"];
    let before = tree["size"].as_u64().unwrap();
    assert!(before < size);
    let proof = format!("/v1/days/{DAY}/consistency?from={before}&to={size}");
    let proof = server.get(&proof).json();
    assert_eq!(proof["from"]["root"], tree["root"]);
    assert_eq!(proof["to"]["root"], head["root"]);
    let hashes: Vec<String> = serde_json::from_value(proof["proof"].clone()).unwrap();
    let (old, new) = (
        tree["root"].as_str().unwrap(),
        head["root"].as_str().unwrap(),
    );
    assert!(is_consistent((old, before), (new, size), &hashes).unwrap());
}

#[test]
fn a_bundle_that_is_no_bundle_is_refused_and_keeps_its_own_status() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nonsense");
    fs::write(&path, "nonsense").unwrap();
    let ran = verify(path.to_str().unwrap(), &[]);
    assert_eq!(ran.status.code(), Some(2), "{}", ran.stderr);
    let ran = verify("/nowhere/at/all", &[]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stderr.contains("/nowhere/at/all"), "{}", ran.stderr);
}

/// A day of one submission, by a host that is configured like this.
fn day_of_one(config: &str) -> World {
    let world = World::new().with_digits().configured(config);
    world.set_clock(hour_of(0) - 2.0 * HOUR);
    let commit = due(3, &world.add_artifact("knn"), hour_of(0) - 5.0 * HOUR);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    server.wait_for("evaluated");
    world.set_clock(hour_of(0));
    finalized(&mut server, 0);
    server.stop();
    world
}

#[test]
fn an_environment_is_not_given_out_not_even_to_be_guessed() {
    let world = day_of_one("environment = { WORD = 'open sesame' }");
    let bundle = export(&world, DAY, &["--artifacts"]);
    let bytes = fs::read(&bundle).unwrap();
    let document = r#"{"variables":{"WORD":"open sesame"},"version":"proctor-environment-1"}"#;
    let digest = proctor_host::canonical::digest(document);
    for secret in ["open sesame", &digest] {
        let secret = secret.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    let ran = verify(bundle.to_str().unwrap(), &[]);
    assert_eq!(ran.status.code(), Some(3), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["receipts"]["evaluate"]["not_checkable"], 1);
    assert_eq!(report["receipts"]["solve"]["verified"], 2, "{report:#}");
    let whys: Vec<&Value> = report["findings"].as_array().unwrap().iter().collect();
    assert!(
        whys.iter().all(|finding| finding["why"] == "environment"),
        "{whys:#?}"
    );
}

#[test]
fn a_call_with_a_longer_transcript_than_is_kept_is_not_checkable() {
    let world = day_of_one("[receipts]\nmax_transcript_bytes = 100");
    let bundle = export(&world, DAY, &["--artifacts"]);
    let ran = verify(bundle.to_str().unwrap(), &[]);
    assert_eq!(ran.status.code(), Some(3), "{}", ran.stderr);
    assert_eq!(ran.json()["receipts"]["evaluate"]["not_checkable"], 1);
}

#[test]
fn a_host_without_receipts_scores_all_the_same() {
    let world = day_of_one("[receipts]\nrecord = false");
    assert_eq!(
        stored::value::<i64>(&world, "SELECT count(*) FROM receipts"),
        0
    );
    let scores = "SELECT count(*) FROM commits WHERE accepted";
    assert_eq!(stored::value::<i64>(&world, scores), 1);
    let ran = world.run(&["receipts", "export", "--day", DAY]);
    assert!(!ran.status.success());
    assert!(ran.stderr.contains("has no receipts"), "{}", ran.stderr);
    assert!(!world.data().join("receipts.key").exists());
}
