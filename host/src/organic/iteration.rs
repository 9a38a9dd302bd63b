//! One iteration: a sample, what miners answer, what they earn for it, and the weights
//! that come of it.

use super::Inner;
use super::fit::fit;
use super::record::{Record, answer, digest, response, seconds};
use super::shared::{Shared, plugin_version};
use crate::chain::Metagraph;
use crate::clock;
use crate::miners::{AskRules, Request, Target};
use crate::plugins::ActivePlugin;
use crate::sandbox::organic::{Failure, MinerReward, Neuron, Query, Response, Rewarded};
use crate::sandbox::{Blame, CallContext, Outcome, PluginCall, PluginError};
use crate::store::{Begun, Completed, StoreError};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

/// The part of a challenge's memory that the answers to one sample may have, all
/// together: it holds them several times while it reads them.
const ANSWERS_OF_MEMORY: usize = 32;

/// Why an iteration failed.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) phase: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Whether it may go better with the same sample another time.
    pub(super) again: Again,
}

/// Whether the sample of an iteration that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail again.
    Never,
    /// After a while, as often as a sample is tried.
    Later,
    /// After a while, and it does not count as a try: nobody could be asked, and the
    /// sample is not to blame.
    Uncounted,
    /// At once, and it does not count as a try: neither the sample nor the challenge is
    /// to blame.
    AtOnce,
}

impl Fault {
    fn of(phase: &'static str, error: PluginError) -> Self {
        // Only what the sample is to blame for is sure to fail again.
        let invalid = error.blame == Blame::Submission;
        Fault {
            phase,
            code: match invalid {
                true => "invalid_submission",
                false => error.outcome.code(),
            },
            message: error.message,
            again: match invalid {
                true => Again::Never,
                false => Again::Later,
            },
        }
    }

    pub(super) fn host(phase: &'static str, message: impl Into<String>) -> Self {
        Fault::of(phase, PluginError::new(Outcome::HostError, message))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::host("weights", error.to_string())
    }
}

/// A call of a challenge about a sample.
pub(super) fn call(plugin: &ActivePlugin, seed: u64, now: f64) -> PluginCall<'_> {
    let context = CallContext {
        settings: Arc::clone(&plugin.settings),
        seed,
        now,
    };
    PluginCall {
        journal: Some(Arc::clone(&plugin.journal)),
        ..PluginCall::new(context, &plugin.limits, &plugin.grants)
    }
}

/// The seed of an iteration: the first 8 bytes, big-endian, of SHA-256 over
/// `organic/{deployment's seed}/{challenge}/{iteration}`.
pub(super) fn seed(deployment: u64, challenge: &str, iteration: i64) -> u64 {
    let digest = Sha256::digest(format!("organic/{deployment}/{challenge}/{iteration}"));
    u64::from_be_bytes(digest.first_chunk::<8>().copied().unwrap_or_default())
}

/// An iteration that has begun.
pub(super) struct Iteration {
    pub(super) inner: Arc<Inner>,
    pub(super) shared: Arc<Shared>,
    pub(super) plugin: Arc<ActivePlugin>,
    pub(super) begun: Begun,
    /// When, in seconds since the Unix epoch.
    pub(super) now: f64,
    /// The same by a clock that does not go back.
    pub(super) started: Instant,
    pub(super) record: Record,
}

impl Iteration {
    /// Runs to the end, which is stored, or to the first failure, which is not.
    /// Returns the record, and whether the iteration was still its own to end.
    pub(super) async fn run(mut self) -> (Record, Result<bool, Fault>) {
        let ended = self.steps().await;
        (self.record, ended)
    }

    async fn steps(&mut self) -> Result<bool, Fault> {
        let sample = self.sample().await?;
        self.record.set_sample(&sample);
        let mut last = self.started;
        self.record.organic_time_sample = Some(self.took("sample", &mut last));

        let metagraph = self.inner.resources.metagraph();
        let queries = self.queries(&sample, &metagraph).await?;
        let asked = self.ask(queries, &metagraph);
        let reference = self.reference(&sample);
        // The first to fail cancels the other.
        let (mut answered, reference) = tokio::try_join!(asked, reference)?;
        // Weights are to grow old while nobody is asked, and samples to wait.
        if answered.iter().all(|(one, _)| is_not_asked(one)) {
            return Err(Fault {
                phase: "queries",
                code: "no_miners",
                message: "no miner could be asked".into(),
                again: Again::Uncounted,
            });
        }
        let room = self.plugin.limits.memory_bytes / ANSWERS_OF_MEMORY;
        let left_out = fit(answered.iter_mut().map(|(one, _)| one), room);
        if left_out > 0 {
            let challenge = self.plugin.name();
            tracing::warn!(
                challenge,
                left_out,
                room,
                "the largest answers are too large"
            );
        }
        self.record.set_responses(&answered);
        self.record.set_reference(reference.as_deref());
        self.record.organic_time_responses = Some(self.took("responses", &mut last));

        let responses: Vec<Response> = answered.into_iter().map(|(one, _)| one).collect();
        let rewards = self.reward(&sample, &responses, reference.as_deref());
        let rewards = rewards.await?;
        self.record.set_rewards(&rewards);
        self.record.organic_time_rewards = Some(self.took("rewards", &mut last));

        let told = self
            .begun
            .entry
            .as_ref()
            .map(|_| answer(&responses, &rewards));
        self.fold(&rewards, told, last).await
    }

