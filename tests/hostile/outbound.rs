//! Requests of routes: they go where the operator allows, and nowhere else.

use super::routes_setup::{Alone, limits};
use super::setup::{WORLD, beside, call, load, standings};
use proctor_host::sandbox::{
    Grants, JournalStream, Limits, Outbound, Outcome, RouteCall, RouteLimits,
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server on this machine that answers each request by its path.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let asked = Arc::<AtomicUsize>::default();
        let server = Server {
            address: listener.local_addr().unwrap(),
            asked: Arc::clone(&asked),
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let asked = Arc::clone(&asked);
                tokio::spawn(async move {
                    let mut request = vec![0; 64 << 10];
                    let length = stream.read(&mut request).await.unwrap_or(0);
                    asked.fetch_add(1, Ordering::Relaxed);
                    let request = String::from_utf8_lossy(&request[..length]).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    // Whoever asked may have left.
                    let _ = match path {
                        "/never" => std::future::pending().await,
                        "/endless" => endless(&mut stream).await,
                        "/stuck" => {
                            let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
                            let _ = stream.write_all(head.as_bytes()).await;
                            std::future::pending().await
                        }
                        "/away" => {
                            answer(&mut stream, "302 Found", "location: /hello\r\n", "").await
                        }
                        _ => answer(&mut stream, "200 OK", "x-of: server\r\n", &request).await,
                    };
                });
            }
        });
        server
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn port(&self) -> u16 {
        self.address.port()
    }
}

async fn answer(
    stream: &mut tokio::net::TcpStream,
    status: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(text.as_bytes()).await
}

async fn endless(stream: &mut tokio::net::TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    loop {
        stream.write_all(&[b'x'; 4096]).await?;
    }
}

fn allow(rules: &[String]) -> Arc<Outbound> {
    Arc::new(Outbound::new(
        rules.iter().map(|rule| rule.parse().unwrap()),
    ))
}

/// What a route sees of a request when `rules` is the allowlist.
async fn fetch(alone: &Alone, rules: &[String], request: Value) -> Value {
    let (route, ended) = alone.call(limits());
    let route = RouteCall {
        outbound: allow(rules),
        ..route
    };
    let mut act = request;
    if act["do"].is_null() {
        act["do"] = "fetch".into();
    }
    let seen = beside(alone.look(&act, route)).await;
    ended.await.unwrap();
    seen
}

fn to(authority: impl ToString, path: &str) -> Value {
    json!({"scheme": "http", "authority": authority.to_string(), "path": path})
}

