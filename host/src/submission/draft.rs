//! What would be sent: which call, with which arguments, and what the chain says to it.

use super::SubmissionError;
use crate::chain::call::{TIMELOCK_VERSION, WeightCall, storage_index};
use crate::chain::commit_hash::commit_hash;
use crate::chain::drand::{self, Reveal};
use crate::chain::preflight::{ChainState, Check, preflight_commit};
use crate::chain::timelock::{self, Payload};
use crate::store::SubmissionKind;
use crate::weights::Quantised;

/// Numbers of the salt of a commit, of 16 bits each, as the official client has it.
const SALT: usize = 8;

/// What a draft is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// The public key of the hotkey.
    pub(super) account: [u8; 32],
    /// The version key.
    pub(super) version_key: u64,
    /// Seconds from one block to the next.
    pub(super) block_time_s: f64,
    /// Seconds since the Unix epoch.
    pub(super) now: f64,
}

/// A call with what it is about.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: SubmissionKind,
    pub(super) call: WeightCall,
    pub(super) uids: Vec<u16>,
    pub(super) values: Vec<u16>,
    pub(super) version_key: u64,
    /// Of a commit to a hash.
    pub(super) salt: Option<Vec<u16>>,
    /// Likewise.
    pub(super) hash: Option<[u8; 32]>,
    /// Of a commit: when it is foretold to be revealed.
    pub(super) reveal: Option<Reveal>,
    /// Every check of the chain.
    pub(super) checks: Vec<Check>,
}

/// The call by what the subnet has enabled: without commit-reveal the weights themselves,
/// with it a commit that the chain opens by itself, or one to a hash where the chain knows
/// of no such.
///
/// Each commit is another one: the salt and the encryption are random.
///
/// # Errors
///
/// [`SubmissionError::NotRunning`], [`SubmissionError::Timelock`].
pub(super) fn draft(
    state: &ChainState,
    vector: &Quantised,
    terms: &Terms,
) -> Result<Draft, SubmissionError> {
    let Quantised { uids, values } = vector.clone();
    let (netuid, mechanism) = (state.netuid, state.mechanism);
    let version_key = terms.version_key;
    let asked = &state.hyperparameters;
    let kind = match asked.commit_reveal_version {
        _ if !asked.commit_reveal_enabled => SubmissionKind::Set,
        Some(version) if version >= TIMELOCK_VERSION => SubmissionKind::Timelocked,
        _ => SubmissionKind::Commit,
    };
    let (mut salt, mut hash, mut reveal) = (None, None, None);
    if kind != SubmissionKind::Set {
        let period = asked.commit_reveal_period;
        let foretold = drand::reveal(&state.epoch, period, terms.block_time_s, terms.now);
        reveal = Some(foretold.ok_or(SubmissionError::NotRunning)?);
    }
    let call = match (kind, reveal) {
        (SubmissionKind::Timelocked, Some(reveal)) => {
            let payload = Payload {
                hotkey: terms.account.to_vec(),
                uids: uids.clone(),
                values: values.clone(),
                version_key,
            };
            WeightCall::CommitTimelocked {
                netuid,
                mechanism,
                commit: timelock::encrypt(&payload, reveal.round, &rand::random())?,
                reveal_round: reveal.round,
                version: TIMELOCK_VERSION,
            }
        }
        (SubmissionKind::Commit, _) => {
            let fresh: [u16; SALT] = rand::random();
            let index = storage_index(netuid, mechanism);
            let of = commit_hash(&terms.account, index, &uids, &values, &fresh, version_key);
            salt = Some(fresh.to_vec());
            hash = Some(of);
            WeightCall::Commit {
                netuid,
                mechanism,
                hash: of,
            }
        }
        _ => WeightCall::Set {
            netuid,
            mechanism,
            uids: uids.clone(),
            values: values.clone(),
            version_key,
        },
    };
    let checks = preflight_commit(state, &call, &uids, &values, version_key);
    Ok(Draft {
        kind,
        call,
        uids,
        values,
        version_key,
        salt,
        hash,
        reveal,
        checks,
    })
}
