//! What is counted of organic scoring, and of miners that are asked.

use super::{CallLabels, ChallengeLabels, Metrics, Seconds, of_challenge, seconds};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IterationLabels {
    challenge: String,
    origin: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    challenge: String,
    phase: &'static str,
}

#[derive(Debug)]
pub(super) struct Organic {
    entries: Family<CallLabels, Counter>,
    dropped: Family<ChallengeLabels, Counter>,
    queue_size: Family<ChallengeLabels, Gauge>,
    queue_age: Family<ChallengeLabels, Gauge<f64, AtomicU64>>,
    failed: Family<ChallengeLabels, Gauge>,
    iterations: Family<IterationLabels, Counter>,
    phase_seconds: Seconds<PhaseLabels>,
    running: Family<ChallengeLabels, Gauge>,
    in_flight: Family<ChallengeLabels, Gauge>,
    miner_requests: Family<CallLabels, Counter>,
    miner_seconds: Seconds,
}

impl Default for Organic {
    fn default() -> Self {
        Organic {
            entries: Family::default(),
            dropped: Family::default(),
            queue_size: Family::default(),
            queue_age: Family::default(),
            failed: Family::default(),
            iterations: Family::default(),
            phase_seconds: Family::new_with_constructor(seconds),
            running: Family::default(),
            in_flight: Family::default(),
            miner_requests: Family::default(),
            miner_seconds: Family::new_with_constructor(seconds),
        }
    }
}

impl Organic {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "organic_entries",
            "Organic entries that callers sent, by what became of them: queued, duplicate, or why they were refused",
            self.entries.clone(),
        );
        r.register(
            "organic_dropped",
            "Queued organic entries that had to go, the oldest first, because the queue was full",
            self.dropped.clone(),
        );
        r.register(
            "organic_queue_size",
            "Organic entries that are queued",
            self.queue_size.clone(),
        );
        r.register_with_unit(
            "organic_queue_age",
            "Age of the oldest organic entry that is queued, 0 if none is",
            Unit::Seconds,
            self.queue_age.clone(),
        );
        r.register(
            "organic_failed",
            "Organic entries that were tried in vain and are kept for inspection",
            self.failed.clone(),
        );
        r.register(
            "organic_iterations",
            "Iterations that ended, by what the sample was, organic or synthetic, and by outcome",
            self.iterations.clone(),
        );
        r.register_with_unit(
            "organic_phase",
            "Time of each phase of an iteration: sample, responses, rewards, weights, and total",
            Unit::Seconds,
            self.phase_seconds.clone(),
        );
        r.register(
            "organic_running",
            "1 while iterations begin, 0 while the loop is stopped",
            self.running.clone(),
        );
        r.register(
            "organic_in_flight",
            "Iterations that have begun and not ended",
            self.in_flight.clone(),
        );
        r.register(
            "miner_requests",
            "Requests to miners that ended, by outcome",
            self.miner_requests.clone(),
        );
        r.register_with_unit(
            "miner_request",
            "Time from a request to a miner to the end of its answer or the failure",
            Unit::Seconds,
            self.miner_seconds.clone(),
        );
    }

    /// Forgets the gauges of a challenge that is gone.
    pub(super) fn remove(&self, labels: &ChallengeLabels) {
        self.queue_size.remove(labels);
        self.queue_age.remove(labels);
        self.failed.remove(labels);
        self.running.remove(labels);
        self.in_flight.remove(labels);
    }
}

impl Metrics {
    /// A caller sent an entry: `queued`, `duplicate`, or the code of why it was
    /// refused.
    pub fn organic_entry(&self, challenge: &str, outcome: &'static str) {
        let entries = &self.organic.entries;
        entries.get_or_create(&call(challenge, outcome)).inc();
    }

    /// So many queued entries had to go.
    pub fn organic_dropped(&self, challenge: &str, count: u64) {
        let dropped = &self.organic.dropped;
        dropped
            .get_or_create(&of_challenge(challenge))
            .inc_by(count);
    }

