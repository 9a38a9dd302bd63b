//! Every error is reached, and in the order of the chain.

use super::*;

const ACCOUNT: [u8; 32] = [7; 32];
const BLOCK: u64 = 1_000;

/// A subnet of 4 without commit-reveal, in which uid 1 may set weights in the next block.
fn state() -> ChainState {
    ChainState {
        spec_version: 425,
        netuid: 3,
        mechanism: 0,
        epoch: EpochState {
            block: BLOCK,
            tempo: 360,
            last_epoch_block: 900,
            pending_epoch_at: 0,
            epoch_index: 20,
            blocks_since_last_step: 100,
        },
        hyperparameters: Hyperparameters {
            tempo: 360,
            weights_rate_limit: 100,
            weights_version: 5,
            min_allowed_weights: 2,
            max_weight_limit: u16::MAX,
            commit_reveal_enabled: false,
            commit_reveal_period: 2,
            commit_reveal_version: Some(4),
            mechanism_count: 1,
            stake_threshold: 1_000,
        },
        neurons: 4,
        hotkey: HotkeyState {
            uid: Some(1),
            stake: 1_000,
            is_owner: false,
            permit: true,
            last_update: 901,
            unrevealed_commits: 0,
            timelocked_commits: 0,
        },
        drand_last_round: Some(5_000),
    }
}

fn with_commits() -> ChainState {
    let mut state = state();
    state.hyperparameters.commit_reveal_enabled = true;
    state
}

fn set(uids: &[u16], values: &[u16]) -> WeightCall {
    WeightCall::Set {
        netuid: 3,
        mechanism: 0,
        uids: uids.to_vec(),
        values: values.to_vec(),
        version_key: 5,
    }
}

fn good() -> WeightCall {
    set(&[0, 2], &[65_535, 100])
}

fn commit() -> WeightCall {
    WeightCall::Commit {
        netuid: 3,
        mechanism: 0,
        hash: [1; 32],
    }
}

fn timelocked() -> WeightCall {
    WeightCall::CommitTimelocked {
        netuid: 3,
        mechanism: 0,
        commit: vec![0; 300],
        reveal_round: 5_000,
        version: 4,
    }
}

fn reveal_call() -> WeightCall {
    WeightCall::Reveal {
        netuid: 3,
        mechanism: 0,
        uids: vec![0, 2],
        values: vec![65_535, 100],
        salt: vec![1, 2, 3],
        version_key: 5,
    }
}

/// The commit of [`reveal_call`] in this epoch.
fn committed(epoch: u64) -> HashCommit {
    let hash = commit_hash(&ACCOUNT, 3, &[0, 2], &[65_535, 100], &[1, 2, 3], 5);
    of_hash(hash, epoch)
}

/// The subnet's period is 2 epochs.
fn of_hash(hash: [u8; 32], epoch: u64) -> HashCommit {
    HashCommit {
        hash,
        block: 500,
        epoch,
        reveal_epoch: epoch + 2,
    }
}

fn refused(checks: &[Check]) -> Vec<&'static str> {
    let refused = checks.iter().filter(|check| check.is_refused());
    refused.map(|check| check.error).collect()
}

fn names(checks: &[Check]) -> Vec<&'static str> {
    checks.iter().map(|check| check.error).collect()
}

/// The only refusal, with the text of what is wrong.
fn only(checks: &[Check], error: &str) -> (By, String, Option<u64>) {
    assert_eq!(refused(checks), [error]);
    let check = first_refusal(checks).unwrap();
    match &check.verdict {
        Verdict::Refused {
            what,
            todo,
            from_block,
        } => {
            assert!(!todo.contains("does not know the error"), "{error}: {todo}");
            (check.by, what.clone(), *from_block)
        }
        verdict => panic!("{verdict:?}"),
    }
}

/// What is wrong, if that is the only thing with this call in a state that is changed.
fn fault(call: &WeightCall, error: &str, change: impl FnOnce(&mut ChainState)) -> String {
    let mut state = match call {
        WeightCall::Set { .. } => state(),
        _ => with_commits(),
    };
    change(&mut state);
    only(&preflight(&state, call), error).1
}

fn verdict<'a>(checks: &'a [Check], error: &str) -> &'a Verdict {
    &checks.iter().find(|c| c.error == error).unwrap().verdict
}

