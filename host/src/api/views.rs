//! What everybody may see of a commit.

use super::ciphertexts::digest;
use super::problem::Problem;
use crate::sandbox::types::ScoringLog;
use crate::scoring::{StoredComparison, public_error};
use crate::store::{Claim, CommitRow, CommitState, CommitSummary, EvaluationRow};
use serde::Serialize;
use utoipa::ToSchema;

/// A commit, without its logs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct CommitView {
    /// The challenge.
    pub(super) challenge: String,
    /// The miner's uid when it was last reported.
    pub(super) uid: u16,
    /// The miner's hotkey.
    pub(super) hotkey: String,
    /// What the miner published.
    pub(super) encrypted_commit: String,
    /// The SHA-256 of that, in hex: the name of the commit in paths.
    pub(super) sha256: String,
    /// When it was committed, in seconds since the Unix epoch.
    pub(super) committed_at: Option<f64>,
    /// How far it has come: `sealed`, `refused`, `revealed`, `evaluated`, `judged`
    /// or `failed`.
    pub(super) state: &'static str,
    /// Why it is refused or failed, a code.
    pub(super) fault: Option<String>,
    /// The artifact, once revealed.
    pub(super) artifact: Option<String>,
    /// The day that takes it in, `YYYY-MM-DD`, once revealed.
    pub(super) day: Option<String>,
    /// The day whose finalization judged it.
    pub(super) finalized_day: Option<String>,
    /// Its score, once judged.
    pub(super) score: Option<f64>,
    /// Its penalty, 0 to 1, once judged.
    pub(super) penalty: Option<f64>,
    /// Whether it is accepted, once judged.
    pub(super) accepted: Option<bool>,
    /// When it was judged, in seconds since the Unix epoch.
    pub(super) scored_at: Option<f64>,
}

/// A commit with all that everybody may know of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommitDetail {
    #[serde(flatten)]
    commit: CommitView,
    /// What opens it, once revealed.
    key: Option<String>,
    /// What was in it, once revealed.
    commit_text: Option<String>,
    /// The verdict's reason.
    reason: Option<String>,
    /// One entry per task.
    scoring_logs: Vec<ScoringLogView>,
    /// What it was compared with.
    comparisons: Vec<ComparisonView>,
    /// What its scoring logs depend on; none before it is evaluated.
    evaluation: Option<Provenance>,
    /// What anybody can compute its score from again.
    receipts: CommitReceipts,
    /// Who claims to have seen it when, the earliest first.
    seen: Vec<SeenView>,
}

/// One task, without what was asked and answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScoringLogView {
    /// The score.
    score: f64,
    /// What the challenge's own baseline scored.
    baseline_score: Option<f64>,
    /// What went wrong, a code.
    error: Option<String>,
}

/// A comparison with an earlier commit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ComparisonView {
    /// The earlier commit's miner.
    hotkey: String,
    /// The earlier commit's artifact.
    artifact: String,
    /// The earlier commit's score, if it had one.
    score: Option<f64>,
    /// What was found.
    logs: Vec<SimilarityView>,
}

/// One finding of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SimilarityView {
    /// How alike, 0 to 1.
    similarity: f64,
    /// Why, in the challenge's words.
    reason: Option<String>,
}

/// All that an evaluation depends on, so that anybody can repeat it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Provenance {
    /// SHA-256 of the plugin.
    plugin_digest: String,
    /// SHA-256 of the challenge's settings.
    settings_digest: String,
    /// SHA-256 of the artifact.
    artifact_digest: String,
    /// Version and settings of the sandbox, and the limits of its calls.
    engine: String,
    /// The seed of the call, in decimal: JSON has no numbers of 64 bits.
    seed: String,
    /// The logical time of the call, in seconds since the Unix epoch.
    logical_time: f64,
    /// How it ended, a code.
    outcome: String,
}

