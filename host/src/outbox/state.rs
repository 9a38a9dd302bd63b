//! The standings of all challenges, for the storage service.

use super::commits::full;
use super::{Content, ReadError};
use crate::chain::Metagraph;
use crate::compat::MinerChallengeCommit;
use crate::scoring::{best_commits, is_revealed, order, unique_pool};
use crate::storage::{Client, Kept, KeptChallenge};
use crate::store::{CommitRow, CommitState, Store};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROUTE: &str = "/upload-validator-state";

/// Days of a challenge that wait for a vector, as many as are looked at.
const MAX_WAITING: u32 = 100;

/// After every day.
const NEVER: &str = "9999-99-99";

/// The state of all challenges that were ever finalized, as RedTeam's validators
/// keep theirs, and what it takes to go on from there. Of a miner the last commit
/// that is revealed is its latest.
pub(super) async fn state(
    store: &Store,
    metagraph: &Metagraph,
    client: &Client,
    max_unique_commits: usize,
) -> Result<Content, ReadError> {
    let mut managers = Map::new();
    let mut kept = Vec::new();
    let vector = store.last_vector().await?;
    let vector_day = vector.as_ref().map_or("", |(vector, _)| &vector.day);
    for (challenge, _) in store.last_days().await? {
        let mut commits = store.commits_of(&challenge).await?;
        commits.retain(is_revealed);
        commits.sort_by(|a, b| order(a).cmp(&order(b)));
        let manager = json!({
            "unique_commits": unique_commits(&commits, max_unique_commits),
            "unique_scored_docker_hub_ids": scored_artifacts(&commits),
            "miner_states": miner_states(store, metagraph, &challenge, &commits).await?,
        });
        kept.push(to_be_kept(store, &challenge, &commits, vector_day, max_unique_commits).await?);
        managers.insert(challenge, manager);
    }
    // The seed stays here: whoever has it knows the tasks of the days to come.
    let first_days = store.first_days().await?;
    let body = json!({
        "validator_uid": client.uid(),
        "validator_hotkey": client.hotkey(),
        "challenge_managers": managers,
        "scoring_dates": store.finalized_days().await?,
        "proctor": Kept::new(None, first_days, kept, vector),
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

/// What a host needs to go on with a challenge: every standing and reference, each
/// miner's last verdict, as validators go on telling of that commit, and the days of
/// the ledger that these are of. `vector_day` is that of the last vector.
async fn to_be_kept(
    store: &Store,
    challenge: &str,
    commits: &[CommitRow],
    vector_day: &str,
    max_unique_commits: usize,
) -> Result<KeptChallenge, ReadError> {
    let mut wanted: BTreeMap<i64, &CommitRow> = BTreeMap::new();
    let mut last: BTreeMap<&str, &CommitRow> = BTreeMap::new();
    for commit in commits.iter().filter(judged) {
        last.insert(&commit.miner_hotkey, commit);
    }
    let pool = unique_pool(commits, NEVER, max_unique_commits);
    let standings = best_commits(commits.iter());
    wanted.extend(
        standings
            .chain(pool)
            .chain(last.into_values())
            .map(|commit| (commit.id, commit)),
    );
    let keys = store.evaluation_keys(challenge).await?;
    let key_of = |commit: &CommitRow| keys.get(&commit.evaluation_id?).cloned();
    let mut days = BTreeMap::new();
    let latest = store.finalizations(Some(challenge.to_owned()), None, MAX_WAITING);
    for (index, row) in latest.await?.into_iter().enumerate() {
        let day = row.finalization.day.clone();
        if index == 0 || day.as_str() > vector_day {
            days.insert(day, row);
        }
    }
    let judged_on: BTreeSet<&String> = wanted
        .values()
        .filter_map(|commit| commit.finalized_day.as_ref())
        .collect();
    for day in judged_on {
        if days.contains_key(day) {
            continue;
        }
        let row = store.finalization(challenge.to_owned(), day.clone());
        if let Some(mut row) = row.await? {
            // As of an old day that was compacted.
            row.finalization.standings = "[]".into();
            row.finalization.results = "[]".into();
            days.insert(day.clone(), row);
        }
    }
    let has_day = |commit: &&CommitRow| {
        let day = commit.finalized_day.as_ref();
        day.is_some_and(|day| days.contains_key(day))
    };
    Ok(KeptChallenge {
        commits: wanted
            .into_values()
            .filter(has_day)
            .map(|commit| (commit.clone(), key_of(commit)))
            .collect(),
        days: days.into_values().collect(),
    })
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
