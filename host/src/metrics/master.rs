//! What is counted of records, routes, validators and the private API.

use super::gauges::Current;
use super::{CallLabels, ChallengeLabels, Metrics, OutcomeLabels, Seconds, StateLabels, seconds};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    challenge: String,
    status: &'static str,
}

#[derive(Debug)]
pub(super) struct Master {
    challenge_state: Current<StateLabels>,
    challenge_status: Current<StatusLabels>,
    registry_changes: Family<ActionLabels, Counter>,
    pulls: Family<OutcomeLabels, Counter>,
    submission_pulls: Family<OutcomeLabels, Counter>,
    route_calls: Family<CallLabels, Counter>,
    route_seconds: Seconds,
    route_fuel: Family<ChallengeLabels, Counter>,
    route_open: Family<ChallengeLabels, Gauge>,
    route_places_free: Gauge,
    route_refusals: Family<CallLabels, Counter>,
    uploads: Family<CallLabels, Counter>,
    admin_refusals: Family<OutcomeLabels, Counter>,
    lockouts: Counter,
    validator_nodes: Family<OutcomeLabels, Gauge>,
    validator_requests: Family<DeedLabels, Counter>,
    assignments: Family<OutcomeLabels, Gauge>,
    assignment_results: Family<CallLabels, Counter>,
    gpu_probes: Family<OutcomeLabels, Counter>,
    remote_solves: Family<CallLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeedLabels {
    kind: &'static str,
    outcome: &'static str,
}

impl Default for Master {
    fn default() -> Self {
        Master {
            challenge_state: Current::default(),
            challenge_status: Current::default(),
            registry_changes: Family::default(),
            pulls: Family::default(),
            submission_pulls: Family::default(),
            route_calls: Family::default(),
            route_seconds: Family::new_with_constructor(seconds),
            route_fuel: Family::default(),
            route_open: Family::default(),
            route_places_free: Gauge::default(),
            route_refusals: Family::default(),
            uploads: Family::default(),
            admin_refusals: Family::default(),
            lockouts: Counter::default(),
            validator_nodes: Family::default(),
            validator_requests: Family::default(),
            assignments: Family::default(),
            assignment_results: Family::default(),
            gpu_probes: Family::default(),
            remote_solves: Family::default(),
        }
    }
}

impl Master {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "challenge_state",
            "1 for how each challenge does against its record",
            self.challenge_state.family.clone(),
        );
        r.register(
            "challenge_status",
            "1 for the status of each challenge's record",
            self.challenge_status.family.clone(),
        );
        r.register(
            "registry_changes",
            "Changes of records, by what was done",
            self.registry_changes.clone(),
        );
        r.register(
            "component_pulls",
            "Components asked of OCI registries, by outcome",
            self.pulls.clone(),
        );
        r.register(
            "submission_pulls",
            "Submissions asked of miners' registries, by outcome",
            self.submission_pulls.clone(),
        );
        r.register(
            "route_calls",
            "Requests that challenges' own routes ended, by outcome",
            self.route_calls.clone(),
        );
        r.register_with_unit(
            "route",
            "Wall-clock time of such a request, to the end of its answer",
            Unit::Seconds,
            self.route_seconds.clone(),
        );
        r.register(
            "route_fuel",
            "Fuel that challenges' own routes used",
            self.route_fuel.clone(),
        );
        r.register(
            "route_open",
            "Requests that challenges' own routes are answering now",
            self.route_open.clone(),
        );
        r.register(
            "route_places_free",
            "Requests to challenges' own routes that could be taken now",
            self.route_places_free.clone(),
        );
        r.register(
            "route_refusals",
            "Requests to challenges' routes that the host refused, by code",
            self.route_refusals.clone(),
        );
        r.register(
            "uploads",
            "Uploads of artifacts to challenges, by outcome",
            self.uploads.clone(),
        );
        r.register(
            "admin_refusals",
            "Requests to the private API that were refused, by code",
            self.admin_refusals.clone(),
        );
        r.register(
            "admin_lockouts",
            "Addresses that were locked out of the private API",
            self.lockouts.clone(),
        );
        r.register(
            "validator_nodes",
            "Validators that registered, by whether they are online",
            self.validator_nodes.clone(),
        );
        r.register(
            "validator_requests",
            "Signed requests of validators, by kind and outcome",
            self.validator_requests.clone(),
        );
        r.register(
            "assignments",
            "Evaluations that validators are to do again, by state",
            self.assignments.clone(),
        );
        r.register(
            "assignment_results",
            "Results that validators told, by outcome",
            self.assignment_results.clone(),
        );
        r.register(
            "gpu_server_probes",
            "Health probes of GPU servers, by outcome",
            self.gpu_probes.clone(),
        );
        r.register(
            "remote_solves",
            "Tasks given to runners over HTTP, by outcome",
            self.remote_solves.clone(),
        );
    }
}

