//! Challenges that score real traffic: each of their calls is contained, and nothing
//! that they return is taken as it is.

use super::organic_setup::{
    CALLS, ORGANIC, ask, asked_of, entry, metagraph, responses, reward, rewarded,
};
use super::setup::{QUIET, WORLD, beside, call, settings, submission};
use proctor_host::sandbox::organic::failure_name;
use proctor_host::sandbox::organic::{Admission, Admitted, Failure, Protocol, Refusal};
use proctor_host::sandbox::{
    Blame, Capability, Grants, Limits, Outcome, PluginComponent, Sandbox, SandboxConfig,
};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};

/// What the challenge must not return, with what the host says of it.
async fn refused(export: &str, act: Value, why: &str) {
    let called = ask(export, act.clone(), &Limits::default()).await;
    let error = called.result.expect_err(&format!("{export} {act} passed"));
    let told = (error.outcome, error.blame);
    let expected = (Outcome::InvalidOutput, Blame::Plugin);
    assert_eq!(told, expected, "{export} {act}: {error}");
    assert!(
        error.message.contains(why),
        "{export} {act}: {}",
        error.message
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_contained() {
    let small = Limits {
        fuel: 50_000_000,
        memory_bytes: 32 << 20,
        ..Limits::default()
    };
    // Fuel for more than there is time.
    let short = Limits {
        fuel: u64::MAX / 2,
        wall_ms: 50,
        ..Limits::default()
    };
    let chatty = Limits {
        host_calls: 1_000,
        ..Limits::default()
    };
    let cases = [
        ("trap", &small, Outcome::Trap),
        ("panic", &small, Outcome::Trap),
        ("exit", &small, Outcome::Trap),
        ("loop", &small, Outcome::OutOfFuel),
        ("loop", &short, Outcome::Timeout),
        ("recurse", &small, Outcome::StackOverflow),
        ("hoard-memory", &small, Outcome::OutOfMemory),
        ("flood-host", &chatty, Outcome::Denied),
        // None of them has a submission.
        ("solve", &small, Outcome::Denied),
    ];
    beside(async {
        for export in CALLS {
            for (act, limits, outcome) in cases {
                let called = ask(export, json!({ "do": act }), limits).await;
                let error = called.result.unwrap_err();
                assert_eq!(error.outcome, outcome, "{export} {act}: {error}");
                assert_eq!(error.blame, Blame::Plugin, "{export} {act}");
            }
            let called = ask(export, json!({}), &small).await;
            assert_eq!(called.outcome(), Outcome::Ok, "{export}: {called:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_says_whether_the_sample_is_at_fault() {
    for export in CALLS {
        // Of a call that is about no sample, or has what was refused already.
        let of_sample = match export {
            "queries" | "reference" | "reward" => Blame::Submission,
            _ => Blame::Plugin,
        };
        for (fail, outcome, blame) in [
            ("invalid-submission", Outcome::GuestError, of_sample),
            ("unavailable", Outcome::Unavailable, Blame::Host),
            ("internal", Outcome::GuestError, Blame::Plugin),
        ] {
            let called = ask(export, json!({ "fail": fail }), &Limits::default()).await;
            let error = called.result.unwrap_err();
            assert_eq!(
                (error.outcome, error.blame),
                (outcome, blame),
                "{export} {fail}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_above_the_limit_is_not_taken() {
    let huge = json!({"do": "output", "bytes": 20 << 20});
    for export in [
        "admit",
        "datasets",
        "synthesize",
        "queries",
        "reference",
        "fold",
    ] {
        refused(export, huge.clone(), "too much data").await;
    }
    refused(
        "reward",
        json!({"uid": 3, "many": 2_000_000}),
        "too much data",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admission_has_a_sample_that_is_json_and_a_priority_that_is_a_number() {
    for priority in ["NaN", "inf", "-inf"] {
        refused("admit", json!({ "priority": priority }), "priority").await;
    }
    for sample in ["", "{oops", "NaN", "\"\\ud800\"", "1e999"] {
        refused("admit", json!({ "sample": sample }), "not JSON").await;
        refused("synthesize", json!({ "sample": sample }), "not JSON").await;
        refused("reference", json!({ "reference": sample }), "not JSON").await;
    }
    // Deep enough to overflow the stack of a reader that recurses.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    refused("admit", json!({ "sample": deep }), "not JSON").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_is_told_is_one_short_line() {
    let (limits, grants) = (Limits::default(), Grants::default());
    for (bytes, most) in [(1_000_000, 1_000), (20, 20)] {
        let settings = settings("admit", json!({ "refusal": bytes }));
        let call = call(settings, &limits, &grants);
        let called = ORGANIC.admit(&WORLD.sandbox, call, &entry("{}")).await;
        let Admission::Refused(Refusal::Blacklisted(why)) = called.result.unwrap() else {
            panic!("it was admitted");
        };
        assert!(why.starts_with("no"), "{why:?}");
        assert!(why.len() <= most, "{}", why.len());
        assert!(!why.contains(char::is_control), "{why:?}");
        assert_eq!(why.ends_with('…'), bytes > 1_000, "{why:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datasets_are_few_and_have_names() {
    refused("datasets", json!({"many": 1_001}), "1001 datasets").await;
    refused("datasets", json!({"many": 1_000_000}), "").await;
    for (names, why) in [
        (json!([""]), "called \"\""),
        (json!(["a".repeat(65)]), "called"),
        (json!(["two\nlines"]), "called"),
        (json!(["a", "b", "a"]), "\"a\" twice"),
    ] {
        refused("datasets", json!({ "names": names }), why).await;
    }
    for good in [json!([]), json!(["é".repeat(64), "b"])] {
        let act = json!({ "names": good });
        let called = ask("datasets", act, &Limits::default()).await;
        assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
    }
    let called = ask("datasets", json!({"many": 1_000}), &Limits::default()).await;
    assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_to_a_neuron_that_is_there_and_to_each_once() {
    for uid in [0, 5, u16::MAX] {
        refused("queries", json!({ "uid": uid }), "not in the metagraph").await;
    }
    refused("queries", json!({"uid": 3}), "uid 3").await;
    refused("queries", json!({"uid": 3, "many": 100_000}), "uid 3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_cannot_leave_the_axon_or_be_read_in_two_ways() {
    let long = "a".repeat(257);
    for path in [
        "",
        "/",
        "/Echo",
        "Echo/",
        "a//b",
        "..",
        "../Echo",
        "a/../b",
        "a/./b",
        "a..b",
        "Echo?admin=1",
        "Echo#x",
        "Echo%2f",
        "Echo x",
        "Echo\r\nx-evil: 1",
        "Echo\0",
        "\u{c9}cho",
        "user@host",
        "http://10.0.0.1",
        "a:80",
        "a\\b",
        &long,
    ] {
        refused("queries", json!({ "path": path }), "at path").await;
    }
    for path in ["Echo", "v1/chat/completions", "a-b_c.d", &long[..256]] {
        let called = ask("queries", json!({ "path": path }), &Limits::default()).await;
        assert_eq!(called.outcome(), Outcome::Ok, "{path}: {:?}", called.result);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_of_a_query_is_a_json_object() {
    for body in ["", "null", "[1]", "\"x\"", "7", "{\"a\":", "{} {}"] {
        refused("queries", json!({ "body": body }), "no JSON object").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_synapse_has_one_name_and_hashes_its_own_fields() {
    let dendrite = |act: Value| {
        let mut act = act;
        act["protocol"] = "dendrite".into();
        act
    };
    let act = dendrite(json!({"path": "v1/chat"}));
    refused("queries", act, "a synapse called").await;
    let act = dendrite(json!({"hashed": ["x", "roles"]}));
    refused("queries", act, "\"roles\"").await;
    let act = dendrite(json!({"hashed": ["x"]}));
    let called = ask("queries", act, &Limits::default()).await;
    let queries = called.result.unwrap();
    assert!(queries.contains("Dendrite([\"x\"])"), "{queries}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rewards_are_numbers_for_those_who_were_asked() {
    for value in ["NaN", "inf", "-inf"] {
        refused("reward", json!({ "value": value }), "a reward of").await;
    }
    refused("reward", json!({"uid": 5}), "uid 5").await;
    refused("reward", json!({"uid": 3}), "uid 3").await;
    // What is bad may be told as such.
    let called = ask("reward", json!({"value": "-1.5"}), &Limits::default()).await;
    assert!(called.result.unwrap().contains("-1.5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_folded_can_be_kept_and_paid() {
    for state in ["", "{oops", "undefined"] {
        refused("fold", json!({ "state": state }), "the state is not JSON").await;
    }
    for weight in ["NaN", "inf", "-inf", "-0.5"] {
        refused("fold", json!({ "weight": weight }), "a weight of").await;
    }
    refused("fold", json!({"hotkey": "alice"}), "two weights for alice").await;
    for hotkey in [String::new(), "a".repeat(65)] {
        refused("fold", json!({ "hotkey": hotkey }), "no hotkey").await;
    }
    refused("fold", json!({"many": 65_535}), "65537 weights").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_that_is_poison_hurts_the_calls_that_get_it_only() {
    let limits = Limits::default();
    for export in ["queries", "reference", "reward"] {
        let poison = json!({"x": 1, "in": export, "do": "trap"});
        for asked in CALLS {
            let called = asked_of(&ORGANIC, asked, json!({}), &poison, &limits).await;
            let expected = match asked == export {
                true => Outcome::Trap,
                false => Outcome::Ok,
            };
            assert_eq!(called.outcome(), expected, "{export} {asked}");
        }
    }
}

/// From an entry to weights.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_iteration_of_a_challenge_that_behaves() {
    let (limits, grants) = (Limits::default(), Grants::default());
    let (sandbox, settings) = (&WORLD.sandbox, json!({}));
    let with = || call(settings.clone(), &limits, &grants);
    let body = json!({"x": 5, "priority": 2.5}).to_string();
    let admitted = ORGANIC.admit(sandbox, with(), &entry(&body)).await;
    let sample = json!({"x": 5}).to_string();
    let expected = Admission::Admitted(Admitted {
        sample: sample.clone(),
        priority: 2.5,
    });
    assert_eq!(admitted.result.unwrap(), expected);
    for (field, refusal) in [
        (
            "blacklist",
            Refusal::Blacklisted("blacklist is true".into()),
        ),
        (
            "unverified",
            Refusal::Unverified("unverified is true".into()),
        ),
        ("invalid", Refusal::Invalid("invalid is true".into())),
    ] {
        let body = json!({"x": 5, field: true}).to_string();
        let admission = ORGANIC.admit(sandbox, with(), &entry(&body)).await;
        assert_eq!(admission.result.unwrap(), Admission::Refused(refusal));
    }
    let datasets = ORGANIC.datasets(sandbox, with()).await.result.unwrap();
    assert_eq!(datasets, ["counting"]);
    let synthetic = ORGANIC
        .synthesize(sandbox, with(), "counting", 12_345)
        .await;
    assert_eq!(synthetic.result.unwrap(), json!({"n": 345}).to_string());
    let queries = ORGANIC
        .queries(sandbox, with(), &sample, &metagraph())
        .await;
    let queries = queries.result.unwrap();
    assert_eq!(queries.iter().map(|q| q.uid).collect::<Vec<_>>(), [3, 4]);
    assert!(queries.iter().all(|query| query.path == "Echo"
        && query.body == sample
        && query.protocol == Protocol::Btauth));
    let reference = ORGANIC.reference(sandbox, with(), &sample).await;
    let reference = reference.result.unwrap();
    assert_eq!(reference.as_deref(), Some("5"));
    let reference = reference.as_deref();
    let (responses, rewarded) = (responses(), rewarded());
    let rewards = ORGANIC.reward(sandbox, with(), &sample, &responses, reference);
    assert_eq!(
        rewards.await.result.unwrap(),
        [reward(3, 1.0), reward(4, 0.0)]
    );
    let mut state = None;
    for round in 1..=3 {
        let folded = ORGANIC.fold(sandbox, with(), &rewarded, state.as_deref());
        let folded = folded.await.result.unwrap();
        let paid = folded.weights.iter().map(|w| (w.hotkey.as_str(), w.weight));
        let paid: Vec<_> = paid.collect();
        assert_eq!(paid, [("alice", f64::from(round)), ("bob", 0.0)]);
        state = Some(folded.state);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_comes_to_the_same_each_time() {
    let limits = Limits {
        fuel: 50_000_000,
        ..Limits::default()
    };
    let acts = [
        json!({}),
        json!({"do": "random"}),
        json!({"do": "clocks"}),
        json!({"do": "count"}),
        json!({"do": "loop"}),
    ];
    let all = async || {
        let mut facts = Vec::new();
        for export in CALLS {
            for act in &acts {
                let called = ask(export, act.clone(), &limits).await;
                let report = called.report;
                let figures = (report.fuel, report.memory_bytes, report.host_calls);
                facts.push((called.result, figures));
            }
        }
        facts
    };
    let first = beside(all()).await;
    assert_eq!(first, all().await);
    // Random numbers are there, and are the seed's.
    let of = |act: usize| first[2 * acts.len() + act].0.as_ref().unwrap();
    assert!(of(1).contains("bytes"), "{}", of(1));
    assert!(of(3).contains('1'), "{}", of(3));
}

#[test]
fn the_capability_is_told_by_what_is_exported() {
    assert_eq!(ORGANIC.capabilities(), [Capability::Organic]);
    assert_eq!(Capability::Organic.name(), "organic");
    assert!(!WORLD.hostile.capabilities().contains(&Capability::Organic));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_export_it_cannot_be_called() {
    let (settings, about, limits) = (json!({}), json!({}), Limits::default());
    for export in CALLS {
        let called = asked_of(&WORLD.hostile, export, settings.clone(), &about, &limits).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::LinkError, "{export}");
        assert!(
            error.message.contains("challenge/organic"),
            "{}",
            error.message
        );
    }
}

/// The challenge's component with each `from` made `to`, which is as long.
fn renamed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = guest_bytes("organic_challenge");
    let mut changed = 0;
    for at in 0..bytes.len() - from.len() {
        let place = &mut bytes[at..at + from.len()];
        if place == from.as_bytes() {
            place.copy_from_slice(to.as_bytes());
            changed += 1;
        }
    }
    assert!(changed > 0, "no {from}");
    bytes
}

#[test]
fn an_interface_of_a_wrong_shape_does_not_link() {
    let interface = "exports proctor:challenge/organic@";
    for (from, to, parts) in [
        (
            "synthesize",
            "synthesise",
            [interface, "no function synthesize"],
        ),
        (
            "validator-permit",
            "validator-permut",
            [interface, "the type of admit"],
        ),
        ("latency", "latenzy", [interface, "the type of reward"]),
        (
            "organic@0.1.1",
            "organic@0.9.1",
            ["built for proctor:challenge 0.9", "takes 0.1"],
        ),
    ] {
        let error = PluginComponent::load(&WORLD.sandbox, &renamed(from, to)).unwrap_err();
        let told = (error.outcome, error.blame);
        assert_eq!(told, (Outcome::LinkError, Blame::Plugin), "{from}: {error}");
        for part in parts {
            assert!(error.message.contains(part), "{from}: {}", error.message);
        }
    }
}

/// A caller waits for `admit`, and an evaluation may take minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_get_through_while_every_place_has_an_evaluation() {
    let _noisy = QUIET.read().await;
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/hostile-cache");
    let config = SandboxConfig {
        max_concurrent_calls: 1,
        ..SandboxConfig::new(cache)
    };
    let sandbox = Sandbox::new(&config).unwrap();
    let hostile = super::setup::load(&sandbox, "hostile_challenge");
    let organic = super::setup::load(&sandbox, "organic_challenge");
    let long = Limits {
        fuel: u64::MAX / 2,
        wall_ms: 600_000,
        ..Limits::default()
    };
    let (limits, grants, submission) = (Limits::default(), Grants::default(), submission());
    let endless = call(settings("evaluate", json!({"do": "loop"})), &long, &grants);
    let endless = hostile.evaluate(&sandbox, endless, &submission, &[]);
    let entry = entry(r#"{"x": 1}"#);
    let admit = organic.admit(&sandbox, call(json!({}), &limits, &grants), &entry);
    tokio::select! {
        // So the evaluation has its place first.
        biased;
        (called, _) = endless => panic!("it ended: {called:?}"),
        called = admit => assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result),
    }
}

#[test]
fn the_names_of_failures_are_those_of_the_contract() {
    let names = [
        (Failure::Unreachable, "unreachable"),
        (Failure::Connection, "connection"),
        (Failure::Timeout, "timeout"),
        (Failure::Busy, "busy"),
        (Failure::Status, "status"),
        (Failure::TooLarge, "too_large"),
        (Failure::Malformed, "malformed"),
    ];
    let contract = include_str!("../../wit/challenge/organic.wit");
    for (failure, name) in names {
        assert_eq!(failure_name(failure), name);
        let item = format!("    {},\n", name.replace('_', "-"));
        assert!(contract.contains(&item), "{name}");
    }
}

/// The host runs them in tasks of the runtime.
#[test]
fn calls_can_be_made_in_any_task() {
    fn is_send<T: Send>(_: &T) {}
    let (limits, grants) = (Limits::default(), Grants::default());
    let with = || call(json!({}), &limits, &grants);
    let (sandbox, entry) = (&WORLD.sandbox, entry("{}"));
    is_send(&ORGANIC.admit(sandbox, with(), &entry));
    is_send(&ORGANIC.datasets(sandbox, with()));
    is_send(&ORGANIC.synthesize(sandbox, with(), "", 0));
    is_send(&ORGANIC.queries(sandbox, with(), "", &[]));
    is_send(&ORGANIC.reference(sandbox, with(), ""));
    is_send(&ORGANIC.reward(sandbox, with(), "", &[], None));
    is_send(&ORGANIC.fold(sandbox, with(), &[], None));
}
