//! Components of every published version of the contract load, and can be called. They
//! are kept in `tests/contract`, as they were built.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic; clippy.toml covers functions with #[test] only"
)]

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use proctor_host::sandbox::contract::stamp;
use proctor_host::sandbox::organic::{
    Admission, Caller, Entry, MinerReward, Neuron, Response, Rewarded,
};
use proctor_host::sandbox::submissions;
use proctor_host::sandbox::types::{
    Commit, Evaluated, Evaluation, Miner, ScoringLog, Standing, Submission,
};
use proctor_host::sandbox::{
    CallContext, Capability, Grants, Limits, PluginCall, PluginComponent, RouteCall, RouteLimits,
    Sandbox, SandboxConfig, SolverComponent, Submitted,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const NOW: f64 = 1_750_000_000.0;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contract")
}

fn component(name: &str) -> Vec<u8> {
    let path = folder().join(name).with_added_extension("wasm");
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. Every published version has a component there: see its README",
            path.display()
        )
    })
}

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/contract-cache");
    Sandbox::new(&SandboxConfig::new(cache)).unwrap()
});

fn plugin(version: &str) -> PluginComponent {
    let bytes = component(&format!("challenge-{version}"));
    PluginComponent::load(&SANDBOX, &bytes).unwrap().0
}

fn solver() -> SolverComponent {
    SolverComponent::load(&SANDBOX, &component("solver-0.1.0"))
        .unwrap()
        .0
}

fn context() -> CallContext {
    CallContext {
        settings: r#"{"tasks":2}"#.into(),
        seed: 40,
        now: NOW,
    }
}

fn submission(digit: &str) -> Submission {
    Submission {
        digest: digit.repeat(64),
    }
}

fn commit(hotkey: &str) -> Commit {
    Commit {
        miner: Miner {
            uid: 1,
            hotkey: hotkey.into(),
            coldkey: None,
            axon_ip: None,
        },
        committed_at: NOW,
        submission: submission("a"),
    }
}

fn standing() -> Standing {
    Standing {
        commit: commit("alice"),
        score: 1.0,
        scored_at: NOW,
    }
}

/// Every name in `wit/published.toml` has its component, and the newest is tested.
#[test]
fn every_published_version_has_a_component_here() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/published.toml");
    let published: BTreeMap<String, String> =
        toml::from_str(&fs::read_to_string(wit).unwrap()).unwrap();
    let mut names = BTreeSet::new();
    for id in published.keys() {
        let name = id.strip_prefix("proctor:").unwrap().replace('@', "-");
        component(&name);
        names.insert(name);
    }
    // And each of them is called below.
    let tested = ["challenge-0.1.0", "challenge-0.1.1", "solver-0.1.0"].map(str::to_owned);
    assert_eq!(names, tested.into());
}

#[test]
fn the_stamps_are_those_of_their_time() {
    // The SDK of then did not stamp.
    assert_eq!(stamp(&component("challenge-0.1.0")), None);
    assert_eq!(stamp(&component("solver-0.1.0")), None);
    let stamp = stamp(&component("challenge-0.1.1")).unwrap();
    assert_eq!(stamp.contract, "proctor:challenge@0.1.1");
    assert_eq!(stamp.sdk, "proctor-sdk-rust 0.1.0");
}

