//! Calls as bytes, and transactions as a runtime takes them apart: against the metadata
//! of the real runtime of spec version 365, without a chain.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use parity_scale_codec::{Compact, Decode};
use proctor_host::chain::call::{CallView, WeightCall};
use proctor_host::chain::error::ChainError;
use proctor_host::chain::metadata::known_runtime;
use proctor_host::chain::transaction::{Mortality, Signed, call_data, sign};
use proctor_host::chain::{Hotkey, verify};
use proptest::prelude::*;
use serde_json::json;
use sp_crypto_hashing::blake2_256;
use subxt::OfflineClientAtBlock;
use subxt::SubstrateConfig;

const GENESIS: [u8; 32] = [0xab; 32];
const BLOCK_HASH: [u8; 32] = [0xcd; 32];

fn runtime() -> OfflineClientAtBlock<SubstrateConfig> {
    known_runtime(GENESIS).unwrap()
}

fn set(mechanism: u8, uids: Vec<u16>, values: Vec<u16>) -> WeightCall {
    WeightCall::Set {
        netuid: 1,
        mechanism,
        uids,
        values,
        version_key: 7,
    }
}

fn commit(mechanism: u8) -> WeightCall {
    WeightCall::Commit {
        netuid: 0x1234,
        mechanism,
        hash: std::array::from_fn(|i| i as u8),
    }
}

fn reveal(mechanism: u8) -> WeightCall {
    WeightCall::Reveal {
        netuid: 1,
        mechanism,
        uids: vec![0, 258],
        values: vec![65_535, 100],
        salt: vec![1, 2, 0xfffe],
        version_key: u64::MAX - 1,
    }
}

fn timelocked(mechanism: u8, commit: Vec<u8>) -> WeightCall {
    WeightCall::CommitTimelocked {
        netuid: 1,
        mechanism,
        commit,
        reveal_round: 0x0102_0304_0506_0708,
        version: 4,
    }
}

fn assert_bytes(call: &WeightCall, name: &str, parts: &[&str]) {
    let bytes = call_data(&runtime(), call).unwrap();
    assert_eq!(hex::encode(bytes), parts.concat());
    assert_eq!((call.pallet(), call.name()), ("SubtensorModule", name));
}

#[test]
fn weights_are_set_by_calls_0_and_119() {
    let (uids, values) = (vec![0, 258], vec![65_535, 100]);
    let rest = [
        "08",
        "0000",
        "0201",
        "08",
        "ffff",
        "6400",
        "0700000000000000",
    ]
    .concat();
    let call = set(0, uids.clone(), values.clone());
    assert_bytes(&call, "set_weights", &["0700", "0100", &rest]);
    let call = set(2, uids, values);
    assert_bytes(
        &call,
        "set_mechanism_weights",
        &["0777", "0100", "02", &rest],
    );
}

#[test]
fn hashes_are_committed_by_calls_96_and_115() {
    let hash = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    assert_bytes(&commit(0), "commit_weights", &["0760", "3412", hash]);
    let expected = ["0773", "3412", "0f", hash];
    assert_bytes(&commit(15), "commit_mechanism_weights", &expected);
}

#[test]
fn weights_are_revealed_by_calls_97_and_116() {
    let uids = "0800000201";
    let values = "08ffff6400";
    let salt = "0c01000200feff";
    let key = "feffffffffffffff";
    let expected = ["0761", "0100", uids, values, salt, key];
    assert_bytes(&reveal(0), "reveal_weights", &expected);
    let expected = ["0774", "0100", "01", uids, values, salt, key];
    assert_bytes(&reveal(1), "reveal_mechanism_weights", &expected);
}

#[test]
fn timelocked_weights_are_committed_by_call_118_for_every_mechanism() {
    const NAME: &str = "commit_timelocked_mechanism_weights";
    let round = "0807060504030201";
    for (mechanism, mecid) in [(0, "00"), (2, "02")] {
        let call = timelocked(mechanism, vec![0xde, 0xad, 0xbe]);
        let expected = ["0776", "0100", mecid, "0cdeadbe", round, "0400"];
        assert_bytes(&call, NAME, &expected);
    }
    // 5,000 · 4 + 1 as the length of two bytes.
    let call = timelocked(0, vec![0x11; 5_000]);
    let bytes = "11".repeat(5_000);
    let expected = ["0776", "0100", "00", "214e", &bytes, round, "0400"];
    assert_bytes(&call, NAME, &expected);
}

#[test]
fn no_weights_and_a_full_subnet_are_encoded_alike() {
    let key = "0700000000000000";
    assert_bytes(
        &set(0, vec![], vec![]),
        "set_weights",
        &["0700", "0100", "00", "00", key],
    );
    let uids: Vec<u16> = (0..256).collect();
    let listed: String = uids
        .iter()
        .map(|uid| hex::encode(uid.to_le_bytes()))
        .collect();
    let expected = ["0700", "0100", "0104", &listed, "0104", &listed, key];
    assert_bytes(&set(0, uids.clone(), uids), "set_weights", &expected);
}

