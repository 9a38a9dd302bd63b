//! The calls of the contract, in JSON, on the typed ones of [`Organic`].

use super::{
    Admission, AdmitError, Admitted, Entry, Failure, MinerReward, Neuron, Organic, Query, Response,
};
use crate::{ChallengeError, Context};
use serde::de::DeserializeOwned;
use std::fmt::Display;

pub(crate) fn admit<C: Organic>(
    challenge: &C,
    context: &Context<'_>,
    entry: &Entry,
) -> Result<Admission, ChallengeError> {
    match queued(challenge, context, entry) {
        Ok((sample, priority)) => {
            let sample = serde_json::to_string(&sample).map_err(internal("sample"))?;
            Ok(Admission::Admitted(Admitted { sample, priority }))
        }
        Err(AdmitError::Refused(refusal)) => Ok(Admission::Refused(refusal)),
        Err(AdmitError::Failed(error)) => Err(error),
    }
}

/// Asks all four methods, whichever of them an author wrote, so that none is off by
/// where it is implemented.
fn queued<C: Organic>(
    challenge: &C,
    context: &Context<'_>,
    entry: &Entry,
) -> Result<(C::Sample, f64), AdmitError> {
    challenge.blacklist(context, entry)?;
    challenge.verify(context, entry)?;
    let sample = challenge.parse(context, entry)?;
    let priority = challenge.priority(context, entry, &sample)?;
    Ok((sample, priority))
}

pub(crate) fn synthesize<C: Organic>(
    challenge: &C,
    context: &Context<'_>,
    dataset: &str,
    seed: u64,
) -> Result<String, ChallengeError> {
    let sample = challenge.synthesize(&context.with_seed(seed), dataset)?;
    serde_json::to_string(&sample).map_err(internal("sample"))
}

pub(crate) fn queries<C: Organic>(
    challenge: &C,
    context: &Context<'_>,
    sample: &str,
    metagraph: &[Neuron],
) -> Result<Vec<Query<String>>, ChallengeError> {
    let queries = challenge.queries(context, &read_sample::<C>(sample)?, metagraph)?;
    let with_json = |query: Query<C::Query>| {
        Ok(Query {
            uid: query.uid,
            path: query.path,
            body: serde_json::to_string(&query.body).map_err(internal("query"))?,
            protocol: query.protocol,
        })
    };
    queries.into_iter().map(with_json).collect()
}

pub(crate) fn reference<C: Organic>(
    challenge: &C,
    context: &Context<'_>,
    sample: &str,
) -> Result<Option<String>, ChallengeError> {
    let reference = challenge.reference(context, &read_sample::<C>(sample)?)?;
    let json = reference.map(|reference| serde_json::to_string(&reference));
    json.transpose().map_err(internal("reference"))
}

pub(crate) fn reward<C: Organic>(
    challenge: &C,
    context: &Context<'_>,
    sample: &str,
    responses: impl IntoIterator<Item = Response<String>>,
    reference: Option<&str>,
) -> Result<Vec<MinerReward>, ChallengeError> {
    let sample = read_sample::<C>(sample)?;
    let reference = reference
        .map(serde_json::from_str)
        .transpose()
        .map_err(internal("reference"))?;
    let responses: Vec<_> = responses
        .into_iter()
        .map(read_answer::<C::Answer>)
        .collect();
    challenge.reward(context, &sample, &responses, reference.as_ref())
}

/// A sample may have been queued by another version of the challenge. To try it again
/// would not help it.
fn read_sample<C: Organic>(json: &str) -> Result<C::Sample, ChallengeError> {
    serde_json::from_str(json)
        .map_err(|e| ChallengeError::InvalidSubmission(format!("sample: {e}")))
}

fn read_answer<A: DeserializeOwned>(response: Response<String>) -> Response<A> {
    let read = |json: String| serde_json::from_str(&json).map_err(|_| Failure::Malformed);
    Response {
        uid: response.uid,
        hotkey: response.hotkey,
        outcome: response.outcome.and_then(read),
        latency: response.latency,
    }
}

pub(super) fn internal<E: Display>(what: &str) -> impl Fn(E) -> ChallengeError + '_ {
    move |error| ChallengeError::Internal(format!("{what}: {error}"))
}