/// Calls everything that 0.1.0 has.
async fn scores(version: &str) {
    let plugin = plugin(version);
    let (limits, nothing) = (Limits::default(), Grants::default());
    let description = plugin.describe(&SANDBOX, &limits).await.result.unwrap();
    assert_eq!(
        (description.name.as_str(), description.version.as_str()),
        ("contract", version)
    );
    let call = || PluginCall::new(context(), &limits, &nothing);
    let bad = plugin.validate_settings(&SANDBOX, call(), r#"{"tasks":"many"}"#);
    assert_eq!(bad.await.result.unwrap()[0].path, "tasks");

    let submitted = Submitted {
        solver: Ok(solver().into()),
        limits: Limits::solver(),
    };
    let with_solver = PluginCall {
        submitted: Some(Arc::new(submitted)),
        ..call()
    };
    let seeds = ["[1,2]".to_owned()];
    let (called, runs) = plugin
        .evaluate(&SANDBOX, with_solver, &submission("a"), &seeds)
        .await;
    let logs: Vec<ScoringLog> = called.result.unwrap();
    let solved = logs
        .iter()
        .map(|log| (log.task.as_str(), log.solution.as_deref()));
    let expected = [("[1,2]", Some("3")), ("[40,1]", Some("41"))];
    assert_eq!(solved.collect::<Vec<_>>(), expected);
    assert!(logs.iter().all(|log| log.score == 1.0));
    assert_eq!(runs.len(), 2);

    let evaluated = Evaluated {
        commit: commit("alice"),
        scoring_logs: logs.clone(),
        comparisons: Vec::new(),
    };
    let verdict = plugin.judge(&SANDBOX, call(), &evaluated).await;
    assert_eq!(verdict.result.unwrap().score, 1.0);

    let evaluation = |digit: &str| Evaluation {
        submission: submission(digit),
        scoring_logs: logs.clone(),
    };
    let compared = plugin
        .compare(&SANDBOX, call(), &evaluation("a"), &[evaluation("b")])
        .await;
    assert_eq!(compared.result.unwrap()[0].similarity, 1.0);

    let volume = tempfile::tempdir().unwrap();
    let grants = Grants {
        database: Some(volume.path().join("database.sqlite")),
        database_pages: 100,
        statement: Duration::from_secs(5),
        ..Grants::default()
    };
    for calls in [1.0, 2.0] {
        let call = PluginCall::new(context(), &limits, &grants);
        let weights = plugin.get_weights(&SANDBOX, call, &[standing()]).await;
        assert_eq!(weights.result.unwrap()[0].weight, calls + NOW);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_0_1_0_scores_as_ever() {
    let capabilities = plugin("0.1.0").capabilities();
    let expected = [
        Capability::Scoring,
        Capability::Comparison,
        Capability::GetWeights,
    ];
    assert_eq!(capabilities, expected);
    scores("0.1.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_0_1_1_scores_as_ever() {
    assert_eq!(plugin("0.1.1").capabilities(), Capability::ALL);
    scores("0.1.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_of_0_1_1_see_standings_and_submit() {
    let plugin = plugin("0.1.1");
    let call = RouteCall {
        standings: vec![standing()].into(),
        submit: Some(Arc::new(|_| {
            let submitted = submissions::Submitted {
                id: 7,
                day: "2026-01-01".into(),
                known: false,
            };
            async { Ok(submitted) }.boxed()
        })),
        ..RouteCall::new(context(), RouteLimits::default(), Grants::default())
    };
    let path = format!("/sha256:{}", "a".repeat(64));
    let request = http::Request::get(path).header("host", "example.com");
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let answer = plugin.handle(&SANDBOX, call, request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&body[..], br#"[1,"submitted 7"]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_0_1_1_scores_real_traffic() {
    let plugin = plugin("0.1.1");
    let (limits, nothing) = (Limits::default(), Grants::default());
    let call = || PluginCall::new(context(), &limits, &nothing);
    let entry = Entry {
        caller: Caller {
            hotkey: "carol".into(),
            uid: None,
            stake: 0.0,
            validator_permit: false,
        },
        body: "[1,2]".into(),
        received_at: NOW,
    };
    let admitted = plugin.admit(&SANDBOX, call(), &entry).await.result.unwrap();
    let Admission::Admitted(admitted) = admitted else {
        panic!("{admitted:?}")
    };
    assert_eq!(admitted.sample, "[1,2]");
    let datasets = plugin.datasets(&SANDBOX, call()).await.result.unwrap();
    assert_eq!(datasets, ["ones"]);
    let sample = plugin.synthesize(&SANDBOX, call(), "ones", 5).await;
    assert_eq!(sample.result.unwrap(), "[5,1]");
    let neuron = Neuron {
        uid: 3,
        hotkey: "alice".into(),
        coldkey: None,
        stake: 0.0,
        validator_permit: false,
    };
    let neurons = [neuron];
    let queries = plugin.queries(&SANDBOX, call(), "[1,2]", &neurons).await;
    assert_eq!(queries.result.unwrap()[0].body, r#"{"numbers":[1,2]}"#);
    let reference = plugin.reference(&SANDBOX, call(), "[1,2]").await;
    assert_eq!(reference.result.unwrap().as_deref(), Some("3"));
    let response = Response {
        uid: 3,
        hotkey: "alice".into(),
        outcome: Ok("3".into()),
        latency: 0.1,
    };
    let responses = [response];
    let rewards = plugin.reward(&SANDBOX, call(), "[1,2]", &responses, Some("3"));
    let rewards: Vec<MinerReward> = rewards.await.result.unwrap();
    assert_eq!((rewards[0].uid, rewards[0].value), (3, 1.0));
    let rewarded = Rewarded {
        uid: 3,
        hotkey: "alice".into(),
        value: 1.0,
    };
    let rewarded = [rewarded];
    let folded = plugin.fold(&SANDBOX, call(), &rewarded, None).await;
    assert_eq!(folded.result.unwrap().weights[0].hotkey, "alice");
}
