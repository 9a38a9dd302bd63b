//! The documents that receipts name by digest: what goes into a call, what comes out, and
//! its limits. Each is a canonical text; what is left out of a call is null.

use crate::canonical::{self, Bits};
use crate::sandbox::types;
use crate::sandbox::{Limits, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document of one version.
pub trait Document: Serialize + DeserializeOwned {
    /// The text of its field `version`.
    const VERSION: &'static str;

    /// What that field holds.
    fn version(&self) -> &str;

    /// The canonical text.
    ///
    /// # Errors
    ///
    /// None that is known of: it has nothing in it that JSON cannot hold.
    fn text(&self) -> Result<String, serde_json::Error> {
        canonical::to_string(self)
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people: it is none, not of this version, or not as
    /// [`text`](Self::text) writes it.
    fn parse(text: &str) -> Result<Self, String> {
        let document: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if document.version() != Self::VERSION {
            let version = document.version();
            return Err(format!(
                "version {version:?} instead of {:?}",
                Self::VERSION
            ));
        }
        match document.text() {
            Ok(canonical) if canonical == text => Ok(document),
            _ => Err("it is not canonical".to_owned()),
        }
    }
}

macro_rules! documents {
    ($($name:ident = $version:literal;)*) => {
        $(impl Document for $name {
            const VERSION: &'static str = $version;
            fn version(&self) -> &str {
                &self.version
            }
        })*
    };
}

documents! {
    LimitsDocument = "proctor-limits-1";
    Environment = "proctor-environment-1";
    EvaluateInput = "proctor-evaluate-1";
    EvaluateOutput = "proctor-result-1";
    SolveOutput = "proctor-solution-1";
    CompareInput = "proctor-compare-1";
    CompareOutput = "proctor-comparison-1";
    JudgeInput = "proctor-judge-1";
    JudgeOutput = "proctor-verdict-1";
    GetWeightsInput = "proctor-get-weights-1";
    GetWeightsOutput = "proctor-weights-1";
}

/// What a call may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsDocument {
    /// The call itself.
    pub call: Limits,
    /// What its submission may take for each task; none of a call that is one's own run.
    pub solver: Option<Limits>,
    /// `proctor-limits-1`.
    pub version: String,
}

impl LimitsDocument {
    /// The limits of a call, and of its submission.
    #[must_use]
    pub fn new(call: Limits, solver: Option<Limits>) -> Self {
        LimitsDocument {
            call,
            solver,
            version: Self::VERSION.to_owned(),
        }
    }
}

/// The environment of a call. Never kept: only its digest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// `proctor-environment-1`.
    pub version: String,
}

impl Environment {
    /// An environment of these variables.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Environment {
            variables: variables.into_iter().collect(),
            version: Self::VERSION.to_owned(),
        }
    }
}

/// What `evaluate` is called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateInput {
    /// Tasks beside those that the challenge makes.
    pub seed_tasks: Vec<String>,
    /// Digest of the artifact.
    pub submission: String,
    /// `proctor-evaluate-1`.
    pub version: String,
}

impl EvaluateInput {
    /// Of an artifact, with these tasks.
    #[must_use]
    pub fn new(submission: &str, seed_tasks: &[String]) -> Self {
        EvaluateInput {
            seed_tasks: seed_tasks.to_vec(),
            submission: submission.to_owned(),
            version: Self::VERSION.to_owned(),
        }
    }
}

/// What `evaluate` came to. Its digest is the one of `docs/validators.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateOutput {
    /// One for each task, in order; empty if it ended with an error.
    pub logs: Vec<ScoringLog>,
    /// The outcome's code.
    pub outcome: String,
    /// `proctor-result-1`.
    pub version: String,
}

/// What one task came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoringLog {
    /// What the challenge's baseline scored.
    pub baseline_score: Option<Bits>,
    /// Why there is no solution, or why it is worth nothing.
    pub error: Option<String>,
    /// The score.
    pub score: Bits,
    /// The submission's answer.
    pub solution: Option<String>,
    /// What it was asked.
    pub task: String,
}

impl EvaluateOutput {
    /// Of an outcome, with these logs.
    #[must_use]
    pub fn new(outcome: &str, logs: &[types::ScoringLog]) -> Self {
        let logs = logs.iter().map(|log| ScoringLog {
            baseline_score: log.baseline_score.map(Bits),
            error: log.error.clone(),
            score: Bits(log.score),
            solution: log.solution.clone(),
            task: log.task.clone(),
        });
        EvaluateOutput {
            logs: logs.collect(),
            outcome: outcome.to_owned(),
            version: Self::VERSION.to_owned(),
        }
    }

