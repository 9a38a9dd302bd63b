//! The traits that an author implements: one per capability.

use crate::context::Context;
use crate::ranking::{EmissionRules, Scored, VerdictRules};
use crate::{
    ChallengeError, ComparisonLog, Evaluated, Evaluation, Failure, HotkeyWeight, JsonSchema,
    ScoringLog, SettingsProblem, SolveError, SolveFailure, Standing, Submission, Verdict,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What every challenge has: a name, a version and settings.
///
/// A value of the type lives for one call of the host and is made from the
/// settings, so that nothing can leak from one submission to the next.
pub trait Challenge: Sized {
    /// The settings. Missing fields should have defaults
    /// (`#[serde(default, deny_unknown_fields)]`), so that `{}` is valid.
    type Settings: DeserializeOwned + JsonSchema;

    /// Name that commits call the challenge by: 1 to 64 of `a-z`, `0-9`, `-`,
    /// `_`, first a letter or digit.
    const NAME: &'static str;
    /// Version of the plugin (semver): `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// One sentence for people.
    const SUMMARY: &'static str = "";

    /// Makes the challenge for one call. The settings have passed
    /// [`check_settings`](Self::check_settings).
    fn new(settings: Self::Settings) -> Self;

    /// What the type of the settings cannot say: ranges and how fields belong
    /// together. Returns every problem; none by default.
    fn check_settings(settings: &Self::Settings) -> Vec<SettingsProblem> {
        let _ = settings;
        Vec::new()
    }
}

/// The capability `scoring`.
///
/// With [`make_task`](Self::make_task) and [`score`](Self::score) the defaults
/// do the rest: as many tasks as [`task_count`](Self::task_count) says, each
/// solved by the submission and scored, and a verdict by
/// [`verdict_rules`](Self::verdict_rules).
pub trait Controller: Challenge {
    /// The challenge's input to a submission, sent as JSON.
    type Task: Serialize + DeserializeOwned;
    /// A submission's answer, read from JSON.
    type Solution: DeserializeOwned;

    /// Most bytes of a solution. A longer one is not even read, and scores 0. 64 KiB by
    /// default.
    const MAX_SOLUTION_BYTES: usize = 64 << 10;

    /// How many tasks a submission gets.
    fn task_count(&self) -> u32;

    /// Makes task number `index`, counted from 0, from the context's seed. The
    /// same seed and index must give the same task.
    ///
    /// Errors: see [`ChallengeError`].
    fn make_task(&self, context: &Context<'_>, index: u32) -> Result<Self::Task, ChallengeError>;

    /// Scores one solution; usually 0 (worthless) to 1 (perfect), and finite.
    ///
    /// Errors: why the solution is worth nothing. It becomes the `error` of a
    /// scoring log with score 0 before the baseline.
    fn score(&self, task: &Self::Task, solution: &Self::Solution) -> Result<f64, String>;

    /// What a reference solution of the challenge's own scores on a task. It is
    /// subtracted from each submission's score, also from the 0 of a submission
    /// that failed. None by default.
    fn baseline(&self, task: &Self::Task) -> Option<f64> {
        let _ = task;
        None
    }

    /// How score and similarity become a verdict.
    fn verdict_rules(&self) -> VerdictRules {
        VerdictRules::default()
    }

    /// Evaluates one submission: the seed tasks first, then tasks of its own up
    /// to [`task_count`](Self::task_count). A task that the submission fails
    /// scores 0 with the failure as its error.
    ///
    /// Errors: `unavailable` if the runner is; `internal` if a seed task cannot
    /// be read; whatever `make_task` returns.
    fn evaluate(
        &self,
        context: &Context<'_>,
        submission: &Submission,
        seed_tasks: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        let _ = submission;
        let made = u32::try_from(seed_tasks.len()).unwrap_or(u32::MAX);
        let mut tasks = Vec::with_capacity(seed_tasks.len());
        for json in seed_tasks {
            let task = serde_json::from_str(&json)
                .map_err(|e| ChallengeError::Internal(format!("seed task: {e}")))?;
            tasks.push((json, task));
        }
        for index in made..self.task_count() {
            let task = self.make_task(context, index)?;
            let json = serde_json::to_string(&task)
                .map_err(|e| ChallengeError::Internal(format!("task {index}: {e}")))?;
            tasks.push((json, task));
        }
        tasks
            .into_iter()
            .map(|(json, task)| attempt(self, context, json, &task))
            .collect()
    }

    /// Judges a commit by [`verdict_rules`](Self::verdict_rules).
    ///
    /// Errors: see [`ChallengeError`]; none by default.
    fn judge(
        &self,
        context: &Context<'_>,
        evaluated: &Evaluated,
    ) -> Result<Verdict, ChallengeError> {
        let _ = context;
        let scores = evaluated.scoring_logs.iter().map(|log| log.score);
        let similarities = evaluated
            .comparisons
            .iter()
            .flat_map(|comparison| &comparison.logs)
            .map(|log| log.similarity);
        let judgement = self
            .verdict_rules()
            .judge(scores, similarities)
            .ok_or_else(|| ChallengeError::Internal("judged without scoring logs".into()))?;
        Ok(Verdict {
            // Below zero only if the submission did worse than the baseline.
            score: judgement.score.max(0.0),
            penalty: judgement.penalty,
            accepted: judgement.accepted,
            reason: None,
        })
    }
}

/// Most characters of a log's error: a submission may have chosen part of it.
const MAX_ERROR: usize = 1000;

fn short(error: String) -> String {
    if error.chars().nth(MAX_ERROR).is_none() {
        return error;
    }
    error.chars().take(MAX_ERROR - 1).chain(['…']).collect()
}

fn attempt<C: Controller>(
    challenge: &C,
    context: &Context<'_>,
    json: String,
    task: &C::Task,
) -> Result<ScoringLog, ChallengeError> {
    // Failing is worth 0 before the baseline is taken off, like any other
    // worthless answer: to give up must not pay.
    let baseline_score = challenge.baseline(task);
    let log = |task, solution, score: f64, error: Option<String>| ScoringLog {
        task,
        solution,
        score: score - baseline_score.unwrap_or(0.0),
        baseline_score,
        error: error.map(short),
    };
    let solution = match context.solve(&json) {
        Ok(solution) => solution,
        Err(SolveError::Unavailable(why)) => return Err(ChallengeError::Unavailable(why)),
        Err(SolveError::Failed(failure)) => {
            return Ok(log(json, None, 0.0, Some(failure_text(&failure))));
        }
    };
    let (size, most) = (solution.len(), C::MAX_SOLUTION_BYTES);
    if size > most {
        let error = format!("malformed solution: {size} bytes, at most {most}");
        return Ok(log(json, None, 0.0, Some(error)));
    }
    let scored = serde_json::from_str(&solution)
        .map_err(|e| format!("malformed solution: {e}"))
        .and_then(|parsed| challenge.score(task, &parsed));
    Ok(match scored {
        Ok(score) => log(json, Some(solution), score, None),
        Err(error) => log(json, Some(solution), 0.0, Some(error)),
    })
}

/// A failure as the error of a scoring log: the code, then the message.
fn failure_text(failure: &SolveFailure) -> String {
    let code = match failure.code {
        Failure::GuestError => "guest_error",
        Failure::Trap => "trap",
        Failure::OutOfFuel => "out_of_fuel",
        Failure::Timeout => "timeout",
        Failure::OutOfMemory => "out_of_memory",
        Failure::StackOverflow => "stack_overflow",
        Failure::Denied => "denied",
        Failure::InvalidOutput => "invalid_output",
        Failure::LinkError => "link_error",
    };
    match failure.message.as_str() {
        "" => code.to_owned(),
        message => format!("{code}: {message}"),
    }
}

/// The capability `comparison`.
pub trait Comparer: Challenge {
    /// How alike a candidate and one reference are.
    ///
    /// Errors: see [`ChallengeError`].
    fn similarity(
        &self,
        context: &Context<'_>,
        candidate: &Evaluation,
        reference: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError>;

    /// Compares a candidate with a batch of references; by default one
    /// [`similarity`](Self::similarity) each.
    ///
    /// Errors: see [`ChallengeError`].
    fn compare(
        &self,
        context: &Context<'_>,
        candidate: &Evaluation,
        references: &[Evaluation],
    ) -> Result<Vec<ComparisonLog>, ChallengeError> {
        references
            .iter()
            .map(|reference| self.similarity(context, candidate, reference))
            .collect()
    }
}

/// The capability `get_weights`.
pub trait Weights: Challenge {
    /// How a standing's worth decays and spreads.
    fn emission_rules(&self) -> EmissionRules {
        EmissionRules::default()
    }

    /// Turns standings into weights; by default decay, then softmax over the
    /// standings that are worth anything, by
    /// [`emission_rules`](Self::emission_rules).
    ///
    /// Errors: see [`ChallengeError`]; none by default.
    fn get_weights(
        &self,
        context: &Context<'_>,
        standings: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        let scores = standings.iter().map(|standing| Scored {
            score: standing.score,
            scored_at: standing.scored_at,
        });
        let weights = self.emission_rules().weights(scores, context.now());
        Ok(standings
            .into_iter()
            .zip(weights)
            .map(|(standing, weight)| HotkeyWeight {
                hotkey: standing.commit.miner.hotkey,
                weight,
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Harness;

    #[derive(Default, serde::Deserialize, schemars::JsonSchema)]
    struct Settings {}

    struct Halving;

    impl Challenge for Halving {
        type Settings = Settings;
        const NAME: &'static str = "halving";
        const VERSION: &'static str = "1.0.0";

        fn new(_: Settings) -> Self {
            Halving
        }
    }

    impl Controller for Halving {
        type Task = u32;
        type Solution = f64;

        fn task_count(&self) -> u32 {
            2
        }

        fn make_task(&self, _: &Context<'_>, index: u32) -> Result<u32, ChallengeError> {
            Ok(index)
        }

        fn score(&self, _: &u32, solution: &f64) -> Result<f64, String> {
            if *solution < 0.0 {
                Err("negative".into())
            } else {
                Ok(*solution)
            }
        }

        fn baseline(&self, _: &u32) -> Option<f64> {
            Some(0.5)
        }
    }

    fn scores(answer: Result<&'static str, SolveError>) -> Vec<(f64, Option<String>)> {
        let harness = Harness::<Halving>::new();
        let logs = harness
            .solver(move |_| answer.clone().map(str::to_owned))
            .evaluate(Vec::new());
        logs.unwrap()
            .into_iter()
            .map(|log| (log.score, log.error))
            .collect()
    }

    #[test]
    fn failing_does_not_pay_more_than_answering_badly() {
        assert_eq!(scores(Ok("0.3"))[0], (0.3 - 0.5, None));
        assert_eq!(scores(Ok("-1"))[0], (-0.5, Some("negative".into())));
        assert_eq!(scores(Ok("{"))[0].0, -0.5);
        let failure = SolveFailure {
            code: Failure::OutOfFuel,
            message: "no fuel".into(),
        };
        let failed = scores(Err(SolveError::Failed(failure)));
        assert_eq!(failed[0], (-0.5, Some("out_of_fuel: no fuel".into())));
    }

    #[test]
    fn what_a_submission_answers_makes_no_log_long() {
        let long = format!("0.5{}", " ".repeat(Halving::MAX_SOLUTION_BYTES));
        let harness = Harness::<Halving>::new().solver(move |_| Ok(long.clone()));
        let log = harness.evaluate(Vec::new()).unwrap().remove(0);
        let error = "malformed solution: 65539 bytes, at most 65536";
        assert_eq!((log.solution, log.error), (None, Some(error.into())));
        let wrong = format!("{:?}", "x".repeat(5_000));
        let harness = Harness::<Halving>::new().solver(move |_| Ok(wrong.clone()));
        let log = harness.evaluate(Vec::new()).unwrap().remove(0);
        assert_eq!(log.error.unwrap().chars().count(), MAX_ERROR);
        assert!(log.solution.is_some());
        let failure = SolveFailure {
            code: Failure::GuestError,
            message: "x".repeat(5_000),
        };
        let error = scores(Err(SolveError::Failed(failure)))
            .remove(0)
            .1
            .unwrap();
        assert_eq!(error.chars().count(), MAX_ERROR);
        assert!(error.ends_with('…'), "{error}");
    }

    #[test]
    fn seed_tasks_come_first_and_count() {
        let harness = Harness::<Halving>::new().solver(|task| Ok(task.to_owned()));
        let tasks = |seeds: Vec<String>| -> Vec<String> {
            let logs = harness.evaluate(seeds).unwrap();
            logs.into_iter().map(|log| log.task).collect()
        };
        assert_eq!(tasks(vec!["7".into()]), ["7", "1"]);
        assert_eq!(
            tasks(vec!["7".into(), "8".into(), "9".into()]),
            ["7", "8", "9"]
        );
        assert!(matches!(
            harness.evaluate(vec!["x".into()]),
            Err(ChallengeError::Internal(_))
        ));
    }

    #[test]
    fn nothing_is_scored_while_the_runner_is_away() {
        let harness = Harness::<Halving>::new();
        assert!(matches!(
            harness.evaluate(Vec::new()),
            Err(ChallengeError::Unavailable(_))
        ));
    }
}
