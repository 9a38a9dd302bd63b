//! Checks of the subnet, of the hotkey, and of commits.

use super::super::call::{TIMELOCK_VERSION, WeightCall};
use super::super::epoch::EpochState;
use super::super::read::HashCommit;
use super::super::rejection;
use super::super::timelock::MAX_COMMIT_BYTES;
use super::{By, ChainState, Check, Verdict};

/// The most commits of a hotkey that wait for their reveal. Source: subtensor
/// `internal_commit_weights`.
const MAX_UNREVEALED: u32 = 10;

/// A check that is refused if there is a fault.
pub(super) fn check(error: &'static str, by: By, fault: Option<String>) -> Check {
    let verdict = fault.map_or(Verdict::Passed, |what| Verdict::Refused {
        what,
        todo: rejection::todo(error).to_owned(),
        from_block: None,
    });
    Check { error, by, verdict }
}

/// A check that is refused until a block.
pub(super) fn until(mut check: Check, block: Option<u64>) -> Check {
    if let Verdict::Refused { from_block, .. } = &mut check.verdict {
        *from_block = block;
    }
    check
}

pub(super) fn not_asked(error: &'static str, by: By) -> Check {
    let verdict = Verdict::NotAsked;
    Check { error, by, verdict }
}

impl ChainState {
    /// The first block that a call can be in which is sent now.
    pub(super) fn next_block(&self) -> u64 {
        self.epoch.block.saturating_add(1)
    }

    /// The index of the epoch that the next block is in.
    fn next_epoch_index(&self) -> u64 {
        let next = EpochState {
            block: self.next_block(),
            ..self.epoch
        };
        next.epoch_with_lookahead()
    }

    /// The block in which an epoch begins, counted from the one that the next block is
    /// in, if each takes `Tempo`.
    fn epoch_begins(&self, epochs: u64) -> Option<u64> {
        let next = self.epoch.next_epoch_block()?;
        // The epoch that begins in the next block is the one that it is in.
        let more = if next == self.next_block() {
            epochs
        } else {
            epochs.saturating_sub(1)
        };
        let blocks = more.saturating_mul(u64::from(self.epoch.tempo));
        Some(next.saturating_add(blocks))
    }

    pub(super) fn has_commit_reveal(&self) -> bool {
        self.hyperparameters.commit_reveal_enabled
    }

    /// What a subnet's owner is excused from; only a registered one is.
    pub(super) fn is_owner(&self) -> bool {
        self.hotkey.is_owner && self.hotkey.uid.is_some()
    }
}

pub(super) fn commit_reveal_enabled(state: &ChainState) -> Check {
    let fault = state.has_commit_reveal().then(|| {
        let netuid = state.netuid;
        format!("commit-reveal is on in subnet {netuid}, and this call sets weights openly")
    });
    check("CommitRevealEnabled", By::Call, fault)
}

pub(super) fn commit_reveal_disabled(state: &ChainState) -> Check {
    let fault = (!state.has_commit_reveal())
        .then(|| format!("commit-reveal is off in subnet {}", state.netuid));
    check("CommitRevealDisabled", By::Call, fault)
}

pub(super) fn mechanism(state: &ChainState, call: &WeightCall, by: By) -> Check {
    let (netuid, mechanism) = (call.netuid(), call.mechanism());
    let count = state.hyperparameters.mechanism_count;
    // A subnet is registered with the hotkey of its owner, so there is always one.
    let fault = if state.neurons == 0 {
        Some(format!(
            "there is no subnet {netuid}, or nobody is registered on it"
        ))
    } else if mechanism >= count {
        let last = count.saturating_sub(1);
        Some(format!(
            "subnet {netuid} has {count} mechanisms, 0 to {last}, and this call is for {mechanism}"
        ))
    } else {
        None
    };
    check("MechanismDoesNotExist", by, fault)
}

pub(super) fn registered(state: &ChainState, by: By) -> Check {
    let fault = (state.hotkey.uid.is_none())
        .then(|| format!("the hotkey is not registered on subnet {}", state.netuid));
    check("HotKeyNotRegisteredInSubNet", by, fault)
}

pub(super) fn stake(state: &ChainState, by: By) -> Check {
    let (stake, least) = (state.hotkey.stake, state.hyperparameters.stake_threshold);
    let fault = (stake < least && !state.is_owner()).then(|| {
        let missing = least - stake;
        format!(
            "the hotkey has {stake} rao of stake weight, {missing} less than the {least} asked for"
        )
    });
    check("NotEnoughStakeToSetWeights", by, fault)
}