    /// The logs as a challenge is told them.
    #[must_use]
    pub fn scoring_logs(&self) -> Vec<types::ScoringLog> {
        let logs = self.logs.iter().map(|log| types::ScoringLog {
            task: log.task.clone(),
            solution: log.solution.clone(),
            score: log.score.0,
            baseline_score: log.baseline_score.map(|score| score.0),
            error: log.error.clone(),
        });
        logs.collect()
    }
}

/// What a submission's run came to, as the challenge is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveOutput {
    /// Why there is no solution.
    pub message: Option<String>,
    /// The outcome's code.
    pub outcome: String,
    /// The solution, JSON.
    pub solution: Option<String>,
    /// `proctor-solution-1`.
    pub version: String,
}

/// An evaluated artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// Digest of what its evaluation came to, an [`EvaluateOutput`].
    pub result: String,
    /// Digest of the artifact.
    pub submission: String,
}

/// What `compare` is called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareInput {
    /// What is compared.
    pub candidate: Evaluated,
    /// What it is compared with, in order.
    pub references: Vec<Evaluated>,
    /// `proctor-compare-1`.
    pub version: String,
}

impl CompareInput {
    /// Of a candidate and its references.
    #[must_use]
    pub fn new(candidate: Evaluated, references: Vec<Evaluated>) -> Self {
        CompareInput {
            candidate,
            references,
            version: Self::VERSION.to_owned(),
        }
    }
}

/// How alike a candidate and a reference are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonLog {
    /// What the number was taken from.
    pub reason: Option<String>,
    /// Digest of the reference's artifact.
    pub reference: String,
    /// 0 to 1.
    pub similarity: Bits,
}

impl From<&types::ComparisonLog> for ComparisonLog {
    fn from(log: &types::ComparisonLog) -> Self {
        ComparisonLog {
            reason: log.reason.clone(),
            reference: log.reference.clone(),
            similarity: Bits(log.similarity),
        }
    }
}

impl From<&ComparisonLog> for types::ComparisonLog {
    fn from(log: &ComparisonLog) -> Self {
        types::ComparisonLog {
            reference: log.reference.clone(),
            similarity: log.similarity.0,
            reason: log.reason.clone(),
        }
    }
}

/// What `compare` came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareOutput {
    /// As the challenge told them; empty if it ended with an error.
    pub logs: Vec<ComparisonLog>,
    /// The outcome's code.
    pub outcome: String,
    /// `proctor-comparison-1`.
    pub version: String,
}

impl CompareOutput {
    /// Of an outcome, with these logs.
    #[must_use]
    pub fn new(outcome: &str, logs: &[types::ComparisonLog]) -> Self {
        CompareOutput {
            logs: logs.iter().map(ComparisonLog::from).collect(),
            outcome: outcome.to_owned(),
            version: Self::VERSION.to_owned(),
        }
    }
}

/// Who committed what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// When it was first seen, in seconds since the Unix epoch.
    pub committed_at: Bits,
    /// Who.
    pub miner: Miner,
    /// Digest of the artifact.
    pub submission: String,
}

/// A miner, as the metagraph had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Miner {
    /// The address of its axon.
    pub axon_ip: Option<String>,
    /// The coldkey.
    pub coldkey: Option<String>,
    /// The hotkey.
    pub hotkey: String,
    /// The uid.
    pub uid: u16,
}

impl From<&types::Commit> for Commit {
    fn from(commit: &types::Commit) -> Self {
        let types::Miner {
            uid,
            hotkey,
            coldkey,
            axon_ip,
        } = commit.miner.clone();
        Commit {
            committed_at: Bits(commit.committed_at),
            miner: Miner {
                axon_ip,
                coldkey,
                hotkey,
                uid,
            },
            submission: commit.submission.digest.clone(),
        }
    }
}

impl From<&Commit> for types::Commit {
    fn from(commit: &Commit) -> Self {
        let Miner {
            axon_ip,
            coldkey,
            hotkey,
            uid,
        } = commit.miner.clone();
        types::Commit {
            miner: types::Miner {
                uid,
                hotkey,
                coldkey,
                axon_ip,
            },
            committed_at: commit.committed_at.0,
            submission: types::Submission {
                digest: commit.submission.clone(),
            },
        }
    }
}

/// A reference that a commit was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// What the comparison found.
    pub logs: Vec<ComparisonLog>,
    /// The reference.
    pub reference: Commit,
    /// The verdict's score of the reference.
    pub reference_score: Option<Bits>,
}

/// What `judge` is called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeInput {
    /// The commit.
    pub commit: Commit,
    /// What it was compared with, by time of commit.
    pub comparisons: Vec<Comparison>,
    /// Digest of what its evaluation came to, an [`EvaluateOutput`].
    pub result: String,
    /// `proctor-judge-1`.
    pub version: String,
}

