//! Values of the pallets' storage at one block.

use crate::chain::client::AtBlock;
use crate::chain::error::ChainError;
use subxt::dynamic;
use subxt::ext::frame_decode::storage::{IntoDecodableValues, IntoEncodableValues};
use subxt::ext::scale_decode::DecodeAsType;

/// The pallet that most of what is read belongs to.
const PALLET: &str = "SubtensorModule";

/// The storage of a pallet at a block.
#[derive(Clone, Copy)]
pub(super) struct Storage<'a> {
    at: &'a AtBlock,
    pallet: &'static str,
}

impl<'a> Storage<'a> {
    /// That of `SubtensorModule`.
    pub(super) fn of(at: &'a AtBlock) -> Self {
        Storage { at, pallet: PALLET }
    }

    /// That of another pallet.
    pub(super) fn pallet(at: &'a AtBlock, pallet: &'static str) -> Self {
        Storage { at, pallet }
    }

    /// The value, or the runtime's default.
    ///
    /// # Errors
    ///
    /// [`ChainError::NoSuchStorage`], or [`ChainError::NoValue`] if there is neither a
    /// value nor a default.
    pub(super) async fn get<K, V>(self, item: &str, keys: K) -> Result<V, ChainError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let found = self.find(item, keys).await?;
        found.ok_or_else(|| ChainError::NoValue {
            what: self.name(item),
        })
    }

    /// The value, or the runtime's default, if there is either.
    ///
    /// # Errors
    ///
    /// [`ChainError::NoSuchStorage`].
    pub(super) async fn find<K, V>(self, item: &str, keys: K) -> Result<Option<V>, ChainError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let address = dynamic::storage::<K, V>(self.pallet, item);
        let value = self.at.storage().try_fetch(address, keys).await;
        let value =
            value.map_err(|e| ChainError::of(&self.name(item), self.at.spec_version(), e))?;
        value
            .map(|value| value.decode())
            .transpose()
            .map_err(|e| ChainError::decode(self.name(item), e))
    }

    /// [`get`](Self::get) of an item that not every runtime has; none where there is
    /// no such item.
    pub(super) async fn known<K, V>(self, item: &str, keys: K) -> Result<Option<V>, ChainError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        match self.get(item, keys).await {
            Err(ChainError::NoSuchStorage { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    fn name(self, item: &str) -> String {
        format!("{}.{item}", self.pallet)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chain::metadata::known_runtime;
    use sp_crypto_hashing::{blake2_128, twox_64, twox_128};

    const KEY: [u8; 32] = [0xab; 32];

    /// The key of an item after that of the item itself, and the runtime's default.
    fn item<K, V>(pallet: &str, item: &str, keys: K) -> (Vec<u8>, Option<V>)
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let runtime = known_runtime([0; 32]).unwrap();
        let storage = runtime.storage();
        let entry = storage
            .entry(dynamic::storage::<K, V>(pallet, item))
            .unwrap();
        let key = entry.fetch_key(keys).unwrap();
        let of_item = [twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat();
        let rest = key.strip_prefix(of_item.as_slice()).unwrap().to_vec();
        let default = entry.default_value().map(|value| value.decode().unwrap());
        (rest, default)
    }

    fn of<K, V>(name: &str, keys: K) -> (Vec<u8>, Option<V>)
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        item(PALLET, name, keys)
    }

    fn blake(bytes: &[u8]) -> Vec<u8> {
        [blake2_128(bytes).as_slice(), bytes].concat()
    }

    fn twox(bytes: &[u8]) -> Vec<u8> {
        [twox_64(bytes).as_slice(), bytes].concat()
    }

    #[test]
    fn values_of_a_subnet_are_found_by_its_number() {
        let id = vec![0x3d, 0x01];
        let net = (317_u16,);
        assert_eq!(of("NetworksAdded", net), (id.clone(), Some(false)));
        assert_eq!(of("SubnetworkN", net), (id.clone(), Some(0_u16)));
        assert_eq!(of("Tempo", net), (id.clone(), Some(360_u16)));
        assert_eq!(of("BlocksSinceLastStep", net), (id.clone(), Some(0_u64)));
        assert_eq!(of("WeightsSetRateLimit", net), (id.clone(), Some(100_u64)));
        assert_eq!(of("WeightsVersionKey", net), (id.clone(), Some(0_u64)));
        assert_eq!(of("MinAllowedWeights", net), (id.clone(), Some(1_024_u16)));
        assert_eq!(of("MaxWeightsLimit", net), (id.clone(), Some(65_535_u16)));
        assert_eq!(
            of("CommitRevealWeightsEnabled", net),
            (id.clone(), Some(true))
        );
        assert_eq!(
            of("ValidatorPermit", net),
            (id.clone(), Some(vec![false; 0]))
        );
        assert_eq!(of("LastUpdate", net), (id.clone(), Some(vec![0_u64; 0])));
        assert_eq!(of("RevealPeriodEpochs", net), (twox(&id), Some(1_u64)));
        assert_eq!(of("MechanismCountCurrent", net), (twox(&id), Some(1_u8)));
        let (key, owner) = of::<_, [u8; 32]>("SubnetOwnerHotkey", net);
        assert_eq!((key, owner.is_some()), (id, true));
    }

    #[test]
    fn values_of_no_subnet_have_no_key() {
        assert_eq!(of("StakeThreshold", ()), (vec![], Some(0_u64)));
        assert_eq!(of("CommitRevealWeightsVersion", ()), (vec![], Some(4_u16)));
        assert!(of::<_, u64>("TaoWeight", ()).1.is_some());
        assert_eq!(item("Drand", "LastStoredRound", ()), (vec![], Some(0_u64)));
    }

    #[test]
    fn values_of_neurons_are_found_by_uid_or_hotkey() {
        let (net, uid) = (317_u16, 258_u16);
        let both = vec![0x3d, 0x01, 0x02, 0x01];
        assert_eq!(of::<_, [u8; 32]>("Keys", (net, uid)).0, both);
        assert_eq!(
            of("BlockAtRegistration", (net, uid)),
            (both.clone(), Some(0_u64))
        );
        assert_eq!(
            of("Weights", (net, uid)),
            (both, Some(vec![(0_u16, 0_u16); 0]))
        );
        let hotkey = [&[0x3d, 0x01], blake(&KEY).as_slice()].concat();
        assert_eq!(of::<_, u16>("Uids", (net, KEY)), (hotkey.clone(), None));
        let (key, axon) = of::<_, super::super::selective::Axon>("Axons", (net, KEY));
        assert_eq!((key, axon), (hotkey, None));
        assert_eq!(of::<_, [u8; 32]>("Owner", (KEY,)).0, blake(&KEY));
        let of_hotkey = [blake(&KEY).as_slice(), &[0x3d, 0x01]].concat();
        assert_eq!(
            of("TotalHotkeyAlpha", (KEY, net)),
            (of_hotkey.clone(), Some(0_u64))
        );
        for linked in ["ChildKeys", "ParentKeys"] {
            let none = vec![(0_u64, KEY); 0];
            assert_eq!(of(linked, (KEY, net)), (of_hotkey.clone(), Some(none)));
        }
    }

    #[test]
    fn commits_are_found_by_mechanism_and_hotkey_or_epoch() {
        let index = 4_096_u16 + 317;
        let id = twox(&index.to_le_bytes());
        let hotkey = [id.as_slice(), &twox(&KEY)].concat();
        let none = None::<Vec<([u8; 32], u64, u64, u64)>>;
        assert_eq!(of("WeightCommits", (index, KEY)), (hotkey, none));
        let epoch = [id.as_slice(), &twox(&7_u64.to_le_bytes())].concat();
        let none = Vec::<([u8; 32], u64, Vec<u8>, u64)>::new();
        assert_eq!(
            of("TimelockedWeightCommits", (index, 7_u64)),
            (epoch, Some(none))
        );
    }
}
