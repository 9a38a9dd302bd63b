//! Weights that open by themselves: encrypted to a round of drand, whose signature, of
//! which nobody knows anything before, is the key.
//!
//! The scheme is identity-based encryption after Boneh and Franklin on BLS12-381, of a
//! key of AES-256-GCM; the identity is the round. The bytes are those of the runtime's
//! `TLECiphertext` and of the official client: `tests/fixtures/timelock` has some of both
//! sides.

use crypto_secretbox::aead::rand_core::{self, CryptoRng, RngCore};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use timelock::curves::drand::TinyBLS381;
use timelock::ibe::fullident::{Ciphertext, Identity};
use timelock::stream_ciphers::AESGCMStreamCipherProvider;
use timelock::tlock::{TLECiphertext, tld, tle};
use w3f_bls::{PublicKey, SerializableToBytes, Signature};
use zeroize::Zeroizing;

/// The public key of drand's quicknet, a point of G2.
const QUICKNET: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
    8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca7\
    3bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";

/// The longest commit that the chain takes, in bytes: `MAX_CRV3_COMMIT_SIZE_BYTES`.
pub const MAX_COMMIT_BYTES: usize = 5_000;

/// Bytes of a point of G2.
const POINT: usize = 96;

/// Bytes of a signature, a point of G1.
const SIGNATURE: usize = 48;

/// What a timelocked commit tells when it opens.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Payload {
    /// The public key of the hotkey that commits, 32 bytes: the chain takes weights from
    /// nobody else, so that nobody can commit a copy.
    pub hotkey: Vec<u8>,
    /// `uids`.
    pub uids: Vec<u16>,
    /// `values`, as many.
    pub values: Vec<u16>,
    /// `version_key`.
    pub version_key: u64,
}

/// Why weights were not encrypted, or do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimelockError {
    /// There is no such round, or the encryption failed.
    #[error("could not be encrypted")]
    Encrypt,
    /// The commit is longer than the chain takes.
    #[error("a commit of {0} bytes is longer than the {MAX_COMMIT_BYTES} that the chain takes")]
    TooLong(usize),
    /// The bytes are no ciphertext of this scheme.
    #[error("is no timelocked commit")]
    Ciphertext,
    /// The bytes are no signature of quicknet.
    #[error("is no signature of drand's quicknet")]
    Signature,
    /// The signature is of another round, or the ciphertext was changed.
    #[error("does not open with this signature: it is of another round, or was changed")]
    Closed,
    /// What was encrypted is no [`Payload`].
    #[error("opens, but has no weights in it")]
    Payload,
}

/// The commit that opens with the signature of `round` of quicknet. `entropy` is of the
/// operating system, fresh for each commit, and as secret as the weights until that
/// round: with the same, the same comes out. Takes about ten milliseconds.
///
/// # Errors
///
/// [`TimelockError::Encrypt`] for round 0, which drand does not have, and
/// [`TimelockError::TooLong`] for more than 1,177 weights.
pub fn encrypt(
    payload: &Payload,
    round: u64,
    entropy: &[u8; 32],
) -> Result<Vec<u8>, TimelockError> {
    if round == 0 {
        return Err(TimelockError::Encrypt);
    }
    let key = hex::decode(QUICKNET).map_err(|_| TimelockError::Encrypt)?;
    let key = PublicKey::<TinyBLS381>::from_bytes(&key).map_err(|_| TimelockError::Encrypt)?;
    let mut rng = Entropy(ChaCha20Rng::from_seed(*entropy));
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *secret);
    let sealed = tle::<TinyBLS381, AESGCMStreamCipherProvider, _>(
        key.0,
        *secret,
        &Zeroizing::new(payload.encode()),
        Identity::new(b"", vec![Sha256::digest(round.to_be_bytes()).to_vec()]),
        rng,
    );
    let bytes = to_bytes(&sealed.map_err(|_| TimelockError::Encrypt)?);
    if bytes.len() > MAX_COMMIT_BYTES {
        return Err(TimelockError::TooLong(bytes.len()));
    }
    Ok(bytes)
}

