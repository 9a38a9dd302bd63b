//! Doing an evaluation again, away from the host that did it first.

use super::{Assignment, result_digest};
use crate::plugins::engine;
use crate::sandbox::types::Submission;
use crate::sandbox::{
    CallContext, Grants, Outcome, PluginCall, PluginComponent, PluginError, Sandbox,
    SolverComponent, Submitted, sha256_hex,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redone {
    /// A result.
    Result {
        /// Its [digest](result_digest).
        digest: String,
        /// How it ended.
        outcome: Outcome,
        /// Fuel that the challenge used.
        fuel: u64,
    },
    /// None: it could be another one at another time, or on another machine.
    Unable {
        /// How it ended, if it was begun.
        outcome: Option<Outcome>,
        /// Why, for people.
        detail: String,
    },
}

/// Does an evaluation again, with nothing but what the assignment says and these two
/// components, of which each is what its digest says or is not run. Takes as long as
/// the evaluation, and compiles both.
pub async fn redo(
    sandbox: &Sandbox,
    assignment: &Assignment,
    component: Vec<u8>,
    artifact: Vec<u8>,
) -> Redone {
    let unable = |outcome, detail: String| Redone::Unable { outcome, detail };
    if let Some(problem) = problem(sandbox, assignment, &component, &artifact) {
        return unable(None, problem);
    }
    let Ok(seed) = assignment.seed.parse() else {
        return unable(
            None,
            format!("the seed is no number: {:?}", assignment.seed),
        );
    };
    let compiled = tokio::task::spawn_blocking({
        let sandbox = sandbox.clone();
        move || {
            let solver =
                SolverComponent::load(&sandbox, &artifact).map(|(solver, _)| solver.into());
            PluginComponent::load(&sandbox, &component).map(|(plugin, _)| (plugin, solver))
        }
    });
    let (plugin, solver) = match compiled.await {
        Ok(Ok(compiled)) => compiled,
        Ok(Err(error)) => return unable(Some(error.outcome), error.message),
        Err(error) => return unable(Some(Outcome::HostError), error.to_string()),
    };
    let context = CallContext {
        settings: assignment.settings.as_str().into(),
        seed,
        now: assignment.logical_time,
    };
    let grants = Grants::default();
    let call = PluginCall {
        submitted: Some(Arc::new(Submitted {
            solver,
            limits: assignment.solver_limits,
        })),
        ..PluginCall::new(context, &assignment.limits, &grants)
    };
    let submission = Submission {
        digest: assignment.artifact_digest.clone(),
    };
    let (called, solves) = plugin
        .evaluate(sandbox, call, &submission, &assignment.seed_tasks)
        .await;
    if solves.iter().any(|solve| solve.outcome == Outcome::Timeout) {
        let why = "a task passed its time limit: this machine is slow, or busy";
        return unable(Some(Outcome::Timeout), why.into());
    }
    let (outcome, logs) = match called.result {
        Ok(logs) => (Outcome::Ok, logs),
        Err(PluginError {
            outcome, message, ..
        }) if outcome.is_transient() => return unable(Some(outcome), message),
        Err(error) => (error.outcome, Vec::new()),
    };
    match result_digest(outcome.code(), &logs) {
        Ok(digest) => Redone::Result {
            digest,
            outcome,
            fuel: called.report.fuel,
        },
        Err(error) => unable(Some(Outcome::HostError), error.to_string()),
    }
}

/// Why an assignment cannot be done here, if it cannot.
fn problem(
    sandbox: &Sandbox,
    assignment: &Assignment,
    component: &[u8],
    artifact: &[u8],
) -> Option<String> {
    let settings = assignment.settings.as_bytes();
    for (what, content, digest) in [
        ("component", component, &assignment.plugin_digest),
        ("artifact", artifact, &assignment.artifact_digest),
        ("settings", settings, &assignment.settings_digest),
    ] {
        let found = sha256_hex(content);
        if found != *digest {
            return Some(format!(
                "the {what} should have digest {digest}, and has {found}"
            ));
        }
    }
    let (limits, solver_limits) = (assignment.limits, assignment.solver_limits);
    let here = engine(sandbox, limits, solver_limits, &BTreeMap::new()).unwrap_or_default();
    (here != assignment.engine)
        .then(|| format!("the engine should be {}, and is {here}", assignment.engine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Limits, SandboxConfig};
    use proctor_testing::guest_bytes;

    const SETTINGS: &str = r#"{"tasks": 2, "batch_size": 10, "min_score": 0.2}"#;

    fn sandbox() -> (tempfile::TempDir, Sandbox) {
        let directory = tempfile::tempdir().unwrap();
        let config = SandboxConfig {
            max_concurrent_calls: 1,
            ..SandboxConfig::new(directory.path())
        };
        let sandbox = Sandbox::new(&config).unwrap();
        (directory, sandbox)
    }

    fn assignment(sandbox: &Sandbox, artifact: &[u8]) -> Assignment {
        let (limits, solver_limits) = (Limits::default(), Limits::solver());
        Assignment {
            id: 1,
            challenge: "digits".into(),
            lease_until: 0.0,
            attempt: 1,
            plugin_digest: sha256_hex(&guest_bytes("digits")),
            settings_digest: sha256_hex(SETTINGS.as_bytes()),
            artifact_digest: sha256_hex(artifact),
            engine: engine(sandbox, limits, solver_limits, &BTreeMap::new()).unwrap(),
            settings: SETTINGS.into(),
            limits,
            solver_limits,
            seed: u64::MAX.to_string(),
            logical_time: 1_787_356_800.0,
            seed_tasks: Vec::new(),
        }
    }

    #[tokio::test]
    async fn the_same_comes_of_it_each_time_and_something_else_of_another_seed() {
        let (_directory, sandbox) = sandbox();
        let artifact = guest_bytes("knn");
        let assignment = assignment(&sandbox, &artifact);
        let redo = |assignment: Assignment| {
            let (sandbox, artifact) = (sandbox.clone(), artifact.clone());
            async move { redo(&sandbox, &assignment, guest_bytes("digits"), artifact).await }
        };
        let first = redo(assignment.clone()).await;
        assert!(
            matches!(
                &first,
                Redone::Result {
                    outcome: Outcome::Ok,
                    ..
                }
            ),
            "{first:?}"
        );
        assert_eq!(redo(assignment.clone()).await, first);
        let other = Assignment {
            seed: "1".into(),
            ..assignment
        };
        assert_ne!(redo(other).await, first);
    }

    #[tokio::test]
    async fn nothing_is_run_that_is_not_what_the_assignment_says() {
        let (_directory, sandbox) = sandbox();
        let artifact = guest_bytes("knn");
        let good = assignment(&sandbox, &artifact);
        let wrong = |change: fn(&mut Assignment)| {
            let mut assignment = good.clone();
            change(&mut assignment);
            let (sandbox, artifact) = (sandbox.clone(), artifact.clone());
            async move {
                match redo(&sandbox, &assignment, guest_bytes("digits"), artifact).await {
                    Redone::Unable {
                        outcome: None,
                        detail,
                    } => detail,
                    other => panic!("{other:?}"),
                }
            }
        };
        let other = |a: &mut Assignment| a.plugin_digest = "0".repeat(64);
        assert!(wrong(other).await.starts_with("the component"));
        let other = |a: &mut Assignment| a.artifact_digest = "0".repeat(64);
        assert!(wrong(other).await.starts_with("the artifact"));
        let other = |a: &mut Assignment| a.settings.push(' ');
        assert!(wrong(other).await.starts_with("the settings"));
        let other = |a: &mut Assignment| a.limits.fuel += 1;
        assert!(wrong(other).await.starts_with("the engine"));
        let other = |a: &mut Assignment| a.seed = "-1".into();
        assert!(wrong(other).await.starts_with("the seed"));
    }
}
