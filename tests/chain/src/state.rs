//! What the simulated chain knows at a block.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::event::Event;
use crate::runtime::{Rules, Runtime};

/// The public key of an account.
pub type Account = [u8; 32];

/// What the chain knows at a block. Tests may change any of it.
#[derive(Debug, Clone)]
pub struct State {
    /// The number of the block.
    pub block: u64,
    /// The time of the block, in milliseconds since 1970.
    pub now_ms: u64,
    /// The subnets, by netuid.
    pub subnets: BTreeMap<u16, Subnet>,
    /// The next nonce of each account; 0 of those that are not here.
    pub nonces: BTreeMap<Account, u32>,
    /// `TaoWeight`, in parts of 2^64 - 1.
    pub tao_weight: u64,
    /// `StakeThreshold`, in rao.
    pub stake_threshold: u64,
    /// `CommitRevealWeightsVersion`.
    pub commit_reveal_version: u16,
    /// `MaxEpochsPerBlock`; the rest of what is due is deferred by a block.
    pub max_epochs_per_block: usize,
    /// The signatures of rounds of drand that the chain has.
    pub pulses: BTreeMap<u64, Vec<u8>>,
    /// The last round that the chain has, `LastStoredRound`: timelocked commits of
    /// rounds before it are refused.
    pub last_stored_round: u64,
    /// Entries of storage that are other than the rest of this says, by encoded key;
    /// `None` is an entry that is not there.
    pub storage: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What happened in the block.
    pub events: Vec<Event>,
    /// The code that the chain runs from the next block on.
    pub runtime: Runtime,
}

/// A subnet.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// `Tempo`, in blocks.
    pub tempo: u16,
    /// `LastEpochBlock`.
    pub last_epoch_block: u64,
    /// `PendingEpochAt`; 0 is none.
    pub pending_epoch_at: u64,
    /// `SubnetEpochIndex`.
    pub epoch_index: u64,
    /// `BlocksSinceLastStep`.
    pub blocks_since_last_step: u64,
    /// `WeightsSetRateLimit`, in blocks.
    pub weights_rate_limit: u64,
    /// `WeightsVersionKey`; 0 is any.
    pub weights_version: u64,
    /// `MinAllowedWeights`.
    pub min_allowed_weights: u16,
    /// `MaxWeightsLimit`. Only a value under 65535 is checked, as older runtimes did.
    pub max_weight_limit: u16,
    /// `CommitRevealWeightsEnabled`.
    pub commit_reveal: bool,
    /// `RevealPeriodEpochs`.
    pub reveal_period: u64,
    /// `MechanismCountCurrent`.
    pub mechanisms: u8,
    /// `SubnetOwnerHotkey`.
    pub owner_hotkey: Account,
    /// `SubnetOwner`, a coldkey.
    pub owner_coldkey: Account,
    /// `MaxAllowedUids`.
    pub max_uids: u16,
    /// The neurons; the place of each is its uid.
    pub neurons: Vec<Neuron>,
    /// `LastUpdate` of mechanisms other than 0, by mechanism and uid.
    pub last_updates: BTreeMap<(u8, u16), u64>,
    /// `Weights`, by mechanism and uid.
    pub weights: BTreeMap<(u8, u16), Vec<(u16, u16)>>,
    /// `WeightCommits`, by mechanism and hotkey.
    pub commits: BTreeMap<(u8, Account), VecDeque<Commit>>,
    /// `TimelockedWeightCommits`, by mechanism and epoch.
    pub timelocked: BTreeMap<(u8, u64), VecDeque<Timelocked>>,
    /// How long `LastUpdate` and `ValidatorPermit` are in storage, where it is less than
    /// the number of neurons.
    pub vector_length: Option<usize>,
}

/// A neuron.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neuron {
    /// The hotkey.
    pub hotkey: Account,
    /// The coldkey.
    pub coldkey: Account,
    /// Stake in the subnet's alpha, in rao.
    pub alpha_stake: u64,
    /// Stake on the root network, in rao.
    pub tao_stake: u64,
    /// `ValidatorPermit`.
    pub validator_permit: bool,
    /// `LastUpdate` of mechanism 0; 0 is never.
    pub last_update: u64,
    /// `BlockAtRegistration`.
    pub registered_at: u64,
    /// Where it serves, as in `Axons`; `None` if it does not.
    pub axon: Option<SocketAddr>,
}

