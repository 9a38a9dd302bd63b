//! What each challenge pays now: what it told itself, or what stands in for it.

use super::organic::{self, OrganicRows};
use super::pipeline::{Pipeline, PipelineError};
use crate::plugins::RunState;
use crate::sandbox::types::HotkeyWeight;
use crate::sandbox::{Capability, Outcome};
use crate::store::{FinalizationRow, OrganicWeights};
use crate::weights::{ChallengeWeights, Reported};
use crate::{clock, config};
use proctor_sdk::ranking::repository_owner;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where the weights of a challenge come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It told them, on the last day that it was to.
    Own,
    /// It told none; its own last good ones stand in.
    Fallback,
    /// There are none: it counts as nothing.
    None,
}

impl Origin {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Origin::Own => "own",
            Origin::Fallback => "fallback",
            Origin::None => "none",
        }
    }
}

/// Why a challenge's own weights of the last day do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// `empty`, `not_finalized`, `never_finalized`, or the outcome of `get-weights`; of
    /// organic rewards `empty`, `organic_stale` or `never_folded`.
    pub code: String,
    /// The same for people.
    pub message: String,
}

/// What a challenge pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the challenge.
    pub challenge: String,
    /// Its part of the emission, in percent.
    pub emission_percent: f64,
    /// Where its weights come from.
    pub origin: Origin,
    /// The day that they are of, `YYYY-MM-DD`, UTC.
    pub day: Option<String>,
    /// Why they are not its own of the last day.
    pub lack: Option<Lack>,
    /// Hotkey → weight, in a unit of its own.
    pub weights: BTreeMap<String, f64>,
    /// The part of the weights that organic rewards decided, above 0 to 1; none if they
    /// decided nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organic_share: Option<f64>,
    /// Id of the receipt of the `get-weights` that told them; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

impl Source {
    /// For the aggregation.
    pub(super) fn reported(&self, repository_owners: BTreeMap<String, String>) -> ChallengeWeights {
        let reported = match (&self.lack, self.origin) {
            (Some(lack), Origin::None) if lack.code != EMPTY => {
                Reported::Failed(format!("{}: {}", lack.code, lack.message))
            }
            _ => Reported::Weights(self.weights.clone()),
        };
        ChallengeWeights {
            emission_percent: self.emission_percent,
            reported,
            repository_owners,
        }
    }
}

/// The code of a challenge that told weights, and paid nobody.
const EMPTY: &str = "empty";

impl Lack {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Lack {
            code: code.into(),
            message: message.into(),
        }
    }

    /// That somebody told weights, and paid nobody.
    pub(super) fn empty() -> Self {
        Lack::new(EMPTY, "it paid nobody")
    }
}

/// What a challenge came to on a day.
#[derive(Debug, Clone)]
pub(super) struct Told {
    day: String,
    scheduled_at: f64,
    weights: Result<BTreeMap<String, f64>, Lack>,
}

impl Told {
    fn new(row: FinalizationRow) -> Result<Self, PipelineError> {
        let row = row.finalization;
        let weights = if row.outcome == Outcome::Ok.code() {
            let weights: Vec<HotkeyWeight> = serde_json::from_str(&row.weights)?;
            if weights.iter().any(|weight| weight.weight > 0.0) {
                Ok(weights.into_iter().map(|w| (w.hotkey, w.weight)).collect())
            } else {
                Err(Lack::empty())
            }
        } else {
            Err(Lack {
                code: row.outcome,
                message: row.message.unwrap_or_default(),
            })
        };
        Ok(Told {
            day: row.day,
            scheduled_at: row.scheduled_at,
            weights,
        })
    }
}

/// When weights are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct When<'a> {
    /// The last day that every challenge is to be through with.
    pub(super) day: &'a str,
    /// The day before, which counts while that day is waited for; none if it is not.
    pub(super) waited_for: Option<&'a str>,
    /// Now, likewise.
    pub(super) at: f64,
    /// Seconds for which weights stand in for later ones.
    pub(super) max_age: f64,
}

/// The weights that count, and why they are not others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) origin: Origin,
    pub(super) day: Option<String>,
    pub(super) lack: Option<Lack>,
    pub(super) weights: BTreeMap<String, f64>,
}

impl Chosen {
    pub(super) fn own(day: String, weights: BTreeMap<String, f64>) -> Self {
        Chosen {
            origin: Origin::Own,
            day: Some(day),
            lack: None,
            weights,
        }
    }

    pub(super) fn fallback(day: String, weights: BTreeMap<String, f64>, lack: Lack) -> Self {
        Chosen {
            origin: Origin::Fallback,
            lack: Some(lack),
            ..Chosen::own(day, weights)
        }
    }

    pub(super) fn none(lack: Lack) -> Self {
        Chosen {
            origin: Origin::None,
            day: None,
            lack: Some(lack),
            weights: BTreeMap::new(),
        }
    }

