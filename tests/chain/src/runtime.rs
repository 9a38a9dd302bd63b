//! What a runtime is here: its version and its metadata.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, LazyLock};

use parity_scale_codec::{Decode, Encode};
use subxt::Metadata;
use subxt::ext::frame_metadata::v16::{RuntimeMetadataV16, StorageEntryType};
use subxt::ext::frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};

const SPEC_365: &[u8] = include_bytes!("../../../host/data/subtensor-365.scale.gz");

/// Which runtime's rules hold, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Epochs begin by the number of the block, the owner needs a permit, and the pool
    /// asks little: no rate limit, and nothing of the calls for a mechanism.
    V365,
    /// Epochs begin by `LastEpochBlock`, `PendingEpochAt` and `BlocksSinceLastStep` and
    /// are counted in `SubnetEpochIndex`, and the pool asks for stake, rate limit,
    /// reveals and rounds.
    V425,
}

/// A runtime: its version, its metadata, and which rules it has. Clones share it.
#[derive(Clone)]
pub struct Runtime(Arc<Parts>);

struct Parts {
    spec_version: u32,
    transaction_version: u32,
    rules: Rules,
    encoded: Vec<u8>,
    metadata: Metadata,
}

impl Runtime {
    /// Spec 365 with its real metadata.
    #[must_use]
    pub fn v365() -> Self {
        static RUNTIME: LazyLock<Runtime> =
            LazyLock::new(|| Runtime::build(365, Rules::V365, spec_365()));
        RUNTIME.clone()
    }

    /// What stands for spec 425: the metadata of 365, with what that one has beside it
    /// for epochs (`LastEpochBlock`, `PendingEpochAt`, `SubnetEpochIndex`, and the
    /// runtime call `get_next_epoch_start_block`).
    #[must_use]
    pub fn v425() -> Self {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(Runtime::build_v425);
        RUNTIME.clone()
    }

    fn build_v425() -> Self {
        let mut metadata = spec_365();
        let pallet = metadata
            .pallets
            .iter_mut()
            .find(|pallet| pallet.name == "SubtensorModule")
            .expect("the pallet");
        let entries = &mut pallet.storage.as_mut().expect("its storage").entries;
        let like = entries
            .iter()
            .find(|entry| entry.name == "BlocksSinceLastStep")
            .expect("an entry from a subnet to a u64")
            .clone();
        for name in ["LastEpochBlock", "PendingEpochAt", "SubnetEpochIndex"] {
            let mut entry = like.clone();
            entry.name = name.to_owned();
            entries.push(entry);
        }
        let option_u64 = option_of_u64(&metadata);
        let api = metadata
            .apis
            .iter_mut()
            .find(|api| api.name == "SubnetInfoRuntimeApi")
            .expect("the runtime API");
        let mut method = api
            .methods
            .iter()
            .find(|method| method.name == "get_subnet_hyperparams")
            .expect("a method of a subnet")
            .clone();
        method.name = "get_next_epoch_start_block".to_owned();
        method.output = option_u64.into();
        api.methods.push(method);
        Self::build(425, Rules::V425, metadata)
    }

    /// The same with another version.
    #[must_use]
    pub fn with_spec_version(&self, spec_version: u32) -> Self {
        Self::build(spec_version, self.0.rules, self.decoded())
    }

    /// The same without an entry of storage.
    #[must_use]
    pub fn without_storage(&self, pallet: &str, entry: &str) -> Self {
        let mut metadata = self.decoded();
        for found in metadata.pallets.iter_mut().filter(|one| one.name == pallet) {
            if let Some(storage) = &mut found.storage {
                storage.entries.retain(|one| one.name != entry);
            }
        }
        Self::build(self.0.spec_version, self.0.rules, metadata)
    }

    /// The same without the calls of this name: they have another there.
    #[must_use]
    pub fn without_call(&self, call: &str) -> Self {
        let mut name = call.to_owned().encode();
        let mut encoded = self.0.encoded.clone();
        let places: Vec<usize> = encoded
            .windows(name.len())
            .enumerate()
            .filter_map(|(at, window)| (window == name).then_some(at))
            .collect();
        assert!(!places.is_empty(), "there is no call {call}");
        if let Some(last) = name.last_mut() {
            *last = b'_';
        }
        for at in places {
            encoded[at..at + name.len()].copy_from_slice(&name);
        }
        Self::build(self.0.spec_version, self.0.rules, decode(&encoded))
    }

    /// The same without a runtime call.
    #[must_use]
    pub fn without_api(&self, api: &str, method: &str) -> Self {
        let mut metadata = self.decoded();
        for found in metadata.apis.iter_mut().filter(|one| one.name == api) {
            found.methods.retain(|one| one.name != method);
        }
        Self::build(self.0.spec_version, self.0.rules, metadata)
    }

    /// The version that clients see.
    #[must_use]
    pub fn spec_version(&self) -> u32 {
        self.0.spec_version
    }

    /// The version that signatures are of, beside the spec version.
    #[must_use]
    pub fn transaction_version(&self) -> u32 {
        self.0.transaction_version
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.0.rules
    }

    /// The metadata, decoded.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The metadata, encoded with its magic number and version.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.0.encoded
    }

    fn decoded(&self) -> RuntimeMetadataV16 {
        decode(&self.0.encoded)
    }

    fn build(spec_version: u32, rules: Rules, metadata: RuntimeMetadataV16) -> Self {
        let encoded = RuntimeMetadataPrefixed::from(metadata).encode();
        let metadata = Metadata::decode_from(&encoded).expect("metadata");
        Self(Arc::new(Parts {
            spec_version,
            transaction_version: 1,
            rules,
            encoded,
            metadata,
        }))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("spec_version", &self.0.spec_version)
            .field("rules", &self.0.rules)
            .finish_non_exhaustive()
    }
}

fn spec_365() -> RuntimeMetadataV16 {
    let mut encoded = Vec::new();
    flate2::read::GzDecoder::new(SPEC_365)
        .read_to_end(&mut encoded)
        .expect("the metadata of spec 365");
    decode(&encoded)
}

fn decode(encoded: &[u8]) -> RuntimeMetadataV16 {
    match RuntimeMetadataPrefixed::decode(&mut &encoded[..]).map(|prefixed| prefixed.1) {
        Ok(RuntimeMetadata::V16(metadata)) => metadata,
        _ => panic!("the metadata is not of version 16"),
    }
}

/// The id of the type `Option<u64>`.
fn option_of_u64(metadata: &RuntimeMetadataV16) -> u32 {
    let amount = metadata
        .pallets
        .iter()
        .filter_map(|pallet| pallet.storage.as_ref())
        .flat_map(|storage| &storage.entries)
        .find(|entry| entry.name == "LastStoredRound")
        .map(|entry| match entry.ty {
            StorageEntryType::Plain(of) | StorageEntryType::Map { value: of, .. } => of.id,
        })
        .expect("an entry that is a u64");
    let types = &metadata.types.types;
    types
        .iter()
        .find(|found| {
            found.ty.path.segments == ["Option"]
                && found
                    .ty
                    .type_params
                    .iter()
                    .any(|of| of.ty.is_some_and(|of| of.id == amount))
        })
        .map(|found| found.id)
        .expect("a type that is an optional u64")
}
