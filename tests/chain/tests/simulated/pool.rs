//! What the pool lets in, what it refuses and how, and what becomes of what waits.

use parity_scale_codec::Encode;
use proctor_simulated_chain::{
    Era, NETUID, Node, Outcome, RpcError, Runtime, SimulatedChain, account, to_hex,
};
use serde_json::json;
use subxt::config::substrate::SubstrateExtrinsicParamsBuilder as Params;
use subxt_signer::sr25519::dev;

use crate::support::{Bench, Failed, call, number, numbers, set_weights};

fn invalid(data: &str) -> Result<(), RpcError> {
    Err(RpcError::new(1_010, "Invalid Transaction").with_data(data))
}

#[tokio::test]
async fn a_signature_of_anything_else_is_refused() {
    let bench = Bench::start().await;
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    let bad = invalid("Transaction has a bad signature");
    // The account, the signature, the nonce and the call: one bit of each.
    for (place, what) in [(4, "account"), (50, "signature"), (103, "nonce")] {
        let mut changed = extrinsic.clone();
        changed[place] ^= 4;
        assert_eq!(bench.submit(&changed), bad, "{what}");
    }
    let mut changed = extrinsic.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(bench.submit(&changed), bad, "version key");
    assert_eq!(bench.submit(&extrinsic), Ok(()));
}

#[tokio::test]
async fn a_signature_for_another_chain_or_runtime_is_refused() {
    let bench = Bench::start().await;
    let state = SimulatedChain::usual_state(Runtime::v425());
    let other = SimulatedChain::start_with(state, "another").await;
    let other = Bench {
        client: crate::support::client(&other.url()).await,
        chain: other,
    };
    let call = set_weights(&[1], &[65_535]);
    let bad = invalid("Transaction has a bad signature");
    let extrinsic = other.sign(&dev::alice(), &call).await;
    assert_eq!(bench.submit(&extrinsic), bad);

    let extrinsic = bench.sign(&dev::alice(), &call).await;
    bench.chain.upgrade(Runtime::v425().with_spec_version(426));
    bench.chain.mine(1);
    assert_eq!(bench.submit(&extrinsic), bad);
}

#[tokio::test]
async fn payloads_over_256_bytes_are_signed_by_their_hash() {
    let bench = Bench::start().await;
    bench.chain.edit(|state| {
        for seed in 0..96 {
            state.subnet(NETUID).register(None, [seed; 32], 1);
        }
    });
    let uids: Vec<u16> = (0..100).collect();
    let values = vec![65_535; 100];
    let result = bench
        .send(&dev::alice(), &set_weights(&uids, &values))
        .await;
    assert_eq!(result, Ok(()));
}

#[tokio::test]
async fn a_nonce_that_is_over_is_refused_and_one_to_come_waits() {
    let bench = Bench::start().await;
    let remark = set_weights(&[1], &[65_535]);
    bench
        .chain
        .edit(|state| state.subnet(NETUID).weights_rate_limit = 0);
    let with = async |nonce| {
        let params = Params::new().nonce(nonce);
        bench.sign_with(&dev::alice(), &remark, params).await
    };
    let (zero, one) = (with(0).await, with(1).await);
    assert_eq!(bench.submit(&one), Ok(()));
    bench.chain.mine(1);
    assert_eq!(bench.chain.waiting(), 1);
    assert_eq!(bench.submit(&zero), Ok(()));
    bench.chain.mine(1);
    assert_eq!(bench.chain.waiting(), 0);
    assert_eq!(bench.chain.read(|state| state.nonce(&account("alice"))), 2);
    let again = bench
        .sign_with(&dev::alice(), &remark, Params::new().nonce(1).tip(7))
        .await;
    assert_eq!(bench.submit(&again), invalid("Transaction is outdated"));
}

#[tokio::test]
async fn the_next_nonce_counts_what_waits() {
    let bench = Bench::start().await;
    let alice = subxt::utils::AccountId32(account("alice")).to_string();
    let next = || {
        bench
            .chain
            .request("system_accountNextIndex", &[json!(alice)])
    };
    assert_eq!(next(), Ok(json!(0)));
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    bench.submit(&extrinsic).unwrap();
    assert_eq!(next(), Ok(json!(1)));
    let pending = bench.chain.request("author_pendingExtrinsics", &[]);
    assert_eq!(pending, Ok(json!([to_hex(&extrinsic)])));
    bench.chain.restart();
    assert_eq!(next(), Ok(json!(0)));
    assert_eq!(bench.last_outcome(), Outcome::Dropped);
}

