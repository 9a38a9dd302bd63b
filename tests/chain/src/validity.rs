//! Whether an extrinsic is let into the pool and into a block.
//! Source: subtensor spec 425, `guards/check_weights.rs`, `guards/check_rate_limits.rs`,
//! `common/src/transaction_error.rs`, and spec 365, `transaction_extension.rs`;
//! Substrate's `sp_runtime::transaction_validity`.

use crate::call::{Call, Reveal};
use crate::commits::commit_hash;
use crate::event::Failure;
use crate::extrinsic::Extrinsic;
use crate::node::RpcError;
use crate::runtime::Rules;
use crate::state::{Account, State, storage_index};

/// Why an extrinsic is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// The call is none that the chain knows.
    Call,
    /// The nonce is over.
    Stale,
    /// The signature is not of this content, for this chain and runtime. An era that is
    /// over looks like this, as the chain then takes it for a later one.
    BadProof,
    /// The block that the era begins in is not known.
    AncientBirthBlock,
    /// A reason of the runtime's own.
    Custom(u8),
}

impl Invalid {
    /// The error that a node gives.
    #[must_use]
    pub fn error(self) -> RpcError {
        let data = match self {
            Self::Call => "Transaction call is not expected".to_owned(),
            Self::Stale => "Transaction is outdated".to_owned(),
            Self::BadProof => "Transaction has a bad signature".to_owned(),
            Self::AncientBirthBlock => "Transaction has an ancient birth block".to_owned(),
            Self::Custom(code) => format!("Custom error: {code}"),
        };
        RpcError::new(1010, "Invalid Transaction").with_data(data)
    }

    /// `TransactionValidityError`, encoded.
    pub(crate) fn encoded(self) -> Vec<u8> {
        match self {
            Self::Call => vec![0, 0],
            Self::Stale => vec![0, 3],
            Self::BadProof => vec![0, 4],
            Self::AncientBirthBlock => vec![0, 5],
            Self::Custom(code) => vec![0, 7, code],
        }
    }
}

impl State {
    /// What the extension of the pallet asks of a call, in the block of this state.
    pub(crate) fn check_call(&self, extrinsic: &Extrinsic) -> Result<(), Invalid> {
        let (who, call) = (&extrinsic.account, &extrinsic.call);
        check_lengths(call)?;
        match self.runtime.rules() {
            Rules::V365 if extrinsic.is_for_mechanism() => Ok(()),
            Rules::V365 => {
                self.check_stake(who, call)?;
                self.check_reveal(who, call)
            }
            Rules::V425 => {
                self.check_stake(who, call)?;
                self.check_reveal(who, call)?;
                self.check_rate(who, call)
            }
        }
    }

    fn check_stake(&self, who: &Account, call: &Call) -> Result<(), Invalid> {
        let netuids = match call {
            Call::Set { netuid, .. }
            | Call::Commit { netuid, .. }
            | Call::Reveal { netuid, .. }
            | Call::BatchReveal { netuid, .. }
            | Call::CommitTimelocked { netuid, .. } => std::slice::from_ref(netuid),
            Call::BatchSet { netuids, .. } | Call::BatchCommit { netuids, .. } => netuids,
            Call::Remark | Call::Other { .. } => &[],
        };
        ensure(netuids.iter().all(|netuid| self.has_stake(who, *netuid)), 1)
    }

    fn check_reveal(&self, who: &Account, call: &Call) -> Result<(), Invalid> {
        let is_ready = |netuid: u16, mechanism: u8, reveal: &Reveal| {
            let hash = commit_hash(who, storage_index(netuid, mechanism), reveal);
            let known = self
                .subnets
                .get(&netuid)
                .and_then(|subnet| subnet.commits.get(&(mechanism, *who)))
                .is_some_and(|commits| commits.iter().any(|commit| commit.hash == hash));
            ensure(known, 16)?;
            match self.find_commit(who, netuid, mechanism, &hash) {
                // Here a commit whose time is over is refused like one that is too early.
                Err(Failure::Module("RevealTooEarly" | "ExpiredWeightCommit")) => {
                    Err(Invalid::Custom(17))
                }
                _ => Ok(()),
            }
        };
        match call {
            Call::Reveal {
                netuid,
                mechanism,
                reveal,
            } => is_ready(*netuid, *mechanism, reveal),
            Call::BatchReveal { netuid, reveals } => reveals
                .iter()
                .flatten()
                .try_for_each(|reveal| is_ready(*netuid, 0, reveal)),
            Call::CommitTimelocked { round, .. } => ensure(*round >= self.last_stored_round, 15),
            _ => Ok(()),
        }
    }

    fn check_rate(&self, who: &Account, call: &Call) -> Result<(), Invalid> {
        let (netuid, mechanism) = match call {
            Call::Commit {
                netuid, mechanism, ..
            } => (*netuid, *mechanism),
            Call::Set {
                netuid, mechanism, ..
            } if !self.has_commit_reveal(*netuid) => (*netuid, *mechanism),
            _ => return Ok(()),
        };
        let in_time = self.subnets.get(&netuid).is_none_or(|subnet| {
            subnet.uid(who).is_none_or(|uid| {
                mechanism < subnet.mechanisms && subnet.in_time(mechanism, uid, self.block)
            })
        });
        ensure(in_time, 6)
    }
}

fn check_lengths(call: &Call) -> Result<(), Invalid> {
    let equal = match call {
        Call::BatchSet {
            netuids,
            weights,
            version_keys,
        } => netuids.len() == weights.len() && netuids.len() == version_keys.len(),
        Call::BatchCommit { netuids, hashes } => netuids.len() == hashes.len(),
        Call::BatchReveal { reveals, .. } => reveals.is_some(),
        _ => true,
    };
    ensure(equal, 18)
}

fn ensure(condition: bool, code: u8) -> Result<(), Invalid> {
    if condition {
        Ok(())
    } else {
        Err(Invalid::Custom(code))
    }
}
