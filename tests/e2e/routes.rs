//! The challenges' own routes, over real sockets.

use crate::commits::{Commit, HOUR, all_revealed};
use crate::http::Response;
use crate::metrics::Metrics;
use crate::support::{
    START, Server, World, connect, metagraph, neuron, parse, send, until, variant,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use proctor_host::chain::Hotkey;
use proctor_host::chain::nonced::{Claims, miner_message};
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Rules for the digits challenge, whose section of the configuration goes on here.
const DIGITS: &str = "
route_limits = { request_bytes = 16777216 }
routes = [{ method = 'POST', path = '/submissions', signed = true, upload = true }]
";

/// Rules for the guest that answers what it is told.
const ANSWERS: &str = "
[challenges.answers]
route_limits = { request_bytes = 100000, head_ms = 5000, stream_ms = 20000 }
routes = [
    { method = 'POST', path = '/submissions', signed = true, upload = true },
    { method = 'GET', path = '/signed', signed = true },
    { path = '/signed/*', signed = true },
]
";

/// Rules for the guest that does what it is told.
const ROUTES: &str = "
[challenges.routes]
route_limits = { fuel = 150_000_000, head_ms = 1000, stream_ms = 60000, concurrency = 4, concurrency_per_client = 3 }
";

/// A world with these guests, besides those that are there already, all of which run.
pub(crate) fn serve(world: &World, guests: &[&str]) -> Server {
    serve_with(world, guests, &[])
}

/// [`serve`] with other settings.
pub(crate) fn serve_with(world: &World, guests: &[&str], settings: &[&str]) -> Server {
    for name in guests {
        fs::copy(guest(name), world.plugins().join(format!("{name}.wasm"))).unwrap();
    }
    let files = fs::read_dir(world.plugins()).unwrap().count();
    let server = world.serve(settings);
    until("all challenges are active", || {
        let plugins = server.get("/v1/plugins").json();
        let plugins = plugins["plugins"].as_array().unwrap().iter();
        plugins.filter(|plugin| plugin["state"] == "active").count() == files
    });
    // Their files may be told as active shortly before they can be asked.
    until("it is ready", || server.get("/readyz").status == 200);
    server
}

/// The guest that answers what it is told, with the rules for it.
pub(crate) fn answers() -> (World, Server, Hotkey) {
    let world = World::new().configured(ANSWERS);
    let miner = register(&world, 3, "//Alice");
    let server = serve(&world, &["answers_challenge"]);
    (world, server, miner)
}

/// Has a miner with a key of its own at a uid.
pub(crate) fn register(world: &World, uid: u16, uri: &str) -> Hotkey {
    let key = Hotkey::from_uri(uri).unwrap();
    let path = world.data().join("metagraph.json");
    let mut metagraph: Value =
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|_| metagraph());
    metagraph["neurons"][usize::from(uid)] = neuron(uid, key.address(), 1.0);
    world.set_metagraph(&metagraph);
    key
}

/// A request that is to be signed.
pub(crate) struct Signed<'a> {
    pub(crate) challenge: &'a str,
    pub(crate) method: &'a str,
    /// With the query.
    pub(crate) path: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) at: f64,
    pub(crate) body: &'a [u8],
}

impl Signed<'_> {
    pub(crate) fn headers(&self, key: &Hotkey) -> Vec<(&'static str, String)> {
        let claims = Claims {
            hotkey: key.address().to_owned(),
            nonce: self.nonce.to_owned(),
            timestamp: self.at as i64,
        };
        let digest = hex::encode(Sha256::digest(self.body));
        let message = miner_message(61, self.challenge, self.method, self.path, &claims, &digest);
        vec![
            ("x-hotkey", claims.hotkey),
            ("x-signature", hex::encode(key.sign(message.as_bytes()))),
            ("x-nonce", claims.nonce),
            ("x-timestamp", claims.timestamp.to_string()),
        ]
    }

    /// Sends it with these headers, which may be of another.
    pub(crate) fn send(&self, server: &Server, headers: &[(&str, String)]) -> Response {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        send(&server.public, self.method, self.path, &headers, self.body)
    }
}

