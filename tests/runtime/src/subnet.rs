//! A subnet for tests, written into the storage: what registrations, stake and an
//! owner's calls would leave there.

use crate::storage::{Key, Storage};

/// What each account has to begin with, in rao.
const BALANCE: u64 = 1_000_000_000_000;

/// Somebody who is registered.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// The public key.
    pub hotkey: [u8; 32],
    /// What is staked to it on the subnet, in rao.
    pub alpha: u64,
}

/// A subnet with what its owner has set.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// Its number. The chain spec must have it.
    pub netuid: u16,
    /// Who is registered, by uid.
    pub members: Vec<Member>,
    /// Others who have an account, and are not registered.
    pub strangers: Vec<[u8; 32]>,
    /// Who owns the hotkeys and the subnet, and may do what root may.
    pub coldkey: [u8; 32],
    /// `Tempo`.
    pub tempo: u16,
    /// `WeightsSetRateLimit`.
    pub rate_limit: u64,
    /// `MinAllowedWeights`.
    pub min_allowed_weights: u16,
    /// `CommitRevealWeightsEnabled`.
    pub commit_reveal: bool,
}

impl Subnet {
    /// Writes the subnet in the place of what the chain spec has there.
    pub fn write(&self, storage: &mut Storage) {
        self.write_members(storage);
        self.write_lists(storage);
        let of = |item: &str| Key::subtensor(item).identity(self.netuid);
        storage.set(of("Tempo"), self.tempo);
        storage.set(of("WeightsSetRateLimit"), self.rate_limit);
        storage.set(of("MinAllowedWeights"), self.min_allowed_weights);
        storage.set(of("MaxWeightsLimit"), u16::MAX);
        storage.set(of("CommitRevealWeightsEnabled"), self.commit_reveal);
        storage.set(of("SubnetOwner"), self.coldkey);
        storage.set(Key::of("Sudo", "Key"), self.coldkey);
        for account in self.strangers.iter().chain([&self.coldkey]) {
            fund(storage, *account);
        }
    }

    /// What is stored of each by itself.
    fn write_members(&self, storage: &mut Storage) {
        let netuid = self.netuid;
        let registered = 0u64;
        for (uid, member) in (0u16..).zip(&self.members) {
            let by_uid = |item: &str| Key::subtensor(item).identity(netuid).identity(uid);
            let by_hotkey = |item: &str| Key::subtensor(item).blake2_128_concat(member.hotkey);
            storage.set(by_uid("Keys"), member.hotkey);
            storage.set(by_uid("BlockAtRegistration"), registered);
            let uids = Key::subtensor("Uids").identity(netuid);
            storage.set(uids.blake2_128_concat(member.hotkey), uid);
            storage.set(by_hotkey("IsNetworkMember").identity(netuid), true);
            storage.set(by_hotkey("Owner"), self.coldkey);
            storage.set(by_hotkey("TotalHotkeyAlpha").identity(netuid), member.alpha);
            fund(storage, member.hotkey);
        }
    }

    /// What is stored of all of them together, by uid.
    fn write_lists(&self, storage: &mut Storage) {
        let of = |item: &str| Key::subtensor(item).identity(self.netuid);
        let count = self.members.len();
        let members = u16::try_from(count).expect("members have uids");
        storage.set(of("SubnetworkN"), members);
        for item in [
            "Rank",
            "Trust",
            "Consensus",
            "Incentive",
            "Dividends",
            "ValidatorTrust",
            "PruningScores",
            "StakeWeight",
        ] {
            storage.set(of(item), vec![0u16; count]);
        }
        for item in ["Emission", "LastUpdate"] {
            storage.set(of(item), vec![0u64; count]);
        }
        for item in ["Active", "ValidatorPermit"] {
            storage.set(of(item), vec![true; count]);
        }
    }
}

/// Makes an account that has something.
fn fund(storage: &mut Storage, account: [u8; 32]) {
    /// What accounts have that were made after locks became freezes.
    const NEW_LOGIC: u128 = 1 << 127;
    let (nonce, consumers, providers, sufficients) = (0u32, 0u32, 1u32, 0u32);
    let (reserved, frozen) = (0u64, 0u64);
    let counts = (nonce, consumers, providers, sufficients);
    let data = (BALANCE, reserved, frozen, NEW_LOGIC);
    let key = Key::of("System", "Account").blake2_128_concat(account);
    storage.set(key, (counts, data));
}