    /// What a challenge told well, if it is fresh, else nothing.
    pub(super) fn stand_in(good: Option<Told>, lack: Lack, when: When<'_>) -> Self {
        let fresh = good.filter(|good| when.at - good.scheduled_at <= when.max_age);
        match fresh.map(|good| (good.day, good.weights)) {
            Some((day, Ok(weights))) => Chosen::fallback(day, weights, lack),
            _ => Chosen::none(lack),
        }
    }
}

/// Chooses between what a challenge `last` came to, and what it last told well.
fn choose(last: Option<Told>, good: Option<Told>, when: When<'_>) -> Chosen {
    let Some(last) = last else {
        let message = "it was not finalized on any day yet";
        return Chosen::none(Lack::new("never_finalized", message));
    };
    let lack = match last.weights {
        Ok(weights) if last.day.as_str() >= when.day || when.waited_for == Some(&last.day) => {
            return Chosen::own(last.day, weights);
        }
        Ok(_) => {
            let message = format!("it was not finalized since {}", last.day);
            Lack::new("not_finalized", message)
        }
        Err(lack) => lack,
    };
    Chosen::stand_in(good, lack, when)
}

/// What a challenge's record says of its weights.
#[derive(Debug, Clone, Copy)]
struct Terms {
    /// Its part of the emission, in percent.
    emission_percent: f64,
    /// The part of that which organic rewards decide, 0 to 1.
    organic_part: f64,
}

impl Pipeline {
    /// What each challenge that is to run pays now, when all are to be through with `day`
    /// and organic rewards came to `organic`.
    pub(super) async fn sources(
        &self,
        day: &str,
        organic: &OrganicRows,
        now: f64,
    ) -> Result<Vec<Source>, PipelineError> {
        let before = clock::day_before(day);
        let is_waited_for = now < self.schedule.finalized_at(day) + super::PATIENCE;
        let when = When {
            day,
            waited_for: is_waited_for.then_some(before.as_str()),
            at: now,
            max_age: self.config.fallback_weights.max_age_s,
        };
        let mut sources = Vec::new();
        for challenge in self.challenges_to_run() {
            let row = organic.get(&challenge);
            sources.extend(self.source(challenge, row, when).await?);
        }
        Ok(sources)
    }

    /// What each challenge pays on a day that all are through with: those that are to
    /// run, and those that were finalized on it and run no more.
    pub(super) async fn sources_of_day(&self, day: &str) -> Result<Vec<Source>, PipelineError> {
        let rows = self.store.finalizations_of(day.to_owned()).await?;
        let mut names = self.challenges_to_run();
        names.extend(rows.into_iter().map(|row| row.finalization.challenge));
        let when = When {
            day,
            waited_for: None,
            at: self.schedule.finalized_at(day),
            max_age: self.config.fallback_weights.max_age_s,
        };
        let mut sources = Vec::new();
        for challenge in names {
            let until = Some(day.to_owned());
            let row = self.store.organic_weights(challenge.clone(), until).await?;
            sources.extend(self.source(challenge, row.as_ref(), when).await?);
        }
        Ok(sources)
    }

    pub(super) fn challenges_to_run(&self) -> BTreeSet<String> {
        let running = self.plugins.all_running().into_iter();
        let to_run = running.filter(|(_, running)| running.state != RunState::Stopped);
        to_run.map(|(name, _)| name).collect()
    }

    /// What a challenge pays, with what organic rewards came to; none if it has no
    /// record.
    async fn source(
        &self,
        challenge: String,
        organic: Option<&OrganicWeights>,
        when: When<'_>,
    ) -> Result<Option<Source>, PipelineError> {
        let Some(terms) = self.terms(&challenge).await? else {
            return Ok(None);
        };
        let row = async |paid| {
            let day = when.day.to_owned();
            let row = self.store.last_finalization(challenge.clone(), day, paid);
            row.await
        };
        let (last, good) = (row(false).await?, row(true).await?);
        let receipts = [&last, &good].map(|row| {
            let row = row.as_ref()?;
            Some((row.finalization.day.clone(), row.receipt.clone()?))
        });
        let last = last.map(Told::new).transpose()?;
        let good = good.map(Told::new).transpose()?;
        let part = terms.organic_part;
        let (chosen, organic_share) = if part <= 0.0 {
            (choose(last, good, when), None)
        } else if part >= 1.0 {
            let chosen = organic::choose(organic, good, when);
            let is_paid = chosen.origin != Origin::None;
            (chosen, is_paid.then_some(1.0))
        } else {
            let organic = organic::choose(organic, None, when);
            organic::join(choose(last, good, when), organic, part)
        };
        // All that organic rewards decided is of no finalization.
        let day = chosen.day.as_ref().filter(|_| organic_share != Some(1.0));
        let mut receipts = receipts.into_iter().flatten();
        let receipt = receipts.find(|(of, _)| Some(of) == day);
        Ok(Some(Source {
            receipt: receipt.map(|(_, receipt)| receipt),
            challenge,
            emission_percent: terms.emission_percent,
            origin: chosen.origin,
            day: chosen.day,
            lack: chosen.lack,
            weights: chosen.weights,
            organic_share,
        }))
    }

