//! Attacks on the admin listener.

use crate::http::Response;
use crate::support::{Server, World, connect, parse, run, send, until};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What anybody may ask.
const FREE: [&str; 5] = ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"];

/// A page that wants a token.
const PAGE: &str = "/v1/state/validators";

fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    send(address, "GET", path, headers, b"")
}

/// Method and path of each operation that wants a token.
fn operations(server: &Server) -> Vec<(String, String)> {
    let document = get(&server.admin, "/openapi.json", &[]).json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{slug}", "digits").replace(['{', '}'], "");
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_uppercase(), path.clone()));
        }
    }
    for page in [
        "validators",
        "validators/0/commits",
        "commits",
        "lookup",
        "scoring-results",
    ] {
        operations.push(("GET".to_owned(), format!("/v1/state/{page}")));
    }
    operations.push(("GET".to_owned(), "/v1/plugins".to_owned()));
    operations.retain(|(_, path)| !FREE.contains(&path.as_str()));
    assert!(operations.len() > 10, "{operations:?}");
    operations
}

#[test]
fn the_public_is_not_told_of_files_whose_challenges_are_no_public_ones() {
    let world = World::new().with_digits();
    let server = world.serve(&["registry.auto_activate=false"]);
    let files = |list: Response| -> Vec<String> {
        let list = list.json();
        let plugins = list["plugins"].as_array().unwrap().iter();
        let files = plugins.map(|plugin| plugin["file"].as_str().unwrap().to_owned());
        files.collect()
    };
    let public = || files(server.get("/v1/plugins"));
    let operate = |operation: &str| {
        let path = format!("/v1/admin/challenges/digits/{operation}");
        let done = server.admin("POST", &path, None, &[]);
        assert_eq!(done.status, 200, "{done:?}");
    };
    until("the draft is made", || {
        server.admin_get("/v1/admin/challenges/digits").status == 200
    });
    for (operation, seen) in [
        (None, false),
        (Some("activate"), true),
        (Some("deactivate"), true),
        (Some("disable"), false),
    ] {
        operation.into_iter().for_each(operate);
        let expected: &[&str] = if seen { &["digits.wasm"] } else { &[] };
        assert_eq!(public(), expected, "{operation:?}");
        assert_eq!(files(server.admin_get("/v1/plugins")), ["digits.wasm"]);
    }
    server.stop();
}

#[test]
fn nothing_is_told_or_done_without_a_token() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    for (method, path) in operations(&server) {
        let refused = send(&server.admin, &method, &path, &[], b"{}");
        refused.assert_problem(401, "unauthorized");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        assert!(!refused.body.contains("digits"), "{refused:?}");
    }
    // Nor is it told what there is.
    for path in [
        "/v1/admin/challenges/none",
        "/v1/admin/challenges/none/logs",
    ] {
        get(&server.admin, path, &[]).assert_problem(401, "unauthorized");
        server
            .admin_get(path)
            .assert_problem(404, "unknown_challenge");
    }
    for path in FREE {
        until(path, || get(&server.admin, path, &[]).status == 200);
    }
    server.stop();
}

#[test]
fn no_admin_route_is_on_the_public_listener() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let token = format!("Bearer {}", server.token());
    let token = [("authorization", token.as_str())];
    for (method, path) in operations(&server) {
        let answer = send(&server.public, &method, &path, &token, b"{}");
        // The plugins are shown on both.
        if path != "/v1/plugins" {
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        }
    }
    for path in [
        "//v1/admin/challenges",
        "/v1/./admin/challenges",
        "/v1/events/../admin/challenges",
        "/challenges/digits/../../v1/admin/challenges",
        "/challenges/digits/%2e%2e/%2e%2e/v1/admin/challenges",
        "/v1%2fadmin%2fchallenges",
        "/V1/Admin/Challenges",
        "/metrics",
    ] {
        let answer = send(&server.public, "GET", path, &token, b"");
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    server.stop();
}

