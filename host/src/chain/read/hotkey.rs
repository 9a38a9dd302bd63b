//! What decides whether the chain takes a hotkey's weights.

use super::commits::{hash_commits, next_epoch_index, timelocked_commits, unrevealed};
use super::stake::{Stake, stake, tao_weight};
use super::storage::Storage;
use super::subnet::{epoch_state, hyperparameters};
use crate::chain::call::storage_index;
use crate::chain::client::AtBlock;
use crate::chain::epoch::EpochState;
use crate::chain::error::ChainError;
use crate::chain::preflight::{ChainState, HotkeyState};

/// All that decides whether the chain takes weights of a hotkey for a mechanism of the
/// subnet, in the block after `at`. About 25 values.
///
/// # Errors
///
/// [`ChainError::Decode`] for a subnet that is not there; else that of the chain.
pub async fn chain_state(
    at: &AtBlock,
    netuid: u16,
    mechanism: u8,
    hotkey: &[u8; 32],
) -> Result<ChainState, ChainError> {
    let drand = Storage::pallet(at, "Drand");
    let epoch = epoch_state(at, netuid).await?;
    let (hyperparameters, neurons, hotkey, drand_last_round) = tokio::try_join!(
        hyperparameters(at, netuid),
        Storage::of(at).get("SubnetworkN", (netuid,)),
        hotkey_state(at, netuid, mechanism, hotkey, &epoch),
        drand.known("LastStoredRound", ()),
    )?;
    Ok(ChainState {
        spec_version: at.spec_version(),
        netuid,
        mechanism,
        epoch,
        hyperparameters,
        neurons,
        hotkey,
        drand_last_round,
    })
}

async fn hotkey_state(
    at: &AtBlock,
    netuid: u16,
    mechanism: u8,
    hotkey: &[u8; 32],
    epoch: &EpochState,
) -> Result<HotkeyState, ChainError> {
    let storage = Storage::of(at);
    let index = storage_index(netuid, mechanism);
    let timelocked = timelocked_commits(at, netuid, mechanism, next_epoch_index(epoch));
    let counted = async {
        let weight = tao_weight(storage).await?;
        stake(storage, netuid, *hotkey, weight).await
    };
    let (uid, owner, permits, updates, stake, commits, timelocked): (
        Option<u16>,
        [u8; 32],
        Vec<bool>,
        Vec<u64>,
        Stake,
        _,
        _,
    ) = tokio::try_join!(
        storage.find("Uids", (netuid, *hotkey)),
        storage.get("SubnetOwnerHotkey", (netuid,)),
        storage.get("ValidatorPermit", (netuid,)),
        storage.get("LastUpdate", (index,)),
        counted,
        hash_commits(at, netuid, mechanism, hotkey),
        timelocked,
    )?;
    let timelocked = timelocked.iter().filter(|c| c.account == *hotkey).count();
    let place = uid.map(usize::from);
    Ok(HotkeyState {
        uid,
        stake: stake.total,
        is_owner: owner == *hotkey,
        // These two may be shorter than the list of hotkeys.
        permit: place.is_some_and(|uid| permits.get(uid) == Some(&true)),
        last_update: place
            .and_then(|uid| updates.get(uid).copied())
            .unwrap_or_default(),
        unrevealed_commits: unrevealed(&commits, epoch),
        timelocked_commits: u32::try_from(timelocked).unwrap_or(u32::MAX),
    })
}