#[test]
fn what_the_chain_takes_passes() {
    let mut all = vec![preflight(&state(), &good())];
    let state = with_commits();
    for call in [commit(), timelocked()] {
        all.push(preflight(&state, &call));
        all.push(preflight_commit(&state, &call, &[0, 2], &[65_535, 100], 5));
    }
    all.push(preflight_reveal(
        &state,
        &reveal_call(),
        &ACCOUNT,
        &[committed(18)],
    ));
    for checks in all {
        assert_eq!(refused(&checks), [""; 0]);
        assert_eq!(passes_from(&state, &checks), Some(BLOCK + 1));
    }
}

#[test]
fn the_checks_of_set_weights_are_those_of_the_chain_in_its_order() {
    let order = [
        "CommitRevealEnabled",
        "CanNotSetRootNetworkWeights",
        "WeightVecNotEqualSize",
        "MechanismDoesNotExist",
        "UidsLengthExceedUidsInSubNet",
        "HotKeyNotRegisteredInSubNet",
        "NotEnoughStakeToSetWeights",
        "IncorrectWeightVersionKey",
        "SettingWeightsTooFast",
        "NeuronNoValidatorPermit",
        "DuplicateUids",
        "UidVecContainInvalidOne",
        "WeightVecLengthIsLow",
        "MaxWeightExceeded",
        "AllWeightsZero",
    ];
    assert_eq!(names(&preflight(&state(), &good())), order);
}

#[test]
fn what_violates_everything_is_refused_in_the_order_of_the_chain() {
    let mut all = state();
    all.hyperparameters.commit_reveal_enabled = true;
    all.hyperparameters.min_allowed_weights = 9;
    all.hyperparameters.max_weight_limit = 1;
    all.hotkey.uid = None;
    all.hotkey.stake = 999;
    let call = WeightCall::Set {
        netuid: 0,
        mechanism: 1,
        uids: vec![9, 9, 0, 1, 2],
        values: vec![1, 0, 0],
        version_key: 4,
    };
    let expected = [
        "CommitRevealEnabled",
        "CanNotSetRootNetworkWeights",
        "WeightVecNotEqualSize",
        "MechanismDoesNotExist",
        "UidsLengthExceedUidsInSubNet",
        "HotKeyNotRegisteredInSubNet",
        "NotEnoughStakeToSetWeights",
        "IncorrectWeightVersionKey",
        "DuplicateUids",
        "UidVecContainInvalidOne",
        "WeightVecLengthIsLow",
        "MaxWeightExceeded",
    ];
    let checks = preflight(&all, &call);
    assert_eq!(refused(&checks), expected);
    assert_eq!(first_refusal(&checks).unwrap().error, "CommitRevealEnabled");
    assert_eq!(passes_from(&all, &checks), None);

    // Registered, and without commit-reveal: the two checks that were not asked.
    all.hotkey.uid = Some(1);
    all.hotkey.permit = false;
    all.hyperparameters.commit_reveal_enabled = false;
    all.hotkey.last_update = BLOCK;
    let checks = preflight(&all, &call);
    let expected = [
        "CanNotSetRootNetworkWeights",
        "WeightVecNotEqualSize",
        "MechanismDoesNotExist",
        "UidsLengthExceedUidsInSubNet",
        "NotEnoughStakeToSetWeights",
        "IncorrectWeightVersionKey",
        "SettingWeightsTooFast",
        "NeuronNoValidatorPermit",
        "DuplicateUids",
        "UidVecContainInvalidOne",
        "WeightVecLengthIsLow",
        "MaxWeightExceeded",
    ];
    assert_eq!(refused(&checks), expected);
}