/// Ids of the receipts of a commit, as of `GET /v1/receipts/{id}`. They are told once
/// they are public: when the day is final.
#[derive(Debug, Serialize, ToSchema)]
struct CommitReceipts {
    /// Of the evaluation.
    evaluation: Option<String>,
    /// Of the verdict, which names those of the comparisons.
    verdict: Option<String>,
}

/// Who claims to have seen a commit when.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct SeenView {
    /// The validator's uid, if it is registered now.
    pub(super) uid: Option<u16>,
    /// The validator's hotkey.
    pub(super) hotkey: String,
    /// The earliest time that it ever claimed, in seconds since the Unix epoch;
    /// none if it claims none.
    pub(super) claimed_at: Option<f64>,
    /// When this host first heard of it.
    pub(super) heard_at: f64,
}

impl CommitView {
    pub(super) fn new(commit: CommitSummary) -> Self {
        CommitView {
            sha256: digest(&commit.encrypted_commit),
            challenge: commit.challenge,
            uid: commit.miner_uid,
            hotkey: commit.miner_hotkey,
            encrypted_commit: commit.encrypted_commit,
            committed_at: commit.committed_at,
            state: commit.state.name(),
            fault: commit.fault.as_deref().map(fault_code),
            artifact: commit.artifact.filter(|_| is_open(commit.state)),
            day: commit.batch_day,
            finalized_day: commit.finalized_day,
            score: commit.score,
            penalty: commit.penalty,
            accepted: commit.accepted,
            scored_at: commit.judged_at,
        }
    }
}

impl CommitDetail {
    /// Of its receipts those are told that are among the public ones.
    ///
    /// # Errors
    ///
    /// That what is stored cannot be read.
    pub(super) fn new(
        commit: CommitRow,
        evaluation: Option<EvaluationRow>,
        seen: Vec<SeenView>,
        public: &[String],
    ) -> Result<Self, Problem> {
        let open = is_open(commit.state);
        let logs: Vec<ScoringLog> = match &evaluation {
            Some(evaluation) => serde_json::from_str(&evaluation.logs)?,
            None => Vec::new(),
        };
        let comparisons: Vec<StoredComparison> = match &commit.comparisons {
            Some(stored) => serde_json::from_str(stored)?,
            None => Vec::new(),
        };
        let told = |id: Option<&String>| id.filter(|id| public.contains(id)).cloned();
        let evaluated = evaluation.as_ref();
        Ok(CommitDetail {
            receipts: CommitReceipts {
                evaluation: told(evaluated.and_then(|row| row.receipt.as_ref())),
                verdict: told(commit.receipt.as_ref()),
            },
            key: commit.key.clone().filter(|_| open),
            commit_text: commit.text.clone().filter(|_| open),
            reason: commit.reason.clone(),
            scoring_logs: logs.into_iter().map(ScoringLogView::new).collect(),
            comparisons: comparisons.into_iter().map(ComparisonView::new).collect(),
            evaluation: evaluation.map(Provenance::new),
            seen,
            commit: CommitView::new(summary(commit)),
        })
    }
}

impl ScoringLogView {
    fn new(log: ScoringLog) -> Self {
        ScoringLogView {
            score: log.score,
            baseline_score: log.baseline_score,
            error: log.error.as_deref().map(public_error),
        }
    }
}

impl ComparisonView {
    fn new(comparison: StoredComparison) -> Self {
        let logs = comparison.logs.into_iter();
        ComparisonView {
            hotkey: comparison.hotkey,
            artifact: comparison.artifact,
            score: comparison.score,
            logs: logs
                .map(|log| SimilarityView {
                    similarity: log.similarity,
                    reason: log.reason,
                })
                .collect(),
        }
    }
}

impl Provenance {
    fn new(evaluation: EvaluationRow) -> Self {
        Provenance {
            plugin_digest: evaluation.key.plugin_digest,
            settings_digest: evaluation.key.settings_digest,
            artifact_digest: evaluation.key.artifact_digest,
            engine: evaluation.key.engine,
            seed: evaluation.seed.to_string(),
            logical_time: evaluation.now,
            outcome: evaluation.outcome,
        }
    }
}

