//! What `deploy/` says of metrics, held against the metrics that there are. promtool
//! checks that it is well formed (`.ci/run deploy`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helper functions of a test"
)]

#[path = "deploy/promql.rs"]
mod promql;
#[path = "deploy/registry.rs"]
mod registry;

use promql::Query;
use registry::Registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn deployed(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    fs::read_to_string(root.join(file)).unwrap()
}

/// Names between `open` and `close`, such as `{{challenge}}`.
fn placeholders<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let parts = text.split(open).skip(1);
    parts
        .map(|part| part.split(close).next().unwrap().trim())
        .collect()
}

/// An alert of alerts.yml, which is written one key a line.
#[derive(Default)]
struct Alert {
    name: String,
    query: String,
    severity: String,
    annotations: String,
}

fn alerts() -> Vec<Alert> {
    let text = deployed("prometheus/alerts.yml");
    let mut alerts: Vec<Alert> = Vec::new();
    let mut key = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("- alert: ") {
            alerts.push(Alert {
                name: name.to_owned(),
                ..Alert::default()
            });
            continue;
        }
        let Some(alert) = alerts.last_mut() else {
            continue;
        };
        let keys = [
            "expr",
            "for",
            "labels",
            "severity",
            "annotations",
            "summary",
            "description",
        ];
        let value = match line.split_once(':') {
            Some((found, value)) if keys.contains(&found) => {
                found.clone_into(&mut key);
                value.trim()
            }
            _ => line,
        };
        let place = match key.as_str() {
            "expr" => &mut alert.query,
            "severity" => &mut alert.severity,
            "summary" | "description" => &mut alert.annotations,
            _ => continue,
        };
        if !["|", ">-"].contains(&value) {
            place.push_str(value);
            place.push('\n');
        }
    }
    alerts
}

fn dashboard() -> Value {
    serde_json::from_str(&deployed("grafana/proctor.json")).unwrap()
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels
        .iter()
        .filter(|panel| panel["type"] != "row")
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn every_alert_asks_for_metrics_that_there_are() {
    let registry = Registry::of_all_metrics();
    let alerts = alerts();
    assert!(alerts.len() > 10, "the rules are not read");
    for alert in alerts {
        let query = Query::parse(&alert.query).unwrap();
        assert_eq!(registry.faults(&query), [""; 0], "{}", alert.name);
        for label in placeholders(&alert.annotations, "{{ $labels.", "}}") {
            assert!(
                registry.tells(&query, label),
                "{}: no label {label}",
                alert.name
            );
        }
        assert!(
            ["critical", "warning"].contains(&alert.severity.trim()),
            "{}",
            alert.name
        );
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_not_to_fire() {
    let mut tested: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for file in [
        "prometheus/alerts_test.yml",
        "prometheus/alerts_days_test.yml",
    ] {
        let text = deployed(file);
        let mut name = "";
        for line in text.lines().map(str::trim) {
            if let Some(found) = line.strip_prefix("alertname: ") {
                name = found;
            } else if let Some(expected) = line.strip_prefix("exp_alerts:") {
                let fires = expected.trim() != "[]";
                tested.entry(name.to_owned()).or_default().insert(fires);
            }
        }
    }
    let wanted = alerts()
        .into_iter()
        .map(|alert| (alert.name, BTreeSet::from([false, true])))
        .collect();
    assert_eq!(tested, wanted);
}

#[test]
fn every_panel_asks_for_metrics_that_there_are() {
    let registry = Registry::of_all_metrics();
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        let title = text(panel, "title");
        for target in panel["targets"].as_array().unwrap() {
            let query = Query::parse(text(target, "expr")).unwrap();
            assert!(!query.selectors.is_empty(), "{title}");
            assert_eq!(registry.faults(&query), [""; 0], "{title}");
            for label in placeholders(text(target, "legendFormat"), "{{", "}}") {
                assert!(registry.tells(&query, label), "{title}: no label {label}");
            }
        }
    }
}

#[test]
fn every_variable_asks_for_metrics_that_there_are() {
    let registry = Registry::of_all_metrics();
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|v| text(v, "name")).collect();
    assert_eq!(names, ["datasource", "instance", "challenge"]);
    for variable in &variables[1..] {
        assert_eq!(
            text(&variable["query"], "query"),
            text(variable, "definition")
        );
        let (query, label) = text(variable, "definition")
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')')?.rsplit_once(", "))
            .unwrap();
        let query = Query::parse(query).unwrap();
        assert_eq!(registry.faults(&query), [""; 0]);
        assert!(registry.tells(&query, label), "no label {label}");
    }
}

#[test]
fn every_panel_says_what_it_shows() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = text(panel, "title");
        assert!(!title.is_empty());
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{title}: same id"
        );
        let place = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        let [left, top, width, height] = place;
        assert!(left + width <= 24, "{title}: too wide");
        for (x, y) in (left..left + width).flat_map(|x| (top..top + height).map(move |y| (x, y))) {
            assert!(cells.insert((x, y)), "{title}: over another panel");
        }
    }
    for panel in panels(&dashboard) {
        let title = text(panel, "title");
        assert!(titles.insert(title), "{title}: same title");
        assert!(
            text(panel, "description").ends_with('.'),
            "{title}: no description"
        );
        let unit = text(&panel["fieldConfig"]["defaults"], "unit");
        assert!(!unit.is_empty(), "{title}: no unit");
        assert_eq!(
            panel["datasource"]["uid"], "${datasource}",
            "{title}: a fixed data source"
        );
        let targets = panel["targets"].as_array().unwrap();
        let refs: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
        assert_eq!(refs.len(), targets.len(), "{title}: same refId");
    }
}

#[test]
fn the_table_of_metrics_is_complete() {
    let readme = deployed("README.md");
    let told: BTreeSet<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| `proctor_"))
        .collect();
    let rows = Registry::of_all_metrics().table();
    let there: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
    let missing: Vec<&&str> = there.difference(&told).collect();
    let gone: Vec<&&str> = told.difference(&there).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "deploy/README.md lacks {missing:#?} and has {gone:#?}"
    );
}
