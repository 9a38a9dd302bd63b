//! Values, encoded by the types of the metadata.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use sp_crypto_hashing::{blake2_128, blake2_256, twox_64, twox_128, twox_256};
use subxt::Metadata;
use subxt::ext::frame_decode::storage::StorageHasher;
use subxt::ext::scale_value::{self, Composite};

/// A value without a type.
pub(crate) type Value = scale_value::Value<()>;

pub(crate) fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

pub(crate) fn bytes(value: impl AsRef<[u8]>) -> Value {
    Value::from_bytes(value)
}

pub(crate) fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::unnamed_composite(values)
}

pub(crate) fn some(value: Value) -> Value {
    Value::unnamed_variant("Some", [value])
}

pub(crate) fn none() -> Value {
    Value::variant("None", Composite::unnamed([]))
}

/// `AxonInfo`: where a neuron serves; all 0 of one that does not.
pub(crate) fn axon(serves: Option<SocketAddr>) -> Value {
    let (ip, ip_type) = match serves.map(|serves| serves.ip()) {
        None => (0, 0_u8),
        Some(IpAddr::V4(ip)) => (u128::from(ip.to_bits()), 4),
        Some(IpAddr::V6(ip)) => (ip.to_bits(), 6),
    };
    let port = serves.map_or(0, |serves| serves.port());
    Value::named_composite([
        ("block", number(0_u8)),
        ("version", number(0_u8)),
        ("ip", number(ip)),
        ("port", number(port)),
        ("ip_type", number(ip_type)),
        ("protocol", number(4_u8)),
        ("placeholder1", number(0_u8)),
        ("placeholder2", number(0_u8)),
    ])
}

/// The value as the type of this id is encoded.
pub(crate) fn encode(metadata: &Metadata, value: &Value, type_id: u32) -> Vec<u8> {
    let mut encoded = Vec::new();
    scale_value::scale::encode_as_type(value, type_id, metadata.types(), &mut encoded)
        .unwrap_or_else(|error| panic!("a value of the simulated chain: {error}: {value}"));
    encoded
}

/// Storage as a node has it: encoded values by encoded key, in the order of the keys.
#[derive(Debug, Default)]
pub(crate) struct Entries(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl Entries {
    /// Adds an entry. One that the metadata does not have is left out.
    pub(crate) fn put(
        &mut self,
        metadata: &Metadata,
        pallet: &str,
        entry: &str,
        keys: &[Value],
        value: &Value,
    ) {
        let Some((key, type_id)) = key(metadata, pallet, entry, keys) else {
            return;
        };
        self.0.insert(key, encode(metadata, value, type_id));
    }
}

/// Where an entry is, and its type; `None` where the metadata does not have it.
pub(crate) fn key(
    metadata: &Metadata,
    pallet: &str,
    entry: &str,
    keys: &[Value],
) -> Option<(Vec<u8>, u32)> {
    let storage = metadata.pallet_by_name(pallet)?.storage()?;
    let found = storage.entry_by_name(entry)?;
    let mut key = twox_128(storage.prefix().as_bytes()).to_vec();
    key.extend(twox_128(entry.as_bytes()));
    assert_eq!(found.keys().len(), keys.len(), "keys of {pallet}.{entry}");
    for (info, value) in found.keys().zip(keys) {
        hash(
            &info.hasher,
            &encode(metadata, value, info.key_id),
            &mut key,
        );
    }
    Some((key, found.value_ty()))
}

fn hash(hasher: &StorageHasher, encoded: &[u8], key: &mut Vec<u8>) {
    match hasher {
        StorageHasher::Blake2_128 => key.extend(blake2_128(encoded)),
        StorageHasher::Blake2_256 => key.extend(blake2_256(encoded)),
        StorageHasher::Blake2_128Concat => {
            key.extend(blake2_128(encoded));
            key.extend(encoded);
        }
        StorageHasher::Twox128 => key.extend(twox_128(encoded)),
        StorageHasher::Twox256 => key.extend(twox_256(encoded)),
        StorageHasher::Twox64Concat => {
            key.extend(twox_64(encoded));
            key.extend(encoded);
        }
        StorageHasher::Identity => key.extend(encoded),
    }
}
