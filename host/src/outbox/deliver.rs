//! The loop of each kind, and what becomes of what is refused or not heard.

use super::{Content, DeliveryError, ReadError, archive, commits, scores, state};
use crate::archive::Archive;
use crate::clock;
use crate::scoring::{Resources, Results};
use crate::storage::{Client, StorageError};
use crate::store::{OutboxKind, OutboxRow};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Rows that are looked at a time.
/// Attempts in vain after which rows are told one by one.
const APART: u32 = 5;

const LOOK: u32 = 20;
/// Seconds to the second attempt; doubled with each further one.
const FIRST_PAUSE: f64 = 0.5;
/// The least seconds between attempts, whatever the configuration says.
const LEAST_PAUSE: f64 = 0.05;

/// Tells others what changed. Clones share everything.
#[derive(Debug, Clone)]
pub struct Outbox {
    resources: Resources,
    results: Results,
    client: Option<Client>,
    archive: Option<Arc<Archive>>,
}

/// What is to be told of a row.
#[derive(Debug)]
struct Parcel {
    row: OutboxRow,
    digest: String,
    content: Content,
}

impl Parcel {
    fn results(&self) -> usize {
        match &self.content {
            Content::Scores(items) => items.len(),
            _ => scores::MAX_RESULTS,
        }
    }
}

/// An outage, from the first attempt in vain on.
#[derive(Debug)]
struct Outage {
    since: Instant,
    attempts: u32,
}

impl Outbox {
    /// An outbox that tells `client`'s service, if there is one, and `archive`, if
    /// there is one. What is for another waits.
    pub fn new(
        resources: Resources,
        results: Results,
        client: Option<Client>,
        archive: Option<Arc<Archive>>,
    ) -> Self {
        Outbox {
            resources,
            results,
            client,
            archive,
        }
    }

