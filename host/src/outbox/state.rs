//! The standings of all challenges, for the storage service.

use super::commits::full;
use super::{Content, ReadError};
use crate::chain::Metagraph;
use crate::compat::MinerChallengeCommit;
use crate::scoring::{best_commits, is_revealed, order, unique_pool};
use crate::storage::Client;
use crate::store::{CommitRow, CommitState, Store};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROUTE: &str = "/upload-validator-state";

/// After every day.
const NEVER: &str = "9999-99-99";

/// The state of all challenges that were ever finalized, as RedTeam's validators
/// keep theirs. Of a miner the last commit that is revealed is its latest.
pub(super) async fn state(
    store: &Store,
    metagraph: &Metagraph,
    client: &Client,
    max_unique_commits: usize,
) -> Result<Content, ReadError> {
    let mut managers = Map::new();
    for (challenge, _) in store.last_days().await? {
        let mut commits = store.commits_of(&challenge).await?;
        commits.retain(is_revealed);
        commits.sort_by(|a, b| order(a).cmp(&order(b)));
        let manager = json!({
            "unique_commits": unique_commits(&commits, max_unique_commits),
            "unique_scored_docker_hub_ids": scored_artifacts(&commits),
            "miner_states": miner_states(store, metagraph, &challenge, &commits).await?,
        });
        managers.insert(challenge, manager);
    }
    let body = json!({
        "validator_uid": client.uid(),
        "validator_hotkey": client.hotkey(),
        "challenge_managers": managers,
        "scoring_dates": store.finalized_days().await?,
    });
    Ok(Content::Body {
        route: ROUTE,
        body: body.to_string(),
    })
}

fn judged(commit: &&CommitRow) -> bool {
    commit.state == CommitState::Judged
}

/// What the commits of the next day are compared with.
fn unique_commits(commits: &[CommitRow], max_unique_commits: usize) -> Vec<Value> {
    let pool = unique_pool(commits, NEVER, max_unique_commits).into_iter();
    let shown = pool.map(|commit| {
        json!({
            "score": commit.score,
            "commit": commit.encrypted_commit,
            "docker_hub_id": commit.artifact,
        })
    });
    shown.collect()
}

fn scored_artifacts(commits: &[CommitRow]) -> BTreeSet<&String> {
    let judged = commits.iter().filter(judged);
    judged
        .filter_map(|commit| commit.artifact.as_ref())
        .collect()
}

#[derive(Default)]
struct Miner<'a> {
    latest: Option<&'a CommitRow>,
    best: Option<&'a CommitRow>,
    daily_scores: BTreeMap<&'a str, f64>,
}

/// Each registered miner's, by uid.
async fn miner_states(
    store: &Store,
    metagraph: &Metagraph,
    challenge: &str,
    commits: &[CommitRow],
) -> Result<Map<String, Value>, ReadError> {
    let mut miners: BTreeMap<u16, Miner<'_>> = BTreeMap::new();
    for commit in commits {
        let Some(uid) = metagraph.uid_of(&commit.miner_hotkey) else {
            continue;
        };
        let miner = miners.entry(uid).or_default();
        miner.latest = Some(commit);
        let score = commit.score.unwrap_or_default();
        if let Some(day) = commit.finalized_day.as_deref().filter(|_| judged(&commit)) {
            let of_day = miner.daily_scores.entry(day).or_insert(score);
            *of_day = of_day.max(score);
        }
    }
    for best in best_commits(commits.iter()) {
        let uid = metagraph.uid_of(&best.miner_hotkey);
        if let Some(miner) = uid.and_then(|uid| miners.get_mut(&uid)) {
            miner.best = Some(best);
        }
    }
    let mut states = Map::new();
    for (uid, miner) in miners {
        let hotkey = metagraph.by_uid(uid).map(|neuron| &neuron.hotkey);
        let state = json!({
            "miner_uid": uid,
            "miner_hotkey": hotkey,
            "challenge_name": challenge,
            "latest_commit": shown(store, miner.latest).await?,
            "best_commit": shown(store, miner.best).await?,
            "daily_scores": miner.daily_scores,
        });
        states.insert(uid.to_string(), state);
    }
    Ok(states)
}

async fn shown(
    store: &Store,
    commit: Option<&CommitRow>,
) -> Result<Option<MinerChallengeCommit>, ReadError> {
    let Some(commit) = commit else {
        return Ok(None);
    };
    let shown = full(store, commit.clone()).await?;
    Ok(shown.map(|commit| {
        let mut commit = commit.state_view();
        commit.remove_redundant_logs();
        commit
    }))
}
