use super::*;
use crate::{Challenge, Context, SettingsProblem};
use std::fs;

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    tasks: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { tasks: 2 }
    }
}

struct Sum(Settings);

impl Challenge for Sum {
    type Settings = Settings;
    const NAME: &'static str = "sum";
    const VERSION: &'static str = "1.0.0";

    fn new(settings: Settings) -> Self {
        Sum(settings)
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        match settings.tasks {
            0 => vec![SettingsProblem {
                path: "tasks".into(),
                message: "must be above 0".into(),
            }],
            _ => Vec::new(),
        }
    }
}

impl Controller for Sum {
    type Task = [u64; 2];
    type Solution = u64;

    fn task_count(&self) -> u32 {
        self.0.tasks
    }

    fn make_task(&self, context: &Context<'_>, index: u32) -> Result<[u64; 2], ChallengeError> {
        Ok([context.seed(), index.into()])
    }

    fn score(&self, task: &[u64; 2], solution: &u64) -> Result<f64, String> {
        match task.iter().sum::<u64>() == *solution {
            true => Ok(1.0),
            false => Err("wrong".into()),
        }
    }
}

struct Adder;

impl Solver for Adder {
    type Task = [u64; 2];
    type Solution = u64;

    fn solve(task: [u64; 2]) -> Result<u64, String> {
        Ok(task.iter().sum())
    }
}

/// Runs cases, as file names and texts, of a directory of this name.
fn report(name: &str, files: &[(&str, &str)]) -> Report {
    let directory = std::env::temp_dir().join(format!("proctor-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    for (name, text) in files {
        fs::write(directory.join(format!("{name}.toml")), text).unwrap();
    }
    let cases = Cases::<Sum>::read(&directory).submission::<Adder>("adder");
    fs::remove_dir_all(&directory).unwrap();
    cases.report()
}

#[test]
fn cases_that_come_out_as_expected_pass() {
    let report = report(
        "pass",
        &[
            (
                "adds",
                "solver = \"adder\"\n[expect]\nscore = 1.0\naccepted = true",
            ),
            (
                "half",
                "seed = 7\nsolutions = [\"7\", {failure = \"out_of_fuel\", message = \"slow\"}]\n\
                 [expect]\nscore = 0.5\nmessage = \"out_of_fuel: slow\"",
            ),
            (
                "not-json",
                "solutions = [\"{\"]\nsettings = {tasks = 1}\n\
                 [expect]\nscore = 0\nmessage = \"invalid_output\"",
            ),
            (
                "runner-away",
                "solutions = [{failure = \"unavailable\", message = \"no room\"}]\n\
                 [expect]\noutcome = \"unavailable\"\nmessage = \"no room\"",
            ),
            ("one", "task = \"[1, 2]\"\n[expect]\nsolution = \"3.0\""),
            (
                "one-fails",
                "task = \"[1]\"\n[expect]\noutcome = \"guest_error\"\nmessage = \"cannot read\"",
            ),
        ],
    );
    assert_eq!(report.failures, []);
    assert_eq!(report.left, []);
    assert_eq!(report.passed.len(), 6);
}

#[test]
fn failures_are_told_by_name() {
    let report = report(
        "fail",
        &[
            ("a", "solver = \"adder\"\n[expect]\nscore = [0, 0.5]"),
            ("b", "solutions = [\"0\"]"),
            ("c", "solutions = [\"0\", \"1\", \"2\"]"),
            (
                "d",
                "solver = \"adder\"\nsettings = {tasks = 0}\n[expect]\noutcome = \"guest_error\"",
            ),
            ("e", "solver = \"adder\"\nsettings = {task = 1}"),
            ("f", "solver = 1"),
        ],
    );
    assert_eq!(report.passed, [""; 0]);
    let list = report.list();
    for wanted in [
        "  a\n    score: expected 0 to 0.5, found 1\n",
        "  b\n    solutions: expected 2, one for each task, found 1 in the case\n",
        "  c\n    solutions: expected 2, one for each task, found 3 in the case\n",
        "  d\n    settings.tasks: expected a setting that the challenge takes, found must be above 0\n",
        "  e\n    settings",
        "f.toml: TOML parse error at line 1",
    ] {
        assert!(list.contains(wanted), "{wanted}: {list}");
    }
}

#[test]
fn what_needs_a_sandbox_is_left_to_it() {
    let report = report(
        "left",
        &[
            ("other", "solver = \"other\""),
            ("component", "component = \"x.wasm\""),
            (
                "loops",
                "solver = \"adder\"\n[expect]\noutcome = \"timeout\"",
            ),
            ("task", "task = \"1\"\nsolver = \"other\""),
        ],
    );
    assert_eq!(report.failures, []);
    assert_eq!(report.passed, [""; 0]);
    assert_eq!(report.left.len(), 4);
    assert!(
        report
            .to_string()
            .contains("case other: left to the sandbox, no solver `other`")
    );
}

#[test]
#[should_panic(expected = "no cases in")]
fn a_directory_without_cases_fails() {
    let directory = std::env::temp_dir().join(format!("proctor-none-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let cases = Cases::<Sum>::read(&directory);
    fs::remove_dir_all(&directory).unwrap();
    cases.run();
}

#[test]
#[should_panic(expected = "nowhere")]
fn a_directory_that_is_not_there_fails() {
    Cases::<Sum>::read("nowhere").run();
}
