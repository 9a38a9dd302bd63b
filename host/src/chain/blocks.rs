//! Finalized blocks, and what is in them. What is in any other block does not count.

use super::client::{AtBlock, Chain};
use super::error::ChainError;
use super::rejection::Rejection;
use subxt::error::DispatchError;
use subxt::events::Phase;
use subxt::utils::AccountId32;

/// How far behind the finalized head a block is for each endpoint to have it final, so
/// that it is looked up by its number.
const DEEP: u64 = 64;

/// The blocks from `first` to `last`, in order, on the chain that ends with the
/// finalized block `tip`. None of a fork is among them, even if the next request goes to
/// an endpoint that is behind: each is named by the one after it.
pub(crate) async fn blocks(
    chain: &Chain,
    tip: &AtBlock,
    first: u64,
    last: u64,
) -> Result<Vec<AtBlock>, ChainError> {
    let number = tip.block_number();
    let mut at = if number > last.saturating_add(DEEP) {
        chain.at_number(last).await?
    } else {
        tip.clone()
    };
    let mut blocks = Vec::new();
    while at.block_number() >= first {
        let number = at.block_number();
        let parent = match number > first {
            true => Some(parent(chain, &at).await?),
            false => None,
        };
        if number <= last {
            blocks.push(at);
        }
        match parent {
            Some(parent) => at = parent,
            None => break,
        }
    }
    blocks.reverse();
    Ok(blocks)
}

async fn parent(chain: &Chain, at: &AtBlock) -> Result<AtBlock, ChainError> {
    let header = at.block_header().await;
    let header = header.map_err(|e| ChainError::of("a block's header", at.spec_version(), e))?;
    chain.at_hash(header.parent_hash).await
}

/// The account's nonce in a block: that of the next extrinsic.
pub(crate) async fn nonce(at: &AtBlock, account: &[u8; 32]) -> Result<u64, ChainError> {
    let nonce = at.tx().account_nonce(&AccountId32(*account)).await;
    nonce.map_err(|e| ChainError::of("System.Account", at.spec_version(), e))
}

/// Where an extrinsic is in a block; none if it is not in there.
pub(crate) async fn position(at: &AtBlock, extrinsic: &[u8]) -> Result<Option<u32>, ChainError> {
    let body = at.extrinsics().fetch().await;
    let body = body.map_err(|e| ChainError::of("a block's body", at.spec_version(), e))?;
    let mut unreadable = None;
    for (index, other) in (0..).zip(body.iter()) {
        match other {
            Ok(other) if other.bytes() == extrinsic => return Ok(Some(index)),
            Ok(_) => {}
            Err(error) => unreadable = Some(error),
        }
    }
    // What cannot be decoded may be it: the block of an upgrade tells the metadata of the
    // new runtime, and is of the old one.
    match unreadable {
        Some(error) => Err(ChainError::decode("a block's body", error.to_string())),
        None => Ok(None),
    }
}

/// What became of the extrinsic at a place of a block.
///
/// # Errors
///
/// Within: the error that its call failed with.
pub(crate) async fn result(at: &AtBlock, index: u32) -> Result<Result<(), Rejection>, ChainError> {
    let unreadable = |e: &dyn ToString| ChainError::decode("System.Events", e.to_string());
    let events = at.events().fetch().await;
    let events = events.map_err(|e| ChainError::of("System.Events", at.spec_version(), e))?;
    for event in events.iter() {
        let event = event.map_err(|e| unreadable(&e))?;
        if event.phase() != Phase::ApplyExtrinsic(index) || event.pallet_name() != "System" {
            continue;
        }
        match event.event_name() {
            "ExtrinsicSuccess" => return Ok(Ok(())),
            "ExtrinsicFailed" => {
                let error = DispatchError::decode_from(event.field_bytes(), at.metadata());
                let error = error.map_err(|e| unreadable(&e))?;
                return Ok(Err(Rejection::dispatch(&error)));
            }
            _ => {}
        }
    }
    Err(unreadable(&"there is no outcome of the extrinsic"))
}

/// Whether the chain told in a block that it revealed weights of an account.
pub(crate) async fn reveals(
    at: &AtBlock,
    storage_index: u16,
    account: &[u8; 32],
) -> Result<bool, ChainError> {
    let events = at.events().fetch().await;
    let events = events.map_err(|e| ChainError::of("System.Events", at.spec_version(), e))?;
    let told = [storage_index.to_le_bytes().as_slice(), account].concat();
    Ok(events.iter().filter_map(Result::ok).any(|event| {
        event.pallet_name() == "SubtensorModule"
            && event.event_name() == "TimelockedWeightsRevealed"
            && event.field_bytes() == told
    }))
}
