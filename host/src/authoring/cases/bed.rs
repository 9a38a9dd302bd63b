//! Runs cases in the sandbox, and compares.

use super::super::evaluate::{Attempt, Subject};
use super::super::project::Project;
use super::format::{Answers, Asked, Case, CaseError, Difference, Expect, Found};
use super::{snapshot, update};
use crate::sandbox::types::{ScoringLog, Submission, Verdict};
use crate::sandbox::{
    CallContext, Limits, Outcome, PluginError, RemoteSolver, Sandbox, SolveRecord, Solver,
    SolverComponent, Submitted, sha256_hex,
};
use proctor_sdk::{Failure, SolveError};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Tells what begins, as in `loading sum.wasm (18 MB)`.
pub type OnStep<'a> = Box<dyn FnMut(&str) + 'a>;

/// What cases are run on: a sandbox, a challenge, and solvers that were loaded for the
/// cases before.
pub struct Bed<'a> {
    sandbox: &'a Sandbox,
    project: &'a Project,
    subject: Option<&'a Subject>,
    update: bool,
    solvers: BTreeMap<PathBuf, (Submission, Result<SolverComponent, PluginError>)>,
    on_step: OnStep<'a>,
}

impl std::fmt::Debug for Bed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bed")
            .field("project", &self.project.name)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// What a case came to.
#[derive(Debug, Default)]
pub struct Came {
    /// Whether it is a case with a task, and not an evaluation.
    pub is_task: bool,
    /// The error of the call that failed; none if none did.
    pub error: Option<PluginError>,
    /// The verdict of an evaluation.
    pub verdict: Option<Verdict>,
    /// What each task of an evaluation came to.
    pub logs: Vec<ScoringLog>,
    /// The solution of a case with a task, JSON.
    pub solution: Option<String>,
    /// Each run of the submission in an evaluation, in order.
    pub solves: Vec<SolveRecord>,
    /// Fuel that the challenge used; 0 of a case with a task.
    pub fuel: u64,
    /// Fuel that the solver used, all tasks together.
    pub solver_fuel: u64,
    /// Time that all of it took.
    pub elapsed: Duration,
    /// What was written to stdout and stderr: by the call that failed, else by
    /// `evaluate`; by the solver of a case with a task.
    pub log: String,
}

impl Came {
    /// The outcome.
    pub fn outcome(&self) -> Outcome {
        let error = self.error.as_ref();
        error.map_or(Outcome::Ok, |error| error.outcome)
    }

    /// All that was said: the error, the verdict's reason, the errors of tasks.
    pub fn messages(&self) -> Vec<String> {
        let error = self.error.iter().map(|error| error.message.clone());
        let reason = self.verdict.iter().filter_map(|v| v.reason.clone());
        let tasks = self.logs.iter().filter_map(|log| log.error.clone());
        error.chain(reason).chain(tasks).collect()
    }

    fn differences(&self, expect: &Expect) -> Vec<Difference> {
        expect.differences(&Found {
            outcome: self.outcome().code(),
            score: self.verdict.as_ref().map(|verdict| verdict.score),
            accepted: self.verdict.as_ref().map(|verdict| verdict.accepted),
            messages: &self.messages(),
            solution: self.solution.as_deref(),
        })
    }
}

/// A case that was run.
#[derive(Debug)]
pub struct CaseRun {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: Option<String>,
    /// What it came to; none if it could not be run.
    pub came: Option<Came>,
    /// Why it could not be run, or what of it could not be read or written.
    pub problem: Option<String>,
    /// What is not as expected.
    pub differences: Vec<Difference>,
    /// Files that were written.
    pub written: Vec<PathBuf>,
}

impl CaseRun {
    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        self.problem.is_none() && self.differences.is_empty()
    }

    /// A case that could not be run.
    pub fn failed(name: &str, problem: String) -> Self {
        CaseRun {
            name: name.to_owned(),
            about: None,
            came: None,
            problem: Some(problem),
            differences: Vec::new(),
            written: Vec::new(),
        }
    }
}

/// What is wrong with how a case is put together, beside what it comes to.
type Problem = String;

impl<'a> Bed<'a> {
    /// A bed without a challenge runs cases with a task only. With `update` what cases
    /// come to is written beside them, and into those that expect nothing yet.
    pub fn new(
        sandbox: &'a Sandbox,
        project: &'a Project,
        subject: Option<&'a Subject>,
        update: bool,
        on_step: OnStep<'a>,
    ) -> Self {
        Bed {
            sandbox,
            project,
            subject,
            update,
            solvers: BTreeMap::new(),
            on_step,
        }
    }

    /// Runs cases, one after the other. A file that is no case is one that failed.
    pub async fn run_all(&mut self, cases: Vec<Result<Case, CaseError>>) -> Vec<CaseRun> {
        let mut runs = Vec::new();
        for case in cases {
            runs.push(match case {
                Ok(case) => self.run(&case).await,
                Err(error) => CaseRun::failed(&error.name, error.to_string()),
            });
        }
        runs
    }

