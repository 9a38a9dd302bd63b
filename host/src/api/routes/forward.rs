//! A request on its way to a challenge, and the answer on its way back.

use super::body::Answer;
use super::headers::{self, Verified, Vouched};
use super::{Admitted, Held, Routes};
use crate::api::problem::Problem;
use crate::clock;
use crate::plugins::ActivePlugin;
use crate::sandbox::submissions::SubmitError;
use crate::sandbox::{CallContext, Outcome, PluginError, RouteBody, RouteCall, Submit};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Instant;

/// Has the challenge answer.
pub(super) async fn forward(
    routes: &Routes,
    admitted: Admitted,
    parts: Parts,
    body: Body,
    verified: Option<Verified>,
) -> Response {
    match call(routes, admitted, parts, body, verified).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn call(
    routes: &Routes,
    admitted: Admitted,
    parts: Parts,
    body: Body,
    verified: Option<Verified>,
) -> Result<Response, Problem> {
    let plugin = &admitted.plugin;
    let challenge = plugin.name();
    let vouched = Vouched {
        challenge,
        client: admitted.client,
        verified: verified.as_ref(),
    };
    let request = inside(&admitted.rest, parts, body, &vouched)?;
    let standings = routes.standings().current(routes, challenge).await;
    let standings = standings.map_err(|error| {
        tracing::error!(challenge, %error, "the standings cannot be read");
        let detail = "the database cannot be used now";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    })?;
    let context = CallContext {
        settings: Arc::clone(&plugin.settings),
        seed: rand::random(),
        now: clock::unix_now(),
    };
    let limits = plugin.given.route_limits;
    let (metrics, name, begun) = (
        Arc::clone(&routes.metrics),
        challenge.to_owned(),
        Instant::now(),
    );
    metrics.route_began(&name);
    let held = admitted.held;
    let place = Arc::clone(&held);
    let call = RouteCall {
        secrets: plugin.secrets.clone(),
        outbound: Arc::clone(&plugin.outbound),
        standings,
        submit: verified.map(|verified| submit(routes, challenge, verified)),
        journal: Some(Arc::clone(&plugin.journal)),
        ended: Some(Box::new(move |called| {
            let outcome = called.outcome().code();
            metrics.route_ended(&name, outcome, begun.elapsed(), called.report.fuel);
            // A guest that goes on after its answer has its place for as long.
            drop(place);
        })),
        ..RouteCall::new(context, limits, plugin.grants.clone())
    };
    let answer = plugin.component.handle(&routes.sandbox, call, request);
    let answer = answer.await.map_err(|error| failed(challenge, &error))?;
    outside(routes, &admitted.plugin, held, answer)
}

/// The request as the challenge gets it: its path from the challenge's own root on.
fn inside(
    rest: &str,
    mut parts: Parts,
    body: Body,
    vouched: &Vouched<'_>,
) -> Result<Request<Body>, Problem> {
    let target = match parts.uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let target: PathAndQuery = target
        .parse()
        .map_err(|_| Problem::bad_request("bad_path", "the path cannot be passed on"))?;
    let mut headers = headers::request(&parts.headers, vouched);
    // A target with an authority is asked of that, whatever the header says.
    if let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(header::HOST, host);
    }
    parts.headers = headers;
    parts.uri = Uri::from(target);
    parts.extensions = Extensions::new();
    Ok(Request::from_parts(parts, body))
}

