//! Setting weights: the checks in their order, and what is stored.

use proctor_simulated_chain::{Failure, NETUID, Subnet, account};
use subxt::dynamic::Value;
use subxt_signer::sr25519::{Keypair, dev};

use crate::support::{Bench, Call, Failed, call, number, numbers, set_weights};

/// `set_mechanism_weights`, with everything that may be wrong in it.
struct Attempt {
    who: Keypair,
    netuid: u16,
    uids: Vec<u16>,
    values: Vec<u16>,
    version_key: u64,
}

impl Attempt {
    fn call(&self) -> Call {
        let arguments = vec![
            number(self.netuid),
            number(1_u8),
            numbers(&self.uids),
            numbers(&self.values),
            number(self.version_key),
        ];
        call("set_mechanism_weights", arguments)
    }

    async fn fails(&self, bench: &Bench, name: &'static str) {
        let result = bench.send(&self.who, &self.call()).await;
        assert_eq!(result, Failed::block(name));
    }
}

/// Everything is wrong at first; what is found wrong is put right, one by one.
#[tokio::test]
async fn what_is_wrong_is_found_in_the_order_of_the_pallet() {
    let bench = Bench::start().await;
    let chain = &bench.chain;
    chain.pool_checks(false);
    chain.edit(|state| {
        state.subnets.insert(0, Subnet::new(10, Vec::new()));
        let subnet = state.subnet(NETUID);
        subnet.commit_reveal = true;
        subnet.weights_version = 5;
        subnet.weights_rate_limit = 100;
        subnet.last_updates.insert((1, 3), 1_000);
        subnet.min_allowed_weights = 3;
        subnet.max_weight_limit = 30_000;
    });
    let subnet = |change: fn(&mut Subnet)| chain.edit(|state| change(state.subnet(NETUID)));
    let mut attempt = Attempt {
        who: dev::eve(),
        netuid: 0,
        uids: vec![9; 5],
        values: vec![65_535; 6],
        version_key: 4,
    };

    attempt.fails(&bench, "CommitRevealEnabled").await;
    subnet(|subnet| subnet.commit_reveal = false);
    chain.edit(|state| state.subnet(0).commit_reveal = false);
    attempt.fails(&bench, "CanNotSetRootNetworkWeights").await;
    attempt.netuid = NETUID;
    attempt.fails(&bench, "WeightVecNotEqualSize").await;
    attempt.values.pop();
    attempt.fails(&bench, "MechanismDoesNotExist").await;
    subnet(|subnet| subnet.mechanisms = 2);
    attempt.fails(&bench, "UidsLengthExceedUidsInSubNet").await;
    attempt.uids = vec![9, 9];
    attempt.values = vec![65_535, 100];
    attempt.fails(&bench, "HotKeyNotRegisteredInSubNet").await;
    attempt.who = dev::dave();
    attempt.fails(&bench, "NotEnoughStakeToSetWeights").await;
    subnet(|subnet| subnet.neuron(3).alpha_stake = 1_000_000_000_000);
    attempt.fails(&bench, "IncorrectWeightVersionKey").await;
    attempt.version_key = 5;
    attempt.fails(&bench, "SettingWeightsTooFast").await;
    subnet(|subnet| subnet.weights_rate_limit = 1);
    attempt.fails(&bench, "NeuronNoValidatorPermit").await;
    subnet(|subnet| subnet.neuron(3).validator_permit = true);
    attempt.fails(&bench, "DuplicateUids").await;
    attempt.uids = vec![9, 2];
    attempt.fails(&bench, "UidVecContainInvalidOne").await;
    attempt.uids = vec![1, 2];
    attempt.fails(&bench, "WeightVecLengthIsLow").await;
    subnet(|subnet| subnet.min_allowed_weights = 2);
    attempt.fails(&bench, "MaxWeightExceeded").await;
    subnet(|subnet| subnet.max_weight_limit = u16::MAX);
    assert_eq!(bench.send(&attempt.who, &attempt.call()).await, Ok(()));
    assert_eq!(bench.events(), ["WeightsSet"]);
    chain.read(|state| {
        let subnet = &state.subnets[&NETUID];
        assert_eq!(subnet.weights[&(1, 3)], [(1, 65_535), (2, 100)]);
        assert_eq!(subnet.last_update(1, 3), state.block);
        assert_eq!(subnet.last_update(0, 3), 0);
    });
}

