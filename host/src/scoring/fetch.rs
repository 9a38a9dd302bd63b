//! Submissions that miners put into registries.
//!
//! They are fetched beside the workers, in the order that they were asked for, so that a
//! registry that a miner chose holds up no evaluation of what is here. A job whose
//! submission is fetched is put off, and brought forward when that has ended.

use super::pipeline::{Pipeline, PipelineError};
use crate::artifacts::ArtifactError;
use crate::config::Runner;
use crate::plugins::ActivePlugin;
use crate::registry::oci::OciError;
use crate::registry::reference::{InvalidReference, OciReference};
use crate::sandbox::{Outcome, PluginError};
use crate::store::{Job, StoreError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

/// Time for all of a pull.
pub(super) const PULL: Duration = Duration::from_secs(30);

/// Time for all repositories of a submission.
const WHOLE: Duration = Duration::from_secs(60);

/// Submissions that are fetched at a time. Each is held in memory.
pub(super) const FETCHERS: usize = 8;

/// Repositories of one submission that are asked, at most.
const REPOSITORIES: u32 = 5;

/// Seconds after which a job whose submission is fetched is looked at even if nobody
/// brought it forward.
const PUT_OFF: f64 = 120.0;

/// How a component begins, unlike a module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A submission that is to be fetched for a job.
#[derive(Debug)]
struct ToFetch {
    job: i64,
    digest: String,
    repositories: Vec<String>,
    /// When the job was looked at.
    now: f64,
}

/// Why there is no submission.
#[derive(Debug)]
pub(super) struct Unfetched {
    pub(super) error: PluginError,
    /// Whether the operator can change it, and nobody else.
    pub(super) is_full: bool,
}

/// What is to be fetched. All of it is made up for by the jobs, which come again.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    queue: Mutex<Queue>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<ToFetch>,
    /// Jobs that wait, or whose submission is fetched now.
    jobs: BTreeSet<i64>,
    /// What their jobs have not been told yet.
    failed: BTreeMap<i64, Unfetched>,
}

impl Fetches {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, wanted: ToFetch) {
        let mut queue = self.queue();
        if queue.jobs.insert(wanted.job) {
            queue.waiting.push_back(wanted);
            self.asked.notify_one();
        }
    }

    async fn next(&self) -> ToFetch {
        loop {
            if let Some(next) = self.queue().waiting.pop_front() {
                return next;
            }
            self.asked.notified().await;
        }
    }

    fn end(&self, job: i64, failed: Option<Unfetched>) {
        let mut queue = self.queue();
        queue.jobs.remove(&job);
        queue.failed.extend(failed.map(|failed| (job, failed)));
    }

    /// What came of the last fetch for a job, once, if that was in vain.
    pub(super) fn failed(&self, job: i64) -> Option<Unfetched> {
        self.queue().failed.remove(&job)
    }
}

/// Why a repository gave nothing.
#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Registry(#[from] OciError),
    #[error("it has the digest of a manifest: a commit names the component itself, {component}")]
    Manifest { component: String },
    #[error("it is no component")]
    NotAComponent,
    #[error(transparent)]
    Store(#[from] ArtifactError),
    #[error(transparent)]
    Ended(#[from] JoinError),
}

impl NotFetched {
    /// The stable name.
    fn code(&self) -> &'static str {
        match self {
            NotFetched::Reference(_) => "invalid_reference",
            NotFetched::Registry(error) => error.code(),
            NotFetched::Manifest { .. } => "digest_mismatch",
            NotFetched::NotAComponent => "not_a_component",
            NotFetched::Store(ArtifactError::Full { .. }) => "store_full",
            NotFetched::Store(_) | NotFetched::Ended(_) => "host_error",
        }
    }

    /// Whether another repository may have it.
    fn is_elsewhere(&self) -> bool {
        matches!(self, NotFetched::Reference(_) | NotFetched::Registry(_))
    }

    fn is_full(&self) -> bool {
        matches!(self, NotFetched::Store(ArtifactError::Full { .. }))
    }
}

fn unfetched(why: String) -> Unfetched {
    Unfetched {
        error: PluginError::new(Outcome::Unavailable, why),
        is_full: false,
    }
}

