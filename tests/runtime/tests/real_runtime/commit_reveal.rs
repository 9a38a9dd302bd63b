//! Weights that are committed to, and shown an epoch later.

use crate::support::{MEMBERS, NETUID, Real, STRANGER, hotkey, subnet};
use proctor_host::chain::Hotkey;
use proctor_host::chain::call::{WeightCall, storage_index};
use proctor_host::chain::commit_hash::commit_hash;
use proctor_host::chain::preflight::{first_refusal, passes_from, preflight_reveal};
use proctor_host::chain::read::{self, HashCommit};
use proctor_host::chain::rejection::Rejection;
use proctor_runtime_tests::Key;

const UIDS: [u16; 3] = [0, 1, 2];
const VALUES: [u16; 3] = [65_535, 100, 7];
const SALT: [u16; 8] = [4, 8, 15, 16, 23, 42, 1_000, 65_535];
const VERSION_KEY: u64 = 3;

fn commit(who: &Hotkey) -> WeightCall {
    let index = storage_index(NETUID, 0);
    let hash = commit_hash(&who.public_key(), index, &UIDS, &VALUES, &SALT, VERSION_KEY);
    WeightCall::Commit {
        netuid: NETUID,
        mechanism: 0,
        hash,
    }
}

fn reveal(salt: &[u16]) -> WeightCall {
    WeightCall::Reveal {
        netuid: NETUID,
        mechanism: 0,
        uids: UIDS.to_vec(),
        values: VALUES.to_vec(),
        salt: salt.to_vec(),
        version_key: VERSION_KEY,
    }
}

/// A chain on which commits are revealed, and Bob has committed; in `period` epochs.
async fn committed(test: &str, period: u64) -> Option<Real> {
    let mut with_commits = subnet();
    with_commits.commit_reveal = true;
    let real = Real::begin(test, with_commits).await?;
    let key = Key::subtensor("RevealPeriodEpochs").twox_64_concat(NETUID);
    real.node.write(|storage| storage.set(key, period));
    let bob = hotkey(MEMBERS[0]);
    real.send(&bob, &commit(&bob)).await.unwrap();
    assert_eq!(real.row(0).await, []);
    Some(real)
}

/// Reveals, and says what the chain says. The host must have said so before.
async fn try_reveal(real: &Real, who: &Hotkey, call: &WeightCall) -> Result<(), Rejection> {
    let account = who.public_key();
    let state = real.state(who).await;
    let commits = commits_of(real, &account).await;
    let checks = preflight_reveal(&state, call, &account, &commits);
    let said = first_refusal(&checks).map(|check| check.error.to_owned());
    let outcome = real.send(who, call).await;
    let by_chain = outcome
        .as_ref()
        .err()
        .map(|rejection| rejection.error.clone());
    assert_eq!(by_chain, said, "in block {}", real.node.number());
    outcome
}

async fn commits_of(real: &Real, account: &[u8; 32]) -> Vec<HashCommit> {
    let at = real.at().await;
    read::hash_commits(&at, NETUID, 0, account).await.unwrap()
}

fn name(outcome: Result<(), Rejection>) -> Option<String> {
    outcome.err().map(|rejection| rejection.error)
}

/// The blocks, both included, in which the runtime lets Bob reveal.
async fn window(real: &Real) -> (u32, u32) {
    let account = hotkey(MEMBERS[0]).public_key();
    let key = Key::subtensor("WeightCommits")
        .twox_64_concat(NETUID)
        .twox_64_concat(account);
    let commits = real.node.read(key).unwrap();
    let number = |at: usize| u64::from_le_bytes(commits[at..at + 8].try_into().unwrap());
    // One commit: a length, the hash, and three numbers.
    (
        u32::try_from(number(41)).unwrap(),
        u32::try_from(number(49)).unwrap(),
    )
}

#[tokio::test]
async fn a_commit_is_revealed_in_its_epoch_and_the_weights_are_set() {
    let Some(real) = committed("commit and reveal", 1).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let (first, last) = window(&real).await;
    let state = real.state(&bob).await;
    assert_eq!(state.hotkey.unrevealed_commits, 1);
    let updated = state.hotkey.last_update;
    for block in [real.node.number() + 1, first - 1] {
        real.node.mine_to(block - 1);
        let early = try_reveal(&real, &bob, &reveal(&SALT)).await;
        assert_eq!(name(early).as_deref(), Some("RevealTooEarly"), "{block}");
    }
    try_reveal(&real, &bob, &reveal(&SALT)).await.unwrap();
    assert_eq!(real.node.number(), first);
    assert!(first < last);
    assert_eq!(real.row(0).await, [(0, 65_535), (1, 100), (2, 7)]);
    let state = real.state(&bob).await;
    assert_eq!(state.hotkey.unrevealed_commits, 0);
    // The commit was the update, not the reveal.
    assert_eq!(state.hotkey.last_update, updated);
    let again = try_reveal(&real, &bob, &reveal(&SALT)).await;
    assert_eq!(name(again).as_deref(), Some("NoWeightsCommitFound"));
}

