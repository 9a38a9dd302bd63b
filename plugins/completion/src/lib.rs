//! Example challenge: complete texts, scored on real traffic.
//!
//! Whoever may ask sends the beginning of a text. Miners continue it over HTTP, and
//! earn the more, the nearer they come to the reference, by edit distance, and the
//! sooner. The reference of a synthetic sample is the rest of the text; that of a
//! caller's is the answer that is most like all others. While nobody asks, texts come
//! from two datasets.

mod datasets;
mod settings;
#[cfg(test)]
mod tests;
mod text;

pub use settings::{Settings, Signature};

use datasets::{PROVERBS, SEQUENCES};
use proctor_sdk::organic::{
    AdmitError, Entry, Failure, MinerReward, Neuron, Protocol, Query, Refusal, Response,
    no_such_dataset,
};
use proctor_sdk::rand::seq::SliceRandom;
use proctor_sdk::ranking::FoldRules;
use proctor_sdk::{Challenge, ChallengeError, Context, Organic, SettingsProblem};
use serde::{Deserialize, Serialize};

/// Longest prompt, in characters.
const MAX_PROMPT_CHARS: usize = 4_000;
/// Longest completion, in characters. Two of this length are a million steps of the
/// edit distance.
const MAX_CHARS: u32 = 1_000;
/// Answers among which the reference is looked for: each is compared with each, which
/// are 28 pairs.
const JURY: usize = 8;

/// What miners are asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The beginning of a text.
    pub prompt: String,
    /// Most characters of what follows.
    pub max_chars: u32,
    /// What follows, if it is known. No miner gets to see it.
    pub answer: Option<String>,
}

/// The body of an entry. Other fields are passed over: clients of bittensor before
/// version 11 send some.
#[derive(Debug, Deserialize)]
struct Body {
    prompt: String,
    max_chars: Option<u32>,
}

/// What a miner gets.
#[derive(Debug, Serialize)]
pub struct Prompt {
    prompt: String,
    max_chars: u32,
}

/// The fields of [`Prompt`] that a `dendrite` request signs.
const HASH_FIELDS: [&str; 2] = ["prompt", "max_chars"];

/// What it answers.
#[derive(Debug, Deserialize)]
pub struct Answer {
    completion: String,
}

/// The challenge.
#[derive(Debug)]
pub struct Completion(Settings);

impl Challenge for Completion {
    type Settings = Settings;
    const NAME: &'static str = "completion";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = env!("CARGO_PKG_DESCRIPTION");

    fn new(settings: Settings) -> Self {
        Completion(settings)
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        settings.problems()
    }
}

impl Organic for Completion {
    type Sample = Sample;
    type Query = Prompt;
    type Answer = Answer;
    type Reference = String;

    /// Not the default: a caller must not say what the answer is.
    fn parse(&self, _: &Context<'_>, entry: &Entry) -> Result<Sample, AdmitError> {
        let invalid = |why: String| Err(Refusal::Invalid(why).into());
        let body: Body = match serde_json::from_str(&entry.body) {
            Ok(body) => body,
            Err(error) => return invalid(error.to_string()),
        };
        if body.prompt.trim().is_empty() {
            return invalid("prompt: is empty".to_owned());
        }
        let chars = body.prompt.chars().count();
        if chars > MAX_PROMPT_CHARS {
            return invalid(format!("prompt: {chars} characters, of {MAX_PROMPT_CHARS}"));
        }
        let max_chars = body.max_chars.unwrap_or(self.0.max_chars);
        if !(1..=MAX_CHARS).contains(&max_chars) {
            return invalid(format!("max_chars: {max_chars} is not in 1..={MAX_CHARS}"));
        }
        Ok(Sample {
            prompt: body.prompt,
            max_chars,
            answer: None,
        })
    }

    fn datasets(&self) -> Vec<String> {
        vec![PROVERBS.to_owned(), SEQUENCES.to_owned()]
    }

    fn synthesize(&self, context: &Context<'_>, dataset: &str) -> Result<Sample, ChallengeError> {
        let mut rng = context.rng(0);
        let (prompt, answer) = match dataset {
            PROVERBS => datasets::proverb(&mut rng),
            SEQUENCES => datasets::sequence(&mut rng),
            other => return Err(no_such_dataset(other)),
        };
        Ok(Sample {
            prompt,
            // As of an entry that does not say: miners should not see which is which.
            max_chars: self.0.max_chars,
            answer: Some(answer),
        })
    }

    fn queries(
        &self,
        context: &Context<'_>,
        sample: &Sample,
        metagraph: &[Neuron],
    ) -> Result<Vec<Query<Prompt>>, ChallengeError> {
        let mut asked: Vec<&Neuron> = metagraph
            .iter()
            .filter(|neuron| self.0.ask_validators || !neuron.validator_permit)
            .collect();
        if self.0.miners_per_sample > 0 {
            asked.shuffle(&mut context.rng(0));
            asked.truncate(self.0.miners_per_sample as usize);
        }
        let ask = |neuron: &Neuron| Query {
            uid: neuron.uid,
            path: self.0.path.clone(),
            body: Prompt {
                prompt: sample.prompt.clone(),
                max_chars: sample.max_chars,
            },
            protocol: match self.0.protocol {
                Signature::Btauth => Protocol::Btauth,
                Signature::Dendrite => Protocol::Dendrite(HASH_FIELDS.map(str::to_owned).into()),
            },
        };
        Ok(asked.into_iter().map(ask).collect())
    }

    fn reference(
        &self,
        _: &Context<'_>,
        sample: &Sample,
    ) -> Result<Option<String>, ChallengeError> {
        Ok(sample.answer.clone())
    }

    fn reward(
        &self,
        context: &Context<'_>,
        sample: &Sample,
        responses: &[Response<Answer>],
        reference: Option<&String>,
    ) -> Result<Vec<MinerReward>, ChallengeError> {
        let usable = |response: &Response<Answer>| {
            let completion = &response.outcome.as_ref().ok()?.completion;
            text::usable(completion, sample.max_chars as usize)
        };
        let answers: Vec<Option<Vec<char>>> = responses.iter().map(usable).collect();
        let reference = match reference {
            Some(text) => Some(text::normal(text)),
            None => {
                let mut jury: Vec<&[char]> = answers.iter().flatten().map(Vec::as_slice).collect();
                jury.shuffle(&mut context.rng(1));
                jury.truncate(JURY);
                text::medoid(&jury).map(<[char]>::to_vec)
            }
        };
        let reward = |(response, answer): (&Response<Answer>, Option<Vec<char>>)| {
            let value = match (answer, &reference) {
                // It was not asked, for it is at what it was asked before.
                (None, _) if matches!(response.outcome, Err(Failure::Busy)) => return None,
                // No answer, or one that cannot be used.
                (None, _) => 0.0,
                // It may be right: there is nothing to tell by.
                (Some(_), None) => return None,
                (Some(answer), Some(reference)) => {
                    let pace = 1.0 / (1.0 + response.latency.max(0.0) / self.0.latency_s);
                    text::similarity(&answer, reference) * pace
                }
            };
            Some(MinerReward {
                uid: response.uid,
                value,
            })
        };
        Ok(responses.iter().zip(answers).filter_map(reward).collect())
    }

    fn fold_rules(&self) -> FoldRules {
        FoldRules {
            alpha: self.0.alpha,
            ..FoldRules::default()
        }
    }
}

proctor_sdk::export!(Completion: organic);
