//! Who runs the evaluations: workers that lease one job after the other, for as
//! long as the host serves; or one sweep over all that waits.

use super::fetch::FETCHERS;
use super::pipeline::{Pipeline, PipelineError};
use crate::clock;
use crate::store::{Job, Notice, OutboxKind};
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does something in a task of its own, so that a panic in it ends nothing else.
pub(super) async fn guarded<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, JoinError> {
    let mut task = AbortOnDrop(tokio::spawn(work));
    (&mut task.0).await
}

impl Pipeline {
    /// Runs queued evaluations until `stop`, as many at a time as the sandbox
    /// takes, and pulls the submissions that they need beside them. What is cut short by
    /// the stop is taken up at the next start.
    pub async fn work(&self, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for _ in 0..self.sandbox.max_concurrent_calls() {
            let (pipeline, stop) = (self.clone(), stop.clone());
            workers.spawn(async move {
                stop.run_until_cancelled(pipeline.work_on()).await;
            });
        }
        for _ in 0..FETCHERS {
            let (pipeline, stop) = (self.clone(), stop.clone());
            workers.spawn(async move {
                stop.run_until_cancelled(pipeline.fetch_on()).await;
            });
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended early");
            }
        }
    }

    async fn work_on(&self) {
        let pause = Duration::from_millis(self.config.scoring.interval_ms);
        // Before that every job looks as if its plugin were gone.
        let mut changes = self.plugins.changes();
        while !self.plugins.is_scanned() {
            let _ = changes.changed().await;
        }
        loop {
            let now = clock::unix_now();
            match self.store.lease(self.lease.clone(), now).await {
                Ok(Some(job)) => self.do_job(job, now, pause).await,
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

    async fn do_job(&self, job: Job, now: f64, pause: Duration) {
        let (id, pipeline) = (job.id, self.clone());
        let done = guarded(async move { pipeline.fetch_or_run(job, now).await }).await;
        if let Err(error) = done.map_err(PipelineError::from).flatten() {
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

    /// Runs a leased job if its submission is here, and else has that fetched.
    async fn fetch_or_run(&self, job: Job, now: f64) -> Result<(), PipelineError> {
        let Some(plugin) = self.plugin_of(&job) else {
            return self.run_job(job, now).await;
        };
        let digest = &job.key.artifact_digest;
        let repositories = self.repositories(&plugin, digest).await?;
        if repositories.is_empty() {
            return self.run_job(job, now).await;
        }
        match self.fetches.failed(job.id) {
            None => self.fetch_for(job, repositories, now).await,
            // Until the operator makes room: it is not the miner's fault.
            Some(failed) if failed.is_full => self.put_back(&job, now, failed.error).await,
            Some(failed) => self.ended_without_call(&job, now, failed.error).await,
        }
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
