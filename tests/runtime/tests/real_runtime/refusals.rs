//! What the runtime refuses, the host's own checks refuse, for the same reason.

use crate::faults::{Fault, THRESHOLD, call_with};
use crate::support::{MEMBERS, NETUID, Real, STRANGER, hotkey, set, subnet};
use proctor_host::chain::call::WeightCall;
use proctor_host::chain::error::ChainError;
use proctor_host::chain::preflight::{Check, first_refusal, preflight};
use proctor_host::chain::rejection::{Rejection, Stage};
use proctor_host::chain::transaction::{self, Mortality};
use proctor_host::chain::{Hotkey, read};
use proctor_runtime_tests::Key;
use subxt::dynamic;
use subxt_signer::sr25519::dev;

const STAKE: &str = "NotEnoughStakeToSetWeights";

/// What the chain says to a call, and what the host says of it before.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    by_chain: Option<String>,
    by_host: Option<String>,
}

impl Said {
    fn both(error: Option<&str>) -> Self {
        Said {
            by_chain: error.map(str::to_owned),
            by_host: error.map(str::to_owned),
        }
    }
}

async fn say(real: &Real, who: &Hotkey, call: &WeightCall) -> Said {
    let at = real.at().await;
    let state = read::chain_state(&at, call.netuid(), 0, &who.public_key()).await;
    let mut state = state.unwrap();
    if let Some(threshold) = real.node.read(Key::subtensor(THRESHOLD)) {
        let threshold = u64::from_le_bytes(threshold.try_into().unwrap());
        state.hyperparameters.stake_threshold = threshold;
    }
    let checks = preflight(&state, call);
    Said {
        by_host: foreseen(&checks).map(|check| check.error.to_owned()),
        by_chain: real.send(who, call).await.err().map(name),
    }
}

/// What the host expects this runtime to say: the pool, which is asked first, looks for
/// stake; the call itself goes through all checks in their order.
fn foreseen(checks: &[Check]) -> Option<&Check> {
    let mut refused = checks.iter().filter(|check| check.is_refused());
    let first = refused.clone().next();
    refused.find(|check| check.error == STAKE).or(first)
}

/// The name of an error as runtimes have it now. This one gives the pool a number for
/// too little stake that belongs to another error since.
fn name(rejection: Rejection) -> String {
    match (rejection.stage, rejection.custom) {
        (Stage::Pool, Some(3)) => STAKE.to_owned(),
        _ => rejection.error,
    }
}

#[tokio::test]
async fn the_chain_and_the_host_refuse_each_fault_by_the_same_name() {
    let Some(real) = Real::begin("refusals", subnet()).await else {
        return;
    };
    let (who, call) = call_with(&real.node, &[]);
    assert_eq!(say(&real, &hotkey(who), &call).await, Said::both(None));
    for fault in Fault::ALL {
        let (who, call) = call_with(&real.node, &[fault]);
        let said = say(&real, &hotkey(who), &call).await;
        assert_eq!(said, Said::both(Some(fault.error())), "{fault:?}");
    }
}

