//! The state as a node stores it.

use crate::event::encode_events;
use crate::state::{State, Subnet, storage_index};
use crate::value::{Entries, Value, axon, bytes, key, list, number};

const PALLET: &str = "SubtensorModule";

impl State {
    /// All entries of storage, by the metadata of the runtime.
    pub(crate) fn entries(&self) -> Entries {
        let metadata = self.runtime.metadata();
        let mut entries = Entries::default();
        let mut plain = |pallet, entry, value: Value| {
            entries.put(metadata, pallet, entry, &[], &value);
        };
        plain("System", "Number", number(self.block));
        plain("Timestamp", "Now", number(self.now_ms));
        plain(PALLET, "TaoWeight", number(self.tao_weight));
        plain(PALLET, "StakeThreshold", number(self.stake_threshold));
        plain(
            PALLET,
            "CommitRevealWeightsVersion",
            number(self.commit_reveal_version),
        );
        plain("Drand", "LastStoredRound", number(self.last_stored_round));
        for (account, nonce) in &self.nonces {
            entries.put(
                metadata,
                "System",
                "Account",
                &[bytes(account)],
                &self.account(*nonce),
            );
        }
        for (round, signature) in &self.pulses {
            let pulse = Value::named_composite([
                ("round", number(*round)),
                ("randomness", bytes(sp_crypto_hashing::sha2_256(signature))),
                ("signature", bytes(signature)),
            ]);
            entries.put(metadata, "Drand", "Pulses", &[number(*round)], &pulse);
        }
        for (netuid, subnet) in &self.subnets {
            self.put_subnet(&mut entries, *netuid, subnet);
            self.put_neurons(&mut entries, *netuid, subnet);
            self.put_weights(&mut entries, *netuid, subnet);
        }
        if let Some((key, _)) = key(metadata, "System", "Events", &[]) {
            entries.0.insert(key, encode_events(metadata, &self.events));
        }
        for (key, value) in &self.storage {
            match value {
                Some(value) => entries.0.insert(key.clone(), value.clone()),
                None => entries.0.remove(key),
            };
        }
        entries
    }

    fn account(&self, nonce: u32) -> Value {
        let zero = || number(0_u8);
        let data = [("free", 1_000_000_000_u64), ("reserved", 0), ("frozen", 0)];
        let data = data.map(|(name, value)| (name, number(value)));
        // The flags of an account that was made with the present logic.
        let flags = ("flags", number(1_u128 << 127));
        Value::named_composite([
            ("nonce", number(nonce)),
            ("consumers", zero()),
            ("providers", number(1_u8)),
            ("sufficients", zero()),
            (
                "data",
                Value::named_composite(data.into_iter().chain([flags])),
            ),
        ])
    }

    fn put_subnet(&self, entries: &mut Entries, netuid: u16, subnet: &Subnet) {
        let metadata = self.runtime.metadata();
        let mut put = |entry, value: Value| {
            entries.put(metadata, PALLET, entry, &[number(netuid)], &value);
        };
        put("NetworksAdded", Value::bool(true));
        put("SubnetworkN", number(subnet.len()));
        put("MaxAllowedUids", number(subnet.max_uids));
        put("Tempo", number(subnet.tempo));
        put("LastEpochBlock", number(subnet.last_epoch_block));
        put("PendingEpochAt", number(subnet.pending_epoch_at));
        put("SubnetEpochIndex", number(subnet.epoch_index));
        put("BlocksSinceLastStep", number(subnet.blocks_since_last_step));
        put("LastMechansimStepBlock", number(subnet.last_epoch_block));
        put("WeightsSetRateLimit", number(subnet.weights_rate_limit));
        put("WeightsVersionKey", number(subnet.weights_version));
        put("MinAllowedWeights", number(subnet.min_allowed_weights));
        put("MaxWeightsLimit", number(subnet.max_weight_limit));
        put(
            "CommitRevealWeightsEnabled",
            Value::bool(subnet.commit_reveal),
        );
        put("RevealPeriodEpochs", number(subnet.reveal_period));
        put("MechanismCountCurrent", number(subnet.mechanisms));
        put("SubnetOwner", bytes(subnet.owner_coldkey));
        put("SubnetOwnerHotkey", bytes(subnet.owner_hotkey));
        put("NetworkRegisteredAt", number(1_u8));
    }

