//! Guests that take all of their stack, which is not as deep everywhere.

use super::{not_checkable, verify};
use crate::day::Day;
use crate::made::Recorder;
use proctor_host::receipts::Kind;
use proctor_host::receipts::documents::{Document, EvaluateOutput};
use proctor_host::receipts::transcript::{Held, Transcript, TranscriptCall};
use proctor_host::verify::{Verdict, Why};
use tokio::runtime::Runtime;

const RECURSES: &str = r#"{"in": "evaluate", "do": "recurse"}"#;
const SOLVES: &str = r#"{"in": "evaluate", "do": "solve", "tasks": ["1"]}"#;

/// A day of one evaluation.
fn evaluated(settings: &str) -> Day {
    let mut recorder = Recorder::new("hostile_challenge", settings);
    let done = recorder.evaluate("knn", None);
    Runtime::new().unwrap().block_on(done);
    recorder.day
}

/// What a host with another stack would have come to.
fn elsewhere(mut day: Day, outcome: &str) -> Day {
    let output = EvaluateOutput::new(outcome, &[]).text().unwrap();
    let output = day.put(output);
    day.lie(0, |receipt| {
        receipt.outcome = outcome.to_owned();
        receipt.output = output;
    });
    day
}

fn lie_in_transcript(day: &mut Day, change: impl FnOnce(&mut Vec<TranscriptCall>)) {
    let mut told: Transcript = day.document(day.leaves[0].transcript.as_ref().unwrap());
    change(&mut told.calls);
    let told = day.put(told.text().unwrap());
    day.lie(0, |receipt| receipt.transcript = Some(told));
}

#[test]
fn a_full_stack_is_the_same_whatever_came_before() {
    let mut day = evaluated(RECURSES);
    assert_eq!(day.leaves[0].outcome, "stack_overflow");
    let report = verify(&day);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    day.lie(0, |receipt| receipt.fuel += 1);
    lie_in_transcript(&mut day, |calls| {
        calls.push(TranscriptCall {
            name: "database.query".into(),
            request: Held::Text("{}".into()),
            response: Held::Text("{}".into()),
            solve: None,
        });
    });
    let report = verify(&day);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
}

#[test]
fn a_stack_that_is_full_at_one_only_is_not_checkable() {
    let full_there = elsewhere(evaluated("{}"), "stack_overflow");
    let full_here = elsewhere(evaluated(RECURSES), "trap");
    // It got further here, and asks what nobody answered there.
    let mut further = elsewhere(evaluated(SOLVES), "stack_overflow");
    assert_eq!(further.solves.len(), 1);
    lie_in_transcript(&mut further, Vec::clear);
    further.lie(0, |receipt| receipt.depends_on.clear());
    further.solves.clear();
    for day in [full_there, full_here, further] {
        let report = verify(&day);
        let finding = not_checkable(&report, Why::Stack);
        assert!(finding.what.contains("how deep"), "{finding}");
        assert_eq!(finding.kind, Some(Kind::Evaluate));
        assert_eq!(report.findings_total, 1, "{report:#?}");
    }
}
