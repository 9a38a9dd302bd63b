//! The metrics that there are, as the host tells them.

use crate::promql::{Grouping, Query, Selector};
use proctor_host::audit::AuditMetrics;
use proctor_host::metrics::Metrics;
use proctor_host::plugins::{PluginState, RunState};
use proctor_host::receipts::Kind;
use proctor_host::sandbox::{CacheUse, CallReport, Outcome, SolveRecord};
use proctor_host::store::{CommitState, OutboxKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A metric family.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    /// The values that were told of each label, in the order of the labels.
    labels: Vec<(String, BTreeSet<String>)>,
}

impl Family {
    fn values(&self, label: &str) -> Option<&BTreeSet<String>> {
        let mut labels = self.labels.iter();
        labels
            .find(|(name, _)| name == label)
            .map(|(_, values)| values)
    }
}

/// Every metric, by the name that a query has for it.
pub(crate) struct Registry {
    families: BTreeMap<String, Family>,
}

/// Labels with values that are made up here.
const FREE: [&str; 7] = [
    "challenge",
    "validator_uid",
    "plugin",
    "route",
    "method",
    "status",
    "version",
];

/// Labels that Prometheus adds to all.
const TARGET: [&str; 2] = ["job", "instance"];

/// Something for every metric, as families without samples are not told. The codes
/// that are strings elsewhere are those that `deploy/` names.
fn feed(metrics: &Metrics) {
    let second = Duration::from_secs(1);
    let report = CallReport {
        fuel: 1,
        elapsed: second,
        memory_bytes: 1,
        host_calls: 0,
        log: String::new(),
    };
    for outcome in Outcome::ALL {
        metrics.evaluated("digits", outcome, &report);
        metrics.solved("digits", SolveRecord { outcome, fuel: 1 });
        metrics.compared("digits", outcome);
        metrics.judged("digits", outcome);
        metrics.paid("digits", outcome);
    }
    metrics.finalized("digits", 1.0, second);
    metrics.scored("digits", 1.0);
    metrics.set_queue(1, 1.0);
    metrics.compiled(CacheUse::Hit, second);
    metrics.compiled(CacheUse::Miss, second);
    let states = [PluginState::Active, PluginState::Rejected];
    metrics.set_plugins(states.iter().map(|state| ("digits.wasm", state.name())));
    metrics.set_challenges(["digits"].into_iter());
    let states = RunState::ALL.map(|state| ("digits", "active", state.name()));
    metrics.set_records(states.iter().copied());
    metrics.registry_changed("create");
    metrics.pulled("ok");
    metrics.submission_pulled("ok");
    metrics.submission_pulled("store_full");
    metrics.set_route_places_free(64);
    metrics.route_began("digits");
    for outcome in Outcome::ALL {
        metrics.route_ended("digits", outcome.code(), second, 1);
    }
    metrics.route_refused("digits", "overloaded");
    metrics.uploaded("digits", "ok");
    metrics.uploaded("digits", "store_full");
    metrics.admin_refused("unauthorized");
    metrics.locked_out();
    metrics.set_validator_nodes(1, 1);
    metrics.validator_asked("heartbeat", "ok");
    metrics.set_assignments("open", 1);
    metrics.assignment_ended("digits", "confirmed");
    metrics.assignment_ended("digits", "contradicted");
    metrics.gpu_probed("ok");
    metrics.solved_remotely("digits", "ok");
    metrics.set_commits(CommitState::ALL.iter().map(|state| ("digits", *state, 1)));
    metrics.set_faults([(0, "backdated".to_owned(), 1)].into_iter());
    metrics.polled("unchanged", second);
    metrics.round(1, 1);
    metrics.set_poll_ages([(0, 1.0)].into_iter());
    metrics.pushed("ok");
    metrics.set_is_done([("digits", true)].into_iter());
    metrics.set_overdue([("digits", 1.0)].into_iter());
    metrics.stepped(1.0);
    for kind in OutboxKind::ALL {
        metrics.set_outbox(kind.name(), 1, 1, 1.0);
        metrics.delivered(kind.name(), "ok");
    }
    metrics.set_stake_sufficient(true);
    metrics.backed_up(1.0);
    metrics.set_database_bytes(1);
    metrics.set_weight_sources(
        ["own", "fallback", "none"]
            .into_iter()
            .map(|source| ("digits", source, 0.5)),
    );
    metrics.dropped("digits", "unknown_hotkey");
    metrics.set_vector(1.0, false, false);
    metrics.set_chain_connected(true);
    metrics.chain_failover();
    metrics.chain_error("timeout");
    metrics.set_metagraph(1, 1.0);
    metrics.set_metagraph_stale(false);
    for outcome in ["confirmed", "rejected", "failed", "unconfirmed"] {
        metrics.submission_ended(outcome);
    }
    metrics.set_submission_open(false);
    metrics.set_submitted(1.0);
    metrics.set_submission_late(false);
    metrics.set_preflight_refused(Some("SettingWeightsTooFast"));
    metrics.set_key_mismatch(false);
    for outcome in ["queued", "duplicate", "not_registered"] {
        metrics.organic_entry("digits", outcome);
    }
    metrics.organic_dropped("digits", 1);
    metrics.organic_queue("digits", 1, 1.0, 1);
    metrics.organic_loop("digits", true, 1);
    for origin in ["organic", "synthetic"] {
        metrics.organic_iteration("digits", origin, "ok");
    }
    for phase in ["sample", "responses", "rewards", "weights", "total"] {
        metrics.organic_phase("digits", phase, second);
    }
    for outcome in ["ok", "timeout"] {
        metrics.miner_answered("digits", outcome, second);
    }
    for kind in Kind::ALL {
        metrics.receipt_made("digits", kind.name(), "ok", 1, second);
    }
    metrics.transcript_cut("digits");
    metrics.set_tree(1);
    metrics.blobs_pruned(1);
    for result in ["ok", "busy", "slow", "left", "failed"] {
        metrics.bundle(result);
    }
    metrics.event_streams(1);
    metrics.request("/livez", "GET", 200, second);
}

