//! The loop of one challenge: begins iterations when they are due, and sees to it that
//! each ends.

use super::iteration::{Again, Fault, Iteration};
use super::rate::Rate;
use super::record::{Record, seconds};
use super::shared::{Place, Shared};
use super::trigger::{Next, Seen, Trigger};
use super::{Inner, Organic};
use crate::clock;
use crate::config;
use crate::plugins::ActivePlugin;
use crate::sandbox::PluginError;
use crate::store::{Begun, EntryState, Failed, NewIteration, OrganicQueue, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Seconds to the next attempt at what the database refused.
const PAUSE: f64 = 1.0;
/// The least seconds to the next look at an entry that is to be tried again.
const SOON: f64 = 0.05;
/// The most seconds from a failed iteration to the next with the same sample.
const LONGEST_RETRY: f64 = 3_600.0;

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The loop of one challenge.
pub(super) struct Loop {
    inner: Arc<Inner>,
    shared: Arc<Shared>,
    challenge: String,
    trigger: Trigger,
    /// What the trigger's time is counted from.
    zero: Instant,
    /// The synthetic datasets, and of which version and settings of the challenge.
    datasets: Option<(String, String, Vec<String>)>,
    /// Cancelled when iterations that still run are to be left to the next start.
    leave: CancellationToken,
}

impl Loop {
    pub(super) fn new(organic: &Organic, challenge: String, leave: CancellationToken) -> Self {
        let inner = Arc::clone(&organic.0);
        let given = inner.active(&challenge).map(|p| p.given.organic.clone());
        Loop {
            shared: inner.shared(&challenge, &given.unwrap_or_default()),
            inner,
            challenge,
            trigger: Trigger::default(),
            zero: Instant::now(),
            datasets: None,
            leave,
        }
    }

    /// Begins iterations until `stop`, or until the challenge is not active any more.
    /// Those that run then end by themselves.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.inner.resources.plugins.changes();
        tracing::info!(challenge = self.challenge, "organic scoring: the loop runs");
        while let Some(plugin) = self.inner.active(&self.challenge) {
            self.shared.set_plugin(&plugin);
            let next = match stop.run_until_cancelled(self.look(&plugin)).await {
                None => break,
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    let challenge = &self.challenge;
                    tracing::error!(challenge, %error, "organic scoring: trying again");
                    self.trigger.pause(self.now(), PAUSE);
                    Next::At(self.now() + PAUSE)
                }
            };
            let Some(at) = next.look(self.now()) else {
                continue;
            };
            let due = sleep_until(self.zero + Duration::from_secs_f64(at.max(0.0)));
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.shared.wake.notified() => {}
                _ = changes.changed() => {}
                () = due => {}
            }
        }
        // What is told of a challenge that is gone goes with it.
        if self.inner.active(&self.challenge).is_some() {
            let (metrics, in_flight) = (&self.inner.resources.metrics, self.shared.in_flight());
            metrics.organic_loop(&self.challenge, false, in_flight);
        }
        tracing::info!(
            challenge = self.challenge,
            "organic scoring: the loop ended"
        );
    }

    /// The trigger's time.
    fn now(&self) -> f64 {
        seconds(self.zero.elapsed())
    }

    /// Begins an iteration if one is due. Tells when to look again: at once after one
    /// began, for the next may be due as well.
    async fn look(&mut self, plugin: &Arc<ActivePlugin>) -> Result<Next, StoreError> {
        let organic = &plugin.given.organic;
        let (store, wall) = (&self.inner.resources.store, clock::unix_now());
        let row = store.organic_loop(self.challenge.clone()).await?;
        let queue = store.organic_queue(self.challenge.clone()).await?;
        self.report(&queue, row.stopped, wall);
        let (rate, now) = (Rate::of(organic), self.now());
        let seen = Seen {
            now,
            size: queue.queued,
            steps: row.steps,
            stopped: row.stopped,
            in_flight: self.shared.in_flight(),
            concurrency: organic.concurrency,
        };
        match self.trigger.next(&rate, seen) {
            Next::Begin => {}
            other => return Ok(other),
        }
        let ready = queue.is_ready(wall);
        let dataset = match ready {
            true => None,
            false => match self.dataset(plugin, wall).await {
                Ok(dataset) => dataset,
                Err(error) => {
                    let challenge = &self.challenge;
                    tracing::warn!(challenge, %error, "no synthetic datasets are known");
                    let pause = organic.retry_s.max(PAUSE);
                    self.trigger.pause(now, pause);
                    return Ok(Next::At(now + pause));
                }
            },
        };
        let steps = match organic.trigger {
            config::Trigger::Seconds => 0,
            config::Trigger::Steps => rate.steps(queue.queued),
        };
        let begins = ready || dataset.is_some();
        let began = begins && self.begin(plugin, dataset, steps).await?;
        self.trigger.began(now);
        if began {
            return Ok(Next::Begin);
        }
        // There was no sample: time goes on as if there had been one, and steps stay.
        Ok(match (organic.trigger, queue.next_at) {
            (config::Trigger::Seconds, _) => Next::At(now + rate.delay(queue.queued)),
            (config::Trigger::Steps, Some(at)) => Next::At(now + (at - wall).max(SOON)),
            (config::Trigger::Steps, None) => Next::Wait,
        })
    }

    fn report(&self, queue: &OrganicQueue, stopped: bool, wall: f64) {
        let metrics = &self.inner.resources.metrics;
        let age = queue.oldest_at.map_or(0.0, |at| (wall - at).max(0.0));
        metrics.organic_queue(&self.challenge, queue.queued, age, queue.failed);
        metrics.organic_loop(&self.challenge, !stopped, self.shared.in_flight());
    }

    /// One of the synthetic datasets, each as likely as the others; none if there are
    /// none.
    async fn dataset(
        &mut self,
        plugin: &ActivePlugin,
        wall: f64,
    ) -> Result<Option<String>, PluginError> {
        let of = (plugin.component.digest(), plugin.settings_digest.as_str());
        let known = self.datasets.take();
        let known = known.filter(|(digest, settings, _)| of == (digest, settings));
        let known = match known {
            Some(known) => known,
            None => {
                let sandbox = &self.inner.resources.sandbox;
                let call = super::iteration::call(plugin, rand::random(), wall);
                let told = plugin.component.datasets(sandbox, call).await.result;
                (of.0.to_owned(), of.1.to_owned(), told?)
            }
        };
        let (.., datasets) = self.datasets.insert(known);
        let drawn = rand::random::<u64>().checked_rem(datasets.len() as u64);
        let drawn = drawn.and_then(|drawn| usize::try_from(drawn).ok());
        Ok(drawn.and_then(|drawn| datasets.get(drawn).cloned()))
    }

    /// Begins an iteration, if there is a sample for it, and nobody stopped the loop.
    async fn begin(
        &self,
        plugin: &Arc<ActivePlugin>,
        dataset: Option<String>,
        steps: u64,
    ) -> Result<bool, StoreError> {
        // Taken before, so that who stopped the loop and waits for what runs waits for
        // this as well.
        let place = self.shared.place();
        let (started, now) = (Instant::now(), clock::unix_now());
        let new = NewIteration {
            challenge: self.challenge.clone(),
            plugin: plugin.component.digest().to_owned(),
            settings: plugin.settings_digest.clone(),
            engine: plugin.engine.clone(),
            started_at: now,
            sampling: plugin.given.organic.sampling,
            random: rand::random(),
            steps,
            dataset,
        };
        let begun = match self.inner.resources.store.organic_begin(new).await {
            Ok(Some(begun)) => begun,
            none => {
                place.unused();
                return none.map(|_| false);
            }
        };
        self.shared.began(begun.id, now);
        let iteration = Iteration {
            record: self.record(plugin, &begun, now),
            inner: Arc::clone(&self.inner),
            shared: Arc::clone(&self.shared),
            plugin: Arc::clone(plugin),
            begun,
            now,
            started,
        };
        let leave = self.leave.clone();
        tokio::spawn(async move {
            leave
                .run_until_cancelled(see_through(iteration, place))
                .await;
        });
        Ok(true)
    }

    fn record(&self, plugin: &ActivePlugin, begun: &Begun, now: f64) -> Record {
        Record {
            is_organic_sample: begun.entry.is_some(),
            entry: begun.entry.as_ref().map(|entry| entry.id.clone()),
            dataset: begun.dataset.clone(),
            organic_queue_size: begun.queue_size,
            plugin: plugin.component.digest().to_owned(),
            settings: plugin.settings_digest.clone(),
            engine: plugin.engine.clone(),
            seed: super::iteration::seed(self.inner.seed, &self.challenge, begun.id).to_string(),
            now,
            ..Record::default()
        }
    }
}

