//! Verifying bundles: of an honest host, and of one that lies.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helper functions of a test"
)]

#[path = "verify/day.rs"]
mod day;
#[path = "verify/limits.rs"]
mod limits;
#[path = "verify/links.rs"]
mod links;
#[path = "verify/made.rs"]
mod made;
#[path = "verify/stack.rs"]
mod stack;

use day::{Day, id, signer};
use made::{CACHE, Recorder, day};
use proctor_host::canonical::{Bits, digest};
use proctor_host::receipts::bundle::{Bundle, Proofs, Why as Withheld};
use proctor_host::receipts::documents::{Document, EvaluateOutput, JudgeInput, JudgeOutput};
use proctor_host::receipts::transcript::{Held, Transcript};
use proctor_host::receipts::{Kind, Receipt, VectorInput};
use proctor_host::sandbox::PluginComponent;
use proctor_host::verify::{
    self, Counts, Finding, Options, Report, Sample, SampleSize, Step, Verdict, Why,
};
use serde_json::Value;
use std::fs::File;
use std::io::{BufReader, Write};
use std::process::Command;
use std::sync::Arc;
use tokio::runtime::Runtime;

fn options() -> Options {
    Options {
        jobs: 2,
        cache_dir: Some(CACHE.path().to_owned()),
        ..Options::default()
    }
}

fn verify_with(bundle: Bundle<BufReader<File>>, options: Options) -> Report {
    Runtime::new()
        .unwrap()
        .block_on(verify::run(bundle, options))
        .unwrap()
}

fn verify(day: &Day) -> Report {
    verify_with(day.bundle(), options())
}

/// The only finding about a receipt, or of all if that is what is asked for.
#[track_caller]
fn only(report: &Report) -> &Finding {
    let [finding] = report.findings.as_slice() else {
        panic!("{report:#?}");
    };
    assert_eq!(report.findings_total, 1);
    finding
}

/// That nothing but `step` found a difference.
#[track_caller]
fn differs(report: &Report, step: Step) -> &Finding {
    assert_eq!(report.verdict, Verdict::Differs, "{report:#?}");
    let mut differing = report
        .findings
        .iter()
        .filter(|f| f.result == Verdict::Differs);
    let first = differing.next().unwrap();
    assert_eq!(first.step, step, "{report:#?}");
    first
}

/// That nothing differs, and something cannot be checked for this reason.
#[track_caller]
fn not_checkable(report: &Report, why: Why) -> &Finding {
    assert_eq!(report.verdict, Verdict::NotCheckable, "{report:#?}");
    let found = report.findings.iter().find(|f| f.why == Some(why));
    found.unwrap_or_else(|| panic!("{report:#?}"))
}

fn verified(count: u64) -> Counts {
    Counts {
        verified: count,
        ..Counts::default()
    }
}

#[test]
fn an_honest_day_is_verified_whole() {
    let day = day();
    let report = verify(&day);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    let expected = [
        ("compare", 1),
        ("evaluate", 3),
        ("get_weights", 1),
        ("judge", 3),
        ("solve", 6),
        ("vector", 1),
    ];
    let expected = expected.map(|(kind, count)| (kind, verified(count)));
    assert_eq!(report.receipts, expected.into());
    assert_eq!(report.signer.as_deref(), Some(signer("//Alice").address()));
    assert_eq!(report.day.as_deref(), Some("2026-08-22"));
    assert_eq!(
        (report.leaves, report.external, report.findings_total),
        (9, 0, 0)
    );
}

#[test]
fn a_solver_that_runs_out_of_fuel_is_verified_at_the_same_fuel() {
    let mut day = day();
    let starved = day
        .solves
        .values()
        .find(|solve| solve.outcome == "out_of_fuel");
    let starved = starved.unwrap().clone();
    assert_eq!(starved.fuel, 10_000);
    // One unit less is another result.
    let old = id(&starved);
    let lie = Receipt {
        fuel: starved.fuel - 1,
        ..starved
    };
    let new = id(&lie);
    day.solves.remove(&old);
    day.solves.insert(new.clone(), lie);
    let leaf = day
        .leaves
        .iter()
        .position(|leaf| leaf.depends_on.contains(&old))
        .unwrap();
    let transcript = day.leaves[leaf].transcript.clone().unwrap();
    let transcript = day.lie_in(&transcript, &old, &new);
    day.lie(leaf, |receipt| {
        let renamed = receipt.depends_on.iter().map(|id| match id {
            id if *id == old => new.clone(),
            id => id.clone(),
        });
        let renamed: Vec<String> = renamed.collect();
        *receipt = receipt.clone().depending_on(renamed);
        receipt.transcript = Some(transcript);
    });
    let report = verify(&day);
    let finding = differs(&report, Step::Execute);
    assert_eq!(finding.receipt.as_deref(), Some(new.as_str()));
    assert!(finding.what.contains("fuel"), "{finding}");
}

