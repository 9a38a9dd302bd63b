//! The whole state, for the operator: what each validator told, what became one of
//! it, and what is known of each commit. Keys are not shown here either.

use super::App;
use super::page::Page;
use super::params::{Params, Segments};
use super::problem::Problem;
use super::views::{CommitView, SeenView, summary};
use crate::storage::PollStatus;
use crate::store::{CommitSummary, EvaluationSummary, MinerHistory};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Answer of `GET /v1/state/validators`.
#[derive(Debug, Serialize)]
pub(super) struct ValidatorList {
    /// Those that may be heard, and those that ever told anything; by uid.
    validators: Vec<ValidatorView>,
}

#[derive(Debug, Serialize)]
struct ValidatorView {
    uid: u16,
    hotkey: String,
    /// Its stake now; none if another hotkey has the uid.
    stake: Option<f64>,
    /// Whether its last document counts.
    heard: bool,
    /// By which way that came: `file`, `push` or `storage`.
    source: Option<String>,
    /// When, in seconds since the Unix epoch.
    received_at: Option<f64>,
    /// Its size in bytes.
    document_bytes: Option<u64>,
    /// Commits that it ever told of.
    commits: u64,
    /// What did not verify, by code.
    faults: BTreeMap<String, u64>,
    /// How asking the storage service for it went.
    poll: Option<PollStatus>,
}

/// Parameters of a page.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    challenge: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

#[derive(Debug, Serialize)]
struct StateCommit {
    #[serde(flatten)]
    commit: CommitView,
    has_key: bool,
    /// The fault with the text that is for the operator.
    fault_detail: Option<String>,
}

#[derive(Debug, Serialize)]
struct ClaimView {
    claimed_at: Option<f64>,
    heard_at: f64,
    #[serde(flatten)]
    commit: StateCommit,
}

/// Answer of `GET /v1/state/validators/{uid}/commits`.
#[derive(Debug, Serialize)]
pub(super) struct ClaimPage {
    uid: u16,
    hotkey: String,
    commits: Vec<ClaimView>,
    next: Option<String>,
}

