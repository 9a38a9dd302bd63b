//! The import `runner`: a submission, run in a sandbox of its own.

use super::bindings::runner::{Failure, Host, SolveError, SolveFailure};
use super::call::{CallReport, Called, DeadlinePassed};
use super::engine::Sandbox;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::solver::SolverComponent;
use super::state::{Denied, State};
use futures_util::future::BoxFuture;
use serde::de::IgnoredAny;
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

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
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

impl Host for State {
    async fn solve(&mut self, task: String) -> wasmtime::Result<Result<String, SolveError>> {
        let (deadline, time_left) = (self.deadline.at(), self.time_left());
        let context = self.context.clone();
        let Some(runner) = self.runner.as_mut() else {
            return Err(Denied("this call has no submission to run".into()).into());
        };
        let submitted = Arc::clone(&runner.submitted);
        let solver = match &submitted.solver {
            Ok(solver) => solver,
            Err(error) => {
                runner.records.push(SolveRecord {
                    outcome: error.outcome,
                    fuel: 0,
                });
                return Ok(Err(solve_error(error)));
            }
        };
        if runner.time_left.is_zero() {
            let why = "the submission has used up its part of the time of the call";
            let error = PluginError::submission(Outcome::Timeout, why);
            runner.records.push(SolveRecord {
                outcome: error.outcome,
                fuel: 0,
            });
            return Ok(Err(solve_error(&error)));
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
        runner.records.push(SolveRecord {
            outcome: called.outcome(),
            fuel: called.report.fuel,
        });
        Ok(called.result.map_err(|error| solve_error(&error)))
    }
}

fn solve_error(error: &PluginError) -> SolveError {
    let code = match error.outcome {
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
            return SolveError::Unavailable(error.message.clone());
        }
    };
    SolveError::Failed(SolveFailure {
        code,
        message: error.message.chars().take(MESSAGE_LENGTH).collect(),
    })
}
