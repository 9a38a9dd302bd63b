//! Finality, and blocks that are undone.

use proctor_simulated_chain::{Node, Outcome, SimulatedChain, Subscription, to_hex};
use serde_json::{Value as Json, json};
use subxt_signer::sr25519::dev;

use crate::support::{Bench, set_weights};

fn watch(chain: &SimulatedChain, extrinsic: &[u8]) -> Subscription {
    chain
        .subscribe(
            "author_submitAndWatchExtrinsic",
            &[json!(to_hex(extrinsic))],
        )
        .unwrap()
        .unwrap()
}

fn come(subscription: &mut Subscription) -> Vec<Json> {
    std::iter::from_fn(|| subscription.items.try_recv().ok()).collect()
}

fn hash(chain: &SimulatedChain) -> String {
    to_hex(&chain.hash(chain.best()).unwrap())
}

#[tokio::test]
async fn an_extrinsic_is_final_when_its_block_is() {
    let bench = Bench::start().await;
    let chain = &bench.chain;
    chain.finality_lag(Some(2));
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    let mut statuses = watch(chain, &extrinsic);
    let first = come(&mut statuses);
    assert_eq!(first[0], "ready");
    assert!(first[1]["broadcast"].is_array());
    chain.mine(1);
    let block = hash(chain);
    assert_eq!(come(&mut statuses), [json!({"inBlock": block})]);
    chain.mine(1);
    assert_eq!((chain.best(), chain.finalized()), (1_002, 1_000));
    assert!(come(&mut statuses).is_empty());
    chain.mine(1);
    assert_eq!(come(&mut statuses), [json!({"finalized": block})]);
    // Then it ends.
    assert!(statuses.items.is_closed());
    chain.finality_lag(None);
    chain.mine(5);
    assert_eq!(chain.finalized(), 1_001);
}

#[tokio::test]
async fn an_undone_block_puts_its_extrinsics_back() {
    let bench = Bench::start().await;
    let chain = &bench.chain;
    chain.finality_lag(None);
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    let mut statuses = watch(chain, &extrinsic);
    chain.mine(2);
    let (undone, after) = (chain.hash(1_001).unwrap(), chain.hash(1_002).unwrap());
    come(&mut statuses);
    chain.fork(2);
    assert_eq!(chain.best(), 1_000);
    assert_eq!(come(&mut statuses), [json!({"retracted": to_hex(&undone)})]);
    assert_eq!(bench.last_outcome(), Outcome::Waits);
    assert!(chain.read(|state| state.subnets[&1].weights.is_empty()));
    chain.mine(2);
    assert_ne!(chain.hash(1_001).unwrap(), undone);
    assert_ne!(chain.hash(1_002).unwrap(), after);
    let again = to_hex(&chain.hash(1_001).unwrap());
    assert_eq!(come(&mut statuses), [json!({"inBlock": again})]);
    // What was undone is still known by its hash.
    let header = chain.request("chain_getHeader", &[json!(to_hex(&undone))]);
    assert_eq!(header.unwrap()["number"], "0x3e9");
}

#[tokio::test]
async fn an_undone_block_may_lose_its_extrinsics() {
    let bench = Bench::start().await;
    let chain = &bench.chain;
    chain.finality_lag(None);
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    bench.submit(&extrinsic).unwrap();
    chain.mine(1);
    chain.fork_and_lose(1);
    chain.mine(2);
    assert_eq!(bench.last_outcome(), Outcome::Dropped);
    assert!(chain.read(|state| state.subnets[&1].weights.is_empty()));
    // The same bytes are let in again.
    assert_eq!(bench.submit(&extrinsic), Ok(()));
}

#[tokio::test]
#[should_panic(expected = "a final block cannot be undone")]
async fn a_final_block_is_never_undone() {
    let chain = SimulatedChain::start().await;
    chain.mine(1);
    chain.fork(1);
}

#[tokio::test]
async fn a_restart_forgets_the_pool_and_who_watches() {
    let bench = Bench::start().await;
    let chain = &bench.chain;
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    let mut statuses = watch(chain, &extrinsic);
    come(&mut statuses);
    chain.restart();
    chain.mine(1);
    assert!(come(&mut statuses).is_empty());
    assert!(statuses.items.is_closed());
    assert_eq!(chain.waiting(), 0);
    assert_eq!(bench.submit(&extrinsic), Ok(()));
    chain.mine(1);
    let outcomes: Vec<Outcome> = chain
        .received()
        .into_iter()
        .map(|one| one.outcome)
        .collect();
    assert_eq!(outcomes[0], Outcome::Dropped);
    assert!(matches!(outcomes[1], Outcome::Included { .. }));
}