/// Runs an iteration, and stores how it failed if it did.
async fn see_through(iteration: Iteration, place: Place) {
    let (inner, shared) = (Arc::clone(&iteration.inner), Arc::clone(&iteration.shared));
    let (plugin, begun) = (Arc::clone(&iteration.plugin), iteration.begun.clone());
    let (started, bare) = (iteration.started, iteration.record.clone());
    // A task of its own: a panic in it must not lose the sample.
    let mut ran = AbortOnDrop(tokio::spawn(iteration.run()));
    let (record, ended) = match (&mut ran.0).await {
        Ok(ended) => ended,
        Err(error) => (bare, Err(Fault::host("host", error.to_string()))),
    };
    let challenge = plugin.name();
    let origin = match begun.entry.is_some() {
        true => "organic",
        false => "synthetic",
    };
    let (entry, outcome) = match ended {
        Ok(stored) => {
            log(challenge, &begun, &record, stored);
            (Some(EntryState::Done), "ok")
        }
        Err(fault) => {
            let failed = fail(&inner, &plugin, &begun, record, &fault, started);
            (failed.await, fault.code)
        }
    };
    let metrics = &inner.resources.metrics;
    metrics.organic_iteration(challenge, origin, outcome);
    let is_end = entry.is_some_and(EntryState::is_end);
    if let Some(entry) = begun.entry.filter(|_| is_end) {
        shared.ended(&entry.id);
    }
    drop(place);
}