    /// Runs a case. Blocks while its solver is compiled.
    pub async fn run(&mut self, case: &Case) -> CaseRun {
        let (came, mut differences) = match self.come(case).await {
            Ok(ran) => ran,
            Err(problem) => {
                return CaseRun {
                    about: case.about.clone(),
                    ..CaseRun::failed(&case.name, problem)
                };
            }
        };
        // What may come to something else the next time is nothing to keep.
        let keeps = self.update && !came.outcome().is_transient() && differences.is_empty();
        let expect = case.expect.as_ref();
        if !(keeps && expect.is_none()) {
            differences.extend(came.differences(&expect.cloned().unwrap_or_default()));
        }
        let mut run = CaseRun {
            name: case.name.clone(),
            about: case.about.clone(),
            problem: None,
            differences,
            written: Vec::new(),
            came: None,
        };
        let kept = match keeps {
            true => keep(case, &came, &mut run.written),
            false => compare(case, &came, &mut run.differences),
        };
        run.problem = kept.err();
        run.came = Some(came);
        run
    }

    async fn come(&mut self, case: &Case) -> Result<(Came, Vec<Difference>), Problem> {
        match &case.asked {
            Asked::Evaluation { settings, answers } => {
                self.evaluation(case, settings, answers).await
            }
            Asked::Task { task, solver } => {
                let solver = self.named(solver.as_deref())?;
                let came = self.task(case, &solver, task).await?;
                Ok((came, Vec::new()))
            }
        }
    }

    /// The file of a solver of the project.
    fn named(&self, name: Option<&str>) -> Result<PathBuf, Problem> {
        let solvers = &self.project.solvers;
        let name = match name {
            Some(name) => {
                let known = self.project.solver(name);
                known.map_err(|error| error.to_string())?;
                name
            }
            None => match solvers.keys().next() {
                Some(only) if solvers.len() == 1 => only,
                Some(_) => {
                    let known: Vec<&str> = solvers.keys().map(String::as_str).collect();
                    let known = known.join(", ");
                    return Err(format!(
                        "it names no `solver`, and the project has several: {known}"
                    ));
                }
                None => return Err("the project has no solver".to_owned()),
            },
        };
        Ok(self.project.built(name))
    }

    fn load(
        &mut self,
        path: &Path,
    ) -> Result<(Submission, Result<SolverComponent, PluginError>), Problem> {
        if let Some(loaded) = self.solvers.get(path) {
            return Ok(loaded.clone());
        }
        let bytes = fs::read(path)
            .map_err(|error| format!("cannot read its solver, {}: {error}", path.display()))?;
        (self.on_step)(&loading(path, bytes.len()));
        let solver = SolverComponent::load(self.sandbox, &bytes).map(|(solver, _)| solver);
        let digest = sha256_hex(&bytes);
        let loaded = (Submission { digest }, solver);
        self.solvers.insert(path.to_owned(), loaded.clone());
        Ok(loaded)
    }

    /// What a submission may take: as the challenge's configuration says.
    fn solver_limits(&self) -> Limits {
        let subject = self.subject.map(|subject| subject.given.solver.limits());
        subject.unwrap_or_else(Limits::solver)
    }

    async fn task(&mut self, case: &Case, solver: &Path, task: &str) -> Result<Came, Problem> {
        let (_, solver) = self.load(solver)?;
        (self.on_step)(&format!("running {}", case.name));
        let came = Came {
            is_task: true,
            ..Came::default()
        };
        let solver = match solver {
            Ok(solver) => solver,
            Err(error) => {
                return Ok(Came {
                    error: Some(error),
                    ..came
                });
            }
        };
        let context = CallContext {
            settings: "{}".into(),
            seed: case.seed,
            now: case.now,
        };
        let limits = self.solver_limits();
        let called = solver.solve_task(self.sandbox, &context, &limits, task);
        let called = called.await;
        let (solution, error) = match called.result {
            Ok(solution) => (Some(solution), None),
            Err(error) => (None, Some(error)),
        };
        Ok(Came {
            error,
            solution,
            solver_fuel: called.report.fuel,
            elapsed: called.report.elapsed,
            log: called.report.log,
            ..came
        })
    }

