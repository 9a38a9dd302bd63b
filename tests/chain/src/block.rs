//! Blocks: their header, their body, and the state after them.

use std::sync::{Arc, OnceLock};

use parity_scale_codec::{Compact, Encode};
use serde_json::{Value as Json, json};
use sp_crypto_hashing::blake2_256;

use crate::node::to_hex;
use crate::state::State;
use crate::value::Entries;

/// A block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) hash: [u8; 32],
    pub(crate) parent: [u8; 32],
    /// Extrinsics with their length, the first one sets the time.
    pub(crate) body: Vec<Vec<u8>>,
    pub(crate) state: State,
    roots: [[u8; 32]; 2],
    entries: OnceLock<Arc<Entries>>,
}

impl Block {
    /// `fork` makes the hash another one where all else is the same.
    pub(crate) fn new(parent: [u8; 32], body: Vec<Vec<u8>>, state: State, fork: u64) -> Self {
        let roots = [
            blake2_256(&("state", state.block, fork).encode()),
            blake2_256(&body.encode()),
        ];
        let number = Compact(u32::try_from(state.block).unwrap_or(u32::MAX));
        let header = (parent, number, roots, Compact(0_u32)).encode();
        Self {
            hash: blake2_256(&header),
            parent,
            body,
            state,
            roots,
            entries: OnceLock::new(),
        }
    }

    /// The same block with another state: as if storage had been set by hand.
    pub(crate) fn with_state(&self, state: State) -> Self {
        Self {
            hash: self.hash,
            parent: self.parent,
            body: self.body.clone(),
            state,
            roots: self.roots,
            entries: OnceLock::new(),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.state.block
    }

    pub(crate) fn entries(&self) -> &Entries {
        self.entries.get_or_init(|| Arc::new(self.state.entries()))
    }

    pub(crate) fn header_json(&self) -> Json {
        json!({
            "parentHash": to_hex(&self.parent),
            "number": format!("0x{:x}", self.number()),
            "stateRoot": to_hex(&self.roots[0]),
            "extrinsicsRoot": to_hex(&self.roots[1]),
            "digest": {"logs": []},
        })
    }

    pub(crate) fn json(&self) -> Json {
        let body: Vec<String> = self.body.iter().map(|one| to_hex(one)).collect();
        json!({
            "block": {"header": self.header_json(), "extrinsics": body},
            "justifications": null,
        })
    }
}

/// `Timestamp.set`, unsigned and of version 4, with its length.
pub(crate) fn set_time(now_ms: u64) -> Vec<u8> {
    (4_u8, 2_u8, 0_u8, Compact(now_ms)).encode().encode()
}
