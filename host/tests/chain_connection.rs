//! The connection to a chain whose endpoints fail: the simulated chain, over WebSocket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use futures_util::future::join_all;
use futures_util::{Stream, StreamExt};
use proctor_host::chain::Hotkey;
use proctor_host::chain::call::WeightCall;
use proctor_host::chain::client::{AtBlock, Chain, Progress};
use proctor_host::chain::error::{ChainError, SubmitError};
use proctor_host::chain::transaction::{Mortality, sign};
use proctor_host::config;
use proctor_host::metrics::Metrics;
use proctor_simulated_chain::{Faults, NETUID, RpcError, Runtime, SimulatedChain, account};
use std::sync::Arc;
use std::time::Duration;
use subxt::utils::H256;

/// Longer than any test takes: an endpoint that does not answer in this time is one that
/// never does.
const NEVER_S: f64 = 60.0;

/// For tests in which an endpoint is silent: long enough for the others to answer.
const SILENT_S: f64 = 2.0;

fn open(urls: &[String], timeout_s: f64) -> (Chain, Arc<Metrics>) {
    let config = config::Chain {
        endpoints: urls.to_vec(),
        timeout_s,
        ..config::Chain::default()
    };
    let metrics = Arc::new(Metrics::default());
    (Chain::open(&config, Arc::clone(&metrics)).unwrap(), metrics)
}

fn is_counted(metrics: &Metrics, line: &str) -> bool {
    metrics.encode().lines().any(|l| l == line)
}

async fn genesis_of(simulated: &SimulatedChain) -> [u8; 32] {
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    chain.genesis_hash().await.unwrap()
}

#[tokio::test]
async fn nothing_is_connected_before_it_is_used() {
    let simulated = SimulatedChain::start().await;
    let (chain, metrics) = open(&[simulated.url()], NEVER_S);
    assert_eq!(chain.endpoint(), None);
    assert!(is_counted(&metrics, "proctor_chain_connected 0"));
    chain.genesis_hash().await.unwrap();
    assert_eq!(simulated.faults().connections(), 1);
    assert_eq!(chain.endpoint(), Some(simulated.url()));
    assert!(is_counted(&metrics, "proctor_chain_connected 1"));
}

#[tokio::test]
async fn a_call_whose_endpoint_dies_is_answered_by_the_next_one() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, metrics) = open(&[simulated.url(), second.url()], NEVER_S);
    chain.genesis_hash().await.unwrap();
    assert_eq!(chain.endpoint(), Some(simulated.url()));

    simulated.faults().cut_after("chain_getFinalizedHead", 1);
    let at = chain.at_finalized().await.unwrap();
    assert_eq!((at.block_number(), at.spec_version()), (1_000, 425));
    assert_eq!(simulated.faults().requests("chain_getFinalizedHead"), 1);
    assert_eq!(second.faults().requests("chain_getFinalizedHead"), 1);
    assert_eq!(chain.endpoint(), Some(second.url()));
    assert!(is_counted(&metrics, "proctor_chain_failovers_total 1"));
    assert!(is_counted(
        &metrics,
        r#"proctor_chain_errors_total{outcome="connection"} 1"#
    ));
}

#[tokio::test]
async fn a_silent_endpoint_is_left_for_the_next_one() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, metrics) = open(&[simulated.url(), second.url()], SILENT_S);
    chain.genesis_hash().await.unwrap();

    simulated.faults().silent(true);
    assert_eq!(chain.at_finalized().await.unwrap().block_number(), 1_000);
    assert_eq!(chain.endpoint(), Some(second.url()));
    assert!(is_counted(
        &metrics,
        r#"proctor_chain_errors_total{outcome="timeout"} 1"#
    ));
}

#[tokio::test]
async fn an_endpoint_that_is_silent_from_the_start_is_passed_over() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    simulated.faults().silent(true);
    let (chain, _) = open(&[simulated.url(), second.url()], SILENT_S);
    chain.genesis_hash().await.unwrap();
    assert_eq!(chain.endpoint(), Some(second.url()));
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let gone = simulated.another_server().await.url();
    simulated.faults().refuse_connections(usize::MAX);
    let no_tls = second.url().replace("ws://", "wss://");
    let urls = [gone, simulated.url(), no_tls, second.url()];
    let (chain, _) = open(&urls, NEVER_S);
    chain.genesis_hash().await.unwrap();
    assert_eq!(chain.endpoint(), Some(second.url()));
}

