//! Challenges whose component must be signed (`signed_by`), and what is pulled from a real
//! registry.

use super::{component, configure, get, patch, post, runtime, serve, settings, world};
use crate::commits::{Commit, all_revealed};
use crate::oci_server::Registry;
use crate::support::{Ran, START, Server, World, run, until, variant};
use proctor_host::chain::Hotkey;
use proctor_host::config;
use proctor_host::registry::oci::OciClient;
use proctor_host::registry::signature::SigningKey;
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use tokio::runtime::Runtime;

const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
/// A key of ECDSA, for tests alone.
const KEY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/signing/key.pem"
);
const PUBLIC: &str = include_str!("../../fixtures/signing/key.pub");

/// A world in whose configuration the digits challenge must be signed by the test key.
fn signed_world() -> World {
    let world = world("");
    let section = format!(
        "[challenges.digits]
settings = {{ tasks = 2, batch_size = 10, min_score = 0.2 }}
signed_by = [\"\"\"
{PUBLIC}\"\"\"]
"
    );
    configure(&world, &section);
    world
}

fn file(world: &World) -> PathBuf {
    world.plugins().join("digits.wasm")
}

fn drop_in(world: &World, bytes: &[u8]) {
    let draft = world.write("draft", bytes);
    fs::rename(draft, file(world)).unwrap();
}

fn sign(world: &World) {
    let file = file(world);
    world.done(&["plugin", "sign", file.to_str().unwrap(), "--key", KEY]);
}

/// Waits until the file in the drop folder is rejected.
fn rejected(server: &Server, code: &str) {
    until(code, || {
        let plugins = server.get("/v1/plugins").json();
        plugins["plugins"][0]["rejected"]["code"] == code
    });
}

fn running(server: &Server) -> String {
    let runtime = runtime(server, "digits");
    assert_eq!(runtime["state"], "running", "{runtime}");
    runtime["digest"].as_str().unwrap().to_owned()
}

fn until_running(server: &Server) -> String {
    let status = "/v1/admin/challenges/digits/status";
    until("it runs", || {
        let found = server.admin("GET", status, None, &[]);
        found.status == 200 && found.json()["runtime"]["state"] == "running"
    });
    running(server)
}

/// Waits until it does not run as it should, and that is why.
fn until_it_is(server: &Server, state: &str, code: &str) -> Value {
    until(code, || {
        let now = runtime(server, "digits");
        now["state"] == state && now["reason"]["code"] == code
    });
    runtime(server, "digits")
}

#[track_caller]
fn not_ready(refused: &crate::http::Response, code: &str) {
    refused.assert_problem(409, "not_ready");
    let refused = refused.json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("{code}: ")), "{detail}");
}

#[test]
fn a_file_of_the_drop_folder_runs_only_if_what_is_beside_it_signs_it() {
    let world = signed_world();
    drop_in(&world, &guest_bytes("digits"));
    let server = serve(&world);
    rejected(&server, "unsigned");
    sign(&world);
    let first = until_running(&server);

    // The signature is of the version before.
    drop_in(&world, &variant("digits", 2));
    rejected(&server, "bad_signature");
    assert_eq!(running(&server), first);
    sign(&world);
    until("the new version runs", || running(&server) != first);
    let second = running(&server);

    // Without it the last good version goes on, and no start brings it back.
    fs::remove_file(world.plugins().join("digits.wasm.sig")).unwrap();
    let degraded = until_it_is(&server, "degraded", "unsigned");
    assert_eq!(degraded["digest"], second, "{degraded}");
    server.stop();
    let server = serve(&world);
    until_it_is(&server, "failed", "unsigned");
    sign(&world);
    assert_eq!(until_running(&server), second);

    // What was signed before is signed still.
    let back = json!({ "digest": first });
    let back = post(&server, "challenges/digits/rollback", &back);
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(running(&server), first);
    server.stop();
    let server = serve(&world);
    assert_eq!(until_running(&server), first);
    server.stop();
}