#[tokio::test]
async fn an_era_that_is_over_is_a_bad_signature() {
    let bench = Bench::start().await;
    let params = Params::new().nonce(0).mortal(4);
    let extrinsic = bench
        .sign_with(&dev::alice(), &set_weights(&[1], &[65_535]), params)
        .await;
    // Born in 1000, so 1003 is the last block that it may be in. The next one counts
    // for its birth, and has no hash yet; after it, the hash is another.
    bench.chain.mine(2);
    assert_eq!(bench.submit(&extrinsic), Ok(()));
    bench.chain.restart();
    bench.chain.mine(1);
    let ancient = invalid("Transaction has an ancient birth block");
    assert_eq!(bench.submit(&extrinsic), ancient);
    bench.chain.mine(1);
    let bad = invalid("Transaction has a bad signature");
    assert_eq!(bench.submit(&extrinsic), bad);
    let era = bench.chain.received()[0].extrinsic.as_ref().unwrap().era;
    assert_eq!(
        era,
        Era::Mortal {
            period: 4,
            phase: 0
        }
    );
    assert_eq!((era.birth(1_003), era.death(1_003)), (1_000, 1_004));
}

#[tokio::test]
async fn what_waits_too_long_is_dropped() {
    let bench = Bench::start().await;
    let params = Params::new().nonce(1).mortal(4);
    let extrinsic = bench
        .sign_with(&dev::alice(), &set_weights(&[1], &[65_535]), params)
        .await;
    bench.submit(&extrinsic).unwrap();
    bench.chain.mine(3);
    assert_eq!(bench.last_outcome(), Outcome::Waits);
    bench.chain.mine(1);
    assert_eq!(bench.last_outcome(), Outcome::Dropped);
}

#[tokio::test]
async fn the_same_twice_is_refused_and_so_is_another_of_the_same_nonce_without_a_tip() {
    let bench = Bench::start().await;
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    assert_eq!(bench.submit(&extrinsic), Ok(()));
    let code = |result: Result<(), RpcError>| result.unwrap_err().code;
    assert_eq!(code(bench.submit(&extrinsic)), 1_013);
    let other = bench
        .sign(&dev::alice(), &set_weights(&[2], &[65_535]))
        .await;
    assert_eq!(code(bench.submit(&other)), 1_014);
    let params = Params::new().nonce(0).tip(5);
    let better = bench
        .sign_with(&dev::alice(), &set_weights(&[3], &[65_535]), params)
        .await;
    assert_eq!(bench.submit(&better), Ok(()));
    assert_eq!(bench.chain.received()[0].outcome, Outcome::Dropped);
    bench.chain.mine(1);
    assert_eq!(code(bench.submit(&better)), 1_012);
    bench.chain.restart();
    assert_eq!(bench.submit(&better), invalid("Transaction is outdated"));
}

#[tokio::test]
async fn the_pool_refuses_what_the_extension_refuses() {
    let bench = Bench::start().await;
    let weights = set_weights(&[1], &[65_535]);
    assert_eq!(
        bench.send(&dev::charlie(), &weights).await,
        Failed::custom(1)
    );
    assert_eq!(bench.send(&dev::alice(), &weights).await, Ok(()));
    assert_eq!(bench.send(&dev::alice(), &weights).await, Failed::custom(6));

    bench.chain.edit(|state| {
        state.subnet(NETUID).commit_reveal = true;
        state.publish(50, &[0; 48]);
    });
    // Setting is not limited in rate here, so that it fails for the right reason.
    let result = bench.send(&dev::alice(), &weights).await;
    assert_eq!(result, Failed::block("CommitRevealEnabled"));
    let none = subxt::dynamic::Value::from_bytes([7; 32]);
    let commit = call("commit_weights", vec![number(NETUID), none]);
    assert_eq!(bench.send(&dev::alice(), &commit).await, Failed::custom(6));
    let timelocked = |round: u64| {
        let arguments = vec![
            number(NETUID),
            numbers(&[1_u8, 2]),
            number(round),
            number(4_u8),
        ];
        call("commit_timelocked_weights", arguments)
    };
    assert_eq!(
        bench.send(&dev::alice(), &timelocked(49)).await,
        Failed::custom(15)
    );
    let result = bench.send(&dev::alice(), &timelocked(50)).await;
    assert_eq!(result, Failed::block("CommittingWeightsTooFast"));
    let arguments = vec![
        number(NETUID),
        numbers(&[1_u8]),
        numbers(&[1_u8]),
        numbers(&[1_u8]),
        number(0_u8),
    ];
    let reveal = call("reveal_weights", arguments);
    assert_eq!(bench.send(&dev::alice(), &reveal).await, Failed::custom(16));
    let lists = subxt::dynamic::Value::unnamed_composite([numbers(&[1_u8])]);
    let none = || subxt::dynamic::Value::unnamed_composite([]);
    let arguments = vec![number(NETUID), lists, none(), none(), none()];
    let batch = call("batch_reveal_weights", arguments);
    assert_eq!(bench.send(&dev::alice(), &batch).await, Failed::custom(18));
}

