//! Organic scoring, call by call.

use super::Harness;
use crate::organic::{
    self, Admission, Entry, Folded, MinerReward, Neuron, Query, Response, Rewarded,
};
use crate::{ChallengeError, Organic};

/// Samples, bodies, answers, references and state are JSON here, as the host keeps
/// them: what a challenge makes goes through its own serialization.
impl<C: Organic> Harness<C> {
    /// Says what becomes of an entry: blacklist, verify, parse, priority.
    ///
    /// # Errors
    ///
    /// What the methods fail with; `internal` if the settings are invalid. A refusal is
    /// no error.
    pub fn admit(&self, entry: &Entry) -> Result<Admission, ChallengeError> {
        self.call(|challenge, context| organic::admit(&challenge, context, entry))
    }

    /// The names of the synthetic datasets.
    ///
    /// # Errors
    ///
    /// `internal` if the settings are invalid.
    pub fn datasets(&self) -> Result<Vec<String>, ChallengeError> {
        self.call(|challenge: C, _| Ok(challenge.datasets()))
    }

    /// Makes a sample. Its seed is this one, and not the harness's.
    ///
    /// # Errors
    ///
    /// See [`Organic::synthesize`]; `internal` if the settings are invalid.
    pub fn synthesize(&self, dataset: &str, seed: u64) -> Result<String, ChallengeError> {
        self.call(|challenge, context| organic::synthesize(&challenge, context, dataset, seed))
    }

    /// Says which miners are asked what.
    ///
    /// # Errors
    ///
    /// See [`Organic::queries`]; `invalid-submission` if the sample is none of the
    /// challenge's; `internal` if the settings are invalid.
    pub fn queries(
        &self,
        sample: &str,
        metagraph: &[Neuron],
    ) -> Result<Vec<Query<String>>, ChallengeError> {
        self.call(|challenge, context| organic::queries(&challenge, context, sample, metagraph))
    }

    /// Makes the reference.
    ///
    /// # Errors
    ///
    /// See [`Organic::reference`]; otherwise as of [`queries`](Self::queries).
    pub fn reference(&self, sample: &str) -> Result<Option<String>, ChallengeError> {
        self.call(|challenge, context| organic::reference(&challenge, context, sample))
    }

    /// Says what each miner earned with its answer.
    ///
    /// # Errors
    ///
    /// See [`Organic::reward`]; otherwise as of [`queries`](Self::queries).
    pub fn reward(
        &self,
        sample: &str,
        responses: &[Response<String>],
        reference: Option<&str>,
    ) -> Result<Vec<MinerReward>, ChallengeError> {
        let responses = responses.iter().cloned();
        self.call(|challenge, context| {
            organic::reward(&challenge, context, sample, responses, reference)
        })
    }

    /// Takes rewards into the state.
    ///
    /// # Errors
    ///
    /// See [`Organic::fold`]; `internal` if the settings are invalid.
    pub fn fold(
        &self,
        rewards: &[Rewarded],
        state: Option<&str>,
    ) -> Result<Folded, ChallengeError> {
        self.call(|challenge, context| challenge.fold(context, rewards, state))
    }
}
