//! Receipts and the trees that they are leaves of, for whoever checks a score.
//!
//! A receipt is shown once it is public: a leaf of a finalized day's tree, or a run of a
//! submission that such a leaf names. Before that it is answered for as if there were
//! none, so that nothing of a day is known before the day is final.

mod bundle;
mod days;
mod made;
mod one;
mod trees;

#[cfg(test)]
mod tests;

use super::App;
use super::limits;
use super::problem::{self, Problem};
use crate::bundles::{self, Sources};
use crate::canonical::is_digest;
use crate::metrics::Metrics;
use crate::receipts::{Receipt, SignedHead};
use crate::scoring::Pipeline;
use crate::store::{HeadRow, ReceiptRow, Store, StoreError};
use axum::Router;
use axum::extract::FromRef;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use trees::Trees;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bundles that are made or sent at a time: each takes a file of its size, and reads
/// much of the database.
const BUNDLES: usize = 2;

/// What the handlers need. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Receipts(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    store: Store,
    sources: Sources,
    metrics: Arc<Metrics>,
    /// Where bundles are until they are sent.
    directory: PathBuf,
    /// Whether a bundle may have artifacts.
    share_artifacts: bool,
    trees: Trees,
    /// Places for bundles.
    places: Arc<Semaphore>,
    /// Ends what would not end by itself.
    stop: CancellationToken,
}

impl std::ops::Deref for Receipts {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<App> for Receipts {
    fn from_ref(app: &App) -> Self {
        app.0.receipts.clone()
    }
}

impl Receipts {
    /// Of what is stored. Bundles end once `stop` is cancelled.
    pub(super) fn new(pipeline: &Pipeline, stop: &CancellationToken) -> Self {
        Receipts(Arc::new(Shared {
            store: pipeline.store.clone(),
            sources: Sources {
                store: pipeline.store.clone(),
                artifacts: pipeline.artifacts.clone(),
                components: pipeline.components.clone(),
            },
            metrics: Arc::clone(&pipeline.metrics),
            directory: pipeline.config.data_dir.clone(),
            share_artifacts: pipeline.config.receipts.artifacts,
            trees: Trees::default(),
            places: Arc::new(Semaphore::new(BUNDLES)),
            stop: stop.clone(),
        }))
    }

    /// The receipt, if it is public.
    ///
    /// # Errors
    ///
    /// 404 `unknown_receipt`, also if it is not public; 422 `invalid_id`.
    async fn public(&self, id: String) -> Result<ReceiptRow, Problem> {
        if !is_digest(&id) {
            let detail = "an id is 64 lower-case hexadecimal digits";
            return Err(Problem::unprocessable("invalid_id", detail));
        }
        let row = self.store.receipt(id).await?;
        row.filter(ReceiptRow::is_public).ok_or_else(|| {
            let detail = "there is no such receipt, or its day is not final";
            Problem::missing("unknown_receipt", detail)
        })
    }

    /// The last head of a day's tree.
    ///
    /// # Errors
    ///
    /// 404 `unknown_day` if it has none.
    async fn head(&self, day: &str) -> Result<HeadRow, Problem> {
        let head = self.store.head(day.to_owned(), None).await?;
        head.ok_or_else(|| {
            let detail = format!("there is no tree of receipts of the day {day:?}");
            Problem::missing("unknown_day", detail)
        })
    }
}

/// The pages, each with its documentation. They are bounded, and get their tags, as the
/// caller's other pages do.
pub(super) fn pages<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Receipts: FromRef<S>,
{
    OpenApiRouter::default()
        .routes(routes!(one::one))
        .routes(routes!(days::list))
        .routes(routes!(days::one))
        .routes(routes!(days::receipts))
        .routes(routes!(days::consistency))
}

fn described<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Receipts: FromRef<S>,
{
    OpenApiRouter::default()
        .routes(routes!(bundle::of_receipt))
        .routes(routes!(bundle::of_day))
}

/// The routes of bundles, which have places and times of their own: nobody else waits
/// for one.
pub(super) fn bundle_routes<S>(metrics: &Arc<Metrics>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Receipts: FromRef<S>,
{
    let (router, _) = described().split_for_parts();
    let router = router.method_not_allowed_fallback(problem::method_not_allowed);
    limits::around(router, Arc::clone(metrics))
}

/// The description of the routes of bundles.
pub(super) fn document() -> OpenApi {
    described::<Receipts>().into_openapi()
}

/// A state of a tree.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TreeState {
    /// How many leaves it has.
    pub(super) size: u64,
    /// Its root, 64 lower-case hexadecimal digits.
    pub(super) root: String,
}

impl TreeState {
    fn of(head: HeadRow) -> Self {
        TreeState {
            size: head.size,
            root: head.root,
        }
    }
}

/// A leaf of a day's tree.
#[derive(Debug, Serialize, ToSchema)]
struct LeafView {
    /// Its id: SHA-256 of its canonical text, 64 lower-case hexadecimal digits.
    id: String,
    /// What was computed, from what, and what came of it.
    receipt: Receipt,
    /// Who signed it, SS58.
    signer: Option<String>,
    /// The signature over `proctor-receipt-1:<id>`, sr25519, 128 lower-case hexadecimal
    /// digits.
    signature: Option<String>,
    /// Which leaf of the day it is, from 0.
    leaf: Option<u64>,
}

impl LeafView {
    fn new(row: ReceiptRow) -> Result<Self, serde_json::Error> {
        Ok(LeafView {
            receipt: serde_json::from_str(&row.body)?,
            id: row.id,
            signer: row.signer,
            signature: row.signature,
            leaf: row.leaf,
        })
    }
}

fn signed_head(row: &HeadRow) -> Result<SignedHead, Problem> {
    let head = bundles::signed_head(row);
    Ok(head.map_err(|error| StoreError::Corrupt(error.to_string()))?)
}

impl App {
    /// Those of the receipts that are public.
    pub(super) async fn public_receipts(
        &self,
        ids: impl IntoIterator<Item = &String>,
    ) -> Result<Vec<String>, StoreError> {
        let ids: Vec<String> = ids.into_iter().cloned().collect();
        if ids.is_empty() {
            return Ok(ids);
        }
        let rows = self.store.receipts(ids).await?.into_iter();
        let public = rows.filter(ReceiptRow::is_public);
        Ok(public.map(|row| row.id).collect())
    }
}
