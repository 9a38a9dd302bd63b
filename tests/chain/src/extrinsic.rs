//! Signed extrinsics of version 4: decoded by hand, and their signature verified over a
//! payload that is rebuilt here.

use parity_scale_codec::{Compact, Decode, Encode, Error};
use sp_crypto_hashing::blake2_256;
use subxt_signer::sr25519::{self, PublicKey, Signature};

use crate::call::{Call, PALLET};
use crate::runtime::Runtime;
use crate::state::Account;

/// A signed extrinsic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extrinsic {
    /// All of it, as it was sent.
    pub bytes: Vec<u8>,
    /// The hash of these bytes.
    pub hash: [u8; 32],
    /// Who signed.
    pub account: Account,
    /// The nonce.
    pub nonce: u32,
    /// When it is valid.
    pub era: Era,
    /// The tip, in rao.
    pub tip: u128,
    /// The call, encoded.
    pub call_data: Vec<u8>,
    /// The call.
    pub call: Call,
    signature: [u8; 64],
    /// What the extensions have in the extrinsic.
    extra: Vec<u8>,
    /// The mode of `CheckMetadataHash`: 0 is none.
    metadata_hash: u8,
}

/// When an extrinsic is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Always.
    Immortal,
    /// From a block that is congruent to `phase`, for `period` blocks.
    Mortal {
        /// A power of two from 4 to 65536.
        period: u64,
        /// Less than the period.
        phase: u64,
    },
}

impl Era {
    /// The block that the era begins in, if this is the block being made.
    #[must_use]
    pub fn birth(self, block: u64) -> u64 {
        match self {
            Self::Immortal => 0,
            Self::Mortal { period, phase } => (block.max(phase) - phase) / period * period + phase,
        }
    }

    /// The first block that the extrinsic cannot be in.
    #[must_use]
    pub fn death(self, block: u64) -> u64 {
        match self {
            Self::Immortal => u64::MAX,
            Self::Mortal { period, .. } => self.birth(block) + period,
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        let first = u8::decode(input)?;
        if first == 0 {
            return Ok(Self::Immortal);
        }
        let encoded = u64::from(first) | u64::from(u8::decode(input)?) << 8;
        let period = 2_u64 << (encoded % 16);
        let phase = (encoded >> 4) * (period >> 12).max(1);
        if period < 4 || phase >= period {
            return Err("the era is not valid".into());
        }
        Ok(Self::Mortal { period, phase })
    }
}

impl Extrinsic {
    /// Decodes an extrinsic with its length before it.
    pub(crate) fn decode(bytes: &[u8], runtime: &Runtime) -> Result<Self, Error> {
        let mut input = bytes;
        let length = Compact::<u32>::decode(&mut input)?.0;
        if usize::try_from(length).ok() != Some(input.len()) {
            return Err("the length is not that of the extrinsic".into());
        }
        if u8::decode(&mut input)? != 0x84 {
            return Err("the extrinsic is not signed and of version 4".into());
        }
        if u8::decode(&mut input)? != 0 {
            return Err("the address is not an account".into());
        }
        let account = Account::decode(&mut input)?;
        if u8::decode(&mut input)? != 1 {
            return Err("the signature is not of sr25519".into());
        }
        let signature = <[u8; 64]>::decode(&mut input)?;
        let extra_from = input;
        let mut found = Self {
            bytes: bytes.to_vec(),
            hash: blake2_256(bytes),
            account,
            nonce: 0,
            era: Era::Immortal,
            tip: 0,
            call_data: Vec::new(),
            call: Call::Remark,
            signature,
            extra: Vec::new(),
            metadata_hash: 0,
        };
        for extension in extensions(runtime) {
            found.read(&extension, &mut input)?;
        }
        found.extra = extra_from[..extra_from.len() - input.len()].to_vec();
        found.call_data = input.to_vec();
        found.call = Call::decode(input)?;
        Ok(found)
    }

    fn read(&mut self, extension: &str, input: &mut &[u8]) -> Result<(), Error> {
        match extension {
            "CheckMortality" => self.era = Era::decode(input)?,
            "CheckNonce" => self.nonce = Compact::<u32>::decode(input)?.0,
            "ChargeTransactionPayment" => self.tip = Compact::<u128>::decode(input)?.0,
            "CheckMetadataHash" => self.metadata_hash = u8::decode(input)?,
            "CheckNonZeroSender"
            | "CheckSpecVersion"
            | "CheckTxVersion"
            | "CheckGenesis"
            | "CheckWeight"
            | "SudoTransactionExtension"
            | "SubtensorTransactionExtension"
            | "DrandPriority" => {}
            other => panic!("the simulated chain does not know the extension {other}"),
        }
        Ok(())
    }

    /// Whether the call is one of those with a mechanism.
    pub(crate) fn is_for_mechanism(&self) -> bool {
        matches!(self.call_data[..], [PALLET, 115..=119, ..])
    }

    /// Whether the account signed this, for this chain, runtime and block of birth.
    pub(crate) fn verify(&self, runtime: &Runtime, genesis: &[u8; 32], birth: &[u8; 32]) -> bool {
        let mut payload = self.call_data.clone();
        payload.extend(&self.extra);
        for extension in extensions(runtime) {
            match extension.as_str() {
                "CheckSpecVersion" => payload.extend(runtime.spec_version().to_le_bytes()),
                "CheckTxVersion" => payload.extend(runtime.transaction_version().to_le_bytes()),
                "CheckGenesis" => payload.extend(genesis),
                "CheckMortality" => payload.extend(birth),
                // The hash of the metadata is asked of no one here, so it is never there.
                "CheckMetadataHash" => payload.extend(None::<[u8; 32]>.encode()),
                _ => {}
            }
        }
        if payload.len() > 256 {
            payload = blake2_256(&payload).to_vec();
        }
        self.metadata_hash == 0
            && sr25519::verify(
                &Signature(self.signature),
                &payload,
                &PublicKey(self.account),
            )
    }
}

/// The names of the extensions, in their order.
fn extensions(runtime: &Runtime) -> Vec<String> {
    runtime
        .metadata()
        .extrinsic()
        .transaction_extensions_by_version(0)
        .expect("extensions")
        .map(|extension| extension.identifier().to_owned())
        .collect()
}
