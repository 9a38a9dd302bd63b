//! Headers of blocks.

use parity_scale_codec::{Compact, Decode, Encode};
use proctor_simulated_chain::to_hex;
use serde_json::{Value, json};
use sp_crypto_hashing::blake2_256;

/// A header, in the order of its encoding.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct Header {
    pub(crate) parent: [u8; 32],
    #[codec(compact)]
    pub(crate) number: u32,
    pub(crate) state_root: [u8; 32],
    pub(crate) extrinsics_root: [u8; 32],
    pub(crate) digest: Vec<Item>,
}

/// An item of a header's digest, by its number in the encoding.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) enum Item {
    #[codec(index = 0)]
    Other(Vec<u8>),
    #[codec(index = 4)]
    Consensus([u8; 4], Vec<u8>),
    #[codec(index = 5)]
    Seal([u8; 4], Vec<u8>),
    #[codec(index = 6)]
    PreRuntime([u8; 4], Vec<u8>),
    #[codec(index = 8)]
    RuntimeUpdated,
}

impl Header {
    /// The header that a block is begun with: of Aura, in this slot.
    pub(crate) fn of_slot(parent: [u8; 32], number: u32, slot: u64) -> Self {
        Header {
            parent,
            number,
            state_root: [0; 32],
            extrinsics_root: [0; 32],
            digest: vec![Item::PreRuntime(*b"aura", slot.encode())],
        }
    }

    /// The header of a first block.
    pub(crate) fn genesis() -> Self {
        Header {
            digest: Vec::new(),
            ..Self::of_slot([0; 32], 0, 0)
        }
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        blake2_256(&self.encode())
    }

    /// As JSON-RPC has it.
    pub(crate) fn json(&self) -> Value {
        let logs: Vec<String> = self
            .digest
            .iter()
            .map(|item| to_hex(&item.encode()))
            .collect();
        json!({
            "parentHash": to_hex(&self.parent),
            "number": format!("0x{:x}", self.number),
            "stateRoot": to_hex(&self.state_root),
            "extrinsicsRoot": to_hex(&self.extrinsics_root),
            "digest": { "logs": logs },
        })
    }
}

/// The inherent with which a block tells its time: call 0 of pallet 2, unsigned.
pub(crate) fn timestamp(milliseconds: u64) -> Vec<u8> {
    const VERSION_4_UNSIGNED: u8 = 4;
    (VERSION_4_UNSIGNED, [2u8, 0u8], Compact(milliseconds))
        .encode()
        .encode()
}