#[test]
fn each_error_of_set_weights_is_reached_alone_and_told_in_numbers() {
    type Case = (&'static str, WeightCall, fn(&mut ChainState), &'static str);
    let cases: [Case; 10] = [
        (
            "CommitRevealEnabled",
            good(),
            |s| s.hyperparameters.commit_reveal_enabled = true,
            "commit-reveal is on in subnet 3, and this call sets weights openly",
        ),
        (
            "WeightVecNotEqualSize",
            set(&[0, 2], &[1, 2, 3]),
            |_| (),
            "there are 2 uids and 3 values",
        ),
        (
            "HotKeyNotRegisteredInSubNet",
            good(),
            |s| s.hotkey.uid = None,
            "the hotkey is not registered on subnet 3",
        ),
        (
            "NotEnoughStakeToSetWeights",
            good(),
            |s| s.hotkey.stake = 999,
            "the hotkey has 999 rao of stake weight, 1 less than the 1000 asked for",
        ),
        (
            "IncorrectWeightVersionKey",
            good(),
            |s| s.hyperparameters.weights_version = 6,
            "the version key is 5, and the subnet asks for 6 or more",
        ),
        (
            "NeuronNoValidatorPermit",
            good(),
            |s| s.hotkey.permit = false,
            "uid 1 has no validator permit",
        ),
        (
            "DuplicateUids",
            set(&[2, 0, 2], &[1, 2, 3]),
            |_| (),
            "1 uids are there again, such as 2",
        ),
        (
            "UidVecContainInvalidOne",
            set(&[0, 5, 4], &[1, 2, 3]),
            |_| (),
            "2 uids are not registered, such as 4; there are 4",
        ),
        (
            "WeightVecLengthIsLow",
            good(),
            |s| s.hyperparameters.min_allowed_weights = 1_024,
            "there are 2 weights, 2 less than the 4 asked for (the least of 1024 and the 4 that are registered)",
        ),
        (
            "MaxWeightExceeded",
            set(&[0, 2], &[65_535, 21_845]),
            |s| s.hyperparameters.max_weight_limit = 32_767,
            "one weight is 75.00 % of the sum, and 50.00 % is allowed",
        ),
    ];
    for (error, call, change, expected) in cases {
        assert_eq!(fault(&call, error, change), expected);
    }
    let zeros = fault(&set(&[0, 2], &[0, 0]), "AllWeightsZero", |_| ());
    assert_eq!(zeros, "all of the 2 weights are 0");
}

#[test]
fn more_uids_than_are_registered_are_refused_before_it_is_asked_which_they_are() {
    let checks = preflight(&state(), &set(&[0, 1, 2, 3, 3], &[5, 4, 3, 2, 1]));
    assert_eq!(
        refused(&checks),
        ["UidsLengthExceedUidsInSubNet", "DuplicateUids"]
    );
}

#[test]
fn the_root_takes_no_weights() {
    let call = WeightCall::Set {
        netuid: 0,
        mechanism: 0,
        uids: vec![0, 2],
        values: vec![1, 2],
        version_key: 5,
    };
    let what = fault(&call, "CanNotSetRootNetworkWeights", |_| ());
    assert_eq!(what, "this call is for subnet 0, the root");
}

#[test]
fn a_mechanism_or_a_subnet_that_is_not_there_is_refused() {
    let call = WeightCall::Set {
        netuid: 3,
        mechanism: 1,
        uids: vec![0, 2],
        values: vec![1, 2],
        version_key: 5,
    };
    let what = fault(&call, "MechanismDoesNotExist", |_| ());
    assert!(
        what.starts_with("subnet 3 has 1 mechanisms, 0 to 0"),
        "{what}"
    );
    let mut two = state();
    two.hyperparameters.mechanism_count = 2;
    assert_eq!(refused(&preflight(&two, &call)), [""; 0]);

    let mut nobody = state();
    nobody.neurons = 0;
    let first = preflight(&nobody, &good());
    assert_eq!(
        first_refusal(&first).unwrap().error,
        "MechanismDoesNotExist"
    );
}

#[test]
fn the_rate_limit_tells_the_first_block_that_passes() {
    // The next block, 1001, is 100 blocks after 901.
    for (last_update, from) in [(902, 1_002), (BLOCK, 1_100)] {
        let mut state = state();
        state.hotkey.last_update = last_update;
        let checks = preflight(&state, &good());
        let (by, what, from_block) = only(&checks, "SettingWeightsTooFast");
        assert_eq!((by, from_block), (By::Pool, Some(from)));
        assert!(
            what.contains(&format!("block {from} is the first")),
            "{what}"
        );
        assert_eq!(passes_from(&state, &checks), Some(from));
        assert!(first_refusal(&checks).unwrap().is_rate_limit());

        state.epoch.block = from - 1;
        assert_eq!(refused(&preflight(&state, &good())), [""; 0]);
        state.epoch.block = from - 2;
        assert_eq!(
            refused(&preflight(&state, &good())),
            ["SettingWeightsTooFast"]
        );
    }
    let mut never = state();
    never.hotkey.last_update = 0;
    never.hyperparameters.weights_rate_limit = u64::MAX;
    assert_eq!(refused(&preflight(&never, &good())), [""; 0]);
}

