//! What Prometheus scrapes.

use crate::commits::{Commit, all_revealed};
use crate::http::Response;
use crate::support::World;
use std::collections::BTreeMap;

/// A metric family, as its `# TYPE` and `# UNIT` say.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: String,
    help: String,
}

/// A text in the OpenMetrics format, checked line by line.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    families: BTreeMap<String, Family>,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Metrics {
    pub(crate) fn of(response: &Response) -> Self {
        assert_eq!(response.status, 200);
        assert!(
            response
                .header("content-type")
                .starts_with("application/openmetrics-text; version=1.0.0")
        );
        let text = response.body.strip_suffix("# EOF\n").unwrap();
        let mut metrics = Metrics::default();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(meta) = line.strip_prefix("# ") {
                let (keyword, rest) = meta.split_once(' ').unwrap();
                let (name, value) = rest.split_once(' ').unwrap();
                if name != family {
                    assert!(
                        !metrics.families.contains_key(name),
                        "not in one piece: {line}"
                    );
                    family = name.to_owned();
                }
                let known = metrics.families.entry(name.to_owned()).or_default();
                let place = match keyword {
                    "TYPE" => &mut known.kind,
                    "UNIT" => &mut known.unit,
                    "HELP" => &mut known.help,
                    _ => panic!("{line}"),
                };
                assert!(place.is_empty(), "twice: {line}");
                *place = value.to_owned();
            } else {
                metrics.sample(&family, line);
            }
        }
        metrics.check_families();
        metrics
    }

    fn sample(&mut self, family: &str, line: &str) {
        let (name, labels, value) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, value) = rest.rsplit_once("} ").unwrap();
                (name, labels, value)
            }
            None => {
                let (name, value) = line.split_once(' ').unwrap();
                (name, "", value)
            }
        };
        let suffix = name
            .strip_prefix(family)
            .unwrap_or_else(|| panic!("{line}"));
        let suffixes: &[&str] = match self.families[family].kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            kind => panic!("{kind}: {line}"),
        };
        assert!(suffixes.contains(&suffix), "{line}");
        let labels = labels.split_terminator(',').map(|label| {
            let (name, value) = label.split_once("=\"").unwrap();
            (name.to_owned(), value.strip_suffix('"').unwrap().to_owned())
        });
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        self.samples
            .push((name.to_owned(), labels.collect(), value));
    }

    fn check_families(&self) {
        for (name, family) in &self.families {
            assert!(name.starts_with("proctor_"), "{name}");
            assert!(!family.kind.is_empty() && !family.help.is_empty(), "{name}");
            assert!(name.ends_with(&family.unit), "{name}: {family:?}");
            assert!(family.help.ends_with('.'), "{name}: {family:?}");
        }
    }

    /// Sum of the samples with these labels, which may have others too.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |found: &BTreeMap<String, String>| {
            labels
                .iter()
                .all(|(name, value)| found.get(*name).is_some_and(|found| found == value))
        };
        let samples = self.samples.iter();
        samples
            .filter(|(found, labels, _)| found == name && fits(labels))
            .map(|(.., value)| value)
            .sum()
    }
}

