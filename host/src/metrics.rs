//! What Prometheus sees. The text beside a metric is its help.

mod gauges;
mod master;
mod organic;
mod receipts;
mod weights;

use crate::sandbox::{CacheUse, CallReport, Outcome, SolveRecord};
use crate::store::CommitState;
use gauges::{Current, Known};
use master::Master;
use organic::Organic;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use receipts::Receipts;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use weights::Weights;

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
struct VersionLabels {
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
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

type Seconds<Labels = ChallengeLabels> = Family<Labels, Histogram, fn() -> Histogram>;

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
    /// Every challenge that was active since the start.
    seen: Mutex<BTreeSet<String>>,
    build_info: Family<VersionLabels, Gauge>,
    last_step: Known<f64>,
    evaluations: Family<CallLabels, Counter>,
    evaluation_seconds: Seconds,
    evaluation_fuel: Family<ChallengeLabels, Counter>,
    evaluation_memory: Family<ChallengeLabels, Gauge>,
    solves: Family<CallLabels, Counter>,
    solve_fuel: Family<ChallengeLabels, Counter>,
    comparisons: Family<CallLabels, Counter>,
    verdicts: Family<CallLabels, Counter>,
    weight_calls: Family<CallLabels, Counter>,
    finalization_lateness: Family<ChallengeLabels, Gauge<f64, AtomicU64>>,
    finalization_overdue: Current<ChallengeLabels, f64, AtomicU64>,
    commit_to_score: Seconds,
    queue_depth: Gauge,
    queue_age: Gauge<f64, AtomicU64>,
    cache: Family<OutcomeLabels, Counter>,
    compile_seconds: Histogram,
    plugin_state: Current<PluginLabels>,
    commits: Current<StateLabels>,
    commit_faults: Current<FaultLabels>,
    polls: Family<OutcomeLabels, Counter>,
    poll_seconds: Histogram,
    validators: Family<OutcomeLabels, Gauge>,
    poll_age: Current<ValidatorLabels, f64, AtomicU64>,
    pushes: Family<OutcomeLabels, Counter>,
    finalization_seconds: Seconds,
    is_done: Current<ChallengeLabels>,
    outbox_depth: Family<KindLabels, Gauge>,
    outbox_refused: Family<KindLabels, Gauge>,
    outbox_age: Family<KindLabels, Gauge<f64, AtomicU64>>,
    deliveries: Family<DeliveryLabels, Counter>,
    stake_sufficient: Known<i64>,
    backup_time: Known<f64>,
    database_bytes: Gauge,
    event_streams: Gauge,
    master: Master,
    weights: Weights,
    organic: Organic,
    receipts: Receipts,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Seconds<RouteLabels>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("proctor");
        let metrics = Metrics {
            seen: Mutex::default(),
            build_info: Family::default(),
            last_step: Known::default(),
            evaluations: Family::default(),
            evaluation_seconds: Family::new_with_constructor(seconds),
            evaluation_fuel: Family::default(),
            evaluation_memory: Family::default(),
            solves: Family::default(),
            solve_fuel: Family::default(),
            comparisons: Family::default(),
            verdicts: Family::default(),
            weight_calls: Family::default(),
            finalization_lateness: Family::default(),
            finalization_overdue: Current::default(),
            commit_to_score: Family::new_with_constructor(hours),
            queue_depth: Gauge::default(),
            queue_age: Gauge::default(),
            cache: Family::default(),
            compile_seconds: seconds(),
            plugin_state: Current::default(),
            commits: Current::default(),
            commit_faults: Current::default(),
            polls: Family::default(),
            poll_seconds: seconds(),
            validators: Family::default(),
            poll_age: Current::default(),
            pushes: Family::default(),
            finalization_seconds: Family::new_with_constructor(seconds),
            is_done: Current::default(),
            outbox_depth: Family::default(),
            outbox_refused: Family::default(),
            outbox_age: Family::default(),
            deliveries: Family::default(),
            stake_sufficient: Known::default(),
            backup_time: Known::default(),
            database_bytes: Gauge::default(),
            event_streams: Gauge::default(),
            master: Master::default(),
            weights: Weights::default(),
            organic: Organic::default(),
            receipts: Receipts::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register(
            "build_info",
            "1 for the version of this program",
            metrics.build_info.clone(),
        );
        r.register_with_unit(
            "last_step_time",
            "When the pipeline last went over all commits, since the Unix epoch",
            Unit::Seconds,
            metrics.last_step.clone(),
        );
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
            "weight_calls",
            "Calls of get-weights, by outcome",
            metrics.weight_calls.clone(),
        );
        r.register_with_unit(
            "finalization_lateness",
            "Time from the scoring hour to the last finalization",
            Unit::Seconds,
            metrics.finalization_lateness.clone(),
        );
        r.register_with_unit(
            "finalization_overdue",
            "Time since the first scoring hour that is still to be finalized, 0 if none is",
            Unit::Seconds,
            metrics.finalization_overdue.family.clone(),
        );
        r.register_with_unit(
            "commit_to_score",
            "Time from a commit to its verdict",
            Unit::Seconds,
            metrics.commit_to_score.clone(),
        );
        r.register(
            "evaluation_queue_depth",
            "Evaluations that wait or run",
            metrics.queue_depth.clone(),
        );
        r.register_with_unit(
            "evaluation_queue_age",
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
            metrics.plugin_state.family.clone(),
        );
        r.register(
            "commits",
            "Commits by challenge and state",
            metrics.commits.family.clone(),
        );
        r.register(
            "commit_faults",
            "Keys and commits of validators that did not verify",
            metrics.commit_faults.family.clone(),
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
            metrics.poll_age.family.clone(),
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
            metrics.is_done.family.clone(),
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
        let version = env!("CARGO_PKG_VERSION");
        metrics
            .build_info
            .get_or_create(&VersionLabels { version })
            .set(1);
        metrics.master.register(r);
        metrics.weights.register(r);
        metrics.organic.register(r);
        metrics.receipts.register(r);
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

    /// The pipeline went over all commits, at this time in seconds since the Unix
    /// epoch.
    pub fn stepped(&self, at: f64) {
        self.last_step.set(at);
    }

    /// The challenges that are active. What alerts count begins at 0 for one that is
    /// new, or its first failure would be no increase; the gauges of one that is gone
    /// vanish.
    pub fn set_challenges<'a>(&self, active: impl Iterator<Item = &'a str>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = seen.clone();
        for challenge in active {
            gone.remove(challenge);
            if seen.insert(challenge.to_owned()) {
                for family in [&self.evaluations, &self.verdicts, &self.weight_calls] {
                    for outcome in Outcome::ALL {
                        family.get_or_create(&call(challenge, outcome)).inc_by(0);
                    }
                }
                self.receipts.begin(&of_challenge(challenge));
            }
        }
        for labels in gone.into_iter().map(of_challenge) {
            self.finalization_lateness.remove(&labels);
            // A call that runs on may have told it again.
            self.evaluation_memory.remove(&labels);
            self.organic.remove(&labels);
        }
    }

