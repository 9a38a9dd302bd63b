//! Taking in what a validator publishes.

use super::collect::admit;
use super::sift::sift;
use super::timestamp::resolve;
use super::wire::{self, ObservedCommit, ValidatorView, WireError};
use crate::chain::Metagraph;
use crate::config::{Commits, is_challenge_name};
use crate::store::{Claim, Ingested, Intake, Report, Store, StoreError, ViewRow};
use std::collections::{BTreeMap, HashMap};

/// Seconds by which a time may be ahead of ours and still count: a year.
const MAX_FUTURE: f64 = 366.0 * 86_400.0;

/// Why a document was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The metagraph has nobody at this uid.
    #[error("the metagraph has no neuron with uid {0}")]
    UnknownValidator(u16),
    /// The document is malformed.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// The signed request that brought it was taken before.
    #[error("this request was taken before")]
    Replayed,
    /// The database refused. Nothing was lost: the document can be taken in
    /// again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A validator's document, as it arrives.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The validator's uid.
    pub validator_uid: u16,
    /// What it publishes; see [`wire`].
    pub document: Vec<u8>,
    /// By which way it came: `file`, `push` or `storage`.
    pub source: &'static str,
    /// When, in seconds since the Unix epoch.
    pub received_at: f64,
    /// The time of the signed request that brought it, in nanoseconds.
    pub request_ns: Option<u64>,
    /// When the validator last told the same as in its last document, in seconds
    /// since the Unix epoch, if that is known.
    pub last_confirmed_at: Option<f64>,
}

/// What taking a document in came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngestReport {
    /// What is new by it.
    pub ingested: Ingested,
    /// Entries of it that are rejected or do not verify, as (hotkey, challenge,
    /// code); those that were in the last document are not told again.
    pub faults: Vec<(String, String, &'static str)>,
    /// Why the validator is not heard, if it is not: its document is kept, and
    /// counts once that has changed.
    pub not_heard: Option<String>,
}

/// Takes in one validator's document: keeps it in place of its last one, and adds
/// what is new in it to what is known of each commit. One that says nothing new
/// costs a comparison of its bytes.
///
/// # Errors
///
/// See [`IngestError`].
pub async fn ingest(
    store: &Store,
    metagraph: &Metagraph,
    rules: &Commits,
    delivery: Delivery,
) -> Result<IngestReport, IngestError> {
    let uid = delivery.validator_uid;
    let neuron = metagraph
        .by_uid(uid)
        .ok_or(IngestError::UnknownValidator(uid))?;
    let last = store.view(uid).await?.filter(|last| {
        last.validator_hotkey == neuron.hotkey && last.heard && is_heard(metagraph, rules, uid)
    });
    let unchanged = last
        .as_ref()
        .is_some_and(|last| last.document == delivery.document);
    if unchanged && delivery.request_ns.is_none() {
        return Ok(IngestReport::default());
    }
    let before = last.and_then(|last| wire::parse(uid, &neuron.hotkey, &last.document).ok());
    let parsed = wire::parse(uid, &neuron.hotkey, &delivery.document)?;
    let known = before.as_ref().map(|before| &before.view);
    let rejected = parsed.rejected.into_iter();
    let rejected = rejected
        .filter(|entry| before.as_ref().is_none_or(|b| !b.rejected.contains(entry)))
        .map(|r| (r.hotkey, r.challenge.unwrap_or_default(), r.fault.code()))
        .collect();
    let view = ViewRow {
        validator_uid: uid,
        validator_hotkey: neuron.hotkey.clone(),
        document: delivery.document,
        received_at: delivery.received_at,
        heard: false,
        source: delivery.source.to_owned(),
    };
    let news = news(parsed.view, known);
    take_in(
        store,
        metagraph,
        rules,
        view,
        news,
        Some(rejected),
        (delivery.request_ns, delivery.last_confirmed_at),
    )
    .await
}

/// Takes every validator's last document in once more: for a host that finds
/// another metagraph than before, in which others are heard or registered.
///
/// # Errors
///
/// See [`IngestError`].
pub async fn ingest_again(
    store: &Store,
    metagraph: &Metagraph,
    rules: &Commits,
) -> Result<(), IngestError> {
    for view in store.views().await? {
        let registered = metagraph.by_uid(view.validator_uid);
        if registered.is_none_or(|neuron| neuron.hotkey != view.validator_hotkey) {
            continue;
        }
        // It was read when it came: what is stored by an older version may be odd.
        let Ok(parsed) = wire::parse(view.validator_uid, &view.validator_hotkey, &view.document)
        else {
            continue;
        };
        // What it was heard with was counted then.
        let faults = (!view.heard).then(Vec::new);
        take_in(
            store,
            metagraph,
            rules,
            view,
            parsed.view,
            faults,
            (None, None),
        )
        .await?;
    }
    Ok(())
}

