//! The plugins, for people and pages.

use super::App;
use crate::plugins::PluginStatus;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

/// Answer of `GET /v1/plugins`.
#[derive(Debug, Serialize)]
pub(super) struct PluginList {
    plugins: Vec<PluginStatus>,
}

/// `GET /v1/plugins`: every file of the drop folder, by name, with its state.
pub(super) async fn list(State(app): State<App>) -> Json<PluginList> {
    let plugins = app.plugins.status();
    Json(PluginList { plugins })
}
