//! The chain's storage, and the keys of its items.

use parity_scale_codec::Encode;
use smoldot::executor::storage_diff::TrieDiff;
use sp_crypto_hashing::{blake2_128, twox_64, twox_128};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// All that a block knows, by key. A clone copies the keys and shares the values.
#[derive(Clone, Default)]
pub struct Storage(BTreeMap<Vec<u8>, Arc<[u8]>>);

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({} entries)", self.0.len())
    }
}

impl Storage {
    /// The value of a key; none if there is none.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// Writes a value in the encoding of the chain.
    pub fn set(&mut self, key: Key, value: impl Encode) {
        self.set_raw(key.into_bytes(), value.encode());
    }

    /// Writes bytes.
    pub fn set_raw(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, value.into());
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    /// Keys that begin with `prefix`, in order, after `start` if it is given.
    pub fn keys_after<'a>(
        &'a self,
        prefix: &'a [u8],
        start: Option<&[u8]>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let from = match start {
            Some(start) if start >= prefix => Bound::Excluded(start.to_vec()),
            _ => Bound::Included(prefix.to_vec()),
        };
        self.0
            .range((from, Bound::Unbounded))
            .map(|(key, _)| key.as_slice())
            .take_while(move |key| key.starts_with(prefix))
    }

    /// The first key that begins with `prefix` and is after `from`, or at it if
    /// `or_equal`.
    pub(crate) fn next_key(&self, from: Vec<u8>, or_equal: bool, prefix: &[u8]) -> Option<&[u8]> {
        let from = if or_equal {
            Bound::Included(from)
        } else {
            Bound::Excluded(from)
        };
        let (key, _) = self.0.range((from, Bound::Unbounded)).next()?;
        key.starts_with(prefix).then_some(key.as_slice())
    }

    /// Writes what a call changed.
    pub(crate) fn apply(&mut self, changes: TrieDiff) {
        for (key, value, ()) in changes.diff_into_iter_unordered() {
            match value {
                Some(value) => self.set_raw(key, value),
                None => self.remove(&key),
            }
        }
    }
}

/// The key of a storage item. The keys of a map are added in their order, each by the
/// hasher that the runtime's metadata names for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// The item of a pallet; the prefix of its entries, if it is a map.
    #[must_use]
    pub fn of(pallet: &str, item: &str) -> Self {
        Key([twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat())
    }

    /// An item of the pallet `SubtensorModule`.
    #[must_use]
    pub fn subtensor(item: &str) -> Self {
        Self::of("SubtensorModule", item)
    }

    /// Adds a key by `Identity`.
    #[must_use]
    pub fn identity(mut self, key: impl Encode) -> Self {
        self.0.extend(key.encode());
        self
    }

    /// Adds a key by `Blake2_128Concat`.
    #[must_use]
    pub fn blake2_128_concat(mut self, key: impl Encode) -> Self {
        let key = key.encode();
        self.0.extend(blake2_128(&key));
        self.0.extend(key);
        self
    }

    /// Adds a key by `Twox64Concat`.
    #[must_use]
    pub fn twox_64_concat(mut self, key: impl Encode) -> Self {
        let key = key.encode();
        self.0.extend(twox_64(&key));
        self.0.extend(key);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
