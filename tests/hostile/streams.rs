//! Routes that behave: what goes through them, piece by piece, and what they reach.

use super::routes_setup::{Alone, act, channel, limits, pieces, text};
use super::setup::{WORLD, beside, call, load, standings};
use http_body_util::{BodyExt, Full};
use proctor_host::sandbox::submissions::{SubmitError, Submitted};
use proctor_host::sandbox::{
    Capability, Grants, JournalStream, Limits, Outcome, RouteCall, RouteLimits, Submit,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_with_a_handler_has_routes() {
    let alone = Alone::new();
    let capabilities = alone.plugin.capabilities();
    assert_eq!(
        capabilities,
        [Capability::GetWeights, Capability::ProxyRoutes]
    );
    assert_eq!(Capability::ProxyRoutes.name(), "proxy_routes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_sees_the_request_as_it_is() {
    let alone = Alone::new();
    let request = act(&json!({"do": "request"}))
        .method("PURGE")
        .header("connection", "keep-alive")
        .header("x-twice", "a")
        .header("x-twice", "b")
        .body(Full::<bytes::Bytes>::default());
    let asked = alone.send(request.unwrap(), limits()).await;
    let seen: Value = serde_json::from_str(&text(asked.head.unwrap()).await).unwrap();
    assert_eq!(seen["method"], "PURGE");
    assert_eq!(seen["path"], "/a/b?c=%20d");
    assert_eq!(seen["authority"], "example.com");
    let mut names: Vec<String> = serde_json::from_value(seen["headers"].clone()).unwrap();
    names.sort();
    assert_eq!(names, ["x-act", "x-twice", "x-twice"]);
    asked.ended.await.unwrap();
    // A host that is none, or none at all, is no reason to fail.
    for host in [Some(&b"\xff"[..]), Some(b"a b"), None] {
        let mut request = act(&json!({"do": "request"}));
        let headers = request.headers_mut().unwrap();
        headers.remove("host");
        if let Some(host) = host {
            headers.insert("host", http::HeaderValue::from_bytes(host).unwrap());
        }
        let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
        let asked = alone.send(request, limits()).await;
        let seen: Value = serde_json::from_str(&text(asked.head.unwrap()).await).unwrap();
        assert_eq!(seen["authority"], "localhost");
        asked.ended.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_comes_back_before_all_was_said() {
    let alone = Alone::new();
    let (sender, body) = channel();
    let request = act(&json!({"do": "echo"})).body(body).unwrap();
    let asked = beside(alone.send(request, limits())).await;
    let mut answer = asked.head.unwrap().into_body();
    for piece in ["one", "two", "three"] {
        sender.send(piece).await;
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(sender);
    assert!(answer.frame().await.is_none());
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_as_time_passes() {
    let alone = Alone::new();
    let limits = RouteLimits {
        head_ms: 1_000,
        ..limits()
    };
    let doing = json!({
        "do": "stream", "text": "data: tick\n\n", "pieces": 5, "ms": 300,
    });
    let start = Instant::now();
    let asked = beside(alone.ask(&doing, limits)).await;
    let mut body = asked.head.unwrap().into_body();
    let mut times = Vec::new();
    while let Some(frame) = body.frame().await {
        assert_eq!(frame.unwrap().into_data().unwrap(), "data: tick\n\n");
        times.push(start.elapsed());
    }
    assert_eq!(times.len(), 5);
    // Longer than the head may take, and none held back for the next.
    assert!(times[4] >= Duration::from_millis(1_200), "{times:?}");
    assert!(
        times[4] - times[0] >= Duration::from_millis(900),
        "{times:?}"
    );
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_its_length_is_complete_when_all_of_it_is_there() {
    let alone = Alone::new();
    let doing = json!({
        "do": "stream", "pieces": 1, "text": "all of it", "announce": 9,
        "then": {"do": "say", "out": "after", "err": ""},
    });
    let asked = alone.ask(&doing, limits()).await;
    let response = asked.head.unwrap();
    assert_eq!(response.headers()["content-length"], "9");
    // As a server does it: it asks for no more than was announced.
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "all of it"
    );
    drop(body);
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Ok);
    assert!(alone.journal_has("after"));
    assert!(!alone.journal_has("the client has gone"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_and_chance_are_real_in_routes() {
    let alone = Alone::new();
    let (call, ended) = alone.call(limits());
    let seen = alone.look(&json!({"do": "now", "ms": 50}), call).await;
    ended.await.unwrap();
    assert!(seen["slept_ms"].as_u64() >= Some(50), "{seen}");
    let wall = seen["wall"].as_f64().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!((now.as_secs_f64() - wall).abs() < 60.0, "{seen}");
    let mut random = Vec::new();
    for _ in 0..2 {
        let (call, ended) = alone.call(limits());
        random.push(alone.look(&json!({"do": "random"}), call).await);
        ended.await.unwrap();
    }
    assert_ne!(random[0]["bytes"], random[1]["bytes"]);
    assert_ne!(random[0]["hash"], random[1]["hash"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_is_for_all_calls_and_secrets_are_for_routes() {
    let alone = Alone::new();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let grants = Grants {
        environment: [pair("MODE", "test"), pair("B", "")].into(),
        ..Grants::default()
    };
    let (route, ended) = alone.call(limits());
    let route = RouteCall {
        grants: grants.clone(),
        secrets: vec![pair("TOKEN", "hidden")],
        ..route
    };
    assert!(!format!("{route:?}").contains("hidden"));
    let seen = alone.look(&json!({"do": "environment"}), route).await;
    ended.await.unwrap();
    assert_eq!(
        seen["variables"],
        json!([["MODE", "test"], ["B", ""], ["TOKEN", "hidden"]])
    );
    let scored = WORLD.look(json!({"do": "environment"}), &grants).await;
    let seen = scored.result.unwrap();
    assert_eq!(seen["variables"], json!([["MODE", "test"], ["B", ""]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standings_are_those_of_the_call() {
    let alone = Alone::new();
    let (route, ended) = alone.call(limits());
    let route = RouteCall {
        standings: standings().into(),
        ..route
    };
    let seen = alone.look(&json!({"do": "standings"}), route).await;
    assert_eq!(seen, json!(["alice", "bob"]));
    ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submissions_are_taken_for_whoever_signed() {
    let alone = Alone::new();
    let submit = json!({"do": "submit", "artifact": format!("sha256:{}", "ab".repeat(32))});
    let (unsigned, ended) = alone.call(limits());
    let seen = alone.look(&submit, unsigned).await;
    assert_eq!(seen["error"], "SubmitError::NotSigned");
    ended.await.unwrap();

    let asked = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&asked);
    let take: Submit = Arc::new(move |artifact| {
        taken.lock().unwrap().push(artifact);
        Box::pin(async {
            Ok(Submitted {
                id: 12,
                day: "2026-01-31".into(),
                known: false,
            })
        })
    });
    let signed = |submit: &Submit| {
        let (route, ended) = alone.call(limits());
        let submit = Some(Arc::clone(submit));
        (RouteCall { submit, ..route }, ended)
    };
    let (route, ended) = signed(&take);
    let seen = alone.look(&submit, route).await;
    assert_eq!(seen, json!({"id": 12, "day": "2026-01-31", "known": false}));
    ended.await.unwrap();
    let (route, ended) = signed(&take);
    let seen = alone
        .look(&json!({"do": "submit", "artifact": "ab"}), route)
        .await;
    assert_eq!(seen["error"], "SubmitError::UnknownArtifact");
    ended.await.unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        [format!("sha256:{}", "ab".repeat(32))]
    );

    let busy: Submit =
        Arc::new(|_| Box::pin(async { Err(SubmitError::Unavailable("later".into())) }));
    let (route, ended) = signed(&busy);
    let seen = alone.look(&submit, route).await;
    assert!(seen["error"].as_str().unwrap().contains("later"), "{seen}");
    ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scored_call_knows_no_standings_and_cannot_submit() {
    let plugin = load(&WORLD.sandbox, "routes_challenge");
    for doing in ["standings", "submit"] {
        let (limits, grants) = (Limits::default(), Grants::default());
        let call = call(json!({"do": doing}), &limits, &grants);
        let called = beside(plugin.get_weights(&WORLD.sandbox, call, &standings())).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::Denied, "{doing}: {error}");
        assert!(error.message.contains("only a route"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_tells_what_was_said_and_how_it_ended() {
    let alone = Alone::new();
    let (route, ended) = alone.call(limits());
    let doing = json!({"do": "say", "out": "to stdout\nand more", "err": "to stderr"});
    alone.look(&doing, route).await;
    ended.await.unwrap();
    let asked = alone.ask(&json!({"do": "panic"}), limits()).await;
    asked.ended.await.unwrap();
    // And of scored calls.
    let (limits, grants) = (Limits::default(), Grants::default());
    let scored = proctor_host::sandbox::PluginCall {
        journal: Some(Arc::clone(&alone.journal)),
        ..call(json!({"do": "say", "out": "scored"}), &limits, &grants)
    };
    let called = alone.plugin.get_weights(&alone.sandbox, scored, &[]).await;
    assert_eq!(called.outcome(), Outcome::GuestError);

    let entries = alone.journal.entries(0, 100);
    let of = |call: u64, stream| {
        let of = entries
            .iter()
            .filter(move |e| e.call == call && e.stream == stream);
        of.map(|entry| &*entry.text).collect::<Vec<_>>()
    };
    assert_eq!(of(1, JournalStream::Stdout), ["to stdout", "and more"]);
    assert_eq!(of(1, JournalStream::Stderr), ["to stderr"]);
    let end = of(1, JournalStream::Host);
    assert!(end[0].starts_with("handle: ok; fuel "), "{end:?}");
    assert!(end[0].ends_with(" host calls"), "{end:?}");
    let end = of(2, JournalStream::Host);
    assert!(end[0].starts_with("handle: trap; fuel "), "{end:?}");
    assert!(end[0].contains("the answer is 42"), "{end:?}");
    assert_eq!(of(3, JournalStream::Stdout), ["scored"]);
    let end = of(3, JournalStream::Host);
    assert!(end[0].starts_with("get-weights: guest_error; "), "{end:?}");
    let ids: Vec<u64> = entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert!(entries.iter().all(|entry| entry.at > 1.7e9));
}

/// One that writes much is cut off in the journal as it is in its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_the_log_is_cut_off_in_the_journal() {
    let alone = Alone::new();
    let limits = RouteLimits {
        log_bytes: 4096,
        ..limits()
    };
    let asked = alone
        .ask(&json!({"do": "flood-log", "lines": 10_000}), limits)
        .await;
    pieces(asked.head.unwrap()).await;
    asked.ended.await.unwrap();
    let entries = alone.journal.entries(0, usize::MAX);
    let said: usize = entries
        .iter()
        .filter(|entry| entry.stream == JournalStream::Stderr)
        .map(|entry| entry.text.len() + 1)
        .sum();
    assert!((4000..=4096).contains(&said), "{said}");
    assert!(alone.journal_has("its log was cut"));
}
