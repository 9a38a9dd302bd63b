//! What the calls that set weights do, with the checks of the pallet in its order.
//! Source: subtensor spec 425, `pallets/subtensor/src/subnets/weights.rs`.

use crate::call::Call;
use crate::event::{Event, Failure, dispatch_error};
use crate::runtime::Rules;
use crate::state::{Account, State, Subnet, storage_index};
use crate::value::{Value, bytes, list, number};

pub(crate) type Outcome = Result<(), Failure>;

pub(crate) fn ensure(condition: bool, error: &'static str) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(Failure::Module(error))
    }
}

/// A set of weights, before it is checked.
pub(crate) struct Weights<'a> {
    pub(crate) netuid: u16,
    pub(crate) mechanism: u8,
    pub(crate) uids: &'a [u16],
    pub(crate) values: &'a [u16],
    pub(crate) version_key: u64,
}

impl State {
    /// Does what a call says, in the block of this state. What fails changes nothing.
    pub(crate) fn dispatch(&mut self, who: &Account, call: &Call, extrinsic: u32) -> Outcome {
        let mut changed = self.clone();
        changed.carry_out(who, call, Some(extrinsic))?;
        *self = changed;
        Ok(())
    }

    fn carry_out(&mut self, who: &Account, call: &Call, at: Option<u32>) -> Outcome {
        match call {
            Call::Remark => Ok(()),
            Call::Other { .. } => Err(Failure::BadOrigin),
            Call::Set {
                netuid,
                mechanism,
                uids,
                values,
                version_key,
            } => {
                ensure(!self.has_commit_reveal(*netuid), "CommitRevealEnabled")?;
                let weights = Weights {
                    netuid: *netuid,
                    mechanism: *mechanism,
                    uids,
                    values,
                    version_key: *version_key,
                };
                self.set_weights(who, &weights, at)
            }
            Call::Commit {
                netuid,
                mechanism,
                hash,
            } => self.commit(who, *netuid, *mechanism, *hash, at),
            Call::Reveal {
                netuid,
                mechanism,
                reveal,
            } => self.reveal(who, *netuid, *mechanism, reveal, at),
            Call::CommitTimelocked {
                netuid,
                mechanism,
                commit,
                round,
                version,
            } => self.commit_timelocked(who, *netuid, *mechanism, commit, *round, *version, at),
            Call::BatchSet {
                netuids,
                weights,
                version_keys,
            } => {
                ensure(
                    weights.len() == netuids.len() && version_keys.len() == netuids.len(),
                    "InputLengthsUnequal",
                )?;
                let rows = netuids.iter().zip(weights).zip(version_keys);
                let results: Vec<_> = rows
                    .map(|((&netuid, row), &version_key)| {
                        let (uids, values): (Vec<u16>, Vec<u16>) = row.iter().copied().unzip();
                        let call = Call::Set {
                            netuid,
                            mechanism: 0,
                            uids,
                            values,
                            version_key,
                        };
                        (netuid, self.carry_out(who, &call, at))
                    })
                    .collect();
                self.end_batch(who, &results, at);
                Ok(())
            }
            Call::BatchCommit { netuids, hashes } => {
                ensure(netuids.len() == hashes.len(), "InputLengthsUnequal")?;
                let results: Vec<_> = netuids
                    .iter()
                    .zip(hashes)
                    .map(|(&netuid, &hash)| (netuid, self.commit(who, netuid, 0, hash, at)))
                    .collect();
                self.end_batch(who, &results, at);
                Ok(())
            }
            Call::BatchReveal { netuid, reveals } => {
                let Some(reveals) = reveals else {
                    return Err(Failure::Module("InputLengthsUnequal"));
                };
                self.batch_reveal(who, *netuid, reveals, at)
            }
        }
    }

    /// Checks weights as the pallet does, and stores them.
    pub(crate) fn set_weights(
        &mut self,
        who: &Account,
        weights: &Weights<'_>,
        at: Option<u32>,
    ) -> Outcome {
        let &Weights {
            netuid,
            mechanism,
            uids,
            values,
            version_key,
        } = weights;
        ensure(netuid != 0, "CanNotSetRootNetworkWeights")?;
        ensure(uids.len() == values.len(), "WeightVecNotEqualSize")?;
        self.ensure_mechanism(netuid, mechanism)?;
        let (block, rules) = (self.block, self.runtime.rules());
        let enough_stake = self.has_stake(who, netuid);
        let subnet = self.subnet(netuid);
        let size = usize::from(subnet.len());
        ensure(uids.len() <= size, "UidsLengthExceedUidsInSubNet")?;
        let Some(uid) = subnet.uid(who) else {
            return Err(Failure::Module("HotKeyNotRegisteredInSubNet"));
        };
        ensure(enough_stake, "NotEnoughStakeToSetWeights")?;
        ensure(
            subnet.weights_version == 0 || version_key >= subnet.weights_version,
            "IncorrectWeightVersionKey",
        )?;
        if !subnet.commit_reveal {
            ensure(
                subnet.in_time(mechanism, uid, block),
                "SettingWeightsTooFast",
            )?;
        }
        let is_self = values.len() == 1 && uids.first() == Some(&uid);
        ensure(
            is_self || subnet.has_permit(uid) || (rules == Rules::V425 && subnet.is_owner(uid)),
            "NeuronNoValidatorPermit",
        )?;
        let distinct = uids.iter().collect::<std::collections::BTreeSet<_>>();
        ensure(distinct.len() == uids.len(), "DuplicateUids")?;
        ensure(
            uids.iter().all(|uid| usize::from(*uid) < size),
            "UidVecContainInvalidOne",
        )?;
        let least = usize::from(subnet.min_allowed_weights).min(size);
        ensure(is_self || values.len() >= least, "WeightVecLengthIsLow")?;
        let stored = upscaled(values);
        ensure(
            is_self || is_within(&stored, subnet.max_weight_limit),
            "MaxWeightExceeded",
        )?;
        let row = uids.iter().copied().zip(stored).collect();
        subnet.weights.insert((mechanism, uid), row);
        if !subnet.commit_reveal {
            subnet.set_last_update(mechanism, uid, block);
        }
        let index = number(storage_index(netuid, mechanism));
        self.deposit(at, "WeightsSet", vec![index, number(uid)]);
        Ok(())
    }