#[test]
fn a_changed_score_is_found_and_its_byte_is_named() {
    let mut day = day();
    let leaf = day.first(Kind::Evaluate);
    let output = day.leaves[leaf].output.clone();
    let mut result: EvaluateOutput = day.document(&output);
    result.logs[1].score = Bits(1.0 - result.logs[1].score.0 / 2.0);
    let text = result.text().unwrap();
    let honest = String::from_utf8(day.blobs[&output].clone()).unwrap();
    let byte = honest.bytes().zip(text.bytes()).position(|(a, b)| a != b);
    let lie = day.put(text);
    day.lie(leaf, |receipt| receipt.output = lie);
    let report = verify(&day);
    let evaluation = id(&day.leaves[leaf]);
    let executed = |f: &&Finding| f.step == Step::Execute && f.result == Verdict::Differs;
    let finding = report.findings.iter().find(executed).unwrap();
    assert_eq!(finding.receipt, Some(evaluation));
    assert_eq!(finding.byte, byte.map(|byte| byte as u64));
    assert_eq!(finding.field.as_deref(), Some("logs[1].score"));
    // Who took the honest result from it is found as well.
    let linked = report.findings.iter().filter(|f| f.step == Step::Links);
    assert!(linked.count() >= 2, "{report:#?}");
}

#[test]
fn a_changed_answer_of_a_submission_is_found() {
    let mut day = day();
    let leaf = day.first(Kind::Evaluate);
    let named = day.leaves[leaf].transcript.clone().unwrap();
    let mut transcript: Transcript = day.document(&named);
    let Held::Text(answer) = &mut transcript.calls[0].response else {
        panic!("{transcript:?}");
    };
    let at = answer.find("labels").unwrap() + "labels\\\":[".len();
    let label = if answer[at..].starts_with('1') {
        "2"
    } else {
        "1"
    };
    answer.replace_range(at..=at, label);
    let lie = day.put(transcript.text().unwrap());
    day.lie(leaf, |receipt| receipt.transcript = Some(lie));
    let report = verify(&day);
    let finding = differs(&report, Step::Links);
    assert!(
        finding.what.contains("its solution is not that"),
        "{finding}"
    );
    // And the challenge makes something else of it.
    assert!(
        report.findings.iter().any(|f| f.step == Step::Execute),
        "{report:#?}"
    );
}

#[test]
fn a_call_that_takes_another_course_is_found_where_it_does() {
    for (lie, expected) in [("drop", "after the last one"), ("add", "none instead of")] {
        let mut day = day();
        let leaf = day.first(Kind::Evaluate);
        let named = day.leaves[leaf].transcript.clone().unwrap();
        let mut transcript: Transcript = day.document(&named);
        match lie {
            "drop" => drop(transcript.calls.pop()),
            _ => transcript.calls.push(transcript.calls[0].clone()),
        }
        let lie = day.put(transcript.text().unwrap());
        day.lie(leaf, |receipt| receipt.transcript = Some(lie));
        let report = verify(&day);
        let finding = differs(&report, Step::Execute);
        assert!(finding.what.contains(expected), "{finding}");
        assert_eq!(finding.receipt, Some(id(&day.leaves[leaf])));
    }
}

#[test]
fn another_component_another_seed_and_more_fuel_are_found() {
    type Lie = fn(&mut Receipt);
    let more_fuel: Lie = |receipt| receipt.fuel += 1;
    let other_seed: Lie = |receipt| receipt.seed = "1".into();
    for (lie, step, what) in [
        (more_fuel, Step::Execute, "fuel"),
        (other_seed, Step::Links, "seed"),
    ] {
        let mut day = day();
        let leaf = day.first(Kind::Evaluate);
        day.lie(leaf, lie);
        let report = verify(&day);
        let finding = differs(&report, step);
        assert!(finding.what.contains(what), "{finding}");
        assert_eq!(report.receipts["evaluate"].differs, 1, "{report:#?}");
    }
    let mut day = day();
    let leaf = day.first(Kind::Judge);
    let other = day.put(proctor_testing::guest_bytes("hostile_challenge"));
    day.lie(leaf, |receipt| receipt.component = Some(other));
    let report = verify(&day);
    differs(&report, Step::Execute);
}

