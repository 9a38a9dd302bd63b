//! Handing assignments out.

use super::rules::{self, is_picked};
use super::{Assignment, report, result_digest};
use crate::config::Runner;
use crate::plugins::ActivePlugin;
use crate::sandbox::Capability;
use crate::sandbox::types::ScoringLog;
use crate::scoring::Pipeline;
use crate::store::{
    AssignmentRow, AssignmentSubject, EvaluationRow, JobKey, NewAssignment, StoreError,
    ValidatorNode, Wanted,
};
use std::sync::Arc;

/// Finalized commits of a challenge that one pull looks at, at most; the next one goes
/// on.
const MAX_LOOKED_AT: u32 = 1_000;

/// Assignments of a challenge that one pull adds, at most: each wants an evaluation's
/// logs to be read.
const MAX_NEW: usize = 50;

/// Leases that one pull ends, at most.
const MAX_ENDED: u32 = 1_000;

/// What a validator asks for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// How many assignments it wants to have, those included that it has. Default:
    /// `validators.max_open_per_validator`, which is also the most.
    pub max: Option<u32>,
    /// Its sandbox's identity: it is given what was evaluated in such a one. Default:
    /// anything.
    pub engine: Option<String>,
}

/// Gives a validator assignments until it has as many as it asks for, or there are no
/// more; returns all that it has then. So asking again gives nothing more. Before that,
/// it ends leases that are over, and adds assignments of what was finalized since.
///
/// # Errors
///
/// See [`StoreError`].
pub async fn pull(
    pipeline: &Pipeline,
    validator: &ValidatorNode,
    asked: Asked,
    now: f64,
) -> Result<Vec<Assignment>, StoreError> {
    let rules = &pipeline.config.validators;
    end_leases(pipeline, now).await?;
    let mut active = pipeline.plugins.active();
    active.retain(|plugin| is_repeatable(plugin));
    for plugin in &active {
        fill(pipeline, plugin, now).await?;
    }
    active.retain(|plugin| {
        let engine = asked.engine.as_deref();
        let of_engine = |identity| plugin.engine.strip_prefix(identity);
        let runs = engine
            .is_none_or(|identity| of_engine(identity).is_some_and(|rest| rest.starts_with('+')));
        runs && validator.works_for(plugin.name())
    });
    let most = rules.max_open_per_validator;
    let wanted = Wanted {
        validator: validator.hotkey.clone(),
        versions: active.iter().map(|plugin| version(plugin)).collect(),
        most: asked.max.unwrap_or(most).min(most),
        online_since: now - rules.offline_s,
        now,
        lease_until: now + rules.lease_s,
    };
    let leased = pipeline.store.lease_assignments(wanted).await?;
    let described = leased.into_iter().filter_map(|(row, subject)| {
        // A version that it had before is not there to be described.
        let mut active = active.iter();
        let plugin = active.find(|plugin| is_version(&subject.key, plugin))?;
        Some(describe(&row, subject, plugin))
    });
    Ok(described.collect())
}

/// An assignment that a validator has now, for who wants to see what is in it.
///
/// # Errors
///
/// See [`StoreError`]; within, a [`Refusal`](super::Refusal), and none if there is no
/// such assignment.
pub async fn assignment(
    pipeline: &Pipeline,
    id: i64,
    validator: &str,
    now: f64,
) -> Result<Option<Result<AssignmentSubject, super::Refusal>>, StoreError> {
    let found = pipeline.store.assignment(id).await?;
    Ok(found.map(|(row, subject)| rules::holds(&row, validator, now).map(|()| subject)))
}

/// Ends the leases that are over, and tells of what came of it.
pub(super) async fn end_leases(pipeline: &Pipeline, now: f64) -> Result<(), StoreError> {
    let rules = pipeline.config.validators.clone();
    let over = move |row: &mut AssignmentRow| {
        rules::lease_over(row, now, &rules);
        report::event(row, now)
    };
    let ended = pipeline.store.end_leases(now, MAX_ENDED, over).await?;
    for row in &ended {
        report::tell(&pipeline.metrics, row);
    }
    Ok(())
}