    /// An evaluation ended, or was put back.
    pub fn evaluated(&self, challenge: &str, outcome: Outcome, report: &CallReport) {
        let labels = of_challenge(challenge);
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
        let labels = of_challenge(challenge);
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
        self.weight_calls
            .get_or_create(&call(challenge, outcome))
            .inc();
    }

    /// A challenge was finalized on a day, so many seconds after the hour.
    pub fn finalized(&self, challenge: &str, late: f64, took: Duration) {
        let labels = of_challenge(challenge);
        self.finalization_lateness.get_or_create(&labels).set(late);
        self.finalization_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A commit has its verdict, so many seconds after it was made.
    pub fn scored(&self, challenge: &str, took: f64) {
        let labels = of_challenge(challenge);
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
        self.plugin_state.set(states.map(|(plugin, state)| {
            let plugin = plugin.to_owned();
            (PluginLabels { plugin, state }, 1)
        }));
    }

    /// How many commits of each challenge are in each state. Those that are left out
    /// vanish.
    pub fn set_commits<'a>(&self, counts: impl Iterator<Item = (&'a str, CommitState, i64)>) {
        self.commits.set(counts.map(|(challenge, state, count)| {
            let labels = StateLabels {
                challenge: challenge.to_owned(),
                state: state.name(),
            };
            (labels, count)
        }));
    }

    /// How many faults each validator was counted for, by code. Those that are left
    /// out vanish.
    pub fn set_faults(&self, counts: impl Iterator<Item = (u16, String, u64)>) {
        self.commit_faults
            .set(counts.map(|(validator_uid, code, count)| {
                let labels = FaultLabels {
                    validator_uid,
                    code,
                };
                (labels, i64::try_from(count).unwrap_or(i64::MAX))
            }));
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
        self.poll_age
            .set(ages.map(|(validator_uid, age)| (ValidatorLabels { validator_uid }, age)));
    }

    /// A validator pushed its commits: `ok`, or the code of what was wrong.
    pub fn pushed(&self, outcome: &'static str) {
        self.pushes.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Whether today's finalization of each challenge has run. Those that are left
    /// out vanish.
    pub fn set_is_done<'a>(&self, challenges: impl Iterator<Item = (&'a str, bool)>) {
        self.is_done
            .set(challenges.map(|(name, is_done)| (of_challenge(name), is_done.into())));
    }

    /// For how many seconds each challenge could have been finalized and is not; 0 if
    /// nothing is due. Those that are left out vanish.
    pub fn set_overdue<'a>(&self, challenges: impl Iterator<Item = (&'a str, f64)>) {
        self.finalization_overdue
            .set(challenges.map(|(name, overdue)| (of_challenge(name), overdue)));
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
        let route = route.to_owned();
        self.request_seconds
            .get_or_create(&RouteLabels {
                route: route.clone(),
            })
            .observe(elapsed.as_secs_f64());
        let labels = RequestLabels {
            route,
            method: method.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }
}