    async fn evaluation(
        &mut self,
        case: &Case,
        settings: &str,
        answers: &Answers,
    ) -> Result<(Came, Vec<Difference>), Problem> {
        let Some(subject) = self.subject else {
            return Err(
                "it is a case of a challenge, and there is none here: a case of a solver has a \
                 `task`"
                    .to_owned(),
            );
        };
        let problems = subject.settings_problems(self.sandbox, settings).await;
        let problems = problems.map_err(|error| format!("its settings: {error}"))?;
        if let Some(problem) = problems.first() {
            let path = match problem.path.as_str() {
                "" => "settings".to_owned(),
                path => format!("settings.{path}"),
            };
            return Err(format!("{path}: {}", problem.message));
        }
        let limits = self.solver_limits();
        let asked = Arc::new(AtomicUsize::new(0));
        let (submission, solver) = match answers {
            Answers::Solver(name) => {
                let path = self.named(Some(name))?;
                let (submission, solver) = self.load(&path)?;
                (submission, solver.map(Solver::Component))
            }
            Answers::Component(path) => {
                let path = self.project.root.join(path);
                let (submission, solver) = self.load(&path)?;
                (submission, solver.map(Solver::Component))
            }
            Answers::Recorded(answers) => {
                let digest = "0".repeat(64);
                let solver = recorded(answers, Arc::clone(&asked));
                (Submission { digest }, Ok(Solver::Remote(solver)))
            }
        };
        let attempt = Attempt {
            settings: settings.into(),
            seed: case.seed,
            now: case.now,
            submission,
            submitted: Arc::new(Submitted { solver, limits }),
        };
        (self.on_step)(&format!("running {}", case.name));
        // No case finds what another one left.
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        let grants = subject.grants(scratch.path());
        let grants = grants.map_err(|error| error.to_string())?;
        let evaluation = subject.evaluate(self.sandbox, &attempt, &grants).await;
        let mut differences = Vec::new();
        if let Answers::Recorded(answers) = answers {
            let (asked, answers) = (asked.load(Ordering::Relaxed), answers.len());
            let evaluated = evaluation.judged.is_some();
            if asked > answers || (evaluated && asked < answers) {
                differences.push(Difference::new(
                    "solutions",
                    format!("{asked}, one for each task"),
                    format!("{answers} in the case"),
                ));
            }
        }
        let judged = evaluation.judged.as_ref();
        let took = |evaluated, judged: Option<_>| evaluated + judged.unwrap_or_default();
        let came = Came {
            is_task: false,
            fuel: evaluation.evaluated.fuel + judged.map_or(0, |judged| judged.fuel),
            solver_fuel: evaluation.solver_fuel(),
            elapsed: took(
                evaluation.evaluated.elapsed,
                judged.map(|judged| judged.elapsed),
            ),
            log: evaluation.report().log.clone(),
            logs: evaluation.logs,
            solves: evaluation.solves,
            solution: None,
            verdict: evaluation.result.as_ref().ok().cloned(),
            error: evaluation.result.err(),
        };
        Ok((came, differences))
    }
}

/// `loading sum.wasm (18 MB)`: compiled, or taken from the cache.
pub(crate) fn loading(path: &Path, bytes: usize) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let size = match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    };
    format!("loading {name} ({size})")
}

/// A submission that gives recorded answers, and counts how many it was asked for.
fn recorded(answers: &[Result<String, SolveError>], asked: Arc<AtomicUsize>) -> RemoteSolver {
    let answers: Vec<Result<String, PluginError>> = answers
        .iter()
        .map(|answer| answer.clone().map_err(failed))
        .collect();
    RemoteSolver::new(move |_| {
        let task = asked.fetch_add(1, Ordering::Relaxed);
        let answer = answers.get(task).cloned().unwrap_or_else(|| {
            let why = format!("no answer is recorded for task {}", task + 1);
            Err(PluginError::new(Outcome::Unavailable, why))
        });
        Box::pin(std::future::ready(answer))
    })
}

fn failed(error: SolveError) -> PluginError {
    let failure = match error {
        SolveError::Unavailable(why) => return PluginError::new(Outcome::Unavailable, why),
        SolveError::Failed(failure) => failure,
    };
    let outcome = match failure.code {
        Failure::GuestError => Outcome::GuestError,
        Failure::Trap => Outcome::Trap,
        Failure::OutOfFuel => Outcome::OutOfFuel,
        Failure::Timeout => Outcome::Timeout,
        Failure::OutOfMemory => Outcome::OutOfMemory,
        Failure::StackOverflow => Outcome::StackOverflow,
        Failure::Denied => Outcome::Denied,
        Failure::InvalidOutput => Outcome::InvalidOutput,
        Failure::LinkError => Outcome::LinkError,
    };
    PluginError::submission(outcome, failure.message)
}

fn keep(case: &Case, came: &Came, written: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let path = snapshot::path(case);
    let error = |path: &Path, error| format!("cannot update {}: {error}", path.display());
    if snapshot::write(case, &snapshot::of(came)).map_err(|e| error(&path, e))? {
        written.push(path);
    }
    if update::fill(case, came).map_err(|e| error(&case.path, e))? {
        written.push(case.path.clone());
    }
    Ok(())
}

fn compare(case: &Case, came: &Came, differences: &mut Vec<Difference>) -> Result<(), Problem> {
    let recorded = snapshot::read(case).map_err(|error| {
        let path = snapshot::path(case);
        format!("cannot read {}: {error}", path.display())
    })?;
    if let Some(recorded) = recorded {
        // An outcome that is not as expected has been told.
        let told = |difference: &Difference| {
            difference.what == "outcome" && differences.iter().any(|d| d.what == "outcome")
        };
        let found: Vec<Difference> = snapshot::differences(&recorded, &snapshot::of(came))
            .into_iter()
            .filter(|difference| !told(difference))
            .map(|difference| Difference {
                what: format!("snapshot, {}", difference.what),
                ..difference
            })
            .collect();
        differences.extend(found);
    }
    Ok(())
}