/// A hash of weights that waits to be revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// The hash.
    pub hash: [u8; 32],
    /// The epoch that it was made in.
    pub epoch: u64,
    /// The block that it was made in.
    pub block: u64,
}

/// Encrypted weights that wait for a round of drand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timelocked {
    /// The hotkey.
    pub account: Account,
    /// The block that it was made in.
    pub block: u64,
    /// What is encrypted.
    pub commit: Vec<u8>,
    /// The round.
    pub round: u64,
}

impl State {
    /// A chain without subnets, at a block. Defaults are those of the runtime.
    #[must_use]
    pub fn new(runtime: Runtime, block: u64, now_ms: u64) -> Self {
        Self {
            block,
            now_ms,
            subnets: BTreeMap::new(),
            nonces: BTreeMap::new(),
            tao_weight: 971_718_665_099_567_868,
            stake_threshold: 0,
            commit_reveal_version: 4,
            max_epochs_per_block: 2,
            pulses: BTreeMap::new(),
            last_stored_round: 0,
            storage: BTreeMap::new(),
            events: Vec::new(),
            runtime,
        }
    }

    /// A subnet.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn subnet(&mut self, netuid: u16) -> &mut Subnet {
        self.subnets
            .get_mut(&netuid)
            .unwrap_or_else(|| panic!("there is no subnet {netuid}"))
    }

    /// Makes the signature of a round of drand known, and its number the last one.
    pub fn publish(&mut self, round: u64, signature: &[u8]) {
        self.pulses.insert(round, signature.to_vec());
        self.last_stored_round = self.last_stored_round.max(round);
    }

    /// The nonce that the next extrinsic of an account must have in a block.
    #[must_use]
    pub fn nonce(&self, account: &Account) -> u32 {
        self.nonces.get(account).copied().unwrap_or_default()
    }

    /// What a neuron's stake weighs: alpha, and tao times its weight.
    pub(crate) fn total_stake(&self, neuron: &Neuron) -> u64 {
        let tao = u128::from(neuron.tao_stake) * u128::from(self.tao_weight) / u128::from(u64::MAX);
        neuron
            .alpha_stake
            .saturating_add(u64::try_from(tao).unwrap_or(u64::MAX))
    }
}

impl Subnet {
    /// A subnet with these neurons and the runtime's defaults: commit and reveal is on,
    /// the rate limit is 100 blocks, and all uids are asked for.
    #[must_use]
    pub fn new(tempo: u16, neurons: Vec<Neuron>) -> Self {
        Self {
            tempo,
            last_epoch_block: 0,
            pending_epoch_at: 0,
            epoch_index: 0,
            blocks_since_last_step: 0,
            weights_rate_limit: 100,
            weights_version: 0,
            min_allowed_weights: 1_024,
            max_weight_limit: u16::MAX,
            commit_reveal: true,
            reveal_period: 1,
            mechanisms: 1,
            owner_hotkey: [0; 32],
            owner_coldkey: [0; 32],
            max_uids: 256,
            neurons,
            last_updates: BTreeMap::new(),
            weights: BTreeMap::new(),
            commits: BTreeMap::new(),
            timelocked: BTreeMap::new(),
            vector_length: None,
        }
    }

    /// The uid of a hotkey.
    #[must_use]
    pub fn uid(&self, hotkey: &Account) -> Option<u16> {
        let place = self.neurons.iter().position(|one| one.hotkey == *hotkey)?;
        u16::try_from(place).ok()
    }

