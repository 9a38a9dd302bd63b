//! HTTP: a public listener for validators and pages, a private one for the
//! operator.

mod health;
mod limits;
mod listen;
mod plugins;
mod problem;
mod scoring_result;

pub use listen::listen;
pub use problem::Problem;

use crate::plugins::Plugins;
use crate::scoring::{Pipeline, Results};
use crate::store::Store;
use crate::{config::Config, metrics::Metrics};
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// What the handlers need. Clones share everything.
#[derive(Debug, Clone)]
struct App {
    plugins: Plugins,
    results: Results,
    store: Store,
    metrics: Arc<Metrics>,
}

/// The public and the private router.
pub fn routers(pipeline: &Pipeline) -> (Router, Router) {
    let app = App {
        plugins: pipeline.plugins.clone(),
        results: pipeline.results().clone(),
        store: pipeline.store.clone(),
        metrics: Arc::clone(&pipeline.metrics),
    };
    let config = &pipeline.config;
    let mut public = shared();
    if config.public.metrics {
        public = public.route("/metrics", get(health::metrics));
    }
    let public = public.route(
        "/get_scoring_result",
        post(scoring_result::get_scoring_result).fallback(scoring_result::method_not_allowed),
    );
    let admin = shared().route("/metrics", get(health::metrics));
    (finish(public, config, &app), finish(admin, config, &app))
}

/// Routes of both listeners.
fn shared() -> Router<App> {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/v1/plugins", get(plugins::list))
}

fn finish(router: Router<App>, config: &Config, app: &App) -> Router {
    let router = router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed);
    limits::apply(router, &config.public, Arc::clone(&app.metrics)).with_state(app.clone())
}