#[test]
fn the_domain_is_measured() {
    let world = World::cold().with_digits();
    let commits = [
        Commit::new(3, &world.add_artifact("knn"), 30.0),
        Commit::new(4, &world.add_artifact("endless_loop"), 29.0),
        Commit::new(5, &"0".repeat(64), 1.0),
    ];
    world.ingest(0, &all_revealed(&commits));
    let mut server = world.serve(&[]);
    server.wait_for("finalized");
    assert_eq!(server.get("/livez").status, 200);
    server.get("/metrics").assert_problem(404, "not_found");
    let metrics = Metrics::of(&server.admin_get("/metrics"));
    let digits = ("challenge", "digits");
    for (name, labels, value) in [
        (
            "proctor_evaluations_total",
            vec![digits, ("outcome", "ok")],
            2.0,
        ),
        ("proctor_evaluation_seconds_count", vec![digits], 2.0),
        ("proctor_solves_total", vec![digits, ("outcome", "ok")], 2.0),
        (
            "proctor_solves_total",
            vec![digits, ("outcome", "out_of_fuel")],
            2.0,
        ),
        ("proctor_evaluation_queue_depth", vec![], 0.0),
        ("proctor_evaluation_queue_age_seconds", vec![], 0.0),
        ("proctor_is_done", vec![digits], 1.0),
        ("proctor_finalization_overdue_seconds", vec![], 0.0),
        ("proctor_build_info", vec![], 1.0),
        (
            "proctor_last_step_time_seconds",
            vec![],
            crate::support::START,
        ),
        (
            "proctor_http_request_seconds_count",
            vec![("route", "/livez")],
            1.0,
        ),
        (
            "proctor_compile_cache_total",
            vec![("outcome", "miss")],
            3.0,
        ),
        ("proctor_compile_seconds_count", vec![], 3.0),
        (
            "proctor_plugin_state",
            vec![("plugin", "digits.wasm"), ("state", "active")],
            1.0,
        ),
        ("proctor_plugin_state", vec![], 1.0),
        ("proctor_commits", vec![digits, ("state", "judged")], 2.0),
        ("proctor_commits", vec![digits, ("state", "sealed")], 1.0),
        ("proctor_commits", vec![digits], 3.0),
        (
            "proctor_http_requests_total",
            vec![("route", "/livez"), ("method", "GET"), ("status", "200")],
            1.0,
        ),
        (
            "proctor_http_requests_total",
            vec![("route", "unmatched"), ("status", "404")],
            1.0,
        ),
    ] {
        assert_eq!(metrics.sum(name, &labels), value, "{name} {labels:?}");
    }
    for name in [
        "proctor_evaluation_fuel_total",
        "proctor_evaluation_seconds_sum",
        "proctor_evaluation_memory_bytes",
        "proctor_compile_seconds_sum",
    ] {
        assert!(metrics.sum(name, &[]) > 0.0, "{name}");
    }
    server.stop();
}

#[test]
fn the_gauges_of_a_challenge_vanish_when_it_retires() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    server.wait_for("finalized");
    let told = || {
        let metrics = Metrics::of(&server.admin_get("/metrics"));
        let gauges = [
            "proctor_is_done",
            "proctor_commits",
            "proctor_finalization_overdue_seconds",
            "proctor_finalization_lateness_seconds",
            "proctor_evaluation_memory_bytes",
        ];
        let told = gauges.map(|name| metrics.families.contains_key(name));
        let counted = metrics.sum("proctor_verdicts_total", &[]);
        (told, counted)
    };
    assert_eq!(told(), ([true; 5], 1.0));
    std::fs::remove_file(world.plugins().join("digits.wasm")).unwrap();
    crate::support::until("it is gone", || told() == ([false; 5], 1.0));
    server.stop();
}

#[test]
fn the_time_of_the_backup_is_known_after_a_start() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    server.wait_for("finalized");
    server.stop();
    let path = world.data().join("scoring_results.json");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    file.set_modified(at).unwrap();
    let server = world.serve(&[]);
    crate::support::until("its time is told", || {
        let metrics = Metrics::of(&server.admin_get("/metrics"));
        metrics.sum("proctor_backup_time_seconds", &[]) == 1_000.0
    });
    server.stop();
}

#[test]
fn metrics_are_public_only_where_that_is_wanted() {
    let world = World::new();
    let server = world.serve(&["public.metrics=true"]);
    let public = Metrics::of(&server.get("/metrics"));
    let depth = "proctor_evaluation_queue_depth";
    assert!(public.families.contains_key(depth));
    Metrics::of(&server.admin_get("/metrics"));
    server.stop();
}

#[test]
fn evaluations_that_wait_are_measured_with_their_age() {
    let world = World::new().with_digits();
    let commit = Commit::new(3, &"0".repeat(64), 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&["scoring.retry_s=1000"]);
    server.wait_for("evaluation put back");
    world.pass(90.0);
    crate::support::until("it is 90 seconds old", || {
        let metrics = Metrics::of(&server.admin_get("/metrics"));
        let names = [
            "proctor_evaluation_queue_depth",
            "proctor_evaluation_queue_age_seconds",
            // Since 14:00, an hour before the start.
            "proctor_finalization_overdue_seconds",
        ];
        names.map(|name| metrics.sum(name, &[])) == [1.0, 90.0, 3690.0]
    });
    server.stop();
}
