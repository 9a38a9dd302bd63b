//! Timelocked weights, encrypted by the official package.

use proctor_simulated_chain::{NETUID, Neuron, Runtime, SimulatedChain, State, drand};
use serde_json::Value as Json;
use subxt_signer::sr25519::dev;

use crate::support::{Bench, Call, Failed, call, number, numbers};

/// A commit of Alice to round 1000 with uids 0, 2 and 7, and version key 11.
fn official() -> Vec<u8> {
    let fixture = include_str!("../../../fixtures/timelock/official.json");
    let fixture: Json = serde_json::from_str(fixture).unwrap();
    assert_eq!(fixture["round"], drand::KNOWN_ROUND);
    let signature = hex::decode(fixture["signature"].as_str().unwrap()).unwrap();
    assert_eq!(signature, drand::KNOWN_SIGNATURE);
    hex::decode(fixture["commits"][0]["commit"].as_str().unwrap()).unwrap()
}

fn state() -> State {
    let mut state = SimulatedChain::usual_state(Runtime::v425());
    let subnet = state.subnet(NETUID);
    subnet.commit_reveal = true;
    subnet.mechanisms = 2;
    subnet
        .neurons
        .extend((4..8).map(|seed| Neuron::miner([seed; 32])));
    state
}

fn commit(commit: &[u8], round: u64, version: u16) -> Call {
    let arguments = vec![
        number(NETUID),
        number(0_u8),
        numbers(commit),
        number(round),
        number(version),
    ];
    call("commit_timelocked_mechanism_weights", arguments)
}

#[tokio::test]
async fn an_official_commit_opens_by_itself_in_the_next_epoch() {
    let bench = Bench::start_with(state()).await;
    let chain = &bench.chain;
    let call = commit(&official(), 1_000, 4);
    assert_eq!(bench.send(&dev::alice(), &call).await, Ok(()));
    assert_eq!(bench.events(), ["TimelockedWeightsCommitted"]);
    chain.edit(|state| state.publish(1_000, &drand::KNOWN_SIGNATURE));
    chain.mine_to(1_004);
    assert!(chain.read(|state| state.subnets[&NETUID].weights.is_empty()));
    chain.mine(1);
    assert_eq!(bench.events(), ["WeightsSet", "TimelockedWeightsRevealed"]);
    chain.read(|state| {
        let subnet = &state.subnets[&NETUID];
        assert_eq!(subnet.weights[&(0, 0)], [(0, 65_535), (2, 100), (7, 1)]);
        assert_eq!(subnet.last_update(0, 0), 1_001);
        assert!(subnet.timelocked.is_empty());
    });
    let events = bench.at().await.events().fetch().await.unwrap();
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn a_round_that_comes_late_is_tried_in_every_block_of_the_epoch() {
    let bench = Bench::start_with(state()).await;
    let call = commit(&official(), 1_000, 4);
    assert_eq!(bench.send(&dev::alice(), &call).await, Ok(()));
    bench.chain.mine_to(1_010);
    assert!(
        bench
            .chain
            .read(|state| state.subnets[&NETUID].weights.is_empty())
    );
    bench
        .chain
        .edit(|state| state.publish(1_000, &drand::KNOWN_SIGNATURE));
    bench.chain.mine(1);
    assert_eq!(bench.events(), ["WeightsSet", "TimelockedWeightsRevealed"]);
}

#[tokio::test]
async fn a_round_that_comes_after_the_epoch_opens_nothing() {
    let bench = Bench::start_with(state()).await;
    let call = commit(&official(), 1_000, 4);
    assert_eq!(bench.send(&dev::alice(), &call).await, Ok(()));
    bench.chain.mine_to(1_015);
    bench
        .chain
        .edit(|state| state.publish(1_000, &drand::KNOWN_SIGNATURE));
    bench.chain.mine_to(1_030);
    bench.chain.read(|state| {
        assert!(state.subnets[&NETUID].weights.is_empty());
        assert!(state.subnets[&NETUID].timelocked.is_empty());
    });
}

type Change = fn(&mut State);

#[tokio::test]
async fn a_commit_that_fails_a_check_at_the_reveal_is_dropped_without_a_word() {
    let mut garbled = official();
    garbled[200] ^= 1;
    let cases: [(&str, Vec<u8>, Change); 4] = [
        ("permit", official(), |state| {
            state.subnet(NETUID).neuron(0).validator_permit = false;
        }),
        ("version key", official(), |state| {
            state.subnet(NETUID).weights_version = 12;
        }),
        ("not a commit", vec![1; 300], |_| {}),
        ("garbled", garbled, |_| {}),
    ];
    for (name, bytes, change) in cases {
        let bench = Bench::start_with(state()).await;
        let call = commit(&bytes, 1_000, 4);
        assert_eq!(bench.send(&dev::alice(), &call).await, Ok(()), "{name}");
        bench.chain.edit(|state| {
            state.publish(1_000, &drand::KNOWN_SIGNATURE);
            change(state);
        });
        bench.chain.mine_to(1_005);
        assert!(bench.events().is_empty(), "{name}");
        assert!(
            bench
                .chain
                .read(|state| state.subnets[&NETUID].timelocked.is_empty())
        );
    }
}

#[tokio::test]
async fn a_commit_of_another_hotkey_opens_nothing() {
    let bench = Bench::start_with(state()).await;
    let call = commit(&official(), 1_000, 4);
    assert_eq!(bench.send(&dev::bob(), &call).await, Ok(()));
    bench
        .chain
        .edit(|state| state.publish(1_000, &drand::KNOWN_SIGNATURE));
    bench.chain.mine_to(1_005);
    assert!(bench.events().is_empty());
}

#[tokio::test]
async fn a_commit_is_refused_for_its_version_its_rate_and_its_length() {
    let bench = Bench::start_with(state()).await;
    let alice = dev::alice();
    let result = bench.send(&alice, &commit(&[1], 1_000, 3)).await;
    assert_eq!(result, Failed::block("IncorrectCommitRevealVersion"));
    let result = bench.send(&dev::eve(), &commit(&[1], 1_000, 4)).await;
    assert_eq!(result, Failed::custom(1));
    bench.chain.edit(|state| state.stake_threshold = 0);
    let result = bench.send(&dev::eve(), &commit(&[1], 1_000, 4)).await;
    assert_eq!(result, Failed::block("HotKeyNotRegisteredInSubNet"));
    assert_eq!(bench.send(&alice, &commit(&[1], 1_000, 4)).await, Ok(()));
    let result = bench.send(&alice, &commit(&[1], 1_000, 4)).await;
    assert_eq!(result, Failed::block("CommittingWeightsTooFast"));
    bench.chain.edit(|state| {
        state.subnet(NETUID).weights_rate_limit = 0;
        state.subnet(NETUID).tempo = 100;
    });
    for _ in 0..9 {
        assert_eq!(bench.send(&alice, &commit(&[1], 1_000, 4)).await, Ok(()));
    }
    let result = bench.send(&alice, &commit(&[1], 1_000, 4)).await;
    assert_eq!(result, Failed::block("TooManyUnrevealedCommits"));
    let long = bench.sign(&alice, &commit(&[1; 5_001], 1_000, 4)).await;
    assert_eq!(bench.submit(&long).unwrap_err().code, 1_002);
    bench
        .chain
        .edit(|state| state.subnet(NETUID).commit_reveal = false);
    let result = bench.send(&alice, &commit(&[1], 1_000, 4)).await;
    assert_eq!(result, Failed::block("CommitRevealDisabled"));
}
