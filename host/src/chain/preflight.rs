//! What the chain would refuse, found before it is sent.
//!
//! Every check that subtensor (spec version 425) makes of a call that sets weights, in
//! the order of the call: `internal_set_weights`, `internal_commit_weights`,
//! `internal_commit_timelocked_weights` and `internal_reveal_weights` of
//! `pallets/subtensor/src/subnets/weights.rs`, and what only its transaction extension
//! checks (`guards/check_weights.rs`) before them, as the extension is asked first.
//!
//! What is checked is whether the call passes in the block after the one that the state
//! was read at.

mod checks;
mod weights;

use super::Hyperparameters;
use super::call::{WeightCall, storage_index};
use super::commit_hash::commit_hash;
use super::epoch::EpochState;
use super::read::HashCommit;
use checks::check;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weights::Weights;

/// What the chain decides by whether it takes a hotkey's weights, at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// The version of the runtime.
    pub spec_version: u32,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism that weights are set for.
    pub mechanism: u8,
    /// When epochs begin, and the block that all of this was read at.
    pub epoch: EpochState,
    /// What the subnet asks for.
    pub hyperparameters: Hyperparameters,
    /// `SubnetworkN`: how many are registered.
    pub neurons: u16,
    /// The hotkey, as the chain sees it.
    pub hotkey: HotkeyState,
    /// `Drand.LastStoredRound`; none where the runtime has no such pallet.
    pub drand_last_round: Option<u64>,
}

/// A hotkey as the chain sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotkeyState {
    /// Its uid; none if it is not registered.
    pub uid: Option<u16>,
    /// What counts for `StakeThreshold`, in rao: alpha + tao · `TaoWeight`.
    pub stake: u64,
    /// Whether it is `SubnetOwnerHotkey`.
    pub is_owner: bool,
    /// `ValidatorPermit`; false where the chain's list is too short.
    pub permit: bool,
    /// `LastUpdate` for the mechanism; 0 where the chain's list is too short.
    pub last_update: u64,
    /// Commits in `WeightCommits` that can still be revealed.
    pub unrevealed_commits: u32,
    /// Its commits in `TimelockedWeightCommits` of the epoch that the next block is in.
    pub timelocked_commits: u32,
}

/// Who makes a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// This host; the chain would take the call, or could not read it.
    Host,
    /// The pool of a node, and the chain again: it gets into no block.
    Pool,
    /// The call, in a block.
    Call,
    /// The chain when it reveals the commit. Of a timelocked commit it tells nobody.
    Reveal,
}

/// What came out of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The chain would pass it.
    Passed,
    /// The chain would not get to ask it, or does not ask it of this subnet.
    NotAsked,
    /// The chain would refuse it.
    Refused {
        /// What is wrong, in numbers.
        what: String,
        /// What to do about it.
        todo: String,
        /// The first block that the call can be in; none if waiting does not help.
        from_block: Option<u64>,
    },
}

/// A check of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// The chain's name of the error. `AllWeightsZero` and `CommitTooLong` are names of
    /// this host.
    pub error: &'static str,
    /// Who makes it.
    pub by: By,
    /// What came out of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Check {
    /// Whether the chain would refuse it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused { .. })
    }

    /// Whether it is the rate limit of weights.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        matches!(
            self.error,
            "SettingWeightsTooFast" | "CommittingWeightsTooFast"
        )
    }
}

/// The first check that the chain would refuse: what it would answer.
#[must_use]
pub fn first_refusal(checks: &[Check]) -> Option<&Check> {
    checks.iter().find(|check| check.is_refused())
}

/// The first block that passes all checks, if waiting is all that it takes; the next
/// block if nothing is refused.
#[must_use]
pub fn passes_from(state: &ChainState, checks: &[Check]) -> Option<u64> {
    let mut blocks = checks.iter().map(|check| match &check.verdict {
        Verdict::Refused { from_block, .. } => *from_block,
        Verdict::Passed | Verdict::NotAsked => Some(state.next_block()),
    });
    blocks.try_fold(state.next_block(), |latest, block| Some(latest.max(block?)))
}