fn of_challenge(challenge: impl Into<String>) -> ChallengeLabels {
    let challenge = challenge.into();
    ChallengeLabels { challenge }
}

fn call(challenge: &str, outcome: Outcome) -> CallLabels {
    CallLabels {
        challenge: challenge.to_owned(),
        outcome: outcome.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of a challenge whose name begins so.
    fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.encode();
        let of = |line: &&str| line.starts_with(name) && line.contains("challenge=\"c\"");
        text.lines().filter(of).map(str::to_owned).collect()
    }

    #[test]
    fn what_alerts_count_begins_at_0_and_goes_on() {
        let metrics = Metrics::default();
        let counts = || {
            ["evaluations", "verdicts", "weight_calls"].map(|name| {
                let samples = samples(&metrics, &format!("proctor_{name}_total"));
                let ends = |end| samples.iter().filter(|line| line.ends_with(end)).count();
                (ends(" 0"), ends(" 1"))
            })
        };
        metrics.set_challenges(["c"].into_iter());
        assert_eq!(counts(), [(12, 0); 3]);
        metrics.judged("c", Outcome::Trap);
        metrics.set_challenges(["c"].into_iter());
        assert_eq!(counts(), [(12, 0), (11, 1), (12, 0)]);
    }

    #[test]
    fn the_gauges_of_a_challenge_vanish_with_it() {
        let metrics = Metrics::default();
        let report = |active: &[&'static str]| {
            let each = || active.iter().copied();
            metrics.set_challenges(each());
            metrics.set_commits(each().map(|name| (name, CommitState::Failed, 2)));
            metrics.set_is_done(each().map(|name| (name, false)));
            metrics.set_overdue(each().map(|name| (name, 0.5)));
        };
        let gauges = [
            "proctor_commits{",
            "proctor_is_done{",
            "proctor_finalization_overdue_seconds{",
            "proctor_finalization_lateness_seconds{",
        ];
        let told = || gauges.map(|name| samples(&metrics, name).len());
        report(&["c", "other"]);
        metrics.finalized("c", 1.0, Duration::ZERO);
        metrics.finalized("other", 1.0, Duration::ZERO);
        assert_eq!(told(), [1; 4]);
        report(&["other"]);
        assert_eq!(told(), [0; 4]);
        assert!(
            metrics
                .encode()
                .contains("overdue_seconds{challenge=\"other\"} 0.5")
        );
        report(&["c"]);
        assert_eq!(told(), [1, 1, 1, 0]);
    }

    #[test]
    fn nothing_is_said_of_stake_and_backup_before_they_are_known() {
        let metrics = Metrics::default();
        let told = |name| metrics.encode().lines().any(|line| line.starts_with(name));
        let names = [
            "proctor_stake_sufficient 0",
            "proctor_backup_time_seconds 5.0",
            "proctor_last_step_time_seconds 6.0",
        ];
        assert_eq!(names.map(told), [false; 3]);
        assert!(!metrics.encode().contains("stake_sufficient"));
        metrics.set_stake_sufficient(false);
        metrics.backed_up(5.0);
        metrics.stepped(6.0);
        assert_eq!(names.map(told), [true; 3]);
    }
}
