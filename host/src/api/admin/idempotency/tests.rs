use super::*;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// A router whose handler counts; what the answer is depends on the body.
struct World {
    router: Router,
    calls: Arc<AtomicU32>,
    /// Each answer takes one.
    permits: Arc<Semaphore>,
}

impl World {
    fn open(directory: &Path, key: &str) -> Self {
        let store = Store::open(&directory.join("db")).unwrap();
        let seal = Seal::open(&directory.join(key)).unwrap();
        let calls = Arc::new(AtomicU32::new(0));
        let permits = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let handler = {
            let (calls, permits) = (Arc::clone(&calls), Arc::clone(&permits));
            async move |body: String| {
                let number = calls.fetch_add(1, Ordering::SeqCst);
                permits.acquire().await.unwrap().forget();
                assert_ne!(body, "panic");
                let status = StatusCode::from_u16(body.parse().unwrap_or(201)).unwrap();
                let headers = [
                    (header::ETAG, "\"7\""),
                    (header::CONTENT_TYPE, "application/json"),
                    (header::SERVER, "this one"),
                ];
                (status, headers, format!("{{\"call\": {number}}}"))
            }
        };
        let idempotency = Arc::new(Idempotency::new(store, seal));
        let router = Router::new()
            .route(
                "/v1/admin/things",
                post(handler.clone()).get(handler.clone()),
            )
            .route("/v1/admin/components", post(handler.clone()))
            .route("/v1/other", post(handler))
            .layer(from_fn_with_state(idempotency, once))
            .layer(DefaultBodyLimit::max(1_000));
        World {
            router,
            calls,
            permits,
        }
    }

    async fn send(&self, request: Request) -> (u16, HeaderMap, String) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (parts.status.as_u16(), parts.headers, body)
    }

    async fn post(&self, key: &str, body: &str) -> (u16, HeaderMap, String) {
        self.send(request("alice", key, body)).await
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

fn request(actor: &str, key: &str, body: &str) -> Request {
    Request::post("/v1/admin/things")
        .header("idempotency-key", key)
        .extension(Actor(actor.to_owned()))
        .body(Body::from(body.to_owned()))
        .unwrap()
}

#[track_caller]
fn assert_problem(answer: &(u16, HeaderMap, String), status: u16, code: &str) {
    assert_eq!(answer.0, status, "{answer:?}");
    let body: serde_json::Value = serde_json::from_str(&answer.2).unwrap();
    assert_eq!(body["code"], code, "{answer:?}");
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_the_same_and_not_done_again() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    for status in ["", "200", "404", "409", "422"] {
        let calls = world.calls();
        let key = format!("key-{status}");
        let first = world.post(&key, status).await;
        assert!(!first.1.contains_key("idempotency-replayed"));
        let again = world.post(&key, status).await;
        assert_eq!(again.1["idempotency-replayed"], "true");
        assert_eq!((first.0, &first.2), (again.0, &again.2));
        for kept in ["etag", "content-type"] {
            assert_eq!(first.1[kept], again.1[kept]);
        }
        assert!(
            !again.1.contains_key("server"),
            "only what belongs to the answer"
        );
        assert_eq!(world.calls(), calls + 1);
    }
    // Over a restart of the host as well.
    let (_, _, before) = world.post("key-", "").await;
    drop(world);
    let world = World::open(directory.path(), "key");
    assert_eq!(world.post("key-", "").await.2, before);
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn what_failed_or_may_pass_is_done_again() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    for (calls, status) in (1_u32..).zip(["500", "503", "429", "408", "307"]) {
        for again in 0..2 {
            let answer = world.post(&format!("key-{status}"), status).await;
            assert_eq!(answer.0.to_string(), status);
            assert_eq!(world.calls(), 2 * calls - 1 + again);
        }
    }
}

#[tokio::test]
async fn a_key_is_of_one_request_of_one_actor() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    let first = world.post("key", "").await;
    assert_problem(
        &world.post("key", "{}").await,
        422,
        "idempotency_key_reused",
    );
    let mut other = request("alice", "key", "");
    *other.uri_mut() = "/v1/admin/things?dry_run=true".parse().unwrap();
    assert_problem(&world.send(other).await, 422, "idempotency_key_reused");
    let bob = world.send(request("bob", "key", "")).await;
    assert_ne!(bob.2, first.2);
    assert_eq!(world.calls(), 2);
    // It is only about POSTs of the admin API.
    for (method, path) in [
        ("GET", "/v1/admin/things"),
        ("POST", "/v1/other"),
        ("POST", "/v1/admin/components"),
    ] {
        for _ in 0..2 {
            let mut request = request("alice", "key", "");
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = path.parse().unwrap();
            assert_eq!(world.send(request).await.0, 201);
        }
    }
    assert_eq!(world.calls(), 8);
}

