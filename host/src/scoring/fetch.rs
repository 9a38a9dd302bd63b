//! Submissions that miners put into registries.

use super::pipeline::{Pipeline, PipelineError};
use crate::artifacts::ArtifactError;
use crate::config::Runner;
use crate::plugins::ActivePlugin;
use crate::registry::oci::OciError;
use crate::registry::reference::{InvalidReference, OciReference};
use crate::sandbox::{Outcome, PluginError};
use crate::store::{Job, StoreError};
use std::time::Duration;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

/// Time for all of a pull.
pub(super) const PULL: Duration = Duration::from_secs(30);

/// Time for all repositories of a submission.
const WHOLE: Duration = Duration::from_secs(60);

/// Submissions that are fetched at a time. Each is held in memory.
pub(super) const PLACES: usize = 8;

/// Repositories of one submission that are asked, at most.
const REPOSITORIES: u32 = 5;

/// Seconds until a job looks for a place again.
const NEXT_LOOK: f64 = 5.0;

/// How a component begins, unlike a module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

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
        use OciError::{NotFound, Unauthorized};
        matches!(
            self,
            NotFetched::Registry(NotFound { .. } | Unauthorized { .. })
        )
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

    /// Fetches the submission of a leased job and returns the job, to be run at once if
    /// it is here now.
    pub(super) async fn fetch_for(
        &self,
        job: Job,
        repositories: Vec<String>,
        now: f64,
    ) -> Result<(), PipelineError> {
        match self.fetch(&job.key.artifact_digest, repositories).await {
            Ok(()) => {
                self.put_off(&job, now).await?;
                self.queued.notify_one();
                Ok(())
            }
            Err(error) => self.ended_without_call(&job, now, error).await,
        }
    }

    /// Returns a job for which there is no place to fetch its submission.
    pub(super) async fn fetch_later(&self, job: Job, now: f64) -> Result<(), PipelineError> {
        self.put_off(&job, now + NEXT_LOOK).await
    }

    async fn put_off(&self, job: &Job, not_before: f64) -> Result<(), PipelineError> {
        let lease = self.lease.clone();
        Ok(self.store.put_off_job(job.id, lease, not_before).await?)
    }

    /// Gets a submission from one of these repositories. The next one is asked if one
    /// does not have it, or does not let the host in. Nothing is done if there are none.
    ///
    /// # Errors
    ///
    /// It cannot be had now.
    pub(super) async fn fetch(
        &self,
        digest: &str,
        repositories: Vec<String>,
    ) -> Result<(), PluginError> {
        let unavailable = |why: String| PluginError::new(Outcome::Unavailable, why);
        let work = async {
            let mut last = Ok(());
            for repository in repositories {
                let fetched = self.fetch_from(&repository, digest).await;
                let outcome = fetched.as_ref().map_or_else(NotFetched::code, |()| "ok");
                self.metrics.submission_pulled(outcome);
                let Err(error) = fetched else {
                    return Ok(());
                };
                let is_last = !error.is_elsewhere();
                last = Err(unavailable(format!("{repository}: {error}")));
                if is_last {
                    break;
                }
            }
            last
        };
        let in_time = timeout(WHOLE, work).await;
        in_time.unwrap_or_else(|_| {
            let seconds = WHOLE.as_secs();
            Err(unavailable(format!(
                "no registry gave it within {seconds} s"
            )))
        })
    }

    async fn fetch_from(&self, repository: &str, digest: &str) -> Result<(), NotFetched> {
        let reference: OciReference = repository.parse()?;
        // Before anything is fetched in vain.
        let artifacts = self.artifacts.clone();
        spawn_blocking(move || artifacts.check_room(0)).await??;
        let pulled = self.registries.pull(&reference).await?;
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
