//! The simulated chain, as tests hold it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subxt_signer::sr25519::dev;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::drand;
use crate::event::Event;
use crate::faults::Faults;
use crate::node::RpcError;
use crate::runtime::Runtime;
use crate::server::Server;
use crate::state::{Account, Neuron, State, Subnet};
use crate::world::{Received, World};

/// The netuid of the subnet of [`SimulatedChain::start`].
pub const NETUID: u16 = 1;

/// A simulated subtensor: its blocks, its pool, and a server on a port of the loopback.
/// Clones are the same chain; it is gone with the last one.
///
/// Nothing happens by itself: blocks are made by [`mine`](Self::mine), unless told
/// otherwise, and are final at once, unless told otherwise.
#[derive(Debug, Clone)]
pub struct SimulatedChain {
    shared: Arc<Shared>,
    server: Option<Arc<Server>>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    changes: watch::Sender<u64>,
    stop: CancellationToken,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl SimulatedChain {
    /// A chain with [`SimulatedChain::usual_state`].
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn start() -> Self {
        Self::start_with(Self::usual_state(Runtime::v425()), "simulated").await
    }

    /// A chain that begins with this state. Chains of different names have different
    /// genesis blocks.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn start_with(state: State, name: &str) -> Self {
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(state, name)),
            changes: watch::Sender::new(0),
            stop: CancellationToken::new(),
        });
        let node = Self {
            shared: Arc::clone(&shared),
            server: None,
        };
        let server = Server::start(Arc::new(node)).await.expect("a port");
        Self {
            shared,
            server: Some(Arc::new(server)),
        }
    }

    /// Another server of the same chain, as another node of it. Its faults are its own.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn another_server(&self) -> Server {
        let node = Self {
            shared: Arc::clone(&self.shared),
            server: None,
        };
        Server::start(Arc::new(node)).await.expect("a port")
    }

    /// Block 1000, a few minutes before drand's round 1000; subnet 1 with a tempo of 10,
    /// commit and reveal off, a rate limit of 3 blocks, at least 1 weight, and a stake
    /// threshold of 1000 alpha. Its neurons: `alice` (uid 0) and `bob` (1) have a
    /// permit and 2000 alpha, `charlie` (2) and `dave` (3) nothing. The last epoch was
    /// in block 995.
    #[must_use]
    pub fn usual_state(runtime: Runtime) -> State {
        let now_s = drand::GENESIS_S + drand::KNOWN_ROUND * drand::PERIOD_S - 300;
        let mut state = State::new(runtime, 1_000, now_s * 1_000);
        state.stake_threshold = 1_000_000_000_000;
        let neurons = vec![
            Neuron::validator(account("alice"), 2_000_000_000_000),
            Neuron::validator(account("bob"), 2_000_000_000_000),
            Neuron::miner(account("charlie")),
            Neuron::miner(account("dave")),
        ];
        let subnet = Subnet {
            commit_reveal: false,
            weights_rate_limit: 3,
            min_allowed_weights: 1,
            last_epoch_block: 995,
            blocks_since_last_step: 5,
            epoch_index: 90,
            ..Subnet::new(10, neurons)
        };
        state.subnets.insert(NETUID, subnet);
        state
    }

    /// Where it is served.
    #[must_use]
    pub fn url(&self) -> String {
        self.server().url()
    }

    /// What may go wrong between it and its clients.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.server().faults()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("what tests hold is served")
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self
            .shared
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut world);
        drop(world);
        self.shared.changes.send_modify(|changes| *changes += 1);
        result
    }

    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(
            &self
                .shared
                .world
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Looks at the state of the best block.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.look(|world| look(&world.best().state))
    }

    /// Changes the state of the best block as if its storage had been set by hand.
    pub fn edit<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.with(|world| world.edit(change))
    }

    /// Makes this many blocks of what waits in the pool.
    pub fn mine(&self, count: u64) {
        for _ in 0..count {
            self.with(World::mine);
        }
    }

    /// Makes blocks until the best one has this number.
    pub fn mine_to(&self, number: u64) {
        self.mine(number.saturating_sub(self.best()));
    }

    /// Whether a block is made of every extrinsic as it comes in.
    pub fn mine_on_submit(&self, on: bool) {
        self.with(|world| world.mine_on_submit = on);
    }

    /// Makes a block in every period from now on, until the chain is gone.
    pub fn mine_every(&self, period: Duration) {
        let shared = Arc::downgrade(&self.shared);
        let stop = self.shared.stop.clone();
        let mining = async move {
            let mut ticks = tokio::time::interval(period);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let chain = Self {
                    shared,
                    server: None,
                };
                chain.mine(1);
            }
        };
        tokio::spawn(stop.run_until_cancelled_owned(mining));
    }

    /// How many blocks the final one is behind the best from now on; `None` is that
    /// none becomes final.
    pub fn finality_lag(&self, lag: Option<u64>) {
        self.with(|world| {
            world.finality_lag = lag;
            world.finalize();
        });
    }

    /// The number of the best block.
    #[must_use]
    pub fn best(&self) -> u64 {
        self.look(|world| world.best().number())
    }

    /// The number of the last final block.
    #[must_use]
    pub fn finalized(&self) -> u64 {
        self.look(|world| world.finalized)
    }

    /// The hash of a block of the best chain.
    #[must_use]
    pub fn hash(&self, number: u64) -> Option<[u8; 32]> {
        self.look(|world| world.at_number(number).map(|block| block.hash))
    }

    /// What happened in a block of the best chain.
    #[must_use]
    pub fn events(&self, number: u64) -> Vec<Event> {
        self.look(|world| {
            let block = world.at_number(number);
            block
                .map(|block| block.state.events.clone())
                .unwrap_or_default()
        })
    }

    /// Everything that was sent to be put in a block, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.look(|world| world.received.clone())
    }

    /// How many extrinsics wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.look(|world| world.pool.waiting.len())
    }

    /// Waits until something holds. It is looked at after every request and change.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let mut seen = self.faults().seen();
        while !holds(self) {
            // The senders are in `self`.
            let _ = tokio::select! {
                changed = changes.changed() => changed,
                changed = seen.changed() => changed,
            };
        }
    }

    /// Refuses the next extrinsic that comes in with an error, such as
    /// [`Invalid::error`](crate::Invalid::error) of `Custom(6)`. Several come in turn.
    pub fn refuse_next(&self, error: RpcError) {
        self.with(|world| world.refusals.push(error));
    }

    /// Whether the pool refuses what the pallet's extension does. Off, as in old
    /// runtimes, the same comes as a failed call in a block.
    pub fn pool_checks(&self, on: bool) {
        self.with(|world| world.pool_checks = on);
    }

    /// As if the node had been started anew: the pool is empty, and all connections of
    /// this server are closed.
    pub fn restart(&self) {
        self.with(World::forget_pool);
        self.faults().disconnect();
    }

    /// Undoes the last blocks, and puts what was in them back in the pool. The next ones
    /// have other hashes.
    ///
    /// # Panics
    ///
    /// If one of them is final.
    pub fn fork(&self, count: usize) {
        self.with(|world| world.undo(count, true));
    }

    /// Undoes the last blocks. What was in them is lost.
    ///
    /// # Panics
    ///
    /// If one of them is final.
    pub fn fork_and_lose(&self, count: usize) {
        self.with(|world| world.undo(count, false));
    }

    /// Brings another runtime with the next block.
    pub fn upgrade(&self, runtime: Runtime) {
        self.with(|world| world.upgrade = Some(runtime));
    }

    /// How many blocks' states are kept. What is older is refused, as by nodes that are
    /// no archives.
    pub fn keep_states(&self, count: u64) {
        self.with(|world| world.states_kept = count);
    }
}

/// The public key of a test account: `alice`, `bob`, `charlie`, `dave`, `eve`, `ferdie`.
///
/// # Panics
///
/// If it is another name.
#[must_use]
pub fn account(name: &str) -> Account {
    let pair = match name {
        "alice" => dev::alice(),
        "bob" => dev::bob(),
        "charlie" => dev::charlie(),
        "dave" => dev::dave(),
        "eve" => dev::eve(),
        "ferdie" => dev::ferdie(),
        other => panic!("there is no test account {other}"),
    };
    pair.public_key().0
}
