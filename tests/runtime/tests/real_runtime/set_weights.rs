//! From the weights of challenges to a row on chain.

use crate::support::{MEMBERS, Real, hotkey, set, subnet};
use proctor_host::chain::preflight::{first_refusal, passes_from, preflight};
use proctor_host::chain::{read, transaction};
use proctor_host::weights::{
    ChallengeWeights, Limits, Miner, NoMiner, Policy, Reported, SameMiner, Unassigned, aggregate,
    conform,
};
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test]
async fn what_challenges_pay_is_what_the_chain_then_has() {
    let Some(real) = Real::begin("aggregate to row", subnet()).await else {
        return;
    };
    let at = real.at().await;
    let metagraph = read::metagraph(&at, 1).await.unwrap();
    let asked = metagraph.hyperparameters().unwrap().clone();
    let limits = Limits {
        min_allowed_weights: asked.min_allowed_weights,
        max_weight_limit: asked.max_weight_limit,
    };
    let miners: BTreeMap<String, Miner> = metagraph
        .neurons()
        .map(|neuron| {
            let miner = Miner {
                uid: neuron.uid,
                ..Miner::default()
            };
            (neuron.hotkey.clone(), miner)
        })
        .collect();
    let address = |uid: usize| hotkey(MEMBERS[uid]).address().to_owned();
    let pays = |emission_percent, weights: &[(usize, f64)]| ChallengeWeights {
        emission_percent,
        reported: Reported::Weights(weights.iter().map(|(u, w)| (address(*u), *w)).collect()),
        repository_owners: BTreeMap::new(),
    };
    let challenges = BTreeMap::from([
        ("one".to_owned(), pays(60.0, &[(1, 3.0), (2, 1.0)])),
        ("two".to_owned(), pays(40.0, &[(2, 1.0)])),
    ]);
    let policy = Policy {
        unassigned: Unassigned::Redistribute,
        same_miner: SameMiner::default(),
        no_miner: NoMiner::default(),
        limits,
    };
    let vector = aggregate(&challenges, &miners, policy).unwrap().weights;
    let quantised = conform(&vector, limits, Some(0), &BTreeSet::new()).unwrap();

    let bob = hotkey(MEMBERS[0]);
    let call = set(&quantised.uids, &quantised.values);
    let state = real.state(&bob).await;
    assert!(first_refusal(&preflight(&state, &call)).is_none());
    real.send(&bob, &call).await.unwrap();

    // 0.6 · 3/4 to uid 1, and 0.6 · 1/4 + 0.4 to uid 2: 45 to 55.
    assert_eq!(real.row(0).await, [(1, 53_620), (2, 65_535)]);
    let updated = real.state(&bob).await;
    assert_eq!(updated.hotkey.last_update, updated.epoch.block);
}

#[tokio::test]
async fn weights_cost_nothing() {
    let Some(real) = Real::begin("fee", subnet()).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let signed = real.sign(&bob, &set(&[0], &[65_535])).await;
    assert_eq!(transaction::fee(&real.at().await, &signed).await, Ok(0));
}

#[tokio::test]
async fn what_comes_too_fast_passes_in_the_block_that_the_host_foretells() {
    let Some(real) = Real::begin("rate limit", subnet()).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    real.send(&bob, &set(&[1], &[65_535])).await.unwrap();
    let call = set(&[2], &[65_535]);
    let state = real.state(&bob).await;
    let checks = preflight(&state, &call);
    assert_eq!(
        first_refusal(&checks).unwrap().error,
        "SettingWeightsTooFast"
    );
    let from = passes_from(&state, &checks).unwrap();
    assert_eq!(from, state.epoch.block + 3);

    // A block too early it is refused, and then it is not.
    real.node.mine_to(u32::try_from(from - 2).unwrap());
    let early = real.send(&bob, &call).await.unwrap_err();
    assert!(early.is_rate_limit(), "{early}");
    assert_eq!(u64::from(real.node.number()), from - 1);
    real.send(&bob, &call).await.unwrap();
    assert_eq!(real.row(0).await, [(2, 65_535)]);
}
