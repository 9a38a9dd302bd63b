//! Hosts that take something from where it does not come from, or leave something out.

use super::{Day, differs, id, not_checkable, verified, verify};
use crate::made::{NOW, Recorder, day, standing};
use proctor_host::canonical::Bits;
use proctor_host::receipts::documents::{
    Comparison, ComparisonLog, Document, EvaluateOutput, GetWeightsInput, JudgeInput, JudgeOutput,
};
use proctor_host::receipts::{Kind, VectorInput, compute};
use proctor_host::sandbox::types::Standing;
use proctor_host::verify::{Report, Step, Verdict, Why};
use proctor_host::weights::SameMiner;
use tokio::runtime::Runtime;

/// The judgement of the commit that is compared with another.
fn compared(day: &Day) -> usize {
    let mut leaves = day.leaves.iter();
    let judged = leaves.position(|leaf| leaf.kind == Kind::Judge && leaf.depends_on.len() > 1);
    judged.unwrap()
}

/// Lies about what a leaf took, and signs all that follows from it.
fn lie<T: Document + serde::Serialize>(day: &mut Day, leaf: usize, change: impl FnOnce(&mut T)) {
    let mut input: T = day.document(&day.leaves[leaf].input);
    change(&mut input);
    let input = day.put(input.text().unwrap());
    day.lie(leaf, |receipt| receipt.input = input);
}

/// Lies about what the vector is made from, and makes it of that.
fn lie_in_vector(day: &mut Day, change: impl FnOnce(&mut VectorInput)) {
    let leaf = day.first(Kind::Vector);
    lie(day, leaf, change);
    let input: VectorInput = day.document(&day.leaves[leaf].input);
    let output = day.put(compute(&input).unwrap().text().unwrap());
    day.lie(leaf, |receipt| receipt.output = output);
}

fn says(report: &Report, what: &str) -> bool {
    report.findings.iter().any(|f| f.what.contains(what))
}

#[test]
fn a_commit_is_compared_with_earlier_ones_of_other_miners_only() {
    type Lie = fn(&mut JudgeInput);
    let later: Lie = |input| input.comparisons[0].reference.committed_at.0 += 1_000.0;
    let own: Lie = |input| {
        let own = input.commit.miner.hotkey.clone();
        input.comparisons[0].reference.miner.hotkey = own;
    };
    let itself: Lie = |input| {
        let copy = ComparisonLog {
            reason: Some("the same artifact".into()),
            reference: input.commit.submission.clone(),
            similarity: Bits(1.0),
        };
        input.comparisons.push(Comparison {
            logs: vec![copy],
            reference: input.commit.clone(),
            reference_score: None,
        });
    };
    for change in [later, own, itself] {
        let mut day = day();
        let leaf = compared(&day);
        lie(&mut day, leaf, change);
        let report = verify(&day);
        let finding = differs(&report, Step::Links);
        assert!(finding.what.contains("no earlier commit"), "{finding}");
    }
}

#[test]
fn a_copy_of_what_nobody_judged_is_not_checkable() {
    let mut day = day();
    let leaf = compared(&day);
    let mut invented = None;
    lie(&mut day, leaf, |input: &mut JudgeInput| {
        let mut reference = input.commit.clone();
        reference.miner.hotkey = "hotkey-9".into();
        reference.committed_at = Bits(1.0);
        let copy = ComparisonLog {
            reason: Some("the same artifact".into()),
            reference: input.commit.submission.clone(),
            similarity: Bits(1.0),
        };
        invented = Some(reference.clone());
        input.comparisons.push(Comparison {
            logs: vec![copy],
            reference,
            reference_score: None,
        });
    });
    let unknown = "comparisons[1]: the reference has no verdict with a receipt";
    assert!(says(&verify(&day), unknown));
    // Unless the challenge could not judge it on the day, which has a receipt.
    let mut judged = day.leaves[day.first(Kind::Judge)].clone();
    let mut input: JudgeInput = day.document(&judged.input);
    input.commit = invented.unwrap();
    judged.input = day.put(input.text().unwrap());
    judged.output = day.put(JudgeOutput::new("trap", None).text().unwrap());
    judged.outcome = "trap".into();
    day.leaves.push(judged);
    assert!(!says(&verify(&day), unknown));
}

