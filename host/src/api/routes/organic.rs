//! Entries that come by a challenge's own routes.

use super::{Admitted, Routes};
use crate::api::organic::{self, Prefer, Taken};
use crate::api::problem::Problem;
use axum::Json;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

/// What an axon says of an answer; a bittensor client looks nowhere else for success.
const AXON: [(HeaderName, HeaderValue); 2] = [
    (
        HeaderName::from_static("bt_header_axon_status_code"),
        HeaderValue::from_static("200"),
    ),
    (
        HeaderName::from_static("bt_header_axon_status_message"),
        HeaderValue::from_static("Success"),
    ),
];

/// Takes an entry. A bittensor client before version 11 is answered as by an axon: what
/// the best rewarded miner said, if it comes in time; others as by
/// `POST /v1/organic/{challenge}`. Either has its place for as long as it waits.
pub(super) async fn enter(
    routes: &Routes,
    admitted: &Admitted,
    parts: &Parts,
    body: Body,
) -> Response {
    let latest = Instant::now() + admitted.plugin.given.route_limits.head();
    let answered = answer(routes, admitted, parts, body, latest).await;
    answered.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    routes: &Routes,
    admitted: &Admitted,
    parts: &Parts,
    body: Body,
    latest: Instant,
) -> Result<Response, Problem> {
    let challenge = admitted.plugin.name();
    let asked = routes.organic();
    let taken = organic::take(routes, asked, challenge, parts, body).await?;
    let Some(patience) = taken.dendrite else {
        let prefer = Prefer::of(&parts.headers);
        return organic::answer(asked, challenge, taken, prefer, latest).await;
    };
    let Taken {
        entry, duplicate, ..
    } = taken;
    let until = (Instant::now() + patience).min(latest);
    let entry = organic::wait_for(asked, challenge, entry, until).await?;
    if !entry.state.is_end() {
        return organic::told(challenge, entry, duplicate);
    }
    let Some(answer) = organic::best_answer(&entry)? else {
        let detail = "no miner gave an answer that earned anything";
        return Err(Problem::new(StatusCode::BAD_GATEWAY, "no_answer", detail));
    };
    let mut headers = HeaderMap::from_iter(AXON);
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    Ok((headers, Json(answer)).into_response())
}
