//! Cases, run by the test harness.

use super::super::Harness;
use super::expect::{Difference, Expect, Found};
use super::format::{Answers, Asked, Case, CaseError, read};
use crate::{
    ChallengeError, Commit, Controller, Evaluated, Failure, Miner, ScoringLog, SolveError,
    SolveFailure, Solver, Submission, Verdict,
};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::rc::Rc;

type Solve = dyn Fn(&str) -> Result<String, SolveError>;

/// What a case can come to without a sandbox.
const NATIVE: [&str; 4] = ["ok", "guest_error", "unavailable", "invalid_output"];

/// The cases of a directory, to be run natively with the challenge `C`.
///
/// What needs a sandbox is left to it: cases whose solver is not given here, those of a
/// component, and those that expect what only a sandbox comes to, such as `out_of_fuel`.
pub struct Cases<C> {
    directory: PathBuf,
    cases: Result<Vec<Result<Case, CaseError>>, String>,
    solvers: BTreeMap<String, Rc<Solve>>,
    challenge: PhantomData<C>,
}

impl<C> fmt::Debug for Cases<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cases")
            .field("directory", &self.directory)
            .field("solvers", &self.solvers.keys())
            .finish_non_exhaustive()
    }
}

impl<C: Controller> Cases<C> {
    /// Reads the cases of a directory, relative to the package that is tested. What is
    /// wrong with it, or with a file, [`run`](Self::run) tells.
    pub fn read(directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref().to_owned();
        Cases {
            cases: read(&directory).map_err(|error| error.to_string()),
            directory,
            solvers: BTreeMap::new(),
            challenge: PhantomData,
        }
    }

    /// Has a function be the solver of this name: JSON in, JSON out.
    #[must_use]
    pub fn solver(
        mut self,
        name: impl Into<String>,
        solve: impl Fn(&str) -> Result<String, SolveError> + 'static,
    ) -> Self {
        self.solvers.insert(name.into(), Rc::new(solve));
        self
    }

    /// Has a [`Solver`] written with this SDK be the one of this name. Its errors are
    /// failures with the code `guest_error`.
    #[must_use]
    pub fn submission<S: Solver>(self, name: impl Into<String>) -> Self {
        self.solver(name, |task| {
            S::solve_json(task).map_err(|message| failed(Failure::GuestError, message))
        })
    }

    /// Runs the cases, and prints what is left to the sandbox.
    ///
    /// # Panics
    ///
    /// With a list of all that is not as expected, and if there is no case.
    #[allow(clippy::panic, reason = "it is how a test fails")]
    pub fn run(self) {
        let directory = self.directory.clone();
        let report = self.report();
        print!("{report}");
        if report.names.is_empty() && report.failures.is_empty() {
            panic!("no cases in {}", directory.display());
        }
        if !report.failures.is_empty() {
            let (failed, all) = (report.failed(), report.names.len());
            let list = report.list();
            panic!(
                "{failed} of {all} cases in {} failed:\n{list}",
                directory.display()
            );
        }
    }

    /// Runs the cases, and tells what came of them.
    pub fn report(self) -> Report {
        let mut report = Report::default();
        let cases = match &self.cases {
            Ok(cases) => cases,
            Err(error) => {
                let (name, error) = (self.directory.display().to_string(), error.clone());
                report.failures.push((name, vec![error]));
                return report;
            }
        };
        for case in cases {
            let (name, came) = match case {
                Ok(case) => (&case.name, self.case(case)),
                Err(error) => (&error.name, Came::Failed(vec![error.to_string()])),
            };
            report.names.push(name.clone());
            match came {
                Came::Passed => report.passed.push(name.clone()),
                Came::Left(why) => report.left.push((name.clone(), why)),
                Came::Failed(why) => report.failures.push((name.clone(), why)),
            }
        }
        report
    }