    /// Tells until `stop`, whenever there is something new. Nothing is lost by the
    /// stop: what it cuts short is told by the next process, perhaps once more.
    pub async fn run(self, stop: CancellationToken) {
        let mut kinds = JoinSet::new();
        for kind in OutboxKind::ALL {
            let is_heard = match kind {
                OutboxKind::Archive => self.archive.is_some(),
                _ => self.client.is_some(),
            };
            if is_heard {
                let (outbox, stop) = (self.clone(), stop.clone());
                kinds.spawn(async move {
                    stop.run_until_cancelled(outbox.run_kind(kind)).await;
                });
            }
        }
        while let Some(ended) = kinds.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a delivery ended early");
            }
        }
        stop.cancelled().await;
    }

    async fn run_kind(&self, kind: OutboxKind) {
        let config = &self.resources.config;
        let mut changes = self.results.changes();
        let mut ticks = interval(Duration::from_millis(config.scoring.interval_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut outage: Option<Outage> = None;
        loop {
            let looked = match &outage {
                Some(outage) if outage.attempts >= APART => self.look_apart(kind).await,
                _ => self.look(kind).await,
            };
            self.count(kind).await;
            match looked {
                Ok(told) => {
                    // To find nothing to tell says nothing about who was down.
                    if let Some(ended) = outage.take_if(|_| told.heard) {
                        let (kind, seconds) = (kind.name(), ended.since.elapsed().as_secs_f64());
                        tracing::info!(kind, attempts = ended.attempts, seconds, "heard again");
                    }
                    if told.more {
                        continue;
                    }
                    tokio::select! {
                        _ = ticks.tick() => {}
                        _ = changes.changed() => {}
                    }
                }
                Err(error) => {
                    self.resources.metrics.delivered(kind.name(), "failed");
                    let (code, attempts) =
                        (error.code(), outage.as_ref().map_or(0, |o| o.attempts));
                    if attempts == 0 {
                        tracing::warn!(kind = kind.name(), code, %error, "not told: trying on");
                    } else {
                        tracing::debug!(kind = kind.name(), code, %error, "not told");
                    }
                    let outage = outage.get_or_insert_with(|| Outage {
                        since: Instant::now(),
                        attempts,
                    });
                    outage.attempts += 1;
                    let pause = self.pause(outage.attempts);
                    tokio::time::sleep(Duration::from_secs_f64(pause)).await;
                }
            }
        }
    }

    /// Seconds to wait after so many attempts, at least 1.
    fn pause(&self, attempts: u32) -> f64 {
        let doublings = attempts.saturating_sub(1).min(60).cast_signed();
        let pause = FIRST_PAUSE * 2_f64.powi(doublings);
        let longest = self.resources.config.storage.max_retry_s;
        pause.min(longest).max(LEAST_PAUSE)
    }

    /// Tells the first rows of a kind.
    async fn look(&self, kind: OutboxKind) -> Result<Told, DeliveryError> {
        let store = &self.resources.store;
        let now = clock::unix_now();
        let rows = store
            .outbox(kind, now, LOOK)
            .await
            .map_err(ReadError::from)?;
        let mut told = Told {
            heard: false,
            more: rows.len() == LOOK as usize,
        };
        let mut batch: Vec<Parcel> = Vec::new();
        for row in rows {
            let parcel = match self.parcel(kind, row.clone()).await {
                Ok(Some(parcel)) => parcel,
                Ok(None) => continue,
                Err(error) if error.is_refusal() => {
                    self.put_off(kind, &row, &error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let results = batch.iter().map(Parcel::results).sum::<usize>();
            if results + parcel.results() > scores::MAX_RESULTS && !batch.is_empty() {
                told.heard |= self.tell(kind, std::mem::take(&mut batch)).await?;
            }
            batch.push(parcel);
        }
        if !batch.is_empty() {
            told.heard |= self.tell(kind, batch).await?;
        }
        Ok(told)
    }

    /// Tells the first rows of a kind one by one, when all of them were tried in vain
    /// for a while: if any is heard, it is the others that nobody can take, and they
    /// are put off.
    async fn look_apart(&self, kind: OutboxKind) -> Result<Told, DeliveryError> {
        let now = clock::unix_now();
        let rows = self.resources.store.outbox(kind, now, LOOK).await;
        let (mut heard, mut failed) = (false, Vec::new());
        for row in rows.map_err(ReadError::from)? {
            let told = match self.parcel(kind, row.clone()).await {
                Ok(Some(parcel)) => self.tell(kind, vec![parcel]).await,
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match told {
                Ok(listens) => heard |= listens,
                Err(error) => failed.push((row, error)),
            }
            if !heard && failed.len() > APART as usize {
                break;
            }
        }
        if heard {
            for (row, error) in &failed {
                self.put_off(kind, row, error).await?;
            }
            return Ok(Told { heard, more: true });
        }
        match failed.pop() {
            Some((_, error)) => Err(error),
            None => Ok(Told { heard, more: false }),
        }
    }

    /// What is to be told of a row; none if that is nothing, or nothing new: the row
    /// is removed then.
    async fn parcel(
        &self,
        kind: OutboxKind,
        row: OutboxRow,
    ) -> Result<Option<Parcel>, DeliveryError> {
        let store = &self.resources.store;
        let content = self.content(kind, &row.subject).await?;
        let parcel = content.map(|content| Parcel {
            digest: content.digest(),
            content,
            row: row.clone(),
        });
        let before = store
            .told_digest(kind, row.subject)
            .await
            .map_err(ReadError::from)?;
        match parcel {
            Some(parcel) if before.as_ref() != Some(&parcel.digest) => Ok(Some(parcel)),
            _ => {
                store
                    .drop_notices(vec![row.id])
                    .await
                    .map_err(ReadError::from)?;
                Ok(None)
            }
        }
    }

    async fn content(
        &self,
        kind: OutboxKind,
        subject: &str,
    ) -> Result<Option<Content>, DeliveryError> {
        let Resources { store, config, .. } = &self.resources;
        match kind {
            OutboxKind::Score => match subject.parse() {
                Ok(evaluation) => Ok(scores::scores(store, evaluation).await?),
                Err(_) => Ok(None),
            },
            OutboxKind::Commit => {
                let Ok(id) = subject.parse() else {
                    return Ok(None);
                };
                let commit = store.find_commit(id).await.map_err(ReadError::from)?;
                let full = match commit {
                    Some(commit) => commits::full(store, commit).await?,
                    None => None,
                };
                let body = full
                    .map(|commit| serde_json::to_string(&commit))
                    .transpose();
                let content = |body| Content::Body {
                    route: "/upload-commit",
                    body,
                };
                Ok(body.map_err(ReadError::from)?.map(content))
            }
            OutboxKind::State => match &self.client {
                Some(client) => {
                    let most = config.scoring.max_unique_commits;
                    let metagraph = self.resources.metagraph();
                    Ok(Some(state::state(store, &metagraph, client, most).await?))
                }
                None => Ok(None),
            },
            OutboxKind::Archive => Ok(archive::day(store, subject).await?),
        }
    }

    /// Tells all of a batch; one by one if somebody says no to it. Returns whether
    /// anybody listens.
    async fn tell(&self, kind: OutboxKind, batch: Vec<Parcel>) -> Result<bool, DeliveryError> {
        match self.send(&batch).await {
            Ok(()) => self.told(kind, batch).await?,
            Err(error) if !error.is_refusal() => return Err(error),
            Err(error) => match batch.as_slice() {
                [parcel] => self.put_off(kind, &parcel.row, &error).await?,
                _ => {
                    for parcel in batch {
                        match self.send(std::slice::from_ref(&parcel)).await {
                            Ok(()) => self.told(kind, vec![parcel]).await?,
                            Err(error) if error.is_refusal() => {
                                self.put_off(kind, &parcel.row, &error).await?;
                            }
                            Err(error) => return Err(error),
                        }
                    }
                }
            },
        }
        Ok(true)
    }

    async fn told(&self, kind: OutboxKind, batch: Vec<Parcel>) -> Result<(), DeliveryError> {
        let Resources { store, metrics, .. } = &self.resources;
        let rows: Vec<_> = batch
            .into_iter()
            .map(|parcel| (parcel.row.id, parcel.row.subject, parcel.digest))
            .collect();
        let count = rows.len();
        store
            .told(kind, rows, clock::unix_now())
            .await
            .map_err(ReadError::from)?;
        for _ in 0..count {
            metrics.delivered(kind.name(), "ok");
        }
        tracing::debug!(kind = kind.name(), count, "told");
        Ok(())
    }

    async fn put_off(
        &self,
        kind: OutboxKind,
        row: &OutboxRow,
        error: &DeliveryError,
    ) -> Result<(), DeliveryError> {
        let Resources { store, metrics, .. } = &self.resources;
        let pause = self.pause(row.attempts + 1);
        tracing::warn!(
            kind = kind.name(),
            subject = row.subject,
            code = error.code(),
            %error,
            retry_in_s = pause,
            "refused: the rest goes on"
        );
        metrics.delivered(kind.name(), "refused");
        let not_before = clock::unix_now() + pause;
        store
            .refused(vec![row.id], not_before, error.to_string())
            .await
            .map_err(ReadError::from)?;
        Ok(())
    }

    async fn send(&self, batch: &[Parcel]) -> Result<(), DeliveryError> {
        let mut results: Vec<&String> = Vec::new();
        for parcel in batch {
            match &parcel.content {
                Content::Scores(items) => results.extend(items),
                Content::Body { route, body } => self.post(route, body.clone()).await?,
                Content::Files(files) => {
                    if let Some(archive) = &self.archive {
                        archive.put(files.clone()).await?;
                    }
                }
            }
        }
        for results in results.chunks(scores::MAX_RESULTS) {
            self.post(scores::ROUTE, scores::body(results)).await?;
        }
        Ok(())
    }

    async fn post(&self, route: &str, body: String) -> Result<(), DeliveryError> {
        let none = || StorageError::Config("there is no client".into());
        let client = self.client.as_ref().ok_or_else(none)?;
        let answer = client.post(route, body.into_bytes(), None).await?;
        // A page to log in at is a success as well, and nobody was told.
        if answer.body.is_empty() || answer.json().is_ok() {
            return Ok(());
        }
        let problem = StorageError::Malformed("the answer to an upload is no JSON".into());
        Err(problem.into())
    }

    async fn count(&self, kind: OutboxKind) {
        let Resources { store, metrics, .. } = &self.resources;
        match store.outbox_depth(kind).await {
            Ok(depth) => {
                let oldest = depth.oldest.map_or(0.0, |at| clock::unix_now() - at);
                metrics.set_outbox(kind.name(), depth.rows, depth.refused, oldest.max(0.0));
            }
            Err(error) => tracing::debug!(%error, "the outbox cannot be counted"),
        }
    }
}

/// What a look came to.
#[derive(Debug)]
struct Told {
    /// Whether anybody was told, or refused to be.
    heard: bool,
    /// Whether there may be more.
    more: bool,
}