#[tokio::test]
async fn the_last_block_of_the_epoch_reveals_and_the_next_one_does_not() {
    for (late, error) in [(0, None), (1, Some("ExpiredWeightCommit"))] {
        let Some(real) = committed("the end of an epoch", 1).await else {
            return;
        };
        let bob = hotkey(MEMBERS[0]);
        let (_, last) = window(&real).await;
        real.node.mine_to(last + late - 1);
        let outcome = try_reveal(&real, &bob, &reveal(&SALT)).await;
        assert_eq!(name(outcome).as_deref(), error);
    }
}

#[tokio::test]
async fn a_reveal_that_is_too_early_passes_in_the_block_that_the_host_foretells() {
    for period in [1, 3] {
        let Some(real) = committed("foretold", period).await else {
            return;
        };
        let bob = hotkey(MEMBERS[0]);
        let account = bob.public_key();
        let state = real.state(&bob).await;
        let commits = commits_of(&real, &account).await;
        let checks = preflight_reveal(&state, &reveal(&SALT), &account, &commits);
        let from = passes_from(&state, &checks).unwrap();
        assert_eq!(from, u64::from(window(&real).await.0), "{period}");
        real.node.mine_to(u32::try_from(from).unwrap() - 1);
        try_reveal(&real, &bob, &reveal(&SALT)).await.unwrap();
    }
}

#[tokio::test]
async fn another_salt_is_another_hash() {
    let Some(real) = committed("wrong hash", 1).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let (first, _) = window(&real).await;
    real.node.mine_to(first);
    let wrong = try_reveal(&real, &bob, &reveal(&[1])).await;
    assert_eq!(
        name(wrong).as_deref(),
        Some("InvalidRevealCommitHashNotMatch")
    );
    assert_eq!(real.row(0).await, []);
    // It is not lost by that.
    try_reveal(&real, &bob, &reveal(&SALT)).await.unwrap();
}

#[tokio::test]
async fn a_reveal_without_a_commit_is_refused() {
    let Some(real) = committed("no commit", 1).await else {
        return;
    };
    for who in [MEMBERS[1], STRANGER] {
        let outcome = try_reveal(&real, &hotkey(who), &reveal(&SALT)).await;
        assert_eq!(
            name(outcome).as_deref(),
            Some("NoWeightsCommitFound"),
            "{who}"
        );
    }
    let key = Key::subtensor("CommitRevealWeightsEnabled").identity(NETUID);
    real.node.write(|storage| storage.set(key, false));
    let outcome = try_reveal(&real, &hotkey(MEMBERS[0]), &reveal(&SALT)).await;
    assert_eq!(name(outcome).as_deref(), Some("CommitRevealDisabled"));
}

#[tokio::test]
async fn what_is_revealed_is_checked_like_weights_that_are_set() {
    let Some(real) = committed("checks of a reveal", 1).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let (first, _) = window(&real).await;
    real.node.mine_to(first - 1);
    let of = |item: &str| Key::subtensor(item).identity(NETUID);
    real.node
        .write(|storage| storage.set(of("WeightsVersionKey"), 9u64));
    let outcome = try_reveal(&real, &bob, &reveal(&SALT)).await;
    assert_eq!(name(outcome).as_deref(), Some("IncorrectWeightVersionKey"));
    real.node.write(|storage| {
        storage.set(of("WeightsVersionKey"), 0u64);
        storage.set(of("MinAllowedWeights"), 4u16);
    });
    let outcome = try_reveal(&real, &bob, &reveal(&SALT)).await;
    assert_eq!(name(outcome).as_deref(), Some("WeightVecLengthIsLow"));
    real.node
        .write(|storage| storage.set(of("MinAllowedWeights"), 1u16));
    // What failed has not used up the commit.
    try_reveal(&real, &bob, &reveal(&SALT)).await.unwrap();
}
