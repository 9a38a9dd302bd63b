//! Who runs the evaluations: workers that lease one job after the other, for as
//! long as the host serves; or one sweep over all that waits.

use super::pipeline::{Pipeline, PipelineError};
use crate::clock;
use crate::store::{Job, Notice, OutboxKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop(tokio::task::JoinHandle<Result<(), PipelineError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pipeline {
    /// Runs queued evaluations until `stop`, as many at a time as the sandbox
    /// takes. What is cut short by the stop is taken up at the next start.
    pub async fn work(&self, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for _ in 0..self.sandbox.max_concurrent_calls() {
            let (pipeline, stop) = (self.clone(), stop.clone());
            workers.spawn(async move {
                stop.run_until_cancelled(pipeline.work_on(&stop)).await;
            });
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended early");
            }
        }
    }

    async fn work_on(&self, stop: &CancellationToken) {
        let pause = Duration::from_millis(self.config.scoring.interval_ms);
        // Before that every job looks as if its plugin were gone.
        let mut changes = self.plugins.changes();
        while !self.plugins.is_scanned() {
            let _ = changes.changed().await;
        }
        loop {
            let now = clock::unix_now();
            match self.store.lease(self.lease.clone(), now).await {
                Ok(Some(job)) => self.do_job(job, now, pause, stop).await,
                Ok(None) => {
                    // A job that was put off is ready without anybody telling.
                    tokio::select! {
                        () = self.queued.notified() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot lease an evaluation: trying again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn do_job(&self, job: Job, now: f64, pause: Duration, stop: &CancellationToken) {
        let (id, pipeline) = (job.id, self.clone());
        let repositories = match self.plugin_of(&job) {
            Some(plugin) => self.repositories(&plugin, &job.key.artifact_digest).await,
            None => Ok(Vec::new()),
        };
        let repositories = match repositories {
            Ok(repositories) if !repositories.is_empty() => repositories,
            // What is wrong is told of the job.
            _ => {
                let run = async move { pipeline.run_job(job, now).await };
                return self.done_or_returned(id, now, pause, run).await;
            }
        };
        let Ok(place) = Arc::clone(&self.fetches).try_acquire_owned() else {
            let later = async move { pipeline.fetch_later(job, now).await };
            return self.done_or_returned(id, now, pause, later).await;
        };
        // Beside the workers: a registry that a miner chose holds none of them up.
        let stop = stop.clone();
        tokio::spawn(async move {
            let (fetching, place) = (pipeline.clone(), place);
            let fetch = async move { fetching.fetch_for(job, repositories, now).await };
            stop.run_until_cancelled(pipeline.done_or_returned(id, now, pause, fetch))
                .await;
            drop(place);
        });
    }

    /// Does something with a job that is leased; if that fails, the job is returned.
    async fn done_or_returned(
        &self,
        id: i64,
        now: f64,
        pause: Duration,
        work: impl Future<Output = Result<(), PipelineError>> + Send + 'static,
    ) {
        // A task of its own: a panic in it must not keep the job, nor this worker.
        let mut ran = AbortOnDrop(tokio::spawn(work));
        let ran = match (&mut ran.0).await {
            Ok(ran) => ran,
            Err(ended) => Err(ended.into()),
        };
        if let Err(error) = ran {
            tracing::error!(%error, "an evaluation was not stored: returning it");
            let (outcome, message) = ("host_error", error.to_string());
            while let Err(error) = self
                .store
                .return_job(id, self.lease.clone(), now, outcome, message.clone())
                .await
            {
                tracing::error!(%error, "an evaluation was not returned: trying again");
                tokio::time::sleep(pause).await;
            }
        }
        self.ended.notify_one();
    }

    /// Runs all queued evaluations that may run now. Nothing else may run any.
    pub(super) async fn evaluate(&self, now: f64) -> Result<bool, PipelineError> {
        // A lease that is left is of a job whose end could not be stored.
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
}

/// What the storage service is told when a commit moves on.
pub(super) fn notices(commit: i64, evaluation: i64) -> [Notice; 2] {
    let notice = |kind, subject: i64| Notice {
        kind,
        subject: subject.to_string(),
    };
    [
        notice(OutboxKind::Score, evaluation),
        notice(OutboxKind::Commit, commit),
    ]
}