    fn end_batch(&mut self, who: &Account, results: &[(u16, Outcome)], at: Option<u32>) {
        let failed: Vec<_> = results
            .iter()
            .filter_map(|(netuid, result)| Some((*netuid, result.err()?)))
            .collect();
        if !failed.is_empty() {
            self.deposit(at, "BatchCompletedWithErrors", Vec::new());
        }
        for (netuid, failure) in failed {
            let error = dispatch_error(failure, self.runtime.metadata());
            self.deposit(at, "BatchWeightItemFailed", vec![number(netuid), error]);
        }
        let netuids = list(results.iter().map(|(netuid, _)| number(*netuid)));
        self.deposit(at, "BatchWeightsCompleted", vec![netuids, bytes(who)]);
    }

    pub(crate) fn deposit(&mut self, at: Option<u32>, name: &'static str, fields: Vec<Value>) {
        self.events.push(Event {
            extrinsic: at,
            pallet: "SubtensorModule",
            name,
            fields,
        });
    }

    pub(crate) fn has_commit_reveal(&self, netuid: u16) -> bool {
        self.subnets
            .get(&netuid)
            .is_none_or(|subnet| subnet.commit_reveal)
    }

    pub(crate) fn ensure_mechanism(&self, netuid: u16, mechanism: u8) -> Outcome {
        let exists = self
            .subnets
            .get(&netuid)
            .is_some_and(|subnet| mechanism < subnet.mechanisms);
        ensure(exists, "MechanismDoesNotExist")
    }

    /// Whether the stake of a hotkey is enough to set weights. The owner's always is.
    pub(crate) fn has_stake(&self, who: &Account, netuid: u16) -> bool {
        let neuron = self.subnets.get(&netuid).and_then(|subnet| {
            let uid = subnet.uid(who)?;
            Some((subnet, uid, subnet.neurons.get(usize::from(uid))?))
        });
        match neuron {
            Some((subnet, uid, _)) if subnet.is_owner(uid) => true,
            Some((_, _, neuron)) => self.total_stake(neuron) >= self.stake_threshold,
            None => self.stake_threshold == 0,
        }
    }
}

impl Subnet {
    /// Whether the rate limit lets a uid set or commit weights in this block.
    pub(crate) fn in_time(&self, mechanism: u8, uid: u16, block: u64) -> bool {
        let last = self.last_update(mechanism, uid);
        last == 0 || block.saturating_sub(last) >= self.weights_rate_limit
    }

    pub(crate) fn is_owner(&self, uid: u16) -> bool {
        self.uid(&self.owner_hotkey) == Some(uid)
    }
}

/// Weights as they are stored: unchanged if the maximum is 65535 or 0, else in its
/// proportion. In the fixed point of the runtime, 32 bits before and after the point,
/// which takes the quotient first where the product might not fit.
fn upscaled(values: &[u16]) -> Vec<u16> {
    let whole = u64::from(u16::MAX);
    let max = u64::from(values.iter().copied().max().unwrap_or_default());
    values
        .iter()
        .map(|value| u64::from(*value))
        .map(|value| match max {
            0 => 0,
            1..=32_768 => round(((value * whole) << 32) / max),
            _ => round((whole << 32) / max * value),
        })
        .collect()
}

/// A number with 32 bits after the point, to the nearest whole one.
fn round(fixed: u64) -> u16 {
    u16::try_from((fixed + (1 << 31)) >> 32).unwrap_or(u16::MAX)
}

/// Whether no weight has more than this part, in 65535ths, of the sum.
fn is_within(values: &[u16], limit: u16) -> bool {
    let sum: u64 = values.iter().map(|value| u64::from(*value)).sum();
    limit == u16::MAX
        || values
            .iter()
            .all(|value| u64::from(*value) * u64::from(u16::MAX) <= u64::from(limit) * sum)
}