#[tokio::test]
async fn of_two_faults_the_chain_and_the_host_find_the_same_one_first() {
    let Some(real) = Real::begin("pairs of refusals", subnet()).await else {
        return;
    };
    let mut different = Vec::new();
    for (place, first) in Fault::ALL.into_iter().enumerate() {
        for second in Fault::ALL.into_iter().skip(place + 1) {
            let (who, call) = call_with(&real.node, &[first, second]);
            let said = say(&real, &hotkey(who), &call).await;
            assert!(said.by_chain.is_some(), "{first:?} and {second:?}");
            if said.by_chain != said.by_host {
                different.push(format!("{first:?} and {second:?}: {said:?}"));
            }
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}

#[tokio::test]
async fn who_has_just_registered_has_no_permit() {
    let mut busy = subnet();
    busy.rate_limit = 0;
    let Some(real) = Real::begin("no permit", busy).await else {
        return;
    };
    let stranger = hotkey(STRANGER);
    let weights = set(&[0, 1], &[65_535, 1]);
    let own = set(&[4], &[65_535]);
    let of = |item: &str| Key::subtensor(item).identity(NETUID);
    real.node.write(|storage| {
        storage.set(of("NetworkRegistrationAllowed"), true);
    });
    let register = dynamic::transaction(
        "SubtensorModule",
        "burned_register",
        (NETUID, stranger.public_key()),
    );
    let at = real.at().await;
    let mut tx = at.tx();
    let registered = tx
        .create_signed(&register, &dev::alice(), Default::default())
        .await
        .unwrap();
    let weights_signed = real.sign(&stranger, &weights).await;
    // Both into one block, in whose epoch it was not registered yet.
    let first = real.chain.submit(registered.encoded()).await.unwrap();
    let rejection = real.send_signed(&weights_signed).await.unwrap_err();
    drop(first);
    assert_eq!(rejection.error, "NeuronNoValidatorPermit");

    let state = real.state(&stranger).await;
    assert_eq!((state.hotkey.uid, state.hotkey.permit), (Some(4), false));
    let error = |call| first_refusal(&preflight(&state, call)).map(|check| check.error);
    assert_eq!(error(&weights), Some("NeuronNoValidatorPermit"));
    assert_eq!(error(&own), None);
}

#[tokio::test]
async fn a_self_weight_needs_no_permit_and_no_company() {
    let Some(real) = Real::begin("self weight", subnet()).await else {
        return;
    };
    call_with(&real.node, &[Fault::TooFew, Fault::TooHeavy]);
    let dave = hotkey(MEMBERS[2]);
    let mut call = set(&[2], &[65_535]);
    if let WeightCall::Set { version_key, .. } = &mut call {
        *version_key = 4;
    }
    assert_eq!(say(&real, &dave, &call).await, Said::both(None));
    assert_eq!(real.row(2).await, [(2, 65_535)]);
}

#[tokio::test]
async fn a_subnet_that_is_not_there_is_refused_before_anything_is_signed() {
    let Some(real) = Real::begin("no subnet", subnet()).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let state = read::chain_state(&real.at().await, 7, 0, &bob.public_key()).await;
    let error = state.unwrap_err();
    assert!(error.to_string().contains("subnet 7"), "{error}");
    let call = WeightCall::Set {
        netuid: 7,
        mechanism: 0,
        uids: vec![0],
        values: vec![65_535],
        version_key: 0,
    };
    let rejection = real.send(&bob, &call).await.unwrap_err();
    assert_eq!(rejection.name(), "SubtensorModule::SubNetworkDoesNotExist");
}

#[tokio::test]
async fn calls_that_the_runtime_does_not_have_are_refused_by_name() {
    let Some(real) = Real::begin("missing calls", subnet()).await else {
        return;
    };
    let at = real.at().await;
    let timelocked = WeightCall::CommitTimelocked {
        netuid: NETUID,
        mechanism: 0,
        commit: vec![0; 8],
        reveal_round: 1,
        version: 4,
    };
    let mechanism = WeightCall::Set {
        netuid: NETUID,
        mechanism: 1,
        uids: vec![0],
        values: vec![65_535],
        version_key: 0,
    };
    for call in [timelocked, mechanism] {
        let error = transaction::call_data(&at, &call).unwrap_err();
        assert_eq!(
            error,
            ChainError::NoSuchCall {
                what: call.what(),
                spec_version: 218
            }
        );
    }
}

#[tokio::test]
async fn the_pool_refuses_what_is_signed_for_another_chain_or_time_or_nonce() {
    let Some(real) = Real::begin("the pool", subnet()).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let call = set(&[0, 1], &[65_535, 1]);
    let at = real.at().await;
    let good = Mortality {
        block: at.block_number(),
        hash: at.block_hash().0,
        period: 4,
    };
    let refused = async |nonce, mortality| {
        let signed = transaction::sign(&at, &call, &bob, nonce, mortality).unwrap();
        let rejection = real.send_signed(&signed).await.unwrap_err();
        assert_eq!(rejection.stage, Stage::Pool);
        rejection.error
    };
    let other_chain = Mortality {
        hash: [7; 32],
        ..good
    };
    assert_eq!(refused(0, other_chain).await, "BadProof");
    let signed = transaction::sign(&at, &call, &bob, 0, good).unwrap();
    real.send_signed(&signed).await.unwrap();
    assert_eq!(refused(0, good).await, "Stale");
    let same = real.send_signed(&signed).await.unwrap_err();
    assert_eq!(same.error, "Stale");
    real.node.mine(4);
    assert_eq!(refused(1, good).await, "BadProof");
}

#[tokio::test]
async fn the_same_bytes_are_taken_once() {
    let Some(real) = Real::begin("same bytes", subnet()).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let call = set(&[0, 1], &[65_535, 1]);
    let signed = real.sign(&bob, &call).await;
    let first = real.chain.submit(&signed.extrinsic).await.unwrap();
    let again = real.send_signed(&signed).await.unwrap_err();
    assert_eq!(again.error, "AlreadyImported");
    let other = transaction::sign(
        &real.at().await,
        &set(&[0], &[65_535]),
        &bob,
        signed.nonce,
        Mortality {
            block: signed.born,
            hash: real.at().await.block_hash().0,
            period: 16,
        },
    );
    let replaced = real.send_signed(&other.unwrap()).await.unwrap_err();
    assert_eq!(replaced.error, "TooLowPriority");
    assert_eq!(real.node.waiting(), 1);
    real.node.mine(1);
    assert_eq!(real.row(0).await, [(0, 65_535), (1, 1)]);
    drop(first);
}

#[tokio::test]
async fn commits_are_refused_by_the_same_name() {
    let mut with_commits = subnet();
    with_commits.commit_reveal = true;
    let Some(real) = Real::begin("refused commits", with_commits).await else {
        return;
    };
    let commit = |n: u8| WeightCall::Commit {
        netuid: NETUID,
        mechanism: 0,
        hash: [n; 32],
    };
    let bob = hotkey(MEMBERS[0]);
    let same = async |who: &Hotkey, call: &WeightCall, error: Option<&str>| {
        assert_eq!(say(&real, who, call).await, Said::both(error));
    };
    let write = |item: &str, value: Vec<u8>| {
        let key = Key::subtensor(item).identity(NETUID).into_bytes();
        real.node.write(|storage| storage.set_raw(key, value));
    };
    let stranger = hotkey(STRANGER);
    same(&stranger, &commit(0), Some("HotKeyNotRegisteredInSubNet")).await;
    same(&bob, &commit(0), None).await;
    same(&bob, &commit(1), Some("CommittingWeightsTooFast")).await;
    write("WeightsSetRateLimit", vec![0; 8]);
    // In one epoch, so that none of them expires.
    write("Tempo", 1_000u16.to_le_bytes().to_vec());
    for n in 1..10 {
        same(&bob, &commit(n), None).await;
    }
    same(&bob, &commit(10), Some("TooManyUnrevealedCommits")).await;
    write("CommitRevealWeightsEnabled", vec![0]);
    same(&bob, &commit(11), Some("CommitRevealDisabled")).await;
}
