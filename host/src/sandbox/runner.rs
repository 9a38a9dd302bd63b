//! The import `runner`: a submission, run in a sandbox of its own.

use super::bindings::runner::{Failure, Host, SolveError, SolveFailure};
use super::call::{CallContext, CallReport, Called, DeadlinePassed};
use super::check::is_json;
use super::engine::Sandbox;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::solver::SolverComponent;
use super::state::{Denied, State};
use super::tape::{HostCall, Unreadable};
use crate::canonical;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A submission that is ready to run.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The solver, or why the artifact is none. That is the submission's fault,
    /// so it is an answer to each task, not an error of the call.
    pub solver: Result<Solver, PluginError>,
    /// What each task may take; of a remote one its time and its output.
    pub limits: Limits,
}

/// What solves the tasks of a submission.
#[derive(Debug, Clone)]
pub enum Solver {
    /// A component, in the sandbox.
    Component(SolverComponent),
    /// Someone else.
    Remote(RemoteSolver),
}

impl From<SolverComponent> for Solver {
    fn from(solver: SolverComponent) -> Self {
        Solver::Component(solver)
    }
}

/// A task for someone else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTask {
    /// The task, JSON.
    pub task: String,
    /// What everything random is made from: that of the call.
    pub seed: u64,
    /// Time that it may take.
    pub time: Duration,
    /// Size that the solution may have, in bytes.
    pub output_bytes: usize,
}

type Solve =
    dyn Fn(RemoteTask) -> BoxFuture<'static, Result<String, PluginError>> + Send + Sync + 'static;

/// Runs a submission somewhere else. What comes of it is not a function of the call,
/// and nothing here limits what it takes but its time.
#[derive(Clone)]
pub struct RemoteSolver(Arc<Solve>);

impl fmt::Debug for RemoteSolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteSolver")
    }
}

impl RemoteSolver {
    /// One that asks `solve` for the solution, JSON. An error of it is the
    /// submission's if its outcome is a failure of `proctor:challenge/runner`, and else
    /// nobody's: the task is tried again with the whole evaluation. It is dropped when
    /// its time is over, or the call ends early.
    pub fn new(
        solve: impl Fn(RemoteTask) -> BoxFuture<'static, Result<String, PluginError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        RemoteSolver(Arc::new(solve))
    }

    /// Has one task solved.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new) says, [`Outcome::Unavailable`] if it takes too long, and
    /// [`Outcome::InvalidOutput`] if the solution is too large or not JSON.
    pub async fn solve(&self, task: RemoteTask) -> Result<String, PluginError> {
        let output_bytes = task.output_bytes;
        // Who says nothing in time says nothing of the submission.
        let passed = |_| PluginError::new(Outcome::Unavailable, "no answer in time");
        let solution = timeout(task.time, (self.0)(task)).await.map_err(passed)??;
        let invalid = |why: String| PluginError::submission(Outcome::InvalidOutput, why);
        if solution.len() > output_bytes {
            return Err(invalid(format!(
                "the solution is larger than {output_bytes} bytes"
            )));
        }
        if !is_json(&solution) {
            return Err(invalid("the solution is not JSON".into()));
        }
        Ok(solution)
    }

    async fn call(&self, task: RemoteTask) -> Called<String> {
        let start = Instant::now();
        let result = self.solve(task).await;
        Called {
            result,
            report: CallReport {
                elapsed: start.elapsed(),
                ..CallReport::default()
            },
        }
    }
}

/// What one run of a submission came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SolveRecord {
    /// The outcome.
    pub outcome: Outcome,
    /// Fuel used.
    pub fuel: u64,
}

pub(super) struct Runner {
    pub(super) sandbox: Sandbox,
    pub(super) submitted: Arc<Submitted>,
    pub(super) records: Vec<SolveRecord>,
    /// Time that the submission may still take in this call, all tasks together.
    /// Less than the call has, so that a slow submission fails its tasks and not
    /// the challenge.
    pub(super) time_left: Duration,
}

/// Characters of a submission's own message that are kept.
const MESSAGE_LENGTH: usize = 512;

/// What `runner.solve` answers, as it is recorded: `docs/receipts.md` has its form.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    message: Option<String>,
    outcome: Outcome,
    solution: Option<String>,
    version: String,
}

/// Which form of an answer is recorded.
const VERSION: &str = "proctor-solution-1";

/// The text of what a submission's run came to, as the challenge is told it: canonical
/// JSON.
fn recorded(answer: &Result<String, PluginError>) -> wasmtime::Result<String> {
    let (outcome, solution, message) = match answer {
        Ok(solution) => (Outcome::Ok, Some(solution.clone()), None),
        Err(error) => (error.outcome, None, Some(told(error))),
    };
    let answer = Answer {
        message,
        outcome,
        solution,
        version: VERSION.to_owned(),
    };
    Ok(canonical::to_string(&answer)?)
}

/// What the challenge is told by an answer that was recorded.
fn replayed(text: &[u8]) -> wasmtime::Result<Result<String, SolveError>> {
    let answer: Answer = serde_json::from_slice(text)?;
    if answer.version != VERSION || canonical::to_string(&answer)?.as_bytes() != text {
        return Err(Unreadable(SOLVE).into());
    }
    Ok(match answer.solution {
        Some(solution) => Ok(solution),
        None => Err(solve_error(
            answer.outcome,
            answer.message.unwrap_or_default(),
        )),
    })
}