/// Takes in what is new of a view. `faults` are those found so far; with none,
/// faults are not counted.
async fn take_in(
    store: &Store,
    metagraph: &Metagraph,
    rules: &Commits,
    view: ViewRow,
    news: ValidatorView,
    mut faults: Option<Vec<(String, String, &'static str)>>,
    (request_ns, last_confirmed_at): (Option<u64>, Option<f64>),
) -> Result<IngestReport, IngestError> {
    // What was heard before under other rules is not told now.
    let tolerance = match faults {
        Some(_) => rules.backdate_tolerance_s,
        None => f64::INFINITY,
    };
    let not_heard = admit(&news, metagraph, rules.min_validator_stake).err();
    let mut reports = Vec::new();
    if not_heard.is_none() {
        let sifted = sift(news);
        let unverified = sifted.faults.into_iter();
        if let Some(faults) = &mut faults {
            faults.extend(unverified.map(|f| (f.hotkey, f.challenge, f.kind.code())));
        }
        let latest = view.received_at + MAX_FUTURE;
        reports = self::reports(sifted.view, metagraph);
        for report in &mut reports {
            // It may be a clock that is ahead; this is none, such as milliseconds.
            if report.claimed_at.is_some_and(|at| at > latest) {
                report.claimed_at = None;
                if let Some(faults) = &mut faults {
                    let (hotkey, challenge) = (&report.miner_hotkey, &report.challenge);
                    faults.push((hotkey.clone(), challenge.clone(), "future_timestamp"));
                }
            }
        }
    }
    let mut faults = faults.unwrap_or_default();
    // Names that anybody can make up are not kept.
    for (hotkey, challenge, _) in &mut faults {
        if metagraph.uid_of(hotkey).is_none() {
            hotkey.clear();
        }
        if !is_challenge_name(challenge) {
            challenge.clear();
        }
    }
    let intake = Intake {
        view: ViewRow {
            heard: not_heard.is_none(),
            ..view
        },
        reports,
        faults: faults.clone(),
        request_ns,
        last_confirmed_at,
        backdate_tolerance_s: tolerance,
    };
    let (policy, quorum) = (rules.timestamp, rules.quorum);
    let heard: BTreeMap<String, bool> = metagraph
        .neurons()
        .map(|n| (n.hotkey.clone(), n.stake >= rules.min_validator_stake))
        .collect();
    let time = move |claims: &[Claim]| {
        let counts = claims
            .iter()
            .filter(|claim| heard.get(&claim.validator_hotkey) == Some(&true));
        resolve(
            policy,
            quorum,
            counts.filter_map(|c| c.claimed_at).collect(),
        )
    };
    let ingested = store.take_in(intake, time).await?;
    Ok(IngestReport {
        ingested: ingested.ok_or(IngestError::Replayed)?,
        faults,
        not_heard: not_heard.map(|reason| reason.to_string()),
    })
}

fn is_heard(metagraph: &Metagraph, rules: &Commits, uid: u16) -> bool {
    let neuron = metagraph.by_uid(uid);
    neuron.is_some_and(|neuron| neuron.stake >= rules.min_validator_stake)
}

/// The commits that a view tells of and the last one did not, or not so.
fn news(mut view: ValidatorView, last: Option<&ValidatorView>) -> ValidatorView {
    let Some(last) = last else {
        return view;
    };
    for (hotkey, challenges) in &mut view.commits {
        for (challenge, commits) in challenges {
            let known = last.commits.get(hotkey).and_then(|c| c.get(challenge));
            let known: HashMap<&str, &ObservedCommit> = known
                .into_iter()
                .flatten()
                .map(|commit| (commit.encrypted_commit.as_str(), commit))
                .collect();
            commits.retain(|commit| known.get(commit.encrypted_commit.as_str()) != Some(&commit));
        }
    }
    view
}

/// What a validator says of registered miners: of each ciphertext once, with the
/// earliest time.
fn reports(view: ValidatorView, metagraph: &Metagraph) -> Vec<Report> {
    let mut reports = Vec::new();
    for (hotkey, challenges) in view.commits {
        let Some(uid) = metagraph.uid_of(&hotkey) else {
            continue;
        };
        for (challenge, commits) in challenges {
            let mut by_ciphertext: HashMap<String, Report> = HashMap::new();
            for commit in commits {
                if commit.miner_uid.is_some_and(|claimed| claimed != uid) {
                    continue;
                }
                let claimed_at = commit.commit_timestamp.filter(|at| *at != 0.0);
                match by_ciphertext.get_mut(&commit.encrypted_commit) {
                    Some(known) => {
                        let times = [known.claimed_at, claimed_at].into_iter().flatten();
                        known.claimed_at = times.reduce(f64::min);
                        known.key = known.key.take().or(commit.key);
                    }
                    None => {
                        let report = Report {
                            challenge: challenge.clone(),
                            miner_hotkey: hotkey.clone(),
                            miner_uid: uid,
                            encrypted_commit: commit.encrypted_commit.clone(),
                            claimed_at,
                            key: commit.key,
                        };
                        by_ciphertext.insert(commit.encrypted_commit, report);
                    }
                }
            }
            let mut of_miner: Vec<Report> = by_ciphertext.into_values().collect();
            of_miner.sort_by(|a, b| a.encrypted_commit.cmp(&b.encrypted_commit));
            reports.extend(of_miner);
        }
    }
    reports
}
