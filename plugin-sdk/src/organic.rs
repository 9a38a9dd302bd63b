//! Organic scoring: a challenge on real traffic, and on samples of its own.

mod json;

pub(crate) use json::{admit, queries, reference, reward, synthesize};

use crate::ranking::{Average, FoldRules};
use crate::{Challenge, ChallengeError, Context, HotkeyWeight};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

pub use crate::bindings::organic::exports::proctor::challenge::organic::{
    Admission, Admitted, Caller, Entry, Failure, Folded, MinerReward, Neuron, Protocol, Refusal,
    Rewarded,
};

/// A request to one miner, `POST` over HTTP to its axon.
#[derive(Debug, Clone, PartialEq)]
pub struct Query<Q> {
    /// Who is asked. One query per miner.
    pub uid: u16,
    /// The path of the request without the first `/`: 1 to 256 of `A-Z`, `a-z`, `0-9`,
    /// `-`, `_`, `.` and `/`. With [`Protocol::Dendrite`] the name of the synapse.
    pub path: String,
    /// The body; its JSON must be an object.
    pub body: Q,
    /// How it is signed.
    pub protocol: Protocol,
}

/// What a miner answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Response<A> {
    /// Who was asked.
    pub uid: u16,
    /// Its hotkey.
    pub hotkey: String,
    /// Its answer, or how it failed. An answer that is JSON, but no `A`, is
    /// [`Failure::Malformed`].
    pub outcome: Result<A, Failure>,
    /// Seconds from the request to the end of the answer or the failure.
    pub latency: f64,
}

/// Why an entry is not queued.
#[derive(Debug, Clone, PartialEq)]
pub enum AdmitError {
    /// It is refused, and the caller is told why.
    Refused(Refusal),
    /// The challenge cannot tell.
    Failed(ChallengeError),
}

impl From<Refusal> for AdmitError {
    fn from(refusal: Refusal) -> Self {
        AdmitError::Refused(refusal)
    }
}

impl From<ChallengeError> for AdmitError {
    fn from(error: ChallengeError) -> Self {
        AdmitError::Failed(error)
    }
}

/// The capability `organic`.
///
/// An author says whom to ask what ([`queries`](Self::queries)) and what the answers
/// are worth ([`reward`](Self::reward)). By default the body of an entry is the sample,
/// everybody may send one, nothing is synthetic, there is no reference, and weights are
/// the moving averages of the rewards.
///
/// What becomes of an entry is decided in the order of an axon:
/// [`blacklist`](Self::blacklist), [`verify`](Self::verify), [`parse`](Self::parse),
/// [`priority`](Self::priority). All four are asked of every entry, wherever they are
/// implemented; none can be left out.
///
/// ```
/// use proctor_sdk::organic::{MinerReward, Neuron, Protocol, Query, Response};
/// use proctor_sdk::testing::Harness;
/// use proctor_sdk::{Challenge, ChallengeError, Context, Organic};
/// # use proctor_sdk::{JsonSchema, serde};
/// # #[derive(Default, serde::Deserialize, JsonSchema)]
/// # #[serde(crate = "proctor_sdk::serde")]
/// # #[schemars(crate = "proctor_sdk::schemars")]
/// # struct Settings {}
///
/// struct Doubling;
/// # impl Challenge for Doubling {
/// #     type Settings = Settings;
/// #     const NAME: &'static str = "doubling";
/// #     const VERSION: &'static str = "0.1.0";
/// #     fn new(_: Settings) -> Self { Doubling }
/// # }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(crate = "proctor_sdk::serde")]
/// struct Number { number: u32 }
///
/// impl Organic for Doubling {
///     type Sample = Number; // what callers send,
///     type Query = Number;  // what miners get,
///     type Answer = Number; // and what they answer
///     type Reference = ();
///
///     fn queries(
///         &self,
///         _: &Context<'_>,
///         sample: &Number,
///         metagraph: &[Neuron],
///     ) -> Result<Vec<Query<Number>>, ChallengeError> {
///         let ask = |neuron: &Neuron| Query {
///             uid: neuron.uid,
///             path: "Double".to_owned(),
///             body: Number { number: sample.number },
///             protocol: Protocol::Btauth,
///         };
///         Ok(metagraph.iter().map(ask).collect())
///     }
///
///     fn reward(
///         &self,
///         _: &Context<'_>,
///         sample: &Number,
///         responses: &[Response<Number>],
///         _: Option<&()>,
///     ) -> Result<Vec<MinerReward>, ChallengeError> {
///         let right = |answer: &Number| Some(answer.number) == sample.number.checked_mul(2);
///         let worth = |response: &Response<Number>| MinerReward {
///             uid: response.uid,
///             value: if response.outcome.as_ref().is_ok_and(right) { 1.0 } else { 0.0 },
///         };
///         Ok(responses.iter().map(worth).collect())
///     }
/// }
/// proctor_sdk::export!(Doubling: organic);
///
/// let answer = |uid, outcome: &str| Response {
///     uid,
///     hotkey: format!("miner {uid}"),
///     outcome: Ok(outcome.to_owned()),
///     latency: 0.1,
/// };
/// let answers = [answer(0, r#"{"number":42}"#), answer(1, r#"{"number":41}"#), answer(2, "[]")];
/// let rewards = Harness::<Doubling>::new().reward(r#"{"number":21}"#, &answers, None).unwrap();
/// assert_eq!(rewards.iter().map(|r| r.value).collect::<Vec<_>>(), [1.0, 0.0, 0.0]);
/// ```
pub trait Organic: Challenge {
    /// What miners are asked about. It is queued as JSON; two entries that make the same
    /// sample are one.
    type Sample: Serialize + DeserializeOwned;
    /// The body of a request to a miner. Whatever of the sample a miner must not know
    /// has no place in it.
    type Query: Serialize;
    /// What a miner answers.
    type Answer: DeserializeOwned;
    /// What answers are measured by; `()` if there is nothing.
    type Reference: Serialize + DeserializeOwned;

