//! One evaluation and its verdict, as a host would come to them.

use crate::config;
use crate::plugins::grants;
use crate::sandbox::types::{Commit, Evaluated, Miner, ScoringLog, Submission, Verdict};
use crate::sandbox::{
    CallContext, CallReport, Description, Grants, Limits, PluginCall, PluginComponent, PluginError,
    Sandbox, SettingsProblem, SolveRecord, Submitted,
};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A challenge that is loaded, and what the configuration gives it.
#[derive(Debug)]
pub struct Subject {
    /// The component.
    pub component: PluginComponent,
    /// What it tells of itself.
    pub description: Description,
    /// Its section of the configuration.
    pub given: config::Challenge,
}

/// What an evaluation is about.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The challenge's settings, JSON, which it has taken
    /// ([`Subject::settings_problems`]).
    pub settings: Arc<str>,
    /// What the tasks are drawn by.
    pub seed: u64,
    /// The logical time, in seconds.
    pub now: f64,
    /// The submission's name.
    pub submission: Submission,
    /// What runs.
    pub submitted: Arc<Submitted>,
}

/// What an evaluation came to.
#[derive(Debug)]
pub struct Evaluation {
    /// The verdict, or the error of the call that failed.
    pub result: Result<Verdict, PluginError>,
    /// What each task came to; empty if `evaluate` failed.
    pub logs: Vec<ScoringLog>,
    /// Each run of the submission, in order.
    pub solves: Vec<SolveRecord>,
    /// What `evaluate` took.
    pub evaluated: CallReport,
    /// What `judge` took; none if it was not called.
    pub judged: Option<CallReport>,
}

impl Evaluation {
    /// What the call that failed took and wrote; if none did, that of `evaluate`.
    pub fn report(&self) -> &CallReport {
        match (&self.result, &self.judged) {
            (Err(_), Some(judged)) => judged,
            _ => &self.evaluated,
        }
    }

    /// Fuel of all runs of the submission.
    pub fn solver_fuel(&self) -> u64 {
        self.solves.iter().map(|solve| solve.fuel).sum()
    }
}

impl Subject {
    /// Loads a challenge, and asks it what it is. Blocks while it compiles.
    ///
    /// # Errors
    ///
    /// What keeps a host from loading it.
    pub async fn load(
        sandbox: &Sandbox,
        bytes: &[u8],
        config: &config::Config,
    ) -> Result<Self, PluginError> {
        let (component, _) = PluginComponent::load(sandbox, bytes)?;
        let described = component.describe(sandbox, &Limits::default()).await;
        let description = described.result?;
        Ok(Subject {
            given: config.challenge(&description.name),
            component,
            description,
        })
    }

    /// The settings of the configuration, JSON.
    pub fn settings(&self) -> String {
        serde_json::Value::Object(self.given.settings.clone()).to_string()
    }

    /// What the challenge finds wrong with settings; nothing if it takes them.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn settings_problems(
        &self,
        sandbox: &Sandbox,
        settings: &str,
    ) -> Result<Vec<SettingsProblem>, PluginError> {
        let call = PluginCall::bare(&self.given.limits);
        let called = self.component.validate_settings(sandbox, call, settings);
        called.await.result
    }

    /// What it may reach, with its volume below `directory`.
    ///
    /// # Errors
    ///
    /// The volume cannot be made.
    pub fn grants(&self, directory: &Path) -> io::Result<Grants> {
        grants(directory, &self.description.name, &self.given)
    }

    /// How a call of it is made, without a submission.
    pub fn call<'a>(&'a self, attempt: &Attempt, grants: &'a Grants) -> PluginCall<'a> {
        let context = CallContext {
            settings: Arc::clone(&attempt.settings),
            seed: attempt.seed,
            now: attempt.now,
        };
        PluginCall::new(context, &self.given.limits, grants)
    }

    /// Evaluates a submission, and judges it without anything to compare it with.
    pub async fn evaluate(
        &self,
        sandbox: &Sandbox,
        attempt: &Attempt,
        grants: &Grants,
    ) -> Evaluation {
        let call = PluginCall {
            submitted: Some(Arc::clone(&attempt.submitted)),
            ..self.call(attempt, grants)
        };
        let evaluate = self
            .component
            .evaluate(sandbox, call, &attempt.submission, &[]);
        let (called, solves) = evaluate.await;
        let evaluated = called.report;
        let logs = match called.result {
            Ok(logs) => logs,
            Err(error) => {
                return Evaluation {
                    result: Err(error),
                    logs: Vec::new(),
                    solves,
                    evaluated,
                    judged: None,
                };
            }
        };
        let call = self.call(attempt, grants);
        let about = attempt.of(logs.clone());
        let judged = self.component.judge(sandbox, call, &about).await;
        Evaluation {
            result: judged.result,
            logs,
            solves,
            evaluated,
            judged: Some(judged.report),
        }
    }
}

impl Attempt {
    /// What is judged: these logs of a commit of nobody.
    pub fn of(&self, scoring_logs: Vec<ScoringLog>) -> Evaluated {
        Evaluated {
            commit: commit("local".to_owned(), 1, self.now, self.submission.clone()),
            scoring_logs,
            comparisons: Vec::new(),
        }
    }
}

/// A commit of somebody who is not there.
pub(super) fn commit(
    hotkey: String,
    uid: u16,
    committed_at: f64,
    submission: Submission,
) -> Commit {
    Commit {
        miner: Miner {
            uid,
            hotkey,
            coldkey: None,
            axon_ip: None,
        },
        committed_at,
        submission,
    }
}