/// The answer as the client gets it.
fn outside(
    routes: &Routes,
    plugin: &ActivePlugin,
    held: Arc<Held>,
    answer: http::Response<RouteBody>,
) -> Result<Response, Problem> {
    let challenge = plugin.name();
    let (mut parts, body) = answer.into_parts();
    let invalid = |why: &str| {
        plugin.journal.note(why);
        tracing::warn!(challenge, why, "an answer of a route cannot be passed on");
        failed_with(Outcome::InvalidOutput)
    };
    if !(200..600).contains(&parts.status.as_u16()) {
        return Err(invalid("the status is not in 200 to 599"));
    }
    parts.headers = headers::response(&parts.headers, challenge)
        .map_err(|error| invalid(&error.to_string()))?;
    let stop = is_event_stream(&parts.headers).then(|| routes.0.stop.clone().cancelled_owned());
    let body = Body::new(Answer::new(body, stop, held));
    Ok(Response::from_parts(parts, body))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (kind, _) = kind.split_once(';').unwrap_or((kind, ""));
    kind.trim().eq_ignore_ascii_case("text/event-stream")
}

/// What a client is told of a call that failed. What the guest said is for the operator.
fn failed(challenge: &str, error: &PluginError) -> Problem {
    tracing::debug!(challenge, %error, "a route failed");
    match error.outcome {
        Outcome::Unavailable => {
            let detail = "the challenge cannot answer now";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
        Outcome::Timeout => {
            let detail = "the challenge did not answer in time";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail)
        }
        Outcome::LinkError => super::no_routes(challenge),
        outcome => failed_with(outcome),
    }
}

fn failed_with(outcome: Outcome) -> Problem {
    let detail = "the challenge failed on this request";
    Problem::new(StatusCode::BAD_GATEWAY, outcome.code(), detail)
}

/// Commits artifacts for a miner.
fn submit(routes: &Routes, challenge: &str, verified: Verified) -> Submit {
    let (routes, challenge) = (routes.clone(), challenge.to_owned());
    Arc::new(move |artifact: String| {
        let (routes, challenge) = (routes.clone(), challenge.clone());
        let (hotkey, uid) = (verified.hotkey.clone(), verified.uid);
        Box::pin(async move {
            let digest = artifact.strip_prefix("sha256:");
            let digest = digest.ok_or(SubmitError::UnknownArtifact)?;
            let now = clock::unix_now();
            routes.submit(&challenge, &hotkey, uid, digest, now).await
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_challenge_sees_its_own_paths_and_queries_as_they_came() {
        for (uri, rest, seen, host) in [
            ("/challenges/d", "/", "/", "a"),
            (
                "/challenges/d/%61/../x?a=%2F&b",
                "/%61/../x",
                "/%61/../x?a=%2F&b",
                "a",
            ),
            ("/challenges/d//x?", "//x", "//x?", "a"),
            ("http://b:80/challenges/d/x", "/x", "/x", "b:80"),
        ] {
            let request = Request::get(uri).header("host", "a").body(Body::empty());
            let (parts, body) = request.unwrap().into_parts();
            let vouched = Vouched {
                challenge: "d",
                client: Ipv4Addr::LOCALHOST.into(),
                verified: None,
            };
            let request = inside(rest, parts, body, &vouched).unwrap();
            assert_eq!(request.uri().to_string(), seen);
            assert_eq!(request.headers()["host"], host);
        }
    }

    #[test]
    fn a_failed_call_is_told_by_its_code_and_not_in_the_guests_words() {
        for outcome in Outcome::ALL {
            let problem = failed("d", &PluginError::new(outcome, "the guest's secret"));
            let expected = match outcome {
                Outcome::Unavailable => (503, "unavailable"),
                Outcome::Timeout => (504, "timeout"),
                Outcome::LinkError => (404, "no_routes"),
                outcome => (502, outcome.code()),
            };
            assert_eq!((problem.status.as_u16(), problem.code), expected);
            assert!(!problem.detail.contains("secret"));
        }
    }

    #[test]
    fn an_event_stream_is_known_by_its_type() {
        let is_stream = |kind: &'static str| {
            is_event_stream(&HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static(kind),
            )]))
        };
        assert!(is_stream("text/event-stream") && is_stream("Text/Event-Stream; charset=utf-8"));
        assert!(!is_stream("text/plain") && !is_event_stream(&HeaderMap::new()));
    }
}
