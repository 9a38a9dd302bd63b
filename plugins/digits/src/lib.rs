//! Example challenge: recognize handwritten digits.
//!
//! A task is a batch of images, drawn by the seed from those that were held out;
//! a solution is their labels; the score is the share that is right. Two solvers
//! resemble each other as far as they make the same mistakes: anybody can be
//! right, but only a copy is wrong in the same way.
//!
//! Its routes show the standings, give away a sample of a task, and take
//! submissions.

mod routes;

use digits_data::{Image, held_out};
use proctor_sdk::rand::seq::SliceRandom;
use proctor_sdk::ranking::{Acceptance, VerdictRules};
use proctor_sdk::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Context, Controller, Evaluation,
    JsonSchema, SettingsProblem, SolveError, Weights, schemars,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of the challenge.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Settings {
    /// Tasks per evaluation.
    pub tasks: u32,
    /// Images per task.
    pub batch_size: u32,
    /// The least score that is accepted, 0 to 1.
    pub min_score: f64,
    /// The most similarity to an earlier submission that is accepted, 0 to 1.
    pub max_similarity: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            tasks: 10,
            batch_size: 50,
            min_score: 0.5,
            max_similarity: 0.6,
        }
    }
}

/// What a submission gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// 64 pixels each, by rows, 0 (white) to 16 (black).
    pub images: Vec<Vec<u8>>,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solution {
    /// One label per image, 0 to 9.
    pub labels: Vec<u8>,
}

/// The challenge.
#[derive(Debug)]
pub struct Digits(Settings);

impl Challenge for Digits {
    type Settings = Settings;
    const NAME: &'static str = "digits";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = env!("CARGO_PKG_DESCRIPTION");

    fn new(settings: Settings) -> Self {
        Digits(settings)
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        let images = held_out().len();
        let wanted = settings.tasks.saturating_mul(settings.batch_size) as usize;
        [
            (
                "tasks",
                settings.tasks == 0 || wanted > images,
                format!("tasks times batch_size must be 1 to {images}, not {wanted}"),
            ),
            (
                "batch_size",
                settings.batch_size == 0,
                "must be at least 1".to_owned(),
            ),
            (
                "min_score",
                !(0.0..=1.0).contains(&settings.min_score),
                format!("{} is not in 0..=1", settings.min_score),
            ),
            (
                "max_similarity",
                !(0.0..=1.0).contains(&settings.max_similarity),
                format!("{} is not in 0..=1", settings.max_similarity),
            ),
        ]
        .into_iter()
        .filter(|(_, wrong, _)| *wrong)
        .map(|(path, _, message)| SettingsProblem {
            path: path.to_owned(),
            message,
        })
        .collect()
    }
}

impl Controller for Digits {
    type Task = Task;
    type Solution = Solution;

    fn task_count(&self) -> u32 {
        self.0.tasks
    }

    fn make_task(&self, context: &Context<'_>, index: u32) -> Result<Task, ChallengeError> {
        // One shuffle for all tasks, so that no image comes twice.
        let mut images: Vec<&Image> = held_out().map(|(image, _)| image).collect();
        images.shuffle(&mut context.rng(0));
        let batch = self.0.batch_size as usize;
        Ok(Task {
            images: images
                .into_iter()
                .skip(index as usize * batch)
                .take(batch)
                .map(|image| image.to_vec())
                .collect(),
        })
    }

    fn score(&self, task: &Task, solution: &Solution) -> Result<f64, String> {
        let (wanted, got) = (task.images.len(), solution.labels.len());
        if got != wanted {
            return Err(format!("{got} labels for {wanted} images"));
        }
        let truth = Truth::new();
        let right = task
            .images
            .iter()
            .zip(&solution.labels)
            .filter(|(image, label)| truth.label(image) == Some(**label))
            .count();
        Ok(right as f64 / wanted as f64)
    }

    fn verdict_rules(&self) -> VerdictRules {
        VerdictRules {
            acceptance: Acceptance {
                min_score: self.0.min_score,
                max_penalty: self.0.max_similarity,
            },
            ..VerdictRules::default()
        }
    }
}