fn act(server: &Server, act: &Value) -> Response {
    let text = act.to_string();
    send(
        &server.public,
        "GET",
        "/challenges/routes/x",
        &[("x-act", &text)],
        b"",
    )
}

/// What the guest saw of a request.
fn seen(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let response = send(&server.public, method, path, headers, body);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// What the guest answers with these headers.
fn answered(server: &Server, headers: &Value) -> Response {
    let answer = json!({ "headers": headers, "hex": "6f6b" }).to_string();
    send(
        &server.public,
        "GET",
        "/challenges/answers/x",
        &[("x-answer", &answer)],
        b"",
    )
}

/// Values of a header that a guest saw.
fn values<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = seen["headers"].as_array().unwrap().iter();
    let named = headers.filter(|header| header[0] == name);
    named.map(|header| header[1].as_str().unwrap()).collect()
}

/// Begins a request whose answer is read bit by bit.
fn begin(server: &Server, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = connect(&server.public);
    let mut head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream
}

/// Reads until what was read has something in it.
#[track_caller]
fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while !text.contains(wanted) {
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "it ended before {wanted:?}: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    text
}

fn open_routes(server: &Server) -> f64 {
    let metrics = Metrics::of(&server.admin_get("/metrics"));
    metrics.sum("proctor_route_open", &[])
}

#[test]
fn a_signed_upload_leads_to_the_leaderboard_and_lasts() {
    let world = World::new().with_digits().configured(DIGITS);
    let miner = register(&world, 3, "//Alice");
    let mut server = serve(&world, &[]);
    let page = server.get("/challenges/digits");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("No standings yet"), "{}", page.body);

    let body = guest_bytes("knn");
    let digest = hex::encode(Sha256::digest(&body));
    let upload = |nonce| Signed {
        challenge: "digits",
        method: "POST",
        path: "/challenges/digits/submissions",
        nonce,
        at: world.now(),
        body: &body,
    };
    let first = upload("n1");
    let headers = first.headers(&miner);
    let receipt = first.send(&server, &headers);
    assert_eq!(receipt.status, 202, "{receipt:?}");
    let receipt = receipt.json();
    assert_eq!(receipt["day"], "2026-08-23");
    assert_eq!(receipt["known"], false);
    assert_eq!(receipt["artifact"], format!("sha256:{digest}"));
    first
        .send(&server, &headers)
        .assert_problem(409, "replayed");

    // The peers' own route is another path, and so another message.
    let bridged = Signed {
        path: "/v1/challenges/digits/submissions",
        ..upload("n2")
    };
    let again = bridged.send(&server, &bridged.headers(&miner));
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(again.json()["known"], true);
    assert_eq!(again.json()["id"], receipt["id"]);

    let results = |server: &Server| {
        let results = server.get(&format!("/v1/results?hotkey={}", miner.address()));
        results.json()["results"].clone()
    };
    until("the upload is evaluated", || {
        results(&server)[0]["state"] == "evaluated"
    });
    let found = results(&server);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["committed_at"], START);
    assert_eq!(found[0]["uid"], 3);

    // Another day's hour comes; a kill before is no loss.
    server.kill();
    world.set_clock(START + 23.5 * HOUR);
    server = serve(&world, &[]);
    server.wait(|event| event.is("challenge finalized") && event.text("day") == "2026-08-23");
    let score = results(&server)[0]["score"].as_f64().unwrap();
    assert!(score > 0.5, "{score}");
    let board = server.get("/v1/challenges/digits/leaderboard").json();
    assert_eq!(board["entries"][0]["hotkey"], miner.address());
    let own = server.get("/challenges/digits/leaderboard").json();
    assert_eq!(own["standings"][0]["hotkey"], miner.address());
    assert_eq!(own["standings"][0]["digest"], digest);
    assert_eq!(own["standings"][0]["score"], score);
    let page = server.get("/challenges/digits/");
    assert!(page.body.contains(miner.address()), "{}", page.body);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("sandbox"), "{policy}");
    first.send(&server, &headers).assert_problem(401, "stale");
    server.stop();

    // From the backup it is all there again.
    world.done(&["db", "check"]);
    let backup = world.data().join("scoring_results.json");
    let restored = world.path().join("restored");
    fs::create_dir(&restored).unwrap();
    fs::copy(
        world.data().join("metagraph.json"),
        restored.join("metagraph.json"),
    )
    .unwrap();
    let data_dir = format!("data_dir='{}'", restored.display());
    world.done(&["restore", backup.to_str().unwrap(), "--set", &data_dir]);
    let server = world.serve(&[&data_dir]);
    let found = results(&server);
    assert_eq!(found[0]["score"], score, "{found}");
    server.stop();
}

