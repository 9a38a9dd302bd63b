//! A challenge that is told what each submission comes to: its settings have the
//! score and the tokens by digest. Two submissions are alike as far as they have
//! the same tokens. So a test can play any day through, to the number.

use proctor_sdk::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Context, Controller, Evaluated, Evaluation,
    JsonSchema, ScoringLog, Submission, Verdict, Weights, schemars,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct Settings {
    /// By digest of the artifact.
    submissions: BTreeMap<String, Scripted>,
    /// Who resembles an earlier one this much is not accepted.
    penalty_threshold: f64,
    /// Tasks of each submission.
    tasks: u32,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
struct Scripted {
    score: f64,
    tokens: BTreeSet<u32>,
}

#[derive(Serialize, Deserialize)]
struct Task {
    task: u64,
}

#[derive(Serialize, Deserialize)]
struct Solution {
    tokens: BTreeSet<u32>,
}

struct Tokens(Settings);

impl Challenge for Tokens {
    type Settings = Settings;
    const NAME: &'static str = "c1";
    const VERSION: &'static str = "0.1.0";

    fn new(settings: Settings) -> Self {
        Tokens(settings)
    }
}

fn internal(problem: impl ToString) -> ChallengeError {
    ChallengeError::Internal(problem.to_string())
}

impl Controller for Tokens {
    type Task = Task;
    type Solution = Solution;

    fn task_count(&self) -> u32 {
        self.0.tasks
    }

    fn make_task(&self, context: &Context<'_>, index: u32) -> Result<Task, ChallengeError> {
        let task = context.seed().wrapping_add(index.into());
        Ok(Task { task })
    }

    fn score(&self, _: &Task, _: &Solution) -> Result<f64, String> {
        Err("the settings tell the score".into())
    }

    fn evaluate(
        &self,
        context: &Context<'_>,
        submission: &Submission,
        _: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        let scripted = self.0.submissions.get(&submission.digest);
        let Scripted { score, tokens } = scripted
            .ok_or_else(|| internal("not in the settings"))?
            .clone();
        let solution = serde_json::to_string(&Solution { tokens }).map_err(internal)?;
        let log = |index| {
            let task = self.make_task(context, index)?;
            Ok(ScoringLog {
                task: serde_json::to_string(&task).map_err(internal)?,
                solution: Some(solution.clone()),
                score,
                baseline_score: None,
                error: None,
            })
        };
        (0..self.task_count()).map(log).collect()
    }

    fn judge(&self, _: &Context<'_>, evaluated: &Evaluated) -> Result<Verdict, ChallengeError> {
        let logs = &evaluated.scoring_logs;
        let score = logs.iter().map(|log| log.score).sum::<f64>() / logs.len() as f64;
        let logs = evaluated.comparisons.iter().flat_map(|c| &c.logs);
        let penalty = logs.map(|log| log.similarity).fold(0.0, f64::max);
        Ok(Verdict {
            score,
            penalty,
            accepted: penalty < self.0.penalty_threshold,
            reason: None,
        })
    }
}

impl Comparer for Tokens {
    fn similarity(
        &self,
        _: &Context<'_>,
        candidate: &Evaluation,
        reference: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError> {
        let (one, other) = (tokens(candidate)?, tokens(reference)?);
        let (both, any) = (one.intersection(&other).count(), one.union(&other).count());
        Ok(ComparisonLog {
            reference: reference.submission.digest.clone(),
            similarity: both as f64 / any as f64,
            reason: None,
        })
    }
}

fn tokens(of: &Evaluation) -> Result<BTreeSet<u32>, ChallengeError> {
    let solution = of
        .scoring_logs
        .first()
        .and_then(|log| log.solution.as_ref());
    let solution = solution.ok_or_else(|| internal("no solution"))?;
    let Solution { tokens } = serde_json::from_str(solution).map_err(internal)?;
    Ok(tokens)
}

impl Weights for Tokens {}

proctor_sdk::export!(Tokens: controller, comparer, weights);
