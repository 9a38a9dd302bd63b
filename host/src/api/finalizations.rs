//! The ledger: what each challenge came to on each day.

use super::App;
use super::ciphertexts::digest;
use super::page::Page;
use super::params::{Params, Segments};
use super::problem::{Problem, ProblemDetails};
use super::receipts::TreeState;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::scoring::FinalizedCommit;
use crate::store::{FinalizationRow, FinalizationSummary};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /v1/finalizations`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FinalizationsQuery {
    /// Only those of this challenge.
    challenge: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// A page of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FinalizationPage {
    /// The latest day first, then by challenge.
    finalizations: Vec<FinalizationView>,
    /// The cursor of the next page; none if this is the last.
    next: Option<String>,
}

/// What a challenge came to on a day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FinalizationView {
    /// The challenge.
    challenge: String,
    /// The day, `YYYY-MM-DD`, UTC.
    day: String,
    /// SHA-256 of the plugin that judged and paid.
    plugin_digest: String,
    /// SHA-256 of the challenge's settings.
    settings_digest: String,
    /// Version and settings of the sandbox, and the limits of its calls.
    engine: String,
    /// How the challenge told its weights: `ok`, or the code of what went wrong.
    outcome: String,
    /// Commits that were judged, or that the challenge could not judge.
    commits: u64,
    /// How many of these are accepted.
    accepted: u64,
    /// Miners with a standing.
    ranked: u64,
    /// The logical time of verdicts and weights: the scoring hour of the day, in
    /// seconds since the Unix epoch.
    scheduled_at: f64,
    /// When it was done, likewise.
    finalized_at: f64,
    /// Id of the receipt of the weights, as of `GET /v1/receipts/{id}`.
    receipt: Option<String>,
    /// The tree of the day's receipts with those that this finalization took in: of
    /// challenges that were finalized after it there are more. None if there are none.
    tree: Option<TreeState>,
}

/// What a challenge came to on a day, in full.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FinalizationDetail {
    #[serde(flatten)]
    finalization: FinalizationView,
    /// The commits of the day, by time of commit.
    results: Vec<LedgerCommit>,
    /// The best accepted commit of each registered miner, by uid.
    standings: Vec<LedgerStanding>,
    /// What each miner is paid.
    weights: Vec<LedgerWeight>,
}

/// A commit in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerCommit {
    /// What the miner published.
    encrypted_commit: String,
    /// The SHA-256 of that, in hex: the name of the commit in paths.
    sha256: String,
    /// The miner's uid.
    uid: u16,
    /// The miner's hotkey.
    hotkey: String,
    /// SHA-256 of the artifact.
    artifact_digest: String,
    /// The score; none if the challenge could not judge it.
    score: Option<f64>,
    /// The penalty, 0 to 1.
    penalty: Option<f64>,
    /// Whether it is accepted.
    accepted: Option<bool>,
    /// Earlier commits that it was compared with.
    references: usize,
}

/// A standing in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerStanding {
    /// The miner's uid.
    uid: u16,
    /// The miner's hotkey.
    hotkey: String,
    /// SHA-256 of the artifact.
    artifact_digest: String,
    /// When it was committed, in seconds since the Unix epoch.
    committed_at: f64,
    /// The score.
    score: f64,
    /// When it was judged, in seconds since the Unix epoch.
    scored_at: f64,
}

/// A weight in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerWeight {
    /// The miner's hotkey.
    hotkey: String,
    /// The share, in a unit of the challenge's own.
    weight: f64,
}

/// The ledger, the latest day first
#[utoipa::path(
    get,
    path = "/v1/finalizations",
    operation_id = "list_finalizations",
    tag = "finalizations",
    params(FinalizationsQuery),
    responses(
        (status = 200, body = FinalizationPage, description = "A page"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`, `invalid_cursor`, `invalid_limit`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<FinalizationsQuery>,
) -> Result<Json<FinalizationPage>, Problem> {
    let page: Page<(String, String)> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    if let Some(challenge) = &query.challenge {
        app.known_challenge(challenge)?;
    }
    let after = page.after.clone();
    let found = app
        .store
        .finalization_page(query.challenge, after, page.look_for());
    let mut rows = found.await?;
    let next = page.cut(&mut rows, |row| (row.day.clone(), row.challenge.clone()));
    let finalizations = rows.into_iter().map(FinalizationView::new).collect();
    Ok(Json(FinalizationPage {
        finalizations,
        next,
    }))
}