#[test]
fn a6_16_any_challenge_gets_the_miners_that_signed() {
    let (world, server, miner) = answers();
    let signed = Signed {
        challenge: "answers",
        method: "POST",
        path: "/challenges/answers/signed/x?a=1",
        nonce: "n",
        at: world.now(),
        body: b"hello",
    };
    let headers = signed.headers(&miner);
    let mut smuggled = headers.clone();
    smuggled.push(("x-proctor-verified-uid", "7".to_owned()));
    let response = signed.send(&server, &smuggled);
    assert_eq!(response.status, 200, "{response:?}");
    let seen = response.json();
    assert_eq!(
        values(&seen, "x-proctor-verified-hotkey"),
        [miner.address()]
    );
    assert_eq!(values(&seen, "x-proctor-verified-uid"), ["3"]);
    assert_eq!(values(&seen, "x-proctor-verified-nonce"), ["n"]);
    let hash = hex::encode(Sha256::digest(b"hello"));
    assert_eq!(values(&seen, "x-proctor-request-hash"), [hash]);
    assert_eq!(values(&seen, "x-signature"), [""; 0]);
    assert_eq!(
        (&seen["uri"], &seen["body"]),
        (&json!("/signed/x?a=1"), &json!("68656c6c6f"))
    );

    // Whoever asks otherwise than it was signed has not signed.
    signed
        .send(&server, &headers)
        .assert_problem(409, "replayed");
    let other = |change: &dyn Fn(&mut Signed<'_>), status: u16, code: &str| {
        let mut request = Signed {
            nonce: "m",
            ..signed
        };
        let headers = request.headers(&miner);
        change(&mut request);
        request.send(&server, &headers).assert_problem(status, code);
    };
    other(&|r| r.body = b"hellO", 401, "bad_signature");
    other(
        &|r| r.path = "/challenges/answers/signed/x?a=2",
        401,
        "bad_signature",
    );
    other(
        &|r| r.path = "/challenges/answers/signed/y?a=1",
        401,
        "bad_signature",
    );
    other(&|r| r.method = "PUT", 401, "bad_signature");
    let unsigned = send(&server.public, signed.method, signed.path, &[], b"");
    unsigned.assert_problem(401, "missing_header");
    assert_eq!(unsigned.header("www-authenticate"), "Hotkey");
    let mut old = Signed {
        nonce: "o",
        ..signed
    };
    old.at -= 301.0;
    old.send(&server, &old.headers(&miner))
        .assert_problem(401, "stale");
    let bob = Hotkey::from_uri("//Bob").unwrap();
    signed
        .send(&server, &signed.headers(&bob))
        .assert_problem(401, "not_registered");
    let slug = Signed {
        challenge: "digits",
        ..signed
    };
    signed
        .send(&server, &slug.headers(&miner))
        .assert_problem(401, "bad_signature");
    server.stop();
}

