//! Asking the storage service for what each validator saw, round by round.

use super::client::{Client, StorageError};
use super::restore::{RestoreError, Restored, restore};
use super::status::{PollState, PollStatus};
use crate::clock;
use crate::commits::{Delivery, IngestError, IngestReport, ingest};
use crate::sandbox::sha256_hex;
use crate::scoring::Resources;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const ROUTE: &str = "/fetch-latest-miner-commits";

/// Asks for the commits of every validator with enough stake, and takes in what
/// they tell.
#[derive(Debug)]
pub struct Poller {
    client: Client,
    resources: Resources,
    state: PollState,
    places: Arc<Semaphore>,
    /// What each validator's last answer was, so that the same again costs nothing.
    seen: BTreeMap<u16, Seen>,
    /// Challenges of which evaluations need not be asked for any more.
    restored: BTreeSet<String>,
    /// Challenges of which they were asked for at least once.
    tried: BTreeSet<String>,
    rounds: u64,
}

/// What a round came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Validators whose commits were read.
    pub read: u64,
    /// Of these, those that told something new.
    pub changed: u64,
    /// Validators whose commits were not.
    pub failed: u64,
    /// Versions of commits not known before.
    pub new: u64,
    /// Versions of which more is known now.
    pub updated: u64,
    /// Entries that were rejected or did not verify.
    pub faults: u64,
    /// Validators that failed before and do not, or the other way round.
    turned: u64,
}

#[derive(Debug, Clone)]
struct Seen {
    names: Vec<String>,
    etag: Option<String>,
    digest: String,
    /// When it last told that.
    at: f64,
}

/// A validator that is asked for.
#[derive(Debug, Clone)]
struct Target {
    uid: u16,
    hotkey: String,
    delay: Duration,
    seen: Option<Seen>,
}

/// What came of asking; none of a report if nothing has changed.
struct Asked {
    target: Target,
    at: f64,
    outcome: Result<(Option<IngestReport>, Seen), PollError>,
}

#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl PollError {
    fn code(&self) -> &'static str {
        match self {
            PollError::Storage(error) => error.code(),
            PollError::Ingest(IngestError::Malformed(_)) => "malformed",
            PollError::Ingest(IngestError::UnknownValidator(_)) => "unknown_validator",
            PollError::Ingest(IngestError::Replayed) => "replayed",
            PollError::Ingest(IngestError::Store(_)) => "store",
        }
    }
}

impl Poller {
    /// A poller that has asked nobody yet.
    pub fn new(client: Client, resources: Resources) -> Self {
        let places = Arc::new(Semaphore::new(resources.config.storage.max_concurrent));
        Poller {
            client,
            resources,
            state: PollState::default(),
            places,
            seen: BTreeMap::new(),
            restored: BTreeSet::new(),
            tried: BTreeSet::new(),
            rounds: 0,
        }
    }

    /// What came of each validator; follows the poller.
    pub fn state(&self) -> PollState {
        self.state.clone()
    }