#[test]
fn a_seed_that_all_receipts_agree_on_is_found_by_computing() {
    let mut day = day();
    day.leaves.truncate(1);
    let mut renamed = Vec::new();
    for (old, mut solve) in std::mem::take(&mut day.solves) {
        if day.leaves[0].depends_on.contains(&old) {
            solve.seed = "1".into();
            renamed.push((old, id(&solve)));
            day.solves.insert(id(&solve), solve);
        }
    }
    let mut transcript = day.leaves[0].transcript.clone().unwrap();
    for (old, new) in &renamed {
        transcript = day.lie_in(&transcript, old, new);
    }
    day.lie(0, |receipt| {
        receipt.seed = "1".into();
        receipt.transcript = Some(transcript);
        let ids = renamed.into_iter().map(|(_, new)| new);
        *receipt = receipt.clone().depending_on(ids);
    });
    let report = verify(&day);
    let finding = differs(&report, Step::Execute);
    assert!(
        finding.what.contains("host call 0, runner.solve"),
        "{finding}"
    );
    assert!(finding.byte.is_some());
}

#[test]
fn what_is_not_there_cannot_be_checked_and_differs_from_nothing() {
    let component = day().leaves[0].component.clone().unwrap();
    let mut day = day();
    day.blobs.remove(&component);
    let report = verify(&day);
    let finding = not_checkable(&report, Why::Missing);
    assert!(finding.what.contains(&component), "{finding}");
    // The submissions' runs and the vector do not need it.
    assert_eq!(report.receipts["solve"], verified(6));
    assert_eq!(report.receipts["vector"], verified(1));
    assert_eq!(report.receipts["evaluate"].not_checkable, 3);
}

#[test]
fn what_is_withheld_is_told_with_the_reason() {
    for (withheld, why) in [
        (Withheld::Private, Why::Private),
        (Withheld::NotIncluded, Why::NotIncluded),
        (Withheld::Missing, Why::Missing),
    ] {
        let mut day = day();
        let artifact = day
            .solves
            .values()
            .next()
            .unwrap()
            .component
            .clone()
            .unwrap();
        day.withheld.insert(artifact, withheld);
        let report = verify(&day);
        let finding = not_checkable(&report, why);
        assert_eq!(finding.kind, Some(Kind::Solve));
        assert_eq!(report.receipts["evaluate"], verified(3));
        assert_eq!(report.receipts["solve"].not_checkable, 2);
    }
}

#[test]
fn a_private_output_is_compared_by_its_digest() {
    let mut day = day();
    let vector = day.first(Kind::Vector);
    let output = day.leaves[vector].output.clone();
    day.withheld.insert(output, Withheld::Private);
    assert_eq!(verify(&day).verdict, Verdict::Verified);
    day.lie(vector, |receipt| receipt.output = digest("else"));
    day.withheld.insert(digest("else"), Withheld::Private);
    let report = verify(&day);
    let finding = differs(&report, Step::Execute);
    assert_eq!(finding.byte, None);
}

#[test]
fn components_that_are_left_out_are_found_in_a_directory() {
    let mut day = day();
    let names = ["digits", "knn", "linear", "first_example"];
    let plugins = tempfile::tempdir().unwrap();
    std::fs::create_dir(plugins.path().join("solvers")).unwrap();
    for (name, under) in names
        .into_iter()
        .zip(["digits.wasm", "solvers/a.wasm"].into_iter().cycle())
    {
        let bytes = proctor_testing::guest_bytes(name);
        day.withheld.insert(digest(&bytes), Withheld::NotIncluded);
        let path = plugins
            .path()
            .join(under.replace(".wasm", &format!("-{name}.wasm")));
        std::fs::write(path, bytes).unwrap();
    }
    let without = verify(&day);
    assert!(
        not_checkable(&without, Why::NotIncluded)
            .what
            .contains("--plugins")
    );
    let with = Options {
        plugins: Some(plugins.path().to_owned()),
        ..options()
    };
    let report = verify_with(day.bundle(), with);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
}

