//! A commit with its logs, as the newer version passes it around.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::hash::input_hash_of_text;

/// One task that a submission was given, and what came of it.
///
/// When it is read, `input_hash` is computed from the text of `miner_input`, whatever
/// is said of it; it is kept as it is only if the input is gone. So it is exact also for
/// inputs that `miner_input` rounds; an input that it cannot hold at all is refused.
/// Logs are read from JSON only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub struct ScoringLog {
    /// The score, usually in 0 to 1; null if there is none.
    pub score: Option<f64>,
    /// The task.
    pub miner_input: Option<Value>,
    /// What the submission answered.
    pub miner_output: Option<Value>,
    /// What validating the answer gave. Not in the older version.
    pub validation_output: Option<Value>,
    /// Why there is no score.
    pub error: Option<String>,
    /// The score of the baseline for the same task.
    pub baseline_score: Option<f64>,
    /// The [`input_hash`](super::input_hash) of the task.
    pub input_hash: Option<String>,
}

/// The answers of two submissions to one task, compared.
///
/// `input_hash` is read as in [`ScoringLog`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub struct ComparisonLog {
    /// How similar the answers are, 0 to 1; null if they were not compared.
    pub similarity_score: Option<f64>,
    /// The task.
    pub miner_input: Option<Value>,
    /// What the submission answered.
    pub miner_output: Option<Value>,
    /// What the one that it is compared with answered.
    pub reference_output: Option<Value>,
    /// Why they could not be compared.
    pub error: Option<String>,
    /// The [`input_hash`](super::input_hash) of the task.
    pub input_hash: Option<String>,
    /// Why they are as similar as that. Not in the older version.
    pub reason: Option<String>,
    /// The miner of the one that it is compared with, in SS58.
    pub reference_hotkey: Option<String>,
    /// What comparing the other way round gave.
    pub reference_similarity_score: Option<f64>,
}

/// One miner's commit for one challenge: what was committed, and what came of it.
///
/// Missing fields are null or empty, unknown ones are ignored, and null ones are
/// written. The parameters are the logs, which differ between the versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    bound(deserialize = "S: Deserialize<'de>, C: Deserialize<'de>")
)]
pub struct MinerChallengeCommit<S = ScoringLog, C = ComparisonLog> {
    /// The miner's uid.
    pub miner_uid: Option<i64>,
    /// The miner's hotkey, in SS58.
    pub miner_hotkey: Option<String>,
    /// The challenge.
    pub challenge_name: Option<String>,
    /// The artifact, once it is revealed.
    pub docker_hub_id: Option<String>,
    /// When it was committed, in Unix seconds.
    pub commit_timestamp: Option<f64>,
    /// The Fernet token that the miner published.
    pub encrypted_commit: Option<String>,
    /// The key that opens it, once the miner published it.
    pub key: Option<String>,
    /// What it opens to, `<challenge>---<artifact>`.
    pub commit: Option<String>,
    /// One log for each task.
    pub scoring_logs: Vec<S>,
    /// What it was compared with → one log for each task; written in the order of the
    /// names.
    pub comparison_logs: BTreeMap<String, Vec<C>>,
    /// When it was scored, in Unix seconds.
    pub scored_timestamp: Option<f64>,
    /// The score, before the penalty.
    pub score: Option<f64>,
    /// The penalty, 0 to 1.
    pub penalty: Option<f64>,
    /// Whether the penalty is low enough.
    pub accepted: Option<bool>,
}

impl<S, C> Default for MinerChallengeCommit<S, C> {
    /// Nothing but nulls. (Derived, it would ask for a default of the logs.)
    fn default() -> Self {
        Self {
            miner_uid: None,
            miner_hotkey: None,
            challenge_name: None,
            docker_hub_id: None,
            commit_timestamp: None,
            encrypted_commit: None,
            key: None,
            commit: None,
            scoring_logs: Vec::new(),
            comparison_logs: BTreeMap::new(),
            scored_timestamp: None,
            score: None,
            penalty: None,
            accepted: None,
        }
    }
}

// `remote = "Self"` makes functions of what would be the implementations, so that
// something can be done around them.

impl<'de> Deserialize<'de> for ScoringLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let mut json = serde_json::Deserializer::from_str(text.get());
        let mut log = Self::deserialize(&mut json).map_err(D::Error::custom)?;
        rehash(&mut log.input_hash, &text).map_err(D::Error::custom)?;
        Ok(log)
    }
}

