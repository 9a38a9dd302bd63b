//! Checks what a guest returns from the calls of `organic`.

use super::{Admission, Folded, MinerReward, Neuron, Protocol, Query, Refusal, Response};
use crate::sandbox::check::{invalid, is_json};
use crate::sandbox::outcome::PluginError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The most bytes of a text that is told to a caller.
const MAX_TEXT: usize = 1_000;
const MAX_DATASETS: usize = 1_000;
const MAX_NAME: usize = 64;
const MAX_PATH: usize = 256;
/// A subnet has no more uids.
const MAX_WEIGHTS: usize = 65_536;

/// A text that is JSON. `what` names it in the error.
pub(super) fn json(what: &str, text: String) -> Result<String, PluginError> {
    match is_json(&text) {
        true => Ok(text),
        false => Err(invalid(format!("{what} is not JSON"))),
    }
}

/// A sample is JSON and its priority finite; what a caller is told is made fit to show.
pub(super) fn admission(admission: Admission) -> Result<Admission, PluginError> {
    match admission {
        Admission::Admitted(admitted) => {
            if !admitted.priority.is_finite() {
                return Err(invalid(format!("a priority of {}", admitted.priority)));
            }
            if !is_json(&admitted.sample) {
                return Err(invalid("the sample is not JSON".into()));
            }
            Ok(Admission::Admitted(admitted))
        }
        Admission::Refused(refusal) => Ok(Admission::Refused(match refusal {
            Refusal::Blacklisted(why) => Refusal::Blacklisted(plain(&why)),
            Refusal::Unverified(why) => Refusal::Unverified(plain(&why)),
            Refusal::Invalid(why) => Refusal::Invalid(plain(&why)),
        })),
    }
}

/// One line of bounded length.
fn plain(text: &str) -> String {
    let (kept, end) = match text.len() > MAX_TEXT {
        true => (
            text.get(..text.floor_char_boundary(MAX_TEXT - '…'.len_utf8())),
            "…",
        ),
        false => (Some(text), ""),
    };
    let kept = kept.unwrap_or_default().chars();
    let line: String = kept.map(|c| if c.is_control() { ' ' } else { c }).collect();
    line + end
}

/// Names are few, short, and each there once.
pub(super) fn datasets(datasets: Vec<String>) -> Result<Vec<String>, PluginError> {
    if datasets.len() > MAX_DATASETS {
        let message = format!("{} datasets, of at most {MAX_DATASETS}", datasets.len());
        return Err(invalid(message));
    }
    let mut seen = BTreeSet::new();
    for name in &datasets {
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control)
        {
            return Err(invalid(format!("a dataset called {name:?}")));
        }
        if !seen.insert(name) {
            return Err(invalid(format!("the dataset {name:?} twice")));
        }
    }
    Ok(datasets)
}

/// Who is asked is in `metagraph`, and once; path and body are what a miner and a
/// signature can both be given.
pub(super) fn queries(
    queries: Vec<Query>,
    metagraph: &[Neuron],
) -> Result<Vec<Query>, PluginError> {
    let mut free: BTreeSet<u16> = metagraph.iter().map(|neuron| neuron.uid).collect();
    for Query {
        uid,
        path,
        body,
        protocol,
    } in &queries
    {
        if !free.remove(uid) {
            return Err(invalid(format!(
                "a query to uid {uid}, which is not in the metagraph or is asked before"
            )));
        }
        if !is_path(path) {
            return Err(invalid(format!("a query to uid {uid} at path {path:?}")));
        }
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(body) else {
            let message = format!("the body of the query to uid {uid} is no JSON object");
            return Err(invalid(message));
        };
        let Protocol::Dendrite(hashed) = protocol else {
            continue;
        };
        if path.contains('/') {
            let message = format!("a query to uid {uid} of a synapse called {path:?}");
            return Err(invalid(message));
        }
        if let Some(field) = hashed.iter().find(|field| !fields.contains_key(*field)) {
            return Err(invalid(format!(
                "the query to uid {uid} hashes the field {field:?}, which its body does not have"
            )));
        }
    }
    Ok(queries)
}

/// Whether a path is the same to whoever reads it: a segment that is empty or made of
/// dots goes away in some clients, and the signature is over what was written.
fn is_path(path: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let odd = |segment: &str| segment.is_empty() || segment == "." || segment.contains("..");
    path.len() <= MAX_PATH && path.bytes().all(known) && !path.split('/').any(odd)
}

/// Rewards are finite, and for those who were asked, each once.
pub(super) fn rewards(
    rewards: Vec<MinerReward>,
    responses: &[Response],
) -> Result<Vec<MinerReward>, PluginError> {
    let mut asked: BTreeSet<u16> = responses.iter().map(|response| response.uid).collect();
    for MinerReward { uid, value } in &rewards {
        if !value.is_finite() {
            return Err(invalid(format!("a reward of {value} for uid {uid}")));
        }
        if !asked.remove(uid) {
            return Err(invalid(format!(
                "a reward for uid {uid}, which was not asked or was rewarded before"
            )));
        }
    }
    Ok(rewards)
}

/// The state is JSON; weights are finite, at least 0, and one for each hotkey. Whether
/// a hotkey is registered is not asked: who was rewarded earlier may not be any more.
pub(super) fn folded(folded: Folded) -> Result<Folded, PluginError> {
    if !is_json(&folded.state) {
        return Err(invalid("the state is not JSON".into()));
    }
    if folded.weights.len() > MAX_WEIGHTS {
        let message = format!("{} weights, of at most {MAX_WEIGHTS}", folded.weights.len());
        return Err(invalid(message));
    }
    let mut paid = BTreeSet::new();
    for weight in &folded.weights {
        let (hotkey, weight) = (weight.hotkey.as_str(), weight.weight);
        if !weight.is_finite() || weight < 0.0 {
            return Err(invalid(format!("a weight of {weight} for {hotkey}")));
        }
        if hotkey.is_empty() || hotkey.len() > MAX_NAME {
            return Err(invalid(format!(
                "a weight for {hotkey:?}, which is no hotkey"
            )));
        }
        if !paid.insert(hotkey) {
            return Err(invalid(format!("two weights for {hotkey}")));
        }
    }
    Ok(folded)
}