    fn case(&self, case: &Case) -> Came {
        let expect = case.expect.clone().unwrap_or_default();
        if !NATIVE.contains(&expect.outcome.as_str()) {
            return Came::Left(format!("it expects `{}`", expect.outcome));
        }
        match &case.asked {
            Asked::Evaluation { settings, answers } => {
                let harness = Harness::<C>::new().settings(settings.clone());
                let harness = harness.seed(case.seed).now(case.now);
                match answers {
                    Answers::Component(path) => Came::Left(format!("it runs {}", path.display())),
                    Answers::Solver(name) => match self.solvers.get(name).cloned() {
                        Some(solve) => {
                            let harness = harness.solver(move |task| json(solve(task)));
                            came(evaluate(&harness, &expect, case.now, None))
                        }
                        None => Came::Left(format!("no solver `{name}` is given here")),
                    },
                    Answers::Recorded(answers) => {
                        let asked = Rc::new(Cell::new(0));
                        let (index, recorded) = (Rc::clone(&asked), answers.clone());
                        let harness = harness.solver(move |_| {
                            let task = index.replace(index.get() + 1);
                            match recorded.get(task) {
                                Some(answer) => json(answer.clone()),
                                None => Err(SolveError::Unavailable(format!(
                                    "no answer is recorded for task {}",
                                    task + 1
                                ))),
                            }
                        });
                        let counted = Some((&*asked, answers.len()));
                        came(evaluate(&harness, &expect, case.now, counted))
                    }
                }
            }
            Asked::Task { task, solver } => {
                let solve = match solver {
                    Some(name) => self.solvers.get(name),
                    None if self.solvers.len() == 1 => self.solvers.values().next(),
                    None => None,
                };
                match (solve, solver) {
                    (Some(solve), _) => came(one_task(&**solve, task, &expect)),
                    (None, Some(name)) => Came::Left(format!("no solver `{name}` is given here")),
                    (None, None) => Came::Left("it does not name its solver".to_owned()),
                }
            }
        }
    }
}

enum Came {
    Passed,
    Left(String),
    Failed(Vec<String>),
}

fn came(differences: Vec<Difference>) -> Came {
    match differences.is_empty() {
        true => Came::Passed,
        false => Came::Failed(differences.iter().map(ToString::to_string).collect()),
    }
}

fn failed(code: Failure, message: impl Into<String>) -> SolveError {
    let message = message.into();
    SolveError::Failed(SolveFailure { code, message })
}

/// An answer as the sandbox gives it on: what is not JSON is a failure.
fn json(answer: Result<String, SolveError>) -> Result<String, SolveError> {
    answer.and_then(|text| match serde_json::from_str::<Value>(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(failed(Failure::InvalidOutput, "the solution is not JSON")),
    })
}

/// Evaluates and judges as the host does. `recorded` has how many answers were asked for,
/// and how many there are.
fn evaluate<C: Controller>(
    harness: &Harness<C>,
    expect: &Expect,
    now: f64,
    recorded: Option<(&Cell<usize>, usize)>,
) -> Vec<Difference> {
    if let Err(problems) = harness.validate_settings() {
        let problem = |problem: crate::SettingsProblem| {
            let path = match problem.path.as_str() {
                "" => "settings".to_owned(),
                path => format!("settings.{path}"),
            };
            Difference::new(path, "a setting that the challenge takes", problem.message)
        };
        return problems.into_iter().map(problem).collect();
    }
    let evaluated = harness.evaluate(Vec::new()).map_err(outcome);
    if let Some((asked, answers)) = recorded {
        let asked = asked.get();
        if asked > answers || (evaluated.is_ok() && asked < answers) {
            let found = format!("{answers} in the case");
            return vec![Difference::new(
                "solutions",
                format!("{asked}, one for each task"),
                found,
            )];
        }
    }
    let judged = evaluated.and_then(|logs| {
        check_logs(&logs)?;
        let errors: Vec<String> = logs.iter().filter_map(|log| log.error.clone()).collect();
        let verdict = harness.judge(&local(logs, now)).map_err(outcome)?;
        check_verdict(&verdict)?;
        Ok((verdict, errors))
    });
    match judged {
        Ok((verdict, errors)) => {
            let messages: Vec<String> = verdict.reason.into_iter().chain(errors).collect();
            expect.differences(&Found {
                outcome: "ok",
                score: Some(verdict.score),
                accepted: Some(verdict.accepted),
                messages: &messages,
                solution: None,
            })
        }
        Err((outcome, message)) => expect.differences(&without_verdict(outcome, &[message])),
    }
}

