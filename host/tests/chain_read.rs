//! Reading the subnet from a chain: the simulated chain, over WebSocket.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use parity_scale_codec::Encode;
use proctor_host::chain::client::{AtBlock, Chain};
use proctor_host::chain::error::ChainError;
use proctor_host::chain::read;
use proctor_host::chain::subnet::{self, Subnet};
use proctor_host::clock::unix_now;
use proctor_host::config::{self, Config};
use proctor_host::metrics::Metrics;
use proctor_simulated_chain::{
    Commit, NETUID, Neuron, RpcError, Runtime, SimulatedChain, State, Subnet as Simulated,
    Timelocked, account,
};
use sp_crypto_hashing::{blake2_128, twox_128};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const API: &str = "SubnetInfoRuntimeApi";
const FUNCTION: &str = "get_selective_metagraph";
const TAO: u64 = 1_000_000_000;

fn config(url: &str, directory: &Path) -> Config {
    Config {
        data_dir: directory.to_owned(),
        chain: config::Chain {
            network: Some(url.to_owned()),
            netuid: Some(NETUID),
            timeout_s: 60.0,
            refresh_blocks: 5,
            ..config::Chain::default()
        },
        ..Config::default()
    }
}

fn connect(config: &Config) -> Chain {
    Chain::open(&config.chain, Arc::new(Metrics::default())).unwrap()
}

async fn at(simulated: &SimulatedChain) -> AtBlock {
    let chain = connect(&config(&simulated.url(), Path::new("")));
    chain.at_finalized().await.unwrap()
}

async fn start(state: State) -> SimulatedChain {
    SimulatedChain::start_with(state, "read").await
}

/// How often a function of the runtime was called.
fn calls(simulated: &SimulatedChain, function: &str) -> usize {
    let calls = simulated.faults().parameters("state_call");
    let is_it = |call: &&Vec<serde_json::Value>| call[0] == function;
    calls.iter().filter(is_it).count()
}

fn metagraph_calls(simulated: &SimulatedChain) -> usize {
    calls(simulated, &format!("{API}_{FUNCTION}"))
}

/// Neurons with all kinds of stake; the lists of the chain are too short for the last.
fn populated(runtime: Runtime) -> State {
    let mut state = SimulatedChain::usual_state(runtime);
    // A TAO of the root network counts as one.
    state.tao_weight = u64::MAX;
    let subnet = state.subnet(NETUID);
    subnet.owner_hotkey = account("charlie");
    subnet.weights_version = 3;
    subnet.mechanisms = 2;
    subnet.neurons[0].tao_stake = 1_234_567_890;
    subnet.neurons[0].last_update = 998;
    subnet.neurons[1].last_update = 0;
    subnet.neurons[2].registered_at = 77;
    subnet.neurons[2].axon = Some(([192, 0, 2, 7], 8_091).into());
    subnet.neurons[3].axon = Some(([0, 0, 0, 0, 0, 0, 0, 1], 9).into());
    subnet.neurons[3].validator_permit = true;
    subnet.neurons[3].last_update = 5;
    subnet.vector_length = Some(3);
    state
}

/// `SubtensorModule.<item>` of a hotkey and the subnet.
fn of_hotkey(item: &str, hotkey: [u8; 32]) -> Vec<u8> {
    let mut key = [twox_128(b"SubtensorModule"), twox_128(item.as_bytes())].concat();
    key.extend(blake2_128(&hotkey));
    key.extend(hotkey);
    key.extend(NETUID.to_le_bytes());
    key
}

