//! All that a day, or one receipt, is verified by, in one file.

use super::Receipts;
use super::made::{self, NotMade, Place, Watched};
use crate::api::etag;
use crate::api::listen::Peer;
use crate::api::params::{Params, Segments};
use crate::api::problem::{Problem, ProblemDetails};
use crate::bundles::{self, CollectError, Collected, Options};
use crate::canonical::digest;
use crate::metrics::Metrics;
use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Time to make a bundle.
const MAKING: Duration = Duration::from_secs(120);

/// Query of the routes of bundles.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BundleQuery {
    /// Whether submissions are in it. Default: no.
    artifacts: Option<bool>,
    /// Whether the challenges' components are in it. Default: yes.
    components: Option<bool>,
}

/// What is in a bundle.
#[derive(Debug)]
enum Of {
    Day { day: String, size: u64 },
    Receipt { id: String },
}

/// All that one receipt is verified by, as one file
///
/// A plain tar: the receipt, those that it depends on, and what they name by digest, as
/// far as it is kept and not private.
#[utoipa::path(
    get,
    path = "/v1/receipts/{id}/bundle",
    operation_id = "get_receipt_bundle",
    tag = "receipts",
    params(
        ("id" = String, Path, description = "Its id, 64 lower-case hexadecimal digits"),
        BundleQuery,
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/x-tar",
            description = "The bundle, with a weak `ETag`"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`, `invalid_query`"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json",
            description = "`artifacts_not_shared`: this host gives submissions to nobody"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_receipt`: there is none, or it is not public"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_id`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`busy`: others are getting theirs, see `Retry-After`; `timeout`, \
                `unavailable`: try again"),
    ),
)]
pub(super) async fn of_receipt(
    State(receipts): State<Receipts>,
    Segments(id): Segments<String>,
    Params(query): Params<BundleQuery>,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = receipts.public(id).await?.id;
    let name = format!("proctor-receipt-{id}.tar");
    let asked = Asked::new(Of::Receipt { id: id.clone() }, name, &id, &query);
    receipts.answer(asked, peer, &headers).await
}

/// All that a day is verified by, as one file
///
/// A plain tar: the last head, all leaves, the receipts that they depend on, and what they
/// name by digest, as far as it is kept and not private. `proctor verify` reads it.
#[utoipa::path(
    get,
    path = "/v1/days/{day}/bundle",
    operation_id = "get_day_bundle",
    tag = "receipts",
    params(
        ("day" = String, Path, description = "The day, `YYYY-MM-DD`, UTC"),
        BundleQuery,
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/x-tar",
            description = "The bundle, with a weak `ETag`"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`, `invalid_query`"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json",
            description = "`artifacts_not_shared`: this host gives submissions to nobody"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_day`: it has no tree"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`busy`: others are getting theirs, see `Retry-After`; `timeout`, \
                `unavailable`: try again"),
    ),
)]
pub(super) async fn of_day(
    State(receipts): State<Receipts>,
    Segments(day): Segments<String>,
    Params(query): Params<BundleQuery>,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let head = receipts.head(&day).await?;
    let (day, size) = (head.day, head.size);
    let name = format!("proctor-{day}-{size}.tar");
    let known_by = format!("{day} {size} {}", head.root);
    let asked = Asked::new(Of::Day { day, size }, name, &known_by, &query);
    receipts.answer(asked, peer, &headers).await
}

/// A bundle that is asked for.
#[derive(Debug)]
struct Asked {
    of: Of,
    options: Options,
    /// What the file is called.
    name: String,
    /// What it is known by, without quotes.
    tag: String,
}

impl BundleQuery {
    fn options(&self) -> Options {
        Options {
            artifacts: self.artifacts.unwrap_or(false),
            components: self.components.unwrap_or(true),
        }
    }
}

impl Asked {
    /// `known_by` is what it changes with, beside the options.
    fn new(of: Of, name: String, known_by: &str, query: &BundleQuery) -> Self {
        let options = query.options();
        let Options {
            artifacts,
            components,
        } = options;
        Asked {
            of,
            options,
            name,
            tag: digest(format!("{known_by} {artifacts} {components}")),
        }
    }
}

impl Receipts {
    async fn answer(
        &self,
        asked: Asked,
        peer: Option<Extension<ConnectInfo<Peer>>>,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        if asked.options.artifacts && !self.share_artifacts {
            let detail = "this host gives submissions to nobody";
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "artifacts_not_shared",
                detail,
            ));
        }
        let tag = format!("\"{}\"", asked.tag);
        // Weak: what is not kept any more is not in it any more.
        let answer = [
            (header::ETAG, text(&format!("W/{tag}"))),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        let mut known = headers.get_all(header::IF_NONE_MATCH).iter();
        if known.any(|value| etag::matches(value, &tag)) {
            return Ok((StatusCode::NOT_MODIFIED, answer).into_response());
        }
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.map_err(|_| {
            self.metrics.bundle("busy");
            let detail = "as many bundles are made and sent as may be at a time";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("10"))
        })?;
        let place = Place {
            _permit: permit,
            _connection: peer.map(|Extension(ConnectInfo(peer))| peer.seat.hold(MAKING)),
        };
        let mut counted = Counted {
            metrics: &self.metrics,
            outcome: "left",
        };
        let (receipts, directory) = (self.clone(), self.directory.clone());
        let (of, options, runtime) = (asked.of, asked.options, Handle::current());
        let write = move |out: &mut Watched| {
            let written = receipts.write(&of, options, &runtime, out);
            written.map(drop)
        };
        let made = made::make(directory, place, MAKING, &self.stop, write).await;
        let made = made.map_err(|error| {
            counted.outcome = match error {
                NotMade::Slow => "slow",
                NotMade::Failed(_) => "failed",
            };
            tracing::error!(name = asked.name, %error, "a bundle was not made");
            problem(&error)
        })?;
        counted.outcome = "ok";
        let file = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-tar"),
            ),
            (
                header::CONTENT_DISPOSITION,
                text(&format!("attachment; filename=\"{}\"", asked.name)),
            ),
            (header::CONTENT_LENGTH, HeaderValue::from(made.size)),
        ];
        Ok((answer, file, made.into_body()).into_response())
    }

    /// Writes it. For a thread that may wait: it reads the database, and waits for it.
    fn write(
        &self,
        of: &Of,
        options: Options,
        runtime: &Handle,
        out: &mut Watched,
    ) -> Result<Collected, CollectError> {
        let sources = &self.sources;
        runtime.block_on(async {
            match of {
                Of::Day { day, size } => {
                    bundles::collect_day(sources, day, Some(*size), options, out).await
                }
                Of::Receipt { id } => bundles::collect_receipt(sources, id, options, out).await,
            }
        })
    }
}

/// Counts what became of a bundle, also of one that nobody waits for any more.
struct Counted<'a> {
    metrics: &'a Metrics,
    outcome: &'static str,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.bundle(self.outcome);
    }
}

fn problem(error: &NotMade) -> Problem {
    let (code, detail) = match error {
        NotMade::Slow => ("timeout", "the bundle took too long"),
        NotMade::Failed(_) => ("unavailable", "the bundle cannot be made now"),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
}

/// A header of days, digests and numbers.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}