fn without_verdict<'a>(outcome: &'a str, messages: &'a [String]) -> Found<'a> {
    Found {
        outcome,
        score: None,
        accepted: None,
        messages,
        solution: None,
    }
}

/// The commit of nobody that the host's commands for authors judge.
fn local(scoring_logs: Vec<ScoringLog>, now: f64) -> Evaluated {
    Evaluated {
        commit: Commit {
            miner: Miner {
                uid: 1,
                hotkey: "local".to_owned(),
                coldkey: None,
                axon_ip: None,
            },
            committed_at: now,
            submission: Submission {
                digest: "0".repeat(64),
            },
        },
        scoring_logs,
        comparisons: Vec::new(),
    }
}

type Failed = (&'static str, String);

fn outcome(error: ChallengeError) -> Failed {
    match error {
        ChallengeError::InvalidSubmission(why) | ChallengeError::Internal(why) => {
            ("guest_error", why)
        }
        ChallengeError::Unavailable(why) => ("unavailable", why),
    }
}

fn invalid(why: impl Into<String>) -> Failed {
    ("invalid_output", why.into())
}

/// What the host checks of logs.
fn check_logs(logs: &[ScoringLog]) -> Result<(), Failed> {
    if logs.is_empty() {
        return Err(invalid("an evaluation without a single task"));
    }
    let is_finite =
        |log: &ScoringLog| log.score.is_finite() && log.baseline_score.is_none_or(f64::is_finite);
    match logs.iter().position(|log| !is_finite(log)) {
        Some(index) => Err(invalid(format!("task {index}: the score is not finite"))),
        None => Ok(()),
    }
}

/// What the host checks of a verdict.
fn check_verdict(verdict: &Verdict) -> Result<(), Failed> {
    if !verdict.score.is_finite() || verdict.score < 0.0 {
        return Err(invalid(format!("a score of {}", verdict.score)));
    }
    if !(0.0..=1.0).contains(&verdict.penalty) {
        return Err(invalid(format!("a penalty of {}", verdict.penalty)));
    }
    Ok(())
}

fn one_task(solve: &Solve, task: &str, expect: &Expect) -> Vec<Difference> {
    match json(solve(task)) {
        Ok(solution) => expect.differences(&Found {
            solution: Some(&solution),
            ..without_verdict("ok", &[])
        }),
        Err(SolveError::Unavailable(why)) => {
            expect.differences(&without_verdict("unavailable", &[why]))
        }
        Err(SolveError::Failed(failure)) => {
            let code = match failure.code {
                Failure::InvalidOutput => "invalid_output",
                // Of a function there is no other.
                _ => "guest_error",
            };
            expect.differences(&without_verdict(code, &[failure.message]))
        }
    }
}

/// What came of cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Every case.
    pub names: Vec<String>,
    /// Those that came out as expected.
    pub passed: Vec<String>,
    /// Those that only the sandbox can run, and why.
    pub left: Vec<(String, String)>,
    /// Those that did not, with each difference; files that are no case, and the
    /// directory if it cannot be read.
    pub failures: Vec<(String, Vec<String>)>,
}

impl Report {
    fn failed(&self) -> usize {
        self.failures.len()
    }

    /// The failures, one line for each difference.
    fn list(&self) -> String {
        let mut text = String::new();
        for (name, differences) in &self.failures {
            text.push_str(&format!("  {name}\n"));
            for line in differences.iter().flat_map(|difference| difference.lines()) {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.passed {
            writeln!(f, "case {name}: ok")?;
        }
        for (name, why) in &self.left {
            writeln!(f, "case {name}: left to the sandbox, {why}")?;
        }
        for (name, _) in &self.failures {
            writeln!(f, "case {name}: FAILED")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