#[test]
fn only_the_right_token_given_once_is_taken() {
    let world = World::new();
    let server = world.serve(&[]);
    let token = server.token();
    let bearer = format!("Bearer {token}");
    let lower = format!("bearer  {token}");
    for right in [
        &[("authorization", bearer.as_str())][..],
        &[("authorization", &lower)],
        &[("x-admin-token", &token)],
        &[("authorization", &bearer), ("x-admin-token", &token)],
    ] {
        assert_eq!(get(&server.admin, PAGE, right).status, 200, "{right:?}");
    }
    let half = &token[..20];
    let longer = format!("{token}x");
    let upper = token.to_uppercase();
    let basic = format!("Basic {token}");
    let quoted = format!("Bearer \"{token}\"");
    let two = format!("{token}, {token}");
    for wrong in [
        &[("x-admin-token", "")][..],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer")],
        &[("authorization", &basic)],
        &[("authorization", &token)],
        &[("authorization", &bearer), ("x-admin-token", half)],
        &[("authorization", "Bearer x"), ("x-admin-token", &token)],
        &[("authorization", &bearer), ("authorization", &bearer)],
        &[("x-admin-token", &token), ("x-admin-token", "x")],
        &[("cookie", &token)],
        &[("x-admin-token", half)],
        &[("x-admin-token", &longer)],
        &[("x-admin-token", &upper)],
        &[("x-admin-token", &two)],
    ] {
        get(&server.admin, PAGE, wrong).assert_problem(401, "unauthorized");
    }
    // Four wrong ones, and not a fifth.
    assert_eq!(server.admin_get(PAGE).status, 200);
    get(&server.admin, PAGE, &[("authorization", &quoted)]).assert_problem(401, "unauthorized");
    let query = format!("{PAGE}?token={token}&access_token={token}");
    get(&server.admin, &query, &[]).assert_problem(401, "unauthorized");
    server.stop();
}

#[test]
fn who_guesses_is_locked_out_for_longer_and_longer() {
    let world = World::new();
    let mut server = world.serve(&[]);
    let guess = |server: &Server| get(&server.admin, PAGE, &[("x-admin-token", "a guess")]);
    for _ in 0..5 {
        guess(&server).assert_problem(401, "unauthorized");
    }
    for (wait, seconds) in [("1", 1.0), ("2", 2.0), ("4", 4.0)] {
        for _ in 0..3 {
            let refused = guess(&server);
            refused.assert_problem(429, "locked_out");
            assert_eq!(refused.header("retry-after"), wait);
        }
        // The right one is not looked at, so that it is not told from others.
        server.admin_get(PAGE).assert_problem(429, "locked_out");
        // What wants no token goes on.
        assert_eq!(get(&server.admin, "/livez", &[]).status, 200);
        get(&server.admin, PAGE, &[]).assert_problem(401, "unauthorized");
        world.pass(seconds);
        guess(&server).assert_problem(401, "unauthorized");
    }
    world.pass(8.0);
    assert_eq!(server.admin_get(PAGE).status, 200);
    // That cleared it.
    for _ in 0..4 {
        guess(&server).assert_problem(401, "unauthorized");
    }
    assert_eq!(server.admin_get(PAGE).status, 200);
    let metrics = get(&server.admin, "/metrics", &[]).body;
    for line in [
        "proctor_admin_lockouts_total 1",
        "proctor_admin_refusals_total{outcome=\"locked_out\"} 12",
        "proctor_admin_refusals_total{outcome=\"no_token\"} 3",
        "proctor_admin_refusals_total{outcome=\"wrong_token\"} 12",
    ] {
        assert!(metrics.lines().any(|l| l == line), "no {line}: {metrics}");
    }
    server.watch_for(Duration::ZERO);
    let log = server.stop();
    let told = |event: &&crate::support::Event| event.message.starts_with("locked out");
    let told: Vec<_> = log.iter().filter(told).collect();
    assert_eq!(told.len(), 1, "once, not per request: {told:?}");
    assert_eq!(told[0].text("client"), "127.0.0.1");
}

