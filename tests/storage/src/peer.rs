//! The service's own routes.
//!
//! What its clients do not tell was chosen so:
//!
//! - `limit` of `/fetch-centralized-score` is per challenge, and `full_results`
//!   leaves nothing out. With `get_detailed_results: false` the logs are left out.
//! - `/fetch-accepted-miner-commits` has one group per ciphertext, with what each
//!   upload said of it, as its clients look at the first of a group only.
//! - A signature may be used again as long as it is fresh.
//! - `/upload-log` takes the API key in place of a signature, and
//!   `/fetch-uids-registration-time` needs neither, as clients send none.

use crate::book::{Book, StateError, Upload};
use crate::refusal::Refusal;
use crate::signature::{Caller, api_key};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeMap;

const UPLOAD_COMMIT: &str = "/upload-commit";
const UPLOAD_SCORES: &str = "/upload-centralized-score";
const UPLOAD_STATE: &str = "/upload-validator-state";
const UPLOAD_LOG: &str = "/upload-log";
const UPLOAD_REPO: &str = "/upload-hf-repo-id";

/// Results in one upload.
const MAX_RESULTS: usize = 5;

/// What a request must have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// The four headers.
    Signed,
    /// A key of `/get-api-key`, or the four headers.
    ApiKey,
    /// Nothing.
    Open,
}

/// A request that was let in.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    /// `null` if there was none.
    pub(crate) body: Value,
    pub(crate) if_none_match: Option<String>,
}

type Answer = Result<Response, Refusal>;

/// A route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) answer: fn(&mut Book, Asked) -> Answer,
}

/// All by POST but the one that is [`Access::Open`].
pub(crate) const ROUTES: &[Route] = &[
    signed("/get-api-key", get_api_key),
    signed("/fetch-latest-miner-commits", fetch_latest),
    signed("/fetch-accepted-miner-commits", fetch_accepted),
    signed("/fetch-centralized-score", fetch_scores),
    signed("/fetch-validator-state", fetch_state),
    signed(UPLOAD_COMMIT, upload_commit),
    signed(UPLOAD_SCORES, upload_scores),
    signed(UPLOAD_STATE, upload_state),
    signed(UPLOAD_REPO, upload_repo),
    Route {
        path: UPLOAD_LOG,
        access: Access::ApiKey,
        answer: upload_log,
    },
    Route {
        path: "/fetch-uids-registration-time",
        access: Access::Open,
        answer: |_, _| Ok(Json(json!({"data": {}})).into_response()),
    },
];

const fn signed(path: &'static str, answer: fn(&mut Book, Asked) -> Answer) -> Route {
    Route {
        path,
        access: Access::Signed,
        answer,
    }
}

fn get_api_key(_: &mut Book, asked: Asked) -> Answer {
    let uid = asked
        .caller
        .uid
        .or(field(&asked.body, "validator_uid").as_i64());
    let uid = uid.ok_or_else(|| Refusal::missing("validator_uid"))?;
    let hotkey = match asked.caller.hotkey {
        Some(hotkey) => hotkey,
        None => text(&asked.body, "validator_hotkey")?.to_owned(),
    };
    Ok(Json(json!({"api_key": api_key(uid, &hotkey)})).into_response())
}

fn fetch_latest(book: &mut Book, asked: Asked) -> Answer {
    let uid = field(&asked.body, "validator_uid").as_i64();
    let uid = uid.ok_or_else(|| Refusal::missing("validator_uid"))?;
    let mut commits = latest_commits(book, uid);
    let names = names(&asked.body);
    if let (false, Value::Object(miners)) = (names.is_empty(), &mut commits) {
        for challenges in miners.values_mut().filter_map(Value::as_object_mut) {
            challenges.retain(|name, _| names.contains(&name.as_str()));
        }
        miners.retain(|_, challenges| challenges.as_object().is_none_or(|all| !all.is_empty()));
    }
    let body = json!({"miner_commits": commits}).to_string();
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(&body)));
    let known = asked.if_none_match.is_some_and(|tags| {
        let mut tags = tags
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|known| known == tag || known == "*")
    });
    let headers = [
        (header::ETAG, tag.as_str()),
        (header::CONTENT_TYPE, "application/json"),
    ];
    Ok(if known {
        (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response()
    } else {
        (headers, body).into_response()
    })
}

