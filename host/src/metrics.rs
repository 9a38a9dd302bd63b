//! What Prometheus sees. The text beside a metric is its help.

use crate::sandbox::{CacheUse, CallReport, Outcome, SolveRecord};
use crate::store::CommitState;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    challenge: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChallengeLabels {
    challenge: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    challenge: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabels {
    validator_uid: u16,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ValidatorLabels {
    validator_uid: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    kind: &'static str,
    outcome: &'static str,
}

type Seconds = Family<ChallengeLabels, Histogram, fn() -> Histogram>;

fn seconds() -> Histogram {
    // A millisecond to about nine minutes.
    Histogram::new(exponential_buckets(0.001, 3.0, 13))
}

fn hours() -> Histogram {
    // A quarter of an hour to about ten days.
    Histogram::new(exponential_buckets(900.0, 2.0, 11))
}

/// Every metric, in one registry.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    evaluations: Family<CallLabels, Counter>,
    evaluation_seconds: Seconds,
    evaluation_fuel: Family<ChallengeLabels, Counter>,
    evaluation_memory: Family<ChallengeLabels, Gauge>,
    solves: Family<CallLabels, Counter>,
    solve_fuel: Family<ChallengeLabels, Counter>,
    comparisons: Family<CallLabels, Counter>,
    verdicts: Family<CallLabels, Counter>,
    finalizations: Family<CallLabels, Counter>,
    finalization_lateness: Family<ChallengeLabels, Gauge<f64, AtomicU64>>,
    commit_to_score: Family<ChallengeLabels, Histogram, fn() -> Histogram>,
    queue_depth: Gauge,
    queue_age: Gauge<f64, AtomicU64>,
    cache: Family<OutcomeLabels, Counter>,
    compile_seconds: Histogram,
    plugin_state: Family<PluginLabels, Gauge>,
    commits: Family<StateLabels, Gauge>,
    commit_faults: Family<FaultLabels, Gauge>,
    polls: Family<OutcomeLabels, Counter>,
    poll_seconds: Histogram,
    validators: Family<OutcomeLabels, Gauge>,
    poll_age: Family<ValidatorLabels, Gauge<f64, AtomicU64>>,
    pushes: Family<OutcomeLabels, Counter>,
    finalization_seconds: Seconds,
    is_done: Family<ChallengeLabels, Gauge>,
    outbox_depth: Family<KindLabels, Gauge>,
    outbox_refused: Family<KindLabels, Gauge>,
    outbox_age: Family<KindLabels, Gauge<f64, AtomicU64>>,
    deliveries: Family<DeliveryLabels, Counter>,
    stake_sufficient: Gauge,
    backup_time: Gauge<f64, AtomicU64>,
    database_bytes: Gauge,
    event_streams: Gauge,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("proctor");
        let metrics = Metrics {
            evaluations: Family::default(),
            evaluation_seconds: Family::new_with_constructor(seconds),
            evaluation_fuel: Family::default(),
            evaluation_memory: Family::default(),
            solves: Family::default(),
            solve_fuel: Family::default(),
            comparisons: Family::default(),
            verdicts: Family::default(),
            finalizations: Family::default(),
            finalization_lateness: Family::default(),
            commit_to_score: Family::new_with_constructor(hours),
            queue_depth: Gauge::default(),
            queue_age: Gauge::default(),
            cache: Family::default(),
            compile_seconds: seconds(),
            plugin_state: Family::default(),
            commits: Family::default(),
            commit_faults: Family::default(),
            polls: Family::default(),
            poll_seconds: seconds(),
            validators: Family::default(),
            poll_age: Family::default(),
            pushes: Family::default(),
            finalization_seconds: Family::new_with_constructor(seconds),
            is_done: Family::default(),
            outbox_depth: Family::default(),
            outbox_refused: Family::default(),
            outbox_age: Family::default(),
            deliveries: Family::default(),
            stake_sufficient: Gauge::default(),
            backup_time: Gauge::default(),
            database_bytes: Gauge::default(),
            event_streams: Gauge::default(),
            requests: Family::default(),
            request_seconds: seconds(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register(
            "evaluations",
            "Evaluations of submissions that ended, by outcome",
            metrics.evaluations.clone(),
        );
        r.register_with_unit(
            "evaluation",
            "Wall-clock time of an evaluation",
            Unit::Seconds,
            metrics.evaluation_seconds.clone(),
        );
        r.register(
            "evaluation_fuel",
            "Fuel that challenges used in evaluations",
            metrics.evaluation_fuel.clone(),
        );
        r.register_with_unit(
            "evaluation_memory",
            "Linear memory of the challenge in its last evaluation",
            Unit::Bytes,
            metrics.evaluation_memory.clone(),
        );
        r.register(
            "solves",
            "Runs of submissions on one task, by outcome",
            metrics.solves.clone(),
        );
        r.register(
            "solve_fuel",
            "Fuel that submissions used in evaluations",
            metrics.solve_fuel.clone(),
        );
        r.register(
            "comparisons",
            "Calls of compare, by outcome",
            metrics.comparisons.clone(),
        );
        r.register(
            "verdicts",
            "Calls of judge, by outcome",
            metrics.verdicts.clone(),
        );
        r.register(
            "finalizations",
            "Calls of get-weights, by outcome",
            metrics.finalizations.clone(),
        );
        r.register_with_unit(
            "finalization_lateness",
            "Time from the scoring hour to the last finalization",
            Unit::Seconds,
            metrics.finalization_lateness.clone(),
        );
        r.register_with_unit(
            "commit_to_score",
            "Time from a commit to its verdict",
            Unit::Seconds,
            metrics.commit_to_score.clone(),
        );
        r.register(
            "queue_depth",
            "Evaluations that wait or run",
            metrics.queue_depth.clone(),
        );
        r.register_with_unit(
            "queue_age",
            "Age of the oldest evaluation that waits or runs",
            Unit::Seconds,
            metrics.queue_age.clone(),
        );
        r.register(
            "compile_cache",
            "Components that were needed compiled, by hit or miss of the cache",
            metrics.cache.clone(),
        );
        r.register_with_unit(
            "compile",
            "Time to compile a component that was not in the cache",
            Unit::Seconds,
            metrics.compile_seconds.clone(),
        );
        r.register(
            "plugin_state",
            "1 for the state that a plugin's file is in",
            metrics.plugin_state.clone(),
        );
        r.register(
            "commits",
            "Commits by challenge and state",
            metrics.commits.clone(),
        );
        r.register(
            "commit_faults",
            "Keys and commits of validators that did not verify",
            metrics.commit_faults.clone(),
        );
        r.register(
            "polls",
            "Requests for the commits of a validator, by outcome",
            metrics.polls.clone(),
        );
        r.register_with_unit(
            "poll",
            "Time of a request for the commits of a validator",
            Unit::Seconds,
            metrics.poll_seconds.clone(),
        );
        r.register(
            "validators",
            "Validators of the last round of collecting, by outcome",
            metrics.validators.clone(),
        );
        r.register_with_unit(
            "poll_age",
            "Time since the commits of a validator were last read",
            Unit::Seconds,
            metrics.poll_age.clone(),
        );
        r.register(
            "pushes",
            "Documents that validators pushed, by outcome",
            metrics.pushes.clone(),
        );
        r.register_with_unit(
            "finalization",
            "Time that the finalization of a challenge took",
            Unit::Seconds,
            metrics.finalization_seconds.clone(),
        );
        r.register(
            "is_done",
            "1 if the challenge's finalization of today has run",
            metrics.is_done.clone(),
        );
        r.register(
            "outbox_depth",
            "What others are still to be told, by kind",
            metrics.outbox_depth.clone(),
        );
        r.register(
            "outbox_refused",
            "What others refused to be told, and will be told again, by kind",
            metrics.outbox_refused.clone(),
        );
        r.register_with_unit(
            "outbox_age",
            "Age of the oldest that others are still to be told, by kind",
            Unit::Seconds,
            metrics.outbox_age.clone(),
        );
        r.register(
            "deliveries",
            "What others were told, by kind and outcome",
            metrics.deliveries.clone(),
        );
        r.register(
            "stake_sufficient",
            "1 if this host's hotkey has the stake of a validator that is heard",
            metrics.stake_sufficient.clone(),
        );
        r.register_with_unit(
            "backup_time",
            "When the backup was last written, since the Unix epoch",
            Unit::Seconds,
            metrics.backup_time.clone(),
        );
        r.register_with_unit(
            "database_size",
            "Size of the database",
            Unit::Bytes,
            metrics.database_bytes.clone(),
        );
        r.register(
            "event_streams",
            "Streams of events that are open",
            metrics.event_streams.clone(),
        );
        r.register(
            "http_requests",
            "Requests by route, method and status",
            metrics.requests.clone(),
        );
        r.register_with_unit(
            "http_request",
            "Time to answer a request",
            Unit::Seconds,
            metrics.request_seconds.clone(),
        );
        Metrics {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        if let Err(error) = text::encode(&mut out, &self.registry) {
            tracing::error!(%error, "cannot write the metrics");
        }
        out
    }

    /// An evaluation ended, or was put back.
    pub fn evaluated(&self, challenge: &str, outcome: Outcome, report: &CallReport) {
        let labels = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        self.evaluations
            .get_or_create(&call(challenge, outcome))
            .inc();
        self.evaluation_seconds
            .get_or_create(&labels)
            .observe(report.elapsed.as_secs_f64());
        self.evaluation_fuel
            .get_or_create(&labels)
            .inc_by(report.fuel);
        let bytes = i64::try_from(report.memory_bytes).unwrap_or(i64::MAX);
        self.evaluation_memory.get_or_create(&labels).set(bytes);
    }

    /// A submission was run on one task.
    pub fn solved(&self, challenge: &str, solve: SolveRecord) {
        let labels = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        self.solves
            .get_or_create(&call(challenge, solve.outcome))
            .inc();
        self.solve_fuel.get_or_create(&labels).inc_by(solve.fuel);
    }

    /// `compare` was called.
    pub fn compared(&self, challenge: &str, outcome: Outcome) {
        self.comparisons
            .get_or_create(&call(challenge, outcome))
            .inc();
    }

    /// `judge` was called.
    pub fn judged(&self, challenge: &str, outcome: Outcome) {
        self.verdicts.get_or_create(&call(challenge, outcome)).inc();
    }

    /// `get-weights` was called.
    pub fn paid(&self, challenge: &str, outcome: Outcome) {
        self.finalizations
            .get_or_create(&call(challenge, outcome))
            .inc();
    }

    /// A challenge was finalized on a day, so many seconds after the hour.
    pub fn finalized(&self, challenge: &str, late: f64, took: Duration) {
        let labels = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        self.finalization_lateness.get_or_create(&labels).set(late);
        self.finalization_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A commit has its verdict, so many seconds after it was made.
    pub fn scored(&self, challenge: &str, took: f64) {
        let labels = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        self.commit_to_score.get_or_create(&labels).observe(took);
    }

    /// What waits to be evaluated, and for how long the oldest has.
    pub fn set_queue(&self, jobs: u64, age: f64) {
        self.queue_depth
            .set(i64::try_from(jobs).unwrap_or(i64::MAX));
        self.queue_age.set(age);
    }

    /// A component was compiled, or taken from the cache.
    pub fn compiled(&self, cache: CacheUse, elapsed: Duration) {
        let outcome = match cache {
            CacheUse::Hit => "hit",
            CacheUse::Miss => "miss",
        };
        self.cache.get_or_create(&OutcomeLabels { outcome }).inc();
        if cache == CacheUse::Miss {
            self.compile_seconds.observe(elapsed.as_secs_f64());
        }
    }

    /// The states of all plugins, by file name. Those that are gone vanish.
    pub fn set_plugins<'a>(&self, states: impl Iterator<Item = (&'a str, &'static str)>) {
        self.plugin_state.clear();
        for (plugin, state) in states {
            let plugin = plugin.to_owned();
            self.plugin_state
                .get_or_create(&PluginLabels { plugin, state })
                .set(1);
        }
    }

    /// How many commits of a challenge are in a state.
    pub fn set_commits(&self, challenge: &str, state: CommitState, count: i64) {
        let labels = StateLabels {
            challenge: challenge.to_owned(),
            state: state.name(),
        };
        self.commits.get_or_create(&labels).set(count);
    }

    /// How many faults a validator was counted for.
    pub fn set_faults(&self, validator_uid: u16, code: String, count: u64) {
        let labels = FaultLabels {
            validator_uid,
            code,
        };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.commit_faults.get_or_create(&labels).set(count);
    }

    /// A validator's commits were asked for: `changed`, `unchanged`, or the code of
    /// what went wrong.
    pub fn polled(&self, outcome: &'static str, elapsed: Duration) {
        self.polls.get_or_create(&OutcomeLabels { outcome }).inc();
        self.poll_seconds.observe(elapsed.as_secs_f64());
    }

    /// A round of collecting ended, with so many validators read and so many not.
    pub fn round(&self, read: u64, failed: u64) {
        for (outcome, count) in [("read", read), ("failed", failed)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.validators
                .get_or_create(&OutcomeLabels { outcome })
                .set(count);
        }
    }

    /// How many seconds ago each validator's commits were last read. Those that
    /// are not asked any more vanish.
    pub fn set_poll_ages(&self, ages: impl Iterator<Item = (u16, f64)>) {
        self.poll_age.clear();
        for (validator_uid, age) in ages {
            self.poll_age
                .get_or_create(&ValidatorLabels { validator_uid })
                .set(age);
        }
    }

    /// A validator pushed its commits: `ok`, or the code of what was wrong.
    pub fn pushed(&self, outcome: &'static str) {
        self.pushes.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Whether today's finalization of a challenge has run.
    pub fn set_is_done(&self, challenge: &str, is_done: bool) {
        let labels = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        self.is_done.get_or_create(&labels).set(is_done.into());
    }

    /// What of a kind others are still to be told: how much, how much of it they
    /// refused, and for how many seconds the oldest has waited.
    pub fn set_outbox(&self, kind: &'static str, depth: u64, refused: u64, age: f64) {
        let labels = KindLabels { kind };
        let count = |rows| i64::try_from(rows).unwrap_or(i64::MAX);
        self.outbox_depth.get_or_create(&labels).set(count(depth));
        self.outbox_refused
            .get_or_create(&labels)
            .set(count(refused));
        self.outbox_age.get_or_create(&labels).set(age);
    }

    /// Others were told something: `ok`, `refused` or `failed`.
    pub fn delivered(&self, kind: &'static str, outcome: &'static str) {
        self.deliveries
            .get_or_create(&DeliveryLabels { kind, outcome })
            .inc();
    }

    /// Whether this host's hotkey has enough stake.
    pub fn set_stake_sufficient(&self, sufficient: bool) {
        self.stake_sufficient.set(sufficient.into());
    }

    /// The backup was written, at this time in seconds since the Unix epoch.
    pub fn backed_up(&self, at: f64) {
        self.backup_time.set(at);
    }

    /// Size of the database, in bytes.
    pub fn set_database_bytes(&self, bytes: u64) {
        self.database_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A stream of events was opened (1) or closed (-1).
    pub fn event_streams(&self, change: i64) {
        self.event_streams.inc_by(change);
    }

    /// A request was answered.
    pub fn request(&self, route: &str, method: &str, status: u16, elapsed: Duration) {
        let labels = RequestLabels {
            route: route.to_owned(),
            method: method.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.observe(elapsed.as_secs_f64());
    }
}

fn call(challenge: &str, outcome: Outcome) -> CallLabels {
    CallLabels {
        challenge: challenge.to_owned(),
        outcome: outcome.code(),
    }
}
