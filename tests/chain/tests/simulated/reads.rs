//! What clients read: storage, runtime calls, hashes of blocks.

use proctor_simulated_chain::{NETUID, Node, Runtime, SimulatedChain, account, to_hex};
use serde_json::{Value as Json, json};
use subxt::dynamic::{self, Value};
use subxt::ext::frame_decode::storage::{IntoDecodableValues, IntoEncodableValues};
use subxt::ext::scale_value::At as _;

use crate::support::{At, Bench, number, numbers};

async fn fetch<K, V>(at: &At, entry: &str, keys: K) -> Option<V>
where
    K: IntoEncodableValues + IntoDecodableValues,
    V: subxt::ext::scale_decode::DecodeAsType + 'static,
{
    let address = dynamic::storage::<K, V>("SubtensorModule", entry);
    let value = at.storage().try_fetch(address, keys).await.unwrap();
    value.map(|value| value.decode().unwrap())
}

#[tokio::test]
async fn storage_is_read_by_the_metadata() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        let subnet = state.subnet(NETUID);
        subnet.neuron(1).last_update = 900;
        subnet.vector_length = Some(2);
        subnet.weights_version = 9;
    });
    let at = bench.at().await;
    let of = (NETUID,);
    assert_eq!(fetch::<_, u16>(&at, "Tempo", of).await, Some(10));
    assert_eq!(fetch::<_, u64>(&at, "WeightsVersionKey", of).await, Some(9));
    assert_eq!(
        fetch::<_, bool>(&at, "CommitRevealWeightsEnabled", of).await,
        Some(false)
    );
    assert_eq!(fetch::<_, u64>(&at, "SubnetEpochIndex", of).await, Some(90));
    assert_eq!(fetch::<_, u64>(&at, "LastEpochBlock", of).await, Some(995));
    assert_eq!(
        fetch::<_, u8>(&at, "MechanismCountCurrent", of).await,
        Some(1)
    );
    assert_eq!(
        fetch::<_, Vec<u64>>(&at, "LastUpdate", of).await,
        Some(vec![0, 900])
    );
    assert_eq!(
        fetch::<_, Vec<bool>>(&at, "ValidatorPermit", of).await,
        Some(vec![true, true])
    );
    let bob = (NETUID, account("bob"));
    assert_eq!(fetch::<_, u16>(&at, "Uids", bob).await, Some(1));
    let stake = (account("bob"), NETUID);
    assert_eq!(
        fetch::<_, u64>(&at, "TotalHotkeyAlpha", stake).await,
        Some(2_000_000_000_000)
    );
    let eve = (NETUID, account("eve"));
    assert_eq!(fetch::<_, u16>(&at, "Uids", eve).await, None);
    // Where there is no subnet, the metadata's default is what clients take.
    assert_eq!(fetch::<_, u16>(&at, "Tempo", (7_u16,)).await, Some(360));
}

#[tokio::test]
async fn keys_are_paged_through() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        for seed in 0..200 {
            state.subnet(NETUID).register(None, [seed; 32], 1);
        }
    });
    let at = bench.at().await;
    let address = dynamic::storage::<(u16, u16), [u8; 32]>("SubtensorModule", "Keys");
    let storage = at.storage();
    let mut entries = storage.iter(address, (NETUID,)).await.unwrap();
    let mut count = 0;
    while let Some(entry) = entries.next().await {
        entry.unwrap();
        count += 1;
    }
    assert_eq!(count, 204);
}