#[test]
fn a_token_is_rotated_without_a_restart_and_is_never_logged() {
    let world = World::new();
    let mut command = world.proctor(&["serve", "--log", "trace", "--log-format", "json"]);
    command.arg("--config").arg(world.config());
    let mut server = Server::start(&mut command);
    let path = world.data().join("admin.tokens");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let old = server.token();
    assert_eq!(server.admin_get(PAGE).status, 200);
    let new = "alices-own-token-of-some-length";
    let write = |text: &str, mode| {
        let next = world.write("next", text);
        fs::set_permissions(&next, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(next, &path).unwrap();
    };
    write(&format!("alice {new}\n"), 0o600);
    assert_eq!(server.admin_get(PAGE).status, 200);
    get(&server.admin, PAGE, &[("x-admin-token", &old)]).assert_problem(401, "unauthorized");
    // Nobody may use it while everybody can read it, or while it is being written.
    write(&format!("alice {new}\n"), 0o644);
    server.admin_get(PAGE).assert_problem(401, "unauthorized");
    write("", 0o600);
    get(&server.admin, PAGE, &[("x-admin-token", new)]).assert_problem(401, "unauthorized");
    server.wait_for("nobody may use the admin API");
    server.wait_for("nobody may use the admin API");
    write(&format!("alice {new}\n"), 0o600);
    assert_eq!(server.admin_get(PAGE).status, 200);
    for event in server.stop() {
        let line = format!("{event:?}");
        assert!(!line.contains(&old) && !line.contains(new), "{line}");
    }
    // The next start does not trust it.
    write(&format!("alice {new}\n"), 0o640);
    world.run(&["serve"]).assert_refused(&[
        "admin.token_file",
        path.to_str().unwrap(),
        "chmod 600",
    ]);
}

/// All that is answered to some bytes, until the host closes the connection or has
/// nothing more to say.
fn conversation(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn statuses(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let heads = text.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head[..3].to_owned()).collect()
}

#[test]
fn requests_cannot_be_smuggled() {
    let world = World::new();
    let server = world.serve(&[]);
    let token = server.token();
    let hidden = format!("GET {PAGE} HTTP/1.1\r\nhost: a\r\nx-admin-token: {token}\r\n\r\n");
    let length = hidden.len();
    let begin = "POST /livez HTTP/1.1\r\nhost: a\r\n";
    // A body for one who reads one header, a second request for one who reads the
    // other: such are not answered twice.
    for head in [
        format!("content-length: {length}\r\ncontent-length: 0\r\n"),
        format!("content-length: {length}, 0\r\n"),
        format!("content-length: +{length}\r\n"),
        format!("content-length: 0x{length:x}\r\n"),
        "content-length: -1\r\n".to_owned(),
        "content-length: 18446744073709551616\r\n".to_owned(),
        "content-length : 0\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n".to_owned(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n".to_owned(),
        "transfer-encoding : chunked\r\n".to_owned(),
        "transfer-encoding: \x0bchunked\r\n".to_owned(),
        "x: y\r\n folded: z\r\n".to_owned(),
        "x: a\0b\r\n".to_owned(),
        "x: a\rb\r\n".to_owned(),
    ] {
        let bytes = format!("{begin}{head}\r\n{hidden}");
        let answered = statuses(&conversation(&server.admin, bytes.as_bytes()));
        assert!(
            answered.len() <= 1 && answered.iter().all(|status| status == "400"),
            "{head:?}: {answered:?}"
        );
    }
    // Both headers: what is in the chunks is a body, and the length counts for
    // nothing; nothing after it is read from this connection.
    let both = format!(
        "{begin}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
         {length:x}\r\n{hidden}\r\n0\r\n\r\n"
    );
    let answered = statuses(&conversation(&server.admin, both.as_bytes()));
    assert!(answered.len() <= 1, "{answered:?}");
    assert!(!answered.contains(&"200".to_owned()), "{answered:?}");
    server.stop();
}

#[test]
fn no_spelling_of_a_path_goes_around_the_token() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    for target in [
        "//v1/plugins",
        "/./v1/plugins",
        "/livez/../v1/plugins",
        "/livez/%2e%2e/v1/plugins",
        "/livez%2f..%2fv1/plugins",
        "/livez;/../v1/plugins",
        "/v1/plugins#/livez",
        "/v1/plugins?/livez",
        "/v1/plugins/",
        "/v1/plugins%00/livez",
        "/v1/%70lugins",
        "/%76%31/plugins",
        "/v1/plugins\u{0}",
        "/v1\\plugins",
        "http://a/v1/plugins",
        "http://127.0.0.1/v1/plugins",
        "http://a/livez/../v1/plugins",
        "v1/plugins",
        "*",
        "a:80",
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "CONNECT", "POST"] {
            for more in ["", "x-original-url: /livez\r\nx-rewrite-url: /livez\r\n"] {
                let head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
                let answer = conversation(&server.admin, head.as_bytes());
                let answered = statuses(&answer);
                let refusals = ["400", "401", "404", "405"];
                let refused = answered.iter().all(|s| refusals.contains(&s.as_str()));
                assert!(
                    refused && answered.len() <= 1,
                    "{method} {target}: {answered:?}"
                );
                let text = String::from_utf8_lossy(&answer);
                assert!(!text.contains("digits.wasm"), "{method} {target}: {text}");
            }
        }
    }
    // Other versions of HTTP.
    for head in [
        "GET /v1/plugins HTTP/1.0\r\n\r\n",
        "GET /v1/plugins\r\n\r\n",
        "GET /v1/plugins HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = conversation(&server.admin, head.as_bytes());
        let text = String::from_utf8_lossy(&answer);
        assert!(
            !text.contains("digits.wasm") && !text.contains(" 200 "),
            "{head}: {text}"
        );
    }
    server.stop();
}

