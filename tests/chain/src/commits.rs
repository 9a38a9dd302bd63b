//! Commits of weights, and their reveal.
//! Source: subtensor spec 425, `pallets/subtensor/src/subnets/weights.rs`.

use parity_scale_codec::Encode;
use sp_crypto_hashing::blake2_256;

use crate::call::Reveal;
use crate::event::Failure;
use crate::runtime::Rules;
use crate::state::{Account, Commit, State, Subnet, Timelocked, storage_index};
use crate::value::{bytes, list, number};
use crate::weights::{Outcome, Weights, ensure};

/// The most commits that wait of a hotkey.
const MAX_COMMITS: usize = 10;

impl State {
    pub(crate) fn commit(
        &mut self,
        who: &Account,
        netuid: u16,
        mechanism: u8,
        hash: [u8; 32],
        at: Option<u32>,
    ) -> Outcome {
        self.ensure_mechanism(netuid, mechanism)?;
        let (block, rules) = (self.block, self.runtime.rules());
        let subnet = self.subnet(netuid);
        let uid = subnet.ready_to_commit(who, mechanism, block, || Ok(()))?;
        let epoch = subnet.epoch(netuid, block, rules);
        let period = subnet.reveal_period;
        let commits = subnet.commits.entry((mechanism, *who)).or_default();
        while commits
            .front()
            .is_some_and(|one| epoch > one.epoch + period)
        {
            commits.pop_front();
        }
        ensure(commits.len() < MAX_COMMITS, "TooManyUnrevealedCommits")?;
        commits.push_back(Commit { hash, epoch, block });
        subnet.set_last_update(mechanism, uid, block);
        let index = number(storage_index(netuid, mechanism));
        self.deposit(at, "WeightsCommitted", vec![bytes(who), index, bytes(hash)]);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "those of the call")]
    pub(crate) fn commit_timelocked(
        &mut self,
        who: &Account,
        netuid: u16,
        mechanism: u8,
        commit: &[u8],
        round: u64,
        version: Option<u16>,
        at: Option<u32>,
    ) -> Outcome {
        self.ensure_mechanism(netuid, mechanism)?;
        let (block, rules) = (self.block, self.runtime.rules());
        let known = self.commit_reveal_version;
        let subnet = self.subnet(netuid);
        let uid = subnet.ready_to_commit(who, mechanism, block, || {
            ensure(
                version.is_none_or(|version| version == known),
                "IncorrectCommitRevealVersion",
            )
        })?;
        let epoch = subnet.timelock_epoch(netuid, block, rules);
        let commits = subnet.timelocked.entry((mechanism, epoch)).or_default();
        let waiting = commits.iter().filter(|one| one.account == *who).count();
        ensure(waiting < MAX_COMMITS, "TooManyUnrevealedCommits")?;
        commits.push_back(Timelocked {
            account: *who,
            block,
            commit: commit.to_vec(),
            round,
        });
        subnet.set_last_update(mechanism, uid, block);
        let fields = vec![
            bytes(who),
            number(storage_index(netuid, mechanism)),
            bytes(blake2_256(commit)),
            number(round),
        ];
        self.deposit(at, "TimelockedWeightsCommitted", fields);
        Ok(())
    }

    pub(crate) fn reveal(
        &mut self,
        who: &Account,
        netuid: u16,
        mechanism: u8,
        reveal: &Reveal,
        at: Option<u32>,
    ) -> Outcome {
        ensure(self.has_commit_reveal(netuid), "CommitRevealDisabled")?;
        let hash = commit_hash(who, storage_index(netuid, mechanism), reveal);
        let place = self.find_commit(who, netuid, mechanism, &hash)?;
        let subnet = self.subnet(netuid);
        if let Some(commits) = subnet.commits.get_mut(&(mechanism, *who)) {
            commits.drain(..=place);
            if commits.is_empty() {
                subnet.commits.remove(&(mechanism, *who));
            }
        }
        self.set_weights(who, &reveal.weights(netuid, mechanism), at)?;
        let index = number(storage_index(netuid, mechanism));
        self.deposit(at, "WeightsRevealed", vec![bytes(who), index, bytes(hash)]);
        Ok(())
    }

    pub(crate) fn batch_reveal(
        &mut self,
        who: &Account,
        netuid: u16,
        reveals: &[Reveal],
        at: Option<u32>,
    ) -> Outcome {
        ensure(self.has_commit_reveal(netuid), "CommitRevealDisabled")?;
        let hashes: Vec<_> = reveals
            .iter()
            .map(|reveal| commit_hash(who, netuid, reveal))
            .collect();
        for hash in &hashes {
            // Without any commit left, the pallet's search finds none.
            self.find_commit(who, netuid, 0, hash)
                .map_err(|error| match error {
                    Failure::Module("NoWeightsCommitFound") if self.has_commits(who, netuid) => {
                        Failure::Module("InvalidRevealCommitHashNotMatch")
                    }
                    error => error,
                })?;
        }
        for (reveal, hash) in reveals.iter().zip(&hashes) {
            let place = self.find_commit(who, netuid, 0, hash)?;
            if let Some(commits) = self.subnet(netuid).commits.get_mut(&(0, *who)) {
                commits.remove(place);
            }
            self.set_weights(who, &reveal.weights(netuid, 0), at)?;
        }
        self.subnet(netuid)
            .commits
            .retain(|_, commits| !commits.is_empty());
        let hashes = list(hashes.iter().map(bytes));
        self.deposit(
            at,
            "WeightsBatchRevealed",
            vec![bytes(who), number(netuid), hashes],
        );
        Ok(())
    }

    /// Where a commit is among those that wait, if it may be revealed now.
    pub(crate) fn find_commit(
        &self,
        who: &Account,
        netuid: u16,
        mechanism: u8,
        hash: &[u8; 32],
    ) -> Result<usize, Failure> {
        let none = Failure::Module("NoWeightsCommitFound");
        let subnet = self.subnets.get(&netuid).ok_or(none)?;
        let commits = subnet.commits.get(&(mechanism, *who)).ok_or(none)?;
        let epoch = subnet.epoch(netuid, self.block, self.runtime.rules());
        let is_expired = |commit: &Commit| epoch > commit.epoch + subnet.reveal_period;
        let expired = commits.iter().take_while(|one| is_expired(one)).count();
        let place = commits
            .iter()
            .skip(expired)
            .position(|one| one.hash == *hash);
        match place.and_then(|place| Some((place + expired, commits.get(place + expired)?))) {
            Some((place, commit)) => {
                ensure(
                    epoch == commit.epoch + subnet.reveal_period,
                    "RevealTooEarly",
                )?;
                Ok(place)
            }
            None if commits.iter().take(expired).any(|one| one.hash == *hash) => {
                Err(Failure::Module("ExpiredWeightCommit"))
            }
            None if expired == commits.len() => Err(none),
            None => Err(Failure::Module("InvalidRevealCommitHashNotMatch")),
        }
    }

    fn has_commits(&self, who: &Account, netuid: u16) -> bool {
        self.subnets
            .get(&netuid)
            .is_some_and(|subnet| subnet.commits.contains_key(&(0, *who)))
    }
}

