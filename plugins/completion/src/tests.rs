use super::*;
use proctor_sdk::organic::{Admission, Caller, Rewarded};
use proctor_sdk::serde_json::{Value, json};
use proctor_sdk::testing::Harness;

fn harness() -> Harness<Completion> {
    Harness::new()
}

fn admit(body: &Value) -> Result<Value, String> {
    let entry = Entry {
        caller: Caller {
            hotkey: "caller".into(),
            uid: None,
            stake: 0.0,
            validator_permit: false,
        },
        body: body.to_string(),
        received_at: 0.0,
    };
    match harness().admit(&entry).unwrap() {
        Admission::Admitted(admitted) => Ok(serde_json::from_str(&admitted.sample).unwrap()),
        Admission::Refused(Refusal::Invalid(why)) => Err(why),
        Admission::Refused(other) => panic!("{other:?}"),
    }
}

/// Miners with the uids 0 to 9, of which the first two may set weights.
fn metagraph() -> Vec<Neuron> {
    let neuron = |uid| Neuron {
        uid,
        hotkey: format!("miner {uid}"),
        coldkey: None,
        stake: 0.0,
        validator_permit: uid < 2,
    };
    (0..10).map(neuron).collect()
}

fn asked(settings: &str, seed: u64) -> Vec<Query<String>> {
    let harness = harness().settings(settings).seed(seed);
    let sample = harness.synthesize(PROVERBS, 1).unwrap();
    harness.queries(&sample, &metagraph()).unwrap()
}

fn uids(queries: &[Query<String>]) -> Vec<u16> {
    let mut uids: Vec<u16> = queries.iter().map(|query| query.uid).collect();
    uids.sort_unstable();
    uids
}

fn sample(answer: Option<&str>) -> String {
    let prompt = "A stitch in time";
    json!({"prompt": prompt, "max_chars": 50, "answer": answer}).to_string()
}

fn said(completion: &str, latency: f64) -> (Result<String, Failure>, f64) {
    (Ok(json!({"completion": completion}).to_string()), latency)
}

/// What each answer is worth, by number; none where it is left out.
fn rewards(
    answer: Option<&str>,
    answers: impl IntoIterator<Item = (Result<String, Failure>, f64)>,
) -> Vec<Option<f64>> {
    let respond = |(uid, (outcome, latency))| Response {
        uid,
        hotkey: format!("miner {uid}"),
        outcome,
        latency,
    };
    let responses: Vec<_> = (0..).zip(answers).map(respond).collect();
    let sample = sample(answer);
    let reference = harness().reference(&sample).unwrap();
    let rewards = harness()
        .reward(&sample, &responses, reference.as_deref())
        .unwrap();
    let value = |uid| {
        rewards
            .iter()
            .find(|reward| reward.uid == uid)
            .map(|reward| reward.value)
    };
    responses
        .iter()
        .map(|response| value(response.uid))
        .collect()
}

#[test]
fn a_caller_cannot_say_what_the_answer_is() {
    let body = json!({"prompt": "Once upon", "answer": "a time", "dendrite": {"nonce": 1}});
    let sample = json!({"prompt": "Once upon", "max_chars": 200, "answer": null});
    assert_eq!(admit(&body), Ok(sample));
}

#[test]
fn an_entry_that_miners_could_not_work_with_is_refused() {
    let refused = |body: Value, why: &str| {
        let got = admit(&body).unwrap_err();
        assert!(got.contains(why), "{body}: {got}");
    };
    refused(json!({"text": "Once"}), "missing field `prompt`");
    refused(json!({"prompt": " \n"}), "prompt: is empty");
    refused(
        json!({"prompt": "a".repeat(4_001)}),
        "prompt: 4001 characters",
    );
    refused(
        json!({"prompt": "a", "max_chars": 0}),
        "max_chars: 0 is not",
    );
    refused(
        json!({"prompt": "a", "max_chars": 1_001}),
        "max_chars: 1001 is not",
    );
    let longest = json!({"prompt": "ä".repeat(4_000), "max_chars": 1_000});
    assert!(admit(&longest).is_ok());
}

#[test]
fn miners_are_asked_and_are_not_told_the_answer() {
    let queries = asked("{}", 1);
    assert_eq!(uids(&queries), [2, 3, 4, 5, 6, 7, 8, 9]);
    let sample = harness().synthesize(PROVERBS, 1).unwrap();
    let sample: Sample = serde_json::from_str(&sample).unwrap();
    let body: Value = serde_json::from_str(&queries[0].body).unwrap();
    assert_eq!(body, json!({"prompt": sample.prompt, "max_chars": 200}));
    assert_eq!(queries[0].path, "Completion");
    assert_eq!(queries[0].protocol, Protocol::Btauth);
}

