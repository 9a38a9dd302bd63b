//! How alike a commit and earlier ones are.

use super::evaluate::answered;
use super::judge::NoVerdict;
use super::pipeline::{Pipeline, PipelineError};
use super::receipts::Ended;
use super::references::{order, unique_pool};
use crate::canonical::digest;
use crate::plugins::ActivePlugin;
use crate::receipts::Kind;
use crate::receipts::documents::{
    CompareInput, CompareOutput, Document, EvaluateOutput, Evaluated,
};
use crate::sandbox::types::{Comparison, ComparisonLog, Evaluation, ScoringLog, Submission};
use crate::sandbox::{CallContext, Capability, PluginCall};
use crate::store::{CommitRow, EvaluationRow, JobKey, NewEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Commits that are compared with earlier days in one step.
const COMPARED_AT_A_TIME: usize = 4;

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

/// A commit with what it was compared with.
pub(super) struct Compared {
    pub(super) scoring_logs: Vec<ScoringLog>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) stored: Vec<StoredComparison>,
    /// Digest of what the evaluation came to, and the receipts of all this.
    pub(super) result: String,
    pub(super) receipts: Vec<String>,
}

/// What comparing a commit with a reference found.
#[derive(Debug, Clone, Default)]
struct Found {
    logs: Vec<ComparisonLog>,
    /// Of the call that told it.
    receipt: Option<String>,
}

/// A reference with its evaluation.
struct Reference<'a> {
    commit: &'a CommitRow,
    evaluation: EvaluationRow,
    logs: Vec<ScoringLog>,
}

impl Pipeline {
    /// Compares newly evaluated commits with the best of earlier days, so that
    /// most is done when the scoring hour comes.
    pub(super) async fn compare_new(&self, now: f64) -> Result<bool, PipelineError> {
        let mut progress = false;
        let mut of_challenge: HashMap<String, Vec<CommitRow>> = HashMap::new();
        // The others' turn comes at the next look: a day may have to be finalized.
        let commits = self.store.commits_to_compare(now).await?;
        for commit in commits.into_iter().take(COMPARED_AT_A_TIME) {
            let (Some(plugin), Some(day)) = (self.scorer_of(&commit), &commit.batch_day) else {
                continue;
            };
            if !of_challenge.contains_key(&commit.challenge) {
                let commits = self.store.commits_of(&commit.challenge).await?;
                of_challenge.insert(commit.challenge.clone(), commits);
            }
            let commits = of_challenge.get(&commit.challenge).map_or(&[][..], |c| c);
            let mut pool = unique_pool(commits, day, self.config.scoring.max_unique_commits);
            pool.retain(|reference| {
                reference.miner_hotkey != commit.miner_hotkey && order(reference) < order(&commit)
            });
            match self.compared(&plugin, &commit, &pool, now).await {
                Ok(compared) => {
                    let event = (!compared.stored.is_empty())
                        .then(|| compared_event(&commit, &compared.stored, now));
                    let stored = serde_json::to_string(&compared.stored)?;
                    let notices = match (&self.config.storage.url, commit.evaluation_id) {
                        (Some(_), Some(evaluation)) if event.is_some() => {
                            super::work::notices(commit.id, evaluation).into()
                        }
                        _ => Vec::new(),
                    };
                    self.store
                        .set_compared(commit.id, stored, event, notices, now)
                        .await?;
                    progress = true;
                }
                // The finalization asks again, and knows what to do.
                Err(NoVerdict::Call(error, _)) => {
                    tracing::warn!(
                        challenge = plugin.name(),
                        hotkey = commit.miner_hotkey,
                        %error,
                        "not compared with earlier days yet"
                    );
                    let pause = self.config.scoring.pause(commit.judge_attempts + 1);
                    let now = now + pause;
                    self.store.put_off_comparing(commit.id, now).await?;
                }
                Err(NoVerdict::Host(error)) => return Err(error),
            }
        }
        Ok(progress)
    }