#[tokio::test]
async fn the_runtimes_function_and_its_storage_tell_the_same() {
    for runtime in [Runtime::v365(), Runtime::v425()] {
        let simulated = start(populated(runtime)).await;
        let at = at(&simulated).await;
        let of_call = read::metagraph(&at, NETUID).await.unwrap();
        assert_eq!(metagraph_calls(&simulated), 1);
        let of_storage = read::metagraph_of_storage(&at, NETUID).await.unwrap();
        assert_eq!(metagraph_calls(&simulated), 1);
        assert_eq!(of_call, of_storage);

        assert_eq!((of_call.netuid(), of_call.block()), (NETUID, 1_000));
        assert_eq!(
            of_call.owner_hotkey().and_then(|o| of_call.uid_of(o)),
            Some(2)
        );
        let [alice, bob, charlie, dave] = of_call.neurons().collect::<Vec<_>>()[..] else {
            panic!("{of_call:?}");
        };
        assert_eq!(alice.stake, 2_001.234_567_89);
        assert_eq!(alice.alpha_stake, Some(2_000.0));
        assert_eq!(alice.tao_stake, Some(1.234_567_89));
        assert_eq!(
            (alice.validator_permit, alice.last_update),
            (true, Some(998))
        );
        assert_eq!(bob.last_update, Some(0));
        assert_eq!((charlie.stake, charlie.registered_at), (0.0, Some(77)));
        assert_eq!((alice.axon_ip, alice.axon_port), (None, None));
        assert_eq!(charlie.axon_ip, Some([192, 0, 2, 7].into()));
        assert_eq!(charlie.axon_port, Some(8_091));
        assert_eq!(dave.axon_ip, Some("::1".parse().unwrap()));
        assert_eq!(dave.axon_port, Some(9));
        // Stored, and beyond the end of the lists.
        assert_eq!((dave.validator_permit, dave.last_update), (false, Some(0)));

        let limits = of_call.hyperparameters().unwrap();
        assert_eq!((limits.tempo, limits.weights_rate_limit), (10, 3));
        assert_eq!((limits.weights_version, limits.min_allowed_weights), (3, 1));
        assert_eq!(
            (limits.max_weight_limit, limits.mechanism_count),
            (65_535, 2)
        );
        assert!(!limits.commit_reveal_enabled);
        assert_eq!(
            (limits.commit_reveal_period, limits.commit_reveal_version),
            (1, Some(4))
        );
        assert_eq!(limits.stake_threshold, 1_000 * TAO);
        assert_eq!(read::hyperparameters(&at, NETUID).await.unwrap(), *limits);
    }
}

#[tokio::test]
async fn a_runtime_without_the_function_is_read_from_storage() {
    let runtime = Runtime::v365().without_api(API, FUNCTION);
    let simulated = start(populated(runtime)).await;
    let at = at(&simulated).await;
    let metagraph = read::metagraph(&at, NETUID).await.unwrap();
    assert_eq!(metagraph_calls(&simulated), 0);
    assert_eq!(metagraph.neurons().len(), 4);
    assert_eq!(metagraph.hyperparameters().unwrap().weights_version, 3);
    let limits = read::hyperparameters(&at, NETUID).await.unwrap();
    assert_eq!(Some(&limits), metagraph.hyperparameters());
}

#[tokio::test]
async fn storage_tells_addresses_children_and_parents() {
    let mut state = populated(Runtime::v425());
    let [alice, bob, charlie] = ["alice", "bob", "charlie"].map(account);
    // Half of what Alice has goes to Charlie.
    let half = 1_u64 << 63;
    let linked = [
        ("ChildKeys", alice, charlie),
        ("ParentKeys", charlie, alice),
    ];
    for (item, of, other) in linked {
        let value = vec![(half, other)].encode();
        state.storage.insert(of_hotkey(item, of), Some(value));
    }
    let mut axon = [twox_128(b"SubtensorModule"), twox_128(b"Axons")].concat();
    axon.extend(NETUID.to_le_bytes());
    axon.extend(blake2_128(&bob));
    axon.extend(bob);
    let info = (7_u64, 1_u32, 0xc000_0207_u128, 8_091_u16, [4_u8, 0, 0, 0]);
    state.storage.insert(axon, Some(info.encode()));

    let simulated = start(state).await;
    let metagraph = read::metagraph_of_storage(&at(&simulated).await, NETUID)
        .await
        .unwrap();
    let stakes = |uid| {
        let neuron = metagraph.by_uid(uid).unwrap();
        (
            neuron.alpha_stake.unwrap(),
            neuron.tao_stake.unwrap(),
            neuron.stake,
        )
    };
    assert_eq!(stakes(0), (1_000.0, 0.617_283_945, 1_000.617_283_945));
    assert_eq!(stakes(2), (1_000.0, 0.617_283_945, 1_000.617_283_945));
    let address = |uid| metagraph.by_uid(uid).unwrap().axon_ip;
    assert_eq!(address(1), Some([192, 0, 2, 7].into()));
    assert_eq!(address(0), None);
}