impl Registry {
    pub(crate) fn of_all_metrics() -> Self {
        let metrics = Metrics::default();
        feed(&metrics);
        let mut registry = Registry::read(&metrics.encode());
        let sources = [
            "src/metrics.rs",
            "src/metrics/master.rs",
            "src/metrics/organic.rs",
            "src/metrics/receipts.rs",
            "src/metrics/weights.rs",
        ];
        let registered = sources.map(|source| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
            let source = fs::read_to_string(source).unwrap();
            source.matches(" r.register").count()
        });
        assert_eq!(
            registry.families.len(),
            registered.iter().sum::<usize>(),
            "`feed` leaves a metric out"
        );
        // Of `proctor audit`, a process with metrics of its own: all are there at once.
        let audit = Registry::read(&AuditMetrics::default().encode());
        registry.families.extend(audit.families);
        registry
    }

    fn read(text: &str) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut help = "";
        let mut name = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split_once(' ').unwrap().1;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (family, kind) = rest.split_once(' ').unwrap();
                let suffix = if kind == "counter" { "_total" } else { "" };
                name = format!("{family}{suffix}");
                let family = families.entry(name.clone()).or_default();
                kind.clone_into(&mut family.kind);
                help.clone_into(&mut family.help);
            } else if let Some((_, rest)) = line.split_once('{') {
                let (labels, _) = rest.rsplit_once("} ").unwrap();
                let family = families.get_mut(&name).unwrap();
                for label in labels.split(',') {
                    let (label, value) = label.split_once('=').unwrap();
                    if label == "le" {
                        continue;
                    }
                    let value = value.trim_matches('"').to_owned();
                    match family.labels.iter_mut().find(|(name, _)| name == label) {
                        Some((_, values)) => {
                            values.insert(value);
                        }
                        None => family.labels.push((label.to_owned(), [value].into())),
                    }
                }
            }
        }
        Registry { families }
    }

    /// The family that a selector is of, and whether of its buckets.
    fn family(&self, metric: &str) -> Option<(&Family, bool)> {
        if let Some(family) = self.families.get(metric) {
            // A histogram has no samples of its own name.
            return (family.kind != "histogram").then_some((family, false));
        }
        let (name, suffix) = metric.rsplit_once('_')?;
        let family = self.families.get(name)?;
        let fits = family.kind == "histogram" && ["bucket", "sum", "count"].contains(&suffix);
        fits.then_some((family, suffix == "bucket"))
    }

    fn has_label(&self, metric: &str, label: &str) -> bool {
        TARGET.contains(&label)
            || self.family(metric).is_some_and(|(family, buckets)| {
                (buckets && label == "le") || family.values(label).is_some()
            })
    }

    /// What a query names and is not there.
    pub(crate) fn faults(&self, query: &Query) -> Vec<String> {
        let selectors = query.selectors.iter();
        let mut faults: Vec<String> = selectors.flat_map(|s| self.selector_faults(s)).collect();
        for Grouping { labels, of } in &query.groupings {
            for selector in &query.selectors[of.clone()] {
                let metric = &selector.metric;
                let unknown = labels.iter().filter(|l| !self.has_label(metric, l));
                faults.extend(unknown.map(|label| format!("{metric} has no label {label}")));
            }
        }
        faults
    }

    fn selector_faults(&self, selector: &Selector) -> Vec<String> {
        let metric = &selector.metric;
        // Prometheus' own.
        if self.family(metric).is_none() && metric != "up" {
            return vec![format!("no metric {metric}")];
        }
        let mut faults = Vec::new();
        for (label, value) in &selector.matchers {
            if !self.has_label(metric, label) {
                faults.push(format!("{metric} has no label {label}"));
            }
            let told = self.family(metric).and_then(|(f, _)| f.values(label));
            let Some(told) = told.filter(|_| !FREE.contains(&label.as_str())) else {
                continue;
            };
            let unknown = value.split('|').filter(|value| !told.contains(*value));
            faults.extend(unknown.map(|value| format!("{metric} has no {label} {value}")));
        }
        faults
    }

    /// Whether the result of a query has a label.
    pub(crate) fn tells(&self, query: &Query, label: &str) -> bool {
        if query.aggregations == 0 {
            let mut selectors = query.selectors.iter();
            return selectors.any(|selector| self.has_label(&selector.metric, label));
        }
        let mut groupings = query.groupings.iter();
        groupings.any(|grouping| grouping.labels.iter().any(|found| found == label))
    }

    /// The rows of the table in deploy/README.md.
    pub(crate) fn table(&self) -> Vec<String> {
        let row = |(name, family): (&String, &Family)| {
            let labels: Vec<String> = family
                .labels
                .iter()
                .map(|(label, _)| format!("`{label}`"))
                .collect();
            let help = family.help.trim_end_matches('.');
            format!(
                "| `{name}` | {} | {} | {help} |",
                family.kind,
                labels.join(", ")
            )
        };
        self.families.iter().map(row).collect()
    }
}
