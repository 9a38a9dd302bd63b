//! Transactions that wait for a block.

use crate::validity::Valid;
use proctor_simulated_chain::to_hex;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// A transaction that is in no block yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) extrinsic: Vec<u8>,
    pub(crate) hash: [u8; 32],
    priority: u64,
    provides: Vec<Vec<u8>>,
    /// Who is told what becomes of it.
    watcher: Option<UnboundedSender<Value>>,
}

impl Waiting {
    pub(crate) fn tell(&self, status: Value) {
        if let Some(watcher) = &self.watcher {
            // Who does not listen any more need not be told.
            let _ = watcher.send(status);
        }
    }
}

/// The transactions of a node, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<Waiting>);

/// Why a pool does not take a valid transaction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// It is in the pool.
    Known,
    /// Another with the same nonce is in the pool, and this one does not pay more.
    Priority {
        /// Of the one in the pool.
        old: u64,
        /// Of this one.
        new: u64,
    },
}

impl Pool {
    pub(crate) fn has(&self, hash: &[u8; 32]) -> bool {
        self.0.iter().any(|waiting| waiting.hash == *hash)
    }

    /// Whether the tag, an account and its nonce, is of one in the pool.
    pub(crate) fn provides(&self, tag: &[u8]) -> bool {
        self.0.iter().any(|w| w.provides.iter().any(|t| t == tag))
    }

    /// Takes a transaction, in the place of one with its nonce that pays less.
    pub(crate) fn add(
        &mut self,
        extrinsic: Vec<u8>,
        hash: [u8; 32],
        valid: &Valid,
        watcher: Option<UnboundedSender<Value>>,
    ) -> Result<(), Full> {
        if self.has(&hash) {
            return Err(Full::Known);
        }
        let ready = valid.requires.iter().all(|tag| self.provides(tag));
        let same = |w: &Waiting| w.provides.iter().any(|tag| valid.provides.contains(tag));
        let waiting = Waiting {
            extrinsic,
            hash,
            priority: valid.priority,
            provides: valid.provides.clone(),
            watcher,
        };
        if let Some(at) = self.0.iter().position(same) {
            let old = self.0.remove(at);
            if old.priority >= waiting.priority {
                let (old_priority, new) = (old.priority, waiting.priority);
                self.0.insert(at, old);
                return Err(Full::Priority {
                    old: old_priority,
                    new,
                });
            }
            old.tell(json!({ "usurped": to_hex(&hash) }));
        }
        waiting.tell(if ready { "ready" } else { "future" }.into());
        self.0.push(waiting);
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.0.iter()
    }

    /// Takes all out, to be put back if they still wait.
    pub(crate) fn take(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn put_back(&mut self, waiting: Waiting) {
        self.0.push(waiting);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