#[tokio::test]
async fn without_checks_in_the_pool_the_rate_limit_comes_in_a_block() {
    let bench = Bench::start().await;
    bench.chain.pool_checks(false);
    let weights = set_weights(&[1], &[65_535]);
    assert_eq!(bench.send(&dev::alice(), &weights).await, Ok(()));
    let result = bench.send(&dev::alice(), &weights).await;
    assert_eq!(result, Failed::block("SettingWeightsTooFast"));
}

#[tokio::test]
async fn of_two_that_were_let_in_the_second_is_dropped_when_the_first_uses_up_the_rate() {
    let bench = Bench::start().await;
    for nonce in [0, 1] {
        let params = Params::new().nonce(nonce);
        let call = set_weights(&[1], &[65_535]);
        let extrinsic = bench.sign_with(&dev::alice(), &call, params).await;
        assert_eq!(bench.submit(&extrinsic), Ok(()));
    }
    bench.chain.mine(1);
    assert_eq!(bench.last_outcome(), Outcome::Dropped);
    assert_eq!(bench.chain.read(|state| state.nonce(&account("alice"))), 1);
}

#[tokio::test]
async fn a_refusal_may_be_ordered() {
    let bench = Bench::start().await;
    let error = RpcError::new(1_016, "Immediately Dropped");
    bench.chain.refuse_next(error.clone());
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    assert_eq!(bench.submit(&extrinsic), Err(error));
    assert_eq!(bench.submit(&extrinsic), Ok(()));
}

#[tokio::test]
async fn what_is_no_signed_extrinsic_is_refused() {
    let bench = Bench::start().await;
    let code = |bytes: &[u8]| bench.submit(bytes).unwrap_err().code;
    assert_eq!(code(&[]), 1_002);
    assert_eq!(code(&(vec![4_u8, 2, 0, 0]).encode()), 1_002);
    let mut long = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    long.push(0);
    assert_eq!(code(&long), 1_002);
    let transfer = subxt::dynamic::transaction(
        "Balances",
        "burn",
        vec![number(5_u8), subxt::dynamic::Value::bool(false)],
    );
    let transfer = bench.sign(&dev::alice(), &transfer).await;
    assert_eq!(
        bench.submit(&transfer),
        invalid("Transaction call is not expected")
    );
}

#[tokio::test]
async fn the_pool_of_spec_365_asks_less() {
    let bench = Bench::start_with(SimulatedChain::usual_state(Runtime::v365())).await;
    let weights = set_weights(&[1], &[65_535]);
    assert_eq!(
        bench.send(&dev::charlie(), &weights).await,
        Failed::custom(1)
    );
    assert_eq!(bench.send(&dev::alice(), &weights).await, Ok(()));
    let result = bench.send(&dev::alice(), &weights).await;
    assert_eq!(result, Failed::block("SettingWeightsTooFast"));
    let arguments = vec![
        number(NETUID),
        number(0_u8),
        numbers(&[1_u8]),
        numbers(&[1_u8]),
        number(0_u8),
    ];
    let of_mechanism = call("set_mechanism_weights", arguments);
    let result = bench.send(&dev::charlie(), &of_mechanism).await;
    assert_eq!(result, Failed::block("NotEnoughStakeToSetWeights"));
}
