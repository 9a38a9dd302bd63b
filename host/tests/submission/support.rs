//! A host that submits to a simulated chain.

use proctor_host::chain::Hotkey;
use proctor_host::chain::client::Chain;
use proctor_host::chain::subnet::Subnet;
use proctor_host::chain::{Hyperparameters, Metagraph, Neuron};
use proctor_host::config::Config;
use proctor_host::metrics::Metrics;
use proctor_host::scoring::{Content, Policies, Vector};
use proctor_host::store::{Store, SubmissionRow, SubmissionState};
use proctor_host::submission::{self, Parts, Submitter};
use proctor_host::weights::{OnChain, Quantised};
use proctor_simulated_chain::drand::{GENESIS_S, KNOWN_ROUND, PERIOD_S};
use proctor_simulated_chain::{Runtime, SimulatedChain, State};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Waits until something holds that nobody tells of.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The time at block 1002 of the simulated chain, which never goes on.
fn now() -> f64 {
    let genesis = GENESIS_S + KNOWN_ROUND * PERIOD_S - 300;
    f64::from(u32::try_from(genesis).unwrap()) + 24.0
}

/// A vector; of none the subnet would take none.
pub(crate) fn vector(weights: Option<&[(u16, u16)]>) -> Arc<Vector> {
    let on_chain = match weights {
        Some(weights) => {
            let (uids, values) = weights.iter().copied().unzip();
            OnChain::Vector {
                quantised: Quantised { uids, values },
                padded: Vec::new(),
                clipped: false,
            }
        }
        None => OnChain::Refused("too few".into()),
    };
    Arc::new(Vector {
        id: 1,
        digest: format!("{weights:?}"),
        made_at: now(),
        confirmed_at: now(),
        valid_until: f64::MAX,
        metagraph_read_at: None,
        metagraph_block: 1,
        content: Content {
            netuid: 1,
            day: "2023-08-23".into(),
            uids: Vec::new(),
            weights: Vec::new(),
            hotkeys: Vec::new(),
            hotkey_weights: Default::default(),
            policies: Policies {
                unassigned: Default::default(),
                same_miner: Default::default(),
                zero_miner: Default::default(),
                too_few: Default::default(),
                fallback_max_age_s: 0.0,
                min_allowed_weights: 1,
                max_weight_limit: u16::MAX,
            },
            on_chain,
            challenges: Vec::new(),
            derivation: serde_json::json!({}),
        },
    })
}

pub(crate) struct Setup {
    pub(crate) chain: SimulatedChain,
    pub(crate) store: Store,
    pub(crate) vectors: watch::Sender<Option<Arc<Vector>>>,
    subnet: Subnet,
    metrics: Arc<Metrics>,
    directory: tempfile::TempDir,
    /// Of the host that runs.
    looked_at: Mutex<watch::Receiver<u64>>,
}

pub(crate) struct Running {
    pub(crate) submitter: Submitter,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// As if the process had been killed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn metagraph() -> Metagraph {
    let names = ["//Alice", "//Bob", "//Charlie", "//Dave"];
    let neurons = names.iter().zip(0_u16..).map(|(name, uid)| Neuron {
        uid,
        hotkey: Hotkey::from_uri(name).unwrap().address().to_owned(),
        stake: 2_000.0,
        validator_permit: true,
        ..Neuron::default()
    });
    let metagraph = Metagraph::new(1, 1_000, None, neurons.collect()).unwrap();
    metagraph.with_hyperparameters(Hyperparameters {
        tempo: 10,
        weights_rate_limit: 3,
        weights_version: 0,
        min_allowed_weights: 1,
        max_weight_limit: u16::MAX,
        commit_reveal_enabled: false,
        commit_reveal_period: 1,
        commit_reveal_version: Some(4),
        mechanism_count: 1,
        stake_threshold: 1_000_000_000_000,
    })
}

impl Setup {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// A metagraph that was read half an hour ago and longer.
    pub(crate) async fn stale() -> Self {
        let mut setup = Self::new().await;
        setup.subnet = Subnet::new(metagraph(), Some(now() - 1_801.0));
        setup
    }