fn is_refused(seen: &Value, why: &str) {
    let error = seen["error"].as_str().unwrap_or_else(|| panic!("{seen}"));
    assert!(error.contains(why), "{error} is not {why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_where_the_operator_allows_is_sent() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let rules = [format!("http://{}", server.address)];
    let mut request = to(server.address, "/hello?a=b");
    request["method"] = "POST".into();
    request["body"] = "from a guest".into();
    let seen = fetch(&alone, &rules, request).await;
    assert_eq!(seen["status"], 200);
    assert_eq!(seen["headers"]["x-of"], "server");
    let body = seen["body"].as_str().unwrap();
    assert!(body.starts_with("POST /hello?a=b HTTP/1.1\r\n"), "{body}");
    assert!(
        body.contains(&format!("host: {}", server.address)),
        "{body}"
    );
    assert!(body.contains("from a guest"), "{body}");
    assert_eq!(seen["ended"], "StreamError::Closed");
    assert_eq!(server.asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_anywhere_else_is_denied_before_it_is_sent() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let address = server.address;
    let https = format!("https://{address}");
    for (rules, request) in [
        (vec![], to(address, "/")),
        // Another scheme, another port, a name that is not listed.
        (vec![https], to(address, "/")),
        (vec!["http://127.0.0.1".into()], to(address, "/")),
        (
            vec![format!("http://{address}")],
            to(format!("localhost:{}", server.port()), "/"),
        ),
        (
            vec![format!("http://*.a.localhost:{}", server.port())],
            to(format!("a.localhost:{}", server.port()), "/"),
        ),
    ] {
        let seen = fetch(&alone, &rules, request).await;
        is_refused(&seen, "HttpRequestDenied");
    }
    assert_eq!(server.asked(), 0);
    assert!(alone.journal_has(&format!("request to http://{address} refused")));
    let notes = alone.journal.entries(0, 100).into_iter();
    assert!(notes.filter(|n| n.stream == JournalStream::Host).count() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let port = server.port();
    let name = format!("http://localhost:{port}");
    let request = to(format!("localhost:{port}"), "/hello");
    let seen = fetch(&alone, std::slice::from_ref(&name), request.clone()).await;
    is_refused(&seen, "DestinationIpProhibited");
    // Another port of the address, or another scheme, is not that address.
    let other = [
        name.clone(),
        "http://127.0.0.1".into(),
        "http://[::1]".into(),
        format!("https://127.0.0.1:{port}"),
        format!("https://[::1]:{port}"),
    ];
    let seen = fetch(&alone, &other, request.clone()).await;
    is_refused(&seen, "DestinationIpProhibited");
    assert_eq!(server.asked(), 0);
    // Unless the operator wants that address.
    let literal = [
        name,
        format!("http://127.0.0.1:{port}"),
        format!("http://[::1]:{port}"),
    ];
    assert_eq!(fetch(&alone, &literal, request).await["status"], 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_disguise_is_refused() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let port = server.port();
    let rules = [
        "http://*.example.com".into(),
        format!("http://localhost:{port}"),
    ];
    for authority in [
        format!("user@localhost:{port}"),
        format!("localhost:{port}@127.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.0.0.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        "a.example.com:99999".into(),
    ] {
        let seen = fetch(&alone, &rules, to(&authority, "/")).await;
        assert!(seen["error"].is_string(), "{authority}: {seen}");
    }
    let tunnel = json!({
        "scheme": "http", "authority": format!("localhost:{port}"), "method": "CONNECT",
        "path": "/",
    });
    let seen = fetch(&alone, &rules, tunnel).await;
    is_refused(&seen, "HttpRequestMethodInvalid");
    assert_eq!(server.asked(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_leads_elsewhere_is_not_followed() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let rules = [format!("http://{}", server.address)];
    let seen = fetch(&alone, &rules, to(server.address, "/away")).await;
    assert_eq!(seen["status"], 302);
    assert_eq!(server.asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_a_size() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let (route, ended) = alone.call(RouteLimits {
        response_bytes: 1 << 20,
        ..limits()
    });
    let route = RouteCall {
        outbound: allow(&[format!("http://{}", server.address)]),
        ..route
    };
    let mut request = to(server.address, "/endless");
    request["do"] = "fetch".into();
    let seen = beside(alone.look(&request, route)).await;
    assert!(seen["length"].as_u64() <= Some(1 << 20), "{seen}");
    assert!(seen["length"].as_u64() > Some(1 << 19), "{seen}");
    let ended_with = seen["ended"].as_str().unwrap();
    assert!(ended_with.contains("LastOperationFailed"), "{seen}");
    ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_its_time_is_waited_for_as_the_guest_says() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let rules = [format!("http://{}", server.address)];
    let mut request = to(server.address, "/never");
    request["first_byte_ms"] = 100.into();
    let start = Instant::now();
    let seen = fetch(&alone, &rules, request).await;
    is_refused(&seen, "HttpResponseTimeout");
    let mut request = to(server.address, "/stuck");
    request["between_bytes_ms"] = 100.into();
    let seen = fetch(&alone, &rules, request).await;
    assert_eq!(seen["length"], 4, "{seen}");
    let ended_with = seen["ended"].as_str().unwrap();
    assert!(ended_with.contains("LastOperationFailed"), "{seen}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_does_not_hold_up_the_deadline() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let (route, ended) = alone.call(RouteLimits {
        head_ms: 300,
        ..limits()
    });
    let route = RouteCall {
        outbound: allow(&[format!("http://{}", server.address)]),
        ..route
    };
    let mut act = to(server.address, "/never");
    act["do"] = "fetch".into();
    let request = super::routes_setup::act(&act)
        .body(http_body_util::Full::<bytes::Bytes>::default())
        .unwrap();
    let answer = beside(alone.plugin.handle(&alone.sandbox, route, request)).await;
    assert_eq!(answer.unwrap_err().outcome, Outcome::Timeout);
    ended.await.unwrap();
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_holds_a_few_connections_at_most() {
    let (alone, server) = (Alone::new(), Server::start().await);
    let rules = [format!("http://{}", server.address)];
    let mut request = to(server.address, "/stuck");
    request["do"] = "fetch-many".into();
    request["count"] = 10.into();
    let seen = fetch(&alone, &rules, request).await;
    let seen = seen.as_array().unwrap();
    assert!(seen[..8].iter().all(|answer| answer == 200), "{seen:?}");
    for refused in &seen[8..] {
        let error = refused.as_str().unwrap();
        assert!(error.contains("ConnectionLimitReached"), "{seen:?}");
    }
    // Those of a call that has ended are gone.
    let seen = fetch(&alone, &rules, to(server.address, "/hello")).await;
    assert_eq!(seen["status"], 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_an_error_of_the_request() {
    let alone = Alone::new();
    let address = Server::start().await.address;
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let rules = [
        format!("http://{gone}"),
        format!("https://{address}"),
        "http://nowhere.invalid".into(),
    ];
    let seen = fetch(&alone, &rules, to(gone, "/")).await;
    is_refused(&seen, "ConnectionRefused");
    // It does not speak TLS.
    let tls = json!({"scheme": "https", "authority": address.to_string(), "path": "/"});
    let seen = fetch(&alone, &rules, tls).await;
    assert!(seen["error"].is_string(), "{seen}");
    let seen = fetch(&alone, &rules, to("nowhere.invalid", "/")).await;
    is_refused(&seen, "DnsError");
}

/// What is scored must not depend on what others answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scored_call_sends_nothing() {
    let server = Server::start().await;
    let plugin = load(&WORLD.sandbox, "routes_challenge");
    let (limits, grants) = (Limits::default(), Grants::default());
    let mut request = to(server.address, "/hello");
    request["do"] = "fetch".into();
    let mut fuel = Vec::new();
    for _ in 0..2 {
        let call = call(request.clone(), &limits, &grants);
        let called = beside(plugin.get_weights(&WORLD.sandbox, call, &standings())).await;
        let error = called.result.unwrap_err();
        assert!(error.message.contains("HttpRequestDenied"), "{error}");
        fuel.push((called.report.fuel, called.report.host_calls));
    }
    assert_eq!(fuel[0], fuel[1]);
    assert_eq!(server.asked(), 0);
}
