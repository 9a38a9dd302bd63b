//! Example challenge, ported from a Docker container: tell which framework drives a
//! browser, and whether it has a window.
//!
//! A task is what a page could see of one visit; a solution is what the submission takes
//! the visitor for. The order of the visits is drawn from the seed: each framework some
//! times with a window and some times without, and people among them. The [`formula`] is
//! the container's, over the whole order.
//!
//! docs/from-docker.md goes through the port, part by part.

mod compare;
pub mod formula;
mod sessions;
mod settings;

pub use sessions::Task;
pub use settings::{Framework, Settings};

use formula::Answer;
use proctor_sdk::ranking::{Aggregate, VerdictRules, similarity_penalty};
use proctor_sdk::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Context, Controller, Evaluated, Evaluation,
    ScoringLog, SettingsProblem, SolveError, Submission, Verdict, Weights,
};
use serde::{Deserialize, Serialize};

/// What a submission answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solution {
    /// The frameworks that it saw; none for a person.
    pub detected: Vec<String>,
    /// Whether the browser has no window.
    pub headless: Option<bool>,
}

impl From<Solution> for Answer {
    fn from(solution: Solution) -> Self {
        Answer {
            detected: solution.detected,
            headless: solution.headless,
        }
    }
}

/// The challenge.
#[derive(Debug)]
pub struct AbSniffer(Settings);

impl Challenge for AbSniffer {
    type Settings = Settings;
    const NAME: &'static str = "ab-sniffer";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = env!("CARGO_PKG_DESCRIPTION");

    fn new(settings: Settings) -> Self {
        AbSniffer(settings)
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        settings.problems()
    }
}

impl Controller for AbSniffer {
    type Task = Task;
    type Solution = Solution;

    fn task_count(&self) -> u32 {
        self.0.sessions()
    }

    fn make_task(&self, context: &Context<'_>, index: u32) -> Result<Task, ChallengeError> {
        let order = sessions::order(&self.0, context);
        let session = order.get(index as usize);
        let session = session.ok_or_else(|| ChallengeError::Internal("no such session".into()))?;
        Ok(sessions::task(&self.0, context, index, session))
    }

    fn score(&self, _: &Task, _: &Solution) -> Result<f64, String> {
        Err("one session is worth nothing by itself: see `evaluate`".to_owned())
    }

    /// Every session is a task, and has the submission start anew. The formula is over
    /// all of them, so each log has the score of the whole order.
    ///
    /// Like the container, a session that the submission does not answer, or in no form
    /// that can be read, is left out of the answers and fails nothing else.
    fn evaluate(
        &self,
        context: &Context<'_>,
        _: &Submission,
        seed_tasks: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        let mut logs = Vec::new();
        let mut answers = Vec::new();
        for (index, session) in (0..).zip(sessions::order(&self.0, context)) {
            let task = json(&sessions::task(&self.0, context, index, &session))?;
            if seed_tasks
                .get(index as usize)
                .is_some_and(|seed| *seed != task)
            {
                return Err(foreign_tasks());
            }
            let (solution, answer) = ask(context, &task)?;
            logs.push(ScoringLog {
                task,
                solution,
                score: 0.0,
                baseline_score: None,
                error: match &answer {
                    Ok(answer) => session.fault(answer).map(|fault| fault.text().to_owned()),
                    Err(error) => Some(error.clone()),
                },
            });
            answers.push((session, answer.ok()));
        }
        if seed_tasks.len() > logs.len() {
            return Err(foreign_tasks());
        }
        let score = formula::score(&self.0.weights(), &answers);
        for log in &mut logs {
            log.score = score;
        }
        Ok(logs)
    }

    fn verdict_rules(&self) -> VerdictRules {
        VerdictRules {
            // All logs have the same score, and the greatest of them is exactly it.
            aggregate: Aggregate::Max,
            acceptance: self.0.acceptance,
            ..VerdictRules::default()
        }
    }

    /// A copy is worth nothing, whatever it detects. What resembles a miner's own
    /// earlier commit is held against it only if it is nearly the same.
    fn judge(&self, _: &Context<'_>, evaluated: &Evaluated) -> Result<Verdict, ChallengeError> {
        let screening = self.0.screening;
        let hotkey = &evaluated.commit.miner.hotkey;
        let similarities = || {
            let logs = evaluated.comparisons.iter().flat_map(|comparison| {
                let own = comparison.reference.miner.hotkey == *hotkey;
                comparison.logs.iter().map(move |log| (log.similarity, own))
            });
            let counted = logs.filter(|(similarity, own)| screening.counts(*similarity, *own));
            counted.map(|(similarity, _)| similarity)
        };
        let copy = screening.is_copy(similarity_penalty(similarities()));
        let scores = evaluated.scoring_logs.iter().map(|log| log.score);
        let scores = scores.map(|score| if copy { 0.0 } else { score });
        let judged = self
            .verdict_rules()
            .judge(scores, similarities())
            .ok_or_else(|| ChallengeError::Internal("judged without scoring logs".into()))?;
        Ok(Verdict {
            score: judged.score,
            penalty: judged.penalty,
            accepted: judged.accepted,
            reason: copy.then(|| "it makes the mistakes of an earlier commit".to_owned()),
        })
    }
}

/// The submission's answer as it came, and what is made of it.
///
/// Errors: `unavailable` if the runner is.
fn ask(
    context: &Context<'_>,
    task: &str,
) -> Result<(Option<String>, Result<Answer, String>), ChallengeError> {
    match context.solve(task) {
        Ok(text) => {
            let solution = serde_json::from_str::<Solution>(&text);
            let answer = solution.map(Answer::from);
            let answer = answer.map_err(|error| format!("malformed solution: {error}"));
            Ok((Some(text), answer))
        }
        Err(SolveError::Failed(failure)) => {
            Ok((None, Err(format!("no answer: {}", failure.message))))
        }
        Err(SolveError::Unavailable(why)) => Err(ChallengeError::Unavailable(why)),
    }
}

fn json(task: &Task) -> Result<String, ChallengeError> {
    serde_json::to_string(task).map_err(|error| ChallengeError::Internal(format!("task: {error}")))
}

/// Only the order says what happened in a session; its task must not.
fn foreign_tasks() -> ChallengeError {
    ChallengeError::Internal("seed tasks that are not of this seed and these settings".to_owned())
}

impl Comparer for AbSniffer {
    fn similarity(
        &self,
        context: &Context<'_>,
        candidate: &Evaluation,
        reference: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError> {
        compare::similarity(context, candidate, reference)
    }
}

impl Weights for AbSniffer {}

proctor_sdk::export!(AbSniffer: controller, comparer, weights);
