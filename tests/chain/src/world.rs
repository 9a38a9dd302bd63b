//! All that the simulated chain is made of: blocks, the pool, and who listens.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::block::{Block, set_time};
use crate::call::Call;
use crate::event::{Event, Failure};
use crate::extrinsic::Extrinsic;
use crate::node::{RpcError, to_hex};
use crate::pool::{Pool, Pooled};
use crate::runtime::Runtime;
use crate::state::State;
use crate::validity::Invalid;

/// Milliseconds of a block.
pub(crate) const BLOCK_MS: u64 = 12_000;

/// How many blocks before the present one are known by their hash.
const KNOWN_HASHES: u64 = 2_400;

/// What was sent to be put in a block, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// What was sent.
    pub bytes: Vec<u8>,
    /// The same, decoded; `None` if it does not decode.
    pub extrinsic: Option<Extrinsic>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an extrinsic.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was not let in.
    Refused(RpcError),
    /// It waits.
    Waits,
    /// It is in a block.
    Included {
        /// The number of the block.
        block: u64,
        /// Its place in the block.
        index: u32,
        /// What the call came to.
        result: Result<(), Failure>,
    },
    /// It waited, and is not valid any more.
    Dropped,
}

/// Who is told of blocks and versions.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    pub(crate) best: Vec<UnboundedSender<Json>>,
    pub(crate) finalized: Vec<UnboundedSender<Json>>,
    pub(crate) versions: Vec<UnboundedSender<Json>>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) genesis: Arc<Block>,
    /// The best chain, without gaps; the first one is where the simulation began.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// Blocks that were undone.
    pub(crate) orphans: HashMap<[u8; 32], Arc<Block>>,
    /// The number of the last final block.
    pub(crate) finalized: u64,
    /// How far the final block is behind the best; `None` is that none becomes final.
    pub(crate) finality_lag: Option<u64>,
    pub(crate) pool: Pool,
    /// What is in blocks that are not final, with the number of its block.
    pub(crate) included: Vec<(u64, Pooled)>,
    pub(crate) listeners: Listeners,
    pub(crate) received: Vec<Received>,
    /// What the next extrinsics that come in are refused with.
    pub(crate) refusals: Vec<RpcError>,
    /// Whether the pool asks what the pallet's extension does.
    pub(crate) pool_checks: bool,
    pub(crate) mine_on_submit: bool,
    /// The runtime that the next block brings.
    pub(crate) upgrade: Option<Runtime>,
    /// How many blocks' states are kept; older ones are asked for in vain.
    pub(crate) states_kept: u64,
    pub(crate) forks: u64,
}

impl World {
    pub(crate) fn new(state: State, name: &str) -> Self {
        let first = State {
            block: 0,
            events: Vec::new(),
            ..state.clone()
        };
        let genesis = Block::new([0; 32], vec![name.as_bytes().to_vec()], first, 0);
        let finalized = state.block;
        let start = match state.block {
            0 => None,
            1 => Some(Block::new(genesis.hash, Vec::new(), state, 0)),
            // Of what is before, only the genesis is known.
            _ => Some(Block::new(
                [0x45; 32],
                vec![genesis.hash.to_vec()],
                state,
                0,
            )),
        };
        let genesis = Arc::new(genesis);
        let blocks = vec![start.map_or_else(|| Arc::clone(&genesis), Arc::new)];
        Self {
            genesis,
            blocks,
            orphans: HashMap::new(),
            finalized,
            finality_lag: Some(0),
            pool: Pool::default(),
            included: Vec::new(),
            listeners: Listeners::default(),
            received: Vec::new(),
            refusals: Vec::new(),
            pool_checks: true,
            mine_on_submit: false,
            upgrade: None,
            states_kept: u64::MAX,
            forks: 0,
        }
    }

    pub(crate) fn best(&self) -> &Arc<Block> {
        self.blocks.last().expect("the first block is never undone")
    }

    pub(crate) fn at_number(&self, number: u64) -> Option<&Arc<Block>> {
        let first = self.blocks.first()?.number();
        match number.checked_sub(first) {
            Some(place) => self.blocks.get(usize::try_from(place).ok()?),
            None if number == 0 => Some(&self.genesis),
            None => None,
        }
    }

    pub(crate) fn at_hash(&self, hash: &[u8]) -> Option<&Arc<Block>> {
        if self.genesis.hash[..] == *hash {
            return Some(&self.genesis);
        }
        let known = self
            .blocks
            .iter()
            .rev()
            .find(|block| block.hash[..] == *hash);
        known.or_else(|| self.orphans.get(hash))
    }

    /// Changes the state of the best block.
    pub(crate) fn edit<T>(&mut self, change: impl FnOnce(&mut State) -> T) -> T {
        let best = self.blocks.last_mut().expect("a block");
        let mut state = best.state.clone();
        let result = change(&mut state);
        *best = Arc::new(best.with_state(state));
        result
    }