/// Signs a file, and returns the signature.
fn signature_of(world: &World, file: &str) -> String {
    let out = world.path().join("signature");
    let out = out.to_str().unwrap();
    world.done(&["plugin", "sign", file, "--key", KEY, "--output", out]);
    fs::read_to_string(out).unwrap()
}

/// Adds the digits challenge to the store, with a signature.
fn add(world: &World, server: &Server, signature: &str) -> Ran {
    let signature = world.write("signature", signature);
    let token = world.write("token", format!("operator {}\n", server.token()));
    let url = format!("http://{}", server.admin);
    let file = guest("digits");
    let mut arguments = vec!["component", "add", file.to_str().unwrap()];
    arguments.extend(["--signature", &signature, "--token-file", &token]);
    arguments.extend(["--url", &url]);
    run(&mut world.proctor(&arguments))
}

#[test]
fn a_component_of_the_store_needs_a_signature_that_is_kept() {
    let world = world("");
    let server = serve(&world);
    let artifact = component(&server, &guest_bytes("digits"));
    let body = json!({"slug": "digits", "artifact": artifact, "settings": settings(),
        "status": "active", "signed_by": [ALICE, PUBLIC]});
    not_ready(&post(&server, "challenges", &body), "unsigned");
    add(&world, &server, "nonsense").assert_refused(&["bad_signature"]);

    let other = world.write("other.wasm", variant("digits", 2));
    let added = add(&world, &server, &signature_of(&world, &other));
    assert!(added.status.success(), "{}", added.stderr);
    not_ready(&post(&server, "challenges", &body), "bad_signature");

    let signature = signature_of(&world, guest("digits").to_str().unwrap());
    let added = add(&world, &server, &signature);
    assert!(added.status.success(), "{}", added.stderr);
    let created = post(&server, "challenges", &body);
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(running(&server), artifact);

    // Another version is not signed by this.
    let unsigned = component(&server, &variant("digits", 3));
    let unsigned = json!({ "artifact": unsigned });
    not_ready(&patch(&server, "challenges/digits", &unsigned), "unsigned");
    let nobody = json!({"signed_by": ["nobody"]});
    let nobody = patch(&server, "challenges/digits", &nobody);
    assert_eq!(super::fields(&nobody), ["signed_by.0"]);
    assert_eq!(get(&server, "challenges/digits")["digest"], artifact);
    server.stop();
    let server = serve(&world);
    assert_eq!(until_running(&server), artifact);
    server.stop();

    fs::remove_dir_all(world.data().join("signatures")).unwrap();
    let server = serve(&world);
    until_it_is(&server, "failed", "unsigned");
    server.stop();
}

/// The configuration that allows a registry.
fn allow(registry: &Registry) -> String {
    format!(
        "[registry]\nplain_http = [\"{0}\"]\nprivate_hosts = [\"{0}\"]\nsubmission_hosts = [\"{0}\"]\n",
        registry.address
    )
}

fn push(world: &World, registry: &Registry, file: &str, more: &[&str]) -> Value {
    let reference = format!("{}/org/digits:1.0.0", registry.address);
    let mut arguments = vec!["plugin", "push", file, &reference, "--json"];
    arguments.extend(more);
    serde_json::from_str(&world.done(&arguments)).unwrap()
}

/// Signs what was pushed, in the registry, with the hotkey of a seed.
fn sign_as(seed: &str, registry: &Registry, pushed: &Value) {
    let registries = config::Registry {
        plain_http: vec![registry.address.clone()],
        private_hosts: vec![registry.address.clone()],
        ..config::Registry::default()
    };
    let client = OciClient::new(&registries, 64 << 20).unwrap();
    let reference = pushed["reference"].as_str().unwrap().parse().unwrap();
    let manifest = pushed["manifest_digest"].as_str().unwrap();
    let key = SigningKey::from(Hotkey::from_uri(seed).unwrap());
    let signed = Runtime::new()
        .unwrap()
        .block_on(client.sign(&reference, manifest, &key));
    assert!(signed.unwrap());
}