    pub(crate) async fn with(change: impl FnOnce(&mut State)) -> Self {
        let mut state = SimulatedChain::usual_state(Runtime::v425());
        change(&mut state);
        let directory = tempfile::tempdir().unwrap();
        let weights = [(1, 65_535), (2, 30_000)];
        Setup {
            chain: SimulatedChain::start_with(state, "submission").await,
            store: Store::open(&directory.path().join("db")).unwrap(),
            vectors: watch::Sender::new(Some(vector(Some(&weights)))),
            subnet: Subnet::new(metagraph(), None),
            metrics: Arc::default(),
            directory,
            looked_at: Mutex::new(watch::channel(0).1),
        }
    }

    pub(crate) fn with_new_store(mut self) -> Self {
        self.store = Store::open(&self.directory.path().join("new")).unwrap();
        self
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.chain.network = Some(self.chain.url());
        config.chain.netuid = Some(1);
        config.chain.timeout_s = 5.0;
        config.weights.submit = true;
        config.weights.margin_blocks = 2;
        config.weights.jitter_blocks = 0;
        config.weights.mortality_blocks = 8;
        config
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(|_| ())
    }

    pub(crate) fn start_with(&self, change: impl FnOnce(&mut Config)) -> Running {
        let mut config = self.config();
        change(&mut config);
        let chain = Chain::open(&config.chain, Arc::clone(&self.metrics)).unwrap();
        self.run(config, Some(chain))
    }

    pub(crate) fn start_offline(&self) -> Running {
        self.run(Config::default(), None)
    }

    /// A commit that lands in block 1003 is revealed in 1005, about which the known round
    /// is, with blocks of this length.
    pub(crate) fn start_at_known_round(&self) -> Running {
        self.start_with(|config| config.chain.block_time_s = 46.2)
    }

    fn run(&self, config: Config, chain: Option<Chain>) -> Running {
        let (submitter, asks) = submission::channel();
        *self.looked_at.lock().unwrap() = submitter.looked_at();
        let stop = CancellationToken::new();
        let parts = Parts {
            config: Arc::new(config),
            store: self.store.clone(),
            subnet: self.subnet.clone(),
            metrics: Arc::clone(&self.metrics),
            vectors: self.vectors.subscribe(),
            chain,
            hotkey: Some(Hotkey::from_uri("//Alice").unwrap()),
            clock: now,
        };
        Running {
            submitter,
            task: tokio::spawn(submission::run(parts, asks, stop.clone())),
            stop,
        }
    }

    /// Makes blocks one by one. After each it is waited until the host has looked at it.
    pub(crate) async fn mine_slowly_to(&self, block: u64) {
        self.looked().await;
        while self.chain.best() < block {
            self.chain.mine(1);
            self.looked().await;
        }
    }

    /// Makes blocks one by one, each looked at by the host, until something holds.
    pub(crate) async fn mine_until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        for _ in 0..300 {
            if is_so().await {
                return;
            }
            self.mine_slowly_to(self.chain.best() + 1).await;
        }
        panic!("in vain: {what}");
    }

    /// Waits until the host has looked at the last finalized block.
    pub(crate) async fn looked(&self) {
        let mut looked_at = self.looked_at.lock().unwrap().clone();
        let finalized = self.chain.finalized();
        let looked = looked_at.wait_for(|looked| *looked >= finalized);
        let looked = tokio::time::timeout(Duration::from_secs(60), looked).await;
        looked.expect("the host looks at each block").unwrap();
    }

    async fn row(&self, id: i64) -> Option<SubmissionRow> {
        self.store.submission(id).await.unwrap()
    }

    pub(crate) async fn reached(&self, id: i64, state: SubmissionState) {
        until(&format!("submission {id} is {state:?}"), async || {
            self.row(id).await.is_some_and(|row| row.state == state)
        })
        .await;
    }

    /// The submission when nothing more is to come.
    pub(crate) async fn ended(&self, id: i64) -> SubmissionRow {
        until(&format!("submission {id} ends"), async || {
            self.row(id).await.is_some_and(|row| row.state.is_end())
        })
        .await;
        self.row(id).await.unwrap()
    }

    pub(crate) async fn nothing_is_open(&self) -> bool {
        let rows = self.store.submission_page(None, 1_000).await.unwrap();
        rows.iter().all(|row| row.state.is_end())
    }

    pub(crate) fn has_metric(&self, line: &str) -> bool {
        let text = self.metrics.encode();
        text.lines().any(|of| of.ends_with(line))
    }

    /// Whether a metric comes to have a value.
    pub(crate) async fn metric(&self, line: &str) -> bool {
        until(line, async || self.has_metric(line)).await;
        true
    }
}
