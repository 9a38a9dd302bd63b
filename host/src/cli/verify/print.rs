//! The report of a verification, for people.

use super::super::table::table;
use crate::canonical::is_digest;
use crate::receipts::Kind;
use crate::verify::{Context, Counts, Finding, Report, Step, Why};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(in crate::cli) fn print(report: &Report) {
    let of = match &report.day {
        Some(day) => format!("day {day}, {} leaves", report.leaves),
        None => "one receipt".to_owned(),
    };
    let signer = report.signer.as_deref().unwrap_or("nobody");
    println!("{of}, signed by {signer}");
    println!("computed again by {}\n", report.engine);
    let rows: Vec<Vec<String>> = report
        .receipts
        .iter()
        .map(|(kind, counts)| {
            let numbers = [
                counts.verified,
                counts.differs,
                counts.not_checkable,
                counts.not_sampled,
            ];
            let name = std::iter::once((*kind).to_owned());
            name.chain(numbers.map(|number| number.to_string()))
                .collect()
        })
        .collect();
    let header = [
        "kind",
        "verified",
        "differs",
        "not checkable",
        "not sampled",
    ];
    println!(
        "{}",
        table(&header, &[false, true, true, true, true], &rows)
    );
    for line in found(&report.findings) {
        println!("{line}");
    }
    let more = report
        .findings_total
        .saturating_sub(report.findings.len() as u64);
    if more > 0 {
        println!("and {more} more");
    }
    if report.findings_total > 0 {
        println!();
    }
    if let Some(line) = taken(report.external, report.day.is_some()) {
        println!("{line}");
    }
    if report.recorded_answers > 0 {
        println!("{}", recorded(report.recorded_answers));
    }
    for of in various(report) {
        println!("{}", context(of));
    }
    if let Some(sample) = &report.sample {
        let (drawn, of, seed) = (sample.drawn, sample.of, sample.seed);
        println!("a sample of {drawn} of {of}, drawn by --sample-seed {seed}");
    }
    println!("{}", summary(report));
}

/// What was found, a line for each; what cannot be checked for the same reason is one.
fn found(findings: &[Finding]) -> Vec<String> {
    type Group = (Step, Option<Why>, Kind, String);
    let group = |finding: &Finding| -> Option<Group> {
        let kind = finding.kind.filter(|_| finding.why.is_some())?;
        let what = without_digests(&finding.what);
        Some((finding.step, finding.why, kind, what))
    };
    let mut counts: BTreeMap<Group, u64> = BTreeMap::new();
    for group in findings.iter().filter_map(group) {
        *counts.entry(group).or_default() += 1;
    }
    let mut lines = Vec::new();
    for finding in findings {
        let told = match group(finding) {
            None => finding.to_string(),
            // Told with the first of the group.
            Some(group) => match counts.remove(&group) {
                None => continue,
                Some(1) => finding.to_string(),
                Some(count) => {
                    let (step, _, kind, what) = group;
                    format!("{}: {} x{count}: {what}", step.name(), kind.name())
                }
            },
        };
        lines.push(format!("{:13}  {told}", finding.result.name()));
    }
    lines
}

/// A text without the digests in it, which are others for each receipt.
fn without_digests(text: &str) -> String {
    let mut without = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_digest(bare) {
            without.push('…');
            without.push_str(word.strip_prefix(bare).unwrap_or_default());
        } else {
            without.push_str(word);
        }
    }
    without.replace(" (…)", "")
}

/// What is said of receipts that are neither leaves nor solves of the bundle.
fn taken(external: u64, is_day: bool) -> Option<String> {
    let receipts = counted(external, "receipt");
    match (external, is_day) {
        (0, _) => None,
        (1, true) => Some(format!(
            "{receipts} of another day is taken for what it says"
        )),
        (_, true) => Some(format!(
            "{receipts} of other days are taken for what they say"
        )),
        (1, false) => Some(format!(
            "{receipts} that it depends on is taken for what it says, and not computed again"
        )),
        (_, false) => Some(format!(
            "{receipts} that it depends on are taken for what they say, and not computed again"
        )),
    }
}

