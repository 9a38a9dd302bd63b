//! Where a result comes from: what is added to each one that is stored with the
//! service, so that it can be taken for an evaluation again.

use crate::commits::ArtifactRef;
use crate::compat::{ScoringLog, input_hash_of_text};
use crate::sandbox::{Outcome, sha256_hex, types};
use crate::store::{EvaluationResult, EvaluationRow, JobKey, Kept};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest text of the host's own in a result, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 10;
/// Most tasks of one evaluation.
const MAX_TASKS: usize = 100_000;

/// All that an evaluation depends on, and what the shapes of the service leave out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    pub(crate) plugin_digest: String,
    pub(crate) settings_digest: String,
    pub(crate) artifact_digest: String,
    pub(crate) engine: String,
    /// In decimal: others read numbers as floats.
    pub(crate) seed: String,
    pub(crate) now: f64,
    pub(crate) outcome: String,
    pub(crate) done: bool,
    pub(crate) message: Option<String>,
    pub(crate) solves: BTreeMap<String, u64>,
    pub(crate) fuel: u64,
    /// SHA-256 of the logs as they are stored here. A service that writes JSON
    /// in another way changes tasks, by whose text answers are compared.
    pub(crate) logs_digest: String,
}

/// A result of the service, as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    challenge_name: String,
    docker_hub_id: String,
    scoring_logs: Vec<ScoringLog>,
    proctor: Provenance,
}

/// An evaluation that was done before.
#[derive(Debug)]
pub(super) struct Evaluated {
    pub(super) key: JobKey,
    pub(super) seed: u64,
    pub(super) now: f64,
    pub(super) result: EvaluationResult,
}

impl Provenance {
    /// That of an evaluation, which used so much fuel.
    pub(crate) fn new(row: &EvaluationRow, fuel: u64) -> Self {
        Provenance {
            plugin_digest: row.key.plugin_digest.clone(),
            settings_digest: row.key.settings_digest.clone(),
            artifact_digest: row.key.artifact_digest.clone(),
            engine: row.key.engine.clone(),
            seed: row.seed.to_string(),
            now: row.now,
            outcome: row.outcome.clone(),
            done: row.done,
            message: row.message.clone(),
            solves: serde_json::from_str(&row.solves).unwrap_or_default(),
            fuel,
            logs_digest: sha256_hex(row.logs.as_bytes()),
        }
    }
}

/// Logs of an evaluation in the service's shape, tasks and answers included.
pub(crate) fn scoring_logs(logs: Vec<types::ScoringLog>) -> Vec<ScoringLog> {
    let log = |log: types::ScoringLog| {
        let task = serde_json::from_str(&log.task).ok();
        let answer = log.solution.as_deref();
        ScoringLog {
            score: Some(log.score),
            input_hash: input_hash_of_text(&log.task),
            miner_input: task,
            miner_output: answer.and_then(|text| serde_json::from_str(text).ok()),
            validation_output: None,
            error: log.error,
            baseline_score: log.baseline_score,
        }
    };
    logs.into_iter().map(log).collect()
}

impl Item {
    /// The evaluation of `challenge` that it was, finished as far as anybody knows
    /// at `now`; or what is wrong with it.
    pub(super) fn evaluated(self, challenge: &str, now: f64) -> Result<Evaluated, &'static str> {
        let from = self.proctor;
        let digests = [
            &from.plugin_digest,
            &from.settings_digest,
            &from.artifact_digest,
        ];
        if !digests.into_iter().all(|digest| is_digest(digest)) {
            return Err("a digest is not 64 hex digits");
        }
        let artifact: Result<ArtifactRef, _> = self.docker_hub_id.parse();
        if !artifact.is_ok_and(|artifact| artifact.digest() == from.artifact_digest) {
            return Err("it is of another artifact");
        }
        if self.challenge_name != challenge {
            return Err("it is of another challenge");
        }
        let message = from.message.as_deref().unwrap_or_default();
        if from.engine.len() > MAX_TEXT || message.len() > MAX_TEXT {
            return Err("a text is too long");
        }
        let outcome = Outcome::from_code(&from.outcome).ok_or("the outcome is unknown")?;
        let known = |code: &String| Outcome::from_code(code).is_some();
        if !from.solves.keys().all(known) {
            return Err("an outcome of a task is unknown");
        }
        let seed: u64 = from.seed.parse().map_err(|_| "the seed is no number")?;
        if !from.now.is_finite() || from.fuel > i64::MAX.unsigned_abs() {
            return Err("a number is out of range");
        }
        let is_ok = outcome == Outcome::Ok;
        if self.scoring_logs.len() > MAX_TASKS || self.scoring_logs.is_empty() == is_ok {
            return Err("the tasks do not fit the outcome");
        }
        if is_ok && !from.done {
            return Err("it is a success and none");
        }
        let logs: Option<Vec<_>> = self.scoring_logs.into_iter().map(stored).collect();
        let logs = logs.ok_or("a score is not finite")?;
        let logs = serde_json::to_string(&logs).map_err(|_| "the logs cannot be written")?;
        if sha256_hex(logs.as_bytes()) != from.logs_digest {
            return Err("the logs are not what they were");
        }
        Ok(Evaluated {
            key: JobKey {
                challenge: self.challenge_name,
                plugin_digest: from.plugin_digest,
                settings_digest: from.settings_digest,
                artifact_digest: from.artifact_digest,
                engine: from.engine,
            },
            seed,
            now: from.now,
            result: EvaluationResult {
                outcome: outcome.code(),
                done: from.done,
                message: from.message,
                solves: serde_json::json!(from.solves).to_string(),
                logs,
                fuel: from.fuel,
                finished_at: now,
                receipt: None,
                kept: Kept::default(),
            },
        })
    }
}

