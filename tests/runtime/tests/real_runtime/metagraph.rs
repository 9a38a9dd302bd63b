//! The metagraph is what was registered.

use crate::support::{BEGINS, MEMBERS, NETUID, RAO, Real, TEMPO, hotkey, set, subnet};
use proctor_host::chain::{Hyperparameters, read};
use proctor_runtime_tests::Key;

#[tokio::test]
async fn the_metagraph_is_read_from_storage_as_it_was_set() {
    let mut strict = subnet();
    strict.rate_limit = 7;
    strict.min_allowed_weights = 2;
    strict.commit_reveal = true;
    let Some(real) = Real::begin("metagraph", strict).await else {
        return;
    };
    // The runtime leaves such lists shorter than there are members.
    let permits = Key::subtensor("ValidatorPermit").identity(NETUID);
    real.node
        .write(|storage| storage.set(permits, vec![true, false]));
    let metagraph = read::metagraph(&real.at().await, NETUID).await.unwrap();
    assert_eq!(metagraph.netuid(), NETUID);
    assert_eq!(metagraph.block(), u64::from(BEGINS));
    assert_eq!(metagraph.neurons().len(), MEMBERS.len());
    for (uid, uri) in (0..).zip(MEMBERS) {
        let neuron = metagraph.by_uid(uid).unwrap();
        assert_eq!(neuron.hotkey, hotkey(uri).address());
        assert_eq!(neuron.coldkey, hotkey("//Alice").address());
        assert_eq!(neuron.validator_permit, uid == 0, "{uri}");
        assert_eq!(neuron.registered_at, Some(0));
        assert_eq!(neuron.last_update, Some(0));
        let alpha = f64::from((4 - uid) * 1_000);
        let earned = neuron.alpha_stake.unwrap() - alpha;
        assert!((0.0..100.0).contains(&earned), "{uri} has earned {earned}");
        assert_eq!(neuron.tao_stake, Some(0.0));
    }
    assert_eq!(
        metagraph.hyperparameters(),
        Some(&Hyperparameters {
            tempo: TEMPO,
            weights_rate_limit: 7,
            weights_version: 0,
            min_allowed_weights: 2,
            max_weight_limit: u16::MAX,
            commit_reveal_enabled: true,
            commit_reveal_period: 1,
            commit_reveal_version: None,
            mechanism_count: 1,
            stake_threshold: 0,
        })
    );
}

#[tokio::test]
async fn it_follows_the_chain() {
    let Some(real) = Real::begin("metagraph that changes", subnet()).await else {
        return;
    };
    let before = real.at().await;
    let charlie = hotkey(MEMBERS[1]);
    real.send(&charlie, &set(&[0], &[65_535])).await.unwrap();
    let after = read::metagraph(&real.at().await, NETUID).await.unwrap();
    assert_eq!(after.by_uid(1).unwrap().last_update, Some(after.block()));
    // A block stays what it was.
    let before = read::metagraph(&before, NETUID).await.unwrap();
    assert_eq!(before.by_uid(1).unwrap().last_update, Some(0));
}

#[tokio::test]
async fn stake_is_what_the_chain_compares_with_its_threshold() {
    let Some(real) = Real::begin("stake", subnet()).await else {
        return;
    };
    let state = real.state(&hotkey(MEMBERS[3])).await;
    // What was set, and what the epochs until now have added.
    assert!((1_000..1_100).contains(&(state.hotkey.stake / RAO)));
    assert_eq!(state.hotkey.uid, Some(3));
    assert!(state.hotkey.permit && !state.hotkey.is_owner);
}