/// What a commit tells, opened with the signature of its round. Does not check that the
/// signature is drand's: one that is not opens nothing.
///
/// # Errors
///
/// Any [`TimelockError`] but those of [`encrypt`].
pub fn decrypt(commit: &[u8], round_signature: &[u8]) -> Result<Payload, TimelockError> {
    if round_signature.len() != SIGNATURE {
        return Err(TimelockError::Signature);
    }
    let signature = Signature::<TinyBLS381>::from_bytes(round_signature)
        .map_err(|_| TimelockError::Signature)?;
    let sealed = from_bytes(commit).ok_or(TimelockError::Ciphertext)?;
    let opened = tld::<TinyBLS381, AESGCMStreamCipherProvider>(sealed, signature.0)
        .map_err(|_| TimelockError::Closed)?;
    Payload::decode_all(&mut &*opened).map_err(|_| TimelockError::Payload)
}

/// The point, then each list with its length as `u64`, little endian: what arkworks'
/// compressed serialization makes of it.
fn to_bytes(sealed: &TLECiphertext<TinyBLS381>) -> Vec<u8> {
    let TLECiphertext {
        header,
        body,
        cipher_suite,
    } = sealed;
    let mut bytes = PublicKey::<TinyBLS381>(header.u).to_bytes();
    for list in [&header.v, &header.w, body, cipher_suite] {
        bytes.extend((list.len() as u64).to_le_bytes());
        bytes.extend(list);
    }
    bytes
}

/// The reverse of [`to_bytes`]. Only what [`tld`] does not panic at.
fn from_bytes(bytes: &[u8]) -> Option<TLECiphertext<TinyBLS381>> {
    let (point, mut rest) = bytes.split_at_checked(POINT)?;
    let mut list = || {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (list, after) = after.split_at_checked(length)?;
        rest = after;
        Some(list.to_vec())
    };
    let (v, w, body, cipher_suite) = (list()?, list()?, list()?, list()?);
    if v.len() != 32 || w.len() != 32 || !rest.is_empty() {
        return None;
    }
    let u = PublicKey::<TinyBLS381>::from_bytes(point).ok()?.0;
    Some(TLECiphertext {
        header: Ciphertext { u, v, w },
        body,
        cipher_suite,
    })
}

/// ChaCha20 behind the traits of the version of `rand_core` that `timelock` has.
struct Entropy(ChaCha20Rng);

impl CryptoRng for Entropy {}

impl RngCore for Entropy {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    const OFFICIAL: &str = include_str!("../../../tests/fixtures/timelock/official.json");
    const PROCTOR: &str = include_str!("../../../tests/fixtures/timelock/proctor.json");

    #[derive(Deserialize)]
    struct Fixture {
        round: u64,
        signature: String,
        #[serde(default)]
        entropy: String,
        commits: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        hotkey: String,
        uids: Vec<u16>,
        values: Vec<u16>,
        version_key: u64,
        commit: String,
    }

    impl Case {
        fn payload(&self) -> Payload {
            Payload {
                hotkey: hex::decode(&self.hotkey).unwrap(),
                uids: self.uids.clone(),
                values: self.values.clone(),
                version_key: self.version_key,
            }
        }

        fn commit(&self) -> Vec<u8> {
            hex::decode(&self.commit).unwrap()
        }
    }

    impl Fixture {
        fn read(text: &str) -> Self {
            let fixture: Fixture = serde_json::from_str(text).unwrap();
            assert!(!fixture.commits.is_empty());
            fixture
        }

        fn signature(&self) -> Vec<u8> {
            hex::decode(&self.signature).unwrap()
        }
    }

    #[test]
    fn what_the_official_client_encrypted_opens() {
        let fixture = Fixture::read(OFFICIAL);
        for case in &fixture.commits {
            let opened = decrypt(&case.commit(), &fixture.signature()).unwrap();
            assert_eq!(opened, case.payload());
        }
    }