/// What a challenge came to on a day
#[utoipa::path(
    get,
    path = "/v1/finalizations/{challenge}/{day}",
    operation_id = "get_finalization",
    tag = "finalizations",
    params(
        ("challenge" = String, Path, description = "Name of the challenge"),
        ("day" = String, Path, description = "The day, `YYYY-MM-DD`, UTC"),
    ),
    responses(
        (status = 200, body = FinalizationDetail, description = "The row of the ledger"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`, `not_finalized`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    Segments((challenge, day)): Segments<(String, String)>,
) -> Result<Json<FinalizationDetail>, Problem> {
    app.known_challenge(&challenge)?;
    let row = app.store.finalization(challenge, day).await?;
    let row = row.ok_or_else(|| {
        let detail = "the challenge was not finalized on that day";
        Problem::new(StatusCode::NOT_FOUND, "not_finalized", detail)
    })?;
    FinalizationDetail::new(row).map(Json)
}

impl FinalizationView {
    fn new(row: FinalizationSummary) -> Self {
        FinalizationView {
            challenge: row.challenge,
            day: row.day,
            plugin_digest: row.plugin_digest,
            settings_digest: row.settings_digest,
            engine: row.engine,
            outcome: row.outcome,
            commits: row.commits,
            accepted: row.accepted,
            ranked: row.standings,
            scheduled_at: row.scheduled_at,
            finalized_at: row.finalized_at,
            // It became a leaf with the row.
            receipt: row.receipt,
            tree: row.tree.map(|(size, root)| TreeState { size, root }),
        }
    }
}

impl FinalizationDetail {
    fn new(row: FinalizationRow) -> Result<Self, Problem> {
        let FinalizationRow {
            finalization: row,
            finalized_at,
            receipt,
            tree,
        } = row;
        let results: Vec<FinalizedCommit> = serde_json::from_str(&row.results)?;
        let standings: Vec<Standing> = serde_json::from_str(&row.standings)?;
        let weights: Vec<HotkeyWeight> = serde_json::from_str(&row.weights)?;
        let accepted = results.iter().filter(|r| r.accepted == Some(true)).count();
        Ok(FinalizationDetail {
            finalization: FinalizationView {
                challenge: row.challenge,
                day: row.day,
                plugin_digest: row.plugin_digest,
                settings_digest: row.settings_digest,
                engine: row.engine,
                outcome: row.outcome,
                commits: results.len() as u64,
                accepted: accepted as u64,
                ranked: standings.len() as u64,
                scheduled_at: row.scheduled_at,
                finalized_at,
                // It became a leaf with the row.
                receipt,
                tree: tree.map(|(size, root)| TreeState { size, root }),
            },
            results: results.into_iter().map(LedgerCommit::new).collect(),
            standings: standings.into_iter().map(LedgerStanding::new).collect(),
            weights: weights
                .into_iter()
                .map(|paid| LedgerWeight {
                    hotkey: paid.hotkey,
                    weight: paid.weight,
                })
                .collect(),
        })
    }
}

impl LedgerCommit {
    fn new(commit: FinalizedCommit) -> Self {
        LedgerCommit {
            sha256: digest(&commit.encrypted_commit),
            encrypted_commit: commit.encrypted_commit,
            uid: commit.miner_uid,
            hotkey: commit.miner_hotkey,
            artifact_digest: commit.artifact_digest,
            score: commit.score,
            penalty: commit.penalty,
            accepted: commit.accepted,
            references: commit.references,
        }
    }
}

impl LedgerStanding {
    fn new(standing: Standing) -> Self {
        LedgerStanding {
            uid: standing.commit.miner.uid,
            hotkey: standing.commit.miner.hotkey,
            artifact_digest: standing.commit.submission.digest,
            committed_at: standing.commit.committed_at,
            score: standing.score,
            scored_at: standing.scored_at,
        }
    }
}
