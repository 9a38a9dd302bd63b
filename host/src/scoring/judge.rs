//! One verdict: a commit, compared with those before it and judged.

use super::pipeline::{Pipeline, PipelineError};
use super::references::references;
use crate::plugins::ActivePlugin;
use crate::sandbox::types::{
    Commit, Comparison, ComparisonLog, Evaluated, Evaluation, Miner, ScoringLog, Submission,
};
use crate::sandbox::{Blame, CallContext, Capability, Outcome, PluginCall, PluginError};
use crate::store::{CommitRow, EvaluationRow, JobKey, Judged};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A comparison as it is stored with the commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredComparison {
    /// The reference's miner.
    pub hotkey: String,
    /// The reference's artifact, as its miner published it.
    pub artifact: String,
    /// The verdict's score of the reference, if it had one.
    pub score: Option<f64>,
    /// What the comparison found.
    pub logs: Vec<ComparisonLog>,
}

/// A reference with its evaluation.
struct Reference<'a> {
    commit: &'a CommitRow,
    evaluation: EvaluationRow,
    logs: Vec<ScoringLog>,
}

/// Why there is no verdict.
pub(super) enum NoVerdict {
    /// The call failed.
    Call(PluginError),
    /// The host failed.
    Host(PipelineError),
}

impl<E: Into<PipelineError>> From<E> for NoVerdict {
    fn from(error: E) -> Self {
        NoVerdict::Host(error.into())
    }
}

impl Pipeline {
    /// Judges an evaluated commit; `commits` are all of its challenge.
    pub(super) async fn judge(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        commits: &[CommitRow],
        now: f64,
    ) -> Result<(), NoVerdict> {
        let Some(evaluation) = self.evaluation_of(commit).await? else {
            return Err(
                PipelineError::Inconsistent("an evaluated commit without evaluation").into(),
            );
        };
        let judged = if evaluation.outcome == Outcome::Ok.code() {
            self.verdict(plugin, commit, &evaluation, commits, now)
                .await
        } else {
            let (outcome, message) = (&evaluation.outcome, &evaluation.message);
            let reason = format!("{outcome}: {}", message.as_deref().unwrap_or_default());
            Ok(worthless(commit, reason, now))
        };
        let judged = match judged {
            Err(NoVerdict::Call(error)) if error.blame == Blame::Submission => {
                worthless(commit, error.to_string(), now)
            }
            judged => judged?,
        };
        let (score, penalty, accepted) = (judged.score, judged.penalty, judged.accepted);
        let stored = self.store.set_judged(judged).await?;
        tracing::info!(
            challenge = commit.challenge,
            hotkey = commit.miner_hotkey,
            artifact = commit.artifact_digest,
            score,
            penalty,
            accepted,
            stored,
            "judged"
        );
        Ok(())
    }