    /// Seconds since `last`, which is now.
    fn took(&self, phase: &'static str, last: &mut Instant) -> f64 {
        let now = Instant::now();
        let took = now.duration_since(*last);
        *last = now;
        let metrics = &self.inner.resources.metrics;
        metrics.organic_phase(self.plugin.name(), phase, took);
        seconds(took)
    }

    fn seed(&self) -> u64 {
        seed(self.inner.seed, self.plugin.name(), self.begun.id)
    }

    fn call(&self) -> PluginCall<'_> {
        call(&self.plugin, self.seed(), self.now)
    }

    async fn sample(&self) -> Result<String, Fault> {
        if let Some(entry) = &self.begun.entry {
            return Ok(entry.sample.clone());
        }
        let sandbox = &self.inner.resources.sandbox;
        let dataset = self.begun.dataset.as_deref().unwrap_or_default();
        let component = &self.plugin.component;
        let made = component.synthesize(sandbox, self.call(), dataset, self.seed());
        let made = made.await.result;
        made.map_err(|error| Fault::of("sample", error))
    }

    async fn queries(&mut self, sample: &str, metagraph: &Metagraph) -> Result<Vec<Query>, Fault> {
        let neurons = self.inner.askable(metagraph);
        let known: Vec<_> = neurons
            .iter()
            .map(|n| json!([n.uid, n.hotkey, n.coldkey, n.stake, n.validator_permit]))
            .collect();
        self.record.metagraph = Some(json!({
            "block": metagraph.block(),
            "neurons": neurons.len(),
            "sha256": digest(&json!(known).to_string()),
        }));
        let sandbox = &self.inner.resources.sandbox;
        let component = &self.plugin.component;
        let queries = component.queries(sandbox, self.call(), sample, &neurons);
        let queries = queries.await.result;
        let queries = queries.map_err(|error| Fault::of("queries", error))?;
        self.record.set_queries(&queries);
        Ok(queries)
    }

    /// What each miner answers, by uid. One that does not has failed, and nothing
    /// else has.
    async fn ask(
        &self,
        queries: Vec<Query>,
        metagraph: &Metagraph,
    ) -> Result<Vec<(Response, Option<u16>)>, Fault> {
        if !queries.is_empty() && !self.inner.miners.can_sign() {
            return Err(Fault {
                phase: "queries",
                code: "no_hotkey",
                message: "the host has no hotkey to sign requests with".into(),
                again: Again::Uncounted,
            });
        }
        let organic = &self.plugin.given.organic;
        let mut asks = JoinSet::new();
        for query in queries {
            let Some(neuron) = metagraph.by_uid(query.uid) else {
                continue;
            };
            let target = Target {
                uid: neuron.uid,
                hotkey: neuron.hotkey.clone(),
                ip: neuron.axon_ip,
                port: neuron.axon_port,
            };
            let request = Request {
                path: query.path,
                body: query.body,
                protocol: query.protocol,
            };
            let rules = AskRules {
                timeout: Duration::from_millis(organic.miner_timeout_ms),
                max_bytes: organic.max_response_bytes,
            };
            let (miners, challenge) = (self.inner.miners.clone(), self.plugin.name().to_owned());
            asks.spawn(async move {
                let answer = miners.ask(&challenge, &target, &request, rules).await;
                response(target.uid, target.hotkey, answer)
            });
        }
        let mut answered = Vec::with_capacity(asks.len());
        while let Some(asked) = asks.join_next().await {
            let ended = |error: JoinError| Fault::host("queries", error.to_string());
            answered.push(asked.map_err(ended)?);
        }
        answered.sort_by_key(|(response, _)| response.uid);
        Ok(answered)
    }

    async fn reference(&self, sample: &str) -> Result<Option<String>, Fault> {
        // Of the call itself: waiting for a place is not its fault.
        let mut limits = self.plugin.limits;
        let ms = self.plugin.given.organic.reference_timeout_ms;
        limits.wall_ms = limits.wall_ms.min(ms);
        let call = PluginCall {
            limits: &limits,
            ..self.call()
        };
        let sandbox = &self.inner.resources.sandbox;
        let made = self.plugin.component.reference(sandbox, call, sample);
        let made = made.await.result;
        made.map_err(|error| Fault::of("reference", error))
    }

    async fn reward(
        &self,
        sample: &str,
        responses: &[Response],
        reference: Option<&str>,
    ) -> Result<Vec<Rewarded>, Fault> {
        let sandbox = &self.inner.resources.sandbox;
        let component = &self.plugin.component;
        let rewards = component.reward(sandbox, self.call(), sample, responses, reference);
        let rewards = rewards.await.result;
        let rewards = rewards.map_err(|error| Fault::of("reward", error))?;
        let rewarded = |MinerReward { uid, value }| {
            let response = responses.iter().find(|response| response.uid == uid)?;
            Some(Rewarded {
                uid,
                hotkey: response.hotkey.clone(),
                value,
            })
        };
        Ok(rewards.into_iter().filter_map(rewarded).collect())
    }

    /// Whether the challenge is another one by now, or was before it went.
    fn is_superseded(&self) -> bool {
        let active = self.inner.resources.plugins.get(self.plugin.name());
        let version = active.map(|active| plugin_version(&active));
        let version = version.or_else(|| self.shared.known().version);
        version.is_some_and(|version| version != plugin_version(&self.plugin))
    }

    /// Takes the rewards into the state, and ends the iteration: one transaction.
    async fn fold(
        &mut self,
        rewards: &[Rewarded],
        told: Option<String>,
        mut last: Instant,
    ) -> Result<bool, Fault> {
        let shared = Arc::clone(&self.shared);
        let _alone = shared.folding.lock().await;
        if self.is_superseded() {
            // Its state is not for an earlier version to go on from.
            return Err(Fault {
                phase: "fold",
                code: "superseded",
                message: "the challenge or its settings changed while it ran".into(),
                again: Again::AtOnce,
            });
        }
        let (store, sandbox) = (&self.inner.resources.store, &self.inner.resources.sandbox);
        let before = store.organic_loop(self.plugin.name().to_owned()).await?;
        let before = before.state;
        let component = &self.plugin.component;
        let folded = component.fold(sandbox, self.call(), rewards, before.as_deref());
        let folded = folded.await.result;
        let folded = folded.map_err(|error| Fault::of("fold", error))?;
        let weights: BTreeMap<String, f64> = folded
            .weights
            .into_iter()
            .map(|one| (one.hotkey, one.weight))
            .collect();
        self.record.state_before = before.as_deref().map(digest);
        self.record.state_after = Some(digest(&folded.state));
        self.record.weights = Some(digest(&json!(weights).to_string()));
        self.record.organic_time_weights = Some(self.took("weights", &mut last));
        let total = &mut self.started.clone();
        self.record.organic_time_total = Some(self.took("total", total));
        let ended_at = clock::unix_now();
        let completed = Completed {
            id: self.begun.id,
            record: self.record.to_json(),
            summary: self.record.summary(),
            ended_at,
            answer: told,
            state: folded.state,
            day: self.inner.schedule.day_of(ended_at),
            weights,
        };
        Ok(store.organic_complete(completed).await?)
    }
}

