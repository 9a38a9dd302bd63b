//! What a day comes to: standings, weights of each challenge, one vector.

use super::pipeline::{Pipeline, PipelineError};
use super::references::order;
use crate::clock;
use crate::plugins::ActivePlugin;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::sandbox::{CallContext, Capability, Outcome, PluginCall};
use crate::store::{CommitRow, CommitState, Finalization, WeightVectorRow};
use crate::weights::{
    ChallengeWeights, Derivation, Limits, Policy, Quantised, Reported, aggregate, quantise,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a challenge pays, or why it pays nothing.
#[derive(Debug, Clone)]
pub struct Paid {
    /// Name of the challenge.
    pub challenge: String,
    /// The best accepted commit of each miner, by uid.
    pub standings: Vec<Standing>,
    /// What each hotkey gets; or the outcome and the reason.
    pub weights: Result<Vec<HotkeyWeight>, (Outcome, String)>,
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

/// Seconds after the scoring hour in which a challenge that cannot tell its
/// weights is asked again.
pub const PATIENCE: f64 = 3_600.0;

impl Pipeline {
    /// Turns the standings into one weight vector and stores it, once per day.
    /// Returns nothing if the day is finalized already, or if a challenge cannot
    /// tell its weights now but may within [`PATIENCE`] after the hour.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`]; the day is not finalized then.
    pub async fn finalize(&self, now: f64) -> Result<Option<Finalized>, PipelineError> {
        let day = clock::day(now);
        if self.store.weight_vector(day.clone()).await?.is_some() {
            return Ok(None);
        }
        let (mut challenges, mut records) = (Vec::new(), Vec::new());
        let mut reported = BTreeMap::new();
        for plugin in self.plugins.active() {
            if !plugin.has(Capability::GetWeights) {
                continue;
            }
            let paid = self.pay(&plugin, now).await?;
            if let Err((outcome, _)) = &paid.weights
                && asks_again(*outcome, now, self.config.scoring.hour)
            {
                return Ok(None);
            }
            reported.insert(
                paid.challenge.clone(),
                ChallengeWeights {
                    emission_percent: plugin.emission_percent,
                    reported: match &paid.weights {
                        Ok(weights) => Reported::Weights(
                            weights
                                .iter()
                                .map(|w| (w.hotkey.clone(), w.weight))
                                .collect(),
                        ),
                        Err((outcome, reason)) => Reported::Failed(format!("{outcome}: {reason}")),
                    },
                },
            );
            records.push(record(&paid, &plugin)?);
            challenges.push(paid);
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
        if !self.store.finalize(row, records, now).await? {
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

    async fn pay(&self, plugin: &ActivePlugin, now: f64) -> Result<Paid, PipelineError> {
        let commits = self.store.commits_of(plugin.name()).await?;
        let registered =
            |commit: &&CommitRow| self.metagraph.uid_of(&commit.miner_hotkey).is_some();
        let standings: Vec<Standing> = best_commits(commits.iter().filter(registered))
            .map(|commit| Standing {
                commit: self.commit(commit),
                score: commit.score.unwrap_or_default(),
                scored_at: commit.judged_at.unwrap_or_default(),
            })
            .collect();
        let mut standings = standings;
        standings.sort_by_key(|standing| standing.commit.miner.uid);
        let call = PluginCall {
            context: CallContext {
                settings: Arc::clone(&plugin.settings),
                seed: 0,
                now,
            },
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: None,
        };
        let called = plugin
            .component
            .get_weights(&self.sandbox, call, &standings)
            .await;
        self.metrics.paid(plugin.name(), called.outcome());
        let weights = called.result.map_err(|error| {
            tracing::error!(challenge = plugin.name(), %error, "a challenge tells no weights");
            (error.outcome, error.message)
        });
        Ok(Paid {
            challenge: plugin.name().to_owned(),
            standings,
            weights,
        })
    }
}

/// Whether to ask a challenge for its weights again rather than to finalize
/// without it.
fn asks_again(outcome: Outcome, now: f64, hour: u8) -> bool {
    outcome.is_transient() && now < clock::at_hour(now, hour) + PATIENCE
}

/// The best accepted commit of each miner: a later one replaces it if its score
/// is higher, or perfect (RedTeam's `update_best_commit`).
fn best_commits<'a>(
    commits: impl Iterator<Item = &'a CommitRow>,
) -> impl Iterator<Item = &'a CommitRow> {
    let mut accepted: Vec<&CommitRow> = commits
        .filter(|commit| commit.state == CommitState::Judged && commit.accepted == Some(true))
        .collect();
    accepted.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut best: BTreeMap<&str, &CommitRow> = BTreeMap::new();
    for commit in accepted {
        let score = commit.score.unwrap_or_default();
        let replaces = best
            .get(commit.miner_hotkey.as_str())
            .is_none_or(|best| score > best.score.unwrap_or_default() || score == 1.0);
        if replaces {
            best.insert(&commit.miner_hotkey, commit);
        }
    }
    best.into_values()
}

fn record(paid: &Paid, plugin: &ActivePlugin) -> Result<Finalization, PipelineError> {
    let (outcome, message, weights) = match &paid.weights {
        Ok(weights) => (Outcome::Ok, None, weights.as_slice()),
        Err((outcome, reason)) => (*outcome, Some(reason.clone()), &[][..]),
    };
    Ok(Finalization {
        challenge: paid.challenge.clone(),
        plugin_digest: plugin.component.digest().to_owned(),
        outcome: outcome.code(),
        message,
        standings: serde_json::to_string(&paid.standings)?,
        weights: serde_json::to_string(weights)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: i64, hotkey: &str, score: f64, accepted: bool) -> CommitRow {
        CommitRow {
            committed_at: Some(id as f64),
            state: CommitState::Judged,
            score: Some(score),
            accepted: Some(accepted),
            ..CommitRow::sample(id, hotkey)
        }
    }

    #[test]
    fn a_passing_failure_is_waited_out_for_an_hour_and_no_other() {
        let hour = 1_787_410_800.0; // 15:00
        assert!(asks_again(Outcome::Unavailable, hour, 15));
        assert!(asks_again(Outcome::Timeout, hour + 3_599.0, 15));
        assert!(!asks_again(Outcome::Unavailable, hour + 3_600.0, 15));
        assert!(!asks_again(Outcome::Trap, hour, 15));
        assert!(!asks_again(Outcome::InvalidOutput, hour, 15));
    }

    #[test]
    fn a_standing_is_the_best_accepted_commit() {
        let best = |commits: &[CommitRow]| {
            best_commits(commits.iter())
                .map(|c| c.id)
                .collect::<Vec<_>>()
        };
        let commits = [
            commit(1, "a", 0.5, true),
            commit(2, "a", 0.9, false),
            commit(3, "a", 0.7, true),
            commit(4, "a", 0.7, true),
            commit(5, "b", 0.0, false),
            commit(6, "c", 1.0, true),
            commit(7, "c", 1.0, true),
        ];
        assert_eq!(
            best(&commits),
            [3, 7],
            "equals stay, a perfect one is renewed"
        );
        assert!(best(&[]).is_empty());
    }
}
