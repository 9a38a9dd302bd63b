//! The weight vector of a day, once every challenge is through with it.

use super::pipeline::{Pipeline, PipelineError};
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
            for plugin in self.plugins.active() {
                if plugin.has(Capability::GetWeights)
                    && self.unfinalized(plugin.name(), now).await?.contains(&day)
                {
                    return Ok(last);
                }
            }
            last = self.make_vector(day, now).await?.or(last);
        }
        Ok(last)
    }

    async fn make_vector(&self, day: String, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let rows = self.store.finalizations_of(day.clone()).await?;
        let mut challenges = Vec::new();
        for row in rows {
            challenges.push(paid(row)?);
        }
        let mut reported = BTreeMap::new();
        for plugin in self.plugins.active() {
            let paid = challenges.iter().find(|c| c.challenge == plugin.name());
            let Some(paid) = paid.filter(|_| plugin.has(Capability::GetWeights)) else {
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
                    emission_percent: plugin.emission_percent,
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