    /// The neuron of a uid.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn neuron(&mut self, uid: u16) -> &mut Neuron {
        self.neurons
            .get_mut(usize::from(uid))
            .unwrap_or_else(|| panic!("there is no uid {uid}"))
    }

    /// Registers a hotkey at the next uid, or at one that another has.
    pub fn register(&mut self, uid: Option<u16>, hotkey: Account, block: u64) -> u16 {
        let neuron = Neuron {
            registered_at: block,
            last_update: block,
            ..Neuron::miner(hotkey)
        };
        match uid {
            Some(uid) => {
                *self.neuron(uid) = neuron;
                uid
            }
            None => {
                self.neurons.push(neuron);
                self.len() - 1
            }
        }
    }

    /// `LastUpdate` of a uid; 0 where there is none.
    #[must_use]
    pub fn last_update(&self, mechanism: u8, uid: u16) -> u64 {
        let of_mechanism = || self.last_updates.get(&(mechanism, uid)).copied();
        let of_neuron = || {
            self.neurons
                .get(usize::from(uid))
                .map(|one| one.last_update)
        };
        let stored = self
            .vector_length
            .is_none_or(|length| usize::from(uid) < length);
        match mechanism {
            0 if stored => of_neuron().unwrap_or_default(),
            0 => 0,
            _ => of_mechanism().unwrap_or_default(),
        }
    }

    pub(crate) fn set_last_update(&mut self, mechanism: u8, uid: u16, block: u64) {
        if mechanism == 0 {
            self.neuron(uid).last_update = block;
        } else {
            self.last_updates.insert((mechanism, uid), block);
        }
    }

    pub(crate) fn has_permit(&self, uid: u16) -> bool {
        let stored = self
            .vector_length
            .is_none_or(|length| usize::from(uid) < length);
        stored
            && self
                .neurons
                .get(usize::from(uid))
                .is_some_and(|one| one.validator_permit)
    }

    /// How many neurons there are.
    pub(crate) fn len(&self) -> u16 {
        u16::try_from(self.neurons.len()).unwrap_or(u16::MAX)
    }

    /// Whether an epoch begins in this block, if this is the block being made.
    #[must_use]
    pub fn runs_epoch(&self, netuid: u16, block: u64, rules: Rules) -> bool {
        match rules {
            _ if self.tempo == 0 => false,
            Rules::V365 => self.position(netuid, block).1 == u64::from(self.tempo),
            Rules::V425 => {
                (self.pending_epoch_at > 0 && block >= self.pending_epoch_at)
                    || self.blocks_since_last_step > 50_400
                    || block.saturating_sub(self.last_epoch_block) >= u64::from(self.tempo)
            }
        }
    }

    /// The epoch that what happens in this block belongs to: by the number of the block,
    /// or the counter, and one more where an epoch begins in this block.
    #[must_use]
    pub fn epoch(&self, netuid: u16, block: u64, rules: Rules) -> u64 {
        match rules {
            Rules::V365 => self.position(netuid, block).0,
            Rules::V425 => self.epoch_index + u64::from(self.runs_epoch(netuid, block, rules)),
        }
    }

    /// The epoch that a timelocked commit belongs to. By the number of the block an
    /// epoch begins in its last one, and there the commit already counts for the next.
    pub(crate) fn timelock_epoch(&self, netuid: u16, block: u64, rules: Rules) -> u64 {
        let epoch = self.epoch(netuid, block, rules);
        match rules {
            Rules::V365 => epoch + u64::from(self.runs_epoch(netuid, block, rules)),
            Rules::V425 => epoch,
        }
    }

    /// The first block of an epoch by the number of the block.
    pub(crate) fn first_block(&self, netuid: u16, epoch: u64) -> u64 {
        (epoch * (u64::from(self.tempo) + 1)).saturating_sub(u64::from(netuid) + 1)
    }

    /// The epoch of a block by its number, and how far into it the block is.
    fn position(&self, netuid: u16, block: u64) -> (u64, u64) {
        let length = u64::from(self.tempo) + 1;
        let from = block + u64::from(netuid) + 1;
        (from / length, from % length)
    }
}

impl Neuron {
    /// A neuron without stake and permit, registered in block 1.
    #[must_use]
    pub fn miner(hotkey: Account) -> Self {
        Self {
            hotkey,
            coldkey: [0xc0; 32],
            alpha_stake: 0,
            tao_stake: 0,
            validator_permit: false,
            last_update: 0,
            registered_at: 1,
            axon: None,
        }
    }

    /// A neuron with stake, in rao of alpha, and a permit.
    #[must_use]
    pub fn validator(hotkey: Account, alpha_stake: u64) -> Self {
        Self {
            alpha_stake,
            validator_permit: true,
            ..Self::miner(hotkey)
        }
    }
}

/// Where the runtime stores what belongs to a mechanism of a subnet.
pub(crate) fn storage_index(netuid: u16, mechanism: u8) -> u16 {
    u16::from(mechanism)
        .saturating_mul(4_096)
        .saturating_add(netuid)
}