#[test]
fn a_call_is_shown_with_the_names_of_its_arguments() {
    let CallView {
        pallet,
        call,
        arguments,
    } = timelocked(0, vec![0xde, 0xad]).view();
    assert_eq!(
        (pallet, call),
        ("SubtensorModule", "commit_timelocked_mechanism_weights")
    );
    let expected = json!({
        "netuid": 1,
        "mecid": 0,
        "commit": "0xdead",
        "reveal_round": 0x0102_0304_0506_0708_u64,
        "commit_reveal_version": 4,
    });
    assert_eq!(serde_json::Value::Object(arguments), expected);
    let view = serde_json::to_value(set(0, vec![0], vec![65_535]).view()).unwrap();
    let arguments = json!({"netuid": 1, "dests": [0], "weights": [65_535], "version_key": 7});
    assert_eq!(view["arguments"], arguments);
}

#[test]
fn a_runtime_without_the_call_is_named() {
    let mut bytes = known_metadata();
    rename(&mut bytes, "SubtensorModule", "XubtensorModule");
    let error = call_data(&runtime_of(&bytes), &set(2, vec![0], vec![1])).unwrap_err();
    let expected = ChainError::NoSuchCall {
        what: "SubtensorModule.set_mechanism_weights".into(),
        spec_version: 300,
    };
    assert_eq!(error, expected);
    assert_eq!(error.code(), "no_such_call");

    let mut bytes = known_metadata();
    rename(&mut bytes, "set_mechanism_weights", "xet_mechanism_weights");
    let older = runtime_of(&bytes);
    let hotkey = Hotkey::from_uri("//Alice").unwrap();
    let call = set(2, vec![0], vec![1]);
    assert_eq!(
        sign(&older, &call, &hotkey, 0, mortality(64)).unwrap_err(),
        expected
    );
    let message = expected.to_string();
    assert!(message.contains("300"), "{message}");
    // Its other calls are there.
    call_data(&older, &set(0, vec![0], vec![1])).unwrap();
}

#[test]
fn a_runtime_that_takes_other_arguments_is_refused_and_not_guessed_at() {
    let mut bytes = known_metadata();
    rename(&mut bytes, "commit_reveal_version", "commit_reveal_xersion");
    let error = call_data(&runtime_of(&bytes), &timelocked(0, vec![1])).unwrap_err();
    assert!(
        matches!(&error, ChainError::Encode { what, spec_version: 300, .. }
        if what == "SubtensorModule.commit_timelocked_mechanism_weights"),
        "{error}"
    );
}

/// What a runtime sees of a transaction, taken apart by hand.
struct Parts {
    account: [u8; 32],
    signature: [u8; 64],
    era: [u8; 2],
    nonce: u64,
    tip: u128,
    extra: Vec<u8>,
    call: Vec<u8>,
}

fn parts(signed: &Signed) -> Parts {
    let mut rest = &signed.extrinsic[..];
    let length = Compact::<u32>::decode(&mut rest).unwrap().0 as usize;
    assert_eq!(length, rest.len());
    // Version 4, signed; `MultiAddress::Id`.
    assert_eq!(rest[..2], [0x84, 0]);
    let account = rest[2..34].try_into().unwrap();
    // `MultiSignature::Sr25519`.
    assert_eq!(rest[34], 1);
    let signature = rest[35..99].try_into().unwrap();
    let start = &rest[99..];
    let mut rest = start;
    let era = <[u8; 2]>::decode(&mut rest).unwrap();
    let nonce = Compact::<u64>::decode(&mut rest).unwrap().0;
    let tip = Compact::<u128>::decode(&mut rest).unwrap().0;
    // `CheckMetadataHash`, disabled. The other extensions are empty.
    assert_eq!(u8::decode(&mut rest).unwrap(), 0);
    Parts {
        account,
        signature,
        era,
        nonce,
        tip,
        extra: start[..start.len() - rest.len()].to_vec(),
        call: rest.to_vec(),
    }
}

/// What the account signed: call, extensions, and what a runtime knows by itself.
fn message(parts: &Parts, genesis: [u8; 32], block: [u8; 32], spec_version: u32) -> Vec<u8> {
    let mut message = [&parts.call[..], &parts.extra].concat();
    message.extend(spec_version.to_le_bytes());
    message.extend(1u32.to_le_bytes());
    message.extend(genesis);
    message.extend(block);
    // No hash of the metadata.
    message.push(0);
    if message.len() > 256 {
        message = blake2_256(&message).to_vec();
    }
    message
}

fn mortality(period: u64) -> Mortality {
    Mortality {
        block: 1_000_003,
        hash: BLOCK_HASH,
        period,
    }
}