    /// What a challenge's record says of its weights; none if it has none.
    async fn terms(&self, challenge: &str) -> Result<Option<Terms>, PipelineError> {
        if let Some(plugin) = self.plugins.get(challenge) {
            let has = |capability| plugin.has(capability);
            return Ok(Some(Terms {
                emission_percent: plugin.emission_percent,
                organic_part: organic::part(has, plugin.given.organic.weights_share),
            }));
        }
        let record = self.store.registry_record(challenge.to_owned()).await?;
        let Some(record) = record else {
            return Ok(None);
        };
        let spec: serde_json::Value = serde_json::from_str(&record.spec)?;
        let told = |pointer| spec.pointer(pointer).and_then(serde_json::Value::as_f64);
        let Some(emission_percent) = told("/given/emission_percent") else {
            return Ok(None);
        };
        let capabilities: Vec<String> = serde_json::from_str(&record.capabilities)?;
        let has = |capability: Capability| capabilities.iter().any(|of| of == capability.name());
        let share = told("/given/organic/weights_share");
        let share = share.unwrap_or(config::Organic::default().weights_share);
        Ok(Some(Terms {
            emission_percent,
            organic_part: organic::part(has, share),
        }))
    }

    /// Who owns the repositories of the miners' last accepted commits, by hotkey.
    pub(super) async fn repository_owners(
        &self,
        challenge: &str,
    ) -> Result<BTreeMap<String, String>, PipelineError> {
        let artifacts = self.store.accepted_artifacts(challenge.to_owned()).await?;
        let owners = artifacts.into_iter().filter_map(|(hotkey, artifact)| {
            let owner = repository_owner(&artifact)?.to_owned();
            Some((hotkey, owner))
        });
        Ok(owners.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    fn told(day: u32, weights: Result<&[(&str, f64)], &str>) -> Option<Told> {
        Some(Told {
            day: format!("2026-08-{day:02}"),
            scheduled_at: f64::from(day) * DAY,
            weights: weights
                .map(|list| list.iter().map(|(h, w)| ((*h).to_owned(), *w)).collect())
                .map_err(|code| Lack {
                    code: code.to_owned(),
                    message: String::new(),
                }),
        })
    }

    /// The origin, the day, and the code of what lacks.
    fn choice(
        last: Option<Told>,
        good: Option<Told>,
        hours: f64,
    ) -> (Origin, Option<String>, Option<String>) {
        let when = When {
            day: "2026-08-22",
            waited_for: (hours < 1.0).then_some("2026-08-21"),
            at: 22.0 * DAY + hours * 3_600.0,
            max_age: 2.0 * DAY,
        };
        let chosen = choose(last, good, when);
        assert_eq!(chosen.weights.is_empty(), chosen.origin == Origin::None);
        (chosen.origin, chosen.day, chosen.lack.map(|lack| lack.code))
    }

    #[test]
    fn a_challenge_that_fails_is_replaced_by_its_last_good_weights_while_they_are_fresh() {
        let good = |day| told(day, Ok(&[("a", 1.0)]));
        let day = |day: u32| Some(format!("2026-08-{day:02}"));
        let own = choice(good(22), good(22), 30.0);
        assert_eq!(own, (Origin::Own, day(22), None));
        for code in ["trap", "timeout", "invalid_output", "empty"] {
            let failed = || told(22, Err(code));
            let lack = Some(code.to_owned());
            let fallback = choice(failed(), good(21), 0.1);
            assert_eq!(fallback, (Origin::Fallback, day(21), lack.clone()));
            let old = choice(failed(), good(20), 0.1);
            assert_eq!(old, (Origin::None, None, lack.clone()), "two days and more");
            assert_eq!(choice(failed(), None, 0.1), (Origin::None, None, lack));
        }
    }

    #[test]
    fn a_day_is_waited_for_before_the_one_before_it_becomes_a_fallback() {
        let yesterday = || told(21, Ok(&[("a", 1.0)]));
        let day = Some("2026-08-21".to_owned());
        let waited = choice(yesterday(), yesterday(), 0.5);
        assert_eq!(waited, (Origin::Own, day.clone(), None));
        let lack = Some("not_finalized".to_owned());
        let late = choice(yesterday(), yesterday(), 1.5);
        assert_eq!(late, (Origin::Fallback, day, lack.clone()));
        let old = choice(yesterday(), yesterday(), 25.0);
        assert_eq!(old, (Origin::None, None, lack));
        // One that is not there for longer is not waited for.
        let gone = told(20, Ok(&[("a", 1.0)]));
        let (origin, ..) = choice(gone.clone(), gone, 0.5);
        assert_eq!(origin, Origin::None);
        let never = Some("never_finalized".to_owned());
        assert_eq!(choice(None, None, 1.0), (Origin::None, None, never));
    }
}
