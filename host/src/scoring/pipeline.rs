//! The order of the steps, and the loop around them.

use super::fetch::Fetches;
use super::finalize::Asked;
use super::latest::LatestVector;
use super::organic::is_finalized;
use super::publish::Published;
use super::results::Results;
use super::reveal::superseded;
use super::schedule::Schedule;
use super::vector::Finalized;
use super::{fetch, job_key, work};
use crate::artifacts::ArtifactStore;
use crate::chain::Metagraph;
use crate::chain::subnet::Subnet;
use crate::clock;
use crate::commits::unseal;
use crate::config::{Config, Runner};
use crate::metrics::Metrics;
use crate::plugins::{ActivePlugin, Plugins};
use crate::receipts::Signer;
use crate::registry::oci::{OciClient, OciError};
use crate::runner::Runners;
use crate::sandbox::{Capability, Sandbox};
use crate::store::{
    CommitRow, CommitState, EvaluationRow, JobKey, Linked, NewEvent, Store, StoreError,
};
use crate::weights::{NoMinerError, QuantiseError};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, Notify};

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
    /// What a receipt names cannot be compressed.
    #[error("a receipt cannot be kept: {0}")]
    Compress(#[from] std::io::Error),
    /// Registries cannot be asked on this machine.
    #[error(transparent)]
    Registries(#[from] OciError),
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
    /// The components of challenges, every one that was ever loaded.
    pub components: ArtifactStore,
    /// What runs submissions that are no components.
    pub runners: Runners,
    /// Who is who on the subnet.
    pub subnet: Subnet,
    /// Who signs receipts; none if none are made.
    pub signer: Option<Signer>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

impl Resources {
    /// Who is who on the subnet now. What is one piece of work asks once.
    pub fn metagraph(&self) -> Arc<Metagraph> {
        self.subnet.metagraph()
    }
}

/// Scores commits. Clones share everything.
#[derive(Debug, Clone)]
pub struct Pipeline {
    resources: Resources,
    results: Results,
    /// What this process leases jobs as.
    pub(super) lease: String,
    seed: u64,
    pub(super) schedule: Schedule,
    /// The first day of each challenge.
    pub(super) first_days: Arc<Mutex<BTreeMap<String, String>>>,
    /// When each challenge was asked for the weights of a day in vain.
    pub(super) asked: Arc<Mutex<BTreeMap<(String, String), Asked>>>,
    /// The current weight vector.
    pub(super) latest: LatestVector,
    /// How far publishing it is.
    pub(super) published: Arc<AsyncMutex<Published>>,
    /// A number that grows with every finalization of this process.
    pub(super) ledger: Arc<AtomicU64>,
    /// The plugins that jobs were last queued for, as keys without an artifact.
    active: Arc<Mutex<Option<Vec<JobKey>>>>,
    /// Where submissions are pulled from.
    pub(super) registries: Arc<OciClient>,
    /// What is to be pulled.
    pub(super) fetches: Arc<Fetches>,
    /// There are new jobs.
    pub(super) queued: Arc<Notify>,
    /// A job has ended.
    pub(super) ended: Arc<Notify>,
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
        let longest_pause = config.scoring.max_retry_s.max(config.storage.max_retry_s);
        let now = clock::unix_now();
        store.bring_forward(now + longest_pause).await?;
        let schedule = Schedule::new(config);
        let results = Results::default();
        results.refresh(store).await?;
        for (challenge, day) in store.last_days().await? {
            results.set_last_day(&challenge, &day);
        }
        let registries = OciClient::for_submissions(&config.registry, config.artifacts.max_bytes)?;
        Ok(Pipeline {
            registries: Arc::new(registries.with_timeout(fetch::PULL)),
            fetches: Arc::default(),
            resources,
            results,
            lease,
            seed,
            schedule,
            first_days: Arc::default(),
            asked: Arc::default(),
            latest: LatestVector::default(),
            published: Arc::default(),
            ledger: Arc::default(),
            active: Arc::default(),
            queued: Arc::default(),
            ended: Arc::default(),
        })
    }

    /// What it works with.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// What is known of each commit, for the API.
    pub fn results(&self) -> &Results {
        &self.results
    }

    /// The current weight vector.
    pub fn latest_vector(&self) -> &LatestVector {
        &self.latest
    }

    /// The operator's rules about time.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// The seed of this deployment, from which those of tasks are made.
    pub fn deployment_seed(&self) -> u64 {
        self.seed
    }

    /// Waits until an evaluation has ended.
    pub async fn evaluation_ended(&self) {
        self.ended.notified().await;
    }

    /// Scores all that can be scored now, evaluations included: nobody else may
    /// [`work`](Self::work). Returns whether anything was done.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn run(&self, now: f64) -> Result<bool, PipelineError> {
        let mut busy = false;
        loop {
            let mut progress = self.step(now).await?;
            progress |= self.evaluate(now).await?;
            if !progress {
                return Ok(busy);
            }
            busy = true;
        }
    }

    /// Moves every commit on that can be, without the evaluations, which others
    /// [`work`](Self::work) on. Returns whether anything was done.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn step(&self, now: f64) -> Result<bool, PipelineError> {
        let mut progress = self.open(now).await?;
        if self.enqueue(now).await? {
            self.queued.notify_waiters();
            progress = true;
        }
        progress |= self.settle(now).await?;
        progress |= self.compare_new(now).await?;
        self.results.refresh(&self.store).await?;
        self.report(now).await?;
        Ok(progress)
    }

    /// Finalizes the days whose hour has come, of each challenge, once; then makes
    /// the vectors of the days that all are through with. Returns the last one
    /// that it made.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`]; what was finalized before stays.
    pub async fn finalize(&self, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let finalized = self.finalize_due(now).await;
        self.results.refresh(&self.store).await?;
        if finalized? {
            self.report(now).await?;
        }
        self.make_vectors(now).await
    }

    /// Opens the sealed commits whose time has come, of challenges that there are:
    /// what is published for others costs no more than its row.
    async fn open(&self, now: f64) -> Result<bool, PipelineError> {
        let sealed = self.store.ripe_commits(self.schedule.latest_ripe(now));
        let is_ripe = |commit: &CommitRow| {
            let at = commit.committed_at;
            at.is_some_and(|at| self.schedule.is_ripe(now, at)) && self.scorer_of(commit).is_some()
        };
        let mut ripe = sealed.await?;
        ripe.retain(is_ripe);
        let progress = !ripe.is_empty();
        for commit in ripe {
            let key = commit.key.as_deref().unwrap_or_default();
            match unseal(&commit.encrypted_commit, key, &commit.challenge) {
                Ok(revealed) => {
                    let (artifact, digest) = (
                        revealed.artifact.to_string(),
                        revealed.artifact.digest().to_owned(),
                    );
                    // The day that it was due, not the day that the host looked:
                    // a host that was down must come to the same result.
                    let due_at = commit.committed_at.map_or(now, |at| self.schedule.due(at));
                    self.store
                        .reveal(
                            commit.id,
                            revealed.text,
                            artifact,
                            digest,
                            self.schedule.day_of(due_at),
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

    /// Queues the evaluations that revealed commits need.
    async fn enqueue(&self, now: f64) -> Result<bool, PipelineError> {
        let mut progress = false;
        self.drop_retired().await?;
        for commit in self.store.commits_in(CommitState::Failed).await? {
            progress |= self.try_again(&commit, now).await?;
        }
        let mut waiting = self.store.commits_in(CommitState::Revealed).await?;
        if !waiting.is_empty() {
            waiting.extend(self.store.commits_in(CommitState::Evaluated).await?);
        }
        let superseded = superseded(&waiting, self.config.commits.max_versions);
        waiting.retain(|commit| commit.state == CommitState::Revealed);
        waiting.retain(|commit| !superseded.contains(&commit.id));
        for commit in waiting {
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

    /// Drops jobs of plugins that are not active any more, if others are than at
    /// the last look.
    async fn drop_retired(&self) -> Result<(), PipelineError> {
        let active = self.plugins.active();
        let scoring = active.iter().filter(|p| p.has(Capability::Scoring));
        let keys: Vec<JobKey> = scoring.map(|plugin| job_key(plugin, "")).collect();
        let before = {
            let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            active.replace(keys.clone())
        };
        if before.as_ref() != Some(&keys) {
            self.store.drop_retired(keys).await?;
        }
        Ok(())
    }

    /// Takes a failed commit up again: by a version of the plugin that did not
    /// fail on it, or because its artifact has come after all.
    async fn try_again(&self, commit: &CommitRow, now: f64) -> Result<bool, PipelineError> {
        let (Some(plugin), Some(digest)) = (self.scorer_of(commit), &commit.artifact_digest) else {
            return Ok(false);
        };
        let again = match self.store.evaluation(job_key(&plugin, digest)).await? {
            None => true,
            Some(evaluation)
                if plugin.given.runner != Runner::Component || self.artifacts.contains(digest) =>
            {
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

    pub(super) fn scorer_of(&self, commit: &CommitRow) -> Option<Arc<ActivePlugin>> {
        let plugin = self.plugins.get(&commit.challenge)?;
        plugin.has(Capability::Scoring).then_some(plugin)
    }

    /// Moves revealed commits on whose evaluation has ended.
    async fn settle(&self, now: f64) -> Result<bool, PipelineError> {
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
                let event = scored(&commit, &evaluation, now)?;
                let notices = match self.config.storage.url {
                    Some(_) => work::notices(commit.id, evaluation.id).into(),
                    None => Vec::new(),
                };
                let linked = Linked {
                    commit: commit.id,
                    evaluation: evaluation.id,
                    event,
                    notices,
                };
                self.store.set_evaluated(linked).await?;
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
        if let Some(head) = self.store.heads(None, 1).await?.first() {
            self.metrics.set_tree(head.size);
        }
        let active = self.plugins.active();
        self.metrics
            .set_challenges(active.iter().map(|plugin| plugin.name()));
        let counts = self.store.commit_counts().await?;
        let count_of = |challenge: &str, state| {
            let mut counts = counts.iter();
            let found = counts.find(|(name, at, _)| name == challenge && *at == state);
            found.map_or(0, |(.., count)| *count)
        };
        self.metrics.set_commits(active.iter().flat_map(|plugin| {
            let name = plugin.name();
            CommitState::ALL.map(|state| (name, state, count_of(name, state)))
        }));
        let today = clock::day(now);
        let mut overdue = Vec::new();
        for plugin in &active {
            if is_finalized(plugin) {
                let days = self.unfinalized(plugin, now).await?;
                let due = days.first().map(|day| self.schedule.finalized_at(day));
                overdue.push((plugin.name(), due.map_or(0.0, |due| (now - due).max(0.0))));
            }
        }
        let is_done = |name| self.results.is_done(name, &[], &today);
        self.metrics
            .set_is_done(overdue.iter().map(|(name, _)| (*name, is_done(name))));
        self.metrics.set_overdue(overdue.into_iter());
        self.metrics
            .set_faults(self.store.faults().await?.into_iter());
        self.metrics.stepped(now);
        Ok(())
    }
}

fn scored(
    commit: &CommitRow,
    evaluation: &EvaluationRow,
    now: f64,
) -> Result<NewEvent, PipelineError> {
    let tasks: Vec<serde::de::IgnoredAny> = serde_json::from_str(&evaluation.logs)?;
    Ok(NewEvent {
        at: now,
        kind: "scored",
        challenge: commit.challenge.clone(),
        data: json!({
            "encrypted_commit": commit.encrypted_commit,
            "miner_uid": commit.miner_uid,
            "miner_hotkey": commit.miner_hotkey,
            "artifact": commit.artifact,
            "outcome": evaluation.outcome,
            "tasks": tasks.len(),
        }),
    })
}