#[tokio::test]
async fn what_has_no_value_has_the_runtimes_default() {
    let mut state = SimulatedChain::usual_state(Runtime::v425().without_api(API, FUNCTION));
    let of_subnet = |item: &str| {
        let mut key = [twox_128(b"SubtensorModule"), twox_128(item.as_bytes())].concat();
        key.extend(NETUID.to_le_bytes());
        key
    };
    let unset = [
        "Tempo",
        "WeightsSetRateLimit",
        "MinAllowedWeights",
        "CommitRevealWeightsEnabled",
    ];
    for item in unset {
        state.storage.insert(of_subnet(item), None);
    }
    let simulated = start(state).await;
    let limits = read::hyperparameters(&at(&simulated).await, NETUID)
        .await
        .unwrap();
    assert_eq!((limits.tempo, limits.weights_rate_limit), (360, 100));
    assert_eq!(
        (limits.min_allowed_weights, limits.commit_reveal_enabled),
        (1_024, true)
    );
}

#[tokio::test]
async fn what_older_runtimes_lack_has_a_default_and_the_rest_is_an_error() {
    let runtime = Runtime::v365()
        .without_api(API, FUNCTION)
        .without_storage("SubtensorModule", "CommitRevealWeightsVersion")
        .without_storage("SubtensorModule", "MechanismCountCurrent")
        .without_storage("SubtensorModule", "StakeThreshold")
        .without_storage("SubtensorModule", "MaxWeightsLimit")
        .without_storage("SubtensorModule", "TimelockedWeightCommits")
        .without_storage("SubtensorModule", "TaoWeight")
        .without_storage("Drand", "LastStoredRound");
    let simulated = start(SimulatedChain::usual_state(runtime)).await;
    let alice = account("alice");
    let state = read::chain_state(&at(&simulated).await, NETUID, 0, &alice)
        .await
        .unwrap();
    let limits = &state.hyperparameters;
    assert_eq!(
        (limits.commit_reveal_version, limits.mechanism_count),
        (None, 1)
    );
    assert_eq!(
        (limits.stake_threshold, limits.max_weight_limit),
        (0, 65_535)
    );
    assert_eq!(
        (state.drand_last_round, state.hotkey.timelocked_commits),
        (None, 0)
    );
    assert_eq!(state.hotkey.stake, 2_000 * TAO);

    for item in [
        "Tempo",
        "LastUpdate",
        "Keys",
        "TotalHotkeyAlpha",
        "NetworksAdded",
    ] {
        let runtime = Runtime::v365()
            .without_api(API, FUNCTION)
            .without_storage("SubtensorModule", item);
        let simulated = start(SimulatedChain::usual_state(runtime)).await;
        let error = read::metagraph(&at(&simulated).await, NETUID)
            .await
            .unwrap_err();
        let expected = ChainError::NoSuchStorage {
            what: format!("SubtensorModule.{item}"),
            spec_version: 365,
        };
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn a_subnet_that_is_not_there_is_named() {
    for runtime in [Runtime::v425(), Runtime::v425().without_api(API, FUNCTION)] {
        let simulated = start(SimulatedChain::usual_state(runtime)).await;
        let at = at(&simulated).await;
        let told = "subnet 9 cannot be read: the chain has no such subnet";
        let error = read::metagraph(&at, 9).await.unwrap_err();
        assert_eq!(error.to_string(), told);
        let error = read::hyperparameters(&at, 9).await.unwrap_err();
        assert_eq!(error.to_string(), told);
        let error = read::chain_state(&at, 9, 0, &[0; 32]).await.unwrap_err();
        assert_eq!(error.to_string(), told);
    }
}

#[tokio::test]
async fn epochs_begin_when_the_chain_begins_them() {
    for runtime in [Runtime::v365(), Runtime::v425()] {
        let rules = runtime.rules();
        let simulated = start(SimulatedChain::usual_state(runtime)).await;
        for _ in 0..25 {
            let state = read::epoch_state(&at(&simulated).await, NETUID)
                .await
                .unwrap();
            assert_eq!(state.block, simulated.best());
            let next = state.next_epoch_block().unwrap();
            let simulated_subnet = simulated.read(|s| s.subnets[&NETUID].clone());
            let begins = (state.block + 1..)
                .find(|b| simulated_subnet.epoch(NETUID, *b, rules) > state.epoch_index);
            assert_eq!(Some(next), begins, "{rules:?} at {}", state.block);
            simulated.mine(1);
        }
    }
}

#[tokio::test]
async fn an_owners_order_is_read() {
    let mut state = SimulatedChain::usual_state(Runtime::v425());
    state.subnet(NETUID).pending_epoch_at = 1_003;
    let simulated = start(state).await;
    let state = read::epoch_state(&at(&simulated).await, NETUID)
        .await
        .unwrap();
    assert_eq!((state.epoch_index, state.last_epoch_block), (90, 995));
    assert_eq!(state.next_epoch_block(), Some(1_003));
}

#[tokio::test]
async fn a_hotkey_is_read_as_the_chain_sees_it() {
    let mut state = populated(Runtime::v425());
    state.last_stored_round = 950;
    let [alice, bob, charlie] = ["alice", "bob", "charlie"].map(account);
    let subnet = state.subnet(NETUID);
    subnet.last_updates.insert((1, 0), 991);
    subnet.reveal_period = 2;
    // The running epoch is 90: the first has expired, the last is of now.
    let commit = |n: u8, epoch| Commit {
        hash: [n; 32],
        epoch,
        block: 1_000 - u64::from(n),
    };
    let commits = [commit(1, 80), commit(2, 88), commit(3, 90)];
    subnet.commits.insert((1, alice), commits.into());
    let timelocked = |account, n| Timelocked {
        account,
        block: 999,
        commit: vec![n; 3],
        round: 1_000,
    };
    let waiting = [
        timelocked(alice, 1),
        timelocked(bob, 2),
        timelocked(alice, 3),
    ];
    subnet.timelocked.insert((1, 90), waiting.into());
    let simulated = start(state).await;
    let at = at(&simulated).await;

    let state = read::chain_state(&at, NETUID, 1, &alice).await.unwrap();
    assert_eq!(
        (state.spec_version, state.netuid, state.mechanism),
        (425, NETUID, 1)
    );
    assert_eq!((state.epoch.block, state.neurons), (1_000, 4));
    assert_eq!(state.drand_last_round, Some(950));
    let hotkey = &state.hotkey;
    assert_eq!(
        (hotkey.uid, hotkey.permit, hotkey.is_owner),
        (Some(0), true, false)
    );
    assert_eq!((hotkey.stake, hotkey.last_update), (2_001_234_567_890, 991));
    assert_eq!(
        (hotkey.unrevealed_commits, hotkey.timelocked_commits),
        (2, 2)
    );

    let state = read::chain_state(&at, NETUID, 0, &alice).await.unwrap();
    assert_eq!(
        (state.hotkey.last_update, state.hotkey.unrevealed_commits),
        (998, 0)
    );
    let owner = read::chain_state(&at, NETUID, 0, &charlie)
        .await
        .unwrap()
        .hotkey;
    assert_eq!(
        (owner.uid, owner.is_owner, owner.permit),
        (Some(2), true, false)
    );
    let nobody = account("ferdie");
    let nobody = read::chain_state(&at, NETUID, 0, &nobody)
        .await
        .unwrap()
        .hotkey;
    assert_eq!((nobody.uid, nobody.stake, nobody.last_update), (None, 0, 0));

    let commits = read::hash_commits(&at, NETUID, 1, &alice).await.unwrap();
    let read: Vec<_> = commits
        .iter()
        .map(|c| (c.hash[0], c.epoch, c.block, c.reveal_epoch))
        .collect();
    assert_eq!(read, [(1, 80, 999, 82), (2, 88, 998, 90), (3, 90, 997, 92)]);
    assert!(commits[0].is_expired(&state.epoch) && commits[1].is_due(&state.epoch));
    assert!(
        read::hash_commits(&at, NETUID, 0, &alice)
            .await
            .unwrap()
            .is_empty()
    );
    let timelocked = read::timelocked_commits(&at, NETUID, 1, 90).await.unwrap();
    let read: Vec<_> = timelocked
        .iter()
        .map(|c| (c.account, c.commit[0], c.block, c.round))
        .collect();
    assert_eq!(
        read,
        [
            (alice, 1, 999, 1_000),
            (bob, 2, 999, 1_000),
            (alice, 3, 999, 1_000)
        ]
    );
    assert!(
        read::timelocked_commits(&at, NETUID, 1, 91)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn commits_of_older_runtimes_are_of_the_epoch_of_their_block() {
    let mut state = SimulatedChain::usual_state(Runtime::v365());
    let alice = account("alice");
    // (995 + 1 + 1) / 11 = 90, and (1000 + 1 + 1) / 11 = 91, until 92 * 11 - 2.
    let commit = Commit {
        hash: [1; 32],
        epoch: 90,
        block: 995,
    };
    state
        .subnet(NETUID)
        .commits
        .insert((0, alice), [commit].into());
    let simulated = start(state).await;
    let at = at(&simulated).await;
    let commits = read::hash_commits(&at, NETUID, 0, &alice).await.unwrap();
    let read = (commits[0].block, commits[0].epoch, commits[0].reveal_epoch);
    assert_eq!(read, (995, 90, 91));
    let epoch = read::epoch_state(&at, NETUID).await.unwrap();
    assert_eq!(
        (epoch.epoch_index, epoch.next_epoch_block()),
        (91, Some(1_010))
    );
}

#[tokio::test]
async fn a_row_of_weights_is_read_for_its_mechanism() {
    let mut state = SimulatedChain::usual_state(Runtime::v425());
    let rows = &mut state.subnet(NETUID).weights;
    rows.insert((0, 1), vec![(2, 65_535), (3, 7)]);
    rows.insert((1, 1), vec![(0, 1)]);
    let simulated = start(state).await;
    let at = at(&simulated).await;
    let row = async |mechanism, uid| {
        read::weights_row(&at, NETUID, mechanism, uid)
            .await
            .unwrap()
    };
    assert_eq!(row(0, 1).await, [(2, 65_535), (3, 7)]);
    assert_eq!(row(1, 1).await, [(0, 1)]);
    assert_eq!(row(0, 0).await, []);
}

#[tokio::test]
async fn a_large_subnet_is_read_in_order() {
    let neurons: Vec<Neuron> = (0..300_u16)
        .map(|n| {
            let mut hotkey = [7; 32];
            hotkey[..2].copy_from_slice(&n.to_le_bytes());
            Neuron::validator(hotkey, u64::from(n) * TAO)
        })
        .collect();
    let mut state = SimulatedChain::usual_state(Runtime::v425());
    state.subnets.insert(5, Simulated::new(360, neurons));
    let simulated = start(state).await;
    let at = at(&simulated).await;
    let of_call = read::metagraph(&at, 5).await.unwrap();
    assert_eq!(of_call, read::metagraph_of_storage(&at, 5).await.unwrap());
    let stakes: Vec<f64> = of_call.neurons().map(|n| n.stake).collect();
    assert_eq!(stakes, (0..300).map(f64::from).collect::<Vec<_>>());
}

/// A loop that reads the subnet, and what it is told.
struct Refreshed {
    subnet: Subnet,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Refreshed {
    fn start(config: Config, subnet: Subnet) -> Self {
        let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
        let chain = connect(&config);
        let config = Arc::new(config);
        let refresh = subnet::refresh(
            chain,
            subnet.clone(),
            config,
            Arc::clone(&metrics),
            stop.clone(),
        );
        Self {
            subnet,
            metrics,
            stop,
            task: tokio::spawn(refresh),
        }
    }

    async fn is_counted(&self, line: &str) {
        while !self.metrics.encode().lines().any(|l| l == line) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn the_subnet_is_read_anew_each_so_many_blocks() {
    let simulated = SimulatedChain::start().await;
    let directory = tempfile::tempdir().unwrap();
    let config = config(&simulated.url(), directory.path());
    let now = unix_now();
    let subnet = subnet::open(&connect(&config), NETUID, &config, now)
        .await
        .unwrap();
    assert_eq!(
        (subnet.metagraph().block(), subnet.read_at()),
        (1_000, Some(now))
    );
    assert_eq!(metagraph_calls(&simulated), 1);

    let mut changes = subnet.changes();
    let refreshed = Refreshed::start(config, subnet);
    for (stake, block) in [(5 * TAO, 1_005), (6 * TAO, 1_010)] {
        simulated.mine(3);
        simulated.edit(|s| s.subnet(NETUID).neuron(2).alpha_stake = stake);
        simulated.mine(2);
        changes.changed().await.unwrap();
        let metagraph = refreshed.subnet.metagraph();
        assert_eq!(metagraph.block(), block);
        let neuron = metagraph.by_uid(2).unwrap();
        assert_eq!(neuron.alpha_stake, Some((stake / TAO) as f64));
        let line = format!("proctor_metagraph_block {block}");
        refreshed.is_counted(&line).await;
    }
    assert_eq!(metagraph_calls(&simulated), 3);
    refreshed.stop.cancel();
    refreshed.task.await.unwrap();
}

#[tokio::test]
async fn a_failure_keeps_what_is_known_and_is_tried_again() {
    let simulated = SimulatedChain::start().await;
    let directory = tempfile::tempdir().unwrap();
    let config = config(&simulated.url(), directory.path());
    let now = unix_now();
    let subnet = subnet::open(&connect(&config), NETUID, &config, now)
        .await
        .unwrap();
    let mut changes = subnet.changes();
    let before = simulated.faults().requests("state_call");
    simulated
        .faults()
        .fail("state_call", 1, RpcError::new(-32_000, "not now"));
    simulated.edit(|s| s.subnet(NETUID).neuron(2).alpha_stake = TAO);
    simulated.mine(5);
    let refreshed = Refreshed::start(config, subnet.clone());
    simulated
        .until(|s| s.faults().requests("state_call") > before)
        .await;
    assert_eq!(refreshed.subnet.metagraph().block(), 1_000);
    changes.changed().await.unwrap();
    assert_eq!(refreshed.subnet.metagraph().block(), 1_005);
    assert!(!subnet.is_stale(unix_now(), 60.0));
}

#[tokio::test]
async fn a_stale_subnet_is_told_and_read_at_the_next_block() {
    let simulated = SimulatedChain::start().await;
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&simulated.url(), directory.path());
    config.chain.refresh_blocks = 1_000;
    let subnet = subnet::open(&connect(&config), NETUID, &config, 50.0)
        .await
        .unwrap();
    let refreshed = Refreshed::start(config, subnet);
    refreshed.is_counted("proctor_metagraph_stale 1").await;
    simulated.mine(1);
    refreshed.is_counted("proctor_metagraph_stale 0").await;
    assert_eq!(refreshed.subnet.metagraph().block(), 1_001);
}

#[tokio::test]
async fn the_time_of_a_block_is_read_where_the_runtime_has_one() {
    let simulated = SimulatedChain::start().await;
    let now_ms = simulated.read(|state| state.now_ms);
    let at_start = at(&simulated).await;
    let time = read::timestamp(&at_start).await.unwrap();
    assert_eq!(time, Some(now_ms as f64 / 1_000.0));
    simulated.mine(2);
    let time = read::timestamp(&at(&simulated).await).await.unwrap();
    assert_eq!(time, Some(now_ms as f64 / 1_000.0 + 24.0));

    let without = Runtime::v425().without_storage("Timestamp", "Now");
    let simulated = start(SimulatedChain::usual_state(without)).await;
    assert_eq!(read::timestamp(&at(&simulated).await).await.unwrap(), None);
}

#[tokio::test]
async fn a_metagraph_of_an_old_block_is_stale_however_late_it_is_read() {
    let simulated = SimulatedChain::start().await;
    let now = unix_now().floor();
    let made_at = |time: f64| simulated.edit(|s| s.now_ms = (time * 1_000.0) as u64);
    made_at(now - 7_200.0);
    let directory = tempfile::tempdir().unwrap();
    let config = config(&simulated.url(), directory.path());
    let stale_after_s = config.chain.stale_after_s;
    let subnet = subnet::open(&connect(&config), NETUID, &config, now)
        .await
        .unwrap();
    assert_eq!(subnet.read_at(), Some(now - 7_200.0));
    assert!(subnet.is_stale(now, stale_after_s));

    // What is read anew is a little less old, and stale as well.
    let refreshed = Refreshed::start(config.clone(), subnet.clone());
    simulated.mine(5);
    refreshed.is_counted("proctor_metagraph_block 1005").await;
    refreshed.is_counted("proctor_metagraph_stale 1").await;
    assert_eq!(subnet.read_at(), Some(now - 7_140.0));
    let again = subnet::open(&connect(&config), NETUID, &config, now).await;
    assert_eq!(again.unwrap().read_at(), Some(now - 7_140.0));

    made_at(now - 60.0);
    simulated.mine(1);
    refreshed.is_counted("proctor_metagraph_stale 0").await;
    assert_eq!(subnet.read_at(), Some(now - 48.0));
}

#[tokio::test]
async fn an_endpoint_that_is_behind_is_not_believed() {
    let simulated = SimulatedChain::start().await;
    let behind = SimulatedChain::start().await;
    behind.edit(|s| s.subnet(NETUID).neurons.truncate(1));
    simulated.mine(10);
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&simulated.url(), directory.path());
    config.chain.endpoints = vec![behind.url()];
    let now = unix_now();
    let subnet = subnet::open(&connect(&config), NETUID, &config, now)
        .await
        .unwrap();
    let mut changes = subnet.changes();
    let refreshed = Refreshed::start(config, subnet);
    simulated.edit(|s| s.subnet(NETUID).neuron(2).alpha_stake = TAO);
    simulated.mine(5);
    changes.changed().await.unwrap();
    assert_eq!(refreshed.subnet.metagraph().block(), 1_015);

    simulated.faults().refuse_connections(1_000);
    simulated.faults().disconnect();
    behind.until(|b| b.faults().connections() > 0).await;
    behind.mine_to(1_019);
    behind.edit(|s| s.subnet(NETUID).neuron(0).tao_stake = TAO);
    behind.mine_to(1_020);
    changes.changed().await.unwrap();
    let metagraph = refreshed.subnet.metagraph();
    assert_eq!((metagraph.block(), metagraph.neurons().len()), (1_020, 1));
    assert_eq!(metagraph_calls(&behind), 1);
}

#[tokio::test]
async fn a_start_without_a_chain_has_what_was_last_known() {
    let simulated = SimulatedChain::start().await;
    let directory = tempfile::tempdir().unwrap();
    let config = config(&simulated.url(), directory.path());
    let first = subnet::open(&connect(&config), NETUID, &config, 50.0)
        .await
        .unwrap();

    simulated.faults().refuse_connections(usize::MAX);
    let chain = connect(&config);
    let again = subnet::open(&chain, NETUID, &config, 4_000.0)
        .await
        .unwrap();
    assert_eq!(again.metagraph(), first.metagraph());
    assert_eq!(again.read_at(), Some(50.0));
    assert!(again.is_stale(4_000.0, config.chain.stale_after_s));

    std::fs::remove_file(directory.path().join("metagraph.cache.json")).unwrap();
    let chain = connect(&config);
    let error = subnet::open(&chain, NETUID, &config, 4_000.0)
        .await
        .unwrap_err();
    assert!(error.is_connection(), "{error}");
}

fn proctor(arguments: &[&str], directory: &Path) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_proctor"))
        .args(arguments)
        .arg("--data-dir")
        .arg(directory)
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_a_chain_and_writes_the_file_that_it_then_reads() {
    let simulated = start(populated(Runtime::v425())).await;
    let directory = tempfile::tempdir().unwrap();
    let url = simulated.url();
    let online = ["metagraph", "--network", &url, "--netuid", "1"];
    let (ok, shown, error) = proctor(&online, directory.path());
    assert!(ok, "{error}");
    assert!(
        shown.contains(&format!("{url}, its last finalized block")),
        "{shown}"
    );
    assert!(
        shown.contains("2001.235  2000.000  1.235  yes     2 blocks ago"),
        "{shown}"
    );

    let (ok, file, error) = proctor(&[&online[..], &["--json"]].concat(), directory.path());
    assert!(ok, "{error}");
    std::fs::write(directory.path().join("metagraph.json"), &file).unwrap();
    let (ok, again, error) = proctor(&["metagraph", "--json"], directory.path());
    assert!(ok, "{error}");
    assert_eq!(again, file);
    let (_, offline, _) = proctor(&["metagraph"], directory.path());
    let table = |text: &str| text.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(table(&offline), table(&shown));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_is_wrong() {
    let simulated = SimulatedChain::start().await;
    let directory = tempfile::tempdir().unwrap();
    let url = simulated.url();
    let cases: [(&[&str], &str); 6] = [
        (&[], "give --network, or write the file"),
        (&["--network", "mainnet", "--netuid", "1"], "finney"),
        (&["--network", "finney"], "chain.netuid"),
        (
            &["--network", &url, "--netuid", "9"],
            "the chain has no such subnet",
        ),
        (&["--network", &url, "--netuid", "70000"], "70000"),
        (
            &["--network", "ws://127.0.0.1:1", "--netuid", "1"],
            "cannot be reached",
        ),
    ];
    for (arguments, told) in cases {
        let arguments = [&["metagraph"], arguments].concat();
        let (ok, shown, error) = proctor(&arguments, directory.path());
        assert!(!ok && shown.is_empty(), "{arguments:?}: {shown}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
}