#[test]
fn the_rate_limit_of_commits_has_its_own_error() {
    for (call, stage) in [(commit(), By::Pool), (timelocked(), By::Call)] {
        let mut state = with_commits();
        state.hotkey.last_update = BLOCK;
        let (by, _, from) = only(&preflight(&state, &call), "CommittingWeightsTooFast");
        assert_eq!((by, from), (stage, Some(1_100)));
    }
    // A reveal is not limited.
    let mut state = with_commits();
    state.hotkey.last_update = BLOCK;
    let checks = preflight_reveal(&state, &reveal_call(), &ACCOUNT, &[committed(18)]);
    assert_eq!(refused(&checks), [""; 0]);
    assert_eq!(
        *verdict(&checks, "SettingWeightsTooFast"),
        Verdict::NotAsked
    );
}

#[test]
fn a_hotkey_that_is_not_registered_has_no_rate_limit_and_no_permit() {
    let mut state = state();
    state.hotkey = HotkeyState {
        stake: 1_000,
        last_update: BLOCK,
        ..HotkeyState::default()
    };
    let checks = preflight(&state, &good());
    assert_eq!(refused(&checks), ["HotKeyNotRegisteredInSubNet"]);
    for error in ["SettingWeightsTooFast", "NeuronNoValidatorPermit"] {
        assert_eq!(*verdict(&checks, error), Verdict::NotAsked);
    }
}

#[test]
fn the_owner_needs_neither_stake_nor_permit_while_it_is_registered() {
    let mut state = state();
    state.hotkey.is_owner = true;
    state.hotkey.stake = 0;
    state.hotkey.permit = false;
    assert_eq!(refused(&preflight(&state, &good())), [""; 0]);
    state.hotkey.uid = None;
    let missing = ["HotKeyNotRegisteredInSubNet", "NotEnoughStakeToSetWeights"];
    assert_eq!(refused(&preflight(&state, &good())), missing);
}

#[test]
fn one_weight_for_itself_needs_no_permit_and_no_company() {
    let mut state = state();
    state.hotkey.permit = false;
    state.hyperparameters.max_weight_limit = 100;
    assert_eq!(refused(&preflight(&state, &set(&[1], &[65_535]))), [""; 0]);
    let others = [
        "NeuronNoValidatorPermit",
        "WeightVecLengthIsLow",
        "MaxWeightExceeded",
    ];
    assert_eq!(refused(&preflight(&state, &set(&[2], &[65_535]))), others);
    let with_another = preflight(&state, &set(&[1, 2], &[65_535, 1]));
    assert_eq!(refused(&with_another), [others[0], others[2]]);
    // uid 0 must not pass for the hotkey of nobody.
    state.hotkey.uid = None;
    let nobody = preflight(&state, &set(&[], &[65_535]));
    assert!(refused(&nobody).contains(&"WeightVecLengthIsLow"));
}

#[test]
fn any_version_key_passes_where_the_subnet_asks_for_none() {
    let mut state = state();
    state.hyperparameters.weights_version = 0;
    let call = WeightCall::Set {
        netuid: 3,
        mechanism: 0,
        uids: vec![0, 2],
        values: vec![1, 2],
        version_key: 0,
    };
    assert_eq!(refused(&preflight(&state, &call)), [""; 0]);
}

#[test]
fn half_of_the_sum_passes_a_limit_of_half() {
    // 32767/65535 is a little less than a half, 32768/65535 a little more.
    for (limit, expected) in [(32_767, &["MaxWeightExceeded"][..]), (32_768, &[])] {
        let mut state = state();
        state.hyperparameters.max_weight_limit = limit;
        let checks = preflight(&state, &set(&[0, 2], &[65_535, 65_535]));
        assert_eq!(refused(&checks), expected);
    }
}