    /// What is queued: how many, the age of the oldest in seconds (0 if there is none),
    /// and how many were tried in vain and are kept.
    pub fn organic_queue(&self, challenge: &str, size: u64, oldest_age_s: f64, failed: u64) {
        let labels = of_challenge(challenge);
        let count = |entries| i64::try_from(entries).unwrap_or(i64::MAX);
        let organic = &self.organic;
        organic.queue_size.get_or_create(&labels).set(count(size));
        organic.queue_age.get_or_create(&labels).set(oldest_age_s);
        organic.failed.get_or_create(&labels).set(count(failed));
    }

    /// An iteration ended. `origin` is `organic` or `synthetic`; `outcome` is `ok` or
    /// the code of why it failed.
    pub fn organic_iteration(&self, challenge: &str, origin: &'static str, outcome: &'static str) {
        let labels = IterationLabels {
            challenge: challenge.to_owned(),
            origin,
            outcome,
        };
        self.organic.iterations.get_or_create(&labels).inc();
    }

    /// A phase of an iteration ended: `sample`, `responses`, `rewards`, `weights`, or
    /// all of it, `total`.
    pub fn organic_phase(&self, challenge: &str, phase: &'static str, took: Duration) {
        let labels = PhaseLabels {
            challenge: challenge.to_owned(),
            phase,
        };
        let phases = &self.organic.phase_seconds;
        phases.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Whether iterations of a challenge begin, and how many have begun and not ended.
    /// What alerts count begins at 0 here, or what is dropped first would be no
    /// increase.
    pub fn organic_loop(&self, challenge: &str, running: bool, in_flight: u32) {
        let labels = of_challenge(challenge);
        let organic = &self.organic;
        organic.running.get_or_create(&labels).set(running.into());
        let in_flight_now = organic.in_flight.get_or_create(&labels);
        in_flight_now.set(in_flight.into());
        organic.dropped.get_or_create(&labels).inc_by(0);
    }

    /// A request to a miner ended: `ok`, or the name of the failure in snake case.
    pub fn miner_answered(&self, challenge: &str, outcome: &'static str, latency: Duration) {
        let requests = &self.organic.miner_requests;
        requests.get_or_create(&call(challenge, outcome)).inc();
        let seconds = &self.organic.miner_seconds;
        seconds
            .get_or_create(&of_challenge(challenge))
            .observe(latency.as_secs_f64());
    }
}

fn call(challenge: &str, outcome: &'static str) -> CallLabels {
    CallLabels {
        challenge: challenge.to_owned(),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of challenge `c` that begin so.
    fn told(metrics: &Metrics, names: &[&str]) -> Vec<String> {
        let text = metrics.encode();
        let is_told = |line: &&str| {
            names.iter().any(|name| line.starts_with(name)) && line.contains("challenge=\"c\"")
        };
        text.lines().filter(is_told).map(str::to_owned).collect()
    }

    #[test]
    fn what_is_dropped_begins_at_0() {
        let metrics = Metrics::default();
        let dropped = || told(&metrics, &["proctor_organic_dropped_total"]);
        metrics.organic_loop("c", true, 0);
        let line = |count: u32| {
            vec![format!(
                "proctor_organic_dropped_total{{challenge=\"c\"}} {count}"
            )]
        };
        assert_eq!(dropped(), line(0));
        metrics.organic_dropped("c", 3);
        metrics.organic_loop("c", false, 1);
        assert_eq!(dropped(), line(3));
    }

    #[test]
    fn the_queue_of_a_challenge_vanishes_with_it_and_its_counts_stay() {
        let metrics = Metrics::default();
        let gauges = [
            "proctor_organic_queue_size{",
            "proctor_organic_queue_age_seconds{",
            "proctor_organic_failed{",
            "proctor_organic_running{",
            "proctor_organic_in_flight{",
        ];
        metrics.set_challenges(["c"].into_iter());
        metrics.organic_queue("c", 2, 7.5, 1);
        metrics.organic_loop("c", true, 1);
        metrics.organic_entry("c", "queued");
        assert_eq!(told(&metrics, &gauges).len(), 5);
        metrics.set_challenges(std::iter::empty());
        assert_eq!(told(&metrics, &gauges), [""; 0]);
        assert_eq!(told(&metrics, &["proctor_organic_entries_total"]).len(), 1);
    }
}