    async fn verdict(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        evaluation: &EvaluationRow,
        commits: &[CommitRow],
        now: f64,
    ) -> Result<Judged, NoVerdict> {
        let scoring_logs: Vec<ScoringLog> = serde_json::from_str(&evaluation.logs)?;
        // What solved nothing resembles nothing.
        let solved = |logs: &[ScoringLog]| logs.iter().any(|log| log.solution.is_some());
        let mut earlier = Vec::new();
        if solved(&scoring_logs) {
            for commit in references(commit, commits, self.config.scoring.max_references) {
                let Some(evaluation) = self.evaluation_of(commit).await? else {
                    continue;
                };
                let logs: Vec<ScoringLog> = serde_json::from_str(&evaluation.logs)?;
                if solved(&logs) {
                    earlier.push(Reference {
                        commit,
                        evaluation,
                        logs,
                    });
                }
            }
        }
        let found = if plugin.has(Capability::Comparison) {
            self.compare(plugin, evaluation, &scoring_logs, &earlier)
                .await?
        } else {
            BTreeMap::new()
        };
        let (mut comparisons, mut stored) = (Vec::new(), Vec::new());
        for Reference {
            commit,
            evaluation: reference,
            ..
        } in &earlier
        {
            let digest = &reference.key.artifact_digest;
            let logs = if *digest == evaluation.key.artifact_digest {
                vec![copy_of(digest)]
            } else {
                found.get(&reference.id).cloned().unwrap_or_default()
            };
            stored.push(StoredComparison {
                hotkey: commit.miner_hotkey.clone(),
                artifact: commit.artifact.clone().unwrap_or_default(),
                score: commit.score,
                logs: logs.clone(),
            });
            comparisons.push(Comparison {
                reference: self.commit(commit),
                reference_score: commit.score,
                logs,
            });
        }
        let evaluated = Evaluated {
            commit: self.commit(commit),
            scoring_logs,
            comparisons,
        };
        let call = PluginCall {
            context: context(plugin, evaluation),
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: None,
        };
        let called = plugin
            .component
            .judge(&self.sandbox, call, &evaluated)
            .await;
        self.metrics.judged(plugin.name(), called.outcome());
        let verdict = called.result.map_err(NoVerdict::Call)?;
        Ok(Judged {
            commit: commit.id,
            score: verdict.score,
            penalty: verdict.penalty,
            accepted: verdict.accepted,
            reason: verdict.reason,
            comparisons: serde_json::to_string(&stored)?,
            judged_at: now,
        })
    }

