//! Validators that do evaluations again: with signatures, leases, and a worker of our
//! own.

use crate::commits::{Commit, all_revealed};
use crate::http::Response;
use crate::metrics::Metrics;
use crate::support::{DAY, Server, World, connect, metagraph, neuron, run, send, until};
use proctor_host::chain::Hotkey;
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// The seed of `//Alice`, as a wallet has it.
const ALICE_SEED: &str = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";

const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const SHARE: &str = "[validators]\naudit_share = 1.0\nmax_open_per_validator = 2\n";

/// A host that has finalized a day with two evaluations; Alice and Bob are validators.
struct Scene {
    world: World,
    alice: Validator,
    bob: Validator,
}

impl Scene {
    fn new() -> Self {
        Scene::configured(SHARE)
    }

    fn configured(more: &str) -> Self {
        let world = World::new().with_digits().configured(more);
        let (alice, bob) = (Validator::new("//Alice"), Validator::new("//Bob"));
        let mut metagraph = metagraph();
        metagraph["neurons"][0] = neuron(0, alice.address(), 90_000.0);
        metagraph["neurons"][1] = neuron(1, bob.address(), 40_000.0);
        metagraph["neurons"][2] = neuron(2, Validator::new("//Charlie").address(), 50.0);
        metagraph["neurons"][18] = neuron(18, Validator::new("//Dave").address(), 90_000.0);
        metagraph["neurons"][18]["validator_permit"] = json!(false);
        world.set_metagraph(&metagraph);
        let commits = [("knn", 3, 30.0), ("linear", 4, 29.0)]
            .map(|(name, uid, hours_ago)| Commit::new(uid, &world.add_artifact(name), hours_ago));
        // Nobody is to be told of this one: it is not revealed.
        let sealed = Commit::new(5, &world.add_variant("knn", 1), 2.0);
        world.ingest(0, &all_revealed(commits.iter().chain([&sealed])));
        Scene { world, alice, bob }
    }

    /// Serves, has the challenge active and the day finalized.
    fn serve(&self) -> Server {
        let server = self.world.serve(&[]);
        until("the day is finalized", || {
            let found = server.get("/v1/challenges").json();
            let digits = &found["challenges"][0];
            digits["active"] == true && digits["last_finalized_day"].is_string()
        });
        server
    }
}

struct Validator(Hotkey);

impl Validator {
    fn new(uri: &str) -> Self {
        Validator(Hotkey::from_uri(uri).unwrap())
    }

    fn address(&self) -> &str {
        self.0.address()
    }