#[tokio::test]
async fn the_metagraph_comes_in_one_call_with_the_fields_that_were_asked_for() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        let subnet = state.subnet(NETUID);
        subnet.neuron(0).tao_stake = 1_000_000_000_000;
        subnet.neuron(2).registered_at = 77;
    });
    let at = bench.at().await;
    let asked = [7_u16, 8, 46, 52, 57, 59, 66, 67, 68, 69, 3, 72];
    let arguments = vec![number(NETUID), numbers(&asked)];
    let call = dynamic::runtime_api_call::<_, Value>(
        "SubnetInfoRuntimeApi",
        "get_selective_metagraph",
        arguments,
    );
    let graph = at.runtime_apis().call(call).await.unwrap();
    let field = |name: &str| graph.at(0).at(name).unwrap().at(0).unwrap().clone();
    let amounts = |name| {
        let list = field(name);
        (0..4)
            .map(|uid| list.at(uid).unwrap().as_u128().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(field("block").as_u128(), Some(1_000));
    assert_eq!(field("tempo").as_u128(), Some(10));
    assert_eq!(
        field("commit_reveal_weights_enabled").as_bool(),
        Some(false)
    );
    assert_eq!(amounts("block_at_registration"), [1, 1, 77, 1]);
    assert_eq!(amounts("alpha_stake")[..2], [2_000_000_000_000; 2]);
    assert_eq!(amounts("tao_stake"), [1_000_000_000_000, 0, 0, 0]);
    // TaoWeight is about 0.0527.
    let total = amounts("total_stake")[0];
    assert!(
        (2_052_600_000_000..2_052_800_000_000).contains(&total),
        "{total}"
    );
    // What was not asked for is not there.
    assert!(graph.at(0).at("owner_hotkey").unwrap().at(0).is_none());
}

#[tokio::test]
async fn every_field_of_every_metagraph_encodes() {
    let bench = Bench::start().await;
    let at = bench.at().await;
    let all: Vec<u16> = (0..=73).collect();
    for (method, arguments) in [
        (
            "get_selective_metagraph",
            vec![number(NETUID), numbers(&all)],
        ),
        ("get_metagraph", vec![number(NETUID)]),
        ("get_mechagraph", vec![number(NETUID), number(0_u8)]),
        ("get_next_epoch_start_block", vec![number(NETUID)]),
    ] {
        let call = |arguments| {
            dynamic::runtime_api_call::<_, Value>("SubnetInfoRuntimeApi", method, arguments)
        };
        let answer = at
            .runtime_apis()
            .call(call(arguments.clone()))
            .await
            .unwrap();
        assert!(answer.at(0).is_some(), "{method}");
        let mut of_none = arguments;
        of_none[0] = number(50_u16);
        let answer = at.runtime_apis().call(call(of_none)).await.unwrap();
        assert!(answer.at(0).is_none(), "{method}");
    }
}

#[tokio::test]
async fn blocks_are_found_by_number_and_hash() {
    let chain = SimulatedChain::start().await;
    chain.mine(2);
    let hash = |number| json!(to_hex(&chain.hash(number).unwrap()));
    let ask = |params: &[Json]| chain.request("chain_getBlockHash", params).unwrap();
    assert_eq!(ask(&[]), hash(1_002));
    assert_eq!(ask(&[Json::Null]), hash(1_002));
    assert_eq!(ask(&[json!(1_001)]), hash(1_001));
    assert_eq!(ask(&[json!("0x3e9")]), hash(1_001));
    assert_eq!(
        ask(&[json!([0, 1_001, 5])]),
        json!([hash(0), hash(1_001), null])
    );
    let header = chain.request("chain_getHeader", &[hash(1_002)]).unwrap();
    assert_eq!(header["number"], "0x3ea");
    assert_eq!(header["parentHash"], hash(1_001));
    let block = chain.request("chain_getBlock", &[hash(1_002)]).unwrap();
    assert_eq!(block["block"]["header"], header);
    let unknown = json!(to_hex(&[9; 32]));
    assert_eq!(chain.request("chain_getHeader", &[unknown]), Ok(Json::Null));
    assert_eq!(
        chain.request("chain_getFinalizedHead", &[]),
        Ok(hash(1_002))
    );
}

#[tokio::test]
async fn old_states_are_gone_where_they_are_not_kept() {
    let chain = SimulatedChain::start().await;
    let first = json!(to_hex(&chain.hash(1_000).unwrap()));
    chain.mine(3);
    let params = [json!("Core_version"), json!("0x"), first];
    assert!(chain.request("state_call", &params).is_ok());
    chain.keep_states(2);
    let error = chain.request("state_call", &params).unwrap_err();
    assert_eq!(error.code, 4_003);
    assert!(error.message.contains("State already discarded"));
}

#[tokio::test]
async fn storage_may_be_set_by_hand() {
    let chain = SimulatedChain::start().await;
    let key = b"anything".to_vec();
    let ask = || chain.request("state_getStorage", &[json!(to_hex(b"anything"))]);
    assert_eq!(ask(), Ok(Json::Null));
    chain.edit(|state| state.storage.insert(key.clone(), Some(vec![1, 2])));
    assert_eq!(ask(), Ok(json!("0x0102")));
    let changes = chain.request("state_queryStorageAt", &[json!([to_hex(b"anything")])]);
    assert_eq!(changes.unwrap()[0]["changes"][0][1], "0x0102");
    chain.edit(|state| state.storage.insert(key, None));
    assert_eq!(ask(), Ok(Json::Null));
}

#[test]
fn the_version_of_spec_365_is_that_of_its_metadata() {
    let runtime = Runtime::v365();
    let version = runtime
        .metadata()
        .pallet_by_name("System")
        .and_then(|pallet| pallet.constant_by_name("Version"))
        .unwrap();
    let spec = runtime.spec_version().to_le_bytes();
    assert!(version.value().windows(4).any(|four| four == spec));
    // Before the two bytes for the state and the system it is the last.
    let (rest, _) = version.value().split_at(version.value().len() - 1);
    assert!(rest.ends_with(&runtime.transaction_version().to_le_bytes()));
}
