//! Plain subxt as the client: connect, sign, submit, follow, read back.

use parity_scale_codec::{Compact, Decode};
use proctor_simulated_chain::{NETUID, Outcome};
use subxt::dynamic;
use subxt_signer::sr25519::dev;

use crate::support::{Bench, set_weights};

#[tokio::test]
async fn subxt_sets_weights_and_reads_them_back() {
    let bench = Bench::start().await;
    bench.chain.mine_on_submit(true);
    let at = bench.client.at_current_block().await.unwrap();
    assert_eq!(at.block_number(), 1_000);
    assert_eq!((at.spec_version(), at.transaction_version()), (425, 1));
    let events = at
        .transactions()
        .sign_and_submit_then_watch_default(&set_weights(&[1, 2], &[65_535, 30_000]), &dev::alice())
        .await
        .unwrap()
        .wait_for_finalized_success()
        .await
        .unwrap();
    let names: Vec<String> = events
        .iter()
        .map(|event| event.unwrap().event_name().to_owned())
        .collect();
    assert_eq!(names, ["WeightsSet", "ExtrinsicSuccess"]);

    let after = bench.client.at_current_block().await.unwrap();
    assert_eq!(after.block_number(), 1_001);
    let address = dynamic::storage::<(u16, u16), Vec<(u16, u16)>>("SubtensorModule", "Weights");
    let row = after.storage().fetch(address, (NETUID, 0)).await.unwrap();
    assert_eq!(row.decode().unwrap(), [(1, 65_535), (2, 30_000)]);
    let alice = dev::alice().public_key().into();
    let nonce = after.transactions().account_nonce(&alice).await;
    assert_eq!(nonce.unwrap(), 1);
    let outcome = Outcome::Included {
        block: 1_001,
        index: 1,
        result: Ok(()),
    };
    assert_eq!(bench.last_outcome(), outcome);
}

#[tokio::test]
async fn subxt_decodes_the_error_of_a_call_that_failed_in_a_block() {
    let bench = Bench::start().await;
    bench.chain.mine_on_submit(true);
    let at = bench.client.at_current_block().await.unwrap();
    let result = at
        .transactions()
        .sign_and_submit_then_watch_default(&set_weights(&[1, 1], &[65_535, 1]), &dev::alice())
        .await
        .unwrap()
        .wait_for_finalized_success()
        .await;
    let message = result.unwrap_err().to_string();
    assert!(message.contains("DuplicateUids"), "{message}");
}

#[tokio::test]
async fn subxt_asks_for_validity_and_fee_before_it_sends() {
    let bench = Bench::start().await;
    let at = bench.client.at_current_block().await.unwrap();
    let mut transactions = at.transactions();
    let call = set_weights(&[1], &[65_535]);
    let signed = transactions
        .create_signed(&call, &dev::alice(), Default::default())
        .await
        .unwrap();
    assert!(signed.validate().await.unwrap().is_valid());
    // subxt's own estimate takes the fee for 16 bytes long; here it is 8.
    let length = u32::try_from(signed.encoded().len()).unwrap();
    let input = [signed.encoded(), &length.to_le_bytes()].concat();
    let info = at
        .runtime_apis()
        .call_raw("TransactionPaymentApi_query_info", Some(&input))
        .await
        .unwrap();
    let (_, _, class, fee) =
        <(Compact<u64>, Compact<u64>, u8, u64)>::decode(&mut &info[..]).unwrap();
    assert_eq!((class, fee), (0, 0));
    bench.chain.edit(|state| {
        state.subnet(NETUID).neuron(0).last_update = 999;
    });
    assert!(!signed.validate().await.unwrap().is_valid());
}

#[tokio::test]
async fn final_blocks_come_to_those_who_listen() {
    let bench = Bench::start().await;
    bench.chain.finality_lag(Some(1));
    let mut blocks = bench.client.stream_blocks().await.unwrap();
    let mut next = async || blocks.next().await.unwrap().unwrap().number();
    assert_eq!(next().await, 1_000);
    bench.chain.mine(3);
    assert_eq!([next().await, next().await], [1_001, 1_002]);
    assert_eq!(bench.chain.best(), 1_003);
}

#[tokio::test]
async fn blocks_come_by_themselves_when_a_period_is_set() {
    let bench = Bench::start().await;
    bench.chain.mine_every(std::time::Duration::from_millis(5));
    bench.chain.until(|chain| chain.best() >= 1_003).await;
}