/// Answer of `GET /v1/state/commits`.
#[derive(Debug, Serialize)]
pub(super) struct HistoryPage {
    miners: Vec<HistoryView>,
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct HistoryView {
    challenge: String,
    hotkey: String,
    /// The miner's uid now; none if it is not registered any more.
    uid: Option<u16>,
    /// How many versions there are; up to 100 are listed.
    versions: u64,
    current: Option<StateCommit>,
    /// The versions before, the newest first.
    history: Vec<StateCommit>,
}

/// Query of `GET /v1/state/lookup`.
#[derive(Debug, Deserialize)]
pub(super) struct LookupQuery {
    challenge: String,
    encrypted_commit: String,
}

/// Answer of `GET /v1/state/lookup`.
#[derive(Debug, Serialize)]
pub(super) struct Lookup {
    /// One for each miner that published it, the first one first.
    commits: Vec<LookupView>,
}

#[derive(Debug, Serialize)]
struct LookupView {
    #[serde(flatten)]
    commit: StateCommit,
    seen: Vec<SeenView>,
}

/// Answer of `GET /v1/state/scoring-results`.
#[derive(Debug, Serialize)]
pub(super) struct ScoringResultPage {
    scoring_results: Vec<ScoringResultView>,
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct ScoringResultView {
    challenge: String,
    artifact_digest: String,
    state: String,
    outcome: Option<String>,
    message: Option<String>,
    attempts: u32,
    scoring_logs: u64,
    fuel: Option<u64>,
    plugin_digest: String,
    settings_digest: String,
    engine: String,
    seed: String,
    logical_time: f64,
    queued_at: f64,
    finished_at: Option<f64>,
}

/// `GET /v1/state/validators`: who tells what, and whether it counts.
pub(super) async fn validators(State(app): State<App>) -> Result<Json<ValidatorList>, Problem> {
    let mut faults: BTreeMap<u16, BTreeMap<String, u64>> = BTreeMap::new();
    for (uid, code, count) in app.store.faults().await? {
        faults.entry(uid).or_default().insert(code, count);
    }
    let mut validators = Vec::new();
    let mut told = BTreeSet::new();
    for view in app.store.view_summaries().await? {
        let uid = view.validator_uid;
        told.insert(uid);
        let metagraph = app.metagraph();
        let neuron = metagraph.by_uid(uid);
        let neuron = neuron.filter(|neuron| neuron.hotkey == view.validator_hotkey);
        validators.push(ValidatorView {
            uid,
            stake: neuron.map(|neuron| neuron.stake),
            hotkey: view.validator_hotkey,
            heard: view.heard,
            source: Some(view.source),
            received_at: Some(view.received_at),
            document_bytes: Some(view.bytes),
            commits: view.commits,
            faults: faults.remove(&uid).unwrap_or_default(),
            poll: None,
        });
    }
    let minimum = app.config.commits.min_validator_stake;
    let metagraph = app.metagraph();
    let silent = metagraph.neurons();
    let silent = silent.filter(|n| n.stake >= minimum && !told.contains(&n.uid));
    validators.extend(silent.map(|neuron| ValidatorView {
        uid: neuron.uid,
        hotkey: neuron.hotkey.clone(),
        stake: Some(neuron.stake),
        heard: false,
        source: None,
        received_at: None,
        document_bytes: None,
        commits: 0,
        faults: BTreeMap::new(),
        poll: None,
    }));
    for poll in app.0.tasks.polls.snapshot() {
        let asked = validators.iter_mut().find(|v| v.uid == poll.validator_uid);
        if let Some(validator) = asked {
            validator.poll = Some(poll);
        }
    }
    validators.sort_by_key(|validator| validator.uid);
    Ok(Json(ValidatorList { validators }))
}

/// `GET /v1/state/validators/{uid}/commits`: what a validator told.
pub(super) async fn claims(
    State(app): State<App>,
    Segments(uid): Segments<u16>,
    Params(query): Params<PageQuery>,
) -> Result<Json<ClaimPage>, Problem> {
    let page: Page<i64> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    let view = app.store.view_summaries().await?;
    let view = view.into_iter().find(|view| view.validator_uid == uid);
    let told = view.map(|view| view.validator_hotkey);
    let registered = || Some(app.metagraph().by_uid(uid)?.hotkey.clone());
    let hotkey = told.or_else(registered).ok_or_else(|| {
        let detail = format!("there is no validator with uid {uid}");
        Problem::new(StatusCode::NOT_FOUND, "unknown_validator", detail)
    })?;
    let after = page.after.unwrap_or(i64::MIN);
    let found = app
        .store
        .claimed_commits(hotkey.clone(), after, page.look_for());
    let mut claimed = found.await?;
    let next = page.cut(&mut claimed, |claim| claim.commit.id);
    let commits = claimed.into_iter().map(|claim| ClaimView {
        claimed_at: claim.claimed_at,
        heard_at: claim.heard_at,
        commit: StateCommit::new(claim.commit),
    });
    Ok(Json(ClaimPage {
        uid,
        hotkey,
        commits: commits.collect(),
        next,
    }))
}

/// `GET /v1/state/commits`: what all validators together know, by challenge and
/// miner.
pub(super) async fn commits(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<HistoryPage>, Problem> {
    let page: Page<(String, String)> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    let found = app.store.histories(page.after.clone(), page.look_for());
    let mut histories = found.await?;
    let key = |of: &MinerHistory| (of.challenge.clone(), of.miner_hotkey.clone());
    let next = page.cut(&mut histories, key);
    let miners = histories.into_iter().map(|history| {
        let mut versions = history.newest.into_iter().map(StateCommit::new);
        HistoryView {
            uid: app.metagraph().uid_of(&history.miner_hotkey),
            challenge: history.challenge,
            hotkey: history.miner_hotkey,
            versions: history.versions,
            current: versions.next(),
            history: versions.collect(),
        }
    });
    Ok(Json(HistoryPage {
        miners: miners.collect(),
        next,
    }))
}

/// `GET /v1/state/lookup`: what is known of a ciphertext.
pub(super) async fn lookup(
    State(app): State<App>,
    Params(query): Params<LookupQuery>,
) -> Result<Json<Lookup>, Problem> {
    let LookupQuery {
        challenge,
        encrypted_commit,
    } = query;
    let found = app.store.commits_by_ciphertext(challenge, encrypted_commit);
    let mut commits = Vec::new();
    for commit in found.await? {
        let seen = app.seen(commit.id).await?;
        let commit = StateCommit::new(summary(commit));
        commits.push(LookupView { commit, seen });
    }
    Ok(Json(Lookup { commits }))
}

/// `GET /v1/state/scoring-results`: every evaluation of an artifact, the last one
/// first.
pub(super) async fn scoring_results(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<ScoringResultPage>, Problem> {
    let page: Page<i64> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    let found = app
        .store
        .evaluation_page(query.challenge, page.after, page.look_for());
    let mut evaluations = found.await?;
    let next = page.cut(&mut evaluations, |evaluation| evaluation.id);
    let scoring_results = evaluations.into_iter().map(ScoringResultView::new);
    Ok(Json(ScoringResultPage {
        scoring_results: scoring_results.collect(),
        next,
    }))
}

impl StateCommit {
    fn new(commit: CommitSummary) -> Self {
        StateCommit {
            has_key: commit.has_key,
            fault_detail: commit.fault.clone(),
            commit: CommitView::new(commit),
        }
    }
}

impl ScoringResultView {
    fn new(row: EvaluationSummary) -> Self {
        ScoringResultView {
            challenge: row.challenge,
            artifact_digest: row.artifact_digest,
            state: row.state,
            outcome: row.outcome,
            message: row.message,
            attempts: row.attempts,
            scoring_logs: row.logs,
            fuel: row.fuel,
            plugin_digest: row.plugin_digest,
            settings_digest: row.settings_digest,
            engine: row.engine,
            seed: row.seed.to_string(),
            logical_time: row.logical_time,
            queued_at: row.queued_at,
            finished_at: row.finished_at,
        }
    }
}
