//! Hashes of weights, and their reveal.

use parity_scale_codec::Encode;
use proctor_simulated_chain::{NETUID, Runtime, SimulatedChain, State};
use sp_crypto_hashing::blake2_256;
use subxt::dynamic::{self, Value};
use subxt_signer::sr25519::{Keypair, dev};

use crate::support::{Bench, Call, Failed, call, number, numbers};

const UIDS: [u16; 2] = [1, 2];
const VALUES: [u16; 2] = [65_535, 7];

fn state(runtime: Runtime) -> State {
    let mut state = SimulatedChain::usual_state(runtime);
    let subnet = state.subnet(NETUID);
    subnet.commit_reveal = true;
    subnet.weights_rate_limit = 0;
    subnet.mechanisms = 2;
    state
}

fn hash(who: &Keypair, index: u16, salt: u16) -> [u8; 32] {
    let mut bytes = who.public_key().0.to_vec();
    bytes.extend((index, UIDS.to_vec(), VALUES.to_vec(), vec![salt], 0_u64).encode());
    blake2_256(&bytes)
}

fn commit(hash: [u8; 32]) -> Call {
    call(
        "commit_weights",
        vec![number(NETUID), Value::from_bytes(hash)],
    )
}

fn reveal(salt: u16) -> Call {
    let arguments = vec![
        number(NETUID),
        numbers(&UIDS),
        numbers(&VALUES),
        numbers(&[salt]),
        number(0_u8),
    ];
    call("reveal_weights", arguments)
}

#[tokio::test]
async fn a_hash_is_revealed_in_the_epoch_after_it_and_in_no_other() {
    let bench = Bench::start_with(state(Runtime::v425())).await;
    let alice = dev::alice();
    assert_eq!(bench.send(&alice, &reveal(1)).await, Failed::custom(16));
    assert_eq!(
        bench.send(&alice, &commit(hash(&alice, NETUID, 1))).await,
        Ok(())
    );
    assert_eq!(bench.events(), ["WeightsCommitted"]);
    assert_eq!(
        bench
            .chain
            .read(|state| state.subnets[&NETUID].last_update(0, 0)),
        1_001
    );
    assert_eq!(bench.send(&alice, &reveal(1)).await, Failed::custom(17));
    // The epoch of 995 is the 90th, the next begins in 1005 and in 1015.
    bench.chain.mine_to(1_004);
    assert_eq!(bench.send(&alice, &reveal(2)).await, Failed::custom(16));
    assert_eq!(bench.send(&alice, &reveal(1)).await, Ok(()));
    assert_eq!(bench.chain.best(), 1_005);
    assert_eq!(bench.events(), ["WeightsSet", "WeightsRevealed"]);
    bench.chain.read(|state| {
        let subnet = &state.subnets[&NETUID];
        assert_eq!(subnet.weights[&(0, 0)], [(1, 65_535), (2, 7)]);
        assert_eq!(subnet.last_update(0, 0), 1_001);
        assert!(subnet.commits.is_empty());
    });

    assert_eq!(
        bench.send(&alice, &commit(hash(&alice, NETUID, 3))).await,
        Ok(())
    );
    bench.chain.mine_to(1_024);
    assert_eq!(bench.send(&alice, &reveal(3)).await, Failed::custom(17));
    bench.chain.pool_checks(false);
    assert_eq!(
        bench.send(&alice, &reveal(3)).await,
        Failed::block("ExpiredWeightCommit")
    );
}

#[tokio::test]
async fn in_a_block_a_reveal_fails_with_the_errors_of_the_pallet() {
    let bench = Bench::start_with(state(Runtime::v425())).await;
    bench.chain.pool_checks(false);
    let alice = dev::alice();
    let fails = async |call: &Call, name| {
        assert_eq!(bench.send(&alice, call).await, Failed::block(name));
    };
    fails(&reveal(1), "NoWeightsCommitFound").await;
    assert_eq!(
        bench.send(&alice, &commit(hash(&alice, NETUID, 1))).await,
        Ok(())
    );
    fails(&reveal(1), "RevealTooEarly").await;
    fails(&reveal(2), "InvalidRevealCommitHashNotMatch").await;
    bench
        .chain
        .edit(|state| state.subnet(NETUID).commit_reveal = false);
    fails(&reveal(1), "CommitRevealDisabled").await;
    fails(&commit([0; 32]), "CommitRevealDisabled").await;
}

#[tokio::test]
async fn the_checks_of_set_weights_are_made_at_the_reveal() {
    let bench = Bench::start_with(state(Runtime::v425())).await;
    let alice = dev::alice();
    assert_eq!(
        bench.send(&alice, &commit(hash(&alice, NETUID, 1))).await,
        Ok(())
    );
    bench.chain.mine_to(1_005);
    bench
        .chain
        .edit(|state| state.subnet(NETUID).min_allowed_weights = 4);
    let result = bench.send(&alice, &reveal(1)).await;
    assert_eq!(result, Failed::block("WeightVecLengthIsLow"));
    // It failed as a whole: the commit is still there.
    bench
        .chain
        .edit(|state| state.subnet(NETUID).min_allowed_weights = 1);
    assert_eq!(bench.send(&alice, &reveal(1)).await, Ok(()));
}