fn recorded(answers: u64) -> String {
    match answers {
        1 => "1 answer of a database or file is taken as it was recorded".to_owned(),
        _ => format!("{answers} answers of databases and files are taken as they were recorded"),
    }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The last line. Receipts that cannot be checked were not computed, and those that are
/// not in the sample neither.
fn summary(report: &Report) -> String {
    let of = |counts: &Counts| counts.verified + counts.differs;
    let computed: u64 = report.receipts.values().map(of).sum();
    let mut text = report.verdict.name().replace('_', " ");
    // Writing to a string does not fail.
    let _ = match computed {
        0 => write!(
            text,
            ": nothing was computed again, in {:.1} s",
            report.seconds
        ),
        _ => write!(
            text,
            ": {} computed again in {:.1} s, {:.1} per second",
            counted(computed, "receipt"),
            report.seconds,
            computed as f64 / report.seconds.max(f64::EPSILON)
        ),
    };
    text
}

/// What calls had in common, of challenges and kinds of which some had something else.
fn various(report: &Report) -> impl Iterator<Item = &Context> {
    report.contexts.iter().filter(|context| {
        let of = |context: &Context| (context.challenge.clone(), context.kind);
        let mut others = report.contexts.iter();
        others.any(|other| of(other) == of(context) && other != *context)
    })
}

fn context(of: &Context) -> String {
    let digest = |digest: &Option<String>| {
        let digest = digest.as_deref().unwrap_or("none");
        digest.chars().take(12).collect::<String>()
    };
    format!(
        "{} {} of {}: component {}, settings {}, limits {}, seed {}, time {}",
        of.count,
        of.kind.name(),
        of.challenge.as_deref().unwrap_or("none"),
        digest(&of.component),
        digest(&of.settings),
        digest(&of.limits),
        of.seed,
        of.logical_time
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Verdict;

    fn finding(why: Option<Why>, kind: Option<Kind>, n: u8, what: &str) -> Finding {
        let id = format!("{n:064x}");
        Finding {
            step: Step::Execute,
            result: why.map_or(Verdict::Differs, |_| Verdict::NotCheckable),
            why,
            receipt: kind.map(|_| id.clone()),
            kind,
            what: what.replace("DIGEST", &id),
            byte: None,
            field: None,
        }
    }

    #[test]
    fn what_cannot_be_checked_for_one_reason_is_one_line() {
        let solve = |n| {
            let what = "the artifact (DIGEST) was left out: ask";
            finding(Some(Why::NotIncluded), Some(Kind::Solve), n, what)
        };
        let evaluate = |n| finding(Some(Why::Time), Some(Kind::Evaluate), n, "time ran out");
        let mut private = solve(3);
        private.why = Some(Why::Private);
        let lines = found(&[solve(1), evaluate(9), solve(2), private, solve(4)]);
        let expected = [
            "not_checkable  execute: solve x3: the artifact was left out: ask",
            "not_checkable  execute: evaluate 000000000000: time ran out",
            &format!(
                "not_checkable  execute: solve 000000000000: the artifact ({:064x}) was left out: ask",
                3
            ),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_differs_is_a_line_for_each() {
        let differs = |n| finding(None, Some(Kind::Solve), n, "the output differs");
        let tree = finding(None, None, 0, "another root");
        let missing = finding(Some(Why::Missing), None, 0, "of no receipt");
        let all = [differs(1), differs(2), tree, missing.clone(), missing];
        assert_eq!(found(&all).len(), 5);
    }

    #[test]
    fn a_reason_is_told_without_digests() {
        let id = "ab".repeat(32);
        let text = format!("it names {id}, on which ({id}) nothing depends: {id}");
        let expected = "it names …, on which nothing depends: …";
        assert_eq!(without_digests(&text), expected);
        for same in ["", "the fuel (12) is not 13", "naïve (…x)", &id[1..]] {
            assert_eq!(without_digests(same), same);
        }
    }

    #[test]
    fn receipts_that_are_taken_as_they_are_are_told_by_number() {
        let of = |external, is_day| taken(external, is_day).unwrap();
        assert_eq!(taken(0, true).or(taken(0, false)), None);
        assert_eq!(
            of(1, true),
            "1 receipt of another day is taken for what it says"
        );
        assert_eq!(
            of(2, true),
            "2 receipts of other days are taken for what they say"
        );
        let one = "1 receipt that it depends on is taken for what it says, and not computed again";
        assert_eq!(of(1, false), one);
        assert!(of(5, false).starts_with("5 receipts that it depends on are taken"));
    }

    #[test]
    fn only_what_was_computed_counts_in_the_summary() {
        let mut report = Report {
            verdict: Verdict::NotCheckable,
            day: None,
            signer: None,
            leaves: 1,
            engine: String::new(),
            receipts: BTreeMap::new(),
            external: 0,
            recorded_answers: 0,
            contexts: Vec::new(),
            sample: None,
            findings: Vec::new(),
            findings_total: 0,
            seconds: 0.5,
            receipts_per_second: 206.0,
        };
        let mut counts = Counts {
            not_checkable: 80,
            not_sampled: 23,
            ..Counts::default()
        };
        report.receipts.insert("solve", counts);
        let expected = "not checkable: nothing was computed again, in 0.5 s";
        assert_eq!(summary(&report), expected);
        counts.verified = 1;
        report.receipts.insert("solve", counts);
        let expected = "not checkable: 1 receipt computed again in 0.5 s, 2.0 per second";
        assert_eq!(summary(&report), expected);
        counts.differs = 4;
        report.receipts.insert("judge", counts);
        report.verdict = Verdict::Differs;
        let expected = "differs: 6 receipts computed again in 0.5 s, 12.0 per second";
        assert_eq!(summary(&report), expected);
    }
}
