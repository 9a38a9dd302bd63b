//! GPU servers and the services on them, over real sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helper functions of a test"
)]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use proctor_host::config::{self, Runner};
use proctor_host::registry::gpu::{GpuServer, GpuServerError, GpuServers, HealthStatus};
use proctor_host::registry::{Edit, Seal};
use proctor_host::runner::Runners;
use proctor_host::sandbox::{Blame, Outcome, PluginError, RemoteTask};
use proctor_host::store::Store;
use serde_json::{Map, Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

const TOKEN: &str = "secret-token-of-the-gpu-server";

type Answer = fn() -> Response;

/// A request, as an agent saw it.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    headers: HeaderMap,
    body: Value,
}

/// An agent on this machine that answers as it is told to.
struct Agent {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Agent {
    async fn start(answer: impl Fn() -> Response + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let handler = move |request: Request| {
            let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                log.lock().unwrap().push(Asked {
                    path: head.uri.to_string(),
                    headers: head.headers,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                });
                answer()
            }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(handler))
                .await
                .unwrap();
        });
        Agent { address, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

struct World {
    directory: TempDir,
    store: Store,
    servers: GpuServers,
}

impl World {
    /// Servers of this machine may be asked.
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let servers = servers(directory.path(), &store, "key", &["127.0.0.1"]);
        World {
            directory,
            store,
            servers,
        }
    }

    /// One with a token.
    async fn server(&self, id: &str, base_url: &str) -> GpuServer {
        let body = json!({"id": id, "base_url": base_url, "token": TOKEN, "min_gpu_count": 2});
        self.servers.create(map(body), &edit()).await.unwrap()
    }

    async fn create(&self, body: Value) -> Result<GpuServer, GpuServerError> {
        self.servers.create(map(body), &edit()).await
    }

    async fn update(&self, id: &str, body: Value) -> Result<GpuServer, GpuServerError> {
        self.servers.update(id, map(body), &edit()).await
    }
}

fn servers(directory: &Path, store: &Store, key: &str, private: &[&str]) -> GpuServers {
    let config = config::Registry {
        private_hosts: private.iter().map(|host| (*host).to_owned()).collect(),
        ..config::Registry::default()
    };
    let seal = Seal::open(&directory.join(key)).unwrap();
    GpuServers::new(store.clone(), seal, &config)
}