    #[test]
    fn what_is_encrypted_is_what_the_official_client_opened() {
        let fixture = Fixture::read(PROCTOR);
        let entropy = hex::decode(&fixture.entropy).unwrap().try_into().unwrap();
        for case in &fixture.commits {
            let commit = encrypt(&case.payload(), fixture.round, &entropy).unwrap();
            assert_eq!(hex::encode(&commit), case.commit);
            assert_eq!(decrypt(&commit, &fixture.signature()), Ok(case.payload()));
        }
    }

    #[test]
    fn other_entropy_makes_another_commit_in_every_part() {
        let fixture = Fixture::read(PROCTOR);
        let payload = fixture.commits[0].payload();
        let commit = |entropy| encrypt(&payload, 1_000, &[entropy; 32]).unwrap();
        let (one, other) = (commit(1), commit(2));
        assert_eq!(one.len(), other.len());
        // The point, v, w, and what is encrypted with them.
        for part in [0..96, 104..136, 144..176, 192..192 + 60] {
            assert_ne!(one[part.clone()], other[part]);
        }
    }

    #[test]
    fn another_rounds_signature_opens_nothing() {
        let fixture = Fixture::read(PROCTOR);
        let payload = fixture.commits[0].payload();
        let commit = encrypt(&payload, 1_001, &[1; 32]).unwrap();
        let opened = decrypt(&commit, &fixture.signature());
        assert_eq!(opened, Err(TimelockError::Closed));
    }

    #[test]
    fn a_commit_with_a_byte_changed_or_missing_opens_nothing() {
        let fixture = Fixture::read(OFFICIAL);
        let (commit, signature) = (fixture.commits[0].commit(), fixture.signature());
        // The name of the cipher at the end, which nobody reads, is not looked at.
        for at in (0..commit.len() - 16).step_by(7) {
            let mut changed = commit.clone();
            changed[at] ^= 1;
            assert!(decrypt(&changed, &signature).is_err(), "{at}");
            assert!(decrypt(&commit[..at], &signature).is_err(), "{at}");
        }
        let longer = [commit.as_slice(), &[0]].concat();
        assert_eq!(decrypt(&longer, &signature), Err(TimelockError::Ciphertext));
        assert_eq!(decrypt(&[], &signature), Err(TimelockError::Ciphertext));
    }

    #[test]
    fn a_commit_whose_parts_have_other_lengths_is_none() {
        let fixture = Fixture::read(OFFICIAL);
        let (commit, signature) = (fixture.commits[0].commit(), fixture.signature());
        for list in [96, 136] {
            for (length, cut) in [(31_u64, 1), (0, 32), (u64::MAX, 0)] {
                let mut other = commit.clone();
                other.drain(list + 8..list + 8 + cut);
                other[list..list + 8].copy_from_slice(&length.to_le_bytes());
                let opened = decrypt(&other, &signature);
                assert_eq!(opened, Err(TimelockError::Ciphertext));
            }
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let commit = Fixture::read(OFFICIAL).commits[0].commit();
        for signature in [&[] as &[u8], &[0; 48], &[0xb4; 48], &[1; 96]] {
            let opened = decrypt(&commit, signature);
            assert_eq!(opened, Err(TimelockError::Signature));
        }
    }

    #[test]
    fn a_commit_of_a_full_subnet_fits_and_one_of_far_more_does_not() {
        let of = |weights: u16| Payload {
            hotkey: vec![1; 32],
            uids: (0..weights).collect(),
            values: vec![65_535; weights.into()],
            version_key: 0,
        };
        assert!(encrypt(&of(256), 1_000, &[1; 32]).is_ok());
        // 244 of the scheme, 33 of the hotkey, 2 for each length, 8 of the version.
        let most = u16::try_from((MAX_COMMIT_BYTES - 244 - 33 - 4 - 8) / 4).unwrap();
        assert!(encrypt(&of(most), 1_000, &[1; 32]).is_ok());
        let too_long = encrypt(&of(most + 1), 1_000, &[1; 32]);
        assert_eq!(too_long, Err(TimelockError::TooLong(5_001)));
        assert_eq!(encrypt(&of(1), 0, &[1; 32]), Err(TimelockError::Encrypt));
    }
}