/// The log as this host stores it; none if there is no finite score.
fn stored(log: ScoringLog) -> Option<types::ScoringLog> {
    let finite = log.baseline_score.is_none_or(f64::is_finite);
    Some(types::ScoringLog {
        task: log.miner_input.unwrap_or_default().to_string(),
        solution: log.miner_output.map(|answer| answer.to_string()),
        score: log.score.filter(|score| score.is_finite() && finite)?,
        baseline_score: log.baseline_score,
        error: log.error,
    })
}

pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn row() -> EvaluationRow {
        let logs = vec![types::ScoringLog {
            task: r#"{"b":[1,0.1],"a":"é"}"#.into(),
            solution: Some("[7]".into()),
            score: 0.1,
            baseline_score: None,
            error: None,
        }];
        let digest = |letter: &str| letter.repeat(64);
        EvaluationRow {
            id: 1,
            key: JobKey {
                challenge: "digits".into(),
                plugin_digest: digest("a"),
                settings_digest: digest("b"),
                artifact_digest: digest("c"),
                engine: "wasmtime".into(),
            },
            seed: u64::MAX,
            now: 1_787_356_800.0,
            done: true,
            outcome: "ok".into(),
            message: None,
            solves: r#"{"ok":1}"#.into(),
            logs: serde_json::to_string(&logs).unwrap(),
            receipt: None,
        }
    }

    fn item() -> Value {
        let row = row();
        let logs = scoring_logs(serde_json::from_str(&row.logs).unwrap());
        json!({
            "challenge_name": "digits",
            "docker_hub_id": format!("sha256:{}", "c".repeat(64)),
            "scoring_logs": logs,
            "comparison_logs": {},
            "proctor": Provenance::new(&row, 5),
        })
    }

    fn read(item: Value) -> Result<Evaluated, String> {
        let item: Item = serde_json::from_value(item).map_err(|e| e.to_string())?;
        Ok(item.evaluated("digits", 9.0)?)
    }

    #[test]
    fn what_was_stored_with_the_service_is_read_back_as_it_was() {
        let read = read(item()).unwrap();
        let row = row();
        assert_eq!(
            (read.key, read.seed, read.now),
            (row.key, row.seed, row.now)
        );
        let result = read.result;
        assert_eq!((result.logs, result.solves), (row.logs, row.solves));
        assert_eq!((result.outcome, result.fuel), ("ok", 5));
        assert!(result.done);
    }

    #[test]
    fn what_is_not_as_it_was_is_refused() {
        let changes: [(&str, Value); 14] = [
            ("/challenge_name", json!("other")),
            ("/docker_hub_id", json!("latest")),
            (
                "/docker_hub_id",
                json!(format!("sha256:{}", "d".repeat(64))),
            ),
            ("/scoring_logs", json!([])),
            ("/scoring_logs/0/score", json!(0.2)),
            ("/scoring_logs/0/score", json!(null)),
            // A service that sorts names.
            (
                "/scoring_logs/0/miner_input",
                json!({"a": "é", "b": [1, 0.1]}),
            ),
            ("/proctor", json!(null)),
            ("/proctor/plugin_digest", json!("../../etc")),
            ("/proctor/settings_digest", json!("A".repeat(64))),
            ("/proctor/seed", json!("-1")),
            ("/proctor/outcome", json!("fine")),
            ("/proctor/solves", json!({"fine": 1})),
            ("/proctor/done", json!(false)),
        ];
        for (place, value) in changes {
            let mut item = item();
            *item.pointer_mut(place).unwrap() = value.clone();
            assert!(read(item).is_err(), "{place} {value}");
        }
        let mut long = item();
        *long.pointer_mut("/proctor/engine").unwrap() = json!("x".repeat(MAX_TEXT + 1));
        assert!(read(long).is_err());
    }
}
