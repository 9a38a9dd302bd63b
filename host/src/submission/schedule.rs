//! When to submit: decided at each block from what the chain says there.
//!
//! A *period* is what lies between two epochs: weights that a block of it takes count for
//! the epoch that ends it. The epoch comes first in its block, so what is in the same
//! block counts for the next. Whatever is decided at block `b` is in block `b + 1` at
//! the earliest, and is decided for the period of that block.
//!
//! Within its period a vector is submitted as late as the margin and the jitter allow, so
//! that it is fresh, or as soon after that as the rate limit allows. What comes after the
//! margin, and before the epoch, is late and still counts.

use crate::chain::epoch::EpochState;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// The longest pause of [`pause_blocks`].
const LONGEST_PAUSE: u64 = 64;

/// More blocks than an epoch is put off because other subnets' come first: the runtime
/// has two in each block.
const MOST_PUT_OFF: u64 = 256;

/// What the operator wants, of section `weights`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Blocks before the end of a period by which the weights are to be on chain. One is
    /// the least that there is.
    pub margin_blocks: u64,
    /// The most blocks by which a submission is brought forward.
    pub jitter_blocks: u64,
    /// Submits anew within a period if the vector has changed by more than this, 0 to 2.
    pub resubmit_above: Option<f64>,
}

/// The last submission that is on chain, or of which it is not known that it is not.
/// What failed is none. Where this host knows of none, the chain's own row, at its
/// `LastUpdate`, may stand for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSubmission {
    /// `SubnetEpochIndex` in the state of that block; 0 if it is not known.
    pub epoch_index: u64,
    /// The block that has it; as long as that is not known, the one after it was sent.
    pub block: u64,
    /// `uids`.
    pub uids: Vec<u16>,
    /// `values`, as many.
    pub values: Vec<u16>,
}

/// What to do at a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// Submit now.
    Submit(Why),
    /// Submit nothing.
    Wait {
        /// The block at which to look again. It may come to another decision before,
        /// since an owner may order an epoch or change the tempo.
        until: u64,
        /// Why.
        why: Wait,
    },
}

/// Why to submit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// The period has none yet.
    Due,
    /// The period has one, and the vector has changed since by this much, 0 to 2.
    Changed(f64),
}

/// Why not to submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It is early in the period.
    Early,
    /// The chain takes nothing of this hotkey yet.
    RateLimit,
    /// The period has one, and the vector has not changed enough.
    Submitted,
    /// The tempo is 0: the subnet has no epochs.
    NoEpochs,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Due => f.write_str("this epoch has none of this hotkey yet"),
            Why::Changed(by) => write!(f, "the vector has changed by {by:.4} in this epoch"),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wait::Early => "it is early in the epoch",
            Wait::RateLimit => "the subnet's rate limit",
            Wait::Submitted => "this epoch has one already",
            Wait::NoEpochs => "the subnet has no epochs: its tempo is 0",
        })
    }
}

/// Blocks of one period: weights in a block from `begins`, before `ends`, count for the
/// epoch in block `ends`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    begins: u64,
    ends: u64,
    /// `SubnetEpochIndex` within it; 0 if it is not known.
    index: u64,
}

impl Period {
    /// That of the block after the one that `epoch` was read at.
    fn of(epoch: &EpochState) -> Option<Period> {
        let lands = epoch.block.saturating_add(1);
        let tempo = u64::from(epoch.tempo);
        let running = Period::running(epoch)?;
        if is_stuck(epoch) {
            let begun = lands.saturating_sub(epoch.last_epoch_block);
            let begins = lands.saturating_sub(begun.checked_rem(tempo)?);
            return Some(Period {
                begins,
                ends: begins.saturating_add(tempo),
                index: 0,
            });
        }
        if running.ends > lands {
            return Some(running);
        }
        Some(Period {
            begins: lands,
            ends: lands.saturating_add(tempo),
            index: match running.index {
                0 => 0,
                index => index.saturating_add(1),
            },
        })
    }

    /// That of the block that `epoch` was read at.
    fn running(epoch: &EpochState) -> Option<Period> {
        Some(Period {
            begins: epoch.last_epoch_block,
            ends: epoch.next_epoch_block()?,
            index: epoch.epoch_index,
        })
    }

    /// Whether `last` is of this period. By its number too, as a new tempo begins the
    /// count of blocks anew without an epoch.
    fn has(&self, last: &LastSubmission) -> bool {
        last.block >= self.begins || (self.index > 0 && last.epoch_index == self.index)
    }

    /// The last block that is not late, one of the period.
    fn deadline(&self, policy: &Policy) -> u64 {
        let margin = policy.margin_blocks.max(1);
        self.ends.saturating_sub(margin).max(self.begins)
    }

    /// The block to be in, by a number that each hotkey has for each period, so that not
    /// all come at once.
    fn target(&self, hotkey: &[u8; 32], policy: &Policy) -> u64 {
        let number = Sha256::new()
            .chain_update(hotkey)
            .chain_update(self.begins.to_le_bytes())
            .finalize();
        let number = number.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
        let jitter = policy
            .jitter_blocks
            .checked_add(1)
            .and_then(|of| number.checked_rem(of))
            .unwrap_or(number);
        self.deadline(policy)
            .saturating_sub(jitter)
            .max(self.begins)
    }
}

