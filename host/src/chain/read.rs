//! Reading a subnet at a block.
//!
//! All of one function is read at one block. The runtime's own functions are asked
//! where it has them, since one call is cheaper than a thousand values; else its
//! storage. A storage item without a value has the default of the runtime's metadata.

mod commits;
mod hotkey;
mod neurons;
mod selective;
mod stake;
mod storage;
mod subnet;

pub use commits::{HashCommit, TimelockedCommit, hash_commits, timelocked_commits};
pub use hotkey::chain_state;
pub use subnet::{epoch_state, hyperparameters, timestamp};

use super::Metagraph;
use super::call::storage_index;
use super::client::AtBlock;
use super::error::ChainError;
use storage::Storage;

/// The subnet: who is registered, and what it asks for.
///
/// One call of `SubnetInfoRuntimeApi.get_selective_metagraph` where the runtime has it,
/// with stakes as the runtime computes them; else some values for each neuron.
///
/// # Errors
///
/// [`ChainError::Decode`] for a subnet that is not there, and for neurons that
/// contradict each other; else that of the chain.
pub async fn metagraph(at: &AtBlock, netuid: u16) -> Result<Metagraph, ChainError> {
    match selective::metagraph(at, netuid).await {
        Err(error) if is_other_shape(&error) => {
            tracing::debug!(error = %error, "reading the metagraph from storage");
            metagraph_of_storage(at, netuid).await
        }
        other => other,
    }
}

/// [`metagraph`] without the runtime's own function, for runtimes that lack it.
///
/// # Errors
///
/// Those of [`metagraph`].
pub async fn metagraph_of_storage(at: &AtBlock, netuid: u16) -> Result<Metagraph, ChainError> {
    neurons::metagraph(at, netuid).await
}

/// The row of weights that is stored for a uid, as (uid, weight), the greatest 65535;
/// empty if none ever was.
///
/// # Errors
///
/// That of the chain.
pub async fn weights_row(
    at: &AtBlock,
    netuid: u16,
    mechanism: u8,
    uid: u16,
) -> Result<Vec<(u16, u16)>, ChainError> {
    let index = storage_index(netuid, mechanism);
    Storage::of(at).get("Weights", (index, uid)).await
}

/// Whether the runtime lacks a function, or has it with another shape than that of the
/// runtimes known.
fn is_other_shape(error: &ChainError) -> bool {
    error.is_missing() || matches!(error, ChainError::Decode { .. } | ChainError::Encode { .. })
}

/// What a subnet that is not there is told as.
fn no_subnet(netuid: u16) -> ChainError {
    ChainError::decode(format!("subnet {netuid}"), "the chain has no such subnet")
}