#[test]
fn another_engine_is_named_and_never_a_difference() {
    let here = day().leaves[0].engine.clone();
    for (engine, needed) in [
        (here.replace("wasmtime-", "wasmtime-1"), "wasmtime 1"),
        (
            format!("{}.made-up", here.rsplit_once('.').unwrap().0),
            "a machine with made-up",
        ),
        (here.replace("deterministic", "other"), "another release"),
    ] {
        let mut day = day();
        let leaf = day.first(Kind::GetWeights);
        day.lie(leaf, |receipt| {
            receipt.engine = engine.clone();
            receipt.fuel += 1;
        });
        let report = verify(&day);
        let finding = not_checkable(&report, Why::Engine);
        assert_eq!(only(&report), finding);
        assert!(
            finding.what.contains(&engine) && finding.what.contains(&here),
            "{finding}"
        );
        assert!(finding.what.contains(needed), "{finding}");
    }
}

#[test]
fn signatures_are_of_one_signer_who_is_the_expected_one() {
    let day = day();
    let expected = |name: &str| Options {
        signer: Some(signer(name).address().to_owned()),
        ..options()
    };
    let alice = verify_with(day.bundle(), expected("//Alice"));
    assert_eq!(alice.verdict, Verdict::Verified);
    let bob = verify_with(day.bundle(), expected("//Bob"));
    differs(&bob, Step::Signatures);
    let by_another = day.bundle_with(|leaves, _| {
        leaves[0].signature = Some(signer("//Bob").sign_receipt(&leaves[0].id));
        leaves[0].signer = Some(signer("//Bob").address().to_owned());
    });
    let report = verify_with(by_another, options());
    assert_eq!(only(&report).step, Step::Signatures);
    not_checkable(&report, Why::NoReceipt);
    let forged = day.bundle_with(|leaves, _| leaves[1].signature = leaves[0].signature.clone());
    let report = verify_with(forged, options());
    assert!(only(&report).what.contains("the signature is not of"));
    let unsigned = day.bundle_with(|leaves, _| {
        leaves[2].signature = None;
        leaves[2].signer = None;
    });
    let report = verify_with(unsigned, options());
    assert!(only(&report).what.contains("not signed"));
}

#[test]
fn a_leaf_that_is_removed_or_moved_is_found_by_the_tree() {
    let day = day();
    let vector = day.first(Kind::Vector);
    let without = day.bundle_with(|leaves, _| drop(leaves.remove(vector)));
    let report = verify_with(without, options());
    let mut differing = report
        .findings
        .iter()
        .filter(|f| f.result == Verdict::Differs);
    assert!(differing.all(|f| f.step == Step::Tree), "{report:#?}");
    // The third is that the day has no vector.
    assert_eq!(
        (report.verdict, report.findings_total),
        (Verdict::Differs, 3)
    );
    let moved = day.bundle_with(|leaves, _| leaves.swap(0, 1));
    let report = verify_with(moved, options());
    assert_eq!(only(&report).step, Step::Tree);
}

#[test]
fn a_head_of_another_day_is_found() {
    let mut day = day();
    let other = Day {
        leaves: day.leaves[..2].to_vec(),
        ..day.clone()
    };
    day.head = Some(other.head());
    let report = verify(&day);
    assert!(
        report.findings.iter().all(|f| f.step == Step::Tree),
        "{report:#?}"
    );
    assert_eq!(report.verdict, Verdict::Differs);
}

#[test]
fn a_standing_worse_than_a_verdict_of_the_day_and_weights_from_nowhere_are_found() {
    let mut day = day();
    let vector = day.first(Kind::Vector);
    let input = day.leaves[vector].input.clone();
    let mut told: VectorInput = day.document(&input);
    for weight in told
        .challenges
        .get_mut("digits")
        .unwrap()
        .weights
        .values_mut()
    {
        weight.0 *= 0.5;
    }
    let lie = day.put(told.text().unwrap());
    day.lie(vector, |receipt| receipt.input = lie);
    let report = verify(&day);
    assert!(
        differs(&report, Step::Links)
            .what
            .contains("its weights are not those")
    );

    let mut day = made::day();
    let paid = day.first(Kind::GetWeights);
    let judged = day.first(Kind::Judge);
    let (judgement, input) = (day.leaves[judged].clone(), day.leaves[paid].input.clone());
    let verdict: JudgeOutput = day.document(&judgement.output);
    let score = proctor_host::canonical::bits(verdict.verdict.unwrap().score.0);
    let lie = day.lie_in(&input, &score, &proctor_host::canonical::bits(0.25));
    day.lie(paid, |receipt| receipt.input = lie);
    let report = verify(&day);
    let finding = differs(&report, Step::Links);
    assert!(
        finding.what.contains("not that of an accepted verdict"),
        "{finding}"
    );
    let better = |f: &Finding| f.what.contains("stands with 0.25");
    assert!(report.findings.iter().any(better), "{report:#?}");
}

