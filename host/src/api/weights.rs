//! Weight vectors: the current one, and the history.

use super::App;
use super::etag;
use super::page::Page;
use super::params::{Params, Segments};
use super::problem::{Problem, ProblemDetails};
use crate::chain::network;
use crate::clock;
use crate::config::ChainMode;
use crate::scoring::{Content, Origin, Policies, Source, Vector};
use crate::store::VectorRow;
use crate::weights::OnChain;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use utoipa::ToSchema;

/// A weight vector and how it came about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WeightsView {
    /// Its number in the history.
    id: i64,
    /// SHA-256 of what it pays and how that came about, 64 lower-case hexadecimal
    /// digits. Two answers with the same pay the same.
    digest: String,
    /// The subnet.
    netuid: u16,
    /// The chain that the subnet is read from; `offline` if it is a file.
    chain_endpoint: String,
    /// The last day that it takes in, `YYYY-MM-DD`, UTC.
    day: String,
    /// Who is paid, in ascending order.
    uids: Vec<u16>,
    /// Their hotkeys, in the order of the uids; null of a uid that is not registered.
    hotkeys: Vec<Option<String>>,
    /// Their parts of the whole, in the order of the uids. Their sum is 1.
    weights: Vec<f64>,
    /// Hotkey → sum of what the challenges give it, as parts of the whole, before what
    /// could not be paid is redistributed.
    hotkey_weights: BTreeMap<String, f64>,
    /// The vector as the chain wants it.
    on_chain: OnChainView,
    /// When it was last found to be what counts, RFC 3339.
    computed_at: String,
    /// Until when it counts, unless it is confirmed again: it is, several times before.
    expires_at: String,
    /// When the metagraph was read that it was made with; null if it is a file.
    metagraph_updated_at: Option<String>,
    /// The block of that metagraph.
    metagraph_block: u64,
    /// When it was made, in seconds since the Unix epoch.
    valid_from: f64,
    /// `expires_at`, in seconds since the Unix epoch.
    valid_until: f64,
    /// The operator's choices and the subnet's limits: with them and what the challenges
    /// pay, anybody can make the vector again.
    #[schema(value_type = Object)]
    policies: Policies,
    /// Id of its receipt, as of `GET /v1/receipts/{id}`.
    receipt: Option<String>,
    /// What each challenge pays, by name.
    source_challenges: Vec<SourceView>,
    /// How it came about: the share and contributions of each challenge, what was
    /// dropped and why, and who decided.
    #[schema(value_type = Object)]
    derivation: Value,
}

/// A vector as the chain wants it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OnChainView {
    /// The uids, in ascending order, without those whose weight is nothing.
    uids: Vec<u16>,
    /// Their weights relative to the greatest, in 65535ths.
    values: Vec<u16>,
    /// Who earned nothing, or next to it, and was added with a value of 1, as the
    /// operator wants it where the subnet asks for more weights.
    padded: Vec<u16>,
    /// Whether a weight was cut to the greatest that the subnet allows.
    clipped: bool,
    /// Why the subnet would refuse it; the lists are empty then.
    refused: Option<String>,
}

/// What a challenge pays.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SourceView {
    /// The challenge.
    slug: String,
    /// Its part of the emission, in percent.
    emission_percent: f64,
    /// Hotkey → weight, in a unit of its own.
    weights: BTreeMap<String, f64>,
    /// Whether these are its own of the last day.
    ok: bool,
    /// Why not.
    error: Option<String>,
    /// `own`; `fallback`, its own last good ones; or `none`.
    source: &'static str,
    /// The day that they are of.
    day: Option<String>,
    /// The part of the weights that organic rewards decided, 0 to 1; not there if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    organic_share: Option<f64>,
}

/// A vector of the history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VectorSummary {
    /// Its number.
    id: i64,
    /// SHA-256 of what it pays and how that came about.
    digest: String,
    /// The last day that it takes in, `YYYY-MM-DD`, UTC.
    day: String,
    /// When it was made, in seconds since the Unix epoch.
    made_at: f64,
    /// Id of its receipt, as of `GET /v1/receipts/{id}`.
    receipt: Option<String>,
}

