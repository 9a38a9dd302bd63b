//! Other runtimes.

use proctor_simulated_chain::{NETUID, Node, Runtime, SimulatedChain, to_hex};
use serde_json::json;
use subxt_signer::sr25519::dev;

use crate::support::{Bench, set_weights};

#[tokio::test]
async fn a_new_runtime_comes_with_a_block_and_is_told() {
    let bench = Bench::start().await;
    let chain = &bench.chain;
    let mut versions = chain
        .subscribe("state_subscribeRuntimeVersion", &[])
        .unwrap()
        .unwrap();
    assert_eq!(versions.items.recv().await.unwrap()["specVersion"], 425);
    chain.upgrade(Runtime::v425().with_spec_version(430));
    assert_eq!(bench.at().await.spec_version(), 425);
    chain.mine(1);
    assert_eq!(versions.items.recv().await.unwrap()["specVersion"], 430);
    assert_eq!(bench.at().await.spec_version(), 430);
    let before = json!(to_hex(&chain.hash(1_000).unwrap()));
    let version = chain.request("state_getRuntimeVersion", &[before]).unwrap();
    assert_eq!(version["specVersion"], 425);
    let result = bench
        .send(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    assert_eq!(result, Ok(()));
}

#[tokio::test]
async fn what_a_runtime_lacks_is_not_there() {
    let lacking = Runtime::v365()
        .without_call("set_weights")
        .without_storage("SubtensorModule", "Tempo")
        .without_api("SubnetInfoRuntimeApi", "get_selective_metagraph");
    let pallet = lacking
        .metadata()
        .pallet_by_name("SubtensorModule")
        .unwrap();
    assert!(pallet.call_variant_by_name("set_weights").is_none());
    assert!(pallet.call_variant_by_name("batch_set_weights").is_some());
    let storage = pallet.storage().unwrap();
    assert!(storage.entry_by_name("Tempo").is_none());
    assert!(storage.entry_by_name("LastUpdate").is_some());
    assert!(storage.entry_by_name("LastEpochBlock").is_none());
    let chain = SimulatedChain::start_with(SimulatedChain::usual_state(lacking), "lacking").await;
    let params = [
        json!("SubnetInfoRuntimeApi_get_selective_metagraph"),
        json!("0x010000"),
    ];
    let error = chain.request("state_call", &params).unwrap_err();
    assert!(error.message.contains("is not found"), "{}", error.message);
    assert!(chain.read(|state| state.subnets.contains_key(&NETUID)));
}

#[test]
fn the_calls_are_where_the_chain_looks_for_them() {
    let runtime = Runtime::v365();
    let pallet = runtime
        .metadata()
        .pallet_by_name("SubtensorModule")
        .unwrap();
    assert_eq!(pallet.call_index(), 7);
    for (name, index) in [
        ("set_weights", 0),
        ("set_mechanism_weights", 119),
        ("batch_set_weights", 80),
        ("commit_weights", 96),
        ("commit_mechanism_weights", 115),
        ("batch_commit_weights", 100),
        ("reveal_weights", 97),
        ("reveal_mechanism_weights", 116),
        ("batch_reveal_weights", 98),
        ("commit_timelocked_weights", 113),
        ("commit_timelocked_mechanism_weights", 118),
        ("commit_crv3_mechanism_weights", 117),
    ] {
        let call = pallet.call_variant_by_name(name);
        assert_eq!(call.map(|call| call.index), Some(index), "{name}");
    }
}
