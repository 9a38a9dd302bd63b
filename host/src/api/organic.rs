//! Organic entries: taken, awaited, fetched later; and what came of the iterations.
//!
//! These routes have places of their own: who waits for an answer takes none from those
//! who ask for weights.

mod enter;
mod prefer;
mod refusal;
mod signed;
mod views;

pub(super) use enter::{Taken, take};
pub(super) use prefer::Prefer;

use super::App;
use super::etag;
use super::page::Page;
use super::params::{Params, Segments};
use super::problem::{self, Problem, ProblemDetails};
use crate::clock;
use crate::organic::{LoopStatus, Organic};
use crate::store::EntryRow;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use views::{EntryView, IterationPage, IterationView, OrganicView, StoredAnswer};

/// What is left of the time of a request to answer it, after waiting.
const SPARE: Duration = Duration::from_secs(1);

/// Entries or iterations on a page, at most.
const MOST_LISTED: u32 = 100;

/// Entries or iterations on a page, if nobody says how many.
const LISTED: &str = "20";

const NO_STORE: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The routes, each with its documentation.
fn described() -> OpenApiRouter<App> {
    let log = OpenApiRouter::default()
        .routes(routes!(iterations))
        .layer(from_fn(etag::tag));
    OpenApiRouter::default()
        .routes(routes!(status, enter))
        .routes(routes!(entry))
        .merge(log)
}

/// The routes. Their bounds are the caller's to set.
pub(super) fn router() -> Router<App> {
    let (router, _) = described().split_for_parts();
    router.method_not_allowed_fallback(problem::method_not_allowed)
}

/// The description of the routes.
pub(super) fn document() -> OpenApi {
    described().into_openapi()
}

/// Query of the list of iterations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Where the page begins: `next` of the one before.
    cursor: Option<String>,
    /// How many, 1 to 100. Default: 20.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
}

/// Ask the miners of a challenge
///
/// The body is an entry, in a shape that is the challenge's to describe. It is signed in
/// one of three ways: with the `X-Bittensor-*` headers of `btauth/1`, with the
/// `bt_header_dendrite_*` headers of a bittensor client before version 11, or with the
/// four headers of a miner's request. A signature counts once, also if the challenge
/// refuses the entry: who tries again signs again.
///
/// What is answered with 200 or 202 is on disk. With `Prefer: wait=20` the answer is
/// waited for, up to so many seconds and as long as the host lets a request take; without,
/// or if it takes longer, it is fetched from `Location`. An entry with the sample of
/// another one of the last while is that one.
#[utoipa::path(
    post,
    path = "/v1/organic/{challenge}",
    operation_id = "send_organic_entry",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: waits up to N seconds for the answer"),
        ("X-Bittensor-Version" = Option<String>, Header, description = "`1`: the request is signed with `btauth/1`"),
        ("X-Bittensor-Hotkey" = Option<String>, Header, description = "Who signed"),
        ("X-Bittensor-Receiver" = Option<String>, Header, description = "This host's hotkey"),
        ("X-Bittensor-Nonce" = Option<String>, Header, description = "Now, in nanoseconds since the Unix epoch; it counts once"),
        ("X-Bittensor-Crypto" = Option<String>, Header, description = "`sr25519`"),
        ("X-Bittensor-Signature" = Option<String>, Header, description = "As of `btauth/1`"),
        ("X-Hotkey" = Option<String>, Header, description = "Who signed, in the third way"),
        ("X-Signature" = Option<String>, Header, description = "sr25519, hexadecimal, over \
            `base-upload-v1:{netuid}:{challenge}:{METHOD}:{path?query}:{hotkey}:{nonce}:{timestamp}:{SHA-256 of the body}`"),
        ("X-Nonce" = Option<String>, Header, description = "It counts once"),
        ("X-Timestamp" = Option<String>, Header, description = "Seconds since the Unix epoch"),
    ),
    request_body(content = Object, description = "The entry"),
    responses(
        (status = 200, body = EntryView, description = "It has ended: it was waited for, or it is \
            one that ended before"),
        (status = 202, body = EntryView, description = "It is queued; `Location` has what becomes of it"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_json`, `body_rejected`, `invalid_path`"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json",
            description = "`missing_header`, `malformed_header`, `stale`, `bad_signature`, \
                `wrong_receiver`, `hash_mismatch`, `malformed_body`, `unsupported_scheme`; \
                `unverified`: the challenge says so"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json",
            description = "`blacklisted`, `not_registered`, `not_validator`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it takes no entries"),
        (status = 408, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_slow`: the body"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json",
            description = "`replayed`: the nonce was taken before"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`body_too_large`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid`: the challenge does not take such an entry"),
        (status = 429, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_many_entries` of this caller are queued: see `Retry-After`"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json",
            description = "The challenge failed: the code of its outcome"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again; `no_hotkey`: only \
                the third way works here"),
        (status = 504, body = ProblemDetails, content_type = "application/problem+json",
            description = "`timeout`: the challenge did not look at it in time"),
    ),
)]
async fn enter(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let most = Duration::from_millis(app.config.public.timeout_ms).saturating_sub(SPARE);
    let until = Instant::now() + most;
    let (parts, body) = request.into_parts();
    let prefer = Prefer::of(&parts.headers);
    let taken = take(&app, app.organic(), &challenge, &parts, body).await?;
    // Who finds no place to wait in asks again.
    let place = prefer.wait.and_then(|_| app.place_to_wait());
    let prefer = Prefer {
        wait: prefer.wait.filter(|_| place.is_some()),
        ..prefer
    };
    answer(app.organic(), &challenge, taken, prefer, until, &app.0.stop).await
}

