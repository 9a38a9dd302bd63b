//! Entries that come by a challenge's own routes.

use super::{Admitted, Routes};
use crate::api::organic::{self, Prefer, Taken};
use crate::api::problem::Problem;
use axum::Json;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A header that every bittensor client before version 11 sends.
const DENDRITE: &str = "bt_header_dendrite_nonce";

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
    answered.unwrap_or_else(|problem| match parts.headers.contains_key(DENDRITE) {
        true => refused(problem),
        false => problem.into_response(),
    })
}

/// A refusal that a bittensor client shows: it does not look at problem details.
fn refused(problem: Problem) -> Response {
    let told = format!("{}: {}", problem.code, problem.detail);
    let told: String = told.chars().filter(|c| matches!(c, ' '..='~')).collect();
    let status = HeaderValue::from(problem.status.as_u16());
    let mut response = problem.into_response();
    let [(of_status, _), (of_message, _)] = AXON;
    response.headers_mut().insert(of_status, status);
    if let Ok(told) = HeaderValue::from_str(&told) {
        response.headers_mut().insert(of_message, told);
    }
    response
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
    let taken = organic::take(routes, asked, challenge, parts, body);
    let taken = in_time(latest, taken).await?;
    let Some(awaited) = taken.dendrite else {
        let prefer = Prefer::of(&parts.headers);
        return organic::answer(asked, challenge, taken, prefer, latest, &routes.0.stop).await;
    };
    let Taken {
        entry, duplicate, ..
    } = taken;
    // The client gives up at the same time: what is told then is not heard.
    let margin = (awaited.patience / 10).min(Duration::from_secs(1));
    let until = (Instant::now() + awaited.patience.saturating_sub(margin)).min(latest);
    let entry = organic::wait_for(asked, challenge, entry, until, &routes.0.stop).await?;
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
    Ok((headers, Json(synapse(&awaited.body, answer))).into_response())
}

/// Fields of every synapse, which the client has itself.
const OF_EVERY_SYNAPSE: [&str; 7] = [
    "name",
    "timeout",
    "total_size",
    "header_size",
    "dendrite",
    "axon",
    "computed_body_hash",
];

/// An answer as an axon gives it: the synapse that came, with what the miner said in it.
fn synapse(sent: &str, answer: Box<RawValue>) -> Box<RawValue> {
    type Fields<'a> = BTreeMap<String, &'a RawValue>;
    let whole = || {
        let mut fields: Fields<'_> = serde_json::from_str(sent).ok()?;
        fields.retain(|name, _| !OF_EVERY_SYNAPSE.contains(&name.as_str()));
        fields.extend(serde_json::from_str::<Fields<'_>>(answer.get()).ok()?);
        serde_json::value::to_raw_value(&fields).ok()
    };
    whole().unwrap_or(answer)
}

/// What comes of it by a time, and no later: a body may come in slowly, and a challenge
/// may think for long.
async fn in_time<T>(
    latest: Instant,
    taken: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    timeout_at(latest, taken).await.unwrap_or_else(|_elapsed| {
        let detail = "the entry was not taken in the time that a call of the challenge has";
        let status = StatusCode::GATEWAY_TIMEOUT;
        Err(Problem::new(status, "timeout", detail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[test]
    fn a_bittensor_client_gets_its_synapse_back_with_the_answer_in_it() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let sent = r#"{"prompt":"a","completion":null,"name":"X","dendrite":{}}"#;
        let told = synapse(sent, raw(r#"{"completion":"b"}"#));
        assert_eq!(told.get(), r#"{"completion":"b","prompt":"a"}"#);
        assert_eq!(synapse(sent, raw("[1]")).get(), "[1]");
    }

    #[test]
    fn a_bittensor_client_is_told_why_it_is_refused() {
        let problem = Problem::new(StatusCode::FORBIDDEN, "blacklisted", "no\u{e9}\n!");
        let response = refused(problem);
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("bt_header_axon_status_code"), "403");
        assert_eq!(header("bt_header_axon_status_message"), "blacklisted: no!");
        assert_eq!(response.status(), 403);
    }

    #[tokio::test]
    async fn an_entry_that_is_not_taken_in_time_is_answered() {
        let latest = Instant::now();
        let late = in_time::<()>(latest, pending()).await.unwrap_err();
        assert_eq!((late.status.as_u16(), late.code), (504, "timeout"));
        assert!(in_time(latest, ready(Ok(()))).await.is_ok());
    }
}