/// A page of the history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VectorPage {
    /// The last one first.
    vectors: Vec<VectorSummary>,
    /// The cursor of the next page; none if this is the last.
    next: Option<String>,
}

/// A vector of the history, in full.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VectorDetail {
    #[serde(flatten)]
    summary: VectorSummary,
    /// The subnet.
    netuid: u16,
    /// Who is paid, in ascending order.
    uids: Vec<u16>,
    /// Their hotkeys, in the order of the uids.
    hotkeys: Vec<Option<String>>,
    /// Their parts of the whole.
    weights: Vec<f64>,
    /// Hotkey → sum of what the challenges give it.
    hotkey_weights: BTreeMap<String, f64>,
    /// The vector as the chain wants it.
    on_chain: OnChainView,
    /// The operator's choices and the subnet's limits.
    #[schema(value_type = Object)]
    policies: Policies,
    /// What each challenge pays, by name.
    source_challenges: Vec<SourceView>,
    /// How it came about.
    #[schema(value_type = Object)]
    derivation: Value,
}

/// Query of `GET /v1/weights`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VectorsQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// The current vector as it is sent: made once for each that is told.
#[derive(Debug, Default)]
pub(super) struct Rendered(Mutex<Option<(Arc<Vector>, Bytes, HeaderValue)>>);

