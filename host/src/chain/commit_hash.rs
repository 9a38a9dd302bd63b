//! The hash of a commit of weights.

use parity_scale_codec::Encode;

/// The hash that a commit of weights shows until they are revealed: Blake2b-256 of all
/// that a reveal tells, in SCALE. `account` is the hotkey's public key, `storage_index`
/// that of [`storage_index`](super::call::storage_index). The salt is what keeps the
/// weights from being guessed: it must be random and secret until the reveal.
///
/// Source: subtensor `get_commit_hash`.
#[must_use]
pub fn commit_hash(
    account: &[u8; 32],
    storage_index: u16,
    uids: &[u16],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> [u8; 32] {
    let told = (account, storage_index, uids, values, salt, version_key);
    sp_crypto_hashing::blake2_256(&told.encode())
}

#[cfg(test)]
mod tests {
    use super::super::ss58;
    use super::*;
    use serde::Deserialize;

    const GOLDEN: &str = include_str!("../../../tests/golden/chain_commit_hashes.json");

    #[derive(Deserialize)]
    struct Golden {
        commit_hashes: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        ss58: String,
        netuid_index: u16,
        uids: Vec<u16>,
        values: Vec<u16>,
        version_key: u64,
        salt: Vec<u16>,
        hash: String,
    }

    #[test]
    fn the_hash_is_the_official_clients() {
        let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
        assert!(golden.commit_hashes.len() > 40);
        for case in golden.commit_hashes {
            let account = ss58::decode(&case.ss58).unwrap();
            let hash = commit_hash(
                &account,
                case.netuid_index,
                &case.uids,
                &case.values,
                &case.salt,
                case.version_key,
            );
            assert_eq!(format!("0x{}", hex::encode(hash)), case.hash);
        }
    }
}
