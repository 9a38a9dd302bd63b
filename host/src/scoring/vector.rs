//! The weight vector of a day, once every challenge is through with it.

use super::finalize::PATIENCE;
use super::pipeline::{Pipeline, PipelineError};
use crate::plugins::RunState;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::sandbox::{Capability, Outcome};
use crate::store::{FinalizationRow, WeightVectorRow};
use crate::weights::{
    ChallengeWeights, Derivation, Limits, Policy, Quantised, Reported, aggregate, quantise,
};
use serde_json::json;
use std::collections::BTreeMap;

/// What a challenge pays, or why it pays nothing.
#[derive(Debug, Clone)]
pub struct Paid {
    /// Name of the challenge.
    pub challenge: String,
    /// The best accepted commit of each miner, by uid.
    pub standings: Vec<Standing>,
    /// What each hotkey gets; or the outcome's code and the reason.
    pub weights: Result<Vec<HotkeyWeight>, (String, String)>,
}

/// What a day came to.
#[derive(Debug, Clone)]
pub struct Finalized {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Each challenge.
    pub challenges: Vec<Paid>,
    /// The vector as the chain wants it.
    pub vector: Quantised,
    /// How it came about.
    pub derivation: Derivation,
}

impl Pipeline {
    /// Makes the vectors of the days that every challenge is through with, in
    /// order. Returns the last one that it made.
    pub(super) async fn make_vectors(&self, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let mut last = None;
        for day in self.store.days_without_vector().await? {
            if self.lacks_a_challenge(&day, now) {
                return Ok(last);
            }
            for plugin in self.plugins.active() {
                if plugin.has(Capability::GetWeights)
                    && self.unfinalized(&plugin, now).await?.contains(&day)
                {
                    return Ok(last);
                }
            }
            last = self.make_vector(day, now).await?.or(last);
        }
        Ok(last)
    }

    /// Whether a challenge that should run does not, so that its share would be lost
    /// for the day. It is waited for as long as for one that does not tell its weights.
    fn lacks_a_challenge(&self, day: &str, now: f64) -> bool {
        let challenges = self.plugins.all_running().into_iter();
        let mut missing = challenges.filter(|(_, running)| {
            running.active.is_none()
                && matches!(running.state, RunState::Loading | RunState::Failed)
        });
        missing.next().is_some() && now < self.schedule.finalized_at(day) + PATIENCE
    }

    /// What a challenge's record says of its share, in percent; none if it has none.
    async fn emission_of(&self, challenge: &str) -> Result<Option<f64>, PipelineError> {
        if let Some(plugin) = self.plugins.get(challenge) {
            return Ok(Some(plugin.emission_percent));
        }
        let record = self.store.registry_record(challenge.to_owned()).await?;
        let Some(record) = record else {
            return Ok(None);
        };
        let spec: serde_json::Value = serde_json::from_str(&record.spec)?;
        let percent = spec.pointer("/given/emission_percent");
        Ok(percent.and_then(serde_json::Value::as_f64))
    }

    async fn make_vector(&self, day: String, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let rows = self.store.finalizations_of(day.clone()).await?;
        let mut challenges = Vec::new();
        for row in rows {
            challenges.push(paid(row)?);
        }
        let mut reported = BTreeMap::new();
        // All that were finalized on the day, whether they run now or not.
        for paid in &challenges {
            let Some(emission_percent) = self.emission_of(&paid.challenge).await? else {
                continue;
            };
            let weights = match &paid.weights {
                Ok(weights) => {
                    let weights = weights.iter().map(|w| (w.hotkey.clone(), w.weight));
                    Reported::Weights(weights.collect())
                }
                Err((outcome, reason)) => Reported::Failed(format!("{outcome}: {reason}")),
            };
            reported.insert(
                paid.challenge.clone(),
                ChallengeWeights {
                    emission_percent,
                    reported: weights,
                },
            );
        }
        let policy = Policy {
            unassigned: self.config.weights.unassigned,
            no_miner: self.config.weights.no_miner,
            limits: Limits::default(),
        };
        let aggregated = aggregate(&reported, self.metagraph.uids(), policy)?;
        let vector = quantise(&aggregated.weights)?;
        let row = WeightVectorRow {
            day: day.clone(),
            uids: json!(vector.uids).to_string(),
            values: json!(vector.values).to_string(),
            derivation: serde_json::to_string(&aggregated.derivation)?,
        };
        if !self.store.put_vector(row, now).await? {
            return Ok(None);
        }
        tracing::info!(day, uids = ?vector.uids, values = ?vector.values, "finalized");
        Ok(Some(Finalized {
            day,
            challenges,
            vector,
            derivation: aggregated.derivation,
        }))
    }
}

fn paid(row: FinalizationRow) -> Result<Paid, PipelineError> {
    let row = row.finalization;
    let weights = if row.outcome == Outcome::Ok.code() {
        Ok(serde_json::from_str(&row.weights)?)
    } else {
        Err((row.outcome, row.message.unwrap_or_default()))
    };
    Ok(Paid {
        challenge: row.challenge,
        standings: serde_json::from_str(&row.standings)?,
        weights,
    })
}
