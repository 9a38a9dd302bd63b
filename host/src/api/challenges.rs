//! The challenges, and who stands where.

use super::App;
use super::params::Segments;
use super::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::store::CommitState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Answer of `GET /v1/challenges`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChallengeList {
    /// By name.
    challenges: Vec<ChallengeView>,
}

/// A challenge.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChallengeView {
    /// Its name.
    name: String,
    /// Whether it is running; else only its past is here.
    active: bool,
    /// The version of its plugin, if it is running.
    version: Option<String>,
    /// One sentence for people, if it is running.
    summary: Option<String>,
    /// SHA-256 of its plugin, if it is running.
    plugin_digest: Option<String>,
    /// Its share of the emission in percent, if it is running.
    emission_percent: Option<f64>,
    /// Whether today's finalization has run.
    is_done: bool,
    /// The last day that it was finalized on, `YYYY-MM-DD`.
    last_finalized_day: Option<String>,
    /// How many commits there are, by state.
    commits: BTreeMap<&'static str, i64>,
}

/// Answer of `GET /v1/challenges/{challenge}/leaderboard`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Leaderboard {
    /// The challenge.
    challenge: String,
    /// The day of the finalization that this is of; none before the first.
    day: Option<String>,
    /// The best accepted commit of each registered miner, the best first.
    entries: Vec<LeaderboardEntry>,
}

/// A miner's standing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaderboardEntry {
    /// 1 is the best. Of the same score the earlier commit is better.
    rank: usize,
    /// The miner's uid at the finalization.
    uid: u16,
    /// The miner's hotkey.
    hotkey: String,
    /// The score.
    score: f64,
    /// The penalty, 0 to 1; none if the commit is not kept any more.
    penalty: Option<f64>,
    /// What the miner published; none if it is not kept any more.
    encrypted_commit: Option<String>,
    /// The artifact, as the miner published it if that is still kept.
    artifact: String,
    /// When it was committed, in seconds since the Unix epoch.
    committed_at: f64,
    /// When it was judged, in seconds since the Unix epoch.
    scored_at: f64,
    /// What the challenge pays the miner, in a unit of its own; none if nothing.
    weight: Option<f64>,
}

/// The challenges that run, and those that were ever scored
#[utoipa::path(
    get,
    path = "/v1/challenges",
    operation_id = "list_challenges",
    tag = "challenges",
    responses(
        (status = 200, body = ChallengeList, description = "By name"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<ChallengeList>, Problem> {
    let mut commits: BTreeMap<String, BTreeMap<&'static str, i64>> = BTreeMap::new();
    for (challenge, state, count) in app.store.commit_counts().await? {
        let of_challenge = commits.entry(challenge).or_default();
        of_challenge.insert(state.name(), count);
    }
    let active = app.plugins.active();
    // Anybody may publish for any name: a name is known by what was made of it.
    let names = commits.keys().filter(|name| app.results().knows(name));
    let mut names: Vec<String> = names.cloned().collect();
    let finalized = app.store.last_days().await?.into_iter();
    names.extend(finalized.map(|(challenge, _)| challenge));
    names.extend(active.iter().map(|plugin| plugin.name().to_owned()));
    names.sort();
    names.dedup();
    let today = clock::day(clock::unix_now());
    let view = |name: String| {
        let plugin = active.iter().find(|plugin| plugin.name() == name);
        let mut counts = commits.remove(&name).unwrap_or_default();
        for state in CommitState::ALL {
            counts.entry(state.name()).or_default();
        }
        ChallengeView {
            active: plugin.is_some(),
            version: plugin.map(|plugin| plugin.description.version.clone()),
            summary: plugin.map(|plugin| plugin.description.summary.clone()),
            plugin_digest: plugin.map(|plugin| plugin.component.digest().to_owned()),
            emission_percent: plugin.map(|plugin| plugin.emission_percent),
            is_done: app.results().is_done(&name, &[], &today),
            last_finalized_day: app.results().last_day(&name),
            commits: counts,
            name,
        }
    };
    let challenges = names.into_iter().map(view).collect();
    Ok(Json(ChallengeList { challenges }))
}

/// Who stands where, as of the last finalization
#[utoipa::path(
    get,
    path = "/v1/challenges/{challenge}/leaderboard",
    operation_id = "get_leaderboard",
    tag = "challenges",
    params(("challenge" = String, Path, description = "Name of the challenge")),
    responses(
        (status = 200, body = Leaderboard, description = "The best first"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn leaderboard(
    State(app): State<App>,
    Segments(challenge): Segments<String>,
) -> Result<Json<Leaderboard>, Problem> {
    app.known_challenge(&challenge)?;
    let of_challenge = Some(challenge.clone());
    let last = app.store.finalizations(of_challenge, None, 1).await?.pop();
    let Some(last) = last.map(|row| row.finalization) else {
        return Ok(Json(Leaderboard {
            challenge,
            day: None,
            entries: Vec::new(),
        }));
    };
    let mut standings: Vec<Standing> = serde_json::from_str(&last.standings)?;
    let weights: Vec<HotkeyWeight> = serde_json::from_str(&last.weights)?;
    standings.sort_by(best_first);
    let keys = standings.iter().map(|standing| {
        let commit = &standing.commit;
        (
            commit.miner.hotkey.clone(),
            commit.submission.digest.clone(),
            commit.committed_at,
        )
    });
    let keys = keys.collect();
    let commits = app.store.standing_commits(challenge.clone(), keys).await?;
    let ranked = standings.into_iter().zip(commits).enumerate();
    let entries = ranked.map(|(index, (standing, commit))| {
        let miner = standing.commit.miner;
        let weight = weights.iter().find(|paid| paid.hotkey == miner.hotkey);
        let digest = standing.commit.submission.digest;
        LeaderboardEntry {
            rank: index + 1,
            uid: miner.uid,
            weight: weight.map(|paid| paid.weight),
            hotkey: miner.hotkey,
            score: standing.score,
            penalty: commit.as_ref().and_then(|commit| commit.penalty),
            artifact: commit
                .as_ref()
                .and_then(|commit| commit.artifact.clone())
                .unwrap_or_else(|| format!("sha256:{digest}")),
            encrypted_commit: commit.map(|commit| commit.encrypted_commit),
            committed_at: standing.commit.committed_at,
            scored_at: standing.scored_at,
        }
    });
    Ok(Json(Leaderboard {
        challenge,
        day: Some(last.day),
        entries: entries.collect(),
    }))
}

fn best_first(a: &Standing, b: &Standing) -> std::cmp::Ordering {
    let time = |standing: &Standing| standing.commit.committed_at;
    b.score
        .total_cmp(&a.score)
        .then_with(|| time(a).total_cmp(&time(b)))
        .then_with(|| a.commit.miner.hotkey.cmp(&b.commit.miner.hotkey))
}