impl Subnet {
    fn ready_to_commit(
        &self,
        who: &Account,
        mechanism: u8,
        block: u64,
        version: impl FnOnce() -> Outcome,
    ) -> Result<u16, Failure> {
        ensure(self.commit_reveal, "CommitRevealDisabled")?;
        version()?;
        let uid = self
            .uid(who)
            .ok_or(Failure::Module("HotKeyNotRegisteredInSubNet"))?;
        ensure(
            self.in_time(mechanism, uid, block),
            "CommittingWeightsTooFast",
        )?;
        Ok(uid)
    }

    /// The tuple of `WeightCommits`: the epoch and the block of the commit, or, where
    /// epochs go by the number of the block, the block and the first and last one of
    /// the reveal.
    pub(crate) fn commit_tuple(&self, netuid: u16, commit: &Commit, rules: Rules) -> [u64; 3] {
        match rules {
            Rules::V425 => [commit.epoch, commit.block, 0],
            Rules::V365 => {
                let first = self.first_block(netuid, commit.epoch + self.reveal_period);
                [commit.block, first, first + u64::from(self.tempo)]
            }
        }
    }
}

impl Reveal {
    fn weights(&self, netuid: u16, mechanism: u8) -> Weights<'_> {
        Weights {
            netuid,
            mechanism,
            uids: &self.uids,
            values: &self.values,
            version_key: self.version_key,
        }
    }
}

/// What `get_commit_hash` makes of weights.
pub(crate) fn commit_hash(who: &Account, index: u16, reveal: &Reveal) -> [u8; 32] {
    let Reveal {
        uids,
        values,
        salt,
        version_key,
    } = reveal;
    blake2_256(&(who, index, uids, values, salt, version_key).encode())
}
