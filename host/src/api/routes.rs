//! A challenge's own routes, below `/challenges/{challenge}`.
//!
//! They have bounds of their own, by challenge: a slow or broken one is answered for
//! with 502 to 504, and takes nothing from others. Beside them is what masters of the
//! platform that Proctor replaces, and their miners, ask of a challenge. A request that a
//! rule of the record calls organic is an entry, which the host queues by itself.

mod body;
mod forward;
mod headers;
mod organic;
mod path;
mod places;
mod signed;
pub(super) mod upload;
mod weights;

use super::listen::Peer;
use super::problem::{self, Problem, ProblemDetails};
use super::{Tasks, dashboard, limits};
use crate::organic::Organic;
use crate::plugins::ActivePlugin;
use crate::registry::Registry;
use crate::sandbox::Capability;
use crate::scoring::{Pipeline, StandingsCache};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use path::PathFault;
use places::{Full, Place, Places, Room};
pub(super) use signed::unread;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use upload::Uploads;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Seconds for which a connection is kept beyond the time of a call, to write the end
/// of its answer.
const GRACE: Duration = Duration::from_secs(10);

/// What the handlers need. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Routes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pipeline: Pipeline,
    registry: Registry,
    organic: Organic,
    standings: StandingsCache,
    places: Places,
    uploads: Uploads,
    /// Ends what would not end by itself.
    stop: CancellationToken,
}

impl std::ops::Deref for Routes {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.0.pipeline
    }
}

impl Routes {
    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    fn organic(&self) -> &Organic {
        &self.0.organic
    }

    pub(super) fn standings(&self) -> &StandingsCache {
        &self.0.standings
    }
}

