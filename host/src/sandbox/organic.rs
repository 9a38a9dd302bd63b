//! The calls of a challenge that scores real traffic: `proctor:challenge/organic`.
//!
//! None of them has a submission, so `runner.solve` is denied in all. They have places
//! of their own, of which one challenge takes at most half, and wait for one.

mod check;
mod link;

pub(super) use link::link;

pub use super::bindings::organic::exports::proctor::challenge::organic::{
    Admission, Admitted, Caller, Entry, Failure, Folded, MinerReward, Neuron, Protocol, Query,
    Refusal, Response, Rewarded,
};

use super::bindings::organic::OrganicPluginPre;
use super::bindings::organic::exports::proctor::challenge::organic::Guest;
use super::bindings::types::ChallengeError;
use super::call::Called;
use super::engine::Sandbox;
use super::outcome::{Blame, Outcome, PluginError};
use super::plugin::{PluginComponent, not_exported};
use super::plugin_call::PluginCall;
use super::state::State;
use wasmtime::Store;

/// The stable name of a failure, such as `too_large`: in records and labels.
pub fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Unreachable => "unreachable",
        Failure::Connection => "connection",
        Failure::Timeout => "timeout",
        Failure::Busy => "busy",
        Failure::Status => "status",
        Failure::TooLarge => "too_large",
        Failure::Malformed => "malformed",
    }
}

impl PluginComponent {
    /// Has the challenge parse and verify what a caller sent.
    ///
    /// A sample is JSON, its priority finite. The text of a refusal is one line of at
    /// most 1,000 bytes.
    ///
    /// Fails with [`InvalidOutput`](super::Outcome::InvalidOutput) if it says anything
    /// else, and is never the entry's fault.
    pub async fn admit(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        entry: &Entry,
    ) -> Called<Admission> {
        let admit =
            async |guest: &Guest, store: &mut Store<State>| guest.call_admit(store, entry).await;
        let called = self.organic(sandbox, call, "admit", admit).await;
        own_fault(called).and_then(check::admission)
    }

    /// Names of the synthetic datasets: at most 1,000, each once, of 1 to 64
    /// characters.
    pub async fn datasets(&self, sandbox: &Sandbox, call: PluginCall<'_>) -> Called<Vec<String>> {
        let datasets =
            async |guest: &Guest, store: &mut Store<State>| guest.call_datasets(store).await;
        let called = self.organic(sandbox, call, "datasets", datasets).await;
        own_fault(called).and_then(check::datasets)
    }

    /// Makes a sample of a dataset, JSON. What it is follows from `seed`, the dataset
    /// and the settings.
    pub async fn synthesize(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        dataset: &str,
        seed: u64,
    ) -> Called<String> {
        let synthesize = async |guest: &Guest, store: &mut Store<State>| {
            guest.call_synthesize(store, dataset, seed).await
        };
        let called = self.organic(sandbox, call, "synthesize", synthesize).await;
        own_fault(called).and_then(|sample| check::json("the sample", sample))
    }

    /// Has the challenge say which miners are asked what: of `metagraph`, each at most
    /// once, at a path that cannot be read in two ways, with a JSON object.
    ///
    /// An error with [`Blame::Submission`] means that the sample cannot be worked with.
    pub async fn queries(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        sample: &str,
        metagraph: &[Neuron],
    ) -> Called<Vec<Query>> {
        let sample = sample.to_owned();
        let queries = async |guest: &Guest, store: &mut Store<State>| {
            guest.call_queries(store, &sample, metagraph).await
        };
        let called = self.organic(sandbox, call, "queries", queries).await;
        called.and_then(|queries| check::queries(queries, metagraph))
    }

    /// Makes what answers are measured by, JSON, or nothing.
    ///
    /// Fails as [`queries`](Self::queries) does.
    pub async fn reference(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        sample: &str,
    ) -> Called<Option<String>> {
        let sample = sample.to_owned();
        let reference = async |guest: &Guest, store: &mut Store<State>| {
            guest.call_reference(store, &sample).await
        };
        let called = self.organic(sandbox, call, "reference", reference).await;
        called.and_then(|reference| {
            let check = |reference| check::json("the reference", reference);
            reference.map(check).transpose()
        })
    }

    /// Has the challenge say what each miner earned: finite, at most once for each of
    /// those that `responses` tells of.
    ///
    /// Fails as [`queries`](Self::queries) does.
    pub async fn reward(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        sample: &str,
        responses: &[Response],
        reference: Option<&str>,
    ) -> Called<Vec<MinerReward>> {
        let (sample, reference) = (sample.to_owned(), reference.map(str::to_owned));
        let reward = async |guest: &Guest, store: &mut Store<State>| {
            guest
                .call_reward(store, &sample, responses, reference.as_ref())
                .await
        };
        let called = self.organic(sandbox, call, "reward", reward).await;
        called.and_then(|rewards| check::rewards(rewards, responses))
    }

    /// Takes the rewards of an iteration into `state`, none before the first. The new
    /// state is JSON; weights are finite, at least 0, one per hotkey, at most 65,536.
    pub async fn fold(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        rewards: &[Rewarded],
        state: Option<&str>,
    ) -> Called<Folded> {
        let state = state.map(str::to_owned);
        let fold = async |guest: &Guest, store: &mut Store<State>| {
            guest.call_fold(store, rewards, state.as_ref()).await
        };
        let called = self.organic(sandbox, call, "fold", fold).await;
        own_fault(called).and_then(check::folded)
    }

    /// Runs one of the exports of `organic`.
    async fn organic<T>(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        export: &'static str,
        run: impl AsyncFnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<Result<T, ChallengeError>>,
    ) -> Called<T> {
        let Some(pre) = &self.organic else {
            return not_exported("organic");
        };
        let pre: &OrganicPluginPre<State> = pre;
        let Ok(_own) = self.organic_places.acquire().await else {
            let error = PluginError::new(Outcome::Unavailable, "the host is shutting down");
            return Called::failed(error);
        };
        let places = &sandbox.0.organic_permits;
        call.run_in(sandbox, places, export, async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            run(plugin.proctor_challenge_organic(), store).await
        })
        .await
        .0
    }
}

/// A call that has nothing to blame an entry with: whatever the guest calls its error,
/// it is its own.
fn own_fault<T>(called: Called<T>) -> Called<T> {
    let result = called.result.map_err(|error| match error.blame {
        Blame::Submission => PluginError {
            blame: Blame::Plugin,
            ..error
        },
        _ => error,
    });
    Called { result, ..called }
}