#[tokio::test]
async fn an_endpoint_of_another_chain_is_refused() {
    let simulated = SimulatedChain::start().await;
    let state = SimulatedChain::usual_state(Runtime::v425());
    let other = SimulatedChain::start_with(state, "another").await;
    assert_ne!(genesis_of(&simulated).await, genesis_of(&other).await);

    let (chain, metrics) = open(&[simulated.url(), other.url()], NEVER_S);
    let genesis = chain.genesis_hash().await.unwrap();
    simulated.faults().refuse_connections(usize::MAX);
    simulated.faults().disconnect();
    let error = chain.at_finalized().await.unwrap_err();
    let expected = format!("{} is of another chain", other.url());
    assert!(error.to_string().contains(&expected), "{error}");
    assert!(error.to_string().contains(&hex::encode(genesis)), "{error}");
    assert!(is_counted(
        &metrics,
        r#"proctor_chain_errors_total{outcome="other_chain"} 1"#
    ));

    simulated.faults().clear();
    chain.at_finalized().await.unwrap();
    assert_eq!(chain.endpoint(), Some(simulated.url()));
}

#[tokio::test]
async fn an_endpoint_that_was_started_again_is_asked_again() {
    let simulated = SimulatedChain::start().await;
    let (chain, metrics) = open(&[simulated.url()], NEVER_S);
    for restart in 1..=5 {
        chain.at_finalized().await.unwrap();
        assert_eq!(simulated.faults().connections(), restart);
        simulated.restart();
    }
    assert!(is_counted(&metrics, "proctor_chain_failovers_total 0"));
}

#[tokio::test]
async fn that_nobody_answers_is_an_error_until_somebody_does() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, metrics) = open(&[simulated.url(), second.url()], NEVER_S);
    for faults in [simulated.faults(), second.faults()] {
        faults.refuse_connections(usize::MAX);
    }
    let error = chain.at_finalized().await.unwrap_err();
    assert_eq!(error.code(), "connection");
    for url in [simulated.url(), second.url()] {
        assert!(error.to_string().contains(&url), "{error}");
    }
    assert!(is_counted(&metrics, "proctor_chain_connected 0"));

    second.faults().clear();
    chain.at_finalized().await.unwrap();
    assert_eq!(chain.endpoint(), Some(second.url()));
    assert!(is_counted(&metrics, "proctor_chain_connected 1"));
}

#[tokio::test]
async fn a_call_that_no_endpoint_survives_ends() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    for faults in [simulated.faults(), second.faults()] {
        faults.cut_before("chain_getFinalizedHead", usize::MAX);
    }
    let error = chain.at_finalized().await.unwrap_err();
    assert_eq!(error.code(), "connection");
    let both = [simulated.faults(), second.faults()];
    let asked = both.map(|faults| faults.requests("chain_getFinalizedHead"));
    assert_eq!(asked, [2, 1]);
}

#[tokio::test]
async fn a_method_that_an_endpoint_does_not_know_fails_that_call_only() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    let no_method = RpcError::no_method();
    simulated
        .faults()
        .fail("system_accountNextIndex", 1, no_method);
    let error = chain.next_nonce(&account("alice")).await.unwrap_err();
    assert!(
        matches!(error, ChainError::Rpc { code: -32_601, .. }),
        "{error}"
    );
    assert_eq!(chain.next_nonce(&account("alice")).await.unwrap(), 0);
    assert_eq!(simulated.faults().connections(), 1);
    assert_eq!(second.faults().connections(), 0);
}

#[tokio::test]
async fn calls_at_once_share_one_connection_and_get_their_own_answers() {
    let simulated = SimulatedChain::start().await;
    simulated.mine(20);
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    chain.at_finalized().await.unwrap();
    simulated.faults().disconnect();
    let numbers = 1_000..1_020;
    let blocks = join_all(numbers.clone().map(|number| chain.at_number(number))).await;
    for (number, block) in numbers.zip(blocks) {
        let header = block.unwrap().block_header().await.unwrap();
        assert_eq!(header.number, number);
    }
    assert_eq!(simulated.faults().connections(), 2);
}