/// What was set for a validator, and what it uploaded itself: where it did, a list,
/// newest first.
pub(crate) fn latest_commits(book: &Book, uid: i64) -> Value {
    let none = || Value::Object(Map::new());
    let mut commits = book.miner_commits.get(&uid).cloned().unwrap_or_else(none);
    // Set to something else, to see what a client makes of it.
    let Some(miners) = commits.as_object_mut() else {
        return commits;
    };
    let of_validator = |upload: &&Upload| upload.route == UPLOAD_COMMIT && upload.uid == Some(uid);
    for upload in book.uploads.iter().filter(of_validator) {
        let commit = &upload.body;
        let (Some(hotkey), Some(challenge)) = (
            field(commit, "miner_hotkey").as_str(),
            field(commit, "challenge_name").as_str(),
        ) else {
            continue;
        };
        let Some(challenges) = miners.entry(hotkey).or_insert_with(none).as_object_mut() else {
            continue;
        };
        let slot = challenges.entry(challenge).or_insert(Value::Null);
        let mut list = match slot.take() {
            Value::Null => Vec::new(),
            Value::Array(list) => list,
            one => vec![one],
        };
        list.retain(|other| other.get("encrypted_commit") != commit.get("encrypted_commit"));
        list.insert(0, commit.clone());
        list.sort_by(newer_first);
        *slot = Value::Array(list);
    }
    commits
}

fn newer_first(one: &Value, other: &Value) -> Ordering {
    let time = |commit: &Value| {
        let time = commit.get("commit_timestamp").and_then(Value::as_f64);
        time.unwrap_or(f64::NEG_INFINITY)
    };
    time(other).total_cmp(&time(one))
}

fn upload_commit(book: &mut Book, asked: Asked) -> Answer {
    for name in ["challenge_name", "miner_hotkey", "encrypted_commit"] {
        text(&asked.body, name)?;
    }
    keep(book, UPLOAD_COMMIT, asked)
}

fn fetch_accepted(book: &mut Book, asked: Asked) -> Answer {
    let challenge = text(&asked.body, "challenge_name")?;
    let mut groups: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for upload in book.newest(UPLOAD_COMMIT) {
        let commit = &upload.body;
        if field(commit, "challenge_name") == challenge
            && let Some(ciphertext) = field(commit, "encrypted_commit").as_str()
        {
            groups.entry(ciphertext).or_default().push(commit);
        }
    }
    // Accepted by what was said last.
    groups.retain(|_, commits| {
        commits
            .first()
            .is_some_and(|last| field(last, "accepted") == true)
    });
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|one, other| match (one.first(), other.first()) {
        (Some(one), Some(other)) => newer_first(one, other),
        _ => Ordering::Equal,
    });
    let groups: Vec<_> = groups
        .into_iter()
        .map(|commits| json!({"commits": commits}))
        .collect();
    Ok(Json(json!({"miner_commits": groups})).into_response())
}

fn upload_scores(book: &mut Book, asked: Asked) -> Answer {
    let Some(results) = field(&asked.body, "scoring_results").as_array() else {
        return Err(Refusal::missing("scoring_results"));
    };
    if results.len() > MAX_RESULTS {
        let message = format!("List should have at most {MAX_RESULTS} items");
        return Err(Refusal::invalid("too_long", "scoring_results", &message));
    }
    for result in results {
        text(result, "challenge_name")?;
        text(result, "docker_hub_id")?;
    }
    keep(book, UPLOAD_SCORES, asked)
}

