//! The formula against what the container's own code returns, natively: every golden
//! case by itself, and through the whole challenge where its order is one that the
//! challenge makes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use ab_sniffer::AbSniffer;
use ab_sniffer::formula::{Answer, HUMAN, Session, score};
use proctor_sdk::testing::Harness;
use proctor_sdk::{Failure, SolveError, SolveFailure};
use serde_json::{Value, json};

struct Case {
    id: String,
    weights: Vec<(String, f64)>,
    order: Vec<(Session, Option<Answer>)>,
    expected: f64,
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

/// Python takes 0 and 1 for false and true.
fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| Some(value.as_i64()? != 0))
}

fn answer(value: &Value) -> Option<Answer> {
    let object = value.as_object()?;
    let names = object["detected"].as_array().unwrap();
    // The container calls a framework without a name so.
    let name = |name: &Value| name.as_str().unwrap_or("unknown").to_owned();
    Some(Answer {
        detected: names.iter().map(name).collect(),
        headless: flag(object.get("headless").unwrap_or(&Value::Null)),
    })
}

/// Answers by number of their session. What names no session is of none, which the
/// container refuses.
fn answers(submissions: &Value, session: &str, index: usize) -> Option<Answer> {
    match submissions {
        Value::Object(by_session) => answer(by_session.get(session)?),
        Value::Array(list) => {
            let mut numbered = list.iter().rev().filter(|entry| {
                let number = entry.get("order_number").unwrap_or(&Value::Null);
                number.as_u64().is_some_and(|n| n.to_string() == session)
            });
            // Of two answers to one session the container keeps the last.
            let named = numbered.next();
            let unnamed = list.get(index).filter(|e| e.get("order_number").is_none());
            answer(named.or(unnamed)?)
        }
        other => panic!("submissions are {other}"),
    }
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/abs.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let all = golden["cases"].as_array().unwrap().iter();
    let all = all.filter(|case| case["family"] == "abs_v6_score");
    let cases = all.map(|case| {
        let input = &case["input"];
        let weights = input["frameworks"].as_object().unwrap().iter();
        let mut numbers: Vec<_> = input["expected_order"]
            .as_object()
            .unwrap()
            .iter()
            .collect();
        numbers.sort_by_key(|(number, _)| number.parse::<u32>().unwrap());
        let order = numbers
            .iter()
            .enumerate()
            .map(|(index, (number, visitor))| {
                let session = Session {
                    visitor: visitor.as_str().unwrap().to_owned(),
                    headless: flag(&input["expected_headless"][number.as_str()]),
                };
                (session, answers(&input["submissions"], number, index))
            });
        Case {
            id: case["id"].to_string(),
            weights: weights.map(|(name, w)| (name.clone(), number(w))).collect(),
            order: order.collect(),
            expected: number(&case["expected"]),
        }
    });
    cases.collect()
}

fn assert_same(id: &str, got: f64, expected: f64) {
    let near = (got - expected).abs() <= 1e-12 * expected.abs();
    let same = got == expected || near || got.is_nan() && expected.is_nan();
    assert!(same, "{id}: {got} is not {expected}");
}

/// The settings with which the challenge makes the order of a case, if there are any.
fn settings(case: &Case) -> Option<String> {
    let sessions = |wanted: &dyn Fn(&Session) -> bool| {
        case.order
            .iter()
            .filter(|(session, _)| wanted(session))
            .count()
    };
    let (first, _) = case.weights.first()?;
    let of = |headless| {
        sessions(&|session| session.visitor == *first && session.headless == Some(headless))
    };
    let (headed, headless) = (of(false), of(true));
    let humans = sessions(&|session| session.visitor == HUMAN);
    let mut made = Vec::new();
    for (name, weight) in &case.weights {
        if !(*weight > 0.0 && *weight <= 1e9) || name == HUMAN {
            return None;
        }
        made.extend(vec![(name.as_str(), Some(false)); headed]);
        made.extend(vec![(name.as_str(), Some(true)); headless]);
    }
    made.extend(vec![(HUMAN, None); humans]);
    let order = case.order.iter();
    let order = order.map(|(session, _)| (session.visitor.as_str(), session.headless));
    let frameworks = case.weights.iter();
    let frameworks = frameworks.map(|(name, weight)| json!({"name": name, "weight": weight}));
    (headed + headless > 0 && order.eq(made)).then(|| {
        json!({
            "frameworks": frameworks.collect::<Vec<_>>(),
            "headed": headed,
            "headless": headless,
            "humans": humans,
            "shuffle": false,
        })
        .to_string()
    })
}

#[test]
fn the_formula_gives_the_containers_numbers() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        assert_same(&case.id, score(&case.weights, &case.order), case.expected);
    }
}

#[test]
fn the_challenge_gives_the_containers_numbers() {
    let mut tried = 0;
    for case in cases() {
        let Some(settings) = settings(&case) else {
            continue;
        };
        tried += 1;
        let Case { id, order, .. } = case;
        let answer = move |task: &str| {
            let task: Value = serde_json::from_str(task).unwrap();
            let session = usize::try_from(task["session"].as_u64().unwrap()).unwrap();
            let silent = || {
                SolveError::Failed(SolveFailure {
                    code: Failure::GuestError,
                    message: "silent".to_owned(),
                })
            };
            let answer = order[session].1.as_ref().ok_or_else(silent)?;
            Ok(json!({"detected": answer.detected, "headless": answer.headless}).to_string())
        };
        let harness = Harness::<AbSniffer>::new()
            .settings(settings)
            .solver(answer);
        for log in harness.evaluate(Vec::new()).unwrap() {
            assert_same(&id, log.score, case.expected);
        }
    }
    assert!(
        tried > 0,
        "no golden case has an order that the challenge makes"
    );
}