#[test]
fn a_comparison_that_is_left_out_or_changed_is_found() {
    let judged = |day: &Day| {
        let of = |leaf: &Receipt| leaf.kind == Kind::Judge && leaf.depends_on.len() > 1;
        day.leaves.iter().position(of).unwrap()
    };
    let lie = |change: fn(&mut JudgeInput)| {
        let mut day = day();
        let leaf = judged(&day);
        let mut input: JudgeInput = day.document(&day.leaves[leaf].input);
        change(&mut input);
        let lie = day.put(input.text().unwrap());
        day.lie(leaf, |receipt| receipt.input = lie);
        verify(&day)
    };
    let report = lie(|input| input.comparisons[0].logs[0].similarity = Bits(0.75));
    assert!(
        differs(&report, Step::Links)
            .what
            .contains("not those of its comparison")
    );
    let report = lie(|input| input.comparisons[0].reference_score = Some(Bits(0.0)));
    assert!(
        differs(&report, Step::Links)
            .what
            .contains("the reference's score")
    );
    // Nothing was said of the reference, and the challenge compares.
    let mut day = day();
    let leaf = judged(&day);
    let compared = id(&day.leaves[day.first(Kind::Compare)]);
    let mut input: JudgeInput = day.document(&day.leaves[leaf].input);
    input.comparisons[0].logs.clear();
    let lie = day.put(input.text().unwrap());
    day.lie(leaf, |receipt| {
        receipt.input = lie;
        receipt.depends_on.retain(|id| *id != compared);
    });
    let report = verify(&day);
    let finding = report
        .findings
        .iter()
        .find(|f| f.why == Some(Why::NoReceipt));
    assert!(
        finding.unwrap().what.contains("has no receipt"),
        "{report:#?}"
    );
}

