//! What is kept no more. `retention.days` after its finalization, what nothing refers
//! to of a day moves from the database to `archive/<day>.jsonl.gz` in the data
//! directory; the ledger keeps a row for the day.
//!
//! A commit that has left must not come back as a new one. So from then on commits
//! that are not known and that are older than the days that have left are refused: all
//! days that they could have been of are finalized, and have left as well. That is at
//! least `retention.days` and the time to the reveal before the present.

mod day_file;
mod spent;

use crate::clock;
use crate::commits::wire;
use crate::scoring::{Pipeline, Schedule};
use crate::store::{Store, StoreError};
use day_file::DayFile;
use spent::{Known, Rules, spent};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Time from one look to the next.
const PERIOD: Duration = Duration::from_secs(3_600);

const DAY: f64 = 86_400.0;

/// How often it begins again when validators say something meanwhile.
const ATTEMPTS: u32 = 5;

/// Why something was not compacted. What was is.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of a day cannot be written, or what is in it cannot be read: nothing
    /// of that day has left the database.
    #[error("{path}: {error}")]
    Io {
        /// The directory of the file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What a validator published cannot be read, so nobody knows what it still asks
    /// about.
    #[error("the document of validator {0} cannot be read")]
    View(u16),
    /// The day has not begun, or is none.
    #[error("{0:?} is not a day, as in 2026-08-22, that has begun")]
    Day(String),
}

/// Which days are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The first one, `YYYY-MM-DD`, UTC.
    before: String,
    /// Those that were finalized at this time or later, in seconds since the Unix
    /// epoch.
    closed_before: f64,
}

impl Kept {
    /// The days of the last `days` days, and those that were finalized in them.
    pub fn days(days: u32, now: f64) -> Self {
        let closed_before = now - f64::from(days) * DAY;
        Kept {
            before: clock::day(closed_before),
            closed_before,
        }
    }

    /// The days from `day` on.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Day`].
    pub fn from(day: &str, now: f64) -> Result<Self, RetentionError> {
        let start = clock::start_of_day(day).filter(|start| *start <= now);
        match start {
            Some(start) => Ok(Kept {
                before: clock::day(start),
                closed_before: f64::INFINITY,
            }),
            None => Err(RetentionError::Day(day.to_owned())),
        }
    }

    /// Commits from before this time are of days that are not kept.
    fn kept_from(&self, schedule: Schedule) -> f64 {
        let last = clock::day_before(&self.before);
        schedule.latest_ripe(schedule.finalized_at(&last))
    }
}

/// What has left the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Ciphertexts of the commits, by challenge.
    pub commits: BTreeMap<String, Vec<String>>,
    /// Days of which anything has left.
    pub days: Vec<String>,
}

impl Compacted {
    /// How many commits.
    pub fn count(&self) -> usize {
        self.commits.values().map(Vec::len).sum()
    }
}

/// Once an hour, and at the start: has old days leave the database, forgets events,
/// signed requests, what receipts name and receipts of solvers' runs that are of no use
/// any more, and tidies the files of the database. What fails is tried again an hour
/// later.
pub async fn run(pipeline: Pipeline, stop: CancellationToken) {
    let mut looks = interval(PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let tidied = tidy(&pipeline, clock::unix_now());
        match stop.run_until_cancelled(tidied).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::error!(%error, "the database was not compacted"),
            None => return,
        }
    }
}

async fn tidy(pipeline: &Pipeline, now: f64) -> Result<(), RetentionError> {
    let (config, store) = (&pipeline.config, &pipeline.store);
    if config.retention.days > 0 {
        let compaction = Compaction::new(pipeline, Kept::days(config.retention.days, now));
        let forget = |challenge: &str, gone: &[String]| pipeline.results().forget(challenge, gone);
        let compacted = compaction.run(store, forget).await?;
        if !compacted.days.is_empty() {
            let (days, commits) = (compacted.days.len(), compacted.count());
            tracing::info!(days, commits, "old days have left the database");
        }
    }
    store.forget_events(config.events.keep).await?;
    // Twice as long as they are fresh, should the clock be set.
    let fresh_from = (now - 2.0 * config.commits.max_request_age_s).max(0.0);
    store.forget_requests((fresh_from * 1e9) as u64).await?;
    prune_receipts(pipeline, now).await?;
    let bytes = store.checkpoint().await?;
    pipeline.metrics.set_database_bytes(bytes);
    Ok(())
}

async fn prune_receipts(pipeline: &Pipeline, now: f64) -> Result<(), StoreError> {
    let before = now - f64::from(pipeline.config.receipts.keep_days) * DAY;
    let Pruned {
        blobs,
        bytes,
        solves,
    } = prune(&pipeline.store, before, AT_A_TIME).await?;
    if blobs > 0 {
        pipeline.metrics.blobs_pruned(blobs);
    }
    if blobs + solves > 0 {
        tracing::info!(
            blobs,
            bytes,
            solves,
            "what old receipts name has left the database"
        );
    }
    Ok(())
}

/// What receipts name, and receipts of solvers' runs, that are removed in one transaction,
/// at most.
const AT_A_TIME: u32 = 500;

/// What of receipts has left the database.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pruned {
    blobs: u64,
    bytes: u64,
    solves: u64,
}

/// Removes what receipts name, and receipts of solvers' runs, that were last stored before
/// this time. Who wants to check the scores of those days needs a bundle that was exported
/// before.
async fn prune(store: &Store, before: f64, at_a_time: u32) -> Result<Pruned, StoreError> {
    let mut pruned = Pruned::default();
    loop {
        let (count, bytes) = store.prune_blobs(before, at_a_time).await?;
        pruned.blobs += count;
        pruned.bytes += bytes;
        if count < u64::from(at_a_time) {
            break;
        }
    }
    // A run cannot be done again without its task, and that went no later.
    loop {
        let count = store.prune_solves(before, at_a_time).await?;
        pruned.solves += count;
        if count < u64::from(at_a_time) {
            return Ok(pruned);
        }
    }
}