    /// The headers of a request that is signed now.
    fn sign(&self, world: &World, method: &str, path: &str, body: &str) -> Vec<(String, String)> {
        static NONCES: AtomicU64 = AtomicU64::new(0);
        let nonce = format!("nonce-{}", NONCES.fetch_add(1, Ordering::Relaxed));
        let now = world.now() as i64;
        let digest = hex::encode(Sha256::digest(body));
        let message = format!("{method}\n{path}\n{now}\n{nonce}\n{digest}");
        let signature = hex::encode(self.0.sign(message.as_bytes()));
        [
            ("x-hotkey", self.address().to_owned()),
            ("x-signature", signature),
            ("x-nonce", nonce),
            ("x-timestamp", now.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn post(&self, world: &World, server: &Server, path: &str, body: &Value) -> Response {
        let body = body.to_string();
        ask(
            server,
            "POST",
            path,
            &self.sign(world, "POST", path, &body),
            &body,
        )
    }

    #[track_caller]
    fn done(&self, world: &World, server: &Server, path: &str, body: &Value) -> Value {
        let response = self.post(world, server, path, body);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    fn register(&self, world: &World, server: &Server) -> Value {
        self.done(
            world,
            server,
            "/v1/validators/register",
            &json!({"version": "1"}),
        )
    }

    #[track_caller]
    fn pull(&self, world: &World, server: &Server, max: u32) -> Vec<Value> {
        let mut pulled = self.done(world, server, "/v1/assignments/pull", &json!({"max": max}));
        match pulled["assignments"].take() {
            Value::Array(assignments) => assignments,
            other => panic!("{other}"),
        }
    }

    /// Tells what came of an assignment.
    fn tell(&self, world: &World, server: &Server, id: &Value, result: &Value) -> Response {
        self.post(
            world,
            server,
            &format!("/v1/assignments/{id}/result"),
            result,
        )
    }
}

fn ask(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> Response {
    let mut all = vec![("content-type", "application/json")];
    all.extend(
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    send(&server.public, method, path, &all, body.as_bytes())
}

/// `GET` of what is no text: status and body.
fn fetch(server: &Server, path: &str, headers: &[(String, String)]) -> (u16, Vec<u8>) {
    let mut stream = connect(&server.public);
    let mut head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

/// What the operator sees of assignments in a state.
fn assignments(server: &Server, state: &str) -> Vec<Value> {
    let path = format!("/v1/admin/assignments?state={state}");
    let mut page = server.admin_get(&path).json();
    match page["assignments"].take() {
        Value::Array(assignments) => assignments,
        other => panic!("{other}"),
    }
}

fn wrong() -> Value {
    json!({"success": true, "result_digest": WRONG, "outcome": "ok", "fuel": 7})
}

fn sum(server: &Server, metric: &str, labels: &[(&str, &str)]) -> f64 {
    Metrics::of(&server.admin_get("/metrics")).sum(metric, labels)
}

#[test]
fn a_validator_comes_to_the_same_results_with_nothing_but_its_assignments() {
    let scene = Scene::new();
    let world = &scene.world;
    let server = scene.serve();
    let wallets = world.path().join("wallets");
    let hotkeys = wallets.join("v").join("hotkeys");
    fs::create_dir_all(&hotkeys).unwrap();
    let key = json!({"secretSeed": ALICE_SEED, "ss58Address": scene.alice.address()});
    fs::write(hotkeys.join("default"), key.to_string()).unwrap();
    let assist = || {
        let url = format!("http://{}", server.public);
        let mut command = world.proctor(&["client", "assist", "--url", &url, "--wallet.name", "v"]);
        run(command.arg("--wallet.path").arg(&wallets))
    };
    let ran = assist();
    assert!(ran.status.success(), "{}{}", ran.stdout, ran.stderr);
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for line in &lines {
        let found = [
            &line["verdict"],
            &line["state"],
            &line["outcome"],
            &line["challenge"],
        ];
        assert_eq!(found, ["agrees", "confirmed", "ok", "digits"], "{line}");
    }
    let confirmed = assignments(&server, "confirmed");
    assert_eq!(confirmed.len(), 2);
    for assignment in &confirmed {
        let result = &assignment["results"][0];
        assert_eq!(result["digest"], assignment["expected"], "{assignment}");
        assert_eq!(
            (&result["end"], &assignment["attempts"]),
            (&json!("agrees"), &json!(1))
        );
        assert!(result["fuel"].as_u64().unwrap() > 0);
    }
    let results = |outcome| {
        let labels = [("challenge", "digits"), ("outcome", outcome)];
        sum(&server, "proctor_assignment_results_total", &labels)
    };
    assert_eq!((results("confirmed"), results("contradicted")), (2.0, 0.0));
    let again = assist();
    assert!(
        again.status.success() && again.stdout.is_empty(),
        "there is nothing to do"
    );
    let validators = server.get("/v1/validators/public").json();
    let expected = json!({
        "uid": 0, "hotkey": scene.alice.address(), "status": "online", "subscriptions": [],
        "last_seen": world.now(),
    });
    assert_eq!(validators["validators"], json!([expected]));
    server.stop();
}

#[test]
fn a_request_counts_once_and_only_a_validators() {
    let scene = Scene::new();
    let (world, alice) = (&scene.world, &scene.alice);
    let server = scene.serve();
    let path = "/v1/validators/register";
    let body = "{\"version\": \"1\"}";
    let post = |headers: &[(String, String)]| ask(&server, "POST", path, headers, body);
    let good = alice.sign(world, "POST", path, body);
    for index in 0..good.len() {
        let mut headers = good.clone();
        headers.remove(index);
        post(&headers).assert_problem(401, "missing_header");
        let mut headers = good.clone();
        headers[index].1 = "?".repeat(200);
        post(&headers).assert_problem(401, "malformed_header");
    }
    ask(&server, "POST", path, &good, "{\"version\": \"2\"}").assert_problem(401, "bad_signature");
    let other = ask(&server, "POST", "/v1/validators/heartbeat", &good, body);
    other.assert_problem(401, "bad_signature");
    post(&alice.sign(world, "GET", path, body)).assert_problem(401, "bad_signature");
    let mut stolen = good.clone();
    scene.bob.address().clone_into(&mut stolen[0].1);
    post(&stolen).assert_problem(401, "bad_signature");
    for (who, code) in [
        ("//Eve", "not_registered"),
        ("//Charlie", "stake_too_low"),
        ("//Dave", "no_permit"),
    ] {
        let headers = Validator::new(who).sign(world, "POST", path, body);
        post(&headers).assert_problem(403, code);
    }
    assert_eq!(
        server.get("/v1/validators/public").json(),
        json!({"validators": []})
    );

    let early = alice.post(world, &server, "/v1/assignments/pull", &json!({}));
    early.assert_problem(409, "register_first");
    // What was refused is not held against who signed it.
    let registered = post(&good);
    assert_eq!(registered.status, 200, "{registered:?}");
    let registered = registered.json();
    assert_eq!(
        (&registered["uid"], &registered["lease_s"]),
        (&json!(0), &json!(900.0))
    );
    post(&good).assert_problem(409, "replayed");
    drop(server);
    let server = scene.serve();
    ask(&server, "POST", path, &good, body).assert_problem(409, "replayed");
    world.pass(301.0);
    ask(&server, "POST", path, &good, body).assert_problem(401, "stale");
    let refused = |code| {
        let labels = [("kind", "register"), ("outcome", code)];
        sum(&server, "proctor_validator_requests_total", &labels)
    };
    assert_eq!(
        (refused("replayed"), refused("stale"), refused("ok")),
        (1.0, 1.0, 0.0)
    );
    server.stop();
}

#[test]
fn what_cannot_be_read_is_told_by_its_field() {
    let scene = Scene::new();
    let (world, alice) = (&scene.world, &scene.alice);
    let server = scene.serve();
    alice.register(world, &server);
    let register = "/v1/validators/register";
    let raw = |path: &str, body: &str| {
        ask(
            &server,
            "POST",
            path,
            &alice.sign(world, "POST", path, body),
            body,
        )
    };
    raw(register, "{").assert_problem(400, "invalid_json");
    raw(register, &" ".repeat(70_000)).assert_problem(413, "body_rejected");
    let result = "/v1/assignments/1/result";
    for (path, body, field) in [
        (register, json!({"version": 7}), "version"),
        (
            register,
            json!({"capabilities": ["a", "b\n"]}),
            "capabilities[1]",
        ),
        (register, json!({"gpu": {"name": "x".repeat(5_000)}}), "gpu"),
        (
            "/v1/validators/heartbeat",
            json!({"status": "x".repeat(201)}),
            "status",
        ),
        (
            "/v1/validators/subscriptions",
            json!({"challenges": 1}),
            "challenges",
        ),
        ("/v1/assignments/pull", json!({"max": -1}), "max"),
        (
            "/v1/assignments/1/progress",
            json!({"progress": 1.1}),
            "progress",
        ),
        (result, json!({"success": true}), "result_digest"),
        (
            result,
            json!({"success": true, "result_digest": "A"}),
            "result_digest",
        ),
        (result, json!({"success": "yes"}), "success"),
    ] {
        let refused = raw(path, &body.to_string());
        refused.assert_problem(422, "invalid_fields");
        assert_eq!(refused.json()["errors"][0]["field"], field, "{refused:?}");
    }
    let unknown = json!({"challenges": ["digits", "nowhere"]});
    let refused = raw("/v1/validators/subscriptions", &unknown.to_string());
    refused.assert_problem(422, "unknown_challenge");
    assert!(refused.body.contains("nowhere"), "{refused:?}");
    raw("/v1/assignments/x/result", "{}").assert_problem(400, "invalid_path");
    raw("/v1/assignments/77/result", &wrong().to_string())
        .assert_problem(404, "unknown_assignment");
    let state = server.admin_get("/v1/admin/assignments?state=done");
    state.assert_problem(400, "invalid_state");
    server.stop();
}

#[test]
fn an_assignment_names_everything_but_the_result() {
    let scene = Scene::new();
    let (world, alice) = (&scene.world, &scene.alice);
    let server = scene.serve();
    alice.register(world, &server);
    let assignments = alice.pull(world, &server, 9);
    assert_eq!(
        assignments.len(),
        2,
        "no more than it may have, and nothing unrevealed"
    );
    assert_eq!(
        alice.pull(world, &server, 9),
        assignments,
        "it has them already"
    );
    let assignment = &assignments[0];
    let results = server.get("/v1/results?hotkey=miner-3").json()["results"].take();
    let path = format!(
        "/v1/results/digits/{}",
        results[0]["sha256"].as_str().unwrap()
    );
    let evaluation = server.get(&path).json()["evaluation"].take();
    for key in [
        "plugin_digest",
        "settings_digest",
        "engine",
        "seed",
        "logical_time",
    ] {
        assert_eq!(assignment[key], evaluation[key], "{key}");
    }
    let settings = assignment["settings"].as_str().unwrap();
    assert_eq!(
        hex::encode(Sha256::digest(settings)),
        assignment["settings_digest"]
    );
    assert_eq!(assignment["solver_limits"]["fuel"], 100_000_000);
    assert_eq!(
        (&assignment["attempt"], &assignment["lease_until"]),
        (&json!(1), &json!(world.now() + 900.0))
    );
    let expected = assignments_expected(&server);
    assert!(
        !assignment.to_string().contains(&expected),
        "the result is not told"
    );

    let id = &assignment["id"];
    for (what, content) in [
        ("artifact", guest_bytes("knn")),
        ("component", guest_bytes("digits")),
    ] {
        let path = format!("/v1/assignments/{id}/{what}");
        let signed = |who: &Validator| who.sign(world, "GET", &path, "");
        let (status, body) = fetch(&server, &path, &signed(alice));
        assert!(status == 200 && body == content, "{what}: {status}");
        assert_eq!(fetch(&server, &path, &[]).0, 401);
        let early = ask(&server, "GET", &path, &signed(&scene.bob), "");
        early.assert_problem(409, "register_first");
    }
    scene.bob.register(world, &server);
    let path = format!("/v1/assignments/{id}/artifact");
    let signed = scene.bob.sign(world, "GET", &path, "");
    ask(&server, "GET", &path, &signed, "").assert_problem(409, "not_yours");
    server.stop();
}

/// The digest that the first assignment must come to.
fn assignments_expected(server: &Server) -> String {
    let leased = assignments(server, "leased");
    leased.last().unwrap()["expected"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn another_is_asked_when_results_differ_until_it_is_contradicted() {
    let scene = Scene::configured(&SHARE.replace("= 2", "= 1"));
    let Scene { world, alice, bob } = &scene;
    let mut server = scene.serve();
    alice.register(world, &server);
    bob.register(world, &server);
    let first = alice.pull(world, &server, 1).remove(0);
    let id = &first["id"];
    let told = alice.tell(world, &server, id, &wrong());
    assert_eq!(
        told.json(),
        json!({"id": id, "verdict": "differs", "state": "open"})
    );
    let other = alice.pull(world, &server, 1).remove(0);
    assert_ne!(other["id"], *id, "somebody else is asked");
    let failed = json!({"success": false, "detail": "no time"});
    let told = alice.tell(world, &server, &other["id"], &failed);
    assert_eq!(told.json()["verdict"], "failed");
    assert_eq!(
        told.json()["state"],
        "open",
        "somebody else may come to a result"
    );
    assert_eq!(alice.pull(world, &server, 1), [json!(null); 0]);

    let second = bob.pull(world, &server, 1).remove(0);
    assert_eq!((&second["id"], &second["attempt"]), (id, &json!(2)));
    assert_eq!(
        bob.tell(world, &server, id, &wrong()).json()["state"],
        "open"
    );
    let third = alice.pull(world, &server, 1).remove(0);
    assert_eq!(
        (&third["id"], &third["attempt"]),
        (id, &json!(3)),
        "both have tried it"
    );
    let last = alice.tell(world, &server, id, &wrong());
    assert_eq!(last.json()["state"], "contradicted");
    let again = alice.tell(world, &server, id, &wrong());
    assert_eq!(again.json(), last.json(), "it is taken once");
    let mut changed = wrong();
    changed["fuel"] = json!(8);
    alice
        .tell(world, &server, id, &changed)
        .assert_problem(409, "done");

    let warning = server.wait(|event| event.message.starts_with("an evaluation is contradicted"));
    assert_eq!(warning.text("challenge"), "digits");
    let contradicted = assignments(&server, "contradicted");
    let ends = contradicted[0]["results"].as_array().unwrap();
    assert_eq!(ends.len(), 3);
    assert!(
        ends.iter()
            .all(|end| end["end"] == "differs" && end["digest"] == WRONG)
    );
    let labels = [("challenge", "digits"), ("outcome", "contradicted")];
    assert_eq!(
        sum(&server, "proctor_assignment_results_total", &labels),
        1.0
    );
    let mut events = connect(&server.public);
    let head = "GET /v1/events HTTP/1.0\r\nlast-event-id: 0\r\n\r\n";
    events.write_all(head.as_bytes()).unwrap();
    let mut seen = String::new();
    while !seen.contains("event: contradicted\n") || !seen.ends_with("\n\n") {
        let mut bytes = [0; 1_024];
        let length = events.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "{seen}");
        seen.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    let artifact = first["artifact_digest"].as_str().unwrap();
    let data = seen.split("event: contradicted\n").nth(1).unwrap();
    assert!(data.contains(artifact), "{seen}");
    server.stop();
}

#[test]
fn a_lease_outlives_the_host_and_ends_in_time() {
    let scene = Scene::new();
    let Scene { world, alice, bob } = &scene;
    let server = scene.serve();
    alice.register(world, &server);
    let held = alice.pull(world, &server, 1).remove(0);
    server.kill();
    let server = scene.serve();
    assert_eq!(
        alice.pull(world, &server, 1),
        std::slice::from_ref(&held),
        "it still has it"
    );
    bob.register(world, &server);
    let others = bob.pull(world, &server, 9);
    assert_eq!(others.len(), 1);
    assert_ne!(others[0]["id"], held["id"]);

    world.pass(800.0);
    let id = &held["id"];
    let route = format!("/v1/assignments/{id}/progress");
    let extended = alice.done(world, &server, &route, &json!({"progress": 0.5}));
    assert_eq!(
        extended,
        json!({"id": id, "lease_until": world.now() + 900.0})
    );
    bob.post(world, &server, &route, &json!({"progress": 0.5}))
        .assert_problem(409, "not_yours");
    world.pass(200.0);
    let late = bob.tell(world, &server, &others[0]["id"], &wrong());
    late.assert_problem(409, "lease_over");
    let public = server.get("/v1/validators/public").json()["validators"].take();
    let status: Vec<_> = public
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["status"])
        .collect();
    assert_eq!(
        status,
        ["offline", "online"],
        "Alice was not heard for 200 seconds"
    );

    world.pass(701.0);
    bob.pull(world, &server, 0);
    alice
        .tell(world, &server, id, &wrong())
        .assert_problem(409, "lease_over");
    let path = format!("/v1/assignments/{id}/artifact");
    let signed = alice.sign(world, "GET", &path, "");
    ask(&server, "GET", &path, &signed, "").assert_problem(409, "lease_over");
    let again = bob.pull(world, &server, 9);
    let again = again
        .iter()
        .find(|assignment| assignment["id"] == *id)
        .unwrap();
    assert_eq!(again["attempt"], 2);
    let leased = assignments(&server, "leased");
    let leased = leased
        .iter()
        .find(|assignment| assignment["id"] == *id)
        .unwrap();
    assert_eq!(leased["results"][0]["end"], "lease_over");
    assert_eq!(leased["validator"], bob.address());
    server.stop();
}

#[test]
fn a_validator_is_given_what_it_works_for_and_can_run() {
    let scene = Scene::new();
    let (world, alice) = (&scene.world, &scene.alice);
    let server = scene.serve();
    alice.register(world, &server);
    let pull = |engine: &str| {
        let body = json!({"engine": engine, "max": 1});
        let mut pulled = alice.done(world, &server, "/v1/assignments/pull", &body);
        pulled["assignments"].take()
    };
    assert_eq!(pull("wasmtime-1"), json!([]));
    let held = pull("");
    assert_eq!(held, json!([]), "nothing is a beginning of a name");
    let engine = server.get("/v1/results?hotkey=miner-3").json();
    let path = format!(
        "/v1/results/digits/{}",
        engine["results"][0]["sha256"].as_str().unwrap()
    );
    let engine = server.get(&path).json()["evaluation"]["engine"].take();
    let identity = engine
        .as_str()
        .unwrap()
        .split("+limits")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(pull(&identity)[0]["engine"], engine);

    let subscribe = |names: Value| {
        let body = json!({"challenges": names});
        alice.done(world, &server, "/v1/validators/subscriptions", &body)
    };
    assert_eq!(
        subscribe(json!(["digits", "digits"]))["subscriptions"],
        json!(["digits"])
    );
    let works_for = |name: &str| {
        let found = server.get(&format!("/v1/validators/public?challenge={name}"));
        assert_eq!(found.status, 200, "{found:?}");
        assert!(!found.header("etag").is_empty());
        found.json()["validators"].as_array().unwrap().len()
    };
    assert_eq!(works_for("digits"), 1);
    server
        .get("/v1/validators/public?challenge=nowhere")
        .assert_problem(404, "unknown_challenge");
    assert_eq!(subscribe(json!([]))["subscriptions"], json!([]));

    let beat = json!({"status": "idle"});
    alice.done(world, &server, "/v1/validators/heartbeat", &beat);
    let nodes = server.admin_get("/v1/admin/validators").json();
    let node = &nodes["validators"][0];
    assert_eq!(node["about"], json!({"version": "1", "status": "idle"}));
    assert_eq!(
        (&node["stake"], &node["registered"]),
        (&json!(90_000.0), &json!(true))
    );
    server.stop();
}

#[test]
fn what_depends_on_more_than_an_assignment_says_is_not_offered() {
    for given in [
        "data = true",
        "database = true",
        "environment = { A = 'b' }",
    ] {
        let more = format!("{given}\n{SHARE}");
        let scene = Scene::configured(&more);
        let server = scene.serve();
        scene.alice.register(&scene.world, &server);
        let pulled = scene.alice.pull(&scene.world, &server, 9);
        assert_eq!(pulled, [json!(null); 0], "{given}");
        server.stop();
    }
}

#[test]
fn a_host_that_offers_nothing_has_nothing_to_do() {
    let scene = Scene::configured("[validators]\naudit_share = 0.0\n");
    let (world, alice) = (&scene.world, &scene.alice);
    let server = scene.serve();
    alice.register(world, &server);
    assert_eq!(alice.pull(world, &server, 9), [json!(null); 0]);
    world.pass(2.0 * DAY);
    assert_eq!(alice.pull(world, &server, 9), [json!(null); 0]);
    server.stop();
}