#[tokio::test]
async fn a_block_that_is_not_there_is_told_from_state_that_was_discarded() {
    let simulated = SimulatedChain::start().await;
    simulated.mine(10);
    simulated.keep_states(3);
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    let error = chain.at_number(1_011).await.unwrap_err();
    assert_eq!(
        (error.code(), error.is_connection()),
        ("no_such_block", false)
    );
    let error = chain.at_number(1_002).await.unwrap_err();
    assert_eq!(error.code(), "state_discarded");
    let error = chain.at_hash(H256([7; 32])).await.unwrap_err();
    assert_eq!(error.code(), "no_such_block");
    assert_eq!(chain.at_number(1_009).await.unwrap().block_number(), 1_009);
}

#[tokio::test]
async fn the_best_block_may_be_ahead_of_the_finalized_one() {
    let simulated = SimulatedChain::start().await;
    simulated.finality_lag(Some(3));
    simulated.mine(5);
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    assert_eq!(chain.at_best().await.unwrap().block_number(), 1_005);
    assert_eq!(chain.at_finalized().await.unwrap().block_number(), 1_002);
}

fn last_epoch_block(at: &AtBlock) -> Result<(), ChainError> {
    let item = subxt::dynamic::storage::<(u16,), u64>("SubtensorModule", "LastEpochBlock");
    let entry = at.storage().entry(item);
    let what = "SubtensorModule.LastEpochBlock";
    entry
        .map(drop)
        .map_err(|e| ChainError::of(what, at.spec_version(), e))
}

#[tokio::test]
async fn a_new_runtime_is_read_anew_and_old_blocks_keep_theirs() {
    let state = SimulatedChain::usual_state(Runtime::v365());
    let simulated = SimulatedChain::start_with(state, "upgraded").await;
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    let before = chain.at_finalized().await.unwrap();
    let message =
        "the runtime of the chain, spec version 365, has no storage SubtensorModule.LastEpochBlock";
    assert_eq!(last_epoch_block(&before).unwrap_err().to_string(), message);

    simulated.upgrade(Runtime::v425());
    simulated.mine(2);
    let after = chain.at_finalized().await.unwrap();
    assert_eq!(after.spec_version(), 425);
    assert_eq!(last_epoch_block(&after), Ok(()));
    let old = chain.at_number(1_000).await.unwrap();
    assert_eq!(old.spec_version(), 365);
    assert!(last_epoch_block(&old).is_err());

    let calls = simulated.faults().parameters("state_call");
    let metadata = calls
        .iter()
        .filter(|p| p[0] == "Metadata_metadata_at_version");
    assert_eq!(metadata.count(), 2, "once for each runtime");
}

/// The next number of the stream, past errors.
async fn next_block(
    blocks: &mut (impl Stream<Item = Result<(u64, H256), ChainError>> + Unpin),
) -> (u64, H256) {
    loop {
        match blocks.next().await.expect("the stream does not end") {
            Ok(block) => return block,
            Err(error) => assert!(error.is_connection(), "{error}"),
        }
    }
}

#[tokio::test]
async fn finalized_blocks_come_in_order_and_once_whatever_becomes_of_connections() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    let mut blocks = chain.finalized_blocks().await.unwrap();
    assert_eq!(next_block(&mut blocks).await.0, 1_000);
    simulated.mine(1);
    assert_eq!(next_block(&mut blocks).await.0, 1_001);

    simulated.faults().disconnect();
    simulated.mine(3);
    for number in 1_002..=1_004 {
        let (came, hash) = next_block(&mut blocks).await;
        assert_eq!(came, number);
        let at = chain.at_number(number).await.unwrap();
        assert_eq!(at.block_hash(), hash);
    }
    second.faults().disconnect();
    simulated.mine(1);
    assert_eq!(next_block(&mut blocks).await.0, 1_005);
}