#[test]
fn the_checks_of_a_hash_commit_are_in_the_order_of_the_chain() {
    let mut all = state();
    all.hotkey.stake = 0;
    all.hotkey.unrevealed_commits = 10;
    let call = WeightCall::Commit {
        netuid: 3,
        mechanism: 1,
        hash: [0; 32],
    };
    let order = [
        "NotEnoughStakeToSetWeights",
        "MechanismDoesNotExist",
        "CommitRevealDisabled",
        "HotKeyNotRegisteredInSubNet",
        "CommittingWeightsTooFast",
        "TooManyUnrevealedCommits",
    ];
    assert_eq!(names(&preflight(&all, &call)), order);
    all.hotkey.last_update = BLOCK;
    let mut expected = order.to_vec();
    expected.retain(|error| *error != "HotKeyNotRegisteredInSubNet");
    assert_eq!(refused(&preflight(&all, &call)), expected);
    all.hotkey.uid = None;
    let mut expected = order.to_vec();
    expected.retain(|error| *error != "CommittingWeightsTooFast");
    assert_eq!(refused(&preflight(&all, &call)), expected);
}

#[test]
fn the_checks_of_a_timelocked_commit_are_in_the_order_of_the_chain() {
    let mut all = state();
    all.hotkey.stake = 0;
    all.hotkey.timelocked_commits = 10;
    all.hotkey.last_update = BLOCK;
    all.hyperparameters.commit_reveal_version = Some(5);
    let call = WeightCall::CommitTimelocked {
        netuid: 3,
        mechanism: 1,
        commit: vec![0; 5_001],
        reveal_round: 4_999,
        version: 4,
    };
    let order = [
        "CommitTooLong",
        "NotEnoughStakeToSetWeights",
        "InvalidRevealRound",
        "MechanismDoesNotExist",
        "CommitRevealDisabled",
        "IncorrectCommitRevealVersion",
        "HotKeyNotRegisteredInSubNet",
        "CommittingWeightsTooFast",
        "TooManyUnrevealedCommits",
    ];
    assert_eq!(names(&preflight(&all, &call)), order);
    let mut expected = order.to_vec();
    expected.retain(|error| *error != "HotKeyNotRegisteredInSubNet");
    assert_eq!(refused(&preflight(&all, &call)), expected);
}

#[test]
fn each_error_of_a_commit_is_reached_alone() {
    for call in [commit(), timelocked()] {
        let error = "CommitRevealDisabled";
        let off = |s: &mut ChainState| s.hyperparameters.commit_reveal_enabled = false;
        assert_eq!(fault(&call, error, off), "commit-reveal is off in subnet 3");
        fault(&call, "HotKeyNotRegisteredInSubNet", |s| {
            s.hotkey.uid = None
        });
        fault(&call, "NotEnoughStakeToSetWeights", |s| s.hotkey.stake = 0);
        fault(&call, "MechanismDoesNotExist", |s| {
            s.hyperparameters.mechanism_count = 0
        });
    }
    let many = |s: &mut ChainState| s.hotkey.unrevealed_commits = 10;
    let what = fault(&commit(), "TooManyUnrevealedCommits", many);
    assert_eq!(what, "10 commits wait for their reveal, and 10 may");
    let late = |s: &mut ChainState| s.drand_last_round = Some(5_001);
    let what = fault(&timelocked(), "InvalidRevealRound", late);
    assert_eq!(
        what,
        "round 5000 of drand is 1 before round 5001, which the chain has"
    );
}

#[test]
fn the_tenth_timelocked_commit_of_an_epoch_is_the_last() {
    let mut state = with_commits();
    state.hotkey.timelocked_commits = 9;
    assert_eq!(refused(&preflight(&state, &timelocked())), [""; 0]);
    state.hotkey.timelocked_commits = 10;
    let checks = preflight(&state, &timelocked());
    let (_, _, from) = only(&checks, "TooManyUnrevealedCommits");
    assert_eq!(from, Some(1_260));
    // Block 1260 is in the next epoch, of which these are.
    state.epoch.block = 1_259;
    let checks = preflight(&state, &timelocked());
    let (_, _, from) = only(&checks, "TooManyUnrevealedCommits");
    assert_eq!(from, Some(1_620));
    // Hash commits and timelocked ones are not counted together.
    assert_eq!(refused(&preflight(&state, &commit())), [""; 0]);
}