    /// Polls until `stop`, the first time as soon as the plugins are loaded, then
    /// each `commits.epoch_length_s`; a round that takes longer puts the next one
    /// off. Real time, whatever the clock of commits says. What a stop cuts short is
    /// asked for again by the next process.
    pub async fn run(mut self, stop: CancellationToken) {
        let plugins = self.resources.plugins.clone();
        let mut changes = plugins.changes();
        while !plugins.is_scanned() || plugins.active().is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = changes.changed() => {}
            }
        }
        let epoch = self.resources.config.commits.epoch_length_s;
        let mut ticks = interval(Duration::from_secs_f64(epoch));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let round = async {
                ticks.tick().await;
                self.round().await
            };
            if stop.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
    }

    /// Asks for every validator once. Takes as long as the slowest of them, at most
    /// the jitter and `storage.timeout_ms` for each that waits for the same place.
    /// Does nothing without an active plugin: what is not asked for by name is
    /// everything.
    pub async fn round(&mut self) -> Round {
        let active = self.resources.plugins.active();
        let names: Vec<String> = active.iter().map(|p| p.name().to_owned()).collect();
        if names.is_empty() {
            return Round::default();
        }
        self.rounds += 1;
        // What is evaluated already should be known before new commits come; a
        // service that has no answer to that does not hold the commits up twice.
        let wanted = |name: &&String| !self.restored.contains(*name);
        let wanted: Vec<String> = names.iter().filter(wanted).cloned().collect();
        let is_first = wanted.iter().any(|name| !self.tried.contains(name));
        let mut restoring = self.start_restoring(&wanted);
        if is_first {
            self.end_restoring(&mut restoring).await;
        }
        let round = self.ask_all(names).await;
        self.end_restoring(&mut restoring).await;
        self.report(&round);
        round
    }

    async fn ask_all(&mut self, names: Vec<String>) -> Round {
        let mut asking = JoinSet::new();
        for target in self.targets(&names) {
            let (client, resources) = (self.client.clone(), self.resources.clone());
            let (places, names) = (Arc::clone(&self.places), names.clone());
            asking.spawn(async move {
                tokio::time::sleep(target.delay).await;
                // The semaphore is never closed.
                let _place = places.acquire().await;
                let at = clock::unix_now();
                let outcome = ask(&client, &resources, &target, names, at).await;
                Asked {
                    target,
                    at,
                    outcome,
                }
            });
        }
        let mut round = Round::default();
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok(asked) => self.note(asked, &mut round),
                Err(error) => {
                    round.failed += 1;
                    tracing::error!(%error, "a poll ended early");
                }
            }
        }
        round
    }

    fn targets(&self, names: &[String]) -> Vec<Target> {
        let config = &self.resources.config;
        let metagraph = self.resources.metagraph();
        let spread = config.storage.jitter * config.commits.epoch_length_s;
        let minimum = config.commits.min_validator_stake;
        // The host asks no miner: what it uploaded itself is what others told.
        let own = self.client.hotkey();
        let heard = metagraph
            .neurons()
            .filter(|n| n.stake >= minimum && n.hotkey != own);
        let target = |neuron: &crate::chain::Neuron| {
            let mut seen = self.seen.get(&neuron.uid).cloned();
            if let Some(seen) = &mut seen
                && seen.names != names
            {
                // Of another question the answer may differ under the same tag.
                seen.etag = None;
            }
            Target {
                uid: neuron.uid,
                hotkey: neuron.hotkey.clone(),
                delay: Duration::from_secs_f64(spread * fraction(&neuron.hotkey, self.rounds)),
                seen,
            }
        };
        heard.map(target).collect()
    }

    fn note(&mut self, asked: Asked, round: &mut Round) {
        let Asked {
            target,
            at,
            outcome,
        } = asked;
        let (uid, hotkey) = (target.uid, target.hotkey.as_str());
        let noted = match outcome {
            Ok((report, seen)) => {
                self.seen.insert(uid, seen);
                round.read += 1;
                let report = report.filter(|report| *report != IngestReport::default());
                if let Some(report) = &report {
                    round.changed += 1;
                    round.new += report.ingested.new;
                    round.updated += report.ingested.updated;
                    let backdated = report.ingested.backdated.len();
                    let too_old = report.ingested.too_old.len();
                    round.faults += (report.faults.len() + backdated + too_old) as u64;
                }
                Ok(report.is_some())
            }
            Err(error) => {
                round.failed += 1;
                Err((error.code(), error.to_string()))
            }
        };
        let failure = noted.as_ref().err().cloned();
        let before = self.state.note((uid, hotkey), at, noted);
        let failed = before.as_ref().is_some_and(PollStatus::is_failing);
        match failure {
            Some((code, message)) if !failed => {
                round.turned += 1;
                tracing::warn!(uid, hotkey, code, message, "commits not read: asking on");
            }
            Some((code, message)) => {
                tracing::debug!(uid, hotkey, code, message, "commits not read");
            }
            None if failed => {
                round.turned += 1;
                tracing::info!(uid, hotkey, "commits read again");
            }
            None => {}
        }
    }

    fn start_restoring(&mut self, names: &[String]) -> JoinSet<(String, RestoreResult)> {
        let mut restoring = JoinSet::new();
        for name in names.iter().cloned() {
            let (client, store) = (self.client.clone(), self.resources.store.clone());
            let places = Arc::clone(&self.places);
            restoring.spawn(async move {
                let _place = places.acquire().await;
                let restored = restore(&client, &store, &name, clock::unix_now()).await;
                (name, restored)
            });
        }
        restoring
    }

    async fn end_restoring(&mut self, restoring: &mut JoinSet<(String, RestoreResult)>) {
        while let Some(ended) = restoring.join_next().await {
            let Ok((challenge, restored)) = ended else {
                continue;
            };
            let is_first = self.tried.insert(challenge.clone());
            match restored {
                Ok(restored) => {
                    if let Some(restored) = restored.filter(|r| *r != Restored::default()) {
                        tracing::info!(
                            challenge,
                            evaluations = restored.imported,
                            without_provenance = restored.without_provenance,
                            "took in what was evaluated before; the rest is evaluated again"
                        );
                    }
                    self.restored.insert(challenge);
                }
                Err(error) if is_first => {
                    tracing::warn!(challenge, %error, "evaluations not read: asking on");
                }
                Err(error) => tracing::debug!(challenge, %error, "evaluations not read"),
            }
        }
    }

    fn report(&self, round: &Round) {
        let metrics = &self.resources.metrics;
        metrics.round(round.read, round.failed);
        let now = clock::unix_now();
        let all = self.state.snapshot();
        let age = |status: &PollStatus| now - status.last_read.unwrap_or(status.first_asked);
        metrics.set_poll_ages(all.iter().map(|s| (s.validator_uid, age(s).max(0.0))));
        let Round {
            read,
            changed,
            failed,
            new,
            updated,
            faults,
            turned,
        } = *round;
        if changed > 0 || turned > 0 {
            tracing::info!(
                read,
                changed,
                failed,
                new,
                updated,
                faults,
                "commits collected"
            );
        } else {
            tracing::debug!(read, failed, "nothing new");
        }
    }
}

