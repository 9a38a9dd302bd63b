use super::*;
use crate::testing::Harness;
use rand::RngExt;
use serde::Deserialize;

#[derive(Default, Deserialize, schemars::JsonSchema)]
struct Settings {}

macro_rules! challenge {
    ($name:ident) => {
        struct $name;

        impl Challenge for $name {
            type Settings = Settings;
            const NAME: &'static str = "sample";
            const VERSION: &'static str = "1.0.0";

            fn new(_: Settings) -> Self {
                $name
            }
        }
    };
}

#[allow(
    unreachable_pub,
    reason = "the impl for every `House` wants it to be as public as the trait"
)]
#[derive(Debug, Serialize, Deserialize)]
pub struct Text {
    text: String,
}

/// The two required methods: everybody is asked for an echo.
macro_rules! echo {
    () => {
        type Sample = Text;
        type Query = Text;
        type Answer = Text;
        type Reference = u32;

        fn queries(
            &self,
            _: &Context<'_>,
            sample: &Text,
            metagraph: &[Neuron],
        ) -> Result<Vec<Query<Text>>, ChallengeError> {
            let ask = |neuron: &Neuron| Query {
                uid: neuron.uid,
                path: "Echo".into(),
                body: Text {
                    text: sample.text.clone(),
                },
                protocol: Protocol::Btauth,
            };
            Ok(metagraph.iter().map(ask).collect())
        }

        fn reward(
            &self,
            _: &Context<'_>,
            sample: &Text,
            responses: &[Response<Text>],
            _: Option<&u32>,
        ) -> Result<Vec<MinerReward>, ChallengeError> {
            let worth = |response: &Response<Text>| MinerReward {
                uid: response.uid,
                value: match &response.outcome {
                    Ok(answer) if answer.text == sample.text => 1.0,
                    Ok(_) => 0.5,
                    Err(Failure::Malformed) => -1.0,
                    Err(_) => 0.0,
                },
            };
            Ok(responses.iter().map(worth).collect())
        }
    };
}

challenge!(Echo);

impl Organic for Echo {
    echo!();
}

fn entry(body: &str) -> Entry {
    Entry {
        caller: Caller {
            hotkey: "caller".into(),
            uid: None,
            stake: 0.0,
            validator_permit: false,
        },
        body: body.into(),
        received_at: 0.0,
    }
}

fn response(uid: u16, outcome: Result<&str, Failure>) -> Response<String> {
    Response {
        uid,
        hotkey: format!("miner {uid}"),
        outcome: outcome.map(str::to_owned),
        latency: 0.1,
    }
}

