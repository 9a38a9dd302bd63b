//! Evaluations that are stored with the service, taken in by a host that has none.
//!
//! Whoever runs the service is believed as to what an artifact scored, as the host
//! that wrote it was; a result that does not say where it comes from is not.

use super::client::{Client, StorageError};
use super::provenance::Item;
use crate::store::{Store, StoreError};
use serde_json::{Value, json};

const ROUTE: &str = "/fetch-centralized-score";

/// Results that are asked for at a time; the service has no pages.
const LIMIT: usize = 256;

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Restored {
    /// Evaluations that are new here.
    pub(super) imported: usize,
    /// Results that do not say where they come from, or not in a way that can be
    /// believed: what they are of is evaluated again.
    pub(super) without_provenance: usize,
}

/// Takes in the evaluations of a challenge of which the database has none. Returns
/// nothing if it has any.
pub(super) async fn restore(
    client: &Client,
    store: &Store,
    challenge: &str,
    now: f64,
) -> Result<Option<Restored>, RestoreError> {
    if store.has_evaluations(challenge).await? {
        return Ok(None);
    }
    let body = json!({
        "challenge_names": [challenge],
        "limit": LIMIT,
        "full_results": false,
        "get_detailed_results": true,
    });
    let mut answer = client
        .post(ROUTE, body.to_string().into(), None)
        .await?
        .json()?;
    let Some(Value::Array(data)) = answer.get_mut("data").map(Value::take) else {
        return Err(StorageError::Malformed("there is no list `data`".into()).into());
    };
    let mut restored = Restored::default();
    for item in data {
        let read = serde_json::from_value::<Item>(item).map_err(|error| error.to_string());
        let read = read.and_then(|item| Ok(item.evaluated(challenge, now)?));
        match read {
            Ok(read) => {
                let new = store.import_evaluation(read.key, read.seed, read.now, read.result);
                restored.imported += usize::from(new.await?);
            }
            Err(problem) => {
                tracing::debug!(challenge, problem, "a stored result is not taken in");
                restored.without_provenance += 1;
            }
        }
    }
    Ok(Some(restored))
}
