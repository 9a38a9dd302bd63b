//! The challenge that scores real traffic, and the calls that tests make of it.

use super::setup::{WORLD, call, load, settings};
use proctor_host::sandbox::organic::{
    Caller, Entry, Failure, MinerReward, Neuron, Response, Rewarded,
};
use proctor_host::sandbox::{Called, Grants, Limits, PluginComponent};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::sync::LazyLock;

/// The exports of `organic`.
pub(crate) const CALLS: [&str; 7] = [
    "admit",
    "datasets",
    "synthesize",
    "queries",
    "reference",
    "reward",
    "fold",
];

pub(crate) static ORGANIC: LazyLock<PluginComponent> =
    LazyLock::new(|| load(&WORLD.sandbox, "organic_challenge"));

/// Has the challenge do what `act` says in `export`. What it returns is told as Rust
/// shows it.
pub(crate) async fn ask(export: &str, act: Value, limits: &Limits) -> Called<String> {
    asked_of(
        &ORGANIC,
        export,
        settings(export, act),
        &json!({"x": 5}),
        limits,
    )
    .await
}

/// Calls `export` of `plugin` about an entry, or a sample, that is `about`.
pub(crate) async fn asked_of(
    plugin: &PluginComponent,
    export: &str,
    settings: Value,
    about: &Value,
    limits: &Limits,
) -> Called<String> {
    let grants = Grants::default();
    let call = call(settings, limits, &grants);
    let (sandbox, about) = (&WORLD.sandbox, about.to_string());
    match export {
        "admit" => shown(plugin.admit(sandbox, call, &entry(&about)).await),
        "datasets" => shown(plugin.datasets(sandbox, call).await),
        "synthesize" => shown(plugin.synthesize(sandbox, call, "counting", 12_345).await),
        "queries" => shown(plugin.queries(sandbox, call, &about, &metagraph()).await),
        "reference" => shown(plugin.reference(sandbox, call, &about).await),
        "reward" => {
            let responses = responses();
            let called = plugin.reward(sandbox, call, &about, &responses, Some("5"));
            shown(called.await)
        }
        "fold" => {
            let state = json!({"alice": 2.0}).to_string();
            shown(plugin.fold(sandbox, call, &rewarded(), Some(&state)).await)
        }
        _ => panic!("no export {export}"),
    }
}

fn shown<T: Debug>(called: Called<T>) -> Called<String> {
    Called {
        result: called.result.map(|value| format!("{value:?}")),
        report: called.report,
    }
}

pub(crate) fn entry(body: &str) -> Entry {
    Entry {
        caller: Caller {
            hotkey: "carol".into(),
            uid: Some(9),
            stake: 10.0,
            validator_permit: false,
        },
        body: body.into(),
        received_at: 1_750_000_000.0,
    }
}

/// Alice and Bob.
pub(crate) fn metagraph() -> Vec<Neuron> {
    [(3, "alice"), (4, "bob")]
        .map(|(uid, hotkey)| Neuron {
            uid,
            hotkey: hotkey.into(),
            coldkey: None,
            stake: 1.0,
            validator_permit: false,
        })
        .into()
}

/// Alice is right, Bob did not answer.
pub(crate) fn responses() -> Vec<Response> {
    let right = json!({"echo": 5}).to_string();
    [
        (3, "alice", Ok(right), 0.25),
        (4, "bob", Err(Failure::Timeout), 12.0),
    ]
    .map(|(uid, hotkey, outcome, latency)| Response {
        uid,
        hotkey: hotkey.into(),
        outcome,
        latency,
    })
    .into()
}

pub(crate) fn rewarded() -> Vec<Rewarded> {
    let of = |uid, hotkey: &str, value| Rewarded {
        uid,
        hotkey: hotkey.into(),
        value,
    };
    vec![of(3, "alice", 1.0), of(4, "bob", 0.0)]
}

pub(crate) fn reward(uid: u16, value: f64) -> MinerReward {
    MinerReward { uid, value }
}
