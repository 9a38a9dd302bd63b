//! The control plane, for tests in other processes.

use crate::book::Upload;
use crate::faults::Fault;
use crate::peer;
use crate::refusal::Refusal;
use crate::server::{Requests, Shared};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/dev/miner-commits/{validator_uid}", put(put_miner_commits))
        .route("/dev/uploads", get(get_uploads))
        .route("/dev/requests", get(get_requests))
        .route("/dev/faults", put(put_faults).delete(delete_faults))
        .route("/dev/state", get(get_state))
}

async fn put_miner_commits(
    State(shared): State<Arc<Shared>>,
    Path(validator_uid): Path<i64>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    #[derive(Deserialize)]
    struct Document {
        miner_commits: Value,
    }
    let Document { miner_commits } = parse(&body)?;
    shared
        .lock()
        .book
        .set_miner_commits(validator_uid, miner_commits)
        .map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn get_uploads(
    State(shared): State<Arc<Shared>>,
    Query(Since { since }): Query<Since>,
) -> Json<Vec<Upload>> {
    Json(shared.uploads(since))
}

async fn get_requests(State(shared): State<Arc<Shared>>) -> Json<Requests> {
    Json(shared.lock().requests.clone())
}

async fn put_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let faults: Vec<Fault> = parse(&body)?;
    shared
        .set_faults(faults)
        .map_err(|error| Refusal::invalid("value_error", "", &error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.lock().faults.clear();
    StatusCode::NO_CONTENT
}

async fn get_state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(state(&shared))
}

/// See [`RunningStorage::state`](crate::RunningStorage::state).
pub(crate) fn state(shared: &Shared) -> Value {
    let inner = shared.lock();
    let book = &inner.book;
    let set = book.miner_commits.keys().copied();
    let uploaded = book
        .newest("/upload-commit")
        .filter_map(|upload| upload.uid);
    let validators: BTreeSet<i64> = set.chain(uploaded).collect();
    let miner_commits: Map<String, Value> = validators
        .into_iter()
        .map(|uid| (uid.to_string(), peer::latest_commits(book, uid)))
        .collect();
    json!({
        "now": shared.clock.now().ok(),
        "signatures": shared.signatures,
        "miner_commits": miner_commits,
        "centralized_scores": peer::scores(book),
        "validator_states": peer::states(book),
        "uploads": book.uploads.len(),
        "faults": inner.faults,
        "requests": inner.requests,
    })
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid("json_invalid", "", &error.to_string()))
}