#[test]
fn a_rule_for_signatures_holds_however_the_path_is_written() {
    let (_world, server, _) = answers();
    for (method, path) in [
        ("GET", "/signed"),
        ("HEAD", "/signed"),
        ("GET", "/sign%65d"),
        ("GET", "/signed/"),
        ("GET", "//signed"),
        ("GET", "/x/../signed"),
        ("GET", "/x/%2e%2E/./signed"),
        ("PATCH", "/signed/%61"),
        ("purge", "/signed/x"),
    ] {
        let path = format!("/challenges/answers{path}");
        let response = send(&server.public, method, &path, &[], b"");
        assert_eq!(response.status, 401, "{method} {path}: {response:?}");
    }
    // A guest may take these for the same.
    for (method, path) in [
        ("get", "/signed"),
        ("Head", "/signed"),
        ("post", "/submissions"),
        ("pOST", "/x"),
    ] {
        let path = format!("/challenges/answers{path}");
        let response = send(&server.public, method, &path, &[], b"");
        response.assert_problem(400, "bad_method");
    }
    for (method, path) in [("POST", "/signed"), ("GET", "/Signed"), ("GET", "/signedx")] {
        let path = format!("/challenges/answers{path}");
        let response = send(&server.public, method, &path, &[], b"");
        assert_eq!(response.status, 200, "{method} {path}: {response:?}");
    }
    server.stop();
}

#[test]
fn an_upload_reaches_the_challenge_as_a_reference() {
    let (world, server, miner) = answers();
    let upload = |nonce, body| Signed {
        challenge: "answers",
        method: "POST",
        path: "/challenges/answers/submissions",
        nonce,
        at: world.now(),
        body,
    };
    let request = upload("n", b"an artifact");
    let response = request.send(&server, &request.headers(&miner));
    assert_eq!(response.status, 200, "{response:?}");
    let seen = response.json();
    let digest = hex::encode(Sha256::digest(b"an artifact"));
    assert_eq!(seen["artifact"], format!("sha256:{digest}"));
    assert_eq!(seen["signer"], json!([miner.address(), 3]));
    // It is in the store; the challenge scores nothing, so nobody can submit there.
    assert!(world.done(&["artifact", "list"]).contains(&digest));
    assert_eq!(seen["day"], Value::Null);
    let uploads = fs::read_dir(world.data().join("uploads")).unwrap();
    assert_eq!(uploads.count(), 0);

    let empty = upload("empty", b"");
    let response = empty.send(&server, &empty.headers(&miner));
    response.assert_problem(400, "empty_body");
    // What nobody signed leaves nothing behind.
    let forged = upload("forged", b"forged");
    let response = forged.send(&server, &request.headers(&miner));
    response.assert_problem(401, "bad_signature");
    let forged = hex::encode(Sha256::digest(b"forged"));
    assert!(!world.done(&["artifact", "list"]).contains(&forged));
    let metrics = Metrics::of(&server.admin_get("/metrics"));
    let uploads = |outcome| {
        metrics.sum(
            "proctor_uploads_total",
            &[("challenge", "answers"), ("outcome", outcome)],
        )
    };
    assert_eq!(
        [
            uploads("ok"),
            uploads("empty_body"),
            uploads("bad_signature")
        ],
        [1.0; 3]
    );
    server.stop();

    // 11 of 16 bytes are taken, and then all.
    let small = ["artifacts.max_bytes=16", "artifacts.max_total_bytes=16"];
    let server = serve_with(&world, &["answers_challenge"], &small);
    for (nonce, body, status) in [
        ("large", &b"6bytes"[..], 507),
        ("fits", b"5byte", 200),
        ("more", b"1", 507),
    ] {
        let request = upload(nonce, body);
        let response = request.send(&server, &request.headers(&miner));
        assert_eq!(response.status, status, "{nonce}: {response:?}");
        if status == 507 {
            response.assert_problem(507, "store_full");
        }
    }
    server.stop();
}

