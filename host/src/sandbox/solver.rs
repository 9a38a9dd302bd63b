//! Submissions: components of the world `proctor:solver`.

use super::bindings::solver::SolverPre;
use super::call::{CallContext, Called};
use super::check::is_json;
use super::compile_cache::CacheUse;
use super::contract;
use super::engine::Sandbox;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::state::{State, Surroundings};
use super::watch::Deadline;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// A submission, compiled and linked.
#[derive(Clone)]
pub struct SolverComponent(SolverPre<State>);

impl fmt::Debug for SolverComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SolverComponent").finish_non_exhaustive()
    }
}

impl SolverComponent {
    /// Compiles and links a submission. Blocks while it compiles.
    ///
    /// # Errors
    ///
    /// [`Outcome::LinkError`], and the submission is to blame.
    pub fn load(sandbox: &Sandbox, bytes: &[u8]) -> Result<(Self, CacheUse), PluginError> {
        let blame = |e: PluginError| PluginError::submission(e.outcome, e.message);
        let contract = contract::SOLVER.check(bytes);
        contract.map_err(|why| PluginError::submission(Outcome::LinkError, why))?;
        let (component, cache) = sandbox.compile(bytes).map_err(blame)?;
        let pre = sandbox
            .0
            .solver_linker
            .instantiate_pre(&component)
            .and_then(SolverPre::new)
            .map_err(|e| {
                PluginError::submission(
                    Outcome::LinkError,
                    format!("not a proctor:solver component: {e:#}"),
                )
            })?;
        Ok((SolverComponent(pre), cache))
    }

    /// Solves one task in a fresh store, within `limits` and `time_left`, which
    /// is what the calling challenge still has. Failures are the submission's.
    pub(super) async fn solve(
        &self,
        sandbox: &Sandbox,
        context: &CallContext,
        limits: &Limits,
        time_left: Duration,
        task: &str,
    ) -> Called<String> {
        let context = CallContext {
            settings: "{}".into(),
            ..context.clone()
        };
        let limits = &sandbox.clamp(limits);
        let deadline = Deadline::new(Instant::now() + time_left);
        let state = match State::new(context, limits, deadline, &Surroundings::default()) {
            Ok(state) => state,
            Err(error) => return Called::failed(error),
        };
        let pre = &self.0;
        let (called, _) = sandbox
            .run(state, limits, async |store| {
                let solver = pre.instantiate_async(&mut *store).await?;
                solver.call_solve(store, task).await
            })
            .await;
        let mut called = called.and_then(|answer| match answer {
            Ok(solution) if !is_json(&solution) => Err(PluginError::new(
                Outcome::InvalidOutput,
                "the solution is not JSON",
            )),
            Ok(solution) => Ok(solution),
            Err(error) => Err(PluginError::new(Outcome::GuestError, error)),
        });
        if let Err(error) = &mut called.result
            && error.blame == super::Blame::Plugin
        {
            error.blame = super::Blame::Submission;
        }
        called
    }
}
