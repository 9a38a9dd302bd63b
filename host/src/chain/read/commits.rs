//! Weights that were committed and not yet revealed.

use super::storage::Storage;
use super::subnet::epoch_by_number;
use crate::chain::call::storage_index;
use crate::chain::client::AtBlock;
use crate::chain::epoch::EpochState;
use crate::chain::error::ChainError;

/// A commit of `WeightCommits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCommit {
    /// What was committed.
    pub hash: [u8; 32],
    /// The block that the commit is in.
    pub block: u64,
    /// The epoch that the commit is of.
    pub epoch: u64,
    /// The only epoch in which it can be revealed, as the subnet is set now: later it
    /// has expired.
    pub reveal_epoch: u64,
}

impl HashCommit {
    /// Whether it can no longer be revealed in the block after that of `state`.
    #[must_use]
    pub fn is_expired(&self, state: &EpochState) -> bool {
        next_epoch_index(state) > self.reveal_epoch
    }

    /// Whether it can be revealed in the block after that of `state`.
    #[must_use]
    pub fn is_due(&self, state: &EpochState) -> bool {
        next_epoch_index(state) == self.reveal_epoch
    }
}

/// A commit of `TimelockedWeightCommits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelockedCommit {
    /// The hotkey's public key.
    pub account: [u8; 32],
    /// The block that the commit is in.
    pub block: u64,
    /// What was committed.
    pub commit: Vec<u8>,
    /// The round of drand that opens it.
    pub round: u64,
}

/// The commits of a hotkey that are stored, the oldest first, with those that have
/// expired since the hotkey last committed or revealed.
///
/// # Errors
///
/// That of the chain.
pub async fn hash_commits(
    at: &AtBlock,
    netuid: u16,
    mechanism: u8,
    hotkey: &[u8; 32],
) -> Result<Vec<HashCommit>, ChainError> {
    type Stored = ([u8; 32], u64, u64, u64);
    let storage = Storage::of(at);
    let index = storage_index(netuid, mechanism);
    let commits = storage.find("WeightCommits", (index, *hotkey)).await?;
    let commits: Vec<Stored> = commits.unwrap_or_default();
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let (period, tempo, stateful): (u64, u16, Option<u64>) = tokio::try_join!(
        storage.get("RevealPeriodEpochs", (netuid,)),
        storage.get("Tempo", (netuid,)),
        storage.known("SubnetEpochIndex", (netuid,)),
    )?;
    let commits = commits.into_iter().map(|(hash, first, second, _)| {
        // Runtimes before the stateful rule keep the block, and then the blocks between
        // which the reveal is to be; they decide by the epoch of the block all the same.
        let (epoch, block) = match stateful {
            Some(_) => (first, second),
            None => (epoch_by_number(first, netuid, tempo), first),
        };
        HashCommit {
            hash,
            block,
            epoch,
            reveal_epoch: epoch.saturating_add(period),
        }
    });
    Ok(commits.collect())
}

/// The timelocked commits of all hotkeys in an epoch, the oldest first; empty where the
/// runtime knows of no timelock.
///
/// # Errors
///
/// That of the chain.
pub async fn timelocked_commits(
    at: &AtBlock,
    netuid: u16,
    mechanism: u8,
    epoch: u64,
) -> Result<Vec<TimelockedCommit>, ChainError> {
    type Stored = ([u8; 32], u64, Vec<u8>, u64);
    let keys = (storage_index(netuid, mechanism), epoch);
    let commits = Storage::of(at).known("TimelockedWeightCommits", keys);
    let commits: Vec<Stored> = commits.await?.unwrap_or_default();
    let commits = commits
        .into_iter()
        .map(|(account, block, commit, round)| TimelockedCommit {
            account,
            block,
            commit,
            round,
        });
    Ok(commits.collect())
}

/// The epoch that what is in the block after that of `state` is of.
pub(super) fn next_epoch_index(state: &EpochState) -> u64 {
    let next = EpochState {
        block: state.block.saturating_add(1),
        ..*state
    };
    next.epoch_with_lookahead()
}

/// How many commits count for the limit of unrevealed ones: the runtime drops expired
/// ones from the front of the list, up to the first that is not.
pub(super) fn unrevealed(commits: &[HashCommit], state: &EpochState) -> u32 {
    let expired = commits.iter().take_while(|commit| commit.is_expired(state));
    let left = commits.len().saturating_sub(expired.count());
    u32::try_from(left).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(reveal_epoch: u64) -> HashCommit {
        HashCommit {
            hash: [0; 32],
            block: 0,
            epoch: reveal_epoch - 1,
            reveal_epoch,
        }
    }

    fn state(block: u64) -> EpochState {
        EpochState {
            block,
            tempo: 10,
            last_epoch_block: 100,
            pending_epoch_at: 0,
            epoch_index: 5,
            blocks_since_last_step: 0,
        }
    }

    #[test]
    fn a_commit_is_judged_by_the_epoch_of_the_next_block() {
        // Block 109 is the last of epoch 5.
        let (due, next) = (commit(5), commit(6));
        assert!(due.is_due(&state(108)) && !due.is_expired(&state(108)));
        assert!(!next.is_due(&state(108)) && !next.is_expired(&state(108)));
        assert!(!due.is_due(&state(109)) && due.is_expired(&state(109)));
        assert!(next.is_due(&state(109)));
    }

    #[test]
    fn expired_commits_count_unless_they_are_at_the_front() {
        let at = |epochs: &[u64]| {
            let commits: Vec<HashCommit> = epochs.iter().map(|epoch| commit(*epoch)).collect();
            unrevealed(&commits, &state(105))
        };
        assert_eq!(at(&[]), 0);
        assert_eq!(at(&[3, 4, 5, 6]), 2);
        assert_eq!(at(&[6, 4, 4]), 3);
        assert_eq!(at(&[3, 4]), 0);
    }
}
