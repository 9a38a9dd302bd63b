//! The metagraph from storage, for runtimes without a function for it.

use super::selective::{Axon, new_metagraph, tokens};
use super::stake::{Stake, stake, tao_weight};
use super::storage::Storage;
use super::subnet::of_storage;
use crate::chain::client::AtBlock;
use crate::chain::error::ChainError;
use crate::chain::{Metagraph, Neuron, ss58};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Neurons that are read at a time, of about ten values each.
const AT_A_TIME: usize = 16;

/// What is stored for all neurons together. The lists may be shorter than there are
/// neurons.
struct Lists {
    permits: Vec<bool>,
    updates: Vec<u64>,
    tao_weight: u64,
}

pub(super) async fn metagraph(at: &AtBlock, netuid: u16) -> Result<Metagraph, ChainError> {
    let storage = Storage::of(at);
    let (hyperparameters, count, owner, permits, updates, tao_weight): (_, u16, [u8; 32], _, _, _) =
        tokio::try_join!(
            of_storage(at, netuid),
            storage.get("SubnetworkN", (netuid,)),
            storage.get("SubnetOwnerHotkey", (netuid,)),
            storage.get("ValidatorPermit", (netuid,)),
            // Mechanism 0 is stored as the subnet itself.
            storage.get("LastUpdate", (netuid,)),
            tao_weight(storage),
        )?;
    let lists = Lists {
        permits,
        updates,
        tao_weight,
    };
    let neurons = stream::iter(0..count)
        .map(|uid| neuron(storage, netuid, uid, &lists))
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    new_metagraph(at, netuid, owner, neurons).map(|m| m.with_hyperparameters(hyperparameters))
}

async fn neuron(
    storage: Storage<'_>,
    netuid: u16,
    uid: u16,
    lists: &Lists,
) -> Result<Neuron, ChainError> {
    let hotkey: [u8; 32] = storage.get("Keys", (netuid, uid)).await?;
    let (coldkey, axon, registered_at, stake): ([u8; 32], Option<Axon>, u64, Stake) = tokio::try_join!(
        storage.get("Owner", (hotkey,)),
        storage.find("Axons", (netuid, hotkey)),
        storage.get("BlockAtRegistration", (netuid, uid)),
        stake(storage, netuid, hotkey, lists.tao_weight),
    )?;
    let place = usize::from(uid);
    Ok(Neuron {
        uid,
        hotkey: ss58::encode(&hotkey),
        coldkey: ss58::encode(&coldkey),
        axon_ip: axon.and_then(Axon::address),
        axon_port: axon.and_then(Axon::port),
        stake: tokens(stake.total),
        validator_permit: lists.permits.get(place).copied().unwrap_or_default(),
        last_update: Some(lists.updates.get(place).copied().unwrap_or_default()),
        registered_at: Some(registered_at),
        alpha_stake: Some(tokens(stake.alpha)),
        tao_stake: Some(tokens(stake.tao)),
    })
}