impl Serialize for ScoringLog {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for ComparisonLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let mut json = serde_json::Deserializer::from_str(text.get());
        let mut log = Self::deserialize(&mut json).map_err(D::Error::custom)?;
        rehash(&mut log.input_hash, &text).map_err(D::Error::custom)?;
        Ok(log)
    }
}

impl Serialize for ComparisonLog {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        Self::serialize(self, serializer)
    }
}

#[derive(Deserialize)]
struct Task<'a> {
    #[serde(borrow)]
    miner_input: Option<&'a RawValue>,
}

fn rehash(hash: &mut Option<String>, log: &RawValue) -> serde_json::Result<()> {
    let task: Task<'_> = serde_json::from_str(log.get())?;
    if let Some(input) = task.miner_input {
        *hash = input_hash_of_text(input.get());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::hash::input_hash;
    use super::*;
    use serde_json::json;
    use sha2::Digest;

    #[test]
    fn the_hash_of_an_input_is_not_believed_but_computed() {
        let log = json!({"miner_input": {"x": 1}, "input_hash": "made up"});
        let right = input_hash(&json!({"x": 1}));
        let scoring: ScoringLog = serde_json::from_value(log.clone()).unwrap();
        let comparison: ComparisonLog = serde_json::from_value(log).unwrap();
        assert_eq!(
            (scoring.input_hash, comparison.input_hash),
            (right.clone(), right)
        );

        let empty = json!({"miner_input": {}, "input_hash": "made up"});
        let log: ScoringLog = serde_json::from_value(empty).unwrap();
        assert_eq!(log.input_hash, None);
    }

    #[test]
    fn the_hash_of_an_input_that_a_value_rounds_is_that_of_its_text() {
        for (input, python) in [
            (
                "{\"x\":18446744073709551616}",
                "{\"x\": 18446744073709551616}",
            ),
            ("{\"x\": -0}", "{\"x\": 0}"),
        ] {
            let right = hex::encode(sha2::Sha256::digest(python));
            let text = format!("{{\"miner_input\": {input}, \"error\": \"e\"}}");
            let scoring: ScoringLog = serde_json::from_str(&text).unwrap();
            assert_eq!(scoring.input_hash.as_ref(), Some(&right), "{input}");
            assert_eq!(scoring.error.as_deref(), Some("e"));
            let commit = format!("{{\"comparison_logs\": {{\"r\": [{text}]}}}}");
            let commit: MinerChallengeCommit = serde_json::from_str(&commit).unwrap();
            let comparison = &commit.comparison_logs["r"][0];
            assert_eq!(comparison.input_hash.as_ref(), Some(&right), "{input}");
            assert!(comparison.miner_input.is_some());
            assert_eq!(comparison.state_view().input_hash, Some(right), "{input}");
        }
        let half = r#"{"miner_input": {"x": "\ud800"}, "input_hash": "h"}"#;
        assert!(serde_json::from_str::<ScoringLog>(half).is_err());
    }

    #[test]
    fn the_hash_of_an_input_that_is_gone_is_kept() {
        for log in [
            json!({"input_hash": "h"}),
            json!({"miner_input": null, "input_hash": "h"}),
        ] {
            let log: ScoringLog = serde_json::from_value(log).unwrap();
            assert_eq!(log.input_hash.as_deref(), Some("h"));
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_nulls_are_written() {
        let text =
            r#"{"novel": 1, "scoring_logs": [{"novel": 2}], "comparison_logs": {"r": [{}]}}"#;
        let commit: MinerChallengeCommit = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_json::to_string(&commit).unwrap(),
            "{\"miner_uid\":null,\"miner_hotkey\":null,\"challenge_name\":null,\
             \"docker_hub_id\":null,\"commit_timestamp\":null,\"encrypted_commit\":null,\
             \"key\":null,\"commit\":null,\
             \"scoring_logs\":[{\"score\":null,\"miner_input\":null,\"miner_output\":null,\
             \"validation_output\":null,\"error\":null,\"baseline_score\":null,\
             \"input_hash\":null}],\
             \"comparison_logs\":{\"r\":[{\"similarity_score\":null,\"miner_input\":null,\
             \"miner_output\":null,\"reference_output\":null,\"error\":null,\
             \"input_hash\":null,\"reason\":null,\"reference_hotkey\":null,\
             \"reference_similarity_score\":null}]},\
             \"scored_timestamp\":null,\"score\":null,\"penalty\":null,\"accepted\":null}"
        );
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        for bad in [
            json!("x"),
            json!({"miner_uid": "x"}),
            json!({"scoring_logs": null}),
            json!({"scoring_logs": [1]}),
        ] {
            assert!(
                serde_json::from_value::<MinerChallengeCommit>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