/// Has a submission solve one task as `runner.solve` does, with all the time that
/// `limits` gives it. Returns the text that is recorded of it, canonical JSON, and what
/// the run came to.
///
/// # Errors
///
/// None that is known of: the text has nothing in it that JSON cannot hold.
pub async fn solve_again(
    sandbox: &Sandbox,
    solver: &Result<SolverComponent, PluginError>,
    context: &CallContext,
    limits: &Limits,
    task: &str,
) -> wasmtime::Result<(String, SolveRecord)> {
    let (result, outcome, fuel) = match solver {
        Ok(solver) => {
            let called = solver.solve(sandbox, context, limits, limits.wall(), task);
            let called = called.await;
            let outcome = called.outcome();
            (called.result, outcome, called.report.fuel)
        }
        Err(error) => (Err(error.clone()), error.outcome, 0),
    };
    Ok((recorded(&result)?, SolveRecord { outcome, fuel }))
}

impl SolverComponent {
    /// Solves one task by itself, as `runner.solve` would if its call had time without
    /// end. Failures are the submission's.
    pub async fn solve_task(
        &self,
        sandbox: &Sandbox,
        context: &CallContext,
        limits: &Limits,
        task: &str,
    ) -> Called<String> {
        self.solve(sandbox, context, limits, limits.wall(), task)
            .await
    }
}

impl Host for State {
    async fn solve(&mut self, task: String) -> wasmtime::Result<Result<String, SolveError>> {
        if self.runner.is_none() {
            return Err(Denied("this call has no submission to run".into()).into());
        }
        let Some(tape) = self.tape.clone() else {
            let (answer, _) = self.run_solver(task).await?;
            return Ok(answer.map_err(|error| solve_error(error.outcome, told(&error))));
        };
        if let Some(answer) = tape.replayed(SOLVE, task.as_bytes())? {
            return replayed(&answer);
        }
        let request = task.clone().into_bytes();
        let (answer, solve) = self.run_solver(task).await?;
        tape.push(HostCall {
            name: SOLVE.to_owned(),
            request,
            response: recorded(&answer)?.into_bytes(),
            solve,
        });
        Ok(answer.map_err(|error| solve_error(error.outcome, told(&error))))
    }
}

/// What `runner.solve` is called on a tape.
const SOLVE: &str = "runner.solve";

impl State {
    /// Has the submission solve a task. Returns what came of it, and the record of its
    /// run if it ran in the sandbox.
    async fn run_solver(
        &mut self,
        task: String,
    ) -> wasmtime::Result<(Result<String, PluginError>, Option<SolveRecord>)> {
        let (deadline, time_left) = (self.deadline.at(), self.time_left());
        let context = self.context.clone();
        let Some(runner) = self.runner.as_mut() else {
            return Err(Denied("this call has no submission to run".into()).into());
        };
        let submitted = Arc::clone(&runner.submitted);
        let solver = match &submitted.solver {
            Ok(solver) => solver,
            Err(error) => {
                let record = runner.record(error.outcome, 0);
                return Ok((Err(error.clone()), Some(record)));
            }
        };
        if runner.time_left.is_zero() {
            let why = "the submission has used up its part of the time of the call";
            let error = PluginError::submission(Outcome::Timeout, why);
            let record = runner.record(error.outcome, 0);
            return Ok((Err(error), Some(record)));
        }
        let time = time_left.min(runner.time_left);
        let limits = &submitted.limits;
        let called = match solver {
            Solver::Component(solver) => {
                let sandbox = &runner.sandbox;
                solver.solve(sandbox, &context, limits, time, &task).await
            }
            Solver::Remote(_) if !is_json(&task) => {
                return Err(
                    Denied("the task is not JSON, as a remote solver wants it".into()).into(),
                );
            }
            Solver::Remote(solver) => {
                let task = RemoteTask {
                    task,
                    seed: context.seed,
                    time: time.min(limits.wall()),
                    output_bytes: limits.output_bytes,
                };
                solver.call(task).await
            }
        };
        runner.time_left = runner.time_left.saturating_sub(called.report.elapsed);
        let late = matches!(called.outcome(), Outcome::Timeout | Outcome::Unavailable);
        if late && Instant::now() >= deadline {
            // It was the challenge that took too long before; the submission
            // had less than its limit, and must not be blamed.
            return Err(DeadlinePassed.into());
        }
        let record = runner.record(called.outcome(), called.report.fuel);
        let ran_here = matches!(solver, Solver::Component(_));
        Ok((called.result, ran_here.then_some(record)))
    }
}

impl Runner {
    fn record(&mut self, outcome: Outcome, fuel: u64) -> SolveRecord {
        let record = SolveRecord { outcome, fuel };
        self.records.push(record);
        record
    }
}

/// What a challenge is told of an error.
fn told(error: &PluginError) -> String {
    match error.outcome {
        Outcome::Ok | Outcome::Unavailable | Outcome::HostError => error.message.clone(),
        _ => error.message.chars().take(MESSAGE_LENGTH).collect(),
    }
}

fn solve_error(outcome: Outcome, message: String) -> SolveError {
    let code = match outcome {
        Outcome::GuestError => Failure::GuestError,
        Outcome::OutOfFuel => Failure::OutOfFuel,
        Outcome::Timeout => Failure::Timeout,
        Outcome::OutOfMemory => Failure::OutOfMemory,
        Outcome::StackOverflow => Failure::StackOverflow,
        Outcome::Denied => Failure::Denied,
        Outcome::InvalidOutput => Failure::InvalidOutput,
        Outcome::LinkError => Failure::LinkError,
        Outcome::Trap => Failure::Trap,
        Outcome::Ok | Outcome::Unavailable | Outcome::HostError => {
            return SolveError::Unavailable(message);
        }
    };
    SolveError::Failed(SolveFailure { code, message })
}