/// The last result of each challenge and Docker id, newest first.
pub(crate) fn scores(book: &Book) -> Vec<&Value> {
    let mut seen = std::collections::BTreeSet::new();
    book.newest(UPLOAD_SCORES)
        .filter_map(|upload| field(&upload.body, "scoring_results").as_array())
        .flat_map(|results| results.iter().rev())
        .filter(|result| {
            let key = |name| field(result, name).as_str().unwrap_or_default();
            seen.insert((key("challenge_name"), key("docker_hub_id")))
        })
        .collect()
}

fn fetch_scores(book: &mut Book, asked: Asked) -> Answer {
    let names = names(&asked.body);
    let limit = field(&asked.body, "limit").as_u64().unwrap_or(u64::MAX);
    let detailed = field(&asked.body, "get_detailed_results")
        .as_bool()
        .unwrap_or(true);
    let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
    let mut data = Vec::new();
    for result in scores(book) {
        let name = field(result, "challenge_name").as_str().unwrap_or_default();
        let taken = taken.entry(name).or_default();
        if (names.is_empty() || names.contains(&name)) && *taken < limit {
            *taken += 1;
            data.push(result.clone());
        }
    }
    if !detailed {
        for result in data.iter_mut().filter_map(Value::as_object_mut) {
            result.retain(|name, _| name != "scoring_logs" && name != "comparison_logs");
        }
    }
    Ok(Json(json!({"data": data})).into_response())
}

fn upload_state(book: &mut Book, asked: Asked) -> Answer {
    text(&asked.body, "validator_hotkey")?;
    if field(&asked.body, "validator_uid").as_i64().is_none() {
        return Err(Refusal::missing("validator_uid"));
    }
    keep(book, UPLOAD_STATE, asked)
}

/// The last state of each validator, newest first.
pub(crate) fn states(book: &Book) -> Vec<&Value> {
    let mut states: Vec<&Value> = Vec::new();
    for upload in book.newest(UPLOAD_STATE) {
        if !states
            .iter()
            .any(|state| same_validator(state, &upload.body))
        {
            states.push(&upload.body);
        }
    }
    states
}

fn same_validator(one: &Value, other: &Value) -> bool {
    ["validator_uid", "validator_hotkey"]
        .iter()
        .all(|name| field(one, name) == field(other, name))
}

/// A state, `null` for a validator without one. A body that names no validator asks
/// for whatever state is the newest; clients ask again with their own name if the
/// status is not 200.
fn fetch_state(book: &mut Book, asked: Asked) -> Answer {
    let states = states(book);
    let state = if field(&asked.body, "validator_uid").is_null() {
        let none = || Refusal::new(StatusCode::NOT_FOUND, "there is no validator state");
        states.first().ok_or_else(none)?
    } else {
        let mut states = states.iter();
        let state = states.find(|state| same_validator(state, &asked.body));
        state.unwrap_or(&&Value::Null)
    };
    Ok(Json(json!({"data": state})).into_response())
}

fn upload_log(book: &mut Book, asked: Asked) -> Answer {
    if !field(&asked.body, "logs").is_array() {
        return Err(Refusal::missing("logs"));
    }
    keep(book, UPLOAD_LOG, asked)
}

fn upload_repo(book: &mut Book, asked: Asked) -> Answer {
    text(&asked.body, "hf_repo_id")?;
    keep(book, UPLOAD_REPO, asked)
}

fn keep(book: &mut Book, route: &str, asked: Asked) -> Answer {
    let Caller { uid, hotkey } = asked.caller;
    book.upload(route, uid, hotkey, asked.body)
        .map_err(|error: StateError| Refusal::internal(error.to_string()))?;
    Ok(Json(json!({"status": "success"})).into_response())
}

/// `null` if there is none.
fn field<'a>(of: &'a Value, name: &str) -> &'a Value {
    of.get(name).unwrap_or(&Value::Null)
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let text = field(body, name).as_str();
    text.ok_or_else(|| Refusal::missing(name))
}

/// The challenges that are asked for; none for all of them.
fn names(body: &Value) -> Vec<&str> {
    let names = field(body, "challenge_names").as_array();
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
