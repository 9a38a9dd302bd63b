//! Taking in what a validator publishes.

use super::collect::collect;
use super::wire::{self, ValidatorView, WireError};
use crate::chain::Metagraph;
use crate::store::{Ingested, NewVersion, Store, StoreError};

/// Why a document was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The metagraph has nobody at this uid.
    #[error("the metagraph has no neuron with uid {0}")]
    UnknownValidator(u16),
    /// The document is malformed.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// The database refused. Nothing was lost: the document can be taken in
    /// again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What taking a document in came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngestReport {
    /// What is new by it.
    pub ingested: Ingested,
    /// Entries that are rejected or do not verify, as (hotkey, challenge, code).
    pub faults: Vec<(String, String, &'static str)>,
    /// Why the validator is not heard, if it is not: its document is kept, and
    /// counts once that has changed.
    pub not_heard: Option<String>,
}

/// Takes in one validator's document: keeps it in place of its last one,
/// aggregates what all validators say, and counts what does not verify.
///
/// # Errors
///
/// See [`IngestError`].
pub async fn ingest(
    store: &Store,
    metagraph: &Metagraph,
    min_validator_stake: f64,
    validator_uid: u16,
    document: Vec<u8>,
    now: f64,
) -> Result<IngestReport, IngestError> {
    let hotkey = metagraph
        .by_uid(validator_uid)
        .ok_or(IngestError::UnknownValidator(validator_uid))?
        .hotkey
        .clone();
    let parsed = wire::parse(validator_uid, &hotkey, &document)?;
    store.put_view(validator_uid, hotkey, document, now).await?;
    let collected = collect(views(store).await?, metagraph, min_validator_stake);
    let rejected = parsed
        .rejected
        .into_iter()
        .map(|r| (r.hotkey, r.challenge.unwrap_or_default(), r.fault.code()));
    let unverified = collected
        .faults
        .into_iter()
        .filter(|fault| fault.validator_uid == validator_uid)
        .map(|fault| (fault.hotkey, fault.challenge, fault.kind.code()));
    let faults: Vec<(String, String, &'static str)> = rejected.chain(unverified).collect();
    let counted = faults.iter().cloned();
    store
        .count_faults(
            counted
                .map(|(hotkey, challenge, code)| (validator_uid, hotkey, challenge, code))
                .collect(),
        )
        .await?;
    let versions = collected.versions.into_iter().map(|version| NewVersion {
        challenge: version.challenge,
        miner_hotkey: version.hotkey,
        miner_uid: version.uid,
        encrypted_commit: version.commit.encrypted_commit,
        committed_at: version.commit.commit_timestamp,
        key: version.commit.key,
    });
    let ingested = store.put_versions(versions.collect()).await?;
    let not_heard = collected
        .ineligible
        .into_iter()
        .find(|(uid, ..)| *uid == validator_uid)
        .map(|(.., reason)| reason.to_string());
    Ok(IngestReport {
        ingested,
        faults,
        not_heard,
    })
}

/// What each validator published last. They were parsed when they came in.
async fn views(store: &Store) -> Result<Vec<ValidatorView>, StoreError> {
    let documents = store.views().await?;
    Ok(documents
        .into_iter()
        .filter_map(|(uid, hotkey, document)| wire::parse(uid, &hotkey, &document).ok())
        .map(|parsed| parsed.view)
        .collect())
}