    /// Whether an extrinsic may be in the block of this state, but for a nonce that is
    /// not reached yet.
    pub(crate) fn validate(&self, extrinsic: &Extrinsic, state: &State) -> Result<(), Invalid> {
        let birth = extrinsic.era.birth(state.block);
        if birth > 0 && birth + KNOWN_HASHES < state.block {
            return Err(Invalid::AncientBirthBlock);
        }
        let Some(birth) = self.at_number(birth) else {
            return Err(Invalid::AncientBirthBlock);
        };
        if !extrinsic.verify(&state.runtime, &self.genesis.hash, &birth.hash) {
            return Err(Invalid::BadProof);
        }
        if extrinsic.nonce < state.nonce(&extrinsic.account) {
            return Err(Invalid::Stale);
        }
        if matches!(extrinsic.call, Call::Other { .. }) {
            return Err(Invalid::Call);
        }
        if self.pool_checks {
            state.check_call(extrinsic)?;
        }
        Ok(())
    }

    /// The state that the next block begins with.
    pub(crate) fn next_state(&self) -> State {
        let best = &self.best().state;
        State {
            block: best.block + 1,
            now_ms: best.now_ms + BLOCK_MS,
            events: Vec::new(),
            ..best.clone()
        }
    }

    /// Takes an extrinsic into the pool.
    pub(crate) fn submit(
        &mut self,
        bytes: &[u8],
        watcher: Option<UnboundedSender<Json>>,
    ) -> Result<[u8; 32], RpcError> {
        let decoded = Extrinsic::decode(bytes, &self.best().state.runtime);
        let result = match &decoded {
            _ if !self.refusals.is_empty() => Err(self.refusals.remove(0)),
            Ok(extrinsic) => self.let_in(extrinsic, watcher),
            Err(error) => {
                let message = format!("Verification Error: Runtime error: {error}");
                Err(RpcError::new(1_002, message))
            }
        };
        self.received.push(Received {
            bytes: bytes.to_vec(),
            extrinsic: decoded.ok(),
            outcome: match &result {
                Ok(_) => Outcome::Waits,
                Err(error) => Outcome::Refused(error.clone()),
            },
        });
        if result.is_ok() && self.mine_on_submit {
            self.mine();
        }
        result
    }

    fn let_in(
        &mut self,
        extrinsic: &Extrinsic,
        watcher: Option<UnboundedSender<Json>>,
    ) -> Result<[u8; 32], RpcError> {
        self.pool.check_unknown(extrinsic)?;
        let next = self.next_state();
        self.validate(extrinsic, &next).map_err(Invalid::error)?;
        if let Some(out) = self.pool.make_room(extrinsic)? {
            self.settle(&out.extrinsic.hash, Outcome::Dropped);
        }
        let mut pooled = Pooled {
            extrinsic: extrinsic.clone(),
            watchers: watcher.into_iter().collect(),
            dies: extrinsic.era.death(next.block),
        };
        let account = &extrinsic.account;
        let before = self
            .pool
            .waiting
            .iter()
            .filter(|one| {
                one.extrinsic.account == *account && one.extrinsic.nonce < extrinsic.nonce
            })
            .count();
        let missing = usize::try_from(extrinsic.nonce - next.nonce(account)).unwrap_or(usize::MAX);
        if before < missing {
            pooled.tell(&json!("future"));
        } else {
            pooled.tell(&json!("ready"));
            pooled.tell(&json!({"broadcast": ["12D3KooWSimulated"]}));
        }
        self.pool.waiting.push(pooled);
        Ok(extrinsic.hash)
    }

    /// Notes what became of an extrinsic, where it was let in last.
    fn settle(&mut self, hash: &[u8; 32], outcome: Outcome) {
        let received = self.received.iter_mut().rev().find(|received| {
            let is_it = received
                .extrinsic
                .as_ref()
                .is_some_and(|one| one.hash == *hash);
            is_it && !matches!(received.outcome, Outcome::Refused(_))
        });
        if let Some(received) = received {
            received.outcome = outcome;
        }
    }