/// Whether a miner has no address that the host asks.
fn is_not_asked(response: &Response) -> bool {
    matches!(response.outcome, Err(Failure::Unreachable))
}

impl Inner {
    /// The neurons that serve an axon, without this host itself.
    fn askable(&self, metagraph: &Metagraph) -> Vec<Neuron> {
        let serves = |neuron: &&crate::chain::Neuron| {
            let address = neuron.axon_ip.filter(|ip| !ip.is_unspecified());
            let port = neuron.axon_port.filter(|port| *port > 0);
            let own = self.hotkey.as_ref() == Some(&neuron.hotkey);
            address.is_some() && port.is_some() && !own
        };
        let neurons = metagraph.neurons().filter(serves);
        neurons
            .map(|neuron| Neuron {
                uid: neuron.uid,
                hotkey: neuron.hotkey.clone(),
                coldkey: Some(neuron.coldkey.clone()).filter(|coldkey| !coldkey.is_empty()),
                stake: neuron.stake,
                validator_permit: neuron.validator_permit,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_belongs_to_one_deployment_challenge_and_iteration() {
        // printf 'organic/7/completion/1' | sha256sum
        let expected = 14_977_773_266_938_305_154;
        assert_eq!(seed(7, "completion", 1), expected);
        assert_ne!(seed(8, "completion", 1), expected);
        assert_ne!(seed(7, "completion", 2), expected);
    }
}