/// The routes of all challenges, and what else is for the peers. Streams of events end
/// once `stop` is cancelled.
pub(super) fn router(
    pipeline: &Pipeline,
    registry: &Registry,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Router {
    let config = &pipeline.config;
    let routes = Routes(Arc::new(Shared {
        pipeline: pipeline.clone(),
        registry: registry.clone(),
        organic: tasks.organic.clone(),
        standings: StandingsCache::default(),
        places: Places::default(),
        uploads: Uploads::open(&config.data_dir),
        stop: stop.clone(),
    }));
    let (bridge, _) = bridge().split_for_parts();
    let own = bridge
        .route("/challenges/{challenge}", any(forward))
        .route("/challenges/{challenge}/", any(forward))
        .route("/challenges/{challenge}/{*path}", any(forward))
        .method_not_allowed_fallback(problem::method_not_allowed);
    let (others, _) = others().split_for_parts();
    let others = others.method_not_allowed_fallback(problem::method_not_allowed);
    let metrics = &pipeline.metrics;
    limits::around(own, Arc::clone(metrics))
        .merge(limits::apply(others, &config.public, Arc::clone(metrics)))
        .with_state(routes)
}

/// Where miners of the peers send their submissions to.
fn bridge() -> OpenApiRouter<Routes> {
    OpenApiRouter::default()
        .routes(routes!(submit))
        .routes(routes!(submission))
}

/// What the host itself answers.
fn others() -> OpenApiRouter<Routes> {
    OpenApiRouter::default()
        .routes(routes!(weights::get_weights))
        .routes(routes!(dashboard::svg))
}

/// The description of those routes that are the same at every host.
pub(super) fn document() -> OpenApi {
    bridge().merge(others()).into_openapi()
}

/// Submit to a challenge, as miners of the replaced platform do
///
/// The same as `POST /challenges/{challenge}/submissions`: the challenge answers. Where
/// its record wants a signature, the four headers must be there. Where it takes uploads,
/// the body is an artifact.
#[utoipa::path(
    post,
    path = "/v1/challenges/{challenge}/submissions",
    operation_id = "submit",
    tag = "compatibility",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("X-Hotkey" = Option<String>, Header, description = "Who signed: a registered miner"),
        ("X-Signature" = Option<String>, Header, description = "sr25519, hexadecimal, over \
            `base-upload-v1:{netuid}:{challenge}:{METHOD}:{path?query}:{hotkey}:{nonce}:{timestamp}:{SHA-256 of the body}`"),
        ("X-Nonce" = Option<String>, Header, description = "It counts once"),
        ("X-Timestamp" = Option<String>, Header, description = "Seconds since the Unix epoch"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "Whatever the challenge takes, of any type"),
    responses(
        (status = 200, description = "The challenge's answer; any other status may be its own as well"),
        (status = 400, description = "`bad_path`, `body_rejected`, `empty_body`, or the challenge's own"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json",
            description = "It is not signed as it must be, or not by a registered miner"),
        (status = 404, description = "`unknown_challenge`, `no_routes`, or the challenge's own"),
        (status = 405, description = "The challenge's own"),
        (status = 408, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_slow`: the body"),
        (status = 409, description = "`replayed`: the nonce was taken before; or the challenge's own"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`body_too_large`"),
        (status = 422, description = "The challenge's own"),
        (status = 429, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_many_requests`, `too_many_uploads`: see `Retry-After`"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json",
            description = "The challenge failed: the code of its outcome"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`: try again"),
        (status = 504, body = ProblemDetails, content_type = "application/problem+json",
            description = "`timeout`: the challenge did not answer in time"),
    ),
)]
async fn submit(routes: State<Routes>, request: Request) -> Response {
    forward(routes, request).await
}

/// Ask a challenge for a submission, as miners of the replaced platform do
///
/// The same as `GET /challenges/{challenge}/submissions/{id}`: the challenge answers.
#[utoipa::path(
    get,
    path = "/v1/challenges/{challenge}/submissions/{id}",
    operation_id = "get_submission",
    tag = "compatibility",
    params(
        ("challenge" = String, Path, description = "The challenge"),
        ("id" = String, Path, description = "What the challenge calls the submission"),
        ("X-Hotkey" = Option<String>, Header, description = "As of `POST`, where a signature is wanted"),
        ("X-Signature" = Option<String>, Header, description = "As of `POST`"),
        ("X-Nonce" = Option<String>, Header, description = "As of `POST`"),
        ("X-Timestamp" = Option<String>, Header, description = "As of `POST`"),
    ),
    responses(
        (status = 200, description = "The challenge's answer; any other status may be its own as well"),
        (status = 400, description = "`bad_path`, `body_rejected`, or the challenge's own"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json",
            description = "It is not signed as it must be, or not by a registered miner"),
        (status = 403, description = "`path_not_allowed`, or the challenge's own"),
        (status = 404, description = "`unknown_challenge`, `no_routes`, or the challenge's own"),
        (status = 405, description = "The challenge's own"),
        (status = 408, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_slow`: the body"),
        (status = 409, description = "`replayed`: the nonce was taken before; or the challenge's own"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json",
            description = "`body_too_large`"),
        (status = 429, body = ProblemDetails, content_type = "application/problem+json",
            description = "`too_many_requests`: see `Retry-After`"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json",
            description = "The challenge failed: the code of its outcome"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`: try again"),
        (status = 504, body = ProblemDetails, content_type = "application/problem+json",
            description = "`timeout`: the challenge did not answer in time"),
    ),
)]
async fn submission(routes: State<Routes>, request: Request) -> Response {
    forward(routes, request).await
}

/// A request that a challenge may be asked.
struct Admitted {
    plugin: Arc<ActivePlugin>,
    /// The path below the challenge, as it came.
    rest: String,
    client: IpAddr,
    /// Whether it must be signed, and whether its body is an artifact.
    signed: bool,
    upload: bool,
    /// Whether it is an entry, and not for the challenge's handler.
    organic: bool,
    held: Arc<Held>,
}

/// What a request takes until it is answered to the end.
#[derive(Debug)]
struct Held {
    _place: Place,
    _connection: Option<super::waiting::Hold>,
}

async fn forward(State(routes): State<Routes>, request: Request) -> Response {
    let Some((challenge, rest)) = parts(request.uri().path()) else {
        return problem::not_found().await.into_response();
    };
    let challenge = challenge.to_owned();
    let refused = |problem: Problem| {
        // Names that anybody can make up are not counted.
        if routes.plugins.get(&challenge).is_some() {
            routes.metrics.route_refused(&challenge, problem.code);
        }
        tracing::debug!(
            challenge,
            code = problem.code,
            "a request to a route is refused"
        );
        problem.into_response()
    };
    let admitted = match admit(&routes, &challenge, rest, &request) {
        Ok(admitted) => admitted,
        Err(problem) => return refused(problem),
    };
    let (parts, body) = request.into_parts();
    if admitted.organic {
        return organic::enter(&routes, &admitted, &parts, body).await;
    }
    let signed = match admitted.signed {
        false => Ok((None, body::without_trailers(body))),
        true => signed::verify(&routes, &admitted, &parts, body)
            .await
            .map(|(verified, body)| (Some(verified), body)),
    };
    match signed {
        Ok((verified, body)) => forward::forward(&routes, admitted, parts, body, verified).await,
        Err(problem) => refused(problem),
    }
}

/// The challenge that a path is of, and what is below it, as they came.
fn parts(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let path = path.strip_prefix("/challenges/")?;
    let at = path.find('/').unwrap_or(path.len());
    path.split_at_checked(at)
}

fn admit(
    routes: &Routes,
    challenge: &str,
    rest: &str,
    request: &Request,
) -> Result<Admitted, Problem> {
    let method = request.method().as_str();
    if is_miswritten(method) {
        let detail = format!("the method {method:?} is written in capital letters");
        return Err(Problem::bad_request("bad_method", detail));
    }
    let allowed = path::check(rest).map_err(|fault| match fault {
        PathFault::Private => {
            Problem::new(StatusCode::FORBIDDEN, "path_not_allowed", fault.to_string())
        }
        _ => Problem::bad_request("bad_path", fault.to_string()),
    })?;
    let Some(plugin) = routes.plugins.get(challenge) else {
        if !routes.plugins.is_scanned() {
            let detail = "the challenges are being loaded";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(status, "unavailable", detail));
        }
        return Err(Problem::unknown_challenge(challenge));
    };
    let limits = plugin.given.route_limits;
    // Who answers to GET answers to HEAD.
    let methods = [method, if method == "HEAD" { "GET" } else { method }];
    let fitting = |rule: &&crate::config::RouteRule| {
        let paths = [&allowed.normalized, &allowed.decoded];
        methods
            .iter()
            .any(|method| paths.iter().any(|path| rule.fits(method, path)))
    };
    let rules = || plugin.given.routes.iter().filter(fitting);
    let signed = rules().any(|rule| rule.signed);
    let upload = rules().any(|rule| rule.upload);
    let organic = rules().any(|rule| rule.organic);
    if !organic && !plugin.has(Capability::ProxyRoutes) {
        return Err(no_routes(challenge));
    }
    let most = match (organic, upload) {
        // Its own is told with what else may be wrong with an entry.
        (true, _) => u64::MAX,
        (false, true) => limits.request_bytes.min(routes.config.artifacts.max_bytes),
        (false, false) => limits.request_bytes,
    };
    if length(request.headers()).is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let client = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| {
        peer.0.address.ip().to_canonical()
    });
    let active = routes.plugins.active().into_iter();
    let room = Room {
        all: limits.concurrency,
        per_client: limits.concurrency_per_client,
        shared: routes.config.sandbox.max_route_calls,
        challenges: active.filter(|plugin| has_routes(plugin)).count(),
    };
    let place = routes.0.places.take(challenge, client, room);
    let place = place.map_err(full)?;
    Ok(Admitted {
        rest: match rest {
            "" => "/".to_owned(),
            rest => rest.to_owned(),
        },
        client,
        signed,
        upload,
        organic,
        held: Arc::new(Held {
            _place: place,
            _connection: peer.map(|peer| peer.0.seat.hold(limits.stream() + GRACE)),
        }),
        plugin,
    })
}

/// Whether a challenge answers to requests, or has the host queue them.
fn has_routes(plugin: &ActivePlugin) -> bool {
    plugin.has(Capability::ProxyRoutes) || plugin.given.routes.iter().any(|rule| rule.organic)
}

/// Whether a method is a standard one in other letters. To HTTP that is another method,
/// which no rule is for, and to some challenges the same.
fn is_miswritten(method: &str) -> bool {
    let standard = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    standard
        .iter()
        .any(|known| known != method && known.as_str().eq_ignore_ascii_case(method))
}

/// What `Content-Length` says; the server has refused what is no number.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    Some(length.parse().unwrap_or(u64::MAX))
}

pub(super) fn too_large(most: u64) -> Problem {
    let detail = format!("the body is larger than {most} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn no_routes(challenge: &str) -> Problem {
    let detail = format!("the challenge {challenge:?} has no routes of its own");
    Problem::new(StatusCode::NOT_FOUND, "no_routes", detail)
}

fn full(full: Full) -> Problem {
    match full {
        Full::Client => {
            let detail = "too many requests of this client at a time";
            let retry = HeaderValue::from_static("1");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
                .with_header(header::RETRY_AFTER, retry)
        }
        Full::Challenge => {
            let detail = "the challenge answers as many requests as it may";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standard_method_is_in_capital_letters() {
        for method in ["post", "Get", "heaD", "pATCH", "delete", "options"] {
            assert!(is_miswritten(method), "{method}");
        }
        for method in ["GET", "POST", "PURGE", "purge", "M-SEARCH"] {
            assert!(!is_miswritten(method), "{method}");
        }
    }

    #[test]
    fn a_path_is_of_a_challenge_and_what_is_below_it() {
        for (path, expected) in [
            ("/challenges/digits", Some(("digits", ""))),
            ("/challenges/digits/", Some(("digits", "/"))),
            ("/challenges/digits/a/../b", Some(("digits", "/a/../b"))),
            ("/challenges/%64igits/x", Some(("%64igits", "/x"))),
            (
                "/v1/challenges/digits/submissions/7",
                Some(("digits", "/submissions/7")),
            ),
            ("/v1/results", None),
            ("*", None),
        ] {
            assert_eq!(parts(path), expected, "{path}");
        }
    }
}