/// What leaves with a day: commits, as (number, revision), and rows of the ledger, as
/// (day, challenge).
type Leaving = (Vec<(i64, i64)>, Vec<(String, String)>);

/// Has days leave the database.
#[derive(Debug, Clone)]
pub struct Compaction {
    /// Which stay.
    pub kept: Kept,
    /// The operator's rules about time.
    pub schedule: Schedule,
    /// `scoring.max_unique_commits`.
    pub max_unique_commits: usize,
    /// Where the files of the days are.
    pub directory: PathBuf,
}

impl Compaction {
    fn new(pipeline: &Pipeline, kept: Kept) -> Self {
        Compaction {
            kept,
            schedule: pipeline.schedule(),
            max_unique_commits: pipeline.config.scoring.max_unique_commits,
            directory: archive_directory(&pipeline.config.data_dir),
        }
    }

    /// Moves what nothing refers to any more to the files of its days. Each file is on
    /// disk before anything of its day is deleted; killed in between, it is written once
    /// more, with the same rows. `forget` is told (challenge, ciphertexts) of what has
    /// left. Nobody else may do the same at the same time.
    ///
    /// # Errors
    ///
    /// See [`RetentionError`].
    pub async fn run(
        &self,
        store: &Store,
        forget: impl Fn(&str, &[String]),
    ) -> Result<Compacted, RetentionError> {
        let mut compacted = Compacted::default();
        for _ in 0..ATTEMPTS {
            if self.attempt(store, &forget, &mut compacted).await? {
                break;
            }
        }
        compacted.days.sort();
        compacted.days.dedup();
        Ok(compacted)
    }

    /// Returns whether it went through; else a validator said something meanwhile.
    async fn attempt(
        &self,
        store: &Store,
        forget: &impl Fn(&str, &[String]),
        compacted: &mut Compacted,
    ) -> Result<bool, RetentionError> {
        let kept_from = self.kept.kept_from(self.schedule);
        let Kept {
            before,
            closed_before,
        } = self.kept.clone();
        let (commits, views) = store.survey().await?;
        let commits: Vec<Known> = commits
            .into_iter()
            .map(|(commit, last_claim, closed_at, to_be_told)| Known {
                commit,
                last_claim,
                closed_at,
                to_be_told,
            })
            .collect();
        let rules = Rules {
            before: &before,
            closed_before,
            kept_from,
            max_unique_commits: self.max_unique_commits,
        };
        let published = published(store).await?;
        let mut days: BTreeMap<String, Leaving> = BTreeMap::new();
        for known in spent(&commits, &published, rules) {
            let of_day = days.entry(self.day_of(known)).or_default();
            of_day.0.push((known.commit.id, known.commit.revision));
        }
        for (day, challenge) in store.full_days(before, closed_before).await? {
            let of_day = days.entry(day.clone()).or_default();
            of_day.1.push((day, challenge));
        }
        for (day, (commits, ledger)) in days {
            self.write(store, &day, &commits, &ledger).await?;
            let removed = store.remove(commits, ledger, views.clone(), kept_from);
            let Some(gone) = removed.await? else {
                return Ok(false);
            };
            compacted.days.push(day);
            for (challenge, encrypted) in gone {
                forget(&challenge, std::slice::from_ref(&encrypted));
                compacted
                    .commits
                    .entry(challenge)
                    .or_default()
                    .push(encrypted);
            }
        }
        Ok(true)
    }

    /// The day that a commit leaves with.
    fn day_of(&self, known: &Known) -> String {
        let commit = &known.commit;
        let day = commit.finalized_day.as_ref().or(commit.batch_day.as_ref());
        day.cloned().unwrap_or_else(|| {
            let at = commit.committed_at.unwrap_or(known.last_claim);
            self.schedule.day_of(self.schedule.due(at))
        })
    }

    async fn write(
        &self,
        store: &Store,
        day: &str,
        commits: &[(i64, i64)],
        ledger: &[(String, String)],
    ) -> Result<(), RetentionError> {
        let io_error = |error| RetentionError::Io {
            path: self.directory.join(format!("{day}.jsonl.gz")),
            error,
        };
        let file = DayFile::new(&self.directory, day).map_err(io_error)?;
        let commits = commits.iter().map(|(id, _)| *id).collect();
        let extracted = store.extract(file, commits, ledger.to_vec(), DayFile::add);
        let file = extracted.await?.map_err(io_error)?;
        tokio::task::spawn_blocking(|| file.publish())
            .await
            .map_err(|_| StoreError::Stopped)?
            .map_err(io_error)
    }
}

/// Where the files of compacted days are.
pub fn archive_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("archive")
}

/// Ciphertexts in what validators publish now, heard or not.
async fn published(store: &Store) -> Result<HashSet<String>, RetentionError> {
    let mut published = HashSet::new();
    for view in store.views().await? {
        let uid = view.validator_uid;
        let parsed = wire::parse(uid, &view.validator_hotkey, &view.document)
            .map_err(|_| RetentionError::View(uid))?;
        let challenges = parsed.view.commits.into_values();
        let commits = challenges.flat_map(|challenges| challenges.into_values().flatten());
        published.extend(commits.map(|commit| commit.encrypted_commit));
    }
    Ok(published)
}

#[cfg(test)]
mod tests;
