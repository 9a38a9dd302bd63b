//! The private listener: who may ask it, and what.

mod access;
mod auth;
mod body;
mod challenges;
mod components;
mod document;
mod gpu_servers;
mod idempotency;
mod lockout;
mod logs;
mod organic;
mod page;
mod precondition;
mod queries;
mod stamp;
mod tls;
mod views;
mod weights;

pub(super) use tls::{Certificate, Tls};

use super::{App, etag, health, openapi, plugins, problem, state, validators};
use crate::config::Config;
use crate::metrics::Metrics;
use auth::{Gate, GateError};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use idempotency::Idempotency;
use queries::Queries;
use std::sync::Arc;
use tls::TlsError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What protects the private listener.
#[derive(Debug)]
pub struct Protection {
    gate: Arc<Gate>,
    certificate: Option<Certificate>,
}

/// Why the private listener cannot be protected.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    /// The tokens cannot be read.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The certificate cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Protection {
    /// Reads the tokens, which are made if there are none, and the certificate.
    ///
    /// # Errors
    ///
    /// See [`ProtectionError`].
    pub fn open(config: &Config, metrics: Arc<Metrics>) -> Result<Self, ProtectionError> {
        let admin = &config.admin;
        let certificate = match (&admin.tls_cert, &admin.tls_key) {
            (Some(certificate), Some(key)) => Some(Certificate::open(certificate, key)?),
            _ => None,
        };
        Ok(Protection {
            gate: Arc::new(Gate::open(&config.admin_tokens_path(), metrics)?),
            certificate,
        })
    }

    /// The certificate, for the listener.
    pub(super) fn take_certificate(&mut self) -> Option<Certificate> {
        self.certificate.take()
    }
}

/// What only the operator sees. Everything wants a token but what tells of the
/// host's health and what is public knowledge.
pub(super) fn router(app: &App, protection: &Protection) -> Router<App> {
    let (described, document) = described(app).split_for_parts();
    let queries = Queries::of(&document);
    let idempotency = Idempotency::new(app.store.clone(), app.registry().seal().clone());
    described
        .layer(from_fn_with_state(Arc::new(idempotency), idempotency::once))
        .layer(from_fn_with_state(Arc::new(queries), queries::known))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .merge(state_pages())
        .merge(openapi::routes(&document::complete(document)))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(
            Arc::clone(&protection.gate),
            auth::guard,
        ))
}

/// Every route below `/v1/admin`, each with its documentation.
fn described(app: &App) -> OpenApiRouter<App> {
    let largest = usize::try_from(app.config.plugins.max_bytes).unwrap_or(usize::MAX);
    let upload = OpenApiRouter::default()
        .routes(routes!(components::add))
        .layer(DefaultBodyLimit::max(largest))
        .routes(routes!(components::sign));
    openapi::admin_router()
        .routes(routes!(page::page))
        .routes(routes!(challenges::list, challenges::create))
        .routes(routes!(
            challenges::one,
            challenges::update,
            challenges::delete
        ))
        .routes(routes!(challenges::activate))
        .routes(routes!(challenges::deactivate))
        .routes(routes!(challenges::disable))
        .routes(routes!(challenges::restart))
        .routes(routes!(challenges::pull))
        .routes(routes!(challenges::rollback))
        .routes(routes!(challenges::status))
        .routes(routes!(challenges::versions))
        .routes(routes!(challenges::audit))
        .routes(routes!(logs::logs))
        .routes(routes!(access::rotate))
        .routes(routes!(access::revoke))
        .routes(routes!(access::set_secret, access::remove_secret))
        .merge(gpu_servers::routes())
        .merge(validators::admin_pages())
        .merge(organic::routes())
        .merge(weights::routes())
        .merge(upload)
}

fn state_pages() -> Router<App> {
    Router::new()
        .route("/v1/plugins", get(plugins::list_all))
        .route("/v1/state/validators", get(state::validators))
        .route("/v1/state/validators/{uid}/commits", get(state::claims))
        .route("/v1/state/commits", get(state::commits))
        .route("/v1/state/lookup", get(state::lookup))
        .route("/v1/state/scoring-results", get(state::scoring_results))
        .layer(from_fn(etag::tag))
}