#[test]
fn weights_of_the_day_that_the_vector_leaves_out_are_found() {
    type Lie = fn(&mut VectorInput);
    let of = |change: Lie| {
        let mut day = day();
        lie_in_vector(&mut day, change);
        verify(&day)
    };
    let failed: Lie = |input| {
        let digits = input.challenges.get_mut("digits").unwrap();
        digits.weights.clear();
        digits.receipt = None;
        digits.failed = Some("timeout: it took too long".into());
    };
    let emptied: Lie = |input| {
        input.challenges.get_mut("digits").unwrap().weights.clear();
    };
    let older: Lie = |input| input.challenges.get_mut("digits").unwrap().receipt = None;
    let ignored: Lie = |input| {
        let digits = input.challenges.get_mut("digits").unwrap();
        digits.failed = Some("timeout: it took too long".into());
    };
    for (change, what) in [
        (failed, "pays nobody in the vector"),
        (emptied, "pays nobody in the vector"),
        (older, "not those of the day"),
        (ignored, "it failed, and has weights"),
    ] {
        let report = of(change);
        let finding = differs(&report, Step::Links);
        assert!(finding.what.contains(what), "{finding}");
    }
    let gone: Lie = |input| input.challenges.clear();
    let stale: Lie = |input| {
        let digits = input.challenges.get_mut("digits").unwrap();
        digits.weights.clear();
        digits.receipt = None;
        digits.failed = Some("organic_stale: no iteration since 2026-08-20".into());
    };
    for (change, what) in [
        (gone, "does not know it"),
        (stale, "organic rewards decided"),
    ] {
        let report = of(change);
        let finding = not_checkable(&report, Why::NoReceipt);
        assert!(finding.what.contains(what), "{finding}");
    }
    // A vector that counts later may be of weights of another day.
    let mut live = day();
    let of_day = live.leaves[live.first(Kind::Vector)].clone();
    lie_in_vector(&mut live, |input| {
        failed(input);
        input.fit = Some(vec![0]);
    });
    live.leaves.push(of_day);
    assert_eq!(verify(&live).verdict, Verdict::Verified);
    // The challenge may have been late.
    let mut late = day();
    let (paid, vector) = (late.first(Kind::GetWeights), late.first(Kind::Vector));
    lie_in_vector(&mut late, failed);
    late.leaves.swap(paid, vector);
    let report = verify(&late);
    let finding = not_checkable(&report, Why::NoReceipt);
    assert!(finding.what.contains("after the vector"), "{finding}");
}

/// A day on which two are accepted, and one of them stands, who was scored then.
fn without_the_second(scored_at: f64) -> Day {
    let runtime = Runtime::new().unwrap();
    let settings = r#"{"tasks": 2, "batch_size": 10, "min_score": 0.2}"#;
    let mut recorder = Recorder::new("digits", settings);
    runtime.block_on(async {
        let knn = recorder.evaluate("knn", None).await;
        let linear = recorder.evaluate("linear", None).await;
        let (first, score) = recorder.judge(&knn, 1, Vec::new(), Vec::new()).await;
        recorder.judge(&linear, 2, Vec::new(), Vec::new()).await;
        let standings = vec![Standing {
            scored_at,
            ..standing(knn.commit(1), score)
        }];
        let (paid, told) = recorder.get_weights(standings, vec![first]).await;
        recorder.vector(paid, told);
    });
    recorder.day
}

#[test]
fn who_was_accepted_stands_unless_nobody_knows_of_him() {
    // As the vector has it, the second is not registered.
    let day = without_the_second(NOW);
    let report = verify(&day);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    let mut known = day.clone();
    lie_in_vector(&mut known, |input| {
        let first = input.miners.values().next().unwrap().clone();
        input.miners.insert("hotkey-2".into(), first);
    });
    let report = verify(&known);
    let finding = not_checkable(&report, Why::NoReceipt);
    assert!(finding.what.contains("hotkey-2 was accepted"), "{finding}");
    // Nobody stands twice.
    let mut twice = without_the_second(NOW);
    let paid = twice.first(Kind::GetWeights);
    lie(&mut twice, paid, |input: &mut GetWeightsInput| {
        input.standings.push(input.standings[0].clone());
    });
    let report = verify(&twice);
    let finding = differs(&report, Step::Links);
    assert!(
        finding.what.contains("hotkey-1 stands more than once"),
        "{finding}"
    );
}

#[test]
fn a_standing_was_scored_when_its_verdict_was_given() {
    for at in [NOW - 1.0, NOW + 1.0, f64::NAN] {
        let report = verify(&without_the_second(at));
        let finding = differs(&report, Step::Links);
        assert!(
            finding.what.contains("standings[0]: it was scored at"),
            "{finding}"
        );
    }
    let judged_before = |at| {
        let mut day = without_the_second(at);
        let judgement = day.leaves.remove(day.first(Kind::Judge));
        day.external.push(judgement);
        verify(&day)
    };
    let report = judged_before(NOW - 1.0);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    let report = judged_before(NOW);
    let finding = differs(&report, Step::Links);
    assert!(finding.what.contains("it was scored at"), "{finding}");
}