#[test]
fn the_hosts_own_verdict_is_right_only_where_the_submission_is_at_fault() {
    for (fail, expected) in [
        ("invalid-submission", Verdict::Verified),
        ("internal", Verdict::Differs),
    ] {
        let settings = format!(r#"{{"fail": "{fail}"}}"#);
        let runtime = Runtime::new().unwrap();
        let mut recorder = Recorder::new("hostile_challenge", &settings);
        let done = runtime.block_on(recorder.evaluate("knn", None));
        let result = recorder.day.leaves[0].output.clone();
        let input = JudgeInput::new(&done.commit(1), &result, &[])
            .text()
            .unwrap();
        let output = JudgeOutput::worthless().text().unwrap();
        let depends_on = vec![done.receipt.clone()];
        recorder.day.rule(Kind::Judge, input, output, depends_on);
        let report = verify(&recorder.day);
        assert_eq!(report.verdict, expected, "{fail}: {report:#?}");
        assert_eq!(report.receipts["evaluate"], verified(1));
    }
    // One that was evaluated well must be judged by the challenge.
    let mut day = day();
    let input = day.leaves[day.first(Kind::Judge)].input.clone();
    let evaluation = id(&day.leaves[0]);
    let output = day.put(JudgeOutput::worthless().text().unwrap());
    let lie = Receipt::of_rule(Kind::Judge, Some("digits".into()), input, output);
    day.leaves.push(lie.depending_on([evaluation]));
    let report = verify(&day);
    assert!(
        differs(&report, Step::Execute)
            .what
            .contains("no call that it depends on failed")
    );
}

#[test]
fn receipts_of_other_days_are_taken_for_what_they_say() {
    let mut day = day();
    let evaluation = day.leaves.remove(day.first(Kind::Evaluate));
    day.solves
        .retain(|id, _| !evaluation.depends_on.contains(id));
    day.external.push(evaluation);
    let report = verify(&day);
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    assert_eq!(
        (report.external, report.receipts["evaluate"]),
        (1, verified(2))
    );
    // Where nothing shows that it is a leaf there, or that another one is.
    let honest = day.proofs();
    day.proofs = Some(Proofs::new(Vec::new(), Vec::new()));
    not_checkable(&verify(&day), Why::NoReceipt);
    let mut lie = honest.clone();
    lie.leaves[0].leaf += 1;
    day.proofs = Some(lie);
    differs(&verify(&day), Step::Tree);
    day.proofs = None;
    let forged = day.bundle_with(|leaves, linked| {
        let external = linked.iter_mut().find(|of| of.signature.is_some()).unwrap();
        external.signature = leaves[0].signature.clone();
    });
    let report = verify_with(forged, options());
    assert_eq!(only(&report).step, Step::Signatures);
    // Without it nobody knows where the result comes from.
    day.external.clear();
    let report = verify(&day);
    not_checkable(&report, Why::Missing);
}

#[test]
fn a_sample_computes_so_many_and_the_same_ones_for_a_seed() {
    let day = day();
    let sample = |size, seed| {
        let sample = Some(Sample { size, seed });
        verify_with(
            day.bundle(),
            Options {
                sample,
                ..options()
            },
        )
    };
    let report = sample(SampleSize::Count(4), 1);
    assert_eq!(report.verdict, Verdict::Verified);
    let total = |of: fn(&Counts) -> u64| report.receipts.values().map(of).sum::<u64>();
    assert_eq!((total(|c| c.verified), total(|c| c.not_sampled)), (4, 11));
    assert_eq!(sample(SampleSize::Part(0.25), 1).receipts, report.receipts);
    let drawn = report.sample.unwrap();
    assert_eq!((drawn.drawn, drawn.of, drawn.seed), (4, 15, 1));
}

#[test]
fn what_takes_more_memory_than_allowed_is_not_run() {
    let options = Options {
        max_memory_bytes: 64 << 20,
        ..options()
    };
    let report = verify_with(day().bundle(), options);
    let finding = not_checkable(&report, Why::Limits);
    assert!(finding.what.contains("256 MiB"), "{finding}");
    assert_eq!(report.receipts["vector"], verified(1));
}

#[test]
fn no_byte_of_a_bundle_can_be_changed_unseen() {
    let day = day();
    let honest = day.bytes(|_, _| {});
    let check = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let bundle = Bundle::from_reader(BufReader::new(file)).ok()?;
        let sample = Some(Sample {
            size: SampleSize::Count(0),
            seed: 0,
        });
        Some(verify_with(
            bundle,
            Options {
                sample,
                ..options()
            },
        ))
    };
    assert_eq!(check(&honest).unwrap().verdict, Verdict::Verified);
    let entries = day.bundle().entries().to_vec();
    let mut seen = 0;
    for entry in &entries {
        let (start, size) = (entry.offset as usize, entry.size as usize);
        let padding = (start + size).next_multiple_of(512);
        let content = [0, size / 3, size / 2, size - 1].map(|at| start + at);
        let header = [0, 124, 150, 257].map(|at| start - 512 + at);
        for at in content.into_iter().chain(header).chain([padding - 1]) {
            let mut bytes = honest.clone();
            bytes[at] ^= 1;
            let Some(report) = check(&bytes) else {
                continue;
            };
            seen += 1;
            let name = &entry.name;
            assert_eq!(
                report.verdict,
                Verdict::Differs,
                "{name}, byte {at}: {report:#?}"
            );
            let steps: Vec<Step> = report.findings.iter().map(|f| f.step).collect();
            match name.as_str() {
                "head.json" => assert!(steps.contains(&Step::Tree), "{at}: {report:#?}"),
                "proofs.json" => {}
                name if name.ends_with(".jsonl") => {
                    assert_eq!(steps, [Step::Signatures], "{at}: {report:#?}");
                }
                _ => {
                    assert_eq!(steps[0], Step::Bundle, "{at}: {report:#?}");
                    let digest = name
                        .trim_start_matches("blobs/sha256/")
                        .trim_end_matches(".zst");
                    assert!(report.findings[0].what.contains(digest), "{report:#?}");
                }
            }
        }
    }
    assert!(seen > entries.len(), "blobs are looked at one by one");
}