/// Whether the runtime runs no epochs of this subnet, or does not tell of them. Then the
/// tempo is kept to without.
fn is_stuck(epoch: &EpochState) -> bool {
    let longest = 2 * u64::from(epoch.tempo) + MOST_PUT_OFF;
    epoch.block.saturating_sub(epoch.last_epoch_block) > longest
}

/// The first block that may take a submission: `rate_limit` after the last one, where
/// registering counts as one for the chain, and none at all is 0.
fn earliest(rate_limit: u64, last_update: u64, last: Option<&LastSubmission>) -> u64 {
    match last_update.max(last.map_or(0, |last| last.block)) {
        0 => 0,
        last => last.saturating_add(rate_limit),
    }
}

/// What to do at the block that `epoch` was read at, the head of the chain if possible.
/// `rate_limit` is `WeightsSetRateLimit` and `last_update` the hotkey's `LastUpdate`,
/// both in blocks; `vector` is what would be submitted, its uids and their values. To be
/// asked while it is known what became of all that was sent before.
///
/// Once per period, or again if the vector has changed enough; never within the rate
/// limit; before the margin if the rate limit allows it. Does not know what failed: ask
/// [`pause_blocks`].
#[must_use]
pub fn decide(
    epoch: &EpochState,
    rate_limit: u64,
    last_update: u64,
    last: Option<&LastSubmission>,
    vector: (&[u16], &[u16]),
    hotkey: &[u8; 32],
    policy: &Policy,
) -> Decision {
    let lands = epoch.block.saturating_add(1);
    let (Some(period), Some(running)) = (Period::of(epoch), Period::running(epoch)) else {
        return Decision::Wait {
            until: lands,
            why: Wait::NoEpochs,
        };
    };
    // The epoch that is due may be put off, and the running period get two.
    let due = period.begins == lands && !is_stuck(epoch);
    if due && last.is_some_and(|last| running.has(last)) {
        return Decision::Wait {
            until: lands,
            why: Wait::Submitted,
        };
    }
    let why = match last.filter(|last| period.has(last)) {
        None => Why::Due,
        Some(last) => {
            let by = change((&last.uids, &last.values), vector);
            if policy.resubmit_above.is_none_or(|above| by <= above) {
                return Decision::Wait {
                    until: period.ends.saturating_sub(1).max(lands),
                    why: Wait::Submitted,
                };
            }
            Why::Changed(by)
        }
    };
    let target = period.target(hotkey, policy);
    let earliest = earliest(rate_limit, last_update, last);
    let when = target.max(earliest);
    if lands >= when {
        return Decision::Submit(why);
    }
    Decision::Wait {
        until: when.saturating_sub(1),
        why: if earliest > target {
            Wait::RateLimit
        } else {
            Wait::Early
        },
    }
}

/// Whether a period ended without this hotkey's weights, or is within its margin without
/// them, though the rate limit would have let them in. Arguments as of [`decide`].
/// Ends with the next submission.
#[must_use]
pub fn is_late(
    epoch: &EpochState,
    rate_limit: u64,
    last_update: u64,
    last: Option<&LastSubmission>,
    policy: &Policy,
) -> bool {
    let Some(period) = Period::of(epoch) else {
        return false;
    };
    if last.is_some_and(|last| period.has(last)) {
        return false;
    }
    let deadline = period.deadline(policy);
    let in_margin = epoch.block >= deadline.max(period.begins.saturating_add(1))
        && earliest(rate_limit, last_update, last) <= deadline;
    // Registering counts, so that a new hotkey is not late for periods before it.
    let reference = last_update.max(last.map_or(0, |last| last.block));
    let possible = rate_limit.saturating_add(policy.margin_blocks);
    let missed =
        reference > 0 && reference.saturating_add(possible.max(epoch.tempo.into())) < period.begins;
    in_margin || missed
}

/// Blocks to wait after so many failures in a row, of which the chain does not say when
/// it would be otherwise: 1, 2, 4 and so on to 64; none after none.
#[must_use]
pub fn pause_blocks(failures: u32) -> u64 {
    match failures.checked_sub(1) {
        None => 0,
        Some(before) => 1_u64
            .checked_shl(before)
            .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE)),
    }
}

/// How much two vectors differ, uids and their values each: the sum of all differences
/// of their parts of the whole, 0 to 2. A vector of nothing differs from any other by 2.
#[must_use]
pub fn change(a: (&[u16], &[u16]), b: (&[u16], &[u16])) -> f64 {
    let parts = |(uids, values): (&[u16], &[u16])| {
        let sum: f64 = uids.iter().zip(values).map(|(_, v)| f64::from(*v)).sum();
        let mut parts = BTreeMap::new();
        for (uid, value) in uids.iter().zip(values).filter(|(_, v)| **v > 0) {
            *parts.entry(*uid).or_insert(0.0) += f64::from(*value) / sum;
        }
        parts
    };
    let (a, mut b) = (parts(a), parts(b));
    if a.is_empty() != b.is_empty() {
        return 2.0;
    }
    let mut change = 0.0;
    for (uid, part) in a {
        change += f64::abs(part - b.remove(&uid).unwrap_or(0.0));
    }
    change += b.values().sum::<f64>();
    change.min(2.0)
}

#[cfg(test)]
mod tests;
