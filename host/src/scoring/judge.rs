//! One verdict.

use super::compare::{Compared, context};
use super::pipeline::{Pipeline, PipelineError};
use super::references::references;
use crate::plugins::ActivePlugin;
use crate::sandbox::types::{Commit, Evaluated, Miner, Submission};
use crate::sandbox::{Blame, Outcome, PluginCall, PluginError};
use crate::store::{CommitRow, Judged};
use std::sync::Arc;

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
    /// The verdict on an evaluated commit, given on `day`; `commits` are all of its
    /// challenge.
    pub(super) async fn verdict(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        commits: &[CommitRow],
        day: &str,
    ) -> Result<Judged, NoVerdict> {
        let evaluation = self.evaluation_of(commit).await?;
        if evaluation.outcome != Outcome::Ok.code() {
            let (outcome, message) = (&evaluation.outcome, &evaluation.message);
            let reason = format!("{outcome}: {}", message.as_deref().unwrap_or_default());
            return Ok(worthless(commit, reason));
        }
        let max = self.config.scoring.max_unique_commits;
        let references = references(commit, commits, day, max);
        let judged = match self.compared(plugin, commit, &references).await {
            Ok(compared) => {
                let context = context(plugin, &evaluation);
                let call = PluginCall {
                    context,
                    limits: &plugin.limits,
                    grants: &plugin.grants,
                    submitted: None,
                    journal: Some(Arc::clone(&plugin.journal)),
                };
                self.judge(plugin, commit, call, compared).await
            }
            Err(no_verdict) => Err(no_verdict),
        };
        match judged {
            Err(NoVerdict::Call(error)) if error.blame == Blame::Submission => {
                Ok(worthless(commit, error.to_string()))
            }
            judged => judged,
        }
    }

    async fn judge(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        call: PluginCall<'_>,
        compared: Compared,
    ) -> Result<Judged, NoVerdict> {
        let evaluated = Evaluated {
            commit: self.commit(commit),
            scoring_logs: compared.scoring_logs,
            comparisons: compared.comparisons,
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
            comparisons: serde_json::to_string(&compared.stored)?,
        })
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

/// The verdict on a submission that cannot be worked with, by its own fault.
fn worthless(commit: &CommitRow, reason: String) -> Judged {
    Judged {
        commit: commit.id,
        score: 0.0,
        penalty: 0.0,
        accepted: false,
        reason: Some(reason),
        comparisons: "[]".into(),
    }
}