impl SeenView {
    pub(super) fn new(claim: Claim, uid: Option<u16>) -> Self {
        SeenView {
            uid,
            hotkey: claim.validator_hotkey,
            claimed_at: claim.claimed_at,
            heard_at: claim.heard_at,
        }
    }
}

/// Whether what is in a commit is for everybody.
fn is_open(state: CommitState) -> bool {
    !matches!(state, CommitState::Sealed | CommitState::Refused)
}

/// The code of a fault; what follows is for the operator.
fn fault_code(fault: &str) -> String {
    fault.split(':').next().unwrap_or_default().to_owned()
}

/// The same commit as a page has it.
pub(super) fn summary(commit: CommitRow) -> CommitSummary {
    CommitSummary {
        id: commit.id,
        challenge: commit.challenge,
        miner_hotkey: commit.miner_hotkey,
        miner_uid: commit.miner_uid,
        encrypted_commit: commit.encrypted_commit,
        committed_at: commit.committed_at,
        has_key: commit.key.is_some(),
        state: commit.state,
        fault: commit.fault,
        artifact: commit.artifact,
        batch_day: commit.batch_day,
        score: commit.score,
        penalty: commit.penalty,
        accepted: commit.accepted,
        judged_at: commit.judged_at,
        finalized_day: commit.finalized_day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A commit that has everything, in this state.
    fn shown(state: CommitState) -> Value {
        let commit = CommitRow {
            key: Some("the key".into()),
            text: Some("the text".into()),
            artifact: Some("the artifact".into()),
            fault: Some("guest_error: the task was 7".into()),
            state,
            ..CommitRow::sample(1, "hotkey")
        };
        let detail = CommitDetail::new(commit, None, Vec::new(), &[]).unwrap();
        serde_json::to_value(detail).unwrap()
    }

    #[test]
    fn a_receipt_is_told_once_it_is_public() {
        let shown = |public: &[&str]| {
            let commit = CommitRow {
                receipt: Some("the verdict's".into()),
                ..CommitRow::sample(1, "hotkey")
            };
            let public: Vec<String> = public.iter().map(|&id| id.into()).collect();
            let detail = CommitDetail::new(commit, None, Vec::new(), &public).unwrap();
            serde_json::to_value(detail).unwrap()["receipts"].clone()
        };
        let none = json!({"evaluation": null, "verdict": null});
        assert_eq!(shown(&[]), none);
        assert_eq!(shown(&["another's"]), none);
        assert_eq!(shown(&["the verdict's"])["verdict"], "the verdict's");
    }

    #[test]
    fn what_is_in_a_sealed_or_refused_commit_is_not_shown() {
        for state in CommitState::ALL {
            let shown = shown(state);
            let open = !matches!(state, CommitState::Sealed | CommitState::Refused);
            let text = shown.to_string();
            for secret in ["the key", "the text", "the artifact"] {
                assert_eq!(text.contains(secret), open, "{state:?}: {secret}");
            }
            assert_eq!(shown["state"], state.name());
            assert_eq!(shown["fault"], "guest_error", "{state:?}");
        }
    }

    #[test]
    fn a_submissions_own_words_are_not_shown() {
        let log = |error: &str| ScoringLog {
            task: "the task".into(),
            solution: Some("the solution".into()),
            score: 0.5,
            baseline_score: Some(0.25),
            error: Some(error.into()),
        };
        let shown = |error: &str| serde_json::to_value(ScoringLogView::new(log(error))).unwrap();
        assert_eq!(
            shown("trap: the task was 7"),
            json!({"score": 0.5, "baseline_score": 0.25, "error": "trap"})
        );
        assert_eq!(shown("the task was 7")["error"], "invalid_solution");
    }
}