#[test]
fn a6_03_what_the_host_vouches_for_cannot_be_smuggled() {
    let (_world, server, _) = answers();
    let headers = [
        ("x-proctor-challenge", "evil"),
        ("X-Proctor-Challenge", "evil"),
        ("x-proctor-client", "192.0.2.1"),
        ("x-proctor-verified-hotkey", "5Evil"),
        ("x_proctor_verified_hotkey", "5Evil"),
        ("x-base-challenge-slug", "evil"),
        ("authorization", "Bearer secret"),
        ("x-admin-token", "secret"),
        ("connection", "close, x-nominated"),
        ("x-nominated", "1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("cookie", "a=b"),
    ];
    let seen = seen(&server, "GET", "/challenges/answers/x", &headers, b"");
    assert_eq!(values(&seen, "x-proctor-challenge"), ["answers"]);
    assert_eq!(values(&seen, "x-proctor-client"), ["127.0.0.1"]);
    assert_eq!(values(&seen, "cookie"), ["a=b"]);
    let text = seen.to_string().to_lowercase();
    for gone in ["evil", "secret", "nominated", "connection"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    server.stop();
}

#[test]
fn a6_03_a_challenge_cannot_speak_for_the_host() {
    let (_world, server, _) = answers();
    let response = answered(
        &server,
        &json!([
            ["x-proctor-verified-hotkey", "5Evil"],
            ["x-base-proxy", "true"],
            ["x-admin-token", "t"],
            ["set-cookie", "a=b"],
            ["strict-transport-security", "max-age=1"],
            ["x-own", "1"],
        ]),
    );
    assert_eq!((response.status, response.body.as_str()), (200, "ok"));
    assert_eq!(response.header("x-own"), "1");
    assert_eq!(response.header("x-content-type-options"), "nosniff");
    for gone in [
        "x-proctor-verified-hotkey",
        "x-base-proxy",
        "x-admin-token",
        "set-cookie",
        "strict-transport-security",
    ] {
        assert_eq!(response.header(gone), "", "{gone}");
    }
    server.stop();
}

#[test]
fn a6_04_a_compressed_body_passes_unaltered_both_ways() {
    let (_world, server, _) = answers();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&[b'x'; 10_000]).unwrap();
    let gzip = encoder.finish().unwrap();
    let hex = hex::encode(&gzip);
    let answer = json!({
        "headers": [["content-encoding", "gzip"], ["content-type", "text/plain"]],
        "hex": hex,
    });
    let mut stream = begin(
        &server,
        "/challenges/answers/x",
        &[("x-answer", &answer.to_string()), ("connection", "close")],
    );
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec())
        .unwrap()
        .to_lowercase();
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let body = &bytes[end + 4..];
    assert!(
        body.windows(gzip.len()).any(|window| window == gzip),
        "{head}"
    );

    let headers = [("content-encoding", "gzip")];
    let seen = seen(&server, "POST", "/challenges/answers/x", &headers, &gzip);
    assert_eq!(values(&seen, "content-encoding"), ["gzip"]);
    assert_eq!(seen["body"], hex);
    server.stop();
}

#[test]
fn a6_05_sizes_and_places_are_the_challenges_own() {
    let (_world, server, _) = answers();
    let path = "/challenges/answers/x";
    let body = vec![0; 100_000];
    let response = send(&server.public, "POST", path, &[], &body);
    assert_eq!(response.status, 200);
    let response = send(
        &server.public,
        "POST",
        path,
        &[],
        &[&body[..], b"x"].concat(),
    );
    response.assert_problem(413, "body_too_large");
    for (given, passed) in [
        ("/next", "/challenges/answers/next"),
        ("/challenges/answers/next", "/challenges/answers/next"),
        ("https://example.com/", "https://example.com/"),
    ] {
        let answer = json!({"status": 302, "headers": [["location", given]]}).to_string();
        let response = send(&server.public, "GET", path, &[("x-answer", &answer)], b"");
        assert_eq!(
            (response.status, response.header("location")),
            (302, passed)
        );
    }
    server.stop();
}