/// What the held-out images show.
struct Truth(BTreeMap<&'static [u8], u8>);

impl Truth {
    fn new() -> Self {
        let labelled = held_out().map(|(image, label)| (image.as_slice(), label));
        Truth(labelled.collect())
    }

    fn label(&self, image: &[u8]) -> Option<u8> {
        self.0.get(image).copied()
    }
}

/// What a submission said of each image.
type Answers = BTreeMap<Vec<u8>, u8>;

fn add_answers(answers: &mut Answers, task: &str, solution: &str) {
    let (Ok(task), Ok(solution)) = (
        serde_json::from_str::<Task>(task),
        serde_json::from_str::<Solution>(solution),
    ) else {
        return;
    };
    if task.images.len() == solution.labels.len() {
        answers.extend(task.images.into_iter().zip(solution.labels));
    }
}

fn answers(evaluation: &Evaluation) -> Answers {
    let mut answers = Answers::new();
    for log in &evaluation.scoring_logs {
        if let Some(solution) = &log.solution {
            add_answers(&mut answers, &log.task, solution);
        }
    }
    answers
}

/// Tasks of a reference that are replayed on a candidate which got others.
const REPLAYED_TASKS: usize = 3;

impl Comparer for Digits {
    fn similarity(
        &self,
        context: &Context<'_>,
        candidate: &Evaluation,
        reference: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError> {
        let mut candidates = answers(candidate);
        let references = answers(reference);
        if !references
            .keys()
            .any(|image| candidates.contains_key(image))
        {
            for log in reference.scoring_logs.iter().take(REPLAYED_TASKS) {
                match context.solve(&log.task) {
                    Ok(solution) => add_answers(&mut candidates, &log.task, &solution),
                    Err(SolveError::Failed(_)) => {}
                    Err(SolveError::Unavailable(why)) => {
                        return Err(ChallengeError::Unavailable(why));
                    }
                }
            }
        }
        let truth = Truth::new();
        let (mut wrong, mut alike) = (0_u32, 0_u32);
        for (image, label) in &candidates {
            let Some(other) = references.get(image) else {
                continue;
            };
            let right = truth.label(image);
            if Some(*label) != right || Some(*other) != right {
                wrong += 1;
                alike += u32::from(label == other);
            }
        }
        Ok(ComparisonLog {
            reference: reference.submission.digest.clone(),
            similarity: if wrong == 0 {
                0.0
            } else {
                f64::from(alike) / f64::from(wrong)
            },
            reason: Some(match wrong {
                0 => "neither made a mistake on the same images".to_owned(),
                _ => format!("the same mistake on {alike} of {wrong} images that one got wrong"),
            }),
        })
    }
}

impl Weights for Digits {}

proctor_sdk::export!(Digits: controller, comparer, weights, routes);

#[cfg(test)]
mod tests {
    use super::*;
    use digits_solvers::{FirstExample, Knn, Linear, NearestCentroid};
    use proctor_sdk::testing::Harness;
    use proctor_sdk::{Solver, Submission};

    fn evaluation<S: Solver>(seed: u64) -> Evaluation {
        let harness = Harness::<Digits>::new().seed(seed).submission::<S>();
        Evaluation {
            submission: Submission {
                digest: "d".repeat(64),
            },
            scoring_logs: harness.evaluate(Vec::new()).unwrap(),
        }
    }

    fn mean_score<S: Solver>() -> f64 {
        let logs = evaluation::<S>(1).scoring_logs;
        logs.iter().map(|log| log.score).sum::<f64>() / logs.len() as f64
    }

    #[test]
    fn better_solvers_score_higher() {
        let scores = [
            mean_score::<FirstExample>(),
            mean_score::<NearestCentroid>(),
            mean_score::<Linear>(),
            mean_score::<Knn>(),
        ];
        assert!(scores.is_sorted(), "{scores:?}");
        assert!(scores[0] > 0.4 && scores[3] > 0.95, "{scores:?}");
    }

    #[test]
    fn the_seed_decides_the_tasks() {
        let tasks = |seed| {
            let logs = evaluation::<FirstExample>(seed).scoring_logs;
            logs.into_iter().map(|log| log.task).collect::<Vec<_>>()
        };
        assert_eq!(tasks(1), tasks(1));
        assert_ne!(tasks(1), tasks(2));
    }

    fn similarity<S: Solver>(candidate: &Evaluation, reference: &Evaluation) -> f64 {
        let harness = Harness::<Digits>::new().submission::<S>();
        let logs = harness
            .compare(candidate, std::slice::from_ref(reference))
            .unwrap();
        logs[0].similarity
    }

    #[test]
    fn only_a_copy_makes_the_same_mistakes() {
        let (knn, linear) = (evaluation::<Knn>(1), evaluation::<Linear>(1));
        assert_eq!(similarity::<Knn>(&knn, &knn), 1.0);
        assert!(similarity::<Linear>(&linear, &knn) < 0.5);
    }

    #[test]
    fn a_reference_of_another_day_is_replayed() {
        let harness = Harness::<Digits>::new()
            .settings(r#"{"tasks": 1}"#)
            .submission::<Knn>();
        let today = Evaluation {
            scoring_logs: harness.evaluate(Vec::new()).unwrap(),
            ..evaluation::<Knn>(1)
        };
        let drawn = answers(&today);
        let others = Task {
            images: held_out()
                .map(|(image, _)| image.to_vec())
                .filter(|image| !drawn.contains_key(image))
                .collect(),
        };
        let task = serde_json::to_string(&others).unwrap();
        let earlier = Evaluation {
            scoring_logs: harness.evaluate(vec![task]).unwrap(),
            ..today.clone()
        };
        // The two have no image in common, so without a replay nothing is alike.
        assert_eq!(similarity::<Knn>(&today, &earlier), 1.0);
        assert!(similarity::<Linear>(&today, &earlier) < 0.5);
    }

    #[test]
    fn a_solution_of_the_wrong_length_scores_nothing() {
        let logs = Harness::<Digits>::new()
            .solver(|_| Ok(r#"{"labels":[1]}"#.to_owned()))
            .evaluate(Vec::new())
            .unwrap();
        assert!(logs.iter().all(|log| log.score == 0.0));
        assert_eq!(logs[0].error.as_deref(), Some("1 labels for 50 images"));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let problems = |json: &str| {
            let harness = Harness::<Digits>::new().settings(json);
            let problems = harness.validate_settings().err().unwrap_or_default();
            problems.into_iter().map(|p| p.path).collect::<Vec<_>>()
        };
        assert!(problems("{}").is_empty());
        assert_eq!(problems(r#"{"tasks":100}"#), ["tasks"]);
        assert_eq!(
            problems(r#"{"min_score":2,"max_similarity":-1}"#),
            ["min_score", "max_similarity"]
        );
    }
}