#[tokio::test]
async fn ten_commits_may_wait_and_a_reveal_drops_those_before_it() {
    let bench = Bench::start_with(state(Runtime::v425())).await;
    bench.chain.edit(|state| state.subnet(NETUID).tempo = 100);
    let alice = dev::alice();
    for salt in 0..10 {
        assert_eq!(
            bench
                .send(&alice, &commit(hash(&alice, NETUID, salt)))
                .await,
            Ok(())
        );
    }
    let result = bench.send(&alice, &commit([1; 32])).await;
    assert_eq!(result, Failed::block("TooManyUnrevealedCommits"));
    bench
        .chain
        .edit(|state| state.subnet(NETUID).pending_epoch_at = 1_012);
    bench.chain.mine_to(1_012);
    assert_eq!(bench.send(&alice, &reveal(5)).await, Ok(()));
    assert_eq!(bench.send(&alice, &reveal(4)).await, Failed::custom(16));
    assert_eq!(bench.send(&alice, &reveal(6)).await, Ok(()));
}

#[tokio::test]
async fn a_mechanism_has_commits_of_its_own() {
    let bench = Bench::start_with(state(Runtime::v425())).await;
    let alice = dev::alice();
    let index = 4_096 + NETUID;
    let commit = call(
        "commit_mechanism_weights",
        vec![
            number(NETUID),
            number(1_u8),
            Value::from_bytes(hash(&alice, index, 1)),
        ],
    );
    assert_eq!(bench.send(&alice, &commit).await, Ok(()));
    bench.chain.mine_to(1_005);
    assert_eq!(bench.send(&alice, &reveal(1)).await, Failed::custom(16));
    let arguments = vec![
        number(NETUID),
        number(1_u8),
        numbers(&UIDS),
        numbers(&VALUES),
        numbers(&[1_u16]),
        number(0_u8),
    ];
    let reveal = call("reveal_mechanism_weights", arguments);
    assert_eq!(bench.send(&alice, &reveal).await, Ok(()));
    let row = bench
        .chain
        .read(|state| state.subnets[&NETUID].weights[&(1, 0)].clone());
    assert_eq!(row, [(1, 65_535), (2, 7)]);
}

#[tokio::test]
async fn batches_commit_and_reveal() {
    let bench = Bench::start_with(state(Runtime::v425())).await;
    let alice = dev::alice();
    let hashes = [1, 2].map(|salt| Value::from_bytes(hash(&alice, NETUID, salt)));
    let arguments = vec![numbers(&[NETUID, NETUID]), Value::unnamed_composite(hashes)];
    let commits = call("batch_commit_weights", arguments);
    assert_eq!(bench.send(&alice, &commits).await, Ok(()));
    bench.chain.mine_to(1_005);
    let twice = |value: Value| Value::unnamed_composite([value.clone(), value]);
    let salts = Value::unnamed_composite([numbers(&[1_u16]), numbers(&[2_u16])]);
    let arguments = vec![
        number(NETUID),
        twice(numbers(&UIDS)),
        twice(numbers(&VALUES)),
        salts,
        numbers(&[0_u8, 0]),
    ];
    let reveals = call("batch_reveal_weights", arguments);
    assert_eq!(bench.send(&alice, &reveals).await, Ok(()));
    assert_eq!(
        bench.events(),
        ["WeightsSet", "WeightsSet", "WeightsBatchRevealed"]
    );
}

type Stored = Vec<([u8; 32], u64, u64, u64)>;

#[tokio::test]
async fn commits_are_stored_as_each_runtime_has_them() {
    let cases = [
        // The epoch and the block of the commit.
        (Runtime::v425(), (90, 1_001, 0)),
        // The block, and those of the epoch after it: (1010 + 2) / 11 is 92.
        (Runtime::v365(), (1_001, 1_010, 1_020)),
    ];
    for (runtime, expected) in cases {
        let bench = Bench::start_with(state(runtime)).await;
        let alice = dev::alice();
        let hash = hash(&alice, NETUID, 1);
        assert_eq!(bench.send(&alice, &commit(hash)).await, Ok(()));
        let address =
            dynamic::storage::<(u16, [u8; 32]), Stored>("SubtensorModule", "WeightCommits");
        let keys = (NETUID, alice.public_key().0);
        let at = bench.at().await;
        let stored = at.storage().fetch(address, keys).await.unwrap();
        let (a, b, c) = expected;
        assert_eq!(stored.decode().unwrap(), [(hash, a, b, c)]);
    }
}
