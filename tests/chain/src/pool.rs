//! Extrinsics that wait for a block, and who is told what becomes of them.

use std::collections::HashSet;

use serde_json::{Value as Json, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::extrinsic::Extrinsic;
use crate::node::{RpcError, to_hex};

/// What waits, in the order that it came in.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) waiting: Vec<Pooled>,
    /// Hashes that are not let in again for a while: what was in a block, or refused by
    /// one.
    pub(crate) banned: HashSet<[u8; 32]>,
}

/// An extrinsic, and who watches it.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) extrinsic: Extrinsic,
    pub(crate) watchers: Vec<UnboundedSender<Json>>,
    /// The block that it cannot be in any more.
    pub(crate) dies: u64,
}

impl Pooled {
    pub(crate) fn tell(&mut self, status: &Json) {
        self.watchers
            .retain(|watcher| watcher.send(status.clone()).is_ok());
    }

    pub(crate) fn tell_block(&mut self, what: &str, hash: &[u8; 32]) {
        self.tell(&json!({what: to_hex(hash)}));
    }
}

impl Pool {
    /// Refuses what is known already.
    pub(crate) fn check_unknown(&self, extrinsic: &Extrinsic) -> Result<(), RpcError> {
        let hash = extrinsic.hash;
        if self.banned.contains(&hash) {
            return Err(RpcError::new(1_012, "Transaction is temporarily banned"));
        }
        if self.waiting.iter().any(|one| one.extrinsic.hash == hash) {
            return Err(RpcError::new(1_013, "Transaction Already Imported"));
        }
        Ok(())
    }

    /// Refuses what has the nonce of another, unless it tips more: then the other is
    /// put out.
    pub(crate) fn make_room(&mut self, extrinsic: &Extrinsic) -> Result<Option<Pooled>, RpcError> {
        let place = self.waiting.iter().position(|one| {
            one.extrinsic.account == extrinsic.account && one.extrinsic.nonce == extrinsic.nonce
        });
        let Some(place) = place else {
            return Ok(None);
        };
        let other = &self.waiting[place].extrinsic;
        if other.tip >= extrinsic.tip {
            let message = format!("Priority is too low: ({} vs {})", other.tip, extrinsic.tip);
            let data = "The transaction has too low priority to replace another transaction \
                        already in the pool.";
            return Err(RpcError::new(1_014, message).with_data(data));
        }
        let mut out = self.waiting.remove(place);
        out.tell_block("usurped", &extrinsic.hash);
        Ok(Some(out))
    }
}
