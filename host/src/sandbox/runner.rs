//! The import `runner`: a submission, run in a sandbox of its own.

use super::bindings::runner::{Failure, Host, SolveError, SolveFailure};
use super::call::DeadlinePassed;
use super::engine::Sandbox;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::solver::SolverComponent;
use super::state::{Denied, State};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A submission that is ready to run.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The solver, or why the artifact is none. That is the submission's fault,
    /// so it is an answer to each task, not an error of the call.
    pub solver: Result<SolverComponent, PluginError>,
    /// What each task may take.
    pub limits: Limits,
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
        let (deadline, time_left) = (self.deadline, self.time_left());
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
        let called = solver
            .solve(
                &runner.sandbox,
                &context,
                &submitted.limits,
                time_left.min(runner.time_left),
                &task,
            )
            .await;
        runner.time_left = runner.time_left.saturating_sub(called.report.elapsed);
        if called.outcome() == Outcome::Timeout && Instant::now() >= deadline {
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