#[test]
fn a_challenge_sees_its_own_paths_and_no_private_one_is_asked() {
    let (_world, server, _) = answers();
    for (path, uri) in [
        ("", "/"),
        ("/", "/"),
        ("?q", "/?q"),
        ("/a%20b/%C3%A9?x=%2F&y", "/a%20b/%C3%A9?x=%2F&y"),
        ("//a/", "//a/"),
        ("/a/../b", "/a/../b"),
        ("/v1/internal/x", "/v1/internal/x"),
    ] {
        let path = format!("/challenges/answers{path}");
        assert_eq!(seen(&server, "GET", &path, &[], b"")["uri"], uri, "{path}");
    }
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        let seen = seen(&server, method, "/challenges/answers/x", &[], b"");
        assert_eq!(seen["method"], method);
    }
    for path in [
        "/health",
        "/internal/x",
        "/%69nternal",
        "/a/../version",
        "/benchmarks/1/run",
    ] {
        let response = server.get(&format!("/challenges/answers{path}"));
        response.assert_problem(403, "path_not_allowed");
    }
    for path in [
        "/a%2Fb",
        "/a%5cb",
        "/%00",
        "/%c0%af",
        "/%zz",
        "/%252e%252e/x",
        "/%25zz/%252e%252e/internal/x",
        "/%2573igned",
        "/../x",
    ] {
        let response = server.get(&format!("/challenges/answers{path}"));
        response.assert_problem(400, "bad_path");
    }
    server
        .get("/challenges/nobody/x")
        .assert_problem(404, "unknown_challenge");
    server
        .get("/challenges/%61nswers/x")
        .assert_problem(404, "unknown_challenge");
    server
        .get("/challenges//x")
        .assert_problem(404, "unknown_challenge");
    server.stop();
}

#[test]
fn a_challenge_without_routes_says_so() {
    let world = World::new();
    let server = serve(&world, &["hostile_challenge"]);
    let name = server.get("/v1/plugins").json()["plugins"][0]["name"].clone();
    let path = format!("/challenges/{}/x", name.as_str().unwrap());
    server.get(&path).assert_problem(404, "no_routes");
    server.stop();
}

#[test]
fn an_answer_comes_as_it_is_written_and_its_guest_ends_with_the_client() {
    let world = World::new().configured(ROUTES);
    let server = serve(&world, &["routes_challenge"]);
    let endless = json!({"do": "stream", "text": "tick\n", "ms": 20}).to_string();
    let mut stream = begin(&server, "/challenges/routes/x", &[("x-act", &endless)]);
    let text = read_until(&mut stream, "tick");
    assert!(
        text.to_lowercase().contains("transfer-encoding: chunked"),
        "{text}"
    );
    read_until(&mut stream, "tick");
    assert_eq!(open_routes(&server), 1.0);
    drop(stream);
    until("the guest has ended", || open_routes(&server) == 0.0);
    let metrics = Metrics::of(&server.admin_get("/metrics"));
    let labels = [("challenge", "routes"), ("outcome", "ok")];
    assert_eq!(metrics.sum("proctor_route_calls_total", &labels), 1.0);
    // A body is echoed while it is still being sent.
    let mut stream = connect(&server.public);
    let echo = json!({"do": "echo"}).to_string();
    let head = format!(
        "POST /challenges/routes/x HTTP/1.1\r\nhost: x\r\nx-act: {echo}\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    read_until(&mut stream, "first");
    stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
    read_until(&mut stream, "second");
    server.stop();
}

#[test]
fn a_stream_of_events_ends_with_the_host() {
    let world = World::new().with_digits();
    let server = serve(&world, &[]);
    let mut stream = begin(&server, "/challenges/digits/leaderboard/events", &[]);
    let text = read_until(&mut stream, "event: leaderboard");
    assert!(text.contains("text/event-stream"), "{text}");
    let events = server.stop();
    let cut = |event: &&crate::support::Event| event.is("requests were still open after 10s");
    assert!(events.iter().find(cut).is_none());
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "a whole answer: {rest:?}");
}

