//! The plugins, for people and pages.

use super::App;
use super::problem::{Problem, ProblemDetails};
use super::registry::is_public;
use crate::plugins::PluginStatus;
use crate::registry::Record;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Answer of `GET /v1/plugins`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginList {
    /// By name of the file.
    plugins: Vec<PluginView>,
}

/// One file of the drop folder.
#[derive(Debug, Serialize, ToSchema)]
struct PluginView {
    /// Name of the file.
    file: String,
    /// Name of the challenge; none if the plugin never came that far.
    name: Option<String>,
    /// Version of the plugin that is active, or else of the file.
    version: Option<String>,
    /// SHA-256 of the component that is active, or else of the file.
    digest: Option<String>,
    /// What it exports.
    exports: Vec<String>,
    /// What it can do: `scoring`, `comparison`, `get_weights`, `proxy_routes`,
    /// `organic`.
    capabilities: Vec<&'static str>,
    /// How far it has come: `discovered`, `verified`, `compiling`, `compiled`, `linked`,
    /// `described`, `configured`, `active` or `rejected`. `active` if a version is,
    /// even if the file's last change was rejected, or is being compiled.
    state: &'static str,
    /// Why the file, as it is now, was rejected.
    rejected: Option<RejectionView>,
}

/// Why a file is rejected.
#[derive(Debug, Serialize, ToSchema)]
struct RejectionView {
    /// A stable name.
    code: &'static str,
    /// The same for people.
    reason: String,
}

/// The files of the drop folder, by name, with their state
///
/// Not those of challenges whose records are drafts, or disabled for good.
#[utoipa::path(
    get,
    path = "/v1/plugins",
    operation_id = "list_plugins",
    tag = "challenges",
    responses(
        (status = 200, body = PluginList, description = "By name of the file"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<PluginList>, Problem> {
    let mut hidden = app.registry().records().await?;
    hidden.retain(|record| !is_public(record));
    let mut plugins = app.plugins.status();
    plugins.retain(|plugin| !hidden.iter().any(|record| is_of(plugin, record)));
    Ok(Json(PluginList::new(plugins)))
}

/// The same for the operator: every file.
pub(super) async fn list_all(State(app): State<App>) -> Json<PluginList> {
    Json(PluginList::new(app.plugins.status()))
}

/// Whether a file is a record's: its component tells so, or the record names it, as
/// one that was never read tells nothing.
fn is_of(plugin: &PluginStatus, record: &Record) -> bool {
    let named = record.spec.identity.artifact.strip_prefix("file:");
    plugin.name.as_ref() == Some(&record.slug) || named == Some(&plugin.file)
}

impl PluginList {
    fn new(plugins: Vec<PluginStatus>) -> Self {
        let plugins = plugins.into_iter().map(PluginView::new).collect();
        PluginList { plugins }
    }
}

impl PluginView {
    fn new(status: PluginStatus) -> Self {
        PluginView {
            file: status.file,
            name: status.name,
            version: status.version,
            digest: status.digest,
            exports: status.exports,
            capabilities: status.capabilities,
            state: status.state.name(),
            rejected: status.rejected.map(|rejection| RejectionView {
                code: rejection.code,
                reason: rejection.reason,
            }),
        }
    }
}