impl JudgeInput {
    /// Of a commit whose evaluation came to `result`, and what it was compared with.
    #[must_use]
    pub fn new(commit: &types::Commit, result: &str, comparisons: &[types::Comparison]) -> Self {
        let comparisons = comparisons.iter().map(|comparison| Comparison {
            logs: comparison.logs.iter().map(ComparisonLog::from).collect(),
            reference: (&comparison.reference).into(),
            reference_score: comparison.reference_score.map(Bits),
        });
        JudgeInput {
            commit: commit.into(),
            comparisons: comparisons.collect(),
            result: result.to_owned(),
            version: Self::VERSION.to_owned(),
        }
    }

    /// As the challenge is told it, with the logs of its evaluation.
    #[must_use]
    pub fn evaluated(&self, result: &EvaluateOutput) -> types::Evaluated {
        let comparisons = self.comparisons.iter().map(|comparison| types::Comparison {
            reference: (&comparison.reference).into(),
            reference_score: comparison.reference_score.map(|score| score.0),
            logs: comparison.logs.iter().map(Into::into).collect(),
        });
        types::Evaluated {
            commit: (&self.commit).into(),
            scoring_logs: result.scoring_logs(),
            comparisons: comparisons.collect(),
        }
    }
}

/// What a commit is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Whether it may earn.
    pub accepted: bool,
    /// How much it resembles earlier ones.
    pub penalty: Bits,
    /// Why, for people; none of the host's own verdicts.
    pub reason: Option<String>,
    /// The score.
    pub score: Bits,
}

/// What `judge` came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeOutput {
    /// The outcome's code.
    pub outcome: String,
    /// The verdict; none if it ended with an error.
    pub verdict: Option<Verdict>,
    /// `proctor-verdict-1`.
    pub version: String,
}

impl JudgeOutput {
    /// Of an outcome, with this verdict.
    #[must_use]
    pub fn new(outcome: &str, verdict: Option<&types::Verdict>) -> Self {
        let verdict = verdict.map(|verdict| Verdict {
            accepted: verdict.accepted,
            penalty: Bits(verdict.penalty),
            reason: verdict.reason.clone(),
            score: Bits(verdict.score),
        });
        JudgeOutput {
            outcome: outcome.to_owned(),
            verdict,
            version: Self::VERSION.to_owned(),
        }
    }

    /// The host's own verdict on what cannot be worked with by its own fault: worth
    /// nothing, and not accepted.
    #[must_use]
    pub fn worthless() -> Self {
        let verdict = types::Verdict {
            score: 0.0,
            penalty: 0.0,
            accepted: false,
            reason: None,
        };
        JudgeOutput::new(Outcome::Ok.code(), Some(&verdict))
    }
}

/// A miner's best accepted commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The commit.
    pub commit: Commit,
    /// Its verdict's score.
    pub score: Bits,
    /// When it was judged, in seconds since the Unix epoch.
    pub scored_at: Bits,
}

/// What `get-weights` is called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetWeightsInput {
    /// By uid.
    pub standings: Vec<Standing>,
    /// `proctor-get-weights-1`.
    pub version: String,
}

impl GetWeightsInput {
    /// Of these standings.
    #[must_use]
    pub fn new(standings: &[types::Standing]) -> Self {
        let standings = standings.iter().map(|standing| Standing {
            commit: (&standing.commit).into(),
            score: Bits(standing.score),
            scored_at: Bits(standing.scored_at),
        });
        GetWeightsInput {
            standings: standings.collect(),
            version: Self::VERSION.to_owned(),
        }
    }

    /// As the challenge is told them.
    #[must_use]
    pub fn standings(&self) -> Vec<types::Standing> {
        let standings = self.standings.iter().map(|standing| types::Standing {
            commit: (&standing.commit).into(),
            score: standing.score.0,
            scored_at: standing.scored_at.0,
        });
        standings.collect()
    }
}

/// What a challenge pays one miner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HotkeyWeight {
    /// Who.
    pub hotkey: String,
    /// How much, in a unit of the challenge's own.
    pub weight: Bits,
}

/// What `get-weights` came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetWeightsOutput {
    /// The outcome's code.
    pub outcome: String,
    /// `proctor-weights-1`.
    pub version: String,
    /// As the challenge told them; empty if it ended with an error.
    pub weights: Vec<HotkeyWeight>,
}

impl GetWeightsOutput {
    /// Of an outcome, with these weights.
    #[must_use]
    pub fn new(outcome: &str, weights: &[types::HotkeyWeight]) -> Self {
        let weights = weights.iter().map(|weight| HotkeyWeight {
            hotkey: weight.hotkey.clone(),
            weight: Bits(weight.weight),
        });
        GetWeightsOutput {
            outcome: outcome.to_owned(),
            version: Self::VERSION.to_owned(),
            weights: weights.collect(),
        }
    }
}
