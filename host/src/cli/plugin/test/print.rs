//! What came of cases, for people and for programs.

use super::super::super::author::shown;
use super::super::super::table::table;
use super::super::super::terminal::{BAD, FAINT, GOOD, styled};
use super::Tested;
use crate::authoring::cases::{Came, CaseRun, Difference};
use anstream::{print, println};
use serde_json::{Map, Value, json};

/// Errors of tasks that are shown of a failed case.
const TASKS: usize = 5;

/// Prints what came of cases. `command` is what is run again to update them.
pub(in crate::cli) fn tested(tested: &Tested, command: &str) {
    if let Some(native) = &tested.native {
        match native.passed {
            true => println!("native tests: {}", styled(GOOD, "ok")),
            false => println!(
                "{}\nnative tests: {}",
                native.output.trim_end(),
                styled(BAD, "FAILED")
            ),
        }
    }
    CaseRun::print_all(&tested.runs, command);
}

impl CaseRun {
    /// Prints what came of cases.
    pub(in crate::cli) fn print_all(runs: &[CaseRun], command: &str) {
        let rows: Vec<_> = runs.iter().map(row).collect();
        print!(
            "{}",
            table(
                &[
                    "case",
                    "outcome",
                    "score",
                    "fuel",
                    "solver fuel",
                    "time",
                    ""
                ],
                &[false, false, true, true, true, true, false],
                &rows
            )
        );
        for run in runs.iter().filter(|run| !run.passed()) {
            failed(run);
        }
        for path in runs.iter().flat_map(|run| &run.written) {
            println!("wrote {}", shown(path));
        }
        let is_snapshot = |difference: &Difference| difference.what.starts_with("snapshot");
        let mut differences = runs.iter().flat_map(|run| &run.differences);
        if differences.any(is_snapshot) {
            println!("\nIf what the snapshots differ in is right: {command} --update");
        }
        println!("{}", summary(runs));
    }

    /// The same as JSON: how many, and each. Times are in microseconds.
    pub(in crate::cli) fn all_as_json(runs: &[CaseRun]) -> Map<String, Value> {
        let passed = runs.iter().filter(|run| run.passed()).count();
        let mut told = Map::new();
        told.insert("passed".to_owned(), passed.into());
        told.insert("failed".to_owned(), (runs.len() - passed).into());
        told.insert("cases".to_owned(), runs.iter().map(case).collect());
        told
    }
}

fn summary(runs: &[CaseRun]) -> String {
    let passed = runs.iter().filter(|run| run.passed()).count();
    let failed = runs.len() - passed;
    let cases = |count: usize| match count {
        1 => "1 case".to_owned(),
        count => format!("{count} cases"),
    };
    match failed {
        0 => styled(GOOD, format!("{} ok", cases(passed))),
        failed => styled(
            BAD,
            format!("{failed} of {} failed", cases(passed + failed)),
        ),
    }
}

fn row(run: &CaseRun) -> Vec<String> {
    let result = match run.passed() {
        true => styled(GOOD, "ok"),
        false => styled(BAD, "FAILED"),
    };
    let Some(came) = &run.came else {
        let none = || "-".to_owned();
        return vec![
            run.name.clone(),
            none(),
            none(),
            none(),
            none(),
            none(),
            result,
        ];
    };
    let verdict = came.verdict.as_ref();
    let score = verdict.map_or_else(|| "-".to_owned(), |verdict| format!("{:.4}", verdict.score));
    let fuel = match came.is_task {
        true => "-".to_owned(),
        false => came.fuel.to_string(),
    };
    vec![
        run.name.clone(),
        came.outcome().code().to_owned(),
        score,
        fuel,
        came.solver_fuel.to_string(),
        format!("{:.1?}", came.elapsed),
        result,
    ]
}

fn failed(run: &CaseRun) {
    let about = run.about.as_ref();
    let about = about.map_or_else(String::new, |about| format!(": {about}"));
    println!("\n{} {}{about}", styled(BAD, "FAILED"), run.name);
    if let Some(problem) = &run.problem {
        println!("{}", indented(problem.trim_end()));
    }
    for Difference {
        what,
        expected,
        found,
    } in &run.differences
    {
        println!("  {what}");
        println!("    {} {}", styled(GOOD, "expected"), expected.trim_end());
        println!("    {} {}", styled(BAD, "found   "), found.trim_end());
    }
    if let Some(came) = &run.came {
        details(came);
    }
}

/// What may tell why.
fn details(came: &Came) {
    let errors: Vec<(usize, &str)> = came
        .logs
        .iter()
        .enumerate()
        .filter_map(|(index, log)| Some((index, log.error.as_deref()?)))
        .collect();
    for (index, error) in errors.iter().take(TASKS) {
        println!("  task {index}: {error}");
    }
    if errors.len() > TASKS {
        println!("  and {} more tasks with an error", errors.len() - TASKS);
    }
    let frames = came.error.iter().flat_map(|error| &error.frames);
    for frame in frames {
        println!("  at {frame}");
    }
    wrote(&came.log);
}

/// What a call printed, if anything.
pub(in crate::cli) fn wrote(log: &str) {
    if !log.is_empty() {
        println!("  {}", styled(FAINT, "it wrote:"));
        println!("{}", indented(log.trim_end()));
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

/// The same as JSON.
pub(in crate::cli) fn as_json(tested: &Tested) -> Value {
    let native = tested.native.as_ref();
    let native = native.map(|native| json!({"passed": native.passed, "output": native.output}));
    let mut told = CaseRun::all_as_json(&tested.runs);
    told.insert("native".to_owned(), native.into());
    told.into()
}

fn case(run: &CaseRun) -> Value {
    let came = run.came.as_ref();
    let error = came.and_then(|came| came.error.as_ref());
    let verdict = came.and_then(|came| came.verdict.as_ref());
    json!({
        "name": run.name,
        "about": run.about,
        "passed": run.passed(),
        "problem": run.problem,
        "differences": run.differences.iter().map(|difference| json!({
            "what": difference.what,
            "expected": difference.expected,
            "found": difference.found,
        })).collect::<Vec<_>>(),
        "outcome": came.map(|came| came.outcome().code()),
        "message": error.map(|error| &error.message),
        "frames": error.map(|error| &error.frames),
        "verdict": verdict,
        "scoring_logs": came.filter(|came| !came.is_task).map(|came| &came.logs),
        "solution": came.and_then(|came| came.solution.as_ref()),
        "fuel": came.filter(|came| !came.is_task).map(|came| came.fuel),
        "solver_fuel": came.map(|came| came.solver_fuel),
        "elapsed_us": came.map(|came| u64::try_from(came.elapsed.as_micros()).unwrap_or(u64::MAX)),
        "log": came.map(|came| &came.log),
        "written": run.written,
    })
}
