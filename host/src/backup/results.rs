//! An evaluation as the API that Proctor replaces kept it, with what it lacks: with
//! what the result was made.

use crate::compat;
use crate::sandbox::types::{ComparisonLog, ScoringLog};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;

/// How an evaluation was published.
#[derive(Debug, Default, Deserialize)]
struct Published {
    artifact: Option<String>,
    judged_at: Option<f64>,
    compared: Vec<(String, Option<String>, String)>,
}

/// The row of an evaluation as an item of the file. All that the row holds is in it:
/// its logs as they were, where the item's cannot tell them exactly.
///
/// # Errors
///
/// If what is stored cannot be read.
pub(super) fn item(mut row: Map<String, Value>) -> io::Result<Value> {
    let published = row.remove("published").unwrap_or_default();
    let published: Published = serde_json::from_value(published)?;
    let stored = row.remove("logs").unwrap_or_default();
    let stored = stored.as_str().unwrap_or("[]").to_owned();
    let logs: Vec<ScoringLog> = serde_json::from_str(&stored)?;
    let logs: Vec<compat::ScoringLog> = logs.iter().map(shown).collect::<Result<_, _>>()?;
    if original(&logs).as_ref() != Some(&stored) {
        row.insert("logs".into(), stored.into());
    }
    let digest = row.get("artifact_digest").and_then(Value::as_str);
    let artifact = published
        .artifact
        .unwrap_or_else(|| format!("sha256:{}", digest.unwrap_or_default()));
    let mut compared: BTreeMap<String, Vec<compat::ComparisonLog>> = BTreeMap::new();
    for (reference, hotkey, logs) in published.compared {
        let logs: Vec<ComparisonLog> = serde_json::from_str(&logs)?;
        let logs = logs.into_iter().map(|log| compat::ComparisonLog {
            similarity_score: Some(log.similarity),
            reason: log.reason,
            reference_hotkey: hotkey.clone(),
            ..compat::ComparisonLog::default()
        });
        compared.entry(reference).or_default().extend(logs);
    }
    Ok(json!({
        "challenge_name": row.get("challenge"),
        "docker_hub_id": artifact,
        "scoring_logs": logs,
        "comparison_logs": compared,
        "scored_timestamp": published.judged_at,
        "proctor": row,
    }))
}

/// The row of an evaluation from an item of the file; none if it is no such item.
pub(super) fn row(mut item: Map<String, Value>) -> Option<Map<String, Value>> {
    let Some(Value::Object(mut row)) = item.remove("proctor") else {
        return None;
    };
    if !row.contains_key("logs") {
        let logs = serde_json::from_value::<Vec<compat::ScoringLog>>(item.remove("scoring_logs")?);
        row.insert("logs".into(), original(&logs.ok()?)?.into());
    }
    Some(row)
}

fn shown(log: &ScoringLog) -> serde_json::Result<compat::ScoringLog> {
    let input: Value = serde_json::from_str(&log.task)?;
    // What cannot be shown is kept as it is beside.
    let output = log.solution.as_deref().map(serde_json::from_str);
    let output = output.and_then(Result::ok);
    Ok(compat::ScoringLog {
        score: Some(log.score),
        input_hash: compat::input_hash_of_text(&log.task),
        miner_input: Some(input).filter(|input| !input.is_null()),
        miner_output: output.filter(|output: &Value| !output.is_null()),
        error: log.error.clone(),
        baseline_score: log.baseline_score,
        ..compat::ScoringLog::default()
    })
}

/// What is stored of logs that are shown so.
fn original(logs: &[compat::ScoringLog]) -> Option<String> {
    let logs: Option<Vec<ScoringLog>> = logs
        .iter()
        .map(|log| {
            let task = log.miner_input.as_ref();
            Some(ScoringLog {
                task: task.map_or_else(|| "null".to_owned(), Value::to_string),
                solution: log.miner_output.as_ref().map(Value::to_string),
                score: log.score?,
                baseline_score: log.baseline_score,
                error: log.error.clone(),
            })
        })
        .collect();
    serde_json::to_string(&logs?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(logs: &[ScoringLog]) -> (Value, Value) {
        let stored = serde_json::to_string(logs).unwrap();
        let evaluation = json!({
            "id": 1, "challenge": "c", "artifact_digest": "d", "logs": stored,
            "published": {"artifact": "r@sha256:d", "judged_at": 2.5, "compared": [
                ["o@sha256:e", "m", r#"[{"reference":"e","similarity":0.5,"reason":null}]"#],
            ]},
        });
        let item = item(evaluation.as_object().cloned().unwrap()).unwrap();
        let text = item.to_string();
        let read: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let row = row(read).unwrap();
        assert_eq!(row["logs"], *stored, "{item}");
        (item, row.into())
    }

    fn log(task: &str, solution: Option<&str>) -> ScoringLog {
        ScoringLog {
            task: task.into(),
            solution: solution.map(str::to_owned),
            score: 0.1,
            baseline_score: Some(1e-7),
            error: Some("e".into()),
        }
    }

    #[test]
    fn an_item_reads_as_it_did_there_and_comes_back_as_it_was() {
        let (item, row) = there_and_back(&[log(r#"{"b":[1,2.5],"a":"ä"}"#, Some("[1e-7]"))]);
        assert_eq!(item["docker_hub_id"], "r@sha256:d");
        assert_eq!(item["scored_timestamp"], 2.5);
        assert_eq!(item["scoring_logs"][0]["miner_input"]["b"], json!([1, 2.5]));
        assert_eq!(
            item["comparison_logs"]["o@sha256:e"][0]["similarity_score"],
            0.5
        );
        assert_eq!(item["proctor"].get("logs"), None, "they are told once");
        assert_eq!(row["id"], 1);
    }

    #[test]
    fn logs_that_the_shape_cannot_tell_are_kept_as_they_were() {
        for (task, solution) in [
            ("{ \"a\": 1 }", None),
            ("1.50", Some("1E5")),
            ("123456789012345678901234567890", None),
            ("null", Some("null")),
            (r#"{"a":1,"a":2}"#, None),
        ] {
            let (item, _) = there_and_back(&[log(task, solution)]);
            assert!(item["proctor"].get("logs").is_some(), "{task}");
        }
        there_and_back(&[log("null", None)]);
        there_and_back(&[]);
    }
}