pub(super) fn rate_limit(state: &ChainState, error: &'static str, by: By) -> Check {
    if state.hotkey.uid.is_none() {
        // The chain finds first that the hotkey is not registered.
        return not_asked(error, by);
    }
    let last = state.hotkey.last_update;
    let limit = state.hyperparameters.weights_rate_limit;
    let from = last.saturating_add(limit);
    let next = state.next_block();
    // 0 is a hotkey that never set weights.
    let fault = (last != 0 && next < from).then(|| {
        let blocks = from - next;
        format!(
            "the last update was in block {last}, and {limit} blocks must be between two: \
             block {from} is the first, {blocks} after the next block"
        )
    });
    until(check(error, by, fault), Some(from))
}

pub(super) fn unrevealed_hashes(state: &ChainState) -> Check {
    let count = state.hotkey.unrevealed_commits;
    let fault = (count >= MAX_UNREVEALED)
        .then(|| format!("{count} commits wait for their reveal, and {MAX_UNREVEALED} may"));
    check("TooManyUnrevealedCommits", By::Call, fault)
}

pub(super) fn unrevealed_timelocked(state: &ChainState) -> Check {
    let count = state.hotkey.timelocked_commits;
    // They are counted by epoch.
    let fault = (count >= MAX_UNREVEALED).then(|| {
        format!("the hotkey has {count} commits of this epoch, and {MAX_UNREVEALED} are allowed")
    });
    until(
        check("TooManyUnrevealedCommits", By::Call, fault),
        state.epoch_begins(1),
    )
}

pub(super) fn too_long(commit: &[u8]) -> Check {
    let bytes = commit.len();
    let fault = (bytes > MAX_COMMIT_BYTES)
        .then(|| format!("the commit has {bytes} bytes, and the chain reads {MAX_COMMIT_BYTES}"));
    check("CommitTooLong", By::Host, fault)
}

pub(super) fn timelock_version(state: &ChainState, version: u16) -> Check {
    let fault = match state.hyperparameters.commit_reveal_version {
        None => Some(format!(
            "the runtime, spec version {}, knows no timelocked commits",
            state.spec_version
        )),
        Some(chain) if chain != version => Some(format!(
            "the chain takes commits of version {chain}, and this one is of version {version}"
        )),
        Some(_) if version != TIMELOCK_VERSION => Some(format!(
            "the commit says version {version}, and this host makes version {TIMELOCK_VERSION}"
        )),
        Some(_) => None,
    };
    check("IncorrectCommitRevealVersion", By::Call, fault)
}

pub(super) fn drand_round(state: &ChainState, round: u64) -> Check {
    const ERROR: &str = "InvalidRevealRound";
    let Some(last) = state.drand_last_round else {
        return not_asked(ERROR, By::Pool);
    };
    let fault = (round < last).then(|| {
        let rounds = last - round;
        format!("round {round} of drand is {rounds} before round {last}, which the chain has")
    });
    check(ERROR, By::Pool, fault)
}

/// The checks of a reveal that are about its commit, of which at most one is refused.
pub(super) fn commit(state: &ChainState, commits: &[HashCommit], hash: [u8; 32]) -> [Check; 4] {
    let epoch = state.next_epoch_index();
    let found = commits.iter().find(|commit| commit.hash == hash);
    let waiting = commits.iter().filter(|commit| commit.reveal_epoch >= epoch);
    let waiting = waiting.count();

    let (mut none, mut expired, mut other, mut early) = (None, None, None, None);
    let mut from = None;
    match found.map(|commit| commit.reveal_epoch) {
        Some(due) if epoch > due => {
            expired = Some(format!(
                "it could be revealed in epoch {due}, and this is {epoch}"
            ));
        }
        Some(due) if epoch < due => {
            from = state.epoch_begins(due - epoch);
            early = Some(format!(
                "it can be revealed in epoch {due}, and this is {epoch}"
            ));
        }
        Some(_) => {}
        None if waiting == 0 => {
            none = Some("the chain has no commit of the hotkey that can be revealed".to_owned());
        }
        None => {
            other = Some(format!(
                "none of the {waiting} commits of the hotkey is 0x{}",
                hex::encode(hash)
            ));
        }
    }
    [
        check("NoWeightsCommitFound", By::Pool, none),
        check("ExpiredWeightCommit", By::Pool, expired),
        check("InvalidRevealCommitHashNotMatch", By::Pool, other),
        until(check("RevealTooEarly", By::Pool, early), from),
    ]
}