/// The line of an iteration that ended well, with the keys of the peer.
fn log(challenge: &str, begun: &Begun, record: &Record, stored: bool) {
    tracing::info!(
        challenge,
        iteration = begun.id,
        stored,
        is_organic_sample = record.is_organic_sample,
        organic_queue_size = record.organic_queue_size,
        organic_time_sample = record.organic_time_sample,
        organic_time_responses = record.organic_time_responses,
        organic_time_rewards = record.organic_time_rewards,
        organic_time_weights = record.organic_time_weights,
        organic_time_total = record.organic_time_total,
        asked = record.queries.len(),
        rewarded = record.rewards.len(),
        "organic iteration"
    );
}

/// Stores that an iteration failed; tries until that is stored. Returns what became of
/// its entry.
async fn fail(
    inner: &Inner,
    plugin: &ActivePlugin,
    begun: &Begun,
    mut record: Record,
    fault: &Fault,
    started: Instant,
) -> Option<EntryState> {
    let (challenge, organic) = (plugin.name(), &plugin.given.organic);
    let attempts = begun.entry.as_ref().map_or(0, |entry| entry.attempts);
    let ended_at = clock::unix_now();
    let again_at = match fault.again {
        Again::Never => None,
        Again::Later => Some(ended_at + pause(organic, attempts)),
        Again::Uncounted => Some(ended_at + organic.retry_s),
        Again::AtOnce => Some(ended_at),
    };
    record.organic_time_total = Some(seconds(started.elapsed()));
    record.set_fault(fault);
    tracing::warn!(
        challenge,
        iteration = begun.id,
        entry = record.entry,
        dataset = record.dataset,
        phase = fault.phase,
        code = fault.code,
        reason = fault.message,
        again_at,
        "organic iteration failed"
    );
    let failed = Failed {
        id: begun.id,
        code: fault.code.into(),
        message: format!("{}: {}", fault.phase, fault.message),
        record: record.to_json(),
        ended_at,
        again_at,
        max_attempts: organic.max_attempts,
        counts: matches!(fault.again, Again::Never | Again::Later),
        summary: record.summary(),
    };
    loop {
        match inner.resources.store.organic_fail(failed.clone()).await {
            Ok(entry) => return entry,
            // It would be no better the next time.
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%error, "a failed iteration is left to the next start");
                return None;
            }
            Err(error) => {
                tracing::error!(%error, "a failed iteration was not stored: trying again");
                sleep(Duration::from_secs_f64(PAUSE)).await;
            }
        }
    }
}

/// Seconds to the next attempt after so many: twice as long after each, up to an hour.
fn pause(organic: &config::Organic, attempts: u32) -> f64 {
    let longest = LONGEST_RETRY.max(organic.retry_s);
    let doubled = organic.retry_s * f64::from(attempts.min(32)).exp2();
    doubled.min(longest)
}
