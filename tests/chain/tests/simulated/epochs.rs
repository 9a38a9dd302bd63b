//! When epochs begin.

use proctor_simulated_chain::{NETUID, Rules, Runtime, SimulatedChain, Subnet};

fn begins(chain: &SimulatedChain) -> Vec<u64> {
    let from = chain.best();
    let mut begun = Vec::new();
    for _ in 0..25 {
        chain.mine(1);
        let since = chain.read(|state| state.subnets[&NETUID].blocks_since_last_step);
        if since == 0 {
            begun.push(chain.best() - from);
        }
    }
    begun
}

#[tokio::test]
async fn an_epoch_begins_a_tempo_after_the_last_one() {
    let chain = SimulatedChain::start().await;
    assert_eq!(begins(&chain), [5, 15, 25]);
    chain.read(|state| assert_eq!(state.subnets[&NETUID].epoch_index, 93));
}

#[tokio::test]
async fn a_pending_epoch_begins_before_its_time() {
    let chain = SimulatedChain::start().await;
    chain.edit(|state| state.subnet(NETUID).pending_epoch_at = 1_002);
    assert_eq!(begins(&chain), [2, 12, 22]);
}

#[tokio::test]
async fn a_subnet_without_a_tempo_does_not_run() {
    let chain = SimulatedChain::start().await;
    chain.edit(|state| state.subnet(NETUID).tempo = 0);
    assert!(begins(&chain).is_empty());
}

#[tokio::test]
async fn what_is_more_than_a_block_may_run_is_deferred_by_a_block() {
    let chain = SimulatedChain::start().await;
    chain.edit(|state| {
        for netuid in [2, 3] {
            let subnet = state.subnets[&NETUID].clone();
            state.subnets.insert(netuid, subnet);
        }
    });
    chain.mine_to(1_005);
    let last = |netuid| chain.read(|state| state.subnets[&netuid].last_epoch_block);
    assert_eq!([1, 2, 3].map(last), [1_005, 1_005, 995]);
    chain.mine(1);
    assert_eq!(last(3), 1_006);
}

#[tokio::test]
async fn in_old_runtimes_epochs_go_by_the_number_of_the_block() {
    let chain =
        SimulatedChain::start_with(SimulatedChain::usual_state(Runtime::v365()), "old").await;
    // (block + 2) % 11 is 10 in 1009 and 1020.
    assert_eq!(begins(&chain), [9, 20]);
}

#[test]
fn a_block_in_which_an_epoch_begins_belongs_to_it() {
    let mut subnet = Subnet::new(10, Vec::new());
    subnet.last_epoch_block = 100;
    subnet.epoch_index = 7;
    assert_eq!(subnet.epoch(1, 109, Rules::V425), 7);
    assert_eq!(subnet.epoch(1, 110, Rules::V425), 8);
    assert_eq!(subnet.epoch(1, 108, Rules::V365), 10);
    assert_eq!(subnet.epoch(1, 107, Rules::V365), 9);
}