#[tokio::test]
async fn a_request_that_is_being_answered_is_not_done_beside_itself() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    world.permits.forget_permits(usize::MAX);
    let router = world.router.clone();
    let client = tokio::spawn(router.oneshot(request("alice", "key", "")));
    while world.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let second = world.post("key", "").await;
    assert_problem(&second, 409, "in_progress");
    assert_eq!(second.1["retry-after"], "1");
    assert_problem(
        &world.post("key", "{}").await,
        422,
        "idempotency_key_reused",
    );
    // The client goes; what it asked for is done to its end.
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    world.permits.add_permits(1);
    let answer = loop {
        let answer = world.post("key", "").await;
        if answer.0 != 409 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.1["idempotency-replayed"], "true");
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_the_key_free() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    for calls in 1..=2 {
        let router = world.router.clone();
        let panicked = tokio::spawn(router.oneshot(request("alice", "key", "panic"))).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(world.calls(), calls);
    }
}

#[tokio::test]
async fn only_keys_of_visible_characters_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    assert_eq!(world.post(&longest, "").await.0, 201);
    for key in ["", "a b", "a\tb", "k\u{e9}y", &too_long] {
        assert_problem(&world.post(key, "").await, 400, "invalid_idempotency_key");
    }
    let mut twice = request("alice", "one", "");
    twice
        .headers_mut()
        .append(KEY, HeaderValue::from_static("one"));
    assert_problem(&world.send(twice).await, 400, "invalid_idempotency_key");
    let large = world.post("large", &"x".repeat(1_001)).await;
    assert_problem(&large, 413, "body_rejected");
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn answers_are_sealed_and_who_lost_the_key_does_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    world.post("key", "").await;
    drop(world);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"\"call\""));
    }
    let world = World::open(directory.path(), "another");
    assert_problem(&world.post("key", "").await, 409, "answer_lost");
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path(), "key");
    let first = world.post("key", "").await;
    let store = Store::open(&directory.path().join("db")).unwrap();
    let seal = Seal::open(&directory.path().join("key")).unwrap();
    let name = ("alice".to_owned(), "key".to_owned());
    let age = async |seconds: f64| {
        let kept = store.idempotent(name.0.clone(), name.1.clone()).await;
        let (digest, status, sealed) = kept.unwrap().unwrap();
        let clear = seal.unseal(&context(&name), &sealed).unwrap();
        let mut answer: Answer = serde_json::from_slice(&clear).unwrap();
        answer.at -= seconds;
        let clear = serde_json::to_vec(&answer).unwrap();
        let sealed = seal.seal(&context(&name), &clear).unwrap();
        let kept = store.keep_answer(name.clone(), digest, (status, sealed), answer.at, 0.0);
        kept.await.unwrap();
    };
    age(86_000.0).await;
    assert_eq!(world.post("key", "").await.2, first.2);
    age(400.0).await;
    assert_ne!(world.post("key", "").await.2, first.2);
}
