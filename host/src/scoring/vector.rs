//! The weight vector of each day, once every challenge is through with it.

use super::finalize::PATIENCE;
use super::organic::pays;
use super::pipeline::{Pipeline, PipelineError};
use super::sources::Source;
use crate::chain::Metagraph;
use crate::plugins::RunState;
use crate::sandbox::Outcome;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::store::{FinalizationRow, Notice, OutboxKind, WeightVectorRow};
use crate::weights::{
    Aggregated, Derivation, Limits, Miner, NoMiner, Policy, Quantised, SameMiner, aggregate,
    quantise,
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
                if pays(&plugin) && self.unfinalized(&plugin, now).await?.contains(&day) {
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

    async fn make_vector(&self, day: String, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let sources = self.sources_of_day(&day).await?;
        let (aggregated, refused) = self.aggregate(&sources).await?;
        if let Some(reason) = refused {
            tracing::error!(day, reason, "there is no weight vector of the day");
        }
        let vector = quantise(&aggregated.weights)?;
        let row = WeightVectorRow {
            day: day.clone(),
            uids: json!(vector.uids).to_string(),
            values: json!(vector.values).to_string(),
            derivation: serde_json::to_string(&aggregated.derivation)?,
        };
        // What was told of the day's last finalization may be without its vector.
        let notices = match self.config.storage.url {
            Some(_) => vec![Notice {
                kind: OutboxKind::State,
                subject: String::new(),
            }],
            None => Vec::new(),
        };
        if !self.store.put_vector(row, notices, now).await? {
            return Ok(None);
        }
        tracing::info!(day, uids = ?vector.uids, values = ?vector.values, "finalized");
        let rows = self.store.finalizations_of(day.clone()).await?;
        Ok(Some(Finalized {
            day,
            challenges: rows.into_iter().map(paid).collect::<Result<_, _>>()?,
            vector,
            derivation: aggregated.derivation,
        }))
    }

    /// One vector of all, and why the subnet would take none, if nobody earned anything
    /// and what the operator wants then cannot meet its limits.
    pub(super) async fn aggregate(
        &self,
        sources: &[Source],
    ) -> Result<(Aggregated, Option<String>), PipelineError> {
        let rules = &self.config.weights;
        let mut challenges = BTreeMap::new();
        for source in sources {
            let owners = match rules.same_miner {
                SameMiner::Off => BTreeMap::new(),
                SameMiner::KeepBest => self.repository_owners(&source.challenge).await?,
            };
            challenges.insert(source.challenge.clone(), source.reported(owners));
        }
        let metagraph = self.metagraph();
        let miners = metagraph.neurons().map(|neuron| {
            let miner = Miner {
                uid: neuron.uid,
                axon_ip: neuron.axon_ip,
                coldkey: neuron.coldkey.clone(),
            };
            (neuron.hotkey.clone(), miner)
        });
        let policy = Policy {
            unassigned: rules.unassigned,
            same_miner: rules.same_miner,
            no_miner: rules.zero_miner,
            limits: limits(&metagraph),
        };
        let miners = miners.collect();
        match aggregate(&challenges, &miners, policy) {
            Ok(aggregated) => Ok((aggregated, None)),
            Err(error) => {
                let policy = Policy {
                    no_miner: NoMiner::Skip,
                    ..policy
                };
                let aggregated = aggregate(&challenges, &miners, policy)?;
                Ok((aggregated, Some(error.to_string())))
            }
        }
    }
}

/// What the subnet accepts; anything if its metagraph does not tell.
pub(super) fn limits(metagraph: &Metagraph) -> Limits {
    let told = metagraph.hyperparameters();
    told.map_or_else(Limits::default, |told| Limits {
        // A subnet of fewer neurons wants one weight for each.
        min_allowed_weights: told
            .min_allowed_weights
            .min(u16::try_from(metagraph.neurons().len()).unwrap_or(u16::MAX)),
        max_weight_limit: told.max_weight_limit,
    })
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