#[test]
fn heads_and_bodies_are_bounded_and_nothing_is_read_for_strangers() {
    let world = World::new();
    let server = world.serve(&["public.max_body_bytes=1000"]);
    let token = server.token();
    let authorization = format!("authorization: Bearer {token}\r\n");
    let ask = |bytes: &[u8]| conversation(&server.admin, bytes);
    // Heads.
    let long = "x".repeat(1 << 20);
    let many: String = (0..1_000).map(|i| format!("x-{i}: y\r\n")).collect();
    for head in [
        format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET {PAGE}?{long} HTTP/1.1\r\nhost: a\r\n{authorization}\r\n"),
        format!("GET {PAGE} HTTP/1.1\r\nhost: a\r\n{authorization}x: {long}\r\n\r\n"),
        format!("GET {PAGE} HTTP/1.1\r\nhost: a\r\n{authorization}{many}\r\n"),
        format!("GET {PAGE} HTTP/1.1\r\nhost: a\r\nx-admin-token: {long}\r\n\r\n"),
    ] {
        let answered = statuses(&ask(head.as_bytes()));
        let refused = ["400", "414", "431"];
        let refused = answered
            .iter()
            .all(|status| refused.contains(&status.as_str()));
        assert!(answered.len() <= 1 && refused, "{answered:?}");
    }
    // Bodies: those that are told, those that are not, and those that never come.
    let create = "POST /v1/admin/challenges HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                  content-type: application/json\r\n";
    for key in ["", "idempotency-key: k\r\n"] {
        let most = "[".repeat(1_001);
        let told = format!("{create}{authorization}{key}content-length: 1000001\r\n\r\n{most}");
        let answer = parse(&ask(told.as_bytes()), false).unwrap();
        answer.assert_problem(413, "body_rejected");
        let chunk = format!("3e8\r\n{}\r\n", "[".repeat(1_000));
        let chunked = format!(
            "{create}{authorization}{key}transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(2)
        );
        let answer = parse(&ask(chunked.as_bytes()), false).unwrap();
        answer.assert_problem(413, "body_rejected");
    }
    // Strangers are answered before their body is there.
    let mut stream = connect(&server.admin);
    let head = format!("{create}content-length: 1000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 401");
    server.stop();
}

#[test]
fn who_never_ends_a_request_holds_up_nobody() {
    let world = World::new();
    let server = world.serve(&["public.max_requests=4"]);
    let head = format!(
        "POST /v1/admin/challenges HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n",
        server.token()
    );
    // Fewer than there are places for connections.
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(&server.admin);
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(server.admin_get(PAGE).status, 200);
    assert_eq!(get(&server.admin, "/livez", &[]).status, 200);
    drop(slow);
    server.stop();
}

fn fixture(name: &str) -> String {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/tls"
    ));
    path.join(name).to_str().unwrap().to_owned()
}