    fn put_neurons(&self, entries: &mut Entries, netuid: u16, subnet: &Subnet) {
        let metadata = self.runtime.metadata();
        for (uid, neuron) in (0_u16..).zip(&subnet.neurons) {
            let (net, hotkey) = (number(netuid), bytes(neuron.hotkey));
            let mut put = |entry, keys: [&Value; 2], value: Value| {
                let keys = keys.map(Clone::clone);
                entries.put(metadata, PALLET, entry, &keys, &value);
            };
            put("Keys", [&net, &number(uid)], hotkey.clone());
            put("Uids", [&net, &hotkey], number(uid));
            put("IsNetworkMember", [&hotkey, &net], Value::bool(true));
            put(
                "BlockAtRegistration",
                [&net, &number(uid)],
                number(neuron.registered_at),
            );
            put(
                "TotalHotkeyAlpha",
                [&hotkey, &net],
                number(neuron.alpha_stake),
            );
            put(
                "TotalHotkeyAlpha",
                [&hotkey, &number(0_u8)],
                number(neuron.tao_stake),
            );
            if let Some(serves) = neuron.axon {
                put("Axons", [&net, &hotkey], axon(Some(serves)));
            }
            let coldkey = bytes(neuron.coldkey);
            entries.put(metadata, PALLET, "Owner", &[hotkey], &coldkey);
        }
        let count = usize::from(subnet.len());
        let length = subnet.vector_length.unwrap_or(count).min(count);
        let neurons = || subnet.neurons.iter();
        let mut put = |entry, index: u16, values: Vec<Value>| {
            entries.put(metadata, PALLET, entry, &[number(index)], &list(values));
        };
        let permits = neurons()
            .take(length)
            .map(|one| Value::bool(one.validator_permit));
        put("ValidatorPermit", netuid, permits.collect());
        put("Active", netuid, vec![Value::bool(true); count]);
        for mechanism in 0..subnet.mechanisms {
            let updates = (0..subnet.len())
                .take(length)
                .map(|uid| number(subnet.last_update(mechanism, uid)));
            put(
                "LastUpdate",
                storage_index(netuid, mechanism),
                updates.collect(),
            );
        }
        for entry in [
            "Rank",
            "Trust",
            "Consensus",
            "Incentive",
            "Dividends",
            "Emission",
        ] {
            put(entry, netuid, vec![number(0_u8); count]);
        }
    }

    fn put_weights(&self, entries: &mut Entries, netuid: u16, subnet: &Subnet) {
        let metadata = self.runtime.metadata();
        let rules = self.runtime.rules();
        for ((mechanism, uid), row) in &subnet.weights {
            let keys = [number(storage_index(netuid, *mechanism)), number(*uid)];
            let row = row
                .iter()
                .map(|(uid, value)| list([number(*uid), number(*value)]));
            entries.put(metadata, PALLET, "Weights", &keys, &list(row));
        }
        for ((mechanism, account), commits) in &subnet.commits {
            let keys = [number(storage_index(netuid, *mechanism)), bytes(account)];
            let commits = commits.iter().map(|commit| {
                let numbers = subnet.commit_tuple(netuid, commit, rules).map(number);
                list([bytes(commit.hash)].into_iter().chain(numbers))
            });
            entries.put(metadata, PALLET, "WeightCommits", &keys, &list(commits));
        }
        for ((mechanism, epoch), commits) in &subnet.timelocked {
            let keys = [number(storage_index(netuid, *mechanism)), number(*epoch)];
            let commits = commits.iter().map(|one| {
                list([
                    bytes(one.account),
                    number(one.block),
                    bytes(&one.commit),
                    number(one.round),
                ])
            });
            entries.put(
                metadata,
                PALLET,
                "TimelockedWeightCommits",
                &keys,
                &list(commits),
            );
        }
    }
}