    /// Whether the caller may ask. Everybody may by default. Asked first; the body is as
    /// it came.
    ///
    /// Errors: [`Refusal::Blacklisted`], or a failure of the challenge.
    fn blacklist(&self, context: &Context<'_>, entry: &Entry) -> Result<(), AdmitError> {
        let _ = (context, entry);
        Ok(())
    }

    /// Whether the caller has proven what it must, beside its signature, which the host
    /// has checked. Everybody has by default.
    ///
    /// Errors: [`Refusal::Unverified`], or a failure of the challenge.
    fn verify(&self, context: &Context<'_>, entry: &Entry) -> Result<(), AdmitError> {
        let _ = (context, entry);
        Ok(())
    }

    /// Makes the sample. By default the body is the sample, so that a caller can set
    /// each of its fields. A client of bittensor before version 11 sends fields of its
    /// own beside those of its synapse: do not deny unknown ones.
    ///
    /// Errors: [`Refusal::Invalid`], or a failure of the challenge.
    fn parse(&self, context: &Context<'_>, entry: &Entry) -> Result<Self::Sample, AdmitError> {
        let _ = context;
        serde_json::from_str(&entry.body).map_err(|e| Refusal::Invalid(e.to_string()).into())
    }

    /// How much the sample is preferred to others, where the operator's policy is
    /// `priority`. Finite; 0 by default.
    ///
    /// Errors: see [`AdmitError`].
    fn priority(
        &self,
        context: &Context<'_>,
        entry: &Entry,
        sample: &Self::Sample,
    ) -> Result<f64, AdmitError> {
        let _ = (context, entry, sample);
        Ok(0.0)
    }

    /// Names of the synthetic datasets: each once, each 1 to 64 characters, and the same
    /// for the same settings. None by default: then nothing is scored without entries.
    fn datasets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes a sample of a dataset. What is random must come from
    /// [`Context::rng`], whose seed is the sample's: the same seed must give the same
    /// sample.
    ///
    /// Errors: see [`ChallengeError`]; by default `internal`, as there is no dataset.
    fn synthesize(
        &self,
        context: &Context<'_>,
        dataset: &str,
    ) -> Result<Self::Sample, ChallengeError> {
        let _ = context;
        Err(no_such_dataset(dataset))
    }

    /// Says which miners are asked what. `metagraph` has the neurons that serve an axon,
    /// by uid.
    ///
    /// Errors: see [`ChallengeError`]; `invalid-submission` is final for the sample.
    fn queries(
        &self,
        context: &Context<'_>,
        sample: &Self::Sample,
        metagraph: &[Neuron],
    ) -> Result<Vec<Query<Self::Query>>, ChallengeError>;

    /// Makes what answers are measured by. Runs while miners are asked. None by default.
    ///
    /// Errors: as of [`queries`](Self::queries).
    fn reference(
        &self,
        context: &Context<'_>,
        sample: &Self::Sample,
    ) -> Result<Option<Self::Reference>, ChallengeError> {
        let _ = (context, sample);
        Ok(None)
    }

    /// Says what each miner earned; finite. `responses` has each miner that was asked,
    /// by uid. Who is left out is not counted, which is better than a 0 where the fault
    /// is not the miner's.
    ///
    /// Errors: as of [`queries`](Self::queries).
    fn reward(
        &self,
        context: &Context<'_>,
        sample: &Self::Sample,
        responses: &[Response<Self::Answer>],
        reference: Option<&Self::Reference>,
    ) -> Result<Vec<MinerReward>, ChallengeError>;

    /// How rewards become weights.
    fn fold_rules(&self) -> FoldRules {
        FoldRules::default()
    }

    /// Takes the rewards of one iteration into the state, JSON of any shape, and tells
    /// all weights. By default moving averages by [`fold_rules`](Self::fold_rules), and
    /// the state is the averages. `state` is what the last call returned, be it of an
    /// earlier version; none before the first.
    ///
    /// Errors: see [`ChallengeError`]; by default `internal` if the state is of another
    /// shape.
    fn fold(
        &self,
        context: &Context<'_>,
        rewards: &[Rewarded],
        state: Option<&str>,
    ) -> Result<Folded, ChallengeError> {
        let state: Option<BTreeMap<String, Average>> = state
            .map(serde_json::from_str)
            .transpose()
            .map_err(json::internal("state"))?;
        let mut averages = state.unwrap_or_default();
        let earned = rewards.iter().map(|r| (r.hotkey.as_str(), r.value));
        self.fold_rules().fold(&mut averages, earned, context.now());
        Ok(Folded {
            state: serde_json::to_string(&averages).map_err(json::internal("state"))?,
            weights: averages
                .into_iter()
                .map(|(hotkey, average)| HotkeyWeight {
                    hotkey,
                    weight: average.score,
                })
                .collect(),
        })
    }
}

/// The error for a dataset that [`Organic::datasets`] does not name.
pub fn no_such_dataset(dataset: &str) -> ChallengeError {
    ChallengeError::Internal(format!("there is no dataset {dataset:?}"))
}

#[cfg(test)]
mod tests;