fn edit() -> Edit {
    Edit {
        actor: "ann".into(),
        expected: None,
        dry_run: false,
        now: 5.0,
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn fields(error: GpuServerError) -> Vec<String> {
    match error {
        GpuServerError::Invalid(problems) => problems.into_iter().map(|p| p.field).collect(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_token_goes_in_and_never_comes_out() {
    let world = World::new();
    let server = world.server("gpu-1", "http://127.0.0.1:1").await;
    assert_eq!(server.token_hint.as_deref(), Some("secr…rver"));
    let shown = serde_json::to_value(&server).unwrap();
    let expected = json!({
        "id": "gpu-1",
        "base_url": "http://127.0.0.1:1",
        "enabled": true,
        "verify_tls": true,
        "timeout_seconds": 30.0,
        "description": "",
        "labels": {},
        "min_gpu_count": 2,
        "token_hint": "secr…rver",
        "revision": server.revision,
        "created_at": 5.0,
        "updated_at": 5.0,
    });
    assert_eq!(shown, expected);

    let log = world.store.audit_log(None, None, 10).await.unwrap();
    assert_eq!(
        (log[0].subject.as_str(), log[0].action.as_str()),
        ("gpu-server:gpu-1", "create")
    );
    assert_eq!(log[0].changes["token"], json!([null, "secr…rver"]));
    for file in std::fs::read_dir(world.directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(TOKEN.len())
                .any(|window| window == TOKEN.as_bytes())
        );
    }

    // Who has the database without the key has no token, and is told so.
    let other = servers(
        world.directory.path(),
        &world.store,
        "other",
        &["127.0.0.1"],
    );
    let lost = other.health("gpu-1").await.unwrap_err();
    assert!(matches!(lost, GpuServerError::TokenLost(_)), "{lost}");

    let without = world.update("gpu-1", json!({"token": ""})).await.unwrap();
    assert_eq!(without.token_hint, None);
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    let world = World::new();
    let bad = json!({
        "id": "a/b",
        "base_url": "ftp://x",
        "token": null,
        "enabled": "yes",
        "timeout_seconds": 1e9,
        "labels": {"x": 1},
        "min_gpu_count": -1,
        "gpu_count": 1,
    });
    let fields_of = async |body| fields(world.create(body).await.unwrap_err());
    let mut found = fields_of(bad).await;
    found.sort();
    assert_eq!(
        found,
        [
            "enabled",
            "gpu_count",
            "id",
            "labels.x",
            "min_gpu_count",
            "token"
        ]
    );
    // What can be read is looked at.
    let found = fields_of(json!({"id": "a", "base_url": "ftp://x", "timeout_seconds": 0})).await;
    assert_eq!(found, ["timeout_seconds", "base_url"]);
    assert_eq!(fields_of(json!({})).await, ["id", "base_url"]);
    // It must be told where a token goes.
    for url in [
        "http://gpu.example.com",
        "http://10.0.0.1",
        "https://10.0.0.1",
        "https://u:p@x.io",
    ] {
        assert_eq!(
            fields_of(json!({"id": "a", "base_url": url})).await,
            ["base_url"],
            "{url}"
        );
    }

    world.server("gpu-1", "https://gpu.example.com").await;
    let nulls = json!({"description": null, "token": null, "nonsense": 1, "id": "b"});
    let mut found = fields(world.update("gpu-1", nulls).await.unwrap_err());
    found.sort();
    assert_eq!(found, ["description", "id", "nonsense", "token"]);
    let again = world
        .create(json!({"id": "gpu-1", "base_url": "https://x.io"}))
        .await;
    assert!(matches!(again, Err(GpuServerError::Exists(_))));
    let nobody = world.update("gpu-2", json!({})).await.unwrap_err();
    assert_eq!(nobody.to_string(), "GPU server \"gpu-2\" not found");
}

#[tokio::test]
async fn a_change_is_one_of_the_revision_that_was_read() {
    let world = World::new();
    let first = world.server("gpu-1", "https://gpu.example.com").await;
    let of = |expected| Edit {
        expected: Some(expected),
        ..edit()
    };
    let labels = || map(json!({"labels": {"zone": "a"}}));
    let second = world
        .servers
        .update("gpu-1", labels(), &of(first.revision))
        .await
        .unwrap();
    assert!(second.revision > first.revision);
    let stale = world
        .servers
        .set_enabled("gpu-1", false, &of(first.revision))
        .await;
    assert!(matches!(stale, Err(GpuServerError::Stale(now)) if now == second.revision));

    // What changes nothing is no change, and neither is a dry run.
    let same = world
        .servers
        .update("gpu-1", labels(), &edit())
        .await
        .unwrap();
    assert_eq!(same, second);
    let dry = Edit {
        dry_run: true,
        ..edit()
    };
    assert!(
        !world
            .servers
            .set_enabled("gpu-1", false, &dry)
            .await
            .unwrap()
            .spec
            .enabled
    );
    world
        .servers
        .delete("gpu-1", Vec::new(), &dry)
        .await
        .unwrap();
    assert_eq!(world.servers.get("gpu-1").await.unwrap(), second);

    let off = world
        .servers
        .set_enabled("gpu-1", false, &edit())
        .await
        .unwrap();
    assert!(!off.spec.enabled && off.token_hint.is_some());
    let used = world
        .servers
        .delete("gpu-1", vec!["digits".into()], &edit())
        .await;
    assert!(matches!(used, Err(GpuServerError::InUse { .. })));
    world
        .servers
        .delete("gpu-1", Vec::new(), &of(off.revision))
        .await
        .unwrap();
    assert!(matches!(
        world.servers.get("gpu-1").await,
        Err(GpuServerError::NotFound(_))
    ));
    assert_eq!(world.servers.list().await.unwrap(), []);
    let log = world
        .store
        .audit_log(Some("gpu-server:gpu-1".into()), None, 10)
        .await
        .unwrap();
    let actions: Vec<&str> = log.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(actions, ["delete", "disable", "update", "create"]);
    assert_eq!(log[2].changes, json!({"labels": [{}, {"zone": "a"}]}));
}

#[tokio::test]
async fn a_server_is_well_that_says_so_in_time() {
    let world = World::new();
    let answers: [(Answer, Option<&str>); 9] = [
        (
            || axum::Json(json!({"status": "ok", "gpus": 2})).into_response(),
            None,
        ),
        (|| axum::Json(json!({})).into_response(), None),
        (
            || axum::Json(json!({"status": "draining"})).into_response(),
            Some("unwell"),
        ),
        (|| "fine".into_response(), Some("malformed")),
        (
            || StatusCode::UNAUTHORIZED.into_response(),
            Some("unauthorized"),
        ),
        (
            || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Some("status"),
        ),
        (
            || (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
            Some("status"),
        ),
        (|| endless().into_response(), Some("malformed")),
        (|| silent().into_response(), Some("timeout")),
    ];
    for (number, (answer, code)) in answers.into_iter().enumerate() {
        let agent = Agent::start(answer).await;
        let id = format!("gpu-{number}");
        world.server(&id, &format!("{}/agent/", agent.url())).await;
        if code == Some("timeout") {
            world
                .update(&id, json!({"timeout_seconds": 0.2}))
                .await
                .unwrap();
        }
        let health = world.servers.health(&id).await.unwrap();
        assert_eq!(health.code, code, "{health:?}");
        assert_eq!(health.status == HealthStatus::Ok, code.is_none());
        let asked = agent.asked();
        assert_eq!(asked.len(), 1, "{health:?}");
        assert_eq!(asked[0].path, "/agent/health");
        assert_eq!(asked[0].headers["authorization"], format!("Bearer {TOKEN}"));
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    world.server("gone", &gone).await;
    let health = world.servers.health("gone").await.unwrap();
    assert_eq!(health.code, Some("unreachable"));
    assert!(world.servers.health("nobody").await.is_err());
}

#[tokio::test]
async fn a_private_server_that_is_named_no_more_is_not_asked() {
    let world = World::new();
    let agent = Agent::start(|| StatusCode::OK.into_response()).await;
    world.server("gpu-1", &agent.url()).await;
    let strict = servers(world.directory.path(), &world.store, "key", &[]);
    let health = strict.health("gpu-1").await.unwrap();
    assert_eq!(health.code, Some("address_refused"));
    assert!(
        health.detail.contains("registry.private_hosts"),
        "{}",
        health.detail
    );
    assert_eq!(agent.asked().len(), 0);
}

#[tokio::test]
async fn a_runner_must_be_on_its_server_and_fit_it() {
    let world = World::new();
    world.server("gpu-1", "https://gpu.example.com:8443").await;
    let problems = async |runner: Runner| {
        let problems = world.servers.runner_problems(&runner).await.unwrap();
        problems
            .into_iter()
            .map(|p| (p.field, p.message))
            .collect::<Vec<_>>()
    };
    let named = |url, server, count| problems(http(url, Some(server), count));
    assert_eq!(problems(Runner::Component).await, []);
    assert_eq!(problems(http("https://any.example.com", None, 9)).await, []);
    assert_eq!(named("https://gpu.example.com/run", "gpu-1", 2).await, []);
    // Elsewhere it would get the token.
    let found = named("https://other.example.com", "gpu-1", 0).await;
    assert_eq!(found[0].0, "runner.url");
    let found = named("http://127.0.0.1:1", "gpu-1", 3).await;
    assert!(
        found[0].1.contains("gpu_capacity_insufficient"),
        "{found:?}"
    );
    assert_eq!(
        (found[0].0.as_str(), found[1].0.as_str()),
        ("runner.gpu_count", "runner.url")
    );
    let found = named("https://x.example.com", "gpu-2", 0).await;
    assert!(found[0].1.contains("gpu_server_unknown"), "{found:?}");
    world
        .servers
        .set_enabled("gpu-1", false, &edit())
        .await
        .unwrap();
    let found = named("https://gpu.example.com", "gpu-1", 1).await;
    assert!(found[0].1.contains("gpu_server_disabled"), "{found:?}");
    for url in ["https://10.0.0.1", "http://x.example.com", "ws://x"] {
        assert_eq!(
            problems(http(url, None, 0)).await[0].0,
            "runner.url",
            "{url}"
        );
    }
}

fn http(url: &str, gpu_server: Option<&str>, gpu_count: u32) -> Runner {
    Runner::Http {
        url: url.into(),
        gpu_server: gpu_server.map(str::to_owned),
        gpu_count,
    }
}

fn endless() -> Body {
    let chunks = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b' '; 4_096])));
    Body::from_stream(chunks)
}

fn silent() -> Body {
    Body::from_stream(stream::pending::<io::Result<Bytes>>())
}

/// Has a service solve one task in `time`.
async fn solve(world: &World, runner: &Runner, time: Duration) -> Result<String, PluginError> {
    let runners = Runners::new(world.servers.clone());
    let (artifact, digest) = ("ghcr.io/miner/solver@sha256:aa", "sha256:aa");
    let solver = runners
        .solver("digits", runner, artifact.into(), digest.into())
        .await?;
    let task = RemoteTask {
        task: r#"{"images": [1.50, 2]}"#.into(),
        seed: u64::MAX,
        time,
        output_bytes: 64,
    };
    solver.solve(task).await
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_task_goes_to_the_service_and_its_solution_comes_back() {
    let world = World::new();
    let answer = || axum::Json(json!({"solution": {"labels": [7]}})).into_response();
    let agent = Agent::start(answer).await;
    world.server("gpu-1", &agent.url()).await;
    let url = format!("{}/digits/", agent.url());
    let solution = solve(&world, &http(&url, Some("gpu-1"), 1), LONG)
        .await
        .unwrap();
    assert_eq!(solution, r#"{"labels":[7]}"#);
    let asked = agent.asked().pop().unwrap();
    assert_eq!(asked.path, "/digits/solve");
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    let expected = json!({
        "challenge": "digits",
        "artifact": "ghcr.io/miner/solver@sha256:aa",
        "artifact_digest": "sha256:aa",
        "task": {"images": [1.5, 2]},
        "seed": "18446744073709551615",
        "deadline_ms": 29_000,
    });
    assert_eq!(asked.body, expected);
    // Without a server there is no token to send.
    solve(&world, &http(&url, None, 0), LONG).await.unwrap();
    assert_eq!(agent.asked()[1].headers.get("authorization"), None);
}

#[tokio::test]
async fn a_submission_is_blamed_for_nothing_but_its_own() {
    let world = World::new();
    let answers: [(Answer, Outcome, Blame); 7] = [
        (
            || {
                let fault = json!({"error": {"code": "out_of_memory", "message": "m"}});
                (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(fault)).into_response()
            },
            Outcome::OutOfMemory,
            Blame::Submission,
        ),
        (
            || endless().into_response(),
            Outcome::InvalidOutput,
            Blame::Submission,
        ),
        (
            || (StatusCode::NOT_FOUND, endless()).into_response(),
            Outcome::Unavailable,
            Blame::Host,
        ),
        (
            || silent().into_response(),
            Outcome::Unavailable,
            Blame::Host,
        ),
        (
            || StatusCode::BAD_GATEWAY.into_response(),
            Outcome::Unavailable,
            Blame::Host,
        ),
        (
            || (StatusCode::TEMPORARY_REDIRECT, [("location", "/other")]).into_response(),
            Outcome::Unavailable,
            Blame::Host,
        ),
        (
            || {
                let chunks = [Ok(Bytes::from_static(b"{")), Err(io::Error::other("cut"))];
                Body::from_stream(stream::iter(chunks)).into_response()
            },
            Outcome::Unavailable,
            Blame::Host,
        ),
    ];
    for (answer, outcome, blame) in answers {
        let agent = Agent::start(answer).await;
        let runner = http(&agent.url(), None, 0);
        let error = solve(&world, &runner, Duration::from_millis(500))
            .await
            .unwrap_err();
        assert_eq!((error.outcome, error.blame), (outcome, blame), "{error}");
        // Whoever asks again decides when.
        assert_eq!(agent.asked().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_service_that_may_not_be_asked_is_not_there() {
    let world = World::new();
    let agent = Agent::start(|| axum::Json(json!({"solution": 1})).into_response()).await;
    world.server("gpu-1", &agent.url()).await;
    let elsewhere = format!("https://localhost:{}", agent.address.port());
    for (runner, why) in [
        (http(&agent.url(), Some("gpu-2"), 0), "gpu_server_unknown"),
        (
            http(&agent.url(), Some("gpu-1"), 3),
            "gpu_capacity_insufficient",
        ),
        (
            http(&elsewhere, Some("gpu-1"), 1),
            "is not on its GPU server",
        ),
        (http(&elsewhere, None, 0), "registry.private_hosts"),
        (http("http://10.0.0.1", None, 0), "registry.private_hosts"),
    ] {
        let error = solve(&world, &runner, LONG).await.unwrap_err();
        assert_eq!(
            (error.outcome, error.blame),
            (Outcome::Unavailable, Blame::Host)
        );
        assert!(error.message.contains(why), "{error}");
    }
    assert_eq!(agent.asked().len(), 0);
}