#[test]
fn head_has_the_headers_and_no_body() {
    let world = World::new().with_digits();
    let server = serve(&world, &[]);
    for path in ["/challenges/digits", "/challenges/digits/leaderboard"] {
        let head = send(&server.public, "HEAD", path, &[], b"");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
        assert_eq!(
            head.header("content-type"),
            server.get(path).header("content-type")
        );
    }
    let missing = send(&server.public, "HEAD", "/challenges/digits/none", &[], b"");
    assert_eq!((missing.status, missing.body.as_str()), (404, ""));
    server.stop();
}

#[test]
fn a_broken_handler_is_answered_for_by_the_host() {
    let world = World::new().configured(ROUTES);
    let server = serve(&world, &["routes_challenge"]);
    for (what, status, code) in [
        ("trap", 502, "trap"),
        ("panic", 502, "trap"),
        ("silent", 502, "invalid_output"),
        ("error", 502, "guest_error"),
        ("hoard-memory", 502, "out_of_memory"),
        ("loop", 502, "out_of_fuel"),
        ("sleep", 504, "timeout"),
    ] {
        let response = act(&server, &json!({ "do": what, "seconds": 5 }));
        response.assert_problem(status, code);
        assert!(!response.body.contains("no luck"), "{what}: {response:?}");
    }
    // What breaks after it has begun cannot be taken back: the body is cut short.
    let broken = json!({"do": "stream", "pieces": 1, "then": {"do": "trap"}}).to_string();
    let headers = [("x-act", broken.as_str()), ("connection", "close")];
    let mut stream = begin(&server, "/challenges/routes/x", &headers);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(parse(&bytes, false).is_none(), "{bytes:?}");
    // The others are as they were.
    assert_eq!(act(&server, &json!({"do": "count"})).status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    until("nothing is open", || open_routes(&server) == 0.0);
    server.stop();
}

#[test]
fn a_slow_handler_takes_nothing_from_others() {
    let world = World::new().with_digits().configured(ROUTES);
    let server = serve(&world, &["routes_challenge"]);
    let slow = json!({"do": "stream", "ms": 20}).to_string();
    let held: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = begin(&server, "/challenges/routes/x", &[("x-act", &slow)]);
            read_until(&mut stream, "x\r\n");
            stream
        })
        .collect();
    let refused = act(&server, &json!({"do": "count"}));
    refused.assert_problem(429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), "1");
    // Another challenge, and the host's own routes, answer as ever.
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(server.get("/challenges/digits/tasks/sample").status, 200);
        assert_eq!(server.get("/v1/challenges").status, 200);
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    drop(held);
    until("there is a place again", || {
        act(&server, &json!({"do": "count"})).status == 200
    });
    let metrics = Metrics::of(&server.admin_get("/metrics"));
    let labels = [("challenge", "routes"), ("outcome", "too_many_requests")];
    assert!(metrics.sum("proctor_route_refusals_total", &labels) >= 1.0);
    server.stop();
}

#[test]
fn a_challenge_that_is_replaced_goes_on_answering() {
    let (world, server, _) = answers();
    let mut stream = connect(&server.public);
    stream
        .write_all(b"POST /challenges/answers/x HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab")
        .unwrap();
    fs::write(
        world.plugins().join("answers_challenge.wasm"),
        variant("answers_challenge", 7),
    )
    .unwrap();
    let digest = hex::encode(Sha256::digest(variant("answers_challenge", 7)));
    until("the new version is active", || {
        assert_eq!(server.get("/challenges/answers/x").status, 200);
        server.get("/v1/plugins").json()["plugins"][0]["digest"] == digest.as_str()
    });
    stream.write_all(b"cd").unwrap();
    let text = read_until(&mut stream, "61626364");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    server.stop();
}