impl Pipeline {
    /// The repositories that a submission may be had from; none if it is here, or was
    /// never committed with one.
    pub(super) async fn repositories(
        &self,
        plugin: &ActivePlugin,
        digest: &str,
    ) -> Result<Vec<String>, StoreError> {
        if plugin.given.runner != Runner::Component || self.artifacts.contains(digest) {
            return Ok(Vec::new());
        }
        let challenge = plugin.name().to_owned();
        let found = self
            .store
            .artifact_repositories(challenge, digest.to_owned(), REPOSITORIES);
        found.await
    }

    /// Has the submission of a leased job fetched, and puts the job off until then.
    pub(super) async fn fetch_for(
        &self,
        job: Job,
        repositories: Vec<String>,
        now: f64,
    ) -> Result<(), PipelineError> {
        let lease = self.lease.clone();
        // First, so that it can be brought forward.
        self.store.put_off_job(job.id, lease, now + PUT_OFF).await?;
        self.fetches.ask(ToFetch {
            job: job.id,
            digest: job.key.artifact_digest,
            repositories,
            now,
        });
        Ok(())
    }

    /// Fetches what is asked for, one after the other.
    pub(super) async fn fetch_on(&self) {
        loop {
            let wanted = self.fetches.next().await;
            let (pipeline, digest) = (self.clone(), wanted.digest);
            // A task of its own: a panic in it must not end the fetcher.
            let fetched =
                super::work::guarded(
                    async move { pipeline.fetch(&digest, wanted.repositories).await },
                );
            let fetched = fetched.await.unwrap_or_else(|ended| {
                tracing::error!(%ended, "a submission was not fetched");
                Err(unfetched(ended.to_string()))
            });
            self.fetches.end(wanted.job, fetched.err());
            match self.store.bring_job_forward(wanted.job, wanted.now).await {
                Ok(true) => self.queued.notify_one(),
                // Nobody asks any more.
                Ok(false) => drop(self.fetches.failed(wanted.job)),
                // It comes by itself.
                Err(error) => tracing::error!(%error, "an evaluation was not brought forward"),
            }
        }
    }

    /// Gets a submission from one of these repositories: from the first that has it.
    /// Nothing is done if there are none.
    pub(super) async fn fetch(
        &self,
        digest: &str,
        repositories: Vec<String>,
    ) -> Result<(), Unfetched> {
        let work = async {
            let mut last = Ok(());
            for repository in repositories {
                let fetched = self.fetch_from(&repository, digest).await;
                let outcome = fetched.as_ref().map_or_else(NotFetched::code, |()| "ok");
                self.metrics.submission_pulled(outcome);
                let Err(error) = fetched else {
                    return Ok(());
                };
                last = Err(Unfetched {
                    is_full: error.is_full(),
                    ..unfetched(format!("{repository}: {error}"))
                });
                if !error.is_elsewhere() {
                    break;
                }
            }
            last
        };
        let in_time = timeout(WHOLE, work).await;
        in_time.unwrap_or_else(|_| {
            let seconds = WHOLE.as_secs();
            Err(unfetched(format!("no registry gave it within {seconds} s")))
        })
    }

    async fn fetch_from(&self, repository: &str, digest: &str) -> Result<(), NotFetched> {
        if self.artifacts.contains(digest) {
            return Ok(());
        }
        let reference: OciReference = repository.parse()?;
        // Before anything is fetched in vain.
        let artifacts = self.artifacts.clone();
        let room = spawn_blocking(move || artifacts.room()).await??;
        let limits = &self.config.artifacts;
        let pulled = match self.registries.pull_at_most(&reference, room).await {
            Err(OciError::TooLarge { max, .. }) if max < limits.max_bytes => {
                let max = limits.max_total_bytes;
                return Err(ArtifactError::Full { max }.into());
            }
            pulled => pulled?,
        };
        if pulled.layer_digest.strip_prefix("sha256:") != Some(digest) {
            return Err(NotFetched::Manifest {
                component: pulled.layer_digest,
            });
        }
        // Nothing that cannot run is kept for miners.
        if !pulled.bytes.starts_with(COMPONENT) {
            return Err(NotFetched::NotAComponent);
        }
        let artifacts = self.artifacts.clone();
        let added = spawn_blocking(move || artifacts.add(&pulled.bytes)).await??;
        tracing::info!(
            artifact = repository,
            bytes = added.size,
            "submission pulled"
        );
        Ok(())
    }
}