/// Waits for the end of an entry if that is preferred, and tells how far it is.
pub(super) async fn answer(
    organic: &Organic,
    challenge: &str,
    taken: Taken,
    prefer: Prefer,
    latest: Instant,
    stop: &CancellationToken,
) -> Result<Response, Problem> {
    let Taken {
        mut entry,
        duplicate,
        ..
    } = taken;
    let mut applied = None;
    if !entry.state.is_end()
        && let Some(wait) = prefer.wait
    {
        let now = Instant::now();
        // A wait without end is one that is too long.
        let until = now.checked_add(wait).unwrap_or(latest).min(latest);
        entry = wait_for(organic, challenge, entry, until, stop).await?;
        if entry.state.is_end() {
            let seconds = wait.min(latest.saturating_duration_since(now)).as_secs();
            applied = HeaderValue::from_str(&format!("wait={seconds}")).ok();
        }
    }
    if applied.is_none() && prefer.respond_async && !entry.state.is_end() {
        applied = Some(HeaderValue::from_static("respond-async"));
    }
    let mut response = told(challenge, entry, duplicate)?;
    if let Some(applied) = applied {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The entry when it has ended, or as it is at a time, or when the host stops.
pub(super) async fn wait_for(
    organic: &Organic,
    challenge: &str,
    entry: EntryRow,
    until: Instant,
    stop: &CancellationToken,
) -> Result<EntryRow, Problem> {
    let ended = stop.run_until_cancelled(organic.wait(challenge, &entry.id, until));
    // It is there: it is kept for longer than anybody waits.
    Ok(ended.await.transpose()?.flatten().unwrap_or(entry))
}

/// How far an entry is: 200 if it has ended, 202 if not.
pub(super) fn told(challenge: &str, entry: EntryRow, duplicate: bool) -> Result<Response, Problem> {
    let status = match entry.state.is_end() {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    let location = format!("/v1/organic/{challenge}/entries/{}", entry.id);
    let view = Json(EntryView::new(entry, duplicate)?);
    let mut response = (status, [NO_STORE], view).into_response();
    if status == StatusCode::ACCEPTED
        && let Ok(location) = HeaderValue::from_str(&location)
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What the best rewarded miner answered to an entry that has ended, if there is
/// anything.
pub(super) fn best_answer(entry: &EntryRow) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    StoredAnswer::of(entry).map(|stored| stored.answer)
}

/// How a challenge's organic scoring does
#[utoipa::path(
    get,
    path = "/v1/organic/{challenge}",
    operation_id = "get_organic_status",
    tag = "organic",
    params(("challenge" = String, Path, description = "The challenge")),
    responses(
        (status = 200, body = OrganicView, description = "As it is now"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn status(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
) -> Result<Response, Problem> {
    let now = clock::unix_now();
    let status = app.organic_status(&challenge).await?;
    let view = OrganicView::new(status, app.organic().hotkey(), now);
    Ok(([NO_STORE], Json(view)).into_response())
}

/// What became of an entry
///
/// Who has the id may ask. Ended entries are kept for a while.
#[utoipa::path(
    get,
    path = "/v1/organic/{challenge}/entries/{id}",
    operation_id = "get_organic_entry",
    tag = "organic",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("id" = String, Path, description = "The entry"),
    ),
    responses(
        (status = 200, body = EntryView, description = "As it is now"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_entry`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn entry(
    State(app): State<App>,
    Segments((challenge, id)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let found = app.organic().entry(&challenge, &id).await?;
    let found = found.ok_or_else(|| unknown_entry(&id))?;
    let view = EntryView::new(found, false)?;
    Ok(([NO_STORE], Json(view)).into_response())
}

/// The iterations of a challenge
///
/// With what each miner was rewarded; not with what was asked or answered.
#[utoipa::path(
    get,
    path = "/v1/organic/{challenge}/iterations",
    operation_id = "list_organic_iterations",
    tag = "organic",
    params(("challenge" = String, Path, description = "The challenge"), ListQuery),
    responses(
        (status = 200, body = IterationPage, description = "The last one first"),
        (status = 304, description = "As `If-None-Match` has it"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_cursor`, `invalid_limit`, `invalid_query`, `invalid_path`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`; `no_organic`: it has none"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
async fn iterations(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
    Params(query): Params<ListQuery>,
) -> Result<Json<IterationPage>, Problem> {
    let page = page(query.cursor.as_deref(), query.limit.as_deref())?;
    app.organic_status(&challenge).await?;
    let found = app
        .store
        .organic_iterations(challenge, page.after, page.look_for());
    let mut found = found.await?;
    let next = page.cut(&mut found, |row| row.id);
    let iterations = found.into_iter().map(IterationView::new);
    Ok(Json(IterationPage {
        iterations: iterations.collect::<Result<_, _>>()?,
        next,
    }))
}

/// A page of what may be large: of 20, and of at most 100.
pub(super) fn page(cursor: Option<&str>, limit: Option<&str>) -> Result<Page<i64>, Problem> {
    let page = Page::read(cursor, limit.or(Some(LISTED)))?;
    if page.look_for() > MOST_LISTED + 1 {
        let detail = format!("limit is not a number of 1 to {MOST_LISTED}");
        return Err(Problem::bad_request("invalid_limit", detail));
    }
    Ok(page)
}

pub(super) fn unknown_entry(id: &str) -> Problem {
    Problem::missing("unknown_entry", format!("there is no entry {id:?}"))
}

impl App {
    /// How the organic scoring of a challenge does.
    ///
    /// # Errors
    ///
    /// 404 `unknown_challenge`, or `no_organic` if it has none.
    pub(super) async fn organic_status(&self, challenge: &str) -> Result<LoopStatus, Problem> {
        let status = self.organic().status(challenge).await?;
        status.ok_or_else(|| match self.plugins.get(challenge) {
            Some(_) => refusal::no_organic(challenge),
            None => Problem::unknown_challenge(challenge),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_twenty_unless_told_otherwise_and_at_most_a_hundred() {
        let found = |limit| page(None, limit).map(|page| page.look_for() - 1);
        assert_eq!(found(None).unwrap(), 20);
        assert_eq!(found(Some("100")).unwrap(), 100);
        for limit in ["0", "101", "1000", "x"] {
            assert_eq!(
                found(Some(limit)).unwrap_err().code,
                "invalid_limit",
                "{limit}"
            );
        }
    }
}