#[test]
fn a_component_of_a_registry_needs_a_signature_there_and_then_no_registry() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let world = world(&allow(&registry));
    let server = serve(&world);
    let digits = guest("digits");
    let digits = digits.to_str().unwrap();
    let pushed = push(&world, &registry, digits, &[]);
    assert_eq!(pushed["kind"], "challenge");
    let body = json!({"slug": "digits", "artifact": pushed["reference"],
        "settings": settings(), "status": "active", "signed_by": [PUBLIC]});
    not_ready(&post(&server, "challenges", &body), "unsigned");
    // Strangers' signatures are told of, and take no places.
    for stranger in ["//Alice", "//Bob", "//Charlie"] {
        sign_as(stranger, &registry, &pushed);
        not_ready(&post(&server, "challenges", &body), "bad_signature");
    }
    let component = pushed["component_digest"].as_str().unwrap();
    let kept = world
        .data()
        .join("signatures")
        .join(&component["sha256:".len()..]);
    assert_eq!(fs::read_dir(kept).unwrap().count(), 1);
    let signed = push(&world, &registry, digits, &["--key", KEY]);
    assert_eq!(signed["reference"], pushed["reference"]);
    assert_eq!(signed["signed_by"], PUBLIC);
    let created = post(&server, "challenges", &body);
    assert_eq!(created.status, 201, "{created:?}");
    let digest = running(&server);
    assert_eq!(digest, signed["component_digest"]);
    server.stop();
    drop(registry);
    let server = serve(&world);
    assert_eq!(until_running(&server), digest);
    server.stop();
}

#[test]
fn what_is_pulled_by_hand_is_what_was_pushed_and_signed() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let world = world(&allow(&registry));
    let digits = guest("digits");
    let pushed = push(&world, &registry, digits.to_str().unwrap(), &["--key", KEY]);
    let reference = pushed["reference"].as_str().unwrap();
    let out = world.path().join("pulled.wasm");
    let out = out.to_str().unwrap();
    let key = world.write("key.pub", PUBLIC);
    let pull = ["plugin", "pull", reference, "-o", out, "--signed-by"];
    let stranger = world.run(&[&pull[..], &[ALICE]].concat());
    stranger.assert_refused(&["signed, but not by"]);
    assert!(!fs::exists(out).unwrap());
    let printed = world.done(&[&pull[..], &[&key]].concat());
    assert_eq!(printed.trim(), reference);
    assert_eq!(fs::read(out).unwrap(), guest_bytes("digits"));

    // The signature that came with it does for a drop folder.
    let world = signed_world();
    let beside = world.plugins().join("digits.wasm.sig");
    fs::copy(format!("{out}.sig"), beside).unwrap_or_else(|error| panic!("{out}: {error}"));
    drop_in(&world, &guest_bytes("digits"));
    let server = serve(&world);
    until_running(&server);
    server.stop();
}

