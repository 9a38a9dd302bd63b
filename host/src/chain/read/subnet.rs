//! What a subnet asks for, and when its epochs begin.

use super::storage::Storage;
use super::{is_other_shape, no_subnet, selective};
use crate::chain::Hyperparameters;
use crate::chain::client::AtBlock;
use crate::chain::epoch::EpochState;
use crate::chain::error::ChainError;

/// What the subnet asks of those who set its weights.
///
/// # Errors
///
/// [`ChainError::Decode`] for a subnet that is not there; else that of the chain.
pub async fn hyperparameters(at: &AtBlock, netuid: u16) -> Result<Hyperparameters, ChainError> {
    match selective::hyperparameters(at, netuid).await {
        Err(error) if is_other_shape(&error) => of_storage(at, netuid).await,
        other => other,
    }
}

/// When the block was made, by the chain's own clock, in seconds since the Unix epoch.
/// None if the runtime has no clock, or it was never set, as in the first block.
///
/// # Errors
///
/// That of the chain.
pub async fn timestamp(at: &AtBlock) -> Result<Option<f64>, ChainError> {
    let storage = Storage::pallet(at, "Timestamp");
    let milliseconds: Option<u64> = storage.known("Now", ()).await?;
    let set = milliseconds.filter(|milliseconds| *milliseconds > 0);
    Ok(set.map(|milliseconds| milliseconds as f64 / 1_000.0))
}

/// What of the hyperparameters no function of the runtime tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) commit_reveal_version: Option<u16>,
    pub(super) mechanism_count: u8,
    pub(super) stake_threshold: u64,
}

pub(super) async fn beside(at: &AtBlock, netuid: u16) -> Result<Beside, ChainError> {
    let storage = Storage::of(at);
    let (commit_reveal_version, mechanisms, threshold) = tokio::try_join!(
        storage.known("CommitRevealWeightsVersion", ()),
        storage.known("MechanismCountCurrent", (netuid,)),
        storage.known("StakeThreshold", ()),
    )?;
    Ok(Beside {
        commit_reveal_version,
        mechanism_count: mechanisms.unwrap_or(1),
        stake_threshold: threshold.unwrap_or_default(),
    })
}

/// [`hyperparameters`] of a runtime that has no function for them.
pub(super) async fn of_storage(at: &AtBlock, netuid: u16) -> Result<Hyperparameters, ChainError> {
    let storage = Storage::of(at);
    let exists: bool = storage.get("NetworksAdded", (netuid,)).await?;
    if !exists {
        return Err(no_subnet(netuid));
    }
    let (
        tempo,
        weights_rate_limit,
        weights_version,
        min_allowed_weights,
        max_weight_limit,
        commit_reveal_enabled,
        commit_reveal_period,
        beside,
    ) = tokio::try_join!(
        storage.get("Tempo", (netuid,)),
        storage.get("WeightsSetRateLimit", (netuid,)),
        storage.get("WeightsVersionKey", (netuid,)),
        storage.get("MinAllowedWeights", (netuid,)),
        storage.known("MaxWeightsLimit", (netuid,)),
        storage.get("CommitRevealWeightsEnabled", (netuid,)),
        storage.get("RevealPeriodEpochs", (netuid,)),
        beside(at, netuid),
    )?;
    Ok(Hyperparameters {
        tempo,
        weights_rate_limit,
        weights_version,
        min_allowed_weights,
        max_weight_limit: max_weight_limit.unwrap_or(u16::MAX),
        commit_reveal_enabled,
        commit_reveal_period,
        commit_reveal_version: beside.commit_reveal_version,
        mechanism_count: beside.mechanism_count,
        stake_threshold: beside.stake_threshold,
    })
}

/// When epochs begin. Of runtimes before the stateful rule, which go by the number of
/// the block, what makes the stateful rule say the same of commits: epochs of `Tempo` +
/// 1 blocks. These runtimes pay an epoch out in its last block.
///
/// # Errors
///
/// That of the chain. A subnet that is not there has the defaults of one.
pub async fn epoch_state(at: &AtBlock, netuid: u16) -> Result<EpochState, ChainError> {
    let storage = Storage::of(at);
    let (tempo, blocks_since_last_step, last, pending, index) = tokio::try_join!(
        storage.get("Tempo", (netuid,)),
        storage.get("BlocksSinceLastStep", (netuid,)),
        storage.known("LastEpochBlock", (netuid,)),
        storage.known("PendingEpochAt", (netuid,)),
        storage.known("SubnetEpochIndex", (netuid,)),
    )?;
    let block = at.block_number();
    let (Some(last_epoch_block), Some(epoch_index)) = (last, index) else {
        return Ok(by_number(block, netuid, tempo, blocks_since_last_step));
    };
    Ok(EpochState {
        block,
        tempo,
        last_epoch_block,
        pending_epoch_at: pending.unwrap_or_default(),
        epoch_index,
        blocks_since_last_step,
    })
}

/// The state by the rule of older runtimes. Source: subtensor spec 365,
/// `get_epoch_index` and `get_first_block_of_epoch`.
fn by_number(block: u64, netuid: u16, tempo: u16, blocks_since_last_step: u64) -> EpochState {
    let epoch_index = epoch_by_number(block, netuid, tempo);
    let first = epoch_index.saturating_mul(u64::from(tempo) + 1);
    EpochState {
        block,
        // 0 is a subnet that does not run, by either rule.
        tempo: match tempo {
            0 => 0,
            tempo => tempo.saturating_add(1),
        },
        last_epoch_block: first.saturating_sub(u64::from(netuid) + 1),
        pending_epoch_at: 0,
        epoch_index,
        // They have no epoch for its own sake after many blocks without one.
        blocks_since_last_step: blocks_since_last_step.min(tempo.into()),
    }
}

/// The epoch of a block by the rule of older runtimes.
pub(super) fn epoch_by_number(block: u64, netuid: u16, tempo: u16) -> u64 {
    block.saturating_add(u64::from(netuid) + 1) / (u64::from(tempo) + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn epochs_by_number_begin_where_older_runtimes_begin_them() {
        // get_first_block_of_epoch(1, n) = n * 361 - 2 with tempo 360.
        for epoch in 1..5 {
            let first = epoch * 361 - 2;
            assert_eq!(epoch_by_number(first, 1, 360), epoch);
            assert_eq!(epoch_by_number(first - 1, 1, 360), epoch - 1);
            for block in [first, first + 200, first + 360] {
                let state = by_number(block, 1, 360, 0);
                assert_eq!(state.epoch_index, epoch, "{block}");
                assert_eq!(state.next_epoch_block(), Some(first + 361), "{block}");
            }
        }
        // The first epoch began before the chain.
        assert_eq!(by_number(5, 1, 360, 0).epoch_index, 0);
        assert_eq!(by_number(5, 1, 0, 0).next_epoch_block(), None);
        assert_eq!(
            by_number(u64::MAX, u16::MAX, u16::MAX, 0).pending_epoch_at,
            0
        );
    }
}