#[test]
fn only_the_timelock_version_that_chain_and_host_know_passes() {
    const ERROR: &str = "IncorrectCommitRevealVersion";
    let absent = |s: &mut ChainState| s.hyperparameters.commit_reveal_version = None;
    let what = fault(&timelocked(), ERROR, absent);
    assert_eq!(
        what,
        "the runtime, spec version 425, knows no timelocked commits"
    );
    let newer = |s: &mut ChainState| s.hyperparameters.commit_reveal_version = Some(5);
    let what = fault(&timelocked(), ERROR, newer);
    assert_eq!(
        what,
        "the chain takes commits of version 5, and this one is of version 4"
    );
    let WeightCall::CommitTimelocked { commit, .. } = timelocked() else {
        panic!();
    };
    let relabelled = WeightCall::CommitTimelocked {
        netuid: 3,
        mechanism: 0,
        commit,
        reveal_round: 5_000,
        version: 5,
    };
    let what = fault(&relabelled, ERROR, newer);
    assert_eq!(
        what,
        "the commit says version 5, and this host makes version 4"
    );
}

#[test]
fn a_commit_of_5000_bytes_is_the_longest() {
    for (bytes, expected) in [(5_000, &[][..]), (5_001, &["CommitTooLong"])] {
        let call = WeightCall::CommitTimelocked {
            netuid: 3,
            mechanism: 0,
            commit: vec![0; bytes],
            reveal_round: 5_000,
            version: 4,
        };
        assert_eq!(refused(&preflight(&with_commits(), &call)), expected);
    }
}

#[test]
fn a_runtime_without_drand_does_not_ask_for_the_round() {
    let mut state = with_commits();
    state.drand_last_round = None;
    let checks = preflight(&state, &timelocked());
    assert_eq!(*verdict(&checks, "InvalidRevealRound"), Verdict::NotAsked);
}