#[test]
fn a_signature_is_over_call_nonce_era_runtime_chain_and_block() {
    let hotkey = Hotkey::from_uri("//Alice").unwrap();
    let long = set(0, (0..256).collect(), vec![65_535; 256]);
    for call in [set(2, vec![0], vec![65_535]), long, reveal(1), commit(0)] {
        let signed = sign(&runtime(), &call, &hotkey, 300, mortality(64)).unwrap();
        let parts = parts(&signed);
        assert_eq!(parts.account, hotkey.public_key());
        assert_eq!(parts.call, signed.call_data);
        assert_eq!(parts.call, call_data(&runtime(), &call).unwrap());
        assert_eq!((parts.nonce, parts.tip, signed.nonce), (300, 0, 300));

        let verifies = |genesis, block, spec_version| {
            let message = message(&parts, genesis, block, spec_version);
            verify(hotkey.address(), &message, &parts.signature)
        };
        assert!(verifies(GENESIS, BLOCK_HASH, 365));
        assert!(!verifies(BLOCK_HASH, BLOCK_HASH, 365));
        assert!(!verifies(GENESIS, GENESIS, 365));
        assert!(!verifies(GENESIS, BLOCK_HASH, 366));
    }
}

#[test]
fn the_hash_is_that_of_the_whole_as_it_is_sent() {
    let hotkey = Hotkey::from_uri("//Alice").unwrap();
    let sign = || sign(&runtime(), &commit(0), &hotkey, 0, mortality(64)).unwrap();
    let (first, second) = (sign(), sign());
    assert_eq!(first.hash, blake2_256(&first.extrinsic));
    assert_eq!(first.call_data, second.call_data);
    assert_ne!(first.hash, second.hash, "signatures are random");
}

/// What substrate's `Era` says: the block of the era, and the first block after it.
fn era(bytes: [u8; 2], now: u64) -> (u64, u64) {
    let encoded = u64::from(u16::from_le_bytes(bytes));
    let period = 2 << (encoded % 16);
    let phase = (encoded >> 4) * (period >> 12).max(1);
    let birth = (now.max(phase) - phase) / period * period + phase;
    (birth, birth + period)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_era_begins_with_its_block_and_ends_where_it_says(
        block in 0u64..1 << 40, period: u64, later in 0.0..1.0f64,
    ) {
        let hotkey = Hotkey::from_uri("//Alice").unwrap();
        let mortality = Mortality { block, hash: BLOCK_HASH, period };
        let signed = sign(&runtime(), &commit(0), &hotkey, 0, mortality).unwrap();
        prop_assert_eq!(signed.born, block);
        let life = signed.dies - signed.born;
        prop_assert!(life.is_power_of_two() && (4..=4_096).contains(&life));
        prop_assert!(life >= period.min(4_096) && life / 2 < period.max(4));
        let bytes = parts(&signed).era;
        let last = signed.dies - 1;
        let some = block + (later * life as f64) as u64;
        for now in [block, some.min(last), last] {
            prop_assert_eq!(era(bytes, now), (signed.born, signed.dies));
        }
        prop_assert_ne!(era(bytes, signed.dies).0, signed.born);
    }

    #[test]
    fn every_call_is_encoded_as_scale_says(
        netuid: u16, mechanism in 0u8..16, uids: Vec<u16>, values: Vec<u16>, version_key: u64,
    ) {
        use parity_scale_codec::Encode;
        let call = WeightCall::Set {
            netuid, mechanism, uids: uids.clone(), values: values.clone(), version_key,
        };
        let bytes = call_data(&runtime(), &call).unwrap();
        let expected = if mechanism == 0 {
            (7u8, 0u8, netuid, uids, values, version_key).encode()
        } else {
            (7u8, 119u8, netuid, mechanism, uids, values, version_key).encode()
        };
        prop_assert_eq!(bytes, expected);
    }
}

fn known_metadata() -> Vec<u8> {
    use std::io::Read;
    let packed = include_bytes!("../data/subtensor-365.scale.gz");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// Gives something in the metadata another name, as a runtime has that lacks it.
fn rename(metadata: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    // With the length in front, so that no longer name is meant.
    let length = u8::try_from(from.len() * 4).unwrap();
    let whole = [&[length], from.as_bytes()].concat();
    let places: Vec<usize> = (0..metadata.len() - whole.len())
        .filter(|at| metadata[*at..].starts_with(&whole))
        .collect();
    assert!(!places.is_empty(), "{from}");
    for at in places {
        metadata[at + 1..at + whole.len()].copy_from_slice(to.as_bytes());
    }
}

/// A runtime of spec version 300 with this metadata.
fn runtime_of(metadata: &[u8]) -> OfflineClientAtBlock<SubstrateConfig> {
    use subxt::config::substrate::SpecVersionForRange;
    let metadata = subxt::Metadata::decode(&mut &*metadata).unwrap();
    let config = SubstrateConfig::builder()
        .set_genesis_hash(GENESIS.into())
        .set_metadata_for_spec_versions([(300, metadata.into())])
        .set_spec_version_for_block_ranges([SpecVersionForRange {
            block_range: 0..u64::MAX,
            spec_version: 300,
            transaction_version: 1,
        }])
        .build();
    let client = subxt::OfflineClient::new_with_config(config);
    client.at_block(0u64).unwrap()
}