#[test]
fn by_default_a_body_is_the_sample_of_whoever_sends_it() {
    let admitted = Harness::<Echo>::new().admit(&entry(r#"{"text": "hello", "more": 1}"#));
    let queued = Admitted {
        sample: r#"{"text":"hello"}"#.into(),
        priority: 0.0,
    };
    assert_eq!(admitted, Ok(Admission::Admitted(queued)));
}

#[test]
fn a_body_of_another_shape_is_refused_and_not_a_failure() {
    match Harness::<Echo>::new().admit(&entry(r#"{"txt": "hello"}"#)) {
        Ok(Admission::Refused(Refusal::Invalid(why))) => assert!(why.contains("`text`"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn by_default_nothing_is_synthetic_and_there_is_no_reference() {
    let harness = Harness::<Echo>::new();
    assert_eq!(harness.datasets(), Ok(Vec::new()));
    let why = "there is no dataset \"any\"".to_owned();
    assert_eq!(
        harness.synthesize("any", 1),
        Err(ChallengeError::Internal(why))
    );
    assert_eq!(harness.reference(r#"{"text":""}"#), Ok(None));
}

#[test]
fn an_answer_of_another_shape_is_malformed() {
    let answers = [
        response(1, Ok(r#"{"text":"a"}"#)),
        response(2, Ok(r#"{"text":"b","more":[]}"#)),
        response(3, Ok(r#"{"text":1}"#)),
        response(4, Ok("")),
        response(5, Err(Failure::Timeout)),
    ];
    let rewards = Harness::<Echo>::new()
        .reward(r#"{"text":"a"}"#, &answers, None)
        .unwrap();
    let values: Vec<_> = rewards.iter().map(|r| (r.uid, r.value)).collect();
    assert_eq!(values, [(1, 1.0), (2, 0.5), (3, -1.0), (4, -1.0), (5, 0.0)]);
}

#[test]
fn a_sample_that_is_none_is_not_tried_again_but_a_bad_reference_is_our_fault() {
    let harness = Harness::<Echo>::new();
    let is_final = |error| matches!(error, Some(ChallengeError::InvalidSubmission(_)));
    assert!(is_final(harness.queries("{}", &[]).err()));
    assert!(is_final(harness.reference("{}").err()));
    assert!(is_final(harness.reward("{}", &[], None).err()));
    assert!(matches!(
        harness.reward(r#"{"text":""}"#, &[], Some("\"x\"")),
        Err(ChallengeError::Internal(_))
    ));
}

#[test]
fn weights_are_the_averages_and_the_state_brings_them_back() {
    let harness = Harness::<Echo>::new().now(5.0);
    let rewarded = |uid, value| Rewarded {
        uid,
        hotkey: format!("miner {uid}"),
        value,
    };
    let weights = |folded: &Folded| -> Vec<(String, f64)> {
        folded
            .weights
            .iter()
            .map(|w| (w.hotkey.clone(), w.weight))
            .collect()
    };
    let first = harness
        .fold(&[rewarded(1, 1.0), rewarded(2, 0.0)], None)
        .unwrap();
    assert_eq!(weights(&first), [("miner 1".into(), 0.1)]);
    let second = harness
        .fold(&[rewarded(2, 1.0)], Some(&first.state))
        .unwrap();
    assert_eq!(
        weights(&second),
        [("miner 1".into(), 0.1), ("miner 2".into(), 0.1)]
    );
    assert!(matches!(
        harness.fold(&[], Some("[]")),
        Err(ChallengeError::Internal(_))
    ));
}

/// What an ancestor brings for all of its descendants: nobody but validators may ask,
/// and they have to say please.
trait House: Challenge {}

impl<T: House> Organic for T {
    echo!();

    fn blacklist(&self, _: &Context<'_>, entry: &Entry) -> Result<(), AdmitError> {
        if entry.caller.validator_permit {
            return Ok(());
        }
        Err(Refusal::Blacklisted("validators only".into()).into())
    }

    fn verify(&self, _: &Context<'_>, entry: &Entry) -> Result<(), AdmitError> {
        if entry.body.contains("please") {
            return Ok(());
        }
        Err(Refusal::Unverified("say please".into()).into())
    }

    fn priority(&self, _: &Context<'_>, entry: &Entry, _: &Text) -> Result<f64, AdmitError> {
        match entry.caller.stake {
            0.0 => Err(ChallengeError::Unavailable("no stake yet".into()).into()),
            stake => Ok(stake),
        }
    }
}

/// Between the two, so that the type's direct parent has no blacklist of its own.
trait Room: House {}

challenge!(Grandchild);
impl House for Grandchild {}
impl Room for Grandchild {}

/// The system that organic scoring is taken from looks for an overridden blacklist in
/// direct parents only; one that comes from farther up is silently off.
#[test]
fn a_blacklist_that_is_inherited_is_not_silently_off() {
    fn admit<C: Room + Organic>(entry: &Entry) -> Result<Admission, ChallengeError> {
        Harness::<C>::new().admit(entry)
    }
    let mut asked = entry("not even JSON");
    let refused = |why| Ok(Admission::Refused(why));
    // In the order of an axon: each answer hides what comes after it.
    let blacklisted = Refusal::Blacklisted("validators only".into());
    assert_eq!(admit::<Grandchild>(&asked), refused(blacklisted));
    asked.caller.validator_permit = true;
    let unverified = Refusal::Unverified("say please".into());
    assert_eq!(admit::<Grandchild>(&asked), refused(unverified));
    asked.body = "please".into();
    assert!(matches!(
        admit::<Grandchild>(&asked),
        Ok(Admission::Refused(Refusal::Invalid(_)))
    ));
    asked.body = r#"{"text":"please"}"#.into();
    let failed = ChallengeError::Unavailable("no stake yet".into());
    assert_eq!(admit::<Grandchild>(&asked), Err(failed));
    asked.caller.stake = 2.5;
    let queued = Admitted {
        sample: r#"{"text":"please"}"#.into(),
        priority: 2.5,
    };
    assert_eq!(admit::<Grandchild>(&asked), Ok(Admission::Admitted(queued)));
}

challenge!(Dice);

impl Organic for Dice {
    echo!();

    fn datasets(&self) -> Vec<String> {
        vec!["dice".into()]
    }

    fn synthesize(&self, context: &Context<'_>, _: &str) -> Result<Text, ChallengeError> {
        let text = context.rng(0).random_range(0..1_000_000).to_string();
        Ok(Text { text })
    }
}

#[test]
fn a_sample_is_made_from_its_own_seed_and_not_from_the_calls() {
    let made = |seed_of_call, seed| {
        Harness::<Dice>::new()
            .seed(seed_of_call)
            .synthesize("dice", seed)
            .unwrap()
    };
    assert_eq!(made(1, 7), made(2, 7));
    assert_ne!(made(1, 7), made(1, 8));
}