impl Rendered {
    async fn get(&self, vector: Arc<Vector>, app: &App) -> Result<(Bytes, HeaderValue), Problem> {
        if let Some((of, body, tag)) = &*self.lock()
            && Arc::ptr_eq(of, &vector)
        {
            return Ok((body.clone(), tag.clone()));
        }
        let endpoint = match app.config.chain.mode() {
            ChainMode::Offline => "offline".to_owned(),
            ChainMode::Online => network::public_name(&app.config.chain),
        };
        let before = vector.id.checked_add(1);
        let rows = app.store.published_vectors(before, 1).await?.into_iter();
        let mut row = rows.filter(|row| row.id == vector.id);
        let receipt = row.next().and_then(|row| row.receipt);
        let view = WeightsView::new(&vector, &endpoint, receipt);
        let body = Bytes::from(serde_json::to_vec(&view)?);
        let tag = format!("\"{}\"", hex::encode(Sha256::digest(&body)));
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        *self.lock() = Some((vector, body.clone(), tag.clone()));
        Ok((body, tag))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Vector>, Bytes, HeaderValue)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The current weight vector
///
/// It changes with each finalization, with the metagraph, and with the records of the
/// challenges; it is confirmed, with a later `expires_at`, several times before it
/// expires. Do not use one that has expired.
#[utoipa::path(
    get,
    path = "/v1/weights/latest",
    operation_id = "get_latest_weights",
    tag = "weights",
    responses(
        (status = 200, body = WeightsView, description = "The vector, with a strong `ETag`"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`no_weights`: nothing was finalized yet; `unavailable`, \
                `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn latest(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let vector = app.latest_vector().get();
    let now = clock::unix_now();
    let vector = vector
        .filter(|vector| now < vector.valid_until)
        .ok_or_else(|| {
            let detail = "there is no weight vector: nothing was finalized yet, or the host cannot \
            make one now";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_weights", detail)
        })?;
    let (body, tag) = app.rendered_weights().get(vector, &app).await?;
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let answer = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if let Ok(tag) = tag.to_str()
        && known.into_iter().any(|value| etag::matches(value, tag))
    {
        return Ok((StatusCode::NOT_MODIFIED, answer).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    Ok((answer, [(header::CONTENT_TYPE, json)], Body::from(body)).into_response())
}

/// The history of weight vectors, the last one first
#[utoipa::path(
    get,
    path = "/v1/weights",
    operation_id = "list_weights",
    tag = "weights",
    params(VectorsQuery),
    responses(
        (status = 200, body = VectorPage, description = "A page"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`, `invalid_cursor`, `invalid_limit`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<VectorsQuery>,
) -> Result<Json<VectorPage>, Problem> {
    let page: Page<i64> = Page::read(query.cursor.as_deref(), query.limit.as_deref())?;
    let mut rows = app
        .store
        .published_vectors(page.after, page.look_for())
        .await?;
    let next = page.cut(&mut rows, |row| row.id);
    let vectors = rows.into_iter().map(VectorSummary::from).collect();
    Ok(Json(VectorPage { vectors, next }))
}

/// A weight vector of the history
#[utoipa::path(
    get,
    path = "/v1/weights/{id}",
    operation_id = "get_published_weights",
    tag = "weights",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = VectorDetail, description = "The vector and how it came about"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_vector`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn one(
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<VectorDetail>, Problem> {
    let unknown = || {
        let detail = "there is no weight vector of that number";
        Problem::new(StatusCode::NOT_FOUND, "unknown_vector", detail)
    };
    let id = id.parse().map_err(|_| unknown())?;
    let row = app.store.published_vector(id).await?.ok_or_else(unknown)?;
    let content: Content = serde_json::from_str(&row.document)?;
    Ok(Json(VectorDetail {
        summary: row.vector.into(),
        netuid: content.netuid,
        uids: content.uids,
        hotkeys: content.hotkeys,
        weights: content.weights,
        hotkey_weights: content.hotkey_weights,
        on_chain: content.on_chain.into(),
        policies: content.policies,
        source_challenges: content
            .challenges
            .into_iter()
            .map(SourceView::from)
            .collect(),
        derivation: content.derivation,
    }))
}

impl WeightsView {
    fn new(vector: &Vector, endpoint: &str, receipt: Option<String>) -> Self {
        let content = vector.content.clone();
        WeightsView {
            id: vector.id,
            digest: vector.digest.clone(),
            netuid: content.netuid,
            chain_endpoint: endpoint.to_owned(),
            day: content.day,
            uids: content.uids,
            hotkeys: content.hotkeys,
            weights: content.weights,
            hotkey_weights: content.hotkey_weights,
            on_chain: content.on_chain.into(),
            computed_at: clock::rfc3339(vector.confirmed_at),
            expires_at: clock::rfc3339(vector.valid_until),
            metagraph_updated_at: vector.metagraph_read_at.map(clock::rfc3339),
            metagraph_block: vector.metagraph_block,
            valid_from: vector.made_at,
            valid_until: vector.valid_until,
            policies: content.policies,
            receipt,
            source_challenges: content
                .challenges
                .into_iter()
                .map(SourceView::from)
                .collect(),
            derivation: content.derivation,
        }
    }
}

impl From<OnChain> for OnChainView {
    fn from(vector: OnChain) -> Self {
        match vector {
            OnChain::Vector {
                quantised,
                padded,
                clipped,
            } => OnChainView {
                uids: quantised.uids,
                values: quantised.values,
                padded,
                clipped,
                refused: None,
            },
            OnChain::Refused(reason) => OnChainView {
                uids: Vec::new(),
                values: Vec::new(),
                padded: Vec::new(),
                clipped: false,
                refused: Some(reason),
            },
        }
    }
}

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        let error = source.lack.map(|lack| match lack.message.as_str() {
            "" => lack.code,
            message => format!("{}: {message}", lack.code),
        });
        SourceView {
            slug: source.challenge,
            emission_percent: source.emission_percent,
            weights: source.weights,
            ok: source.origin == Origin::Own,
            error,
            source: source.origin.name(),
            day: source.day,
            organic_share: source.organic_share,
        }
    }
}

impl From<VectorRow> for VectorSummary {
    fn from(row: VectorRow) -> Self {
        VectorSummary {
            id: row.id,
            digest: row.digest,
            day: row.day,
            made_at: row.made_at,
            // It became a leaf with the row.
            receipt: row.receipt,
        }
    }
}