#[test]
fn settings_say_who_is_asked_and_how() {
    assert_eq!(uids(&asked(r#"{"ask_validators": true}"#, 1)).len(), 10);
    let queries = asked(r#"{"protocol": "dendrite", "path": "Text"}"#, 1);
    assert_eq!(queries[0].path, "Text");
    let Protocol::Dendrite(fields) = &queries[0].protocol else {
        panic!("{:?}", queries[0]);
    };
    assert_eq!(fields, &["prompt", "max_chars"]);
}

#[test]
fn the_seed_draws_the_miners_of_a_sample() {
    let three = |seed| uids(&asked(r#"{"miners_per_sample": 3}"#, seed));
    assert_eq!(three(1), three(1));
    let mut all: Vec<u16> = (0..40).flat_map(three).collect();
    assert_eq!(all.len(), 120);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, [2, 3, 4, 5, 6, 7, 8, 9], "each has its turn");
    assert_eq!(asked(r#"{"miners_per_sample": 300}"#, 1).len(), 8);
}

#[test]
fn synthetic_samples_have_an_answer_and_look_like_any_other() {
    for dataset in harness().datasets().unwrap() {
        let made = |seed| harness().synthesize(&dataset, seed).unwrap();
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        let sample: Sample = serde_json::from_str(&made(1)).unwrap();
        assert!(sample.answer.is_some());
        assert_eq!(sample.max_chars, Settings::default().max_chars);
    }
    let why = "there is no dataset \"poems\"".to_owned();
    assert_eq!(
        harness().synthesize("poems", 1),
        Err(ChallengeError::Internal(why))
    );
}

#[test]
fn the_nearer_and_sooner_the_better() {
    let worth = rewards(
        Some("saves nine."),
        [
            said("Saves  NINE.", 0.0),
            said("saves nine", 0.0),
            said("grows wings", 0.0),
            said("saves nine.", 5.0),
        ],
    );
    assert_eq!(worth[0], Some(1.0));
    assert_eq!(worth[1], Some(10.0 / 11.0));
    assert!(worth[2] < Some(0.5), "{worth:?}");
    assert_eq!(worth[3], Some(0.5), "the half-life of the default settings");
}

#[test]
fn what_is_no_completion_earns_nothing() {
    let worth = rewards(
        Some("saves nine."),
        [
            (Err(Failure::Timeout), 12.0),
            (Ok(r#"{"text": "saves nine."}"#.into()), 0.1),
            (Ok(r#"{"completion": null}"#.into()), 0.1),
            said("", 0.1),
            said(&"saves nine.".repeat(5), 0.1),
        ],
    );
    assert_eq!(worth, [Some(0.0); 5]);
}

/// The host did not ask it: that it would have answered badly nobody knows.
#[test]
fn who_was_busy_is_left_out() {
    let worth = rewards(
        Some("saves nine."),
        [
            (Err(Failure::Busy), 0.0),
            said("saves nine.", 0.0),
            (Err(Failure::Timeout), 9.0),
        ],
    );
    assert_eq!(worth, [None, Some(1.0), Some(0.0)]);
}

#[test]
fn without_an_answer_the_most_common_one_counts() {
    let worth = rewards(
        None,
        [
            said("saves nine", 0.0),
            said("saves mine", 0.0),
            said("saves nine", 0.0),
            said("loses ten", 0.0),
            (Err(Failure::Status), 0.0),
        ],
    );
    assert_eq!(worth[0], Some(1.0));
    assert_eq!(worth[1], Some(0.9));
    assert!(worth[3] < Some(0.6), "{worth:?}");
    assert_eq!(worth[4], Some(0.0));
}

#[test]
fn of_two_answers_nobody_knows_which_is_right() {
    let worth = rewards(
        None,
        [
            said("nine", 0.0),
            said("ten", 0.0),
            (Err(Failure::Timeout), 9.0),
        ],
    );
    assert_eq!(worth, [None, None, Some(0.0)]);
}

/// A limit that the README names, and not what anybody wants.
#[test]
fn a_majority_that_agrees_on_nonsense_is_paid() {
    let honest = [said("saves nine", 0.0), said("saves nine", 0.0)];
    let worth = rewards(
        None,
        honest
            .into_iter()
            .chain([(); 3].map(|()| said("xyzzy", 0.0))),
    );
    assert_eq!(worth[2], Some(1.0));
    assert!(worth[0] < Some(0.2), "{worth:?}");
}

#[test]
fn a_miner_that_fails_loses_its_weight_bit_by_bit() {
    let harness = harness().settings(r#"{"alpha": 0.5}"#);
    let fold = |value, state: Option<&str>| {
        let rewarded = Rewarded {
            uid: 3,
            hotkey: "miner 3".into(),
            value,
        };
        harness.fold(&[rewarded], state).unwrap()
    };
    let good = fold(1.0, None);
    let failed = fold(0.0, Some(&good.state));
    assert_eq!(
        (good.weights[0].weight, failed.weights[0].weight),
        (0.5, 0.25)
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let problems = |json: &str| {
        let problems = harness()
            .settings(json)
            .validate_settings()
            .err()
            .unwrap_or_default();
        problems
            .into_iter()
            .map(|problem| problem.path)
            .collect::<Vec<_>>()
    };
    assert!(problems("{}").is_empty());
    for path in [
        "",
        "/Completion",
        "Completion/",
        "a/../b",
        "a//b",
        "a/./b",
        ".",
        "a b",
        "a?b",
        "ä",
    ] {
        assert_eq!(
            problems(&json!({"path": path}).to_string()),
            ["path"],
            "{path}"
        );
    }
    assert!(problems(r#"{"path": "a/b.c"}"#).is_empty());
    let synapse = r#"{"path": "a/b", "protocol": "dendrite"}"#;
    assert_eq!(problems(synapse), ["path"]);
    assert_eq!(problems(r#"{"max_chars": 99}"#), ["max_chars"]);
    assert_eq!(
        problems(r#"{"max_chars": 1001, "latency_s": 0, "alpha": 1.1}"#),
        ["max_chars", "latency_s", "alpha"]
    );
    assert_eq!(problems(r#"{"protocol": "http"}"#), ["protocol"]);
}
