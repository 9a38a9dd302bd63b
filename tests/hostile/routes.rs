//! Routes that misbehave: each is stopped, hurts nobody else, and leaves its place.

use super::routes_setup::{Alone, act, limits, pieces, text};
use super::setup::{QUIET, WORLD, beside, load};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use proctor_host::sandbox::{Outcome, RouteCall, RouteLimits};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Has a route do something before it answers, if it ever does.
async fn fails(doing: Value, limits: RouteLimits) -> (Outcome, String) {
    let alone = Alone::new();
    let asked = beside(alone.ask(&doing, limits)).await;
    let error = asked.head.expect_err(&format!("{doing} was answered"));
    let called = asked.ended.await.unwrap();
    assert_eq!(called.outcome(), error.outcome, "{doing}");
    alone.is_free().await;
    (error.outcome, error.message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_answers_is_stopped() {
    let short = RouteLimits {
        fuel: u64::MAX / 2,
        head_ms: 300,
        ..RouteLimits::default()
    };
    let (outcome, message) = fails(json!({"do": "loop"}), short).await;
    assert_eq!(outcome, Outcome::Timeout, "{message}");
    let sleep = json!({"do": "sleep", "seconds": 3600});
    assert_eq!(fails(sleep, short).await.0, Outcome::Timeout);
    let little = RouteLimits {
        fuel: 20_000_000,
        ..RouteLimits::default()
    };
    let (outcome, _) = fails(json!({"do": "loop"}), little).await;
    assert_eq!(outcome, Outcome::OutOfFuel);
    let calls = RouteLimits {
        host_calls: 10_000,
        ..RouteLimits::default()
    };
    let (outcome, _) = fails(json!({"do": "flood-host"}), calls).await;
    assert_eq!(outcome, Outcome::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_returns_without_an_answer_has_an_invalid_one() {
    for doing in ["silent", "drop"] {
        let (outcome, message) = fails(json!({"do": doing}), limits()).await;
        assert_eq!(outcome, Outcome::InvalidOutput);
        assert!(message.contains("without an answer"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_fails_before_it_answers_is_told_as_any_call() {
    let (outcome, message) = fails(json!({"do": "panic"}), limits()).await;
    assert_eq!(outcome, Outcome::Trap);
    assert!(message.contains("the answer is 42"), "{message}");
    assert_eq!(
        fails(json!({"do": "recurse"}), limits()).await.0,
        Outcome::StackOverflow
    );
    let (outcome, _) = fails(json!({"do": "hoard-memory"}), limits()).await;
    assert_eq!(outcome, Outcome::OutOfMemory);
    let (outcome, message) = fails(json!({"do": "error"}), limits()).await;
    assert_eq!((outcome, &*message), (Outcome::GuestError, "no luck today"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_in_mid_stream_is_an_error_of_the_body() {
    let alone = Alone::new();
    for announce in [None, Some(1_000_000)] {
        let doing = json!({
            "do": "stream", "pieces": 3, "text": "piece ", "announce": announce,
            "then": {"do": "trap"},
        });
        let asked = beside(alone.ask(&doing, limits())).await;
        let (got, error) = pieces(asked.head.unwrap()).await;
        assert_eq!(got.concat(), b"piece piece piece ");
        assert_eq!(error.unwrap().outcome, Outcome::Trap);
        assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Trap);
        alone.is_free().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_given_up_or_too_short_is_not_complete() {
    let alone = Alone::new();
    for doing in [
        json!({"do": "stream", "pieces": 1, "then": {"do": "give-up"}}),
        json!({"do": "stream", "pieces": 5, "announce": 10}),
    ] {
        let asked = alone.ask(&doing, limits()).await;
        let (_, error) = pieces(asked.head.unwrap()).await;
        assert_eq!(error.unwrap().outcome, Outcome::GuestError, "{doing}");
        asked.ended.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_body_is_cut_off_at_its_limit() {
    let alone = Alone::new();
    let limits = RouteLimits {
        response_bytes: 10 << 20,
        ..limits()
    };
    let doing = json!({"do": "stream", "bytes": 64 << 10});
    let asked = alone.ask(&doing, limits).await;
    let (got, error) = beside(pieces(asked.head.unwrap())).await;
    assert_eq!(got.concat().len(), 10 << 20);
    let error = error.unwrap();
    assert_eq!(error.outcome, Outcome::InvalidOutput);
    assert!(error.message.contains("10485760 bytes"), "{error}");
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::InvalidOutput);
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_is_cut_off_in_time() {
    let alone = Alone::new();
    let limits = RouteLimits {
        head_ms: 200,
        stream_ms: 500,
        ..limits()
    };
    let doing = json!({"do": "stream", "ms": 20});
    let start = Instant::now();
    let asked = alone.ask(&doing, limits).await;
    let (got, error) = beside(pieces(asked.head.unwrap())).await;
    assert_eq!(error.unwrap().outcome, Outcome::Timeout);
    // The time of the head is not that of the rest.
    assert!(start.elapsed() >= Duration::from_millis(500));
    assert!(got.len() > 1, "{}", got.len());
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Timeout);
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_there_cannot_be_are_refused_to_the_guest() {
    let alone = Alone::new();
    let doing = json!({"do": "headers"});
    let response = beside(alone.ask(&doing, limits())).await.head.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().len(), 0, "{:?}", response.headers());
    let refused: Vec<String> = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(
        refused,
        [
            "x split",
            "x-good",
            "",
            "connection",
            "transfer-encoding",
            "content-length",
            "status",
            "status",
            "status",
            "status",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_are_not_held() {
    let alone = Alone::new();
    let doing = json!({"do": "headers", "bytes": 64 << 20});
    let asked = beside(alone.ask(&doing, limits())).await;
    match asked.head {
        Ok(response) => {
            let sizes = response.headers().values().map(|value| value.len());
            assert!(sizes.sum::<usize>() < 256 << 10);
        }
        Err(error) => assert_eq!(error.outcome, Outcome::InvalidOutput, "{error}"),
    }
    asked.ended.await.unwrap();
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nobody_reads_is_nobodys_loss() {
    let alone = Alone::new();
    let request = act(&json!({"do": "ignore-body"})).body(Full::from(vec![1; 4 << 20]));
    let asked = beside(alone.send(request.unwrap(), limits())).await;
    assert_eq!(text(asked.head.unwrap()).await, "did not look");
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Ok);
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_above_its_limit_is_an_error_to_the_guest() {
    let alone = Alone::new();
    let small = RouteLimits {
        request_bytes: 100_000,
        ..limits()
    };
    let ask = async |bytes: usize| {
        let request = act(&json!({"do": "read-body"})).body(Full::from(vec![1; bytes]));
        let asked = alone.send(request.unwrap(), small).await;
        let seen: Value = serde_json::from_str(&text(asked.head.unwrap()).await).unwrap();
        asked.ended.await.unwrap();
        seen
    };
    assert_eq!(ask(100_000).await, json!({"length": 100_000}));
    let seen = ask(100_001).await;
    assert_eq!(seen["error"], "failed");
    assert!(seen["length"].as_u64() <= Some(100_000), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_waits_for_a_slow_client_is_stopped_in_time() {
    let alone = Alone::new();
    let short = RouteLimits {
        head_ms: 300,
        ..limits()
    };
    let (sender, body) = super::routes_setup::channel();
    sender.send("a").await;
    let request = act(&json!({"do": "read-body"})).body(body).unwrap();
    let asked = beside(alone.send(request, short)).await;
    assert_eq!(asked.head.unwrap_err().outcome, Outcome::Timeout);
    asked.ended.await.unwrap();
    alone.is_free().await;
}

/// A client that asks for much and takes nothing would hold its place for as long as
/// an answer may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_loses_its_place() {
    let alone = Alone::new();
    let short = RouteLimits {
        head_ms: 300,
        ..limits()
    };
    let doing = json!({"do": "stream", "bytes": 64 << 10});
    let asked = alone.ask(&doing, short).await;
    let mut body = asked.head.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let called = beside(asked.ended).await.unwrap();
    assert_eq!(called.outcome(), Outcome::Ok);
    assert!(alone.journal_has("the client takes nothing"));
    alone.is_free().await;
    drop(body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_stops_the_guest() {
    let alone = Alone::new();
    // One that sleeps does not notice by itself.
    for doing in [
        json!({"do": "stream", "bytes": 1000}),
        json!({"do": "stream", "pieces": 2, "ms": 3_600_000}),
    ] {
        let asked = alone.ask(&doing, limits()).await;
        let mut body = asked.head.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        let start = Instant::now();
        drop(body);
        let called = beside(asked.ended).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
        assert!(alone.journal_has("the client has gone"));
        alone.is_free().await;
    }
    // Before there is an answer.
    let doing = json!({"do": "sleep", "seconds": 3600});
    let (call, ended) = alone.call(limits());
    let request = act(&doing).body(Full::<bytes::Bytes>::default()).unwrap();
    let asking = alone.plugin.handle(&alone.sandbox, call, request);
    let waited = tokio::time::timeout(Duration::from_millis(200), asking).await;
    assert!(waited.is_err());
    assert_eq!(ended.await.unwrap().outcome(), Outcome::Ok);
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_guest_does_after_its_answer_has_an_end() {
    let alone = Alone::new();
    let after = |act: Value| {
        json!({
            "do": "stream", "pieces": 1, "text": "all",
            "then": {"do": "finish-and-go-on", "act": act},
        })
    };
    // Such as writing down what it has done.
    let asked = alone
        .ask(
            &after(json!({"do": "say", "out": "done", "err": ""})),
            limits(),
        )
        .await;
    assert_eq!(text(asked.head.unwrap()).await, "all");
    assert_eq!(asked.ended.await.unwrap().outcome(), Outcome::Ok);
    assert!(alone.journal_has("done"));
    let sleep = after(json!({"do": "sleep", "seconds": 3600}));
    let asked = alone.ask(&sleep, limits()).await;
    assert_eq!(text(asked.head.unwrap()).await, "all");
    let called = beside(asked.ended).await.unwrap();
    assert_eq!(called.outcome(), Outcome::Timeout);
    alone.is_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_place_a_call_is_refused_at_once() {
    let alone = Alone::new();
    let sleep = json!({"do": "stream", "pieces": 2, "ms": 3_600_000});
    let first = alone.ask(&sleep, limits()).await;
    assert_eq!(alone.sandbox.free_route_calls(), 0);
    let second = alone.ask(&json!({"do": "request"}), limits()).await;
    let error = second.head.unwrap_err();
    assert_eq!(error.outcome, Outcome::Unavailable);
    let called = second.ended.await.unwrap();
    assert_eq!(called.outcome(), Outcome::Unavailable);
    drop(first.head);
    first.ended.await.unwrap();
    alone.is_free().await;
}

/// They share the pool of memories, but not the places in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_that_take_all_their_places_leave_those_of_scored_calls() {
    let plugin = load(&WORLD.sandbox, "routes_challenge");
    let ask = async |_: usize| {
        let limits = RouteLimits {
            head_ms: 1_000,
            ..limits()
        };
        let context = super::routes_setup::context();
        let call = RouteCall::new(context, limits, Default::default());
        let doing = json!({"do": "sleep", "seconds": 3600});
        let request = act(&doing).body(Full::<bytes::Bytes>::default()).unwrap();
        let answer = plugin.handle(&WORLD.sandbox, call, request).await;
        answer.unwrap_err().outcome
    };
    let outcomes = beside(join_all((0..80).map(ask))).await;
    let count = |outcome| outcomes.iter().filter(|o| **o == outcome).count();
    assert_eq!(count(Outcome::Timeout), 64);
    assert_eq!(count(Outcome::Unavailable), 16);
}

/// Else a flood of requests would have submissions pass their time limits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_that_compute_leave_time_to_what_is_scored() {
    let _quiet = QUIET.write().await;
    let alone = Alone::with_places(32);
    let time = async || {
        let start = Instant::now();
        // On the threads that the routes are on.
        tokio::spawn(WORLD.well_behaved()).await.unwrap();
        start.elapsed()
    };
    time().await;
    let mut best = f64::MAX;
    // What else the machine does is not what is tested.
    for _ in 0..3 {
        let undisturbed = time().await;
        let limits = RouteLimits {
            fuel: u64::MAX / 2,
            ..limits()
        };
        let asked = (0..32).map(|_| {
            let (call, ended) = alone.call(limits);
            let request = act(&json!({"do": "stream", "pieces": 1, "then": {"do": "loop"}}));
            let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
            let answer = alone.plugin.handle(&alone.sandbox, call, request);
            async { (answer.await.unwrap(), ended) }
        });
        let busy = join_all(asked).await;
        best = best.min(time().await.div_duration_f64(undisturbed));
        for (answer, ended) in busy {
            drop(answer);
            assert_eq!(ended.await.unwrap().outcome(), Outcome::Ok);
        }
        if best < 6.0 {
            break;
        }
    }
    assert!(best < 6.0, "{best} times as long beside 32 routes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_without_routes_has_none() {
    let context = super::routes_setup::context();
    let call = RouteCall::new(context, limits(), Default::default());
    let request = act(&json!({}))
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let answer = WORLD.hostile.handle(&WORLD.sandbox, call, request).await;
    let error = answer.unwrap_err();
    assert_eq!(error.outcome, Outcome::LinkError);
    assert!(error.message.contains("incoming-handler"), "{error}");
}
