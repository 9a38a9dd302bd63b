//! One evaluation: an artifact, run by a challenge.

use super::job_key;
use super::pipeline::{Pipeline, PipelineError};
use super::receipts::{Ended, Made};
use crate::artifacts::ArtifactError;
use crate::config::Runner;
use crate::plugins::ActivePlugin;
use crate::receipts::Kind;
use crate::receipts::documents::{Document, EvaluateInput, EvaluateOutput};
use crate::sandbox::types::{ScoringLog, Submission};
use crate::sandbox::{
    Blame, CallContext, Outcome, PluginCall, PluginError, SolveRecord, Solver, SolverComponent,
    Submitted, Tape,
};
use crate::store::{EvaluationResult, Job};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The seed of a challenge's tasks on a day: the first 8 bytes, big-endian, of
/// SHA-256 over `proctor-seed`, the deployment's seed (8 bytes, big-endian), the
/// challenge's name and the day, each of the last two preceded by its length
/// (8 bytes, big-endian). The same for all submissions of the day.
pub fn seed(deployment: u64, challenge: &str, day: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"proctor-seed");
    hash.update(deployment.to_be_bytes());
    for part in [challenge, day] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(first)
}

impl Pipeline {
    /// Runs a leased job and stores what came of it.
    pub(super) async fn run_job(&self, job: Job, now: f64) -> Result<(), PipelineError> {
        let Some(plugin) = self.plugin_of(&job) else {
            let error = PluginError::new(
                Outcome::Unavailable,
                "this version of the plugin is retired",
            );
            return self.put_back(&job, now, error).await;
        };
        let (submission, submitted) = match self.submitted(&plugin, &job.key.artifact_digest).await
        {
            Ok(submitted) => submitted,
            Err(error) => return self.ended_without_call(&job, now, error).await,
        };
        let context = CallContext {
            settings: Arc::clone(&plugin.settings),
            seed: job.seed,
            now: job.now,
        };
        let tape = self.tape();
        let call = PluginCall {
            context: context.clone(),
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: Some(Arc::new(submitted)),
            journal: Some(Arc::clone(&plugin.journal)),
            tape: tape.clone(),
        };
        let (called, solves) = plugin
            .component
            .evaluate(&self.sandbox, call, &submission, &[])
            .await;
        self.metrics
            .evaluated(plugin.name(), called.outcome(), &called.report);
        for solve in &solves {
            self.metrics.solved(plugin.name(), *solve);
        }
        if !called.report.log.is_empty() {
            tracing::debug!(
                challenge = plugin.name(),
                log = called.report.log,
                "plugin log"
            );
        }
        // The wall clock also runs while the host is busy. So a submission that
        // passes its time gets the benefit of the doubt first.
        let late = solves.iter().any(|solve| solve.outcome == Outcome::Timeout);
        if called.result.is_ok() && late && job.attempts < self.config.scoring.hold_attempts {
            let why = "a task passed its time limit, perhaps because the host is busy";
            let error = PluginError::new(Outcome::Timeout, why);
            return self.put_back(&job, now, error).await;
        }
        let outcome = called.outcome();
        let made = async |logs: &[ScoringLog]| {
            let ended = Ended {
                kind: Kind::Evaluate,
                context: &context,
                artifact: Some(&job.key.artifact_digest),
                input: EvaluateInput::new(&submission.digest, &[]).text()?,
                output: EvaluateOutput::new(outcome.code(), logs).text()?,
                outcome,
                report: &called.report,
                tape: answered(tape, &plugin, outcome),
                depends_on: Vec::new(),
            };
            self.receipt(&plugin, ended, now).await
        };
        match called.result {
            Ok(logs) => {
                let made = made(&logs).await?;
                let result = EvaluationResult {
                    receipt: made.id,
                    kept: made.kept,
                    outcome: Outcome::Ok.code(),
                    done: true,
                    message: None,
                    solves: count(&solves),
                    logs: serde_json::to_string(&logs)?,
                    fuel: called.report.fuel,
                    finished_at: now,
                };
                self.finish(&job, result).await
            }
            Err(error) if self.is_tried_again(&job, &error) => {
                self.put_back(&job, now, error).await
            }
            Err(error) => {
                let made = made(&[]).await?;
                self.fail(&job, now, error, &solves, made).await
            }
        }
    }

    /// The plugin that a job is for; none if it runs no more.
    pub(super) fn plugin_of(&self, job: &Job) -> Option<Arc<ActivePlugin>> {
        let plugin = self.plugins.get(&job.key.challenge)?;
        (job_key(&plugin, &job.key.artifact_digest) == job.key).then_some(plugin)
    }

    /// Stores that a job came to no call.
    pub(super) async fn ended_without_call(
        &self,
        job: &Job,
        now: f64,
        error: PluginError,
    ) -> Result<(), PipelineError> {
        if self.is_tried_again(job, &error) {
            return self.put_back(job, now, error).await;
        }
        self.fail(job, now, error, &[], Made::default()).await
    }

