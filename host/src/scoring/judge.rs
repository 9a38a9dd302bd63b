//! One verdict.

use super::compare::{Compared, context, result_of};
use super::pipeline::{Pipeline, PipelineError};
use super::receipts::{Ended, Made, add};
use super::references::references;
use crate::plugins::ActivePlugin;
use crate::receipts::Kind;
use crate::receipts::documents::{Document, JudgeInput, JudgeOutput};
use crate::sandbox::types::{Commit, Evaluated, Miner, ScoringLog, Submission};
use crate::sandbox::{Blame, Outcome, PluginCall, PluginError};
use crate::store::{CommitRow, EvaluationRow, Judged};
use std::sync::Arc;

/// Why there is no verdict.
pub(super) enum NoVerdict {
    /// The call failed, with its receipt if this is a result.
    Call(PluginError, Option<Box<Made>>),
    /// The host failed.
    Host(PipelineError),
}

impl<E: Into<PipelineError>> From<E> for NoVerdict {
    fn from(error: E) -> Self {
        NoVerdict::Host(error.into())
    }
}

impl Pipeline {
    /// The verdict on an evaluated commit, given on `day` at `now`, and its receipt;
    /// `commits` are all of its challenge.
    pub(super) async fn verdict(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        commits: &[CommitRow],
        day: &str,
        now: f64,
    ) -> Result<(Judged, Made), NoVerdict> {
        let evaluation = self.evaluation_of(commit).await?;
        if evaluation.outcome != Outcome::Ok.code() {
            let (outcome, message) = (&evaluation.outcome, &evaluation.message);
            let reason = format!("{outcome}: {}", message.as_deref().unwrap_or_default());
            let depends_on = evaluation.receipt.iter().cloned().collect();
            return self
                .worthless(commit, &evaluation, reason, depends_on, now)
                .await;
        }
        let max = self.config.scoring.max_unique_commits;
        let references = references(commit, commits, day, max);
        let compared = self.compared(plugin, commit, &references, now).await;
        let judged = match compared {
            Ok(compared) => self.judge(plugin, commit, &evaluation, compared, now).await,
            Err(no_verdict) => Err(no_verdict),
        };
        match judged {
            // The call is a result, but not the verdict: that is the host's.
            Err(NoVerdict::Call(error, made)) if error.blame == Blame::Submission => {
                let made = made.map(|made| *made).unwrap_or_default();
                let receipts = evaluation.receipt.iter().chain(&made.id).cloned().collect();
                let reason = error.to_string();
                let (judged, mut of_rule) = self
                    .worthless(commit, &evaluation, reason, receipts, now)
                    .await?;
                add(&mut of_rule.kept, made.kept);
                Ok((judged, of_rule))
            }
            judged => judged,
        }
    }

    async fn judge(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        evaluation: &EvaluationRow,
        compared: Compared,
        now: f64,
    ) -> Result<(Judged, Made), NoVerdict> {
        let evaluated = Evaluated {
            commit: self.commit(commit),
            scoring_logs: compared.scoring_logs,
            comparisons: compared.comparisons,
        };
        let (context, tape) = (context(plugin, evaluation), self.tape());
        let call = PluginCall {
            context: context.clone(),
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: None,
            journal: Some(Arc::clone(&plugin.journal)),
            tape: tape.clone(),
        };
        let called = plugin
            .component
            .judge(&self.sandbox, call, &evaluated)
            .await;
        let outcome = called.outcome();
        self.metrics.judged(plugin.name(), outcome);
        if let Err(error) = &called.result
            && error.outcome.is_transient()
        {
            return Err(NoVerdict::Call(error.clone(), None));
        }
        let verdict = called.result.as_ref().ok();
        let input = JudgeInput::new(&evaluated.commit, &compared.result, &evaluated.comparisons);
        let ended = Ended {
            kind: Kind::Judge,
            context: &context,
            artifact: None,
            input: input.text()?,
            output: JudgeOutput::new(outcome.code(), verdict).text()?,
            outcome,
            report: &called.report,
            tape,
            depends_on: compared.receipts,
        };
        let made = self.receipt(plugin, ended, now).await?;
        let verdict = match called.result {
            Ok(verdict) => verdict,
            Err(error) => return Err(NoVerdict::Call(error, Some(Box::new(made)))),
        };
        let judged = Judged {
            receipt: made.id.clone(),
            commit: commit.id,
            score: verdict.score,
            penalty: verdict.penalty,
            accepted: verdict.accepted,
            reason: verdict.reason,
            comparisons: serde_json::to_string(&compared.stored)?,
        };
        Ok((judged, made))
    }

    /// The verdict on a submission that cannot be worked with, by its own fault.
    async fn worthless(
        &self,
        commit: &CommitRow,
        evaluation: &EvaluationRow,
        reason: String,
        depends_on: Vec<String>,
        now: f64,
    ) -> Result<(Judged, Made), NoVerdict> {
        let logs: Vec<ScoringLog> = serde_json::from_str(&evaluation.logs)?;
        let result = result_of(evaluation, &logs)?;
        let input = JudgeInput::new(&self.commit(commit), &result, &[]).text()?;
        let output = JudgeOutput::worthless().text()?;
        let challenge = Some(commit.challenge.as_str());
        let made = self
            .receipt_of_rule(Kind::Judge, challenge, (input, output), depends_on, now)
            .await?;
        let judged = Judged {
            receipt: made.id.clone(),
            commit: commit.id,
            score: 0.0,
            penalty: 0.0,
            accepted: false,
            reason: Some(reason),
            comparisons: "[]".into(),
        };
        Ok((judged, made))
    }

    /// A commit as plugins know it.
    pub(super) fn commit(&self, commit: &CommitRow) -> Commit {
        let metagraph = self.metagraph();
        let neuron = metagraph.by_hotkey(&commit.miner_hotkey);
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