    /// Compares a commit with references.
    pub(super) async fn compared(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        references: &[&CommitRow],
        now: f64,
    ) -> Result<Compared, NoVerdict> {
        let evaluation = self.evaluation_of(commit).await?;
        let scoring_logs: Vec<ScoringLog> = serde_json::from_str(&evaluation.logs)?;
        // What solved nothing resembles nothing.
        let solved = |logs: &[ScoringLog]| logs.iter().any(|log| log.solution.is_some());
        let (mut earlier, mut copies) = (Vec::new(), Vec::new());
        if solved(&scoring_logs) {
            for commit in references {
                // Restored without its evaluation: only copies of it can be told.
                if commit.evaluation_id.is_none() {
                    if commit.artifact_digest.as_ref() == Some(&evaluation.key.artifact_digest) {
                        copies.push(*commit);
                    }
                    continue;
                }
                let evaluation = self.evaluation_of(commit).await?;
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
            self.compare(plugin, &evaluation, &scoring_logs, &earlier, now)
                .await?
        } else {
            BTreeMap::new()
        };
        let digest = &evaluation.key.artifact_digest;
        let copied = copies
            .into_iter()
            .map(|commit| (commit, vec![copy_of(digest)]));
        let compared = earlier.iter().map(|reference| {
            let logs = if reference.evaluation.key.artifact_digest == *digest {
                vec![copy_of(digest)]
            } else {
                let found = found.get(&reference.evaluation.id);
                found.map(|found| found.logs.clone()).unwrap_or_default()
            };
            (reference.commit, logs)
        });
        let (mut comparisons, mut stored) = (Vec::new(), Vec::new());
        let own = evaluation.receipt.iter();
        let mut receipts: Vec<String> = own
            .chain(found.values().filter_map(|found| found.receipt.as_ref()))
            .cloned()
            .collect();
        for (commit, logs) in copied.chain(compared) {
            receipts.extend(commit.receipt.clone());
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
        Ok(Compared {
            result: result_of(&evaluation, &scoring_logs)?,
            scoring_logs,
            comparisons,
            stored,
            receipts,
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
        now: f64,
    ) -> Result<BTreeMap<i64, Found>, NoVerdict> {
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
            if let Some(row) = known.get(&id) {
                let known = Found {
                    logs: serde_json::from_str(&row.logs)?,
                    receipt: row.receipt.clone(),
                };
                found.insert(id, known);
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
            .map_err(|error| NoVerdict::Call(error, None))?;
        let call = PluginCall {
            context: context(plugin, candidate),
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: Some(Arc::new(submitted)),
            journal: Some(Arc::clone(&plugin.journal)),
            tape: None,
        };
        let candidate_evaluation = evaluation(candidate, scoring_logs.to_vec());
        // What fits the challenge's memory, many times over: it reads the JSON.
        let room = plugin.limits.memory_bytes / 8;
        for batch in batches(asked, room.saturating_sub(size(&candidate_evaluation))) {
            let (ids, batch): (Vec<i64>, Vec<Evaluation>) = batch.into_iter().unzip();
            let tape = self.tape();
            let call = PluginCall {
                tape: tape.clone(),
                ..call.clone()
            };
            let called = plugin
                .component
                .compare(&self.sandbox, call, &candidate_evaluation, &batch)
                .await;
            let outcome = called.outcome();
            self.metrics.compared(plugin.name(), outcome);
            let context = context(plugin, candidate);
            let made = async |logs: &[ComparisonLog]| {
                let input = compare_input(candidate, scoring_logs, &ids, references)?;
                let of = references
                    .iter()
                    .filter(|of| ids.contains(&of.evaluation.id));
                let receipts = of.map(|reference| &reference.evaluation.receipt);
                let ended = Ended {
                    kind: Kind::Compare,
                    context: &context,
                    artifact: Some(&candidate.key.artifact_digest),
                    input,
                    output: CompareOutput::new(outcome.code(), logs).text()?,
                    outcome,
                    report: &called.report,
                    tape: answered(tape, plugin, outcome),
                    depends_on: receipts
                        .chain([&candidate.receipt])
                        .flatten()
                        .cloned()
                        .collect(),
                };
                self.receipt(plugin, ended, now).await
            };
            let (logs, made) = match called.result {
                Ok(logs) => {
                    let made = made(&logs).await?;
                    (logs, made)
                }
                Err(error) if error.outcome.is_transient() => {
                    return Err(NoVerdict::Call(error, None));
                }
                Err(error) => {
                    let made = made(&[]).await?;
                    return Err(NoVerdict::Call(error, Some(Box::new(made))));
                }
            };
            let mut fresh = Vec::new();
            for (id, reference) in ids.into_iter().zip(&batch) {
                let about = |log: &&ComparisonLog| log.reference == reference.submission.digest;
                let logs: Vec<ComparisonLog> = logs.iter().filter(about).cloned().collect();
                fresh.push((id, serde_json::to_string(&logs)?));
                let receipt = made.id.clone();
                found.insert(id, Found { logs, receipt });
            }
            let references = fresh.len();
            self.store
                .put_comparisons(key.clone(), candidate.id, fresh, made.id, made.kept)
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

    pub(super) async fn evaluation_of(
        &self,
        commit: &CommitRow,
    ) -> Result<EvaluationRow, PipelineError> {
        let evaluation = match commit.evaluation_id {
            Some(id) => self.store.evaluation_by_id(id).await?,
            None => None,
        };
        let missing = PipelineError::Inconsistent("an evaluated commit without evaluation");
        evaluation.ok_or(missing)
    }
}

fn compared_event(commit: &CommitRow, stored: &[StoredComparison], now: f64) -> NewEvent {
    let logs = stored.iter().flat_map(|comparison| &comparison.logs);
    NewEvent {
        at: now,
        kind: "compared",
        challenge: commit.challenge.clone(),
        data: json!({
            "encrypted_commit": commit.encrypted_commit,
            "miner_uid": commit.miner_uid,
            "miner_hotkey": commit.miner_hotkey,
            "references": stored.len(),
            "max_similarity": logs.map(|log| log.similarity).reduce(f64::max),
        }),
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

/// The digest of what an evaluation came to.
pub(super) fn result_of(
    evaluation: &EvaluationRow,
    logs: &[ScoringLog],
) -> Result<String, serde_json::Error> {
    let output = EvaluateOutput::new(&evaluation.outcome, logs);
    Ok(digest(output.text()?))
}

/// What `compare` is told of a candidate and of those references whose evaluations have
/// one of these numbers.
fn compare_input(
    candidate: &EvaluationRow,
    logs: &[ScoringLog],
    ids: &[i64],
    references: &[Reference<'_>],
) -> Result<String, serde_json::Error> {
    let evaluated = |row: &EvaluationRow, logs: &[ScoringLog]| {
        Ok::<_, serde_json::Error>(Evaluated {
            result: result_of(row, logs)?,
            submission: row.key.artifact_digest.clone(),
        })
    };
    let mut told = Vec::new();
    for id in ids {
        let mut references = references.iter();
        if let Some(reference) = references.find(|of| of.evaluation.id == *id) {
            told.push(evaluated(&reference.evaluation, &reference.logs)?);
        }
    }
    CompareInput::new(evaluated(candidate, logs)?, told).text()
}

fn copy_of(digest: &str) -> ComparisonLog {
    ComparisonLog {
        reference: digest.to_owned(),
        similarity: 1.0,
        reason: Some("the same artifact".into()),
    }
}

pub(super) fn context(plugin: &ActivePlugin, evaluation: &EvaluationRow) -> CallContext {
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
