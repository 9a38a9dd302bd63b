//! One call of a challenge that is not one of its routes.

use super::bindings::types::ChallengeError;
use super::call::{CallContext, Called};
use super::engine::Sandbox;
use super::grants::Grants;
use super::journal::{CallJournal, Journal};
use super::limits::Limits;
use super::outcome::{Blame, Outcome, PluginError};
use super::runner::{Runner, SolveRecord, Submitted};
use super::state::{State, Surroundings};
use super::tape::Tape;
use super::volume::VolumeWatch;
use super::watch::Deadline;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use wasmtime::Store;

/// What a call of a plugin is made with.
#[derive(Debug, Clone)]
pub struct PluginCall<'a> {
    /// What the call is about.
    pub context: CallContext,
    /// What it may take.
    pub limits: &'a Limits,
    /// What it may reach.
    pub grants: &'a Grants,
    /// What `runner.solve` runs; without it, calling that is denied.
    pub submitted: Option<Arc<Submitted>>,
    /// Where what it writes and how it ends is noted.
    pub journal: Option<Arc<Journal>>,
    /// Where answers of the host that are not a function of the call are recorded, or
    /// come from; one tape for each call. None: nothing is recorded.
    pub tape: Option<Tape>,
}

static NO_GRANTS: LazyLock<Grants> = LazyLock::new(Grants::default);

impl<'a> PluginCall<'a> {
    /// A call without a submission, which is noted nowhere.
    pub fn new(context: CallContext, limits: &'a Limits, grants: &'a Grants) -> Self {
        PluginCall {
            context,
            limits,
            grants,
            submitted: None,
            journal: None,
            tape: None,
        }
    }

    /// A call that knows and reaches nothing.
    pub fn bare(limits: &'a Limits) -> Self {
        let context = CallContext {
            settings: "{}".into(),
            seed: 0,
            now: 0.0,
        };
        PluginCall::new(context, limits, &NO_GRANTS)
    }

    /// Runs an export, and notes it in the journal.
    pub(super) async fn run<T>(
        self,
        sandbox: &Sandbox,
        export: &'static str,
        call: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<Result<T, ChallengeError>>,
    ) -> (Called<T>, Vec<SolveRecord>) {
        let places = &sandbox.0.permits;
        self.run_in(sandbox, places, export, call).await
    }

    /// As [`run`](Self::run), once there is one of `places`.
    pub(super) async fn run_in<T>(
        mut self,
        sandbox: &Sandbox,
        places: &Semaphore,
        export: &'static str,
        call: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<Result<T, ChallengeError>>,
    ) -> (Called<T>, Vec<SolveRecord>) {
        let Ok(_permit) = places.acquire().await else {
            let error = PluginError::new(Outcome::Unavailable, "the host is shutting down");
            return (Called::failed(error), Vec::new());
        };
        let journal = self.journal.take();
        let journal = journal.map(|journal| CallJournal::new(journal, export));
        let (called, records) = match self.begin(sandbox, journal.as_ref()).await {
            Ok((state, limits)) => {
                let volume = state.volume.as_ref();
                let read_only = volume.is_some_and(VolumeWatch::is_read_only);
                // Without this, tokio has what is looked at often seem not to be ready,
                // and a guest would see that. It gives way by itself.
                let running = unconstrained(sandbox.run(state, &limits, call));
                let (called, state) = running.await;
                let records = state.runner.map(|r| r.records).unwrap_or_default();
                let called = called.and_then(|answer| answer.map_err(challenge_error));
                let called = match read_only {
                    true => without_room(called),
                    false => called,
                };
                (called, records)
            }
            Err(error) => (Called::failed(error), Vec::new()),
        };
        if let Some(journal) = journal {
            journal.ended(&called, None);
        }
        (called, records)
    }

    /// What the store of the call holds, and its limits.
    async fn begin(
        self,
        sandbox: &Sandbox,
        journal: Option<&CallJournal>,
    ) -> Result<(State, Limits), PluginError> {
        let limits = sandbox.clamp(self.limits);
        // Who fills the volume may be a route, while this goes on.
        let volume = self.grants.watch(Outcome::Unavailable).await?;
        let surroundings = Surroundings {
            data: self.grants.data(volume.as_ref()),
            environment: &self.grants.environment,
            journal,
            ..Surroundings::default()
        };
        let deadline = Deadline::new(Instant::now() + limits.wall());
        let mut state = State::new(self.context, &limits, deadline, &surroundings)?;
        state.database = self.grants.database(&limits);
        state.volume = volume;
        state.tape = self.tape;
        state.runner = self.submitted.map(|submitted| Runner {
            sandbox: sandbox.clone(),
            submitted,
            records: Vec::new(),
            time_left: self.limits.wall() / 2,
        });
        Ok((state, limits))
    }
}

/// What came of a call that could only read its volume: if it gave up, it may be for
/// that.
fn without_room<T>(called: Called<T>) -> Called<T> {
    let result = called.result.map_err(|error| {
        let gave_up = matches!(error.outcome, Outcome::GuestError | Outcome::Trap);
        if !gave_up || error.blame == Blame::Submission {
            return error;
        }
        let message = format!("its volume is full, and can only be read: {error}");
        PluginError::new(Outcome::Unavailable, message)
    });
    Called { result, ..called }
}

fn challenge_error(error: ChallengeError) -> PluginError {
    match error {
        ChallengeError::InvalidSubmission(why) => PluginError::submission(Outcome::GuestError, why),
        ChallengeError::Unavailable(why) => PluginError::new(Outcome::Unavailable, why),
        ChallengeError::Internal(why) => PluginError::new(Outcome::GuestError, why),
    }
}
