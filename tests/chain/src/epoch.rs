//! The start of a block: timelocked weights are opened, and epochs begin.
//! Source: subtensor spec 425, `coinbase/{block_step,reveal_commits,run_coinbase}.rs`.

use std::collections::VecDeque;

use crate::drand;
use crate::runtime::Rules;
use crate::state::{State, storage_index};
use crate::value::{bytes, number};
use crate::weights::Weights;

impl State {
    /// What the runtime does before the extrinsics of this state's block.
    pub(crate) fn begin_block(&mut self) {
        let netuids: Vec<u16> = self
            .subnets
            .keys()
            .copied()
            .filter(|&one| one != 0)
            .collect();
        let rules = self.runtime.rules();
        let block = self.block;
        let due: Vec<u16> = netuids
            .iter()
            .copied()
            .filter(|netuid| self.subnet(*netuid).runs_epoch(*netuid, block, rules))
            .collect();
        let limit = match rules {
            Rules::V365 => due.len(),
            Rules::V425 => self.max_epochs_per_block.min(due.len()),
        };
        let (runs, deferred) = due.split_at(limit);
        for netuid in netuids.iter().filter(|netuid| !deferred.contains(netuid)) {
            self.open_timelocked(*netuid);
        }
        for netuid in netuids {
            self.subnet(netuid).blocks_since_last_step += 1;
        }
        for netuid in runs {
            let subnet = self.subnet(*netuid);
            subnet.blocks_since_last_step = 0;
            subnet.last_epoch_block = block;
            subnet.pending_epoch_at = 0;
            subnet.epoch_index += 1;
        }
        for netuid in deferred {
            self.subnet(*netuid).pending_epoch_at = block + 1;
        }
    }

    fn open_timelocked(&mut self, netuid: u16) {
        let (block, rules) = (self.block, self.runtime.rules());
        let subnet = self.subnet(netuid);
        let epoch = subnet.epoch(netuid, block, rules);
        let Some(of) = epoch.checked_sub(subnet.reveal_period) else {
            return;
        };
        for mechanism in 0..subnet.mechanisms {
            let subnet = self.subnet(netuid);
            subnet
                .timelocked
                .retain(|(one, epoch), _| *one != mechanism || *epoch >= of);
            let Some(commits) = subnet.timelocked.remove(&(mechanism, of)) else {
                continue;
            };
            let mut waiting = VecDeque::new();
            for commit in commits {
                // Without the round, the next block of the epoch tries again. Every other
                // failure drops the commit without a word, as the runtime does.
                let Some(signature) = self.pulses.get(&commit.round).cloned() else {
                    waiting.push_back(commit);
                    continue;
                };
                let who = commit.account;
                let Some(opened) = drand::open(&who, &commit.commit, &signature) else {
                    continue;
                };
                let weights = Weights {
                    netuid,
                    mechanism,
                    uids: &opened.uids,
                    values: &opened.values,
                    version_key: opened.version_key,
                };
                if self.set_weights(&who, &weights, None).is_ok() {
                    let index = number(storage_index(netuid, mechanism));
                    self.deposit(None, "TimelockedWeightsRevealed", vec![index, bytes(who)]);
                }
            }
            if !waiting.is_empty() {
                self.subnet(netuid)
                    .timelocked
                    .insert((mechanism, of), waiting);
            }
        }
    }
}
