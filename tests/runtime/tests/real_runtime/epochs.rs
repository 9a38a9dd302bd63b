//! The epochs that commits belong to.

use crate::support::{MEMBERS, NETUID, Real, TEMPO, hotkey, subnet};
use proctor_host::chain::call::WeightCall;
use proctor_host::chain::read;
use proctor_runtime_tests::Key;

#[tokio::test]
async fn the_host_counts_epochs_as_the_runtime_counts_those_of_commits() {
    let mut with_commits = subnet();
    with_commits.commit_reveal = true;
    with_commits.rate_limit = 0;
    let Some(real) = Real::begin("epochs", with_commits).await else {
        return;
    };
    let bob = hotkey(MEMBERS[0]);
    let account = bob.public_key();
    for _ in 0..3 * TEMPO {
        // An epoch has more blocks than a hotkey may have commits.
        let commits = commits_of(&account).into_bytes();
        real.node.write(|storage| storage.remove(&commits));
        let said = real.state(&bob).await.epoch;
        let block = said.block + 1;
        let call = WeightCall::Commit {
            netuid: NETUID,
            mechanism: 0,
            hash: [u8::try_from(block).unwrap(); 32],
        };
        real.send(&bob, &call).await.unwrap();
        let at = real.at().await;
        let commits = read::hash_commits(&at, NETUID, 0, &account).await.unwrap();
        let own = commits.last().unwrap();
        assert_eq!(
            (own.hash, own.block),
            ([u8::try_from(block).unwrap(); 32], block)
        );
        let epoch = real.state(&bob).await.epoch.epoch_index;
        assert_eq!(own.epoch, epoch, "block {block}");
        let begins = said.next_epoch_block().unwrap();
        assert_eq!(begins == block, said.epoch_index < epoch, "block {block}");
        // It is said of the block in which a commit can be revealed by the runtime too.
        let first = first_reveal_block(&real, &account);
        let after = real.state(&bob).await.epoch;
        assert_eq!(Some(first), after.next_epoch_block(), "block {block}");
    }
}

/// What the runtime stored with the last commit: after the hash and the block.
fn first_reveal_block(real: &Real, account: &[u8; 32]) -> u64 {
    let commits = real.node.read(commits_of(account)).unwrap();
    let last = &commits[commits.len() - 56..];
    u64::from_le_bytes(last[40..48].try_into().unwrap())
}

fn commits_of(account: &[u8; 32]) -> Key {
    Key::subtensor("WeightCommits")
        .twox_64_concat(NETUID)
        .twox_64_concat(account)
}