    /// An artifact, ready to run. What is wrong with the artifact itself is part
    /// of the answer.
    pub(super) async fn submitted(
        &self,
        plugin: &ActivePlugin,
        artifact_digest: &str,
    ) -> Result<(Submission, Submitted), PluginError> {
        if let Runner::Http { .. } = plugin.given.runner {
            return self.submitted_elsewhere(plugin, artifact_digest).await;
        }
        let repositories = self.repositories(plugin, artifact_digest).await;
        let repositories =
            repositories.map_err(|e| PluginError::new(Outcome::Unavailable, e.to_string()))?;
        let fetched = self.fetch(artifact_digest, repositories).await;
        fetched.map_err(|unfetched| unfetched.error)?;
        let (artifacts, sandbox) = (self.artifacts.clone(), self.sandbox.clone());
        let (metrics, digest) = (Arc::clone(&self.metrics), artifact_digest.to_owned());
        let loaded = tokio::task::spawn_blocking(move || {
            let bytes = artifacts.get(&digest)?;
            let start = Instant::now();
            let solver = SolverComponent::load(&sandbox, &bytes).map(|(solver, cache)| {
                metrics.compiled(cache, start.elapsed());
                Solver::Component(solver)
            });
            Ok((Submission { digest }, solver))
        });
        let (submission, solver) = loaded
            .await
            .map_err(|e| PluginError::new(Outcome::HostError, e.to_string()))?
            .map_err(|e: ArtifactError| PluginError::new(Outcome::Unavailable, e.to_string()))?;
        let limits = plugin.solver_limits;
        Ok((submission, Submitted { solver, limits }))
    }

    /// An artifact that a service runs. It need not be here: the service pulls it from
    /// where it was first committed.
    async fn submitted_elsewhere(
        &self,
        plugin: &ActivePlugin,
        artifact_digest: &str,
    ) -> Result<(Submission, Submitted), PluginError> {
        let unavailable = |e: String| PluginError::new(Outcome::Unavailable, e);
        let name = format!("sha256:{artifact_digest}");
        let (challenge, digest) = (plugin.name(), artifact_digest.to_owned());
        let found = self
            .store
            .artifact_repositories(challenge.to_owned(), digest.clone(), 1)
            .await
            .map_err(|e| unavailable(e.to_string()))?;
        let artifact = found.into_iter().next().unwrap_or_else(|| name.clone());
        let runner = &plugin.given.runner;
        let solver = self
            .runners
            .solver(challenge, runner, artifact, name)
            .await?;
        let submitted = Submitted {
            solver: Ok(Solver::Remote(solver)),
            limits: plugin.solver_limits,
        };
        Ok((Submission { digest }, submitted))
    }

    /// Whether a job that came to this is done again later.
    fn is_tried_again(&self, job: &Job, error: &PluginError) -> bool {
        error.blame != Blame::Submission
            && error.outcome.is_transient()
            && job.attempts < self.config.scoring.max_attempts
    }

    async fn fail(
        &self,
        job: &Job,
        now: f64,
        error: PluginError,
        solves: &[SolveRecord],
        made: Made,
    ) -> Result<(), PipelineError> {
        let result = EvaluationResult {
            receipt: made.id,
            kept: made.kept,
            outcome: error.outcome.code(),
            done: error.blame == Blame::Submission,
            message: Some(error.message),
            solves: count(solves),
            logs: "[]".into(),
            fuel: 0,
            finished_at: now,
        };
        self.finish(job, result).await
    }

    pub(super) async fn put_back(
        &self,
        job: &Job,
        now: f64,
        error: PluginError,
    ) -> Result<(), PipelineError> {
        let not_before = now + self.config.scoring.pause(job.attempts);
        tracing::warn!(
            challenge = job.key.challenge,
            artifact = job.key.artifact_digest,
            attempt = job.attempts,
            outcome = error.outcome.code(),
            reason = error.message,
            retry_in_s = not_before - now,
            "evaluation put back"
        );
        let outcome = error.outcome.code();
        self.store
            .return_job(
                job.id,
                self.lease.clone(),
                not_before,
                outcome,
                error.message,
            )
            .await?;
        Ok(())
    }

    async fn finish(&self, job: &Job, result: EvaluationResult) -> Result<(), PipelineError> {
        let (outcome, message) = (result.outcome, result.message.clone());
        let stored = self
            .store
            .finish_job(job.id, self.lease.clone(), result)
            .await?;
        tracing::info!(
            challenge = job.key.challenge,
            artifact = job.key.artifact_digest,
            outcome,
            reason = message,
            stored,
            "evaluated"
        );
        Ok(())
    }
}

/// The tape of a call that can be done again; none if a service was to solve what is no
/// task for it: that is not asked, and so is no answer on the tape.
pub(super) fn answered(
    tape: Option<Tape>,
    plugin: &ActivePlugin,
    outcome: Outcome,
) -> Option<Tape> {
    let is_remote = matches!(plugin.given.runner, Runner::Http { .. });
    tape.filter(|_| !(is_remote && outcome == Outcome::Denied))
}

/// How often each outcome came, as a JSON object.
fn count(solves: &[SolveRecord]) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for solve in solves {
        *counts.entry(solve.outcome.code()).or_default() += 1;
    }
    serde_json::json!(counts).to_string()
}

#[cfg(test)]
mod tests {
    use super::seed;

    #[test]
    fn a_seed_belongs_to_one_deployment_challenge_and_day() {
        // printf 'proctor-seed' + u64be(7) + u64be(6) + 'digits' + u64be(10) + '2026-08-22' | sha256sum
        let expected = 12_204_513_338_025_395_912;
        assert_eq!(seed(7, "digits", "2026-08-22"), expected);
        assert_ne!(seed(8, "digits", "2026-08-22"), expected);
        assert_ne!(seed(7, "digit", "s2026-08-22"), expected);
    }
}
