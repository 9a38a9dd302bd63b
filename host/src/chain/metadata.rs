//! A runtime that is known without asking a chain.

use std::io::Read;
use std::sync::{Arc, OnceLock};

use subxt::SubstrateConfig;
use subxt::client::{OfflineClient, OfflineClientAtBlock};
use subxt::config::substrate::SpecVersionForRange;
use subxt::ext::codec::Decode;
use subxt::metadata::{ArcMetadata, Metadata};
use subxt::utils::H256;

use super::error::ChainError;

/// The version of the runtime that is known.
pub const KNOWN_SPEC_VERSION: u32 = 365;

/// `transaction_version` of the same runtime.
const KNOWN_TRANSACTION_VERSION: u32 = 1;

/// Its metadata, V16, compressed; `data/README.md` says where it is from.
const KNOWN: &[u8] = include_bytes!("../../data/subtensor-365.scale.gz");

/// The runtime of subtensor, spec version 365, on the chain with this genesis hash: for
/// what encodes and signs calls without a chain.
///
/// Unpacks and reads some 300 KB once, which takes some milliseconds.
///
/// # Errors
///
/// [`ChainError::Metadata`]; not with the metadata that is built in.
pub fn known_runtime(
    genesis: [u8; 32],
) -> Result<OfflineClientAtBlock<SubstrateConfig>, ChainError> {
    static METADATA: OnceLock<Result<ArcMetadata, String>> = OnceLock::new();
    let metadata = METADATA
        .get_or_init(|| unpack().map(Arc::new))
        .clone()
        .map_err(ChainError::Metadata)?;
    let every_block = SpecVersionForRange {
        block_range: 0..u64::MAX,
        spec_version: KNOWN_SPEC_VERSION,
        transaction_version: KNOWN_TRANSACTION_VERSION,
    };
    let config = SubstrateConfig::builder()
        .set_genesis_hash(H256(genesis))
        .set_metadata_for_spec_versions([(KNOWN_SPEC_VERSION, metadata)])
        .set_spec_version_for_block_ranges([every_block])
        .build();
    OfflineClient::new_with_config(config)
        .at_block(0u64)
        .map_err(|e| ChainError::Metadata(e.to_string()))
}

fn unpack() -> Result<Metadata, String> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(KNOWN)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    Metadata::decode(&mut &*bytes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use subxt::dynamic::{At, Value};

    #[test]
    fn the_versions_are_those_that_the_metadata_states() {
        let runtime = known_runtime([0; 32]).unwrap();
        let version = subxt::dynamic::constant::<Value>("System", "Version");
        let version = runtime.constants().entry(version).unwrap();
        for (name, expected) in [
            ("spec_version", KNOWN_SPEC_VERSION),
            ("transaction_version", KNOWN_TRANSACTION_VERSION),
        ] {
            assert_eq!(version.at(name).unwrap().as_u128(), Some(expected.into()));
        }
        assert_eq!(runtime.spec_version(), KNOWN_SPEC_VERSION);
        assert_eq!(runtime.transaction_version(), KNOWN_TRANSACTION_VERSION);
    }
}