#[tokio::test]
async fn only_the_newest_blocks_are_made_up_for() {
    let simulated = SimulatedChain::start().await;
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    let mut blocks = chain.finalized_blocks().await.unwrap();
    assert_eq!(next_block(&mut blocks).await.0, 1_000);
    simulated.faults().disconnect();
    simulated.mine(100);
    for number in 1_037..=1_100 {
        assert_eq!(next_block(&mut blocks).await.0, number);
    }
}

#[tokio::test]
async fn blocks_of_a_subscription_that_died_without_a_word_still_come() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], SILENT_S);
    let mut blocks = chain.finalized_blocks().await.unwrap();
    assert_eq!(next_block(&mut blocks).await.0, 1_000);
    simulated.faults().silent(true);
    simulated.mine(1);
    assert_eq!(next_block(&mut blocks).await.0, 1_001);
    assert_eq!(chain.endpoint(), Some(second.url()));
}

/// Has the chain known as final, by the endpoint that it is connected to, what it has.
async fn know_final(chain: &Chain, number: u64) {
    assert_eq!(chain.at_finalized().await.unwrap().block_number(), number);
}

#[tokio::test]
async fn an_endpoint_that_is_behind_is_passed_over() {
    let simulated = SimulatedChain::start().await;
    let behind = SimulatedChain::start().await;
    simulated.mine(21);
    let (chain, metrics) = open(&[simulated.url(), behind.url()], NEVER_S);
    know_final(&chain, 1_021).await;

    simulated.faults().disconnect();
    know_final(&chain, 1_021).await;
    assert_eq!(chain.endpoint(), Some(simulated.url()));
    assert_eq!(behind.faults().requests("chain_getHeader"), 1);
    assert!(is_counted(
        &metrics,
        r#"proctor_chain_errors_total{outcome="behind"} 1"#
    ));

    // One that is behind by a few blocks may be used.
    behind.mine(1);
    simulated.faults().disconnect();
    know_final(&chain, 1_001).await;
    assert_eq!(chain.endpoint(), Some(behind.url()));
}

#[tokio::test]
async fn if_all_endpoints_are_behind_the_one_that_is_so_the_least_is_used() {
    let simulated = SimulatedChain::start().await;
    let behind = SimulatedChain::start().await;
    let less = SimulatedChain::start().await;
    simulated.mine(100);
    less.mine(5);
    let urls = [simulated.url(), behind.url(), less.url()];
    let (chain, _) = open(&urls, NEVER_S);
    know_final(&chain, 1_100).await;
    simulated.faults().refuse_connections(usize::MAX);
    simulated.faults().disconnect();
    know_final(&chain, 1_005).await;
    assert_eq!(chain.endpoint(), Some(less.url()));
}

#[tokio::test]
async fn an_endpoint_that_does_not_say_what_is_final_is_used() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    simulated.mine(100);
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    know_final(&chain, 1_100).await;
    let faults = second.faults();
    faults.fail("chain_getHeader", 1, RpcError::no_method());
    simulated.faults().disconnect();
    know_final(&chain, 1_100).await;
    assert_eq!(chain.endpoint(), Some(second.url()));
}

/// With the shortest time that a chain may stand still.
fn open_impatient(urls: &[String]) -> Chain {
    let config = config::Chain {
        endpoints: urls.to_vec(),
        block_time_s: 0.05,
        timeout_s: SILENT_S,
        ..config::Chain::default()
    };
    Chain::open(&config, Arc::new(Metrics::default())).unwrap()
}

#[tokio::test]
async fn an_endpoint_that_stands_still_is_left_for_the_next_one() {
    let still = SimulatedChain::start().await;
    let second = SimulatedChain::start().await;
    second.mine(1);
    let chain = open_impatient(&[still.url(), second.url()]);
    let mut blocks = chain.finalized_blocks().await.unwrap();
    assert_eq!(next_block(&mut blocks).await.0, 1_000);
    // It answers all that it is asked.
    assert_eq!(next_block(&mut blocks).await.0, 1_001);
}