#[test]
fn the_command_tells_by_its_status_what_came_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("day.bundle");
    let verify = |bytes: &[u8], arguments: &[&str]| {
        std::fs::write(&path, bytes).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_proctor"))
            .arg("verify")
            .arg(&path)
            .arg("--cache")
            .arg(CACHE.path())
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (
            output.status.code(),
            text,
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let day = day();
    let honest = day.bytes(|_, _| {});
    let (code, text, _) = verify(&honest, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("day 2026-08-22, 9 leaves"), "{text}");
    assert!(
        text.lines()
            .last()
            .unwrap()
            .starts_with("verified: 15 receipts"),
        "{text}"
    );
    let (code, text, _) = verify(
        &honest,
        &["--json", "--sample", "20%", "--sample-seed", "7"],
    );
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &report["sample"]["seed"]),
        (Some(0), &Value::from(7))
    );
    assert_eq!(report["sample"]["drawn"], 3);
    let (code, text, _) = verify(&honest, &["--signer", signer("//Bob").address()]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("differs        signatures: signed by"),
        "{text}"
    );
    let mut lacking = day.clone();
    let artifact = lacking
        .solves
        .values()
        .next()
        .unwrap()
        .component
        .clone()
        .unwrap();
    lacking.withheld.insert(artifact, Withheld::Private);
    let (code, text, _) = verify(&lacking.bytes(|_, _| {}), &[]);
    assert_eq!(code, Some(3));
    assert!(
        text.contains("not_checkable  ") && text.contains("is private"),
        "{text}"
    );
    for (bytes, arguments) in [
        (&b"nonsense"[..], &[][..]),
        (&honest[..1000], &[]),
        (&honest, &["--day", "2026-08-22"]),
    ] {
        let (code, text, error) = verify(bytes, arguments);
        assert_eq!((code, text.as_str()), (Some(2), ""));
        assert!(error.starts_with("error: "), "{error}");
    }
}

#[test]
fn a_replay_shows_what_another_component_would_have_scored() {
    let day = day();
    let sandbox = made::sandbox(CACHE.path());
    let replay = |guest: &str, only: Option<&str>| {
        let (component, _) =
            PluginComponent::load(&sandbox, &proctor_testing::guest_bytes(guest)).unwrap();
        let component = Arc::new(component);
        let replayed = verify::replay(day.bundle(), None, only, &sandbox, &component, 4 << 30);
        Runtime::new().unwrap().block_on(replayed).unwrap()
    };
    let same = replay("digits", None);
    assert_eq!(same.len(), 3);
    for evaluation in &same {
        assert_eq!(evaluation.before, evaluation.after);
        assert_eq!((evaluation.solved_anew, &evaluation.skipped), (0, &None));
    }
    assert_eq!(same[0].before.as_ref().unwrap().scores.len(), 2);
    let only = replay("digits", Some(&same[1].receipt));
    assert_eq!(only, same[1..2]);
    // One that asks for another task has it solved.
    let mut forgetful = day.clone();
    let leaf = forgetful.first(Kind::Evaluate);
    let named = forgetful.leaves[leaf].transcript.clone().unwrap();
    let mut transcript: Transcript = forgetful.document(&named);
    transcript.calls.pop();
    let cut = forgetful.put(transcript.text().unwrap());
    forgetful.lie(leaf, |receipt| receipt.transcript = Some(cut));
    let (component, _) =
        PluginComponent::load(&sandbox, &proctor_testing::guest_bytes("digits")).unwrap();
    let component = Arc::new(component);
    let only = id(&forgetful.leaves[leaf]);
    let replayed = verify::replay(
        forgetful.bundle(),
        None,
        Some(&only),
        &sandbox,
        &component,
        4 << 30,
    );
    let replayed = Runtime::new().unwrap().block_on(replayed).unwrap();
    assert_eq!(
        replayed[0].unrecorded,
        [("runner.solve".to_owned(), 1)].into()
    );
    assert_eq!(replayed[0].solved_anew, 1);
    assert_eq!(replayed[0].after, same[0].before);
    assert_eq!(same[0].unrecorded, [].into());
    // A challenge of another kind does not understand these settings, and has one task.
    let other = replay("completion", None);
    assert_ne!(other[0].after, other[0].before);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("day.bundle");
    std::fs::write(&path, forgetful.bytes(|_, _| {})).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_proctor"))
        .args(["plugin", "replay"])
        .arg(&path)
        .arg("--component")
        .arg(proctor_testing::guest("digits"))
        .arg("--data-dir")
        .arg(directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("asks what was not recorded: 1 runner.solve"),
        "{text}"
    );
    assert!(
        text.contains("3 evaluations, 0 with other scores"),
        "{text}"
    );
}
