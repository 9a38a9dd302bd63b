//! HTTP: a public listener for validators and pages, a private one for the
//! operator.

mod access;
mod admin;
mod challenges;
mod ciphertexts;
mod dashboard;
mod etag;
mod events;
mod finalizations;
mod health;
mod idle;
mod json_error;
mod limits;
mod listen;
mod long_answer;
mod metrics_only;
mod openapi;
mod organic;
mod page;
mod params;
mod plugins;
mod problem;
mod push;
mod receipts;
mod registry;
mod results;
mod routes;
mod scoring_result;
mod state;
mod validators;
mod views;
mod waiting;
mod weights;

pub use admin::{Protection, ProtectionError};
pub use listen::listen;
pub use metrics_only::listen_for_metrics;
pub use problem::Problem;

use crate::config::Config;
use crate::organic::Organic;
use crate::registry::Registry;
use crate::scoring::Pipeline;
use crate::storage::PollState;
use crate::submission::Submitter;
use axum::Router;
use axum::middleware::from_fn;
use axum::response::Redirect;
use axum::routing::{any, get};
use ciphertexts::Ciphertexts;
use receipts::Receipts;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// What the handlers need. Clones share everything.
#[derive(Debug, Clone)]
struct App(Arc<Shared>);

/// The tasks beside the listeners, as far as requests ask them.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// What came of asking for each validator's commits.
    pub polls: PollState,
    /// What submits weights.
    pub submitter: Submitter,
    /// What scores miners on real traffic.
    pub organic: Organic,
}

#[derive(Debug)]
struct Shared {
    pipeline: Pipeline,
    registry: Registry,
    tasks: Tasks,
    ciphertexts: Ciphertexts,
    rendered_weights: weights::Rendered,
    receipts: Receipts,
    /// Places for streams of events.
    streams: Arc<Semaphore>,
    /// Places for who waits for the answer to an entry.
    awaited: Arc<Semaphore>,
    /// Ends what would not end by itself.
    stop: CancellationToken,
}

impl std::ops::Deref for App {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.0.pipeline
    }
}

impl App {
    /// The challenges' records, and what of them runs.
    fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What submits weights.
    fn submitter(&self) -> &Submitter {
        &self.0.tasks.submitter
    }

    /// What scores miners on real traffic.
    fn organic(&self) -> &Organic {
        &self.0.tasks.organic
    }

    /// A place to wait for the answer to an entry, if there is one.
    fn place_to_wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.awaited).try_acquire_owned().ok()
    }

    /// The current weight vector as it is sent.
    fn rendered_weights(&self) -> &weights::Rendered {
        &self.0.rendered_weights
    }
}

/// The public and the private router. Streams end once `stop` is cancelled.
pub fn routers(
    pipeline: &Pipeline,
    registry: &Registry,
    tasks: &Tasks,
    protection: &Protection,
    stop: &CancellationToken,
) -> (Router, Router) {
    let config = &pipeline.config;
    let places = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let app = App(Arc::new(Shared {
        pipeline: pipeline.clone(),
        registry: registry.clone(),
        tasks: tasks.clone(),
        ciphertexts: Ciphertexts::default(),
        rendered_weights: weights::Rendered::default(),
        receipts: Receipts::new(pipeline, stop),
        streams: places(config.public.max_streams),
        // Who does not wait is answered as well.
        awaited: places(config.public.max_requests / 2),
        stop: stop.clone(),
    }));
    let (mut public, document) = described();
    if config.public.metrics {
        public = public.route("/metrics", get(health::metrics));
    }
    // As the replaced API does it.
    let public = public
        .route(
            "/get_scoring_result/",
            any(|| async { Redirect::temporary("/get_scoring_result") }),
        )
        .merge(openapi::routes(&document));
    let admin = admin::router(&app, protection);
    let organic = limits::apply(
        organic::router(),
        &config.public,
        Arc::clone(&pipeline.metrics),
    );
    let bundles = receipts::bundle_routes(&pipeline.metrics).with_state(app.clone());
    let public = finish(public, config, &app)
        .merge(organic.with_state(app.clone()))
        .merge(bundles);
    (public, finish(admin, config, &app))
}

/// The public routes but those of [`organic`], of [`routes`] and of bundles, and the
/// documentation of all.
fn described() -> (Router<App>, OpenApi) {
    let (router, mut document) = public().split_for_parts();
    document.merge(organic::document());
    document.merge(receipts::document());
    document.merge(routes::document());
    (router, document)
}

/// The public routes but those of [`organic`], of [`routes`] and of bundles, each with
/// its documentation.
fn public() -> OpenApiRouter<App> {
    let pages = OpenApiRouter::default()
        .routes(routes!(plugins::list))
        .routes(routes!(challenges::list))
        .routes(routes!(challenges::leaderboard))
        .routes(routes!(registry::list))
        .routes(routes!(results::list))
        .routes(routes!(results::one))
        .routes(routes!(finalizations::list))
        .routes(routes!(finalizations::one))
        .routes(routes!(weights::list))
        .routes(routes!(weights::one))
        .merge(validators::pages())
        .merge(receipts::pages())
        .layer(from_fn(etag::tag));
    openapi::router()
        .routes(
            routes!(scoring_result::get_scoring_result)
                .map(|route| route.fallback(scoring_result::method_not_allowed)),
        )
        .routes(routes!(push::push))
        .merge(validators::routes())
        .merge(pages)
        .routes(routes!(weights::latest))
        .routes(routes!(events::follow))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
}

fn finish(router: Router<App>, config: &Config, app: &App) -> Router {
    let router = router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed);
    limits::apply(router, &config.public, Arc::clone(&app.metrics)).with_state(app.clone())
}
