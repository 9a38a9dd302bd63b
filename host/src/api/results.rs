//! Commits and what came of them.

use super::App;
use super::page::Page;
use super::params::{Params, Segments, is_day};
use super::problem::{Problem, ProblemDetails};
use super::views::{CommitDetail, CommitView, SeenView};
use crate::store::{CommitFilter, CommitState};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /v1/results`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResultsQuery {
    /// Only those of this challenge.
    challenge: Option<String>,
    /// Only those of this miner.
    hotkey: Option<String>,
    /// Only those of the miner that was last seen at this uid.
    uid: Option<u16>,
    /// Only those that this day takes in, `YYYY-MM-DD`.
    day: Option<String>,
    /// Only those that have come this far: `sealed`, `refused`, `revealed`,
    /// `evaluated`, `judged` or `failed`.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// A page of commits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultPage {
    /// What was first heard of last comes first.
    results: Vec<CommitView>,
    /// The cursor of the next page; none if this is the last.
    next: Option<String>,
}

/// Query of `GET /v1/results/{challenge}/{sha256}`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResultQuery {
    /// Of several miners that published this ciphertext, which one. Default: the
    /// first, whom the others copied.
    hotkey: Option<String>,
}

/// Commits, what was first heard of last comes first
///
/// What comes in while somebody goes from page to page is not on later pages, and
/// moves nothing there. Of a sealed commit only the ciphertext, its time and its
/// state are shown.
#[utoipa::path(
    get,
    path = "/v1/results",
    operation_id = "list_results",
    tag = "results",
    params(ResultsQuery),
    responses(
        (status = 200, body = ResultPage, description = "A page"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`, `invalid_cursor`, `invalid_limit`, `invalid_day`, \
                `invalid_state`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<ResultsQuery>,
) -> Result<Json<ResultPage>, Problem> {
    let page: Page<i64> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    if let Some(challenge) = &query.challenge {
        app.known_challenge(challenge)?;
    }
    if query.day.as_deref().is_some_and(|day| !is_day(day)) {
        let detail = "day is not a day as in 2026-08-22";
        return Err(Problem::bad_request("invalid_day", detail));
    }
    let filter = CommitFilter {
        challenge: query.challenge,
        hotkey: query.hotkey,
        uid: query.uid,
        day: query.day,
        state: query.state.as_deref().map(state).transpose()?,
    };
    let found = app.store.commit_page(filter, page.after, page.look_for());
    let mut commits = found.await?;
    let next = page.cut(&mut commits, |commit| commit.id);
    let results = commits.into_iter().map(CommitView::new).collect();
    Ok(Json(ResultPage { results, next }))
}

fn state(name: &str) -> Result<CommitState, Problem> {
    let known = CommitState::ALL.into_iter();
    let mut known = known.filter(|state| state.name() == name);
    known.next().ok_or_else(|| {
        let names = CommitState::ALL.map(CommitState::name).join(", ");
        Problem::bad_request("invalid_state", format!("state is not one of {names}"))
    })
}

/// One commit with all that everybody may know of it
#[utoipa::path(
    get,
    path = "/v1/results/{challenge}/{sha256}",
    operation_id = "get_result",
    tag = "results",
    params(
        ("challenge" = String, Path, description = "Name of the challenge"),
        ("sha256" = String, Path, description = "SHA-256 of the ciphertext, in lower-case hex"),
        ResultQuery,
    ),
    responses(
        (status = 200, body = CommitDetail, description = "The commit"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`, `unknown_commit`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    Segments((challenge, sha256)): Segments<(String, String)>,
    Params(query): Params<ResultQuery>,
) -> Result<Json<CommitDetail>, Problem> {
    app.known_challenge(&challenge)?;
    let commits = match app.0.ciphertexts.find(&app.store, &sha256).await? {
        Some(ciphertext) => {
            app.store
                .commits_by_ciphertext(challenge, ciphertext)
                .await?
        }
        None => Vec::new(),
    };
    let wanted = |miner: &str| query.hotkey.as_deref().is_none_or(|hotkey| hotkey == miner);
    let commit = commits.into_iter().find(|c| wanted(&c.miner_hotkey));
    let commit = commit.ok_or_else(|| {
        let detail = "no such commit of this challenge is known";
        Problem::new(StatusCode::NOT_FOUND, "unknown_commit", detail)
    })?;
    let seen = app.seen(commit.id).await?;
    let evaluation = match commit.evaluation_id {
        Some(id) => app.store.evaluation_by_id(id).await?,
        None => None,
    };
    let of_evaluation = evaluation.as_ref().and_then(|row| row.receipt.as_ref());
    let receipts = commit.receipt.iter().chain(of_evaluation);
    let public = app.public_receipts(receipts).await?;
    CommitDetail::new(commit, evaluation, seen, &public).map(Json)
}

impl App {
    /// Who claims to have seen a commit when.
    pub(super) async fn seen(&self, commit: i64) -> Result<Vec<SeenView>, Problem> {
        let claims = self.store.claims(commit).await?.into_iter();
        let seen = claims.map(|claim| {
            let uid = self.metagraph().uid_of(&claim.validator_hotkey);
            SeenView::new(claim, uid)
        });
        Ok(seen.collect())
    }
}