#[tokio::test]
async fn the_only_endpoint_is_connected_to_again_when_it_stands_still() {
    let simulated = SimulatedChain::start().await;
    let chain = open_impatient(&[simulated.url()]);
    let mut blocks = chain.finalized_blocks().await.unwrap();
    assert_eq!(next_block(&mut blocks).await.0, 1_000);
    let goes_on = async {
        simulated.until(|s| s.faults().connections() >= 2).await;
        simulated.mine(1);
    };
    let (block, ()) = tokio::join!(next_block(&mut blocks), goes_on);
    assert_eq!(block.0, 1_001);
}

#[tokio::test]
async fn an_endpoint_that_stays_behind_is_left_though_it_grows() {
    let simulated = SimulatedChain::start().await;
    let behind = SimulatedChain::start().await;
    simulated.mine(1_000);
    let chain = open_impatient(&[simulated.url(), behind.url()]);
    let mut blocks = chain.finalized_blocks().await.unwrap();
    assert_eq!(next_block(&mut blocks).await.0, 2_000);
    simulated.faults().refuse_connections(usize::MAX);
    simulated.faults().disconnect();
    behind.mine_every(Duration::from_millis(200));
    let comes_back = async {
        behind.until(|b| b.faults().connections() > 0).await;
        simulated.faults().clear();
        simulated.mine(1);
    };
    let (block, ()) = tokio::join!(next_block(&mut blocks), comes_back);
    assert_eq!(block.0, 2_001);
    assert!(behind.best() < 1_900, "it was behind all the time");
}

async fn signed(chain: &Chain) -> Vec<u8> {
    let at = chain.at_finalized().await.unwrap();
    let call = WeightCall::Set {
        netuid: NETUID,
        mechanism: 0,
        uids: vec![2, 3],
        values: vec![65_535, 100],
        version_key: 0,
    };
    let hotkey = Hotkey::from_uri("//Alice").unwrap();
    let nonce = chain.next_nonce(&hotkey.public_key()).await.unwrap();
    let mortality = Mortality {
        block: at.block_number(),
        hash: at.block_hash().0,
        period: 64,
    };
    sign(&at, &call, &hotkey, nonce, mortality)
        .unwrap()
        .extrinsic
}

fn sent(faults: &Faults) -> usize {
    faults.requests("author_submitAndWatchExtrinsic") + faults.requests("author_submitExtrinsic")
}

async fn unknown(chain: &Chain, extrinsic: &[u8]) -> ChainError {
    match chain.submit(extrinsic).await.map(drop) {
        Err(SubmitError::Unknown(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_extrinsic_is_followed_until_it_is_finalized() {
    let simulated = SimulatedChain::start().await;
    simulated.finality_lag(Some(1));
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    let mut progress = chain.submit(&extrinsic).await.unwrap();
    assert_eq!(progress.next().await, Some(Ok(Progress::Ready)));
    // It waits in the pool, and the next nonce is after it.
    assert_eq!(chain.next_nonce(&account("alice")).await.unwrap(), 1);
    simulated.mine(1);
    let hash = chain.at_best().await.unwrap().block_hash();
    simulated.mine(1);
    let rest: Vec<_> = progress.map(Result::unwrap).collect().await;
    let expected = [
        Progress::Broadcast,
        Progress::InBlock(hash),
        Progress::Finalized(hash),
    ];
    assert_eq!(rest, expected);
    let weights = simulated.read(|state| state.subnets[&NETUID].weights[&(0, 0)].clone());
    assert_eq!(weights, [(2, 65_535), (3, 100)]);
}

#[tokio::test]
async fn an_extrinsic_whose_answer_is_lost_is_unknown_and_sent_once() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    simulated
        .faults()
        .cut_after("author_submitAndWatchExtrinsic", 1);
    assert_eq!(unknown(&chain, &extrinsic).await.code(), "connection");

    // What comes next is asked of the second endpoint, and submits nothing.
    assert_eq!(chain.next_nonce(&account("alice")).await.unwrap(), 1);
    assert_eq!(chain.endpoint(), Some(second.url()));
    let received = simulated.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].bytes, extrinsic);
    assert_eq!((sent(simulated.faults()), sent(second.faults())), (1, 0));
}

#[tokio::test]
async fn an_extrinsic_that_may_not_have_arrived_is_not_sent_again() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    simulated
        .faults()
        .cut_before("author_submitAndWatchExtrinsic", 1);
    assert_eq!(unknown(&chain, &extrinsic).await.code(), "connection");
    assert_eq!(chain.next_nonce(&account("alice")).await.unwrap(), 0);
    assert!(simulated.received().is_empty());
    assert_eq!((sent(simulated.faults()), sent(second.faults())), (1, 0));
}