    /// Makes a block of what waits.
    pub(crate) fn mine(&mut self) {
        let mut state = self.next_state();
        state.begin_block();
        let mut body = vec![set_time(state.now_ms)];
        state.events.push(Event::success(0));
        let mut included = Vec::new();
        while let Some(mut pooled) = self.take_ready(&state) {
            let extrinsic = pooled.extrinsic.clone();
            let is_valid = state.block < pooled.dies && self.validate(&extrinsic, &state).is_ok();
            if !is_valid {
                pooled.tell(&json!("invalid"));
                self.pool.banned.insert(extrinsic.hash);
                self.settle(&extrinsic.hash, Outcome::Dropped);
                continue;
            }
            let index = u32::try_from(body.len()).unwrap_or(u32::MAX);
            *state.nonces.entry(extrinsic.account).or_default() += 1;
            let result = state.dispatch(&extrinsic.account, &extrinsic.call, index);
            state.events.push(match result {
                Ok(()) => Event::success(index),
                Err(failure) => Event::failed(index, failure, &state.runtime),
            });
            body.push(extrinsic.bytes);
            let outcome = Outcome::Included {
                block: state.block,
                index,
                result,
            };
            self.settle(&extrinsic.hash, outcome);
            self.pool.banned.insert(extrinsic.hash);
            included.push(pooled);
        }
        if let Some(runtime) = self.upgrade.take() {
            state.runtime = runtime;
            let version = self.version_json(&state.runtime);
            tell(&mut self.listeners.versions, &version);
        }
        let number = state.block;
        let block = Arc::new(Block::new(self.best().hash, body, state, self.forks));
        for mut pooled in included {
            pooled.tell_block("inBlock", &block.hash);
            self.included.push((number, pooled));
        }
        tell(&mut self.listeners.best, &block.header_json());
        self.blocks.push(block);
        self.finalize();
    }

    /// The next extrinsic whose turn it is, or whose nonce is over.
    fn take_ready(&mut self, state: &State) -> Option<Pooled> {
        let place = self.pool.waiting.iter().position(|one| {
            let extrinsic = &one.extrinsic;
            extrinsic.nonce <= state.nonce(&extrinsic.account) || state.block >= one.dies
        })?;
        Some(self.pool.waiting.remove(place))
    }

    /// Makes final what is far enough behind the best block.
    pub(crate) fn finalize(&mut self) {
        let Some(lag) = self.finality_lag else {
            return;
        };
        let last = self.best().number().saturating_sub(lag);
        if last <= self.finalized {
            return;
        }
        self.finalized = last;
        let header = self.at_number(last).map(|block| block.header_json());
        tell(&mut self.listeners.finalized, &header.unwrap_or_default());
        let (done, rest) = std::mem::take(&mut self.included)
            .into_iter()
            .partition(|(number, _)| *number <= last);
        self.included = rest;
        let done: Vec<(u64, Pooled)> = done;
        for (number, mut pooled) in done {
            if let Some(block) = self.at_number(number) {
                pooled.tell_block("finalized", &block.hash);
            }
        }
    }

    /// Undoes the last blocks. What was in them waits again, or is lost.
    pub(crate) fn undo(&mut self, count: usize, keep: bool) {
        for _ in 0..count {
            assert!(
                self.best().number() > self.finalized,
                "a final block cannot be undone"
            );
            let block = self.blocks.pop().expect("a block");
            let (undone, rest) = std::mem::take(&mut self.included)
                .into_iter()
                .partition(|(number, _)| *number == block.number());
            self.included = rest;
            let undone: Vec<(u64, Pooled)> = undone;
            for (place, (_, mut pooled)) in undone.into_iter().enumerate() {
                let hash = pooled.extrinsic.hash;
                pooled.tell_block("retracted", &block.hash);
                self.pool.banned.remove(&hash);
                if keep {
                    self.settle(&hash, Outcome::Waits);
                    self.pool.waiting.insert(place, pooled);
                } else {
                    self.settle(&hash, Outcome::Dropped);
                }
            }
            self.orphans.insert(block.hash, block);
        }
        self.forks += 1;
    }

    /// Forgets what waits: those who watch hear nothing more.
    pub(crate) fn forget_pool(&mut self) {
        let waiting = std::mem::take(&mut self.pool).waiting;
        for pooled in waiting {
            self.settle(&pooled.extrinsic.hash, Outcome::Dropped);
        }
        for (_, pooled) in &mut self.included {
            pooled.watchers.clear();
        }
    }

    pub(crate) fn version_json(&self, runtime: &Runtime) -> Json {
        json!({
            "specName": "node-subtensor",
            "implName": "node-subtensor",
            "authoringVersion": 1,
            "specVersion": runtime.spec_version(),
            "implVersion": 1,
            "apis": [["0xdf6acb689907609b", 5], ["0x37e397fc7c91f5e4", 2]],
            "transactionVersion": runtime.transaction_version(),
            "systemVersion": 1,
            "stateVersion": 1,
        })
    }
}

/// Tells all that still listen.
fn tell(listeners: &mut Vec<UnboundedSender<Json>>, item: &Json) {
    listeners.retain(|listener| listener.send(item.clone()).is_ok());
}

/// A subscription that begins with some items.
pub(crate) fn channel(
    first: impl IntoIterator<Item = Json>,
) -> (UnboundedSender<Json>, mpsc::UnboundedReceiver<Json>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    for item in first {
        // The receiver is here, so it is taken.
        let _ = sender.send(item);
    }
    (sender, receiver)
}

/// The hash of a block as a parameter.
pub(crate) fn hash_json(block: &Block) -> Json {
    json!(to_hex(&block.hash))
}