#[test]
fn calls_that_had_something_else_are_told() {
    let report = verify(&day());
    let of = |kind| {
        let contexts = report.contexts.iter().filter(move |of| of.kind == kind);
        contexts.map(|of| of.count).collect::<Vec<u64>>()
    };
    // One of the submissions had less fuel.
    assert_eq!(of(Kind::Evaluate), [2, 1]);
    assert_eq!((of(Kind::Judge), of(Kind::Vector)), (vec![3], vec![]));
    let evaluations = report
        .contexts
        .iter()
        .filter(|of| of.kind == Kind::Evaluate);
    let evaluations: Vec<_> = evaluations.collect();
    assert_ne!(evaluations[0].limits, evaluations[1].limits);
    assert_eq!(evaluations[0].seed, u64::MAX.to_string());
    assert_eq!(evaluations[0].logical_time, NOW);
}

/// A day with the host's own verdict on a submission that its challenge refuses.
fn refused() -> Day {
    let mut recorder = Recorder::new("hostile_challenge", r#"{"fail": "invalid-submission"}"#);
    let done = Runtime::new()
        .unwrap()
        .block_on(recorder.evaluate("knn", None));
    let result = recorder.day.leaves[0].output.clone();
    let input = JudgeInput::new(&done.commit(1), &result, &[]);
    let output = JudgeOutput::worthless();
    let texts = (input.text().unwrap(), output.text().unwrap());
    let depends_on = vec![done.receipt.clone()];
    recorder.day.rule(Kind::Judge, texts.0, texts.1, depends_on);
    recorder.day
}

#[test]
fn whose_fault_it_was_is_known_by_computing_it_again() {
    let honest = refused();
    assert_eq!(verify(&honest).verdict, Verdict::Verified);
    let mut unknown = honest.clone();
    let component = unknown.leaves[0].component.clone().unwrap();
    unknown.blobs.remove(&component);
    let report = verify(&unknown);
    not_checkable(&report, Why::Missing);
    assert_eq!(report.receipts["judge"].not_checkable, 1);
    assert!(says(&report, "whose fault"), "{report:#?}");
    // What was computed with another day is taken from there, as far as it can be.
    let mut before = honest;
    before.external.push(before.leaves.remove(0));
    let report = verify(&before);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    let cause = before.external.remove(0);
    let mut trapped = cause.clone();
    trapped.outcome = "trap".into();
    let output = EvaluateOutput::new("trap", &[]).text().unwrap();
    trapped.output = before.put(output);
    let (old, new) = (cause.output.clone(), trapped.output.clone());
    let input = before.lie_in(&before.leaves[0].input.clone(), &old, &new);
    before.lie(0, |receipt| {
        receipt.input = input;
        receipt.depends_on = vec![id(&trapped)];
    });
    before.external.push(trapped);
    let report = verify(&before);
    let finding = differs(&report, Step::Execute);
    assert!(
        finding.what.contains("not the submission's fault"),
        "{finding}"
    );
}

#[test]
fn a_miner_that_moved_between_judgement_and_verdict_is_the_same_one() {
    let runtime = Runtime::new().unwrap();
    let mut recorder = Recorder::new("hostile_challenge", r#"{"penalty": "2.0"}"#);
    let done = runtime.block_on(recorder.evaluate("knn", None));
    let judged = recorder.judge(&done, 1, Vec::new(), Vec::new());
    let (judgement, _) = runtime.block_on(judged);
    let mut day = recorder.day;
    assert_eq!(day.leaves[1].outcome, "invalid_output");
    let mut input: JudgeInput = day.document(&day.leaves[1].input);
    input.commit.miner.uid = 7;
    input.commit.miner.axon_ip = Some("192.0.2.1".into());
    let texts = (
        input.text().unwrap(),
        JudgeOutput::worthless().text().unwrap(),
    );
    let depends_on = vec![done.receipt.clone(), judgement];
    day.rule(Kind::Judge, texts.0, texts.1, depends_on);
    let report = verify(&day);
    // It is found, and was the challenge's fault.
    let finding = differs(&report, Step::Execute);
    assert!(
        finding.what.contains("not the submission's fault"),
        "{finding}"
    );
    assert_eq!(report.receipts["evaluate"], verified(1));
}

#[test]
fn weights_that_were_told_at_another_time_or_for_another_day_are_found() {
    let lies = "is not on the day";
    let at = |time: f64| {
        let mut day = day();
        let paid = day.first(Kind::GetWeights);
        day.lie(paid, |receipt| receipt.logical_time = Bits(time));
        verify(&day)
    };
    for time in [NOW - 1.0, NOW + 86_400.0, f64::NAN] {
        let report = at(time);
        let found = report.findings.iter().find(|f| f.what.contains(lies));
        assert_eq!(found.unwrap().result, Verdict::Differs, "{report:#?}");
        assert_eq!(found.unwrap().kind, Some(Kind::GetWeights));
    }
    assert!(!says(&at(NOW + 86_399.0), lies));
    for other in ["2026-08-21", "2026-08-23", "2026-08-32"] {
        let mut renamed = day();
        renamed.day = other.into();
        lie_in_vector(&mut renamed, |input| input.day = other.into());
        let report = verify(&renamed);
        let finding = differs(&report, Step::Links);
        assert!(finding.what.contains(lies), "{finding}");
    }
}

#[test]
fn a_vector_of_another_day_is_found() {
    for fit in [None, Some(vec![0])] {
        let mut day = day();
        let of_day = day.leaves[day.first(Kind::Vector)].clone();
        lie_in_vector(&mut day, |input| {
            input.day = "2026-08-21".into();
            input.fit = fit;
        });
        day.leaves.push(of_day);
        let report = verify(&day);
        let finding = differs(&report, Step::Links);
        assert!(finding.what.contains("vector of 2026-08-21"), "{finding}");
        assert_eq!(finding.kind, Some(Kind::Vector));
    }
}

#[test]
fn a_day_that_is_not_through_has_no_vector() {
    let mut day = day();
    let vector = day.first(Kind::Vector);
    let mut live = day.clone();
    lie_in_vector(&mut live, |input| input.fit = Some(vec![0]));
    day.leaves.remove(vector);
    for day in [&day, &live] {
        let report = verify(day);
        let finding = not_checkable(&report, Why::NoReceipt);
        assert!(
            finding.what.contains("no vector of 2026-08-22"),
            "{finding}"
        );
        assert_eq!(report.findings_total, 1, "{report:#?}");
    }
    // Where nobody told weights there is nothing to wait for.
    day.leaves.remove(day.first(Kind::GetWeights));
    assert_eq!(verify(&day).verdict, Verdict::Verified);
}

#[test]
fn miners_that_are_others_than_when_the_weights_were_told_are_seen() {
    type Lie = fn(&mut VectorInput);
    let of = |change: Lie, fit: Option<Vec<u16>>| {
        let mut day = day();
        let of_day = day.leaves[day.first(Kind::Vector)].clone();
        lie_in_vector(&mut day, |input| {
            change(input);
            input.fit = fit;
        });
        day.leaves.push(of_day);
        verify(&day)
    };
    let redirected: Lie = |input| {
        let mut own = input.miners["hotkey-1"].clone();
        input.miners.get_mut("hotkey-1").unwrap().uid = 9;
        own.uid = 1;
        input.miners.insert("hotkey-9".into(), own);
    };
    let owned_by_one: Lie = |input| {
        input.same_miner = SameMiner::KeepBest;
        for miner in input.miners.values_mut() {
            miner.coldkey = "one".into();
        }
    };
    let at_one_address: Lie = |input| {
        input.same_miner = SameMiner::KeepBest;
        for miner in input.miners.values_mut() {
            miner.axon_ip = Some("192.0.2.1".into());
        }
    };
    for change in [redirected, owned_by_one, at_one_address] {
        for fit in [None, Some(vec![0])] {
            let report = of(change, fit);
            let finding = not_checkable(&report, Why::NoReceipt);
            assert!(finding.what.contains("hotkey-1 has another"), "{finding}");
            assert_eq!(report.findings_total, 1, "{report:#?}");
        }
    }
    // What changes nothing, as both are paid the same, and who is there no more.
    let swapped: Lie = |input| {
        let uids = [("hotkey-1", 3), ("hotkey-3", 1)];
        for (hotkey, uid) in uids {
            input.miners.get_mut(hotkey).unwrap().uid = uid;
        }
    };
    let moved: Lie = |input| {
        let miner = input.miners.get_mut("hotkey-3").unwrap();
        miner.axon_ip = Some("192.0.2.1".into());
        miner.coldkey = "another".into();
    };
    let gone: Lie = |input| {
        input.miners.remove("hotkey-3");
    };
    for change in [swapped, moved, gone] {
        let report = of(change, Some(vec![0]));
        assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    }
}