/// Whether the result of an evaluation depends on nothing but what an assignment says:
/// a validator has neither the challenge's volume nor its database nor its runner, and
/// its environment is not for validators to see.
fn is_repeatable(plugin: &ActivePlugin) -> bool {
    let given = &plugin.given;
    plugin.has(Capability::Scoring)
        && !given.data
        && !given.database
        && given.environment.is_empty()
        && given.runner == Runner::Component
}

/// Adds assignments of a challenge's evaluations that were finalized since the last
/// look, by the version that is active.
async fn fill(pipeline: &Pipeline, plugin: &ActivePlugin, now: f64) -> Result<(), StoreError> {
    let (store, challenge) = (&pipeline.store, plugin.name().to_owned());
    let (seed, share) = (
        pipeline.deployment_seed(),
        pipeline.config.validators.audit_share,
    );
    let mut mark = None;
    let mut new = Vec::new();
    let found = store.finalized_evaluations(challenge.clone(), MAX_LOOKED_AT);
    for found in found.await? {
        if new.len() == MAX_NEW {
            break;
        }
        let id = found.evaluation_id;
        mark = Some(found.mark);
        if !found.repeatable || !is_picked(seed, id, share) {
            continue;
        }
        // It may have left the database meanwhile.
        let Some(evaluation) = store.evaluation_by_id(id).await? else {
            continue;
        };
        // Nobody has the settings of another version any more.
        if !is_version(&evaluation.key, plugin) {
            continue;
        }
        match expected(&evaluation) {
            Ok(expected) => new.push(NewAssignment {
                evaluation_id: id,
                expected,
            }),
            Err(error) => tracing::error!(evaluation = id, %error, "what is stored cannot be read"),
        }
    }
    let Some(mark) = mark else { return Ok(()) };
    let added = store
        .add_assignments(challenge.clone(), mark, new, now)
        .await?;
    if added > 0 {
        tracing::info!(challenge, added, "evaluations to be done again");
    }
    Ok(())
}

/// The digest that an evaluation must come to.
fn expected(evaluation: &EvaluationRow) -> Result<String, serde_json::Error> {
    let logs: Vec<ScoringLog> = serde_json::from_str(&evaluation.logs)?;
    result_digest(&evaluation.outcome, &logs)
}

/// A version of a challenge, as evaluations name it; without an artifact.
fn version(plugin: &ActivePlugin) -> JobKey {
    JobKey {
        challenge: plugin.name().to_owned(),
        plugin_digest: plugin.component.digest().to_owned(),
        settings_digest: plugin.settings_digest.clone(),
        artifact_digest: String::new(),
        engine: plugin.engine.clone(),
    }
}

fn is_version(key: &JobKey, plugin: &ActivePlugin) -> bool {
    let artifact_digest = key.artifact_digest.clone();
    let version = JobKey {
        artifact_digest,
        ..version(plugin)
    };
    *key == version
}

fn describe(
    row: &AssignmentRow,
    subject: AssignmentSubject,
    plugin: &Arc<ActivePlugin>,
) -> Assignment {
    let AssignmentSubject { key, seed, now } = subject;
    Assignment {
        id: row.id,
        challenge: key.challenge,
        lease_until: row.lease_until.unwrap_or_default(),
        attempt: row.attempts,
        plugin_digest: key.plugin_digest,
        settings_digest: key.settings_digest,
        artifact_digest: key.artifact_digest,
        engine: key.engine,
        settings: plugin.settings.to_string(),
        limits: plugin.limits,
        solver_limits: plugin.solver_limits,
        seed: seed.to_string(),
        logical_time: now,
        // Evaluations have none of their own yet.
        seed_tasks: Vec::new(),
    }
}
