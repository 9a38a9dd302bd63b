//! A node: the chain, a pool, and those who listen.

use crate::chain::{Applied, Chain};
use crate::pool::{Full, Pool};
use crate::storage::{Key, Storage};
use crate::validity::{Invalid, Refusal};
use proctor_simulated_chain::{RpcError, to_hex};
use serde_json::{Value, json};
use sp_crypto_hashing::blake2_256;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc::UnboundedSender;

/// A node whose blocks are made by a real runtime, when it is told to make one. A block
/// is final as soon as it is made. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Node(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chain: Chain,
    pub(crate) pool: Pool,
    /// Who wants each header.
    listeners: Vec<UnboundedSender<Value>>,
    /// Who would want another version of the runtime.
    pub(crate) runtime_watchers: Vec<UnboundedSender<Value>>,
}

impl Node {
    /// A chain that begins with this storage, and its runtime.
    ///
    /// # Panics
    ///
    /// The runtime in it does not compile, or is not of a chain of subtensor's kind.
    #[must_use]
    pub fn begin(storage: Storage) -> Self {
        let chain = Chain::begin(storage).unwrap_or_else(|trap| panic!("{trap}"));
        Node(Arc::new(Mutex::new(State {
            chain,
            pool: Pool::default(),
            listeners: Vec::new(),
            runtime_watchers: Vec::new(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("a test panicked within the node")
    }

    /// Makes blocks, the first of what is in the pool.
    ///
    /// # Panics
    ///
    /// The runtime makes none.
    pub fn mine(&self, blocks: u32) {
        let mut state = self.lock();
        for _ in 0..blocks {
            state.mine();
        }
    }

    /// Makes blocks until the newest one has this number.
    ///
    /// # Panics
    ///
    /// The chain is past it.
    pub fn mine_to(&self, number: u32) {
        let now = self.number();
        assert!(now <= number, "block {number} was before block {now}");
        self.mine(number - now);
    }

    /// The number of the newest block.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.lock().chain.last().header.number
    }

    /// Changes the storage of the newest block, as no extrinsic could.
    pub fn write(&self, write: impl FnOnce(&mut Storage)) {
        self.lock().chain.write(write);
    }

    /// What the newest block knows of an item, in the encoding of the chain.
    #[must_use]
    pub fn read(&self, key: Key) -> Option<Vec<u8>> {
        let state = self.lock();
        let value = state.chain.last().storage.get(&key.into_bytes());
        value.map(<[u8]>::to_vec)
    }

    /// Transactions that are in no block.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().pool.len()
    }
}

impl State {
    /// Makes a block of what is in the pool.
    pub(crate) fn mine(&mut self) {
        let waiting = self.pool.take();
        let extrinsics: Vec<Vec<u8>> = waiting.iter().map(|w| w.extrinsic.clone()).collect();
        let applied = self.chain.build(&extrinsics);
        let applied = applied.unwrap_or_else(|trap| panic!("no block: {trap}"));
        let block = self.chain.last();
        let hash = to_hex(&block.hash);
        for (waiting, applied) in waiting.into_iter().zip(applied) {
            match applied {
                Applied::Included => {
                    waiting.tell(json!({ "inBlock": hash }));
                    waiting.tell(json!({ "finalized": hash }));
                }
                Applied::Refused(refusal) if refusal.may_pass_later() => {
                    self.pool.put_back(waiting);
                }
                Applied::Refused(_) | Applied::Trapped => waiting.tell("invalid".into()),
            }
        }
        let header = block.header.json();
        self.listeners
            .retain(|listener| listener.send(header.clone()).is_ok());
    }

    /// Takes a transaction into the pool, and returns its hash.
    pub(crate) fn submit(
        &mut self,
        extrinsic: Vec<u8>,
        watcher: Option<UnboundedSender<Value>>,
    ) -> Result<[u8; 32], RpcError> {
        let hash = blake2_256(&extrinsic);
        if self.pool.has(&hash) {
            return Err(Full::Known.into());
        }
        let valid = self.chain.validate(&extrinsic).map_err(|trap| {
            // So do nodes answer to what the runtime cannot even decode.
            RpcError::new(1002, "Verification Error: Runtime error").with_data(trap.0)
        })??;
        self.pool.add(extrinsic, hash, &valid, watcher)?;
        Ok(hash)
    }

    /// Sends the header of the newest block, and of each that comes.
    pub(crate) fn listen(&mut self, listener: UnboundedSender<Value>) {
        if listener.send(self.chain.last().header.json()).is_ok() {
            self.listeners.push(listener);
        }
    }
}

impl Refusal {
    /// Whether a later block may take it.
    fn may_pass_later(self) -> bool {
        matches!(
            self,
            Refusal::Invalid(Invalid::Future | Invalid::ExhaustsResources)
        )
    }
}

impl From<Full> for RpcError {
    fn from(full: Full) -> Self {
        match full {
            Full::Known => RpcError::new(1013, "Transaction Already Imported"),
            Full::Priority { old, new } => {
                let message = format!("Priority is too low: ({old} vs {new})");
                let data = "The transaction has too low priority to replace another \
                            transaction already in the pool.";
                RpcError::new(1014, message).with_data(data)
            }
        }
    }
}