/// `GET` over TLS; an error if the certificate is not `trusted`.
fn get_tls(server: &Server, trusted: &str, path: &str) -> std::io::Result<Response> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(fixture(trusted)).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "127.0.0.1".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, connect(&server.admin));
    let token = server.token();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nx-admin-token: {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(parse(&answer, false).unwrap())
}

#[test]
fn with_a_certificate_the_listener_speaks_tls_only() {
    let world = World::new();
    let (certificate, key) = (world.write("cert.pem", ""), world.write("key.pem", ""));
    fs::copy(fixture("one.pem"), &certificate).unwrap();
    fs::copy(fixture("one.key"), &key).unwrap();
    let settings = [
        format!("admin.tls_cert='{certificate}'"),
        format!("admin.tls_key='{key}'"),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut server = world.serve(&settings);
    assert_eq!(get_tls(&server, "one.pem", PAGE).unwrap().status, 200);
    assert!(get_tls(&server, "two.pem", PAGE).is_err());
    for plain in [
        "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
        "\r\n\r\n",
        "\x16\x03\x01\x7f",
    ] {
        let answer = conversation(&server.admin, plain.as_bytes());
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    // Those that never go on with their handshake.
    let idle: Vec<TcpStream> = (0..100).map(|_| connect(&server.admin)).collect();
    assert_eq!(get_tls(&server, "one.pem", PAGE).unwrap().status, 200);
    drop(idle);
    fs::copy(fixture("two.pem"), &certificate).unwrap();
    fs::copy(fixture("two.key"), &key).unwrap();
    assert_eq!(get_tls(&server, "two.pem", PAGE).unwrap().status, 200);
    server.wait_for("the admin listener's certificate is read again");
    server.stop();
}

#[test]
fn a_listener_that_others_reach_wants_tls_and_a_certificate_that_can_be_used() {
    let world = World::new();
    let serve = |settings: &[String]| {
        let mut command = world.proctor(&["serve"]);
        command.arg("--config").arg(world.config());
        for setting in settings {
            command.args(["--set", setting]);
        }
        run(&mut command)
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
        let refused = serve(&[format!("admin.listen='{address}'")]);
        refused.assert_refused(&["admin.listen", "admin.tls_cert", "admin.insecure"]);
    }
    let cert = |path: &str| format!("admin.tls_cert='{path}'");
    let key = |path: &str| format!("admin.tls_key='{path}'");
    let (pem, private) = (fixture("one.pem"), fixture("one.key"));
    serve(&[cert(&pem)]).assert_refused(&["admin.tls_cert", "tls_key"]);
    serve(&[cert("nowhere.pem"), key(&private)]).assert_refused(&["admin.tls_cert", "nowhere.pem"]);
    serve(&[cert(&pem), key("nowhere.key")]).assert_refused(&["admin.tls_key", "nowhere.key"]);
    serve(&[cert(&private), key(&private)]).assert_refused(&["admin.tls_cert", "one.key"]);
    serve(&[cert(&pem), key(&fixture("two.key"))])
        .assert_refused(&["admin.tls_cert and admin.tls_key"]);
}

#[test]
fn a_request_that_is_sent_again_is_not_done_again() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let rotate = |key: &str, body: &Value| {
        let path = "/v1/admin/challenges/digits/rotate-token";
        server.admin("POST", path, Some(body), &[("idempotency-key", key)])
    };
    let first = rotate("one", &json!({}));
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = rotate("one", &json!({}));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    rotate("one", &json!({"overlap_s": 5})).assert_problem(422, "idempotency_key_reused");
    rotate("two words", &json!({})).assert_problem(400, "invalid_idempotency_key");
    let other = rotate("two", &json!({}));
    assert_ne!(other.body, first.body);
    // The answer has a token in it, which is in no file.
    let body = first.json();
    let told = body.as_object().unwrap().values().filter_map(Value::as_str);
    let told = told.max_by_key(|text| text.len()).unwrap().to_owned();
    assert!(told.len() >= 32, "{body}");
    server.stop();
    for entry in fs::read_dir(world.data()).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(bytes) = fs::read(&path) {
            let found = bytes
                .windows(told.len())
                .any(|window| window == told.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}