    /// Comparison logs by number of the reference's evaluation. Asks the plugin
    /// about those only that it was not asked about before, all in one call.
    async fn compare(
        &self,
        plugin: &ActivePlugin,
        candidate: &EvaluationRow,
        scoring_logs: &[ScoringLog],
        references: &[Reference<'_>],
    ) -> Result<BTreeMap<i64, Vec<ComparisonLog>>, NoVerdict> {
        let key = JobKey {
            plugin_digest: plugin.component.digest().to_owned(),
            settings_digest: plugin.settings_digest.clone(),
            ..candidate.key.clone()
        };
        let known = self.store.comparisons(key.clone(), candidate.id).await?;
        let mut found = BTreeMap::new();
        let mut asked: BTreeMap<i64, Evaluation> = BTreeMap::new();
        for reference in references {
            let id = reference.evaluation.id;
            if let Some(logs) = known.get(&id) {
                found.insert(id, serde_json::from_str(logs)?);
            } else if reference.evaluation.key.artifact_digest != candidate.key.artifact_digest {
                asked.insert(
                    id,
                    evaluation(&reference.evaluation, reference.logs.clone()),
                );
            }
        }
        if asked.is_empty() {
            return Ok(found);
        }
        let (_, submitted) = self
            .submitted(plugin, &candidate.key.artifact_digest)
            .await
            .map_err(NoVerdict::Call)?;
        let call = PluginCall {
            context: context(plugin, candidate),
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: Some(Arc::new(submitted)),
        };
        let candidate_evaluation = evaluation(candidate, scoring_logs.to_vec());
        // What fits the challenge's memory, many times over: it reads the JSON.
        let room = plugin.limits.memory_bytes / 8;
        for batch in batches(asked, room.saturating_sub(size(&candidate_evaluation))) {
            let (ids, batch): (Vec<i64>, Vec<Evaluation>) = batch.into_iter().unzip();
            let called = plugin
                .component
                .compare(&self.sandbox, call.clone(), &candidate_evaluation, &batch)
                .await;
            self.metrics.compared(plugin.name(), called.outcome());
            let logs = called.result.map_err(NoVerdict::Call)?;
            let mut fresh = Vec::new();
            for (id, reference) in ids.into_iter().zip(&batch) {
                let about = |log: &&ComparisonLog| log.reference == reference.submission.digest;
                let logs: Vec<ComparisonLog> = logs.iter().filter(about).cloned().collect();
                fresh.push((id, serde_json::to_string(&logs)?));
                found.insert(id, logs);
            }
            let references = fresh.len();
            self.store
                .put_comparisons(key.clone(), candidate.id, fresh)
                .await?;
            tracing::info!(
                challenge = plugin.name(),
                artifact = candidate.key.artifact_digest,
                references,
                "compared"
            );
        }
        Ok(found)
    }

    async fn evaluation_of(
        &self,
        commit: &CommitRow,
    ) -> Result<Option<EvaluationRow>, PipelineError> {
        match commit.evaluation_id {
            Some(id) => Ok(self.store.evaluation_by_id(id).await?),
            None => Ok(None),
        }
    }

    /// A commit as plugins know it.
    pub(super) fn commit(&self, commit: &CommitRow) -> Commit {
        let neuron = self.metagraph.by_hotkey(&commit.miner_hotkey);
        Commit {
            miner: Miner {
                uid: neuron.map_or(commit.miner_uid, |neuron| neuron.uid),
                hotkey: commit.miner_hotkey.clone(),
                coldkey: neuron.map(|neuron| neuron.coldkey.clone()),
                axon_ip: neuron
                    .and_then(|neuron| neuron.axon_ip)
                    .map(|ip| ip.to_string()),
            },
            committed_at: commit.committed_at.unwrap_or_default(),
            submission: Submission {
                digest: commit.artifact_digest.clone().unwrap_or_default(),
            },
        }
    }
}

/// Bytes of tasks and solutions.
fn size(evaluation: &Evaluation) -> usize {
    let logs = evaluation.scoring_logs.iter();
    logs.map(|log| log.task.len() + log.solution.as_ref().map_or(0, String::len))
        .sum()
}

/// Splits references into calls of at most `room` bytes, or of one reference.
fn batches(asked: BTreeMap<i64, Evaluation>, room: usize) -> Vec<Vec<(i64, Evaluation)>> {
    let mut batches: Vec<Vec<(i64, Evaluation)>> = Vec::new();
    let mut left = 0;
    for (id, evaluation) in asked {
        let bytes = size(&evaluation);
        match batches.last_mut() {
            Some(batch) if bytes <= left => {
                left -= bytes;
                batch.push((id, evaluation));
            }
            _ => {
                left = room.saturating_sub(bytes);
                batches.push(vec![(id, evaluation)]);
            }
        }
    }
    batches
}

/// The verdict on a submission that cannot be worked with, by its own fault.
fn worthless(commit: &CommitRow, reason: String, now: f64) -> Judged {
    Judged {
        commit: commit.id,
        score: 0.0,
        penalty: 0.0,
        accepted: false,
        reason: Some(reason),
        comparisons: "[]".into(),
        judged_at: now,
    }
}

fn copy_of(digest: &str) -> ComparisonLog {
    ComparisonLog {
        reference: digest.to_owned(),
        similarity: 1.0,
        reason: Some("the same artifact".into()),
    }
}

fn context(plugin: &ActivePlugin, evaluation: &EvaluationRow) -> CallContext {
    CallContext {
        settings: Arc::clone(&plugin.settings),
        seed: evaluation.seed,
        now: evaluation.now,
    }
}

fn evaluation(row: &EvaluationRow, scoring_logs: Vec<ScoringLog>) -> Evaluation {
    Evaluation {
        submission: Submission {
            digest: row.key.artifact_digest.clone(),
        },
        scoring_logs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(bytes: usize) -> Evaluation {
        let log = ScoringLog {
            task: "t".repeat(bytes - 1),
            solution: Some("s".into()),
            score: 0.0,
            baseline_score: None,
            error: None,
        };
        Evaluation {
            submission: Submission {
                digest: String::new(),
            },
            scoring_logs: vec![log],
        }
    }

    #[test]
    fn a_call_gets_no_more_than_fits() {
        let asked = [3, 3, 4, 9, 1, 20, 1].map(evaluation);
        let asked: BTreeMap<i64, Evaluation> = (0..).zip(asked).collect();
        let split = batches(asked, 10).into_iter();
        let ids: Vec<Vec<i64>> = split
            .map(|b| b.into_iter().map(|(id, _)| id).collect())
            .collect();
        assert_eq!(ids, [vec![0, 1, 2], vec![3, 4], vec![5], vec![6]]);
    }
}
