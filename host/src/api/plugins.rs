//! The plugins, for people and pages.

use super::App;
use crate::plugins::PluginStatus;
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
    /// What it can do: `scoring`, `comparison`, `get_weights`, `proxy_routes`.
    capabilities: Vec<&'static str>,
    /// How far it has come: `discovered`, `verified`, `compiled`, `linked`,
    /// `described`, `configured`, `active` or `rejected`. `active` if a version is,
    /// even if the file's last change was rejected.
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

/// Every file of the drop folder, by name, with its state
#[utoipa::path(
    get,
    path = "/v1/plugins",
    operation_id = "list_plugins",
    tag = "challenges",
    responses(
        (status = 200, body = PluginList, description = "By name of the file"),
        (status = 304, description = "As in `If-None-Match`"),
    ),
)]
pub(super) async fn list(State(app): State<App>) -> Json<PluginList> {
    let plugins = app.plugins.status().into_iter().map(PluginView::new);
    Json(PluginList {
        plugins: plugins.collect(),
    })
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