impl Metrics {
    /// The record's status of every challenge, and how it does: (challenge, status,
    /// state). Those that are left out vanish.
    pub fn set_records<'a>(
        &self,
        challenges: impl Iterator<Item = (&'a str, &'static str, &'static str)> + Clone,
    ) {
        for (challenge, _, _) in challenges.clone() {
            // From the start, or the first one would be no increase.
            let contradicted = call_labels(challenge, "contradicted");
            let _ = self.master.assignment_results.get_or_create(&contradicted);
        }
        let states = challenges.clone().map(|(challenge, _, state)| {
            let challenge = challenge.to_owned();
            (StateLabels { challenge, state }, 1)
        });
        self.master.challenge_state.set(states);
        let statuses = challenges.map(|(challenge, status, _)| {
            let challenge = challenge.to_owned();
            (StatusLabels { challenge, status }, 1)
        });
        self.master.challenge_status.set(statuses);
    }

    /// A record was changed.
    pub fn registry_changed(&self, action: &'static str) {
        let labels = ActionLabels { action };
        self.master.registry_changes.get_or_create(&labels).inc();
    }

    /// A component was asked of an OCI registry. `outcome` is `ok` or an error's code.
    pub fn pulled(&self, outcome: &'static str) {
        let labels = OutcomeLabels { outcome };
        self.master.pulls.get_or_create(&labels).inc();
    }

    /// A submission was asked of a registry that its miner named. `outcome` is `ok`, an
    /// error's code, or `store_full`.
    pub fn submission_pulled(&self, outcome: &'static str) {
        let labels = OutcomeLabels { outcome };
        self.master.submission_pulls.get_or_create(&labels).inc();
    }

    /// A request to a challenge's own routes began.
    pub fn route_began(&self, challenge: &str) {
        self.route_open(challenge).inc();
    }

    /// It ended, its answer included.
    pub fn route_ended(
        &self,
        challenge: &str,
        outcome: &'static str,
        elapsed: Duration,
        fuel: u64,
    ) {
        let of = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        let master = &self.master;
        self.route_open(challenge).dec();
        let labels = call_labels(challenge, outcome);
        master.route_calls.get_or_create(&labels).inc();
        master.route_fuel.get_or_create(&of).inc_by(fuel);
        let seconds = master.route_seconds.get_or_create(&of);
        seconds.observe(elapsed.as_secs_f64());
    }

    /// How many more requests to challenges' own routes could be taken now.
    pub fn set_route_places_free(&self, places: usize) {
        let places = i64::try_from(places).unwrap_or(i64::MAX);
        self.master.route_places_free.set(places);
    }

    /// A request to a challenge's routes was refused by the host.
    pub fn route_refused(&self, challenge: &str, code: &'static str) {
        let labels = call_labels(challenge, code);
        self.master.route_refusals.get_or_create(&labels).inc();
    }

    /// An upload to a challenge ended.
    pub fn uploaded(&self, challenge: &str, outcome: &'static str) {
        let labels = call_labels(challenge, outcome);
        self.master.uploads.get_or_create(&labels).inc();
    }

    /// A request to the private API was refused.
    pub fn admin_refused(&self, code: &'static str) {
        let labels = OutcomeLabels { outcome: code };
        self.master.admin_refusals.get_or_create(&labels).inc();
    }

    /// An address was locked out of the private API.
    pub fn locked_out(&self) {
        self.master.lockouts.inc();
    }

    /// How many validators there are, by whether they are `online` or `offline`.
    pub fn set_validator_nodes(&self, online: usize, offline: usize) {
        for (outcome, count) in [("online", online), ("offline", offline)] {
            let nodes = self
                .master
                .validator_nodes
                .get_or_create(&OutcomeLabels { outcome });
            nodes.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A validator's signed request ended: `kind` is as in `heartbeat`, `outcome` is
    /// `ok` or a problem's code.
    pub fn validator_asked(&self, kind: &'static str, outcome: &'static str) {
        let labels = DeedLabels { kind, outcome };
        self.master.validator_requests.get_or_create(&labels).inc();
    }

    /// How many assignments are in a state.
    pub fn set_assignments(&self, state: &'static str, count: u64) {
        let assignments = self
            .master
            .assignments
            .get_or_create(&OutcomeLabels { outcome: state });
        assignments.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A validator told what became of an assignment.
    pub fn assignment_ended(&self, challenge: &str, outcome: &'static str) {
        let labels = call_labels(challenge, outcome);
        self.master.assignment_results.get_or_create(&labels).inc();
    }

    /// A GPU server was probed.
    pub fn gpu_probed(&self, outcome: &'static str) {
        let labels = OutcomeLabels { outcome };
        self.master.gpu_probes.get_or_create(&labels).inc();
    }

    /// A runner was given a task over HTTP.
    pub fn solved_remotely(&self, challenge: &str, outcome: &'static str) {
        let labels = call_labels(challenge, outcome);
        self.master.remote_solves.get_or_create(&labels).inc();
    }

    fn route_open(&self, challenge: &str) -> Gauge {
        let labels = ChallengeLabels {
            challenge: challenge.to_owned(),
        };
        self.master.route_open.get_or_create_owned(&labels)
    }
}

fn call_labels(challenge: &str, outcome: &'static str) -> CallLabels {
    CallLabels {
        challenge: challenge.to_owned(),
        outcome,
    }
}
