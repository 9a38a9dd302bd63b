//! What is stored with the service, taken in by a host that has none of it.
//!
//! Whoever runs the service is believed as to what an artifact scored and where
//! miners stand, as the host that wrote it was; a result that does not say where it
//! comes from is not.

use super::client::{Client, StorageError};
use super::provenance::{Evaluated, Item};
use super::state::Kept;
use crate::store::{Store, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const RESULTS: &str = "/fetch-centralized-score";
const STATE: &str = "/fetch-validator-state";

/// Results that are asked for at a time; the service has no pages.
const LIMIT: usize = 256;

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a state, and it is of no use.
    #[error("the state that is stored there cannot be used: {0}")]
    State(String),
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
    let (evaluated, without_provenance) = results(client, challenge, now).await?;
    let mut restored = Restored {
        imported: 0,
        without_provenance,
    };
    for read in evaluated {
        let new = store.import_evaluation(read.key, read.seed, read.now, read.result);
        restored.imported += usize::from(new.await?);
    }
    Ok(Some(restored))
}

/// The evaluations of a challenge that the service has, and how many of its results
/// are none.
async fn results(
    client: &Client,
    challenge: &str,
    now: f64,
) -> Result<(Vec<Evaluated>, usize), StorageError> {
    let body = json!({
        "challenge_names": [challenge],
        "limit": LIMIT,
        "full_results": false,
        "get_detailed_results": true,
    });
    let mut answer = client
        .post(RESULTS, body.to_string().into(), None)
        .await?
        .json()?;
    let Some(Value::Array(data)) = answer.get_mut("data").map(Value::take) else {
        return Err(StorageError::Malformed("there is no list `data`".into()));
    };
    if data.len() == LIMIT {
        tracing::warn!(
            challenge,
            results = LIMIT,
            "as many stored results as are told at a time: older ones stay behind"
        );
    }
    let (mut evaluated, mut without_provenance) = (Vec::new(), 0);
    for item in data {
        let read = serde_json::from_value::<Item>(item).map_err(|error| error.to_string());
        match read.and_then(|item| Ok(item.evaluated(challenge, now)?)) {
            Ok(read) => evaluated.push(read),
            Err(problem) => {
                tracing::debug!(challenge, problem, "a stored result is not taken in");
                without_provenance += 1;
            }
        }
    }
    Ok((evaluated, without_provenance))
}

/// Takes in where an earlier host of this hotkey left off: standings, references, the
/// last days of the ledger, and the deployment's seed, with the evaluations of these
/// challenges; `now` is in seconds since the Unix epoch. Only into a database that
/// knows no commit, no evaluation and no finalization: what is there is worth more.
/// To be called before there is a pipeline, which makes a seed if there is none.
///
/// Returns whether there was anything. What fails is logged, and nothing is taken in.
/// Each request takes at most `storage.timeout_ms`, and the first that fails is the
/// last.
pub async fn restore_state(store: &Store, client: &Client, now: f64) -> bool {
    match take_in_state(store, client, now).await {
        Ok(is_restored) => is_restored,
        Err(error) => {
            tracing::warn!(
                %error,
                "where an earlier host left off is not known: beginning anew; to try again, \
                 start with an empty data directory"
            );
            false
        }
    }
}

async fn take_in_state(store: &Store, client: &Client, now: f64) -> Result<bool, RestoreError> {
    if !store.is_new().await? {
        return Ok(false);
    }
    let body = json!({"validator_uid": client.uid(), "validator_hotkey": client.hotkey()});
    let answer = client.post(STATE, body.to_string().into(), None).await?;
    let mut answer = answer.json()?;
    let Some(mut state) = answer.get_mut("data").map(Value::take) else {
        return Err(StorageError::Malformed("there is no `data`".into()).into());
    };
    if state.is_null() {
        tracing::info!("no state is stored with the service: beginning anew");
        return Ok(false);
    }
    if state.get("validator_hotkey").and_then(Value::as_str) != Some(client.hotkey()) {
        return Err(RestoreError::State("it is another validator's".into()));
    }
    let Some(kept) = state.get_mut("proctor").map(Value::take) else {
        return Err(RestoreError::State("no host of this kind wrote it".into()));
    };
    drop(state);
    let read = Kept::read(kept).map_err(RestoreError::State)?;

    let mut import = store.import();
    let names: BTreeSet<&String> = read.commits.iter().map(|(row, _)| &row.challenge).collect();
    let mut evaluations = 0;
    for challenge in names {
        match results(client, challenge, now).await {
            Ok((evaluated, _)) => {
                evaluations += evaluated.len();
                for read in evaluated {
                    import.evaluation(read.key, read.seed, read.now, read.result);
                }
            }
            Err(error) => {
                tracing::warn!(challenge, %error, "evaluations not read: asking on later");
                break;
            }
        }
    }
    let (commits, days) = (read.commits.len(), read.days.len());
    if let Some(seed) = read.seed {
        import.seed(seed);
    }
    for (challenge, day) in read.first_days {
        import.first_day(challenge, day);
    }
    for day in read.days {
        import.finalization(day);
    }
    if let Some((vector, at)) = read.vector {
        import.vector(vector, at);
    }
    for (commit, key) in read.commits {
        import.commit(commit, key);
    }
    let Some(unlinked) = import.run().await? else {
        return Ok(false);
    };
    tracing::info!(
        commits,
        days,
        evaluations,
        without_evaluation = unlinked,
        "took in where an earlier host left off, as the storage service tells it"
    );
    Ok(true)
}