#[test]
fn what_is_inside_a_commit_is_checked_as_at_its_reveal() {
    type Case = (&'static str, &'static [u16], &'static [u16], u64);
    let cases: [Case; 7] = [
        ("WeightVecNotEqualSize", &[0, 2], &[1, 2, 3], 5),
        ("IncorrectWeightVersionKey", &[0, 2], &[1, 2], 4),
        ("DuplicateUids", &[2, 2], &[1, 2], 5),
        ("UidVecContainInvalidOne", &[0, 4], &[1, 2], 5),
        ("WeightVecLengthIsLow", &[0], &[1], 5),
        ("AllWeightsZero", &[0, 2], &[0, 0], 5),
        ("MaxWeightExceeded", &[0, 2], &[3, 1], 5),
    ];
    for call in [commit(), timelocked()] {
        for (error, uids, values, key) in cases {
            let mut state = with_commits();
            if error == "MaxWeightExceeded" {
                state.hyperparameters.max_weight_limit = 40_000;
            }
            assert_eq!(refused(&preflight(&state, &call)), [""; 0]);
            let checks = preflight_commit(&state, &call, uids, values, key);
            let (by, ..) = only(&checks, error);
            let expected = if error == "AllWeightsZero" {
                By::Host
            } else {
                By::Reveal
            };
            assert_eq!(by, expected, "{error}");
        }
        let mut state = with_commits();
        state.hotkey.permit = false;
        let checks = preflight_commit(&state, &call, &[0, 2], &[1, 2], 5);
        only(&checks, "NeuronNoValidatorPermit");

        // What the commit itself is refused for comes first, and once.
        state.hotkey.stake = 0;
        let checks = preflight_commit(&state, &call, &[2, 2], &[1, 2], 5);
        let expected = [
            "NotEnoughStakeToSetWeights",
            "NeuronNoValidatorPermit",
            "DuplicateUids",
        ];
        assert_eq!(refused(&checks), expected);
    }
}

#[test]
fn a_reveal_is_for_one_epoch_and_one_commit() {
    let state = with_commits();
    let reveal =
        |commits: &[HashCommit]| preflight_reveal(&state, &reveal_call(), &ACCOUNT, commits);
    let other = |epoch| of_hash([9; 32], epoch);
    assert_eq!(refused(&reveal(&[other(18), committed(18)])), [""; 0]);
    only(&reveal(&[]), "NoWeightsCommitFound");
    only(&reveal(&[other(17)]), "NoWeightsCommitFound");
    let (_, what, _) = only(&reveal(&[committed(17)]), "ExpiredWeightCommit");
    assert_eq!(what, "it could be revealed in epoch 19, and this is 20");
    only(&reveal(&[committed(17), other(18)]), "ExpiredWeightCommit");
    only(&reveal(&[other(18)]), "InvalidRevealCommitHashNotMatch");
    // The next epoch begins in block 1260, and the one after it in block 1620.
    let (_, _, from) = only(&reveal(&[committed(19)]), "RevealTooEarly");
    assert_eq!(from, Some(1_260));
    let (_, _, from) = only(&reveal(&[committed(20)]), "RevealTooEarly");
    assert_eq!(from, Some(1_620));
}

#[test]
fn a_reveal_is_judged_by_the_epoch_of_the_next_block() {
    // Block 1260 is the first of epoch 21.
    let mut state = with_commits();
    state.epoch.block = 1_259;
    let reveal =
        |commits: &[HashCommit]| preflight_reveal(&state, &reveal_call(), &ACCOUNT, commits);
    only(&reveal(&[committed(18)]), "ExpiredWeightCommit");
    assert_eq!(refused(&reveal(&[committed(19)])), [""; 0]);
    let (_, _, from) = only(&reveal(&[committed(20)]), "RevealTooEarly");
    assert_eq!(from, Some(1_620));
}

#[test]
fn a_reveal_of_something_else_than_was_committed_does_not_match() {
    let state = with_commits();
    let WeightCall::Reveal { uids, values, .. } = reveal_call() else {
        panic!();
    };
    let call = |salt: Vec<u16>, version_key, mechanism| WeightCall::Reveal {
        netuid: 3,
        mechanism,
        uids: uids.clone(),
        values: values.clone(),
        salt,
        version_key,
    };
    let other = [8; 32];
    let mut two = with_commits();
    two.hyperparameters.mechanism_count = 2;
    for (state, account, call) in [
        (&state, &ACCOUNT, call(vec![1, 2], 5, 0)),
        (&state, &ACCOUNT, call(vec![1, 2, 3], 6, 0)),
        (&two, &ACCOUNT, call(vec![1, 2, 3], 5, 1)),
        (&state, &other, call(vec![1, 2, 3], 5, 0)),
    ] {
        let checks = preflight_reveal(state, &call, account, &[committed(18)]);
        only(&checks, "InvalidRevealCommitHashNotMatch");
    }
}

#[test]
fn the_checks_of_a_reveal_are_in_the_order_of_the_call() {
    let mut all = state();
    all.hotkey.stake = 0;
    all.hotkey.permit = false;
    all.hyperparameters.weights_version = 6;
    let checks = preflight_reveal(&all, &reveal_call(), &ACCOUNT, &[]);
    let expected = [
        "NotEnoughStakeToSetWeights",
        "CommitRevealDisabled",
        "NoWeightsCommitFound",
        "IncorrectWeightVersionKey",
        "NeuronNoValidatorPermit",
    ];
    assert_eq!(refused(&checks), expected);
    // Without the commits of the chain it is only known whether there are any.
    only(
        &preflight(&with_commits(), &reveal_call()),
        "NoWeightsCommitFound",
    );
    let mut some = with_commits();
    some.hotkey.unrevealed_commits = 1;
    assert_eq!(refused(&preflight(&some, &reveal_call())), [""; 0]);
}

#[test]
fn a_check_is_flat_in_json() {
    let mut state = state();
    state.hotkey.permit = false;
    let checks = preflight(&state, &good());
    let json = serde_json::to_value(first_refusal(&checks)).unwrap();
    assert_eq!(json["error"], "NeuronNoValidatorPermit");
    assert_eq!(json["by"], "call");
    assert_eq!(json["verdict"], "refused");
    assert_eq!(json["what"], "uid 1 has no validator permit");
    assert_eq!(json["from_block"], serde_json::Value::Null);
    let passed = serde_json::to_value(&checks[0]).unwrap();
    let expected = r#"{"error":"CommitRevealEnabled","by":"call","verdict":"passed"}"#;
    assert_eq!(
        passed,
        serde_json::from_str::<serde_json::Value>(expected).unwrap()
    );
}
