//! Timelocked weights: opened with the signature of a round of drand's quicknet.

use parity_scale_codec::Decode;
use timelock::curves::drand::TinyBLS381;
use timelock::ibe::fullident::Ciphertext;
use timelock::stream_ciphers::AESGCMStreamCipherProvider;
use timelock::tlock::{TLECiphertext, tld};
use w3f_bls::{PublicKey, SerializableToBytes, Signature};

use crate::state::Account;

/// The first second of drand's quicknet, since 1970, in which round 1 begins.
pub const GENESIS_S: u64 = 1_692_803_367;

/// Seconds of a round.
pub const PERIOD_S: u64 = 3;

/// A round whose signature is known here. Published by drand at `GENESIS_S` and 2997
/// seconds.
pub const KNOWN_ROUND: u64 = 1_000;

/// The signature of [`KNOWN_ROUND`].
pub const KNOWN_SIGNATURE: [u8; 48] = [
    0xb4, 0x46, 0x79, 0xb9, 0xa5, 0x9a, 0xf2, 0xec, 0x87, 0x6b, 0x1a, 0x6b, 0x1a, 0xd5, 0x2e, 0xa9,
    0xb1, 0x61, 0x5f, 0xc3, 0x98, 0x2b, 0x19, 0x57, 0x63, 0x50, 0xf9, 0x34, 0x47, 0xcb, 0x11, 0x25,
    0xe3, 0x42, 0xb7, 0x3a, 0x8d, 0xd2, 0xba, 0xcb, 0xe4, 0x7e, 0x4b, 0x6b, 0x63, 0xed, 0x5e, 0x39,
];

/// What is inside of a timelocked commit.
#[derive(Debug, Clone, PartialEq, Eq, Decode)]
pub struct Opened {
    /// The hotkey that it is for.
    pub hotkey: Vec<u8>,
    /// The uids.
    pub uids: Vec<u16>,
    /// As many values.
    pub values: Vec<u16>,
    /// The version key.
    pub version_key: u64,
}

/// Opens a commit. `None` for every reason that the runtime has to drop one: not a
/// ciphertext, another round's, not weights, or another hotkey's.
pub(crate) fn open(who: &Account, commit: &[u8], signature: &[u8]) -> Option<Opened> {
    let decrypted = decrypt(commit, signature)?;
    if let Ok(opened) = Opened::decode(&mut &decrypted[..]) {
        return match Account::decode(&mut &opened.hotkey[..]) {
            Ok(hotkey) => (hotkey == *who).then_some(opened),
            Err(_) => legacy(&decrypted),
        };
    }
    legacy(&decrypted)
}

/// Weights as they were before they named the hotkey.
fn legacy(mut decrypted: &[u8]) -> Option<Opened> {
    let (uids, values, version_key) = Decode::decode(&mut decrypted).ok()?;
    Some(Opened {
        hotkey: Vec::new(),
        uids,
        values,
        version_key,
    })
}

/// What a ciphertext holds.
#[must_use]
pub fn decrypt(ciphertext: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    let signature = Signature::<TinyBLS381>::from_bytes(signature).ok()?.0;
    tld::<TinyBLS381, AESGCMStreamCipherProvider>(read(ciphertext)?, signature).ok()
}

/// A point of 96 bytes, and four byte strings with their length in 8 bytes before them.
fn read(ciphertext: &[u8]) -> Option<TLECiphertext<TinyBLS381>> {
    let (point, mut rest) = ciphertext.split_at_checked(96)?;
    let u = PublicKey::<TinyBLS381>::from_bytes(point).ok()?.0;
    let v = string(&mut rest)?;
    let w = string(&mut rest)?;
    Some(TLECiphertext {
        header: Ciphertext { u, v, w },
        body: string(&mut rest)?,
        cipher_suite: string(&mut rest)?,
    })
}

fn string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, after) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (string, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(string.to_vec())
}
