//! The way of an entry to the queue, whichever route it came by.
//!
//! In this order: length, headers, body, signature, whether the operator lets the caller
//! send, nonce, and what the challenge says to it. Who may not send writes nothing to the
//! disk. Of others the nonce is taken before anything else is done: what was signed once
//! is looked at once, and who is refused signs again.

use super::refusal;
use super::signed::{self, Signer, Way};
use crate::api::problem::Problem;
use crate::api::routes::{length, too_large, unread, upload};
use crate::clock;
use crate::organic::{Organic, SubmitError, Submitted, may_send};
use crate::plugins::ActivePlugin;
use crate::sandbox::Capability;
use crate::scoring::Pipeline;
use crate::store::EntryRow;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a claimed hotkey that are logged.
const MAX_CLAIM: usize = 64;

/// An entry that is on disk.
#[derive(Debug)]
pub(in crate::api) struct Taken {
    pub(in crate::api) entry: EntryRow,
    /// Whether it was there before.
    pub(in crate::api) duplicate: bool,
    /// Of a bittensor client before version 11: what it waits for.
    pub(in crate::api) dendrite: Option<Awaited>,
}

/// What a bittensor client before version 11 waits for.
#[derive(Debug)]
pub(in crate::api) struct Awaited {
    /// For how long.
    pub(in crate::api) patience: Duration,
    /// What it sent: the fields of a synapse, JSON.
    pub(in crate::api) body: String,
}

/// Takes an entry to a challenge. What is refused is counted and logged.
pub(in crate::api) async fn take(
    pipeline: &Pipeline,
    organic: &Organic,
    challenge: &str,
    parts: &Parts,
    body: Body,
) -> Result<Taken, Problem> {
    let plugin = plugin(pipeline, challenge)?;
    let signed = signed(pipeline, organic, &plugin, parts, body).await;
    let (signer, body) = signed.inspect_err(|problem| {
        // Those that come later are counted where they are made.
        pipeline.metrics.organic_entry(challenge, problem.code);
        let claimed: String = signed::claimed(&parts.headers)
            .unwrap_or_default()
            .chars()
            .take(MAX_CLAIM)
            .collect();
        let (code, detail) = (problem.code, &problem.detail);
        tracing::debug!(challenge, hotkey = claimed, code, detail, "entry refused");
    })?;
    let now = clock::unix_now();
    let submitted = organic.submit(challenge, &signer.hotkey, &body, now).await;
    let Submitted { entry, duplicate } = submitted.map_err(|error| {
        let (hotkey, code) = (&signer.hotkey, error.code());
        match error {
            SubmitError::Plugin(_) => {
                tracing::warn!(challenge, hotkey, code, %error, "entry refused");
            }
            _ => tracing::debug!(challenge, hotkey, code, %error, "entry refused"),
        }
        refusal::problem(challenge, error)
    })?;
    Ok(Taken {
        entry,
        duplicate,
        dendrite: signer.dendrite.map(|patience| Awaited { patience, body }),
    })
}

/// The challenge, if it takes entries.
fn plugin(pipeline: &Pipeline, challenge: &str) -> Result<Arc<ActivePlugin>, Problem> {
    match pipeline.plugins.get(challenge) {
        Some(plugin) if plugin.has(Capability::Organic) => Ok(plugin),
        Some(_) => Err(refusal::no_organic(challenge)),
        None if !pipeline.plugins.is_scanned() => {
            let detail = "the challenges are being loaded";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Err(Problem::new(status, "unavailable", detail))
        }
        None => Err(Problem::unknown_challenge(challenge)),
    }
}

/// Who signed an entry, for the first time, and its body, which is JSON.
async fn signed(
    pipeline: &Pipeline,
    organic: &Organic,
    plugin: &ActivePlugin,
    parts: &Parts,
    body: Body,
) -> Result<(Signer, String), Problem> {
    let rules = &plugin.given.organic;
    let most = u64::try_from(rules.max_body_bytes).unwrap_or(u64::MAX);
    if length(&parts.headers).is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    // Before the body, which nobody without a signature may have read.
    let way = Way::of(&parts.headers, organic.hotkey(), clock::unix_now())?;
    let read = upload::to_memory(body, most).await;
    let (body, digest) = read.map_err(|error| unread(error, most))?;
    let request = signed::Request {
        netuid: pipeline.metagraph().netuid(),
        challenge: plugin.name(),
        parts,
        body: &body,
        digest: &digest,
        hash_fields: &rules.hash_fields,
    };
    let signer = way.verify(&request, clock::unix_now_ns())?;
    let metagraph = pipeline.metagraph();
    let neuron = metagraph.by_hotkey(&signer.hotkey);
    may_send(rules, &signer.hotkey, neuron)
        .map_err(|error| refusal::problem(plugin.name(), error))?;
    let reserved = pipeline.store.reserve_nonce(
        scope(plugin.name(), &signer),
        signer.hotkey.clone(),
        signer.nonce.clone(),
        clock::unix_now(),
    );
    if !reserved.await? {
        let detail = "an entry with this nonce was looked at before: sign again";
        return Err(Problem::conflict("replayed", detail));
    }
    let invalid = |why: String| Problem::bad_request("invalid_json", why);
    serde_json::from_slice::<IgnoredAny>(&body).map_err(|error| invalid(error.to_string()))?;
    let body = String::from_utf8(body.into()).map_err(|error| invalid(error.to_string()))?;
    Ok((signer, body))
}

/// Within what a nonce counts once. What a bittensor client before version 11 signs
/// names no challenge, so it counts once in all of them.
fn scope(challenge: &str, signer: &Signer) -> String {
    match signer.dendrite {
        Some(_) => "organic".to_owned(),
        None => format!("organic:{challenge}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_names_no_challenge_counts_once_in_all_of_them() {
        let signer = |dendrite| Signer {
            hotkey: "a".into(),
            nonce: "n".into(),
            dendrite,
        };
        let scopes = |dendrite| ["one", "two"].map(|name| scope(name, &signer(dendrite)));
        let [one, two] = scopes(Some(Duration::ZERO));
        assert_eq!(one, two);
        let [one, two] = scopes(None);
        assert_ne!(one, two);
    }
}