#[tokio::test]
async fn an_extrinsic_that_is_not_answered_is_unknown() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], SILENT_S);
    let extrinsic = signed(&chain).await;
    simulated
        .faults()
        .ignore("author_submitAndWatchExtrinsic", 1);
    assert_eq!(unknown(&chain, &extrinsic).await.code(), "timeout");
    assert_eq!(simulated.received().len(), 1);
    assert_eq!((sent(simulated.faults()), sent(second.faults())), (1, 0));
}

#[tokio::test]
async fn an_extrinsic_that_is_lost_from_sight_is_not_sent_again() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    let mut progress = chain.submit(&extrinsic).await.unwrap();
    assert_eq!(progress.next().await, Some(Ok(Progress::Ready)));
    assert_eq!(progress.next().await, Some(Ok(Progress::Broadcast)));
    simulated.faults().disconnect();
    let lost = progress.next().await.unwrap().unwrap_err();
    assert_eq!(lost.code(), "connection");
    assert_eq!(progress.next().await, None);
    chain.at_finalized().await.unwrap();
    assert_eq!((sent(simulated.faults()), sent(second.faults())), (1, 0));
}

#[tokio::test]
async fn an_extrinsic_is_not_waited_for_at_an_endpoint_that_fell_silent() {
    let simulated = SimulatedChain::start().await;
    let (chain, _) = open(&[simulated.url()], SILENT_S);
    let extrinsic = signed(&chain).await;
    let mut progress = chain.submit(&extrinsic).await.unwrap();
    assert_eq!(progress.next().await, Some(Ok(Progress::Ready)));
    assert_eq!(progress.next().await, Some(Ok(Progress::Broadcast)));
    simulated.faults().silent(true);
    // Nothing is asked: that it does not answer pings is what is noticed.
    let lost = progress.next().await.unwrap().unwrap_err();
    assert!(lost.is_connection(), "{lost}");
    assert_eq!(progress.next().await, None);
}

#[tokio::test]
async fn an_extrinsic_is_sent_over_a_connection_that_still_answers() {
    let simulated = SimulatedChain::start().await;
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    simulated.faults().disconnect();
    let mut progress = chain.submit(&extrinsic).await.unwrap();
    assert_eq!(progress.next().await, Some(Ok(Progress::Ready)));
    assert_eq!(sent(simulated.faults()), 1);
}

#[tokio::test]
async fn an_extrinsic_that_nobody_takes_was_not_sent() {
    let simulated = SimulatedChain::start().await;
    let (chain, _) = open(&[simulated.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    simulated.faults().refuse_connections(usize::MAX);
    simulated.faults().disconnect();
    let result = chain.submit(&extrinsic).await.map(drop);
    assert!(matches!(result, Err(SubmitError::NotSent(_))), "{result:?}");

    simulated.faults().clear();
    let no_method = RpcError::no_method();
    simulated
        .faults()
        .fail("author_submitAndWatchExtrinsic", 1, no_method);
    let result = chain.submit(&extrinsic).await.map(drop);
    assert!(matches!(result, Err(SubmitError::NotSent(_))), "{result:?}");
    assert!(simulated.received().is_empty());
}

#[tokio::test]
async fn an_extrinsic_that_the_pool_refuses_is_not_put_to_another_one() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let (chain, _) = open(&[simulated.url(), second.url()], NEVER_S);
    let extrinsic = signed(&chain).await;
    let refusal = RpcError::new(1_010, "Invalid Transaction").with_data("Custom error: 6");
    simulated.refuse_next(refusal);
    match chain.submit(&extrinsic).await.map(drop) {
        Err(SubmitError::Refused(rejection)) => {
            assert_eq!(rejection.custom, Some(6));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((sent(simulated.faults()), sent(second.faults())), (1, 0));
}