type RestoreResult = Result<Option<Restored>, RestoreError>;

/// Asks for one validator's commits, and takes them in if they have changed.
async fn ask(
    client: &Client,
    resources: &Resources,
    target: &Target,
    names: Vec<String>,
    now: f64,
) -> Result<(Option<IngestReport>, Seen), PollError> {
    let start = Instant::now();
    let asked = fetch(client, target, &names).await;
    let elapsed = start.elapsed();
    let taken = match asked {
        Ok(Fetched::Unchanged(seen)) => Ok((
            None,
            Seen {
                names,
                at: now,
                ..seen
            },
        )),
        Ok(Fetched::Document { body, etag, digest }) => {
            let delivery = Delivery {
                validator_uid: target.uid,
                document: body,
                source: "storage",
                received_at: now,
                request_ns: None,
                last_confirmed_at: target.seen.as_ref().map(|seen| seen.at),
            };
            let Resources { store, config, .. } = resources;
            let metagraph = resources.metagraph();
            let report = ingest(store, &metagraph, &config.commits, delivery).await;
            let seen = Seen {
                names,
                etag,
                digest,
                at: now,
            };
            report
                .map(|report| (Some(report), seen))
                .map_err(PollError::from)
        }
        Err(error) => Err(error.into()),
    };
    let outcome = match &taken {
        Ok((Some(report), _)) if *report != IngestReport::default() => "changed",
        Ok(_) => "unchanged",
        Err(error) => error.code(),
    };
    resources.metrics.polled(outcome, elapsed);
    taken
}

enum Fetched {
    Unchanged(Seen),
    Document {
        body: Vec<u8>,
        etag: Option<String>,
        digest: String,
    },
}

async fn fetch(
    client: &Client,
    target: &Target,
    names: &[String],
) -> Result<Fetched, StorageError> {
    let body = json!({
        "validator_uid": target.uid,
        "validator_hotkey": target.hotkey,
        "challenge_names": names,
    });
    let tag = target.seen.as_ref().and_then(|seen| seen.etag.as_deref());
    let answer = client.post(ROUTE, body.to_string().into(), tag).await?;
    if let (304, Some(seen)) = (answer.status, &target.seen) {
        return Ok(Fetched::Unchanged(seen.clone()));
    }
    let digest = sha256_hex(&answer.body);
    let etag = answer.etag;
    match &target.seen {
        Some(seen) if seen.digest == digest => Ok(Fetched::Unchanged(Seen {
            etag,
            ..seen.clone()
        })),
        _ => Ok(Fetched::Document {
            body: answer.body,
            etag,
            digest,
        }),
    }
}

/// Where in a round a validator has its turn, 0 to 1: always the same for the same
/// round, and another in the next.
fn fraction(hotkey: &str, round: u64) -> f64 {
    let digest = Sha256::new()
        .chain_update(round.to_be_bytes())
        .chain_update(hotkey)
        .finalize();
    let first = digest.first_chunk::<4>().copied().unwrap_or_default();
    f64::from(u32::from_be_bytes(first)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::fraction;

    #[test]
    fn turns_are_spread_and_change_from_round_to_round() {
        let turns: Vec<f64> = (0..100).map(|round| fraction("hotkey", round)).collect();
        assert!(turns.iter().all(|turn| (0.0..=1.0).contains(turn)));
        let early = turns.iter().filter(|turn| **turn < 0.5).count();
        assert!((30..70).contains(&early), "{early}");
        assert_eq!(fraction("hotkey", 7), turns[7]);
        assert_ne!(fraction("other", 7), turns[7]);
    }
}