#[test]
fn the_public_knows_the_challenges_and_nothing_that_is_the_operators() {
    let world = World::new().with_digits().configured(
        "environment = { MODE = 'hidden-environment' }\noutbound = ['hidden-host.example']\n",
    );
    let server = serve(&world, &[]);
    let response = server.get("/v1/registry");
    let registry = response.json();
    assert_eq!(registry["network"], "proctor");
    assert_eq!(
        (&registry["api_version"], &registry["netuid"]),
        (&json!("1.0"), &json!(61))
    );
    let digits = &registry["challenges"][0];
    assert_eq!(digits["slug"], "digits");
    assert_eq!(digits["status"], "active");
    assert_eq!(digits["public_path"], "/challenges/digits");
    assert_eq!(digits["emission_percent"], 100.0);
    let digest = hex::encode(Sha256::digest(guest_bytes("digits")));
    assert_eq!(digits["digest"], digest);
    assert!(!response.body.contains("hidden"), "{}", response.body);
    let tag = response.header("etag");
    let known = [("if-none-match", tag)];
    assert_eq!(
        send(&server.public, "GET", "/v1/registry", &known, b"").status,
        304
    );

    let svg = server.get("/v1/challenges/dashboard.svg");
    assert_eq!(svg.status, 200);
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    assert_eq!(svg.header("cache-control"), "no-store");
    assert!(svg.body.contains(">digits</text>"), "{}", svg.body);
    assert!(svg.body.contains(">100 %</text>"), "{}", svg.body);
    server.stop();
}

#[test]
fn the_peers_masters_are_told_the_weights() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
    world.ingest(1, &all_revealed([&commit]));
    let mut server = serve(&world, &["answers_challenge"]);
    server.wait(|event| event.is("challenge finalized") && event.text("challenge") == "digits");
    let token = |server: &Server, challenge: &str| {
        let path = format!("/v1/admin/challenges/{challenge}/rotate-token");
        let rotated = server.admin("POST", &path, None, &[]);
        let token = rotated.json()["challenge_token"]
            .as_str()
            .unwrap()
            .to_owned();
        format!("Bearer {token}")
    };
    let (digits, answers) = (token(&server, "digits"), token(&server, "answers"));
    let ask = |server: &Server, token: &str, slug: &str| {
        let headers = [("authorization", token), ("x-base-challenge-slug", slug)];
        send(
            &server.public,
            "GET",
            "/internal/v1/get_weights",
            &headers,
            b"",
        )
    };
    let response = ask(&server, &digits, "digits");
    assert_eq!(response.status, 200, "{response:?}");
    let told = response.json();
    assert_eq!(told["challenge_slug"], "digits");
    assert_eq!(told["epoch"], 1_787_407_200, "the scoring hour of the day");
    assert_eq!(told["weights"].as_object().unwrap().len(), 1);
    assert!(told["weights"]["miner-3"].as_f64().unwrap() > 0.0, "{told}");
    assert!(
        told["computed_at"]
            .as_str()
            .unwrap()
            .starts_with("2026-08-22T"),
        "{told}"
    );
    assert_eq!(
        ask(&server, &digits, "digits").body,
        response.body,
        "it is the same again"
    );
    let none = ask(&server, &answers, "answers").json();
    assert_eq!(none, json!({"challenge_slug": "answers", "weights": {}}));

    ask(&server, &digits, "answers").assert_problem(400, "wrong_challenge");
    ask(&server, &digits, "").assert_problem(400, "wrong_challenge");
    for token in ["Bearer wrong", "Bearer ", "Basic wrong", ""] {
        let refused = ask(&server, token, "digits");
        refused.assert_problem(401, "unauthorized");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    server
        .get("/internal/v1/get_weights")
        .assert_problem(401, "unauthorized");
    server.stop();
}