#[tokio::test]
async fn weights_are_stored_in_proportion_to_the_greatest() {
    let bench = Bench::start().await;
    bench
        .chain
        .edit(|state| state.subnet(NETUID).weights_rate_limit = 0);
    for (sent, stored) in [
        // As the runtime of spec 218 stored them.
        (vec![100, 200, 50], vec![32_768, 65_535, 16_384]),
        (vec![20_000, 40_000], vec![32_767, 65_535]),
        (vec![65_535, 1], vec![65_535, 1]),
        (vec![0, 0], vec![0, 0]),
    ] {
        let uids: Vec<u16> = (0..).take(sent.len()).collect();
        let result = bench.send(&dev::alice(), &set_weights(&uids, &sent)).await;
        assert_eq!(result, Ok(()));
        let row = bench
            .chain
            .read(|state| state.subnets[&NETUID].weights[&(0, 0)].clone());
        assert_eq!(row.iter().map(|one| one.1).collect::<Vec<_>>(), stored);
    }
}

#[tokio::test]
async fn the_owner_and_a_single_weight_of_itself_need_no_permit() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        let subnet = state.subnet(NETUID);
        subnet.min_allowed_weights = 3;
        subnet.neuron(1).validator_permit = false;
        subnet.owner_hotkey = account("dave");
    });
    let to_itself = set_weights(&[1], &[65_535]);
    assert_eq!(bench.send(&dev::bob(), &to_itself).await, Ok(()));
    let to_all = set_weights(&[0, 1, 2], &[1, 2, 65_535]);
    assert_eq!(bench.send(&dev::dave(), &to_all).await, Ok(()));
}

#[tokio::test]
async fn a_registration_counts_for_the_rate_limit() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        state.stake_threshold = 0;
        let block = state.block;
        let uid = state.subnet(NETUID).register(None, account("eve"), block);
        state.subnet(NETUID).neuron(uid).validator_permit = true;
    });
    let call = set_weights(&[0], &[65_535]);
    assert_eq!(bench.send(&dev::eve(), &call).await, Failed::custom(6));
    bench.chain.mine(2);
    assert_eq!(bench.send(&dev::eve(), &call).await, Ok(()));
}

#[tokio::test]
async fn vectors_that_are_shorter_than_the_subnet_mean_never_and_no() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        let subnet = state.subnet(NETUID);
        subnet.neuron(1).last_update = 1_000;
        subnet.vector_length = Some(1);
    });
    let result = bench.send(&dev::bob(), &set_weights(&[0], &[65_535])).await;
    assert_eq!(result, Failed::block("NeuronNoValidatorPermit"));
}

#[tokio::test]
async fn a_batch_succeeds_and_tells_what_failed_in_events() {
    let bench = Bench::start().await;
    let row = |uid: u16| Value::unnamed_composite([numbers(&[uid, 65_535])]);
    let rows = Value::unnamed_composite([row(1), row(99)]);
    let arguments = vec![numbers(&[NETUID, NETUID]), rows, numbers(&[0_u8, 0])];
    let batch = call("batch_set_weights", arguments);
    bench
        .chain
        .edit(|state| state.subnet(NETUID).weights_rate_limit = 0);
    assert_eq!(bench.send(&dev::alice(), &batch).await, Ok(()));
    let told = [
        "WeightsSet",
        "BatchCompletedWithErrors",
        "BatchWeightItemFailed",
        "BatchWeightsCompleted",
    ];
    assert_eq!(bench.events(), told);
    // The events decode as the metadata has them.
    let events = bench.at().await.events().fetch().await.unwrap();
    assert!(
        events
            .iter()
            .all(|event| event.unwrap().decode_as::<Value>().is_ok())
    );
    assert_eq!(events.len(), 6);
}

#[tokio::test]
async fn a_call_that_fails_changes_nothing_but_the_nonce() {
    let bench = Bench::start().await;
    let result = bench
        .send(&dev::alice(), &set_weights(&[9], &[65_535]))
        .await;
    assert_eq!(
        result,
        Err(Failed::Block(Failure::Module("UidVecContainInvalidOne")))
    );
    bench.chain.read(|state| {
        assert!(state.subnets[&NETUID].weights.is_empty());
        assert_eq!(state.subnets[&NETUID].last_update(0, 0), 0);
        assert_eq!(state.nonce(&account("alice")), 1);
    });
}
