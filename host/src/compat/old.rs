//! The older version of the shapes, in which validators poll for results.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::logs::{ComparisonLog, MinerChallengeCommit, ScoringLog};

/// A commit with logs of the older version.
pub type OldCommit = MinerChallengeCommit<OldScoringLog, OldComparisonLog>;

/// A [`ScoringLog`] without `validation_output`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OldScoringLog {
    /// The score, usually in 0 to 1; null if there is none.
    pub score: Option<f64>,
    /// The task.
    pub miner_input: Option<Value>,
    /// What the submission answered.
    pub miner_output: Option<Value>,
    /// Why there is no score.
    pub error: Option<String>,
    /// The score of the baseline for the same task.
    pub baseline_score: Option<f64>,
    /// The [`input_hash`](super::input_hash) of the task.
    pub input_hash: Option<String>,
}

/// A [`ComparisonLog`] without `reason`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OldComparisonLog {
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
    /// The miner of the one that it is compared with, in SS58.
    pub reference_hotkey: Option<String>,
    /// What comparing the other way round gave.
    pub reference_similarity_score: Option<f64>,
}

impl From<&ScoringLog> for OldScoringLog {
    fn from(log: &ScoringLog) -> Self {
        Self {
            score: log.score,
            miner_input: log.miner_input.clone(),
            miner_output: log.miner_output.clone(),
            error: log.error.clone(),
            baseline_score: log.baseline_score,
            input_hash: log.input_hash.clone(),
        }
    }
}

impl From<&ComparisonLog> for OldComparisonLog {
    fn from(log: &ComparisonLog) -> Self {
        Self {
            similarity_score: log.similarity_score,
            miner_input: log.miner_input.clone(),
            miner_output: log.miner_output.clone(),
            reference_output: log.reference_output.clone(),
            error: log.error.clone(),
            input_hash: log.input_hash.clone(),
            reference_hotkey: log.reference_hotkey.clone(),
            reference_similarity_score: log.reference_similarity_score,
        }
    }
}

impl MinerChallengeCommit {
    /// The same commit in the older shape. Of a [`public_view`](Self::public_view) it
    /// is what validators are answered.
    #[must_use]
    pub fn to_old(&self) -> OldCommit {
        self.with_logs(|log| log.into(), |log| log.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_shape_has_no_validation_output_and_no_reason() {
        let text = r#"{"miner_uid": 3, "key": "k",
            "scoring_logs": [{"score": 0.5, "miner_input": {"x": 1}, "miner_output": {"y": 2},
                "validation_output": {"v": 3}, "error": "e", "baseline_score": 0.25}],
            "comparison_logs": {"r": [{"similarity_score": 0.1, "miner_output": {"y": 2},
                "reference_output": {"z": 3}, "error": "f", "reason": "why",
                "reference_hotkey": "hk", "reference_similarity_score": 0.2}]}}"#;
        let commit: MinerChallengeCommit = serde_json::from_str(text).unwrap();
        let view = serde_json::to_string(&commit.public_view().to_old()).unwrap();
        assert_eq!(
            view,
            "{\"miner_uid\":3,\"miner_hotkey\":null,\"challenge_name\":null,\
             \"docker_hub_id\":null,\"commit_timestamp\":null,\"encrypted_commit\":null,\
             \"key\":\"k\",\"commit\":null,\
             \"scoring_logs\":[{\"score\":0.5,\"miner_input\":null,\"miner_output\":null,\
             \"error\":\"e\",\"baseline_score\":0.25,\"input_hash\":null}],\
             \"comparison_logs\":{\"r\":[{\"similarity_score\":0.1,\"miner_input\":null,\
             \"miner_output\":null,\"reference_output\":null,\"error\":\"f\",\
             \"input_hash\":null,\"reference_hotkey\":\"hk\",\
             \"reference_similarity_score\":0.2}]},\
             \"scored_timestamp\":null,\"score\":null,\"penalty\":null,\"accepted\":null}"
        );

        let old = serde_json::to_value(commit.to_old()).unwrap();
        let log = &old["scoring_logs"][0];
        assert_eq!(
            (&log["miner_input"]["x"], &log["miner_output"]["y"]),
            (&1.into(), &2.into())
        );
        assert!(log["input_hash"].is_string());
        assert_eq!(old["comparison_logs"]["r"][0]["reference_output"]["z"], 3);
    }
}
