//! The order of the steps, and the loop around them.

use super::finalize::Finalized;
use super::job_key;
use super::results::Results;
use super::reveal::due;
use crate::artifacts::ArtifactStore;
use crate::chain::Metagraph;
use crate::clock;
use crate::commits::unseal;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::plugins::{ActivePlugin, Plugins};
use crate::sandbox::{Capability, Sandbox};
use crate::store::{CommitRow, CommitState, Store, StoreError};
use crate::weights::{NoMinerError, QuantiseError};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Why the pipeline stopped. The work that it had begun is done again.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be read.
    #[error("a stored value is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// What is stored contradicts itself.
    #[error("the database contradicts itself: {0}")]
    Inconsistent(&'static str),
    /// There is no weight vector that the policy allows.
    #[error(transparent)]
    NoMiner(#[from] NoMinerError),
    /// The weights cannot be converted.
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// A task of the host panicked or was stopped.
    #[error("a task of the host ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What the pipeline works with. Clones share everything.
#[derive(Debug, Clone)]
pub struct Resources {
    /// The configuration.
    pub config: Arc<Config>,
    /// Where commits and results are.
    pub store: Store,
    /// What runs challenges and submissions.
    pub sandbox: Sandbox,
    /// The challenges.
    pub plugins: Plugins,
    /// The submissions.
    pub artifacts: ArtifactStore,
    /// Who is who on the subnet.
    pub metagraph: Arc<Metagraph>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// Scores commits. Clones share everything.
#[derive(Debug, Clone)]
pub struct Pipeline {
    resources: Resources,
    results: Results,
    /// What this process leases jobs as.
    pub(super) lease: String,
    seed: u64,
}

impl std::ops::Deref for Pipeline {
    type Target = Resources;

    fn deref(&self) -> &Resources {
        &self.resources
    }
}

impl Pipeline {
    /// A pipeline over what is stored. Takes back the jobs that an earlier
    /// process held: the caller must be alone in the data directory.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn new(resources: Resources) -> Result<Self, PipelineError> {
        let Resources { config, store, .. } = &resources;
        let seed = store.seed(config.scoring.seed, rand::random()).await?;
        let lease = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
        let returned = store.return_leases(lease.clone()).await?;
        if returned > 0 {
            tracing::info!(jobs = returned, "took up evaluations that were cut short");
        }
        let results = Results::new(config.commits.reveal_interval_s);
        results.refresh(store).await?;
        Ok(Pipeline {
            resources,
            results,
            lease,
            seed,
        })
    }

    /// What is known of each commit, for the API.
    pub fn results(&self) -> &Results {
        &self.results
    }

    /// Does all that can be done now. Returns whether anything was.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn run(&self, now: f64) -> Result<bool, PipelineError> {
        let mut busy = false;
        loop {
            let mut progress = self.open(now).await?;
            progress |= self.enqueue(now).await?;
            self.results.refresh(&self.store).await?;
            self.report(now).await?;
            progress |= self.evaluate(now).await?;
            progress |= self.settle().await?;
            progress |= self.judge_all(now).await?;
            self.results.refresh(&self.store).await?;
            self.report(now).await?;
            if !progress {
                return Ok(busy);
            }
            busy = true;
        }
    }

    /// [`run`](Self::run), and the day's finalization once its hour has come. That
    /// waits for evaluations that were queued before the hour, but not for those
    /// that were tried in vain: nobody can hold the day up.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn tick(&self, now: f64) -> Result<Option<Finalized>, PipelineError> {
        self.run(now).await?;
        let scoring = &self.config.scoring;
        if clock::hour(now) < scoring.hour || self.plugins.active().is_empty() {
            return Ok(None);
        }
        let hour = clock::at_hour(now, scoring.hour);
        if self.store.has_waiting(hour, scoring.hold_attempts).await? {
            return Ok(None);
        }
        self.finalize(now).await
    }

    /// Opens the sealed commits whose time has come.
    async fn open(&self, now: f64) -> Result<bool, PipelineError> {
        let rules = &self.config.commits;
        let sealed = self.store.commits_in(CommitState::Sealed).await?;
        let due = due(sealed, now, rules.reveal_interval_s, rules.max_versions);
        let progress = !due.open.is_empty() || !due.superseded.is_empty();
        for commit in due.superseded {
            self.store.refuse(commit.id, "superseded".into()).await?;
        }
        for commit in due.open {
            let key = commit.key.as_deref().unwrap_or_default();
            match unseal(&commit.encrypted_commit, key, &commit.challenge) {
                Ok(revealed) => {
                    let (artifact, digest) = (
                        revealed.artifact.to_string(),
                        revealed.artifact.digest().to_owned(),
                    );
                    // The day that it was due, not the day that the host looked:
                    // a host that was down must come to the same result.
                    let due_at = commit.committed_at.unwrap_or(now) + rules.reveal_interval_s;
                    self.store
                        .reveal(
                            commit.id,
                            revealed.text,
                            artifact,
                            digest,
                            clock::day(due_at),
                        )
                        .await?;
                    tracing::info!(
                        challenge = commit.challenge,
                        hotkey = commit.miner_hotkey,
                        "revealed"
                    );
                }
                Err(fault) => {
                    tracing::warn!(
                        challenge = commit.challenge,
                        hotkey = commit.miner_hotkey,
                        fault = fault.code(),
                        "commit refused"
                    );
                    self.store.refuse(commit.id, fault.code().into()).await?;
                }
            }
        }
        Ok(progress)
    }

    pub(super) fn scoring_plugins(&self) -> impl Iterator<Item = Arc<ActivePlugin>> {
        let active = self.plugins.active().into_iter();
        active.filter(|plugin| plugin.has(Capability::Scoring))
    }

    /// Queues the evaluations that revealed commits need.
    async fn enqueue(&self, now: f64) -> Result<bool, PipelineError> {
        let mut progress = false;
        let active = self.scoring_plugins().map(|plugin| job_key(&plugin, ""));
        self.store.drop_retired(active.collect()).await?;
        for commit in self.store.commits_in(CommitState::Failed).await? {
            progress |= self.try_again(&commit, now).await?;
        }
        for commit in self.store.commits_in(CommitState::Revealed).await? {
            let Some(plugin) = self.scorer_of(&commit) else {
                continue;
            };
            let day = commit.batch_day.as_deref();
            let (Some(digest), Some(day), Some(start)) = (
                &commit.artifact_digest,
                day,
                day.and_then(clock::start_of_day),
            ) else {
                return Err(PipelineError::Inconsistent(
                    "a revealed commit without artifact or day",
                ));
            };
            progress |= self
                .store
                .enqueue(
                    job_key(&plugin, digest),
                    super::seed(self.seed, &commit.challenge, day),
                    start,
                    now,
                )
                .await?;
        }
        Ok(progress)
    }

    /// Takes a failed commit up again: by a version of the plugin that did not
    /// fail on it, or because its artifact has come after all.
    async fn try_again(&self, commit: &CommitRow, now: f64) -> Result<bool, PipelineError> {
        let (Some(plugin), Some(digest)) = (self.scorer_of(commit), &commit.artifact_digest) else {
            return Ok(false);
        };
        let again = match self.store.evaluation(job_key(&plugin, digest)).await? {
            None => true,
            Some(evaluation) if self.artifacts.contains(digest) => {
                let hold_attempts = self.config.scoring.hold_attempts;
                self.store.revive(evaluation.id, hold_attempts, now).await?
            }
            Some(_) => false,
        };
        if again {
            self.store.retry(commit.id).await?;
        }
        Ok(again)
    }

    fn scorer_of(&self, commit: &CommitRow) -> Option<Arc<ActivePlugin>> {
        let plugin = self.plugins.get(&commit.challenge)?;
        plugin.has(Capability::Scoring).then_some(plugin)
    }

    /// Runs queued evaluations, as many at a time as the sandbox takes.
    async fn evaluate(&self, now: f64) -> Result<bool, PipelineError> {
        // Nothing of ours runs now: a lease that is left is of a job whose end
        // could not be stored.
        self.store.return_leases(String::new()).await?;
        let places = self.sandbox.max_concurrent_calls();
        let mut running = JoinSet::new();
        let mut progress = false;
        loop {
            while running.len() < places
                && let Some(job) = self.store.lease(self.lease.clone(), now).await?
            {
                let pipeline = self.clone();
                running.spawn(async move { pipeline.run_job(job, now).await });
            }
            match running.join_next().await {
                Some(Ok(Ok(()))) => progress = true,
                // The others go on; this one is taken up at the next look.
                Some(Ok(Err(error))) => tracing::error!(%error, "an evaluation was not stored"),
                Some(Err(error)) => tracing::error!(%error, "an evaluation was not ended"),
                None => return Ok(progress),
            }
        }
    }

    /// Moves revealed commits on whose evaluation has ended.
    async fn settle(&self) -> Result<bool, PipelineError> {
        let mut progress = false;
        for commit in self.store.commits_in(CommitState::Revealed).await? {
            let (Some(plugin), Some(digest)) = (self.scorer_of(&commit), &commit.artifact_digest)
            else {
                continue;
            };
            let Some(evaluation) = self.store.evaluation(job_key(&plugin, digest)).await? else {
                continue;
            };
            progress = true;
            if evaluation.done {
                self.store.set_evaluated(commit.id, evaluation.id).await?;
            } else {
                let message = evaluation.message.unwrap_or_default();
                let fault = format!("{}: {message}", evaluation.outcome);
                self.store.set_failed(&commit, fault).await?;
            }
        }
        Ok(progress)
    }

    async fn report(&self, now: f64) -> Result<(), PipelineError> {
        let depth = self.store.queue_depth().await?;
        self.metrics.set_queue(
            depth.jobs,
            depth.oldest.map_or(0.0, |oldest| (now - oldest).max(0.0)),
        );
        let counts = self.store.commit_counts().await?;
        let challenges: BTreeSet<&str> = counts
            .iter()
            .map(|(challenge, ..)| challenge.as_str())
            .collect();
        for challenge in challenges {
            for state in CommitState::ALL {
                let count = counts
                    .iter()
                    .find(|(name, at, _)| name == challenge && *at == state)
                    .map_or(0, |(.., count)| *count);
                self.metrics.set_commits(challenge, state, count);
            }
        }
        for (validator_uid, code, count) in self.store.faults().await? {
            self.metrics.set_faults(validator_uid, code, count);
        }
        Ok(())
    }
}