/// Every check of a call.
///
/// Of a commit this is what the chain can see in it: see [`preflight_commit`] for the
/// weights inside. Of a reveal only whether there is any commit to reveal: see
/// [`preflight_reveal`].
#[must_use]
pub fn preflight(state: &ChainState, call: &WeightCall) -> Vec<Check> {
    match call {
        WeightCall::Set {
            uids,
            values,
            version_key,
            ..
        } => {
            let mut checks = vec![checks::commit_reveal_enabled(state)];
            let weights = Weights::of(call, uids, values, *version_key);
            checks.extend(weights.checks(state, By::Call));
            checks
        }
        WeightCall::Commit { .. } => vec![
            checks::stake(state, By::Pool),
            checks::mechanism(state, call, By::Call),
            checks::commit_reveal_disabled(state),
            checks::registered(state, By::Call),
            checks::rate_limit(state, "CommittingWeightsTooFast", By::Pool),
            checks::unrevealed_hashes(state),
        ],
        WeightCall::CommitTimelocked {
            commit,
            reveal_round,
            version,
            ..
        } => vec![
            checks::too_long(commit),
            checks::stake(state, By::Pool),
            checks::drand_round(state, *reveal_round),
            checks::mechanism(state, call, By::Call),
            checks::commit_reveal_disabled(state),
            checks::timelock_version(state, *version),
            checks::registered(state, By::Call),
            checks::rate_limit(state, "CommittingWeightsTooFast", By::Call),
            checks::unrevealed_timelocked(state),
        ],
        WeightCall::Reveal { .. } => {
            let none = (state.hotkey.unrevealed_commits == 0)
                .then(|| "the chain has no commit of the hotkey".to_owned());
            reveal(state, call, [check("NoWeightsCommitFound", By::Pool, none)])
        }
    }
}

/// Every check of a commit, then those that the chain makes of the weights inside when
/// it is revealed, as far as the state of now tells. What is refused then is lost, and
/// of a timelocked commit the chain does not even say so.
///
/// For another call it is [`preflight`].
#[must_use]
pub fn preflight_commit(
    state: &ChainState,
    call: &WeightCall,
    uids: &[u16],
    values: &[u16],
    version_key: u64,
) -> Vec<Check> {
    let mut checks = preflight(state, call);
    if let WeightCall::Commit { .. } | WeightCall::CommitTimelocked { .. } = call {
        let weights = Weights::of(call, uids, values, version_key);
        extend_with_new(&mut checks, weights.checks(state, By::Reveal));
    }
    checks
}

/// Every check of a reveal, with those of its commit.
///
/// `account` is the hotkey's public key, and `commits` what the chain has of it in
/// `WeightCommits`.
///
/// For another call it is [`preflight`].
#[must_use]
pub fn preflight_reveal(
    state: &ChainState,
    call: &WeightCall,
    account: &[u8; 32],
    commits: &[HashCommit],
) -> Vec<Check> {
    let WeightCall::Reveal {
        uids,
        values,
        salt,
        version_key,
        ..
    } = call
    else {
        return preflight(state, call);
    };
    let index = storage_index(call.netuid(), call.mechanism());
    let hash = commit_hash(account, index, uids, values, salt, *version_key);
    reveal(state, call, checks::commit(state, commits, hash))
}

/// The checks of a reveal, of which some are about its commit.
fn reveal<const N: usize>(
    state: &ChainState,
    call: &WeightCall,
    of_commit: [Check; N],
) -> Vec<Check> {
    let WeightCall::Reveal {
        uids,
        values,
        version_key,
        ..
    } = call
    else {
        return Vec::new();
    };
    let mut checks = vec![
        checks::stake(state, By::Pool),
        checks::commit_reveal_disabled(state),
    ];
    checks.extend(of_commit);
    let weights = Weights::of(call, uids, values, *version_key);
    extend_with_new(&mut checks, weights.checks(state, By::Call));
    checks
}

/// Adds the checks that were not made before.
fn extend_with_new(checks: &mut Vec<Check>, more: Vec<Check>) {
    for check in more {
        if checks.iter().all(|known| known.error != check.error) {
            checks.push(check);
        }
    }
}

#[cfg(test)]
mod tests;