/// Somebody who takes connections, and never answers.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_submission_is_pulled_from_the_first_repository_that_has_it_beside_the_workers() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let (listener, silent) = silent();
    let registries = format!(
        "[registry]\nplain_http = [\"{0}\", \"{silent}\"]\nprivate_hosts = [\"{0}\"]\n\
         submission_hosts = [\"{0}\", \"{silent}\"]\n",
        registry.address
    );
    let world = World::new().with_digits().configured(&registries);
    let knn = guest("knn");
    let pushed = push(&world, &registry, knn.to_str().unwrap(), &[]);
    let reference = pushed["reference"].as_str().unwrap();
    let gone = reference.replace("org/digits", "org/gone");
    let never = format!("{silent}/org/sum@sha256:{}", "0".repeat(64));
    let commit = |uid, reference: &str, hours_ago| {
        Commit::of_text(uid, &format!("digits---{reference}"), hours_ago)
    };
    let commits = [
        commit(4, &never, 32.0),
        commit(3, &gone, 31.0),
        commit(5, reference, 30.0),
    ];
    world.ingest(0, &all_revealed(&commits));
    let mut server = world.serve(&["sandbox.max_concurrent_calls=1"]);
    // It was asked first, and its client still waits when the others are through.
    let (mut asked, _) = listener.accept().unwrap();
    let pulled = server.wait_for("submission pulled");
    assert_eq!(pulled.text("artifact"), reference);
    server.wait_for("evaluated");
    asked.set_nonblocking(true).unwrap();
    let waits = loop {
        match asked.read(&mut [0; 1024]) {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => break error.kind() == ErrorKind::WouldBlock,
        }
    };
    assert!(waits, "the only worker did not wait for it");
    let metrics = server.admin_get("/metrics").body;
    for (outcome, times) in [("component_not_found", 1), ("ok", 1)] {
        let line = format!("proctor_submission_pulls_total{{outcome=\"{outcome}\"}} {times}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    server.stop();
}

#[test]
fn nothing_is_pulled_that_there_is_no_room_for_until_there_is() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let world = World::new().with_digits().configured(&allow(&registry));
    let knn = guest("knn");
    let pushed = push(&world, &registry, knn.to_str().unwrap(), &[]);
    let reference = pushed["reference"].as_str().unwrap();
    let text = format!("digits---{reference}");
    world.ingest(0, &all_revealed([&Commit::of_text(3, &text, 30.0)]));
    let small = [
        "artifacts.max_bytes=1000000",
        "scoring.max_attempts=2",
        "scoring.retry_s=0.01",
        "scoring.max_retry_s=0.01",
    ];
    let full = [&small[..], &["artifacts.max_total_bytes=1000000"]].concat();
    let filling = world.write("filling", vec![0; 999_000]);
    world.done(&["artifact", "add", &filling]);
    let mut server = world.serve(&full);
    // For as long as that is so: another reason would end it at the second attempt.
    for attempt in 1..=2 {
        let event = server.wait_for("evaluation put back");
        let reason = event.text("reason");
        assert!(reason.contains("the store is full"), "{reason}");
        world.set_clock(START + f64::from(attempt));
    }
    server.stop();
    assert!(
        !world
            .data()
            .join("artifacts")
            .join(&reference[reference.len() - 64..])
            .exists()
    );
    // Later than what the stop may have cut short.
    world.set_clock(START + 300.0);
    let mut server = world.serve(&small);
    server.wait_for("submission pulled");
    server.wait_for("evaluated");
    server.stop();
}

#[test]
fn a_submission_is_pulled_from_where_its_miner_put_it() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let world = World::new().with_digits().configured(&allow(&registry));
    let knn = guest("knn");
    let pushed = push(&world, &registry, knn.to_str().unwrap(), &[]);
    assert_eq!(pushed["kind"], "solver");
    let reference = pushed["reference"].as_str().unwrap();
    let text = format!("digits---{reference}");
    world.ingest(0, &all_revealed([&Commit::of_text(3, &text, 30.0)]));
    let mut server = world.serve(&[]);
    let pulled = server.wait_for("submission pulled");
    assert_eq!(pulled.text("artifact"), reference);
    let judged = server.wait_for("judged");
    assert!(judged.field("score").as_f64().unwrap() > 0.5, "{judged:?}");
    server.stop();

    // The digest of a manifest is none of a submission, and it is told what is.
    let manifest = pushed["manifest_digest"].as_str().unwrap();
    let text = format!("digits---{}/org/digits@{manifest}", registry.address);
    let world = World::new().with_digits().configured(&allow(&registry));
    world.ingest(0, &all_revealed([&Commit::of_text(3, &text, 30.0)]));
    let mut server = world.serve(&[]);
    let event = server.wait_for("evaluation put back");
    let reason = event.text("reason");
    let component = pushed["component_digest"].as_str().unwrap();
    assert!(reason.contains(component), "{reason}");
    server.stop();
}
