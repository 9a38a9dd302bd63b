//! A challenge after the peer's `ab_sniffer`, as its author would port it: a
//! solution holds a script, and scripts are validated, compared and scored. What
//! the peer asks of services, a golden case answers.
//!
//! | of the peer's controller | here |
//! |---|---|
//! | `/solve`, `/check/challenge`, `/score` | `evaluate`, once per artifact |
//! | `/compare/all`, `/compare`, `/compare/same-score` | `compare`, a log of each kind |
//! | whose commits they are, limits, the order, `/compare/baseline-scripts` | `judge` |
//!
//! The peer saves itself the scoring of a copy. Here the scoring log keeps what
//! the script is worth, and the verdict makes it 0.

use proctor_sdk::ranking::{SameScore, Screening, VerdictRules, similarity_penalty};
use proctor_sdk::{
    Challenge, ChallengeError, Comparer, Comparison, ComparisonLog, Context, Controller, Evaluated,
    Evaluation, Failure, JsonSchema, ScoringLog, SolveError, Submission, Verdict,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Similarity to any other miner's script from which nothing else is looked at.
const ALIKE: f64 = 0.6;
const INVALID: &str = "Invalid submission";
const DAY: f64 = 86_400.0;

/// What a comparison log was taken from, by the names that the golden cases have
/// for the default answers.
pub(crate) const ALL: &str = "compare/all";
pub(crate) const ONE: &str = "compare";
pub(crate) const SAME_SCORE: &str = "same-score";
/// The mark of a reference that scored too little to be copied.
const POOR: &str = "below the least score";
const KINDS: [&str; 4] = [ALL, ONE, SAME_SCORE, POOR];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    tasks: u32,
    /// Name of the script in a solution.
    identifier: String,
    rules: VerdictRules,
    screening: Screening,
    same_score: SameScore,
    /// Score from which a commit of the same day is a reference.
    least_score: f64,
    /// References that `compare` is asked about.
    max_references: Option<usize>,
    services: Services,
}

#[derive(Debug)]
pub(crate) struct Sniffer(Settings);

impl Challenge for Sniffer {
    type Settings = Settings;
    const NAME: &'static str = "sniffer";
    const VERSION: &'static str = "1.0.0";

    fn new(settings: Settings) -> Self {
        Sniffer(settings)
    }
}

impl Controller for Sniffer {
    type Task = Value;
    type Solution = Value;

    fn task_count(&self) -> u32 {
        self.0.tasks
    }

    fn make_task(&self, _: &Context<'_>, index: u32) -> Result<Value, ChallengeError> {
        Ok(json!({"t": index + 1}))
    }

    fn score(&self, _: &Value, _: &Value) -> Result<f64, String> {
        Err("a failing service is not the submission's fault: see `evaluate`".into())
    }

    fn evaluate(
        &self,
        context: &Context<'_>,
        _: &Submission,
        _: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        (0..self.0.tasks)
            .map(|index| self.attempt(context, index))
            .collect()
    }

    fn judge(&self, _: &Context<'_>, evaluated: &Evaluated) -> Result<Verdict, ChallengeError> {
        let Settings {
            rules, screening, ..
        } = &self.0;
        let references = references(evaluated);
        let commit = &evaluated.commit;
        let others = references
            .iter()
            .filter(|reference| reference.reference.miner.uid != commit.miner.uid);
        let alike = similarity_penalty(others.flat_map(|reference| found(reference, ALL)));
        let mut similarities = if alike >= ALIKE {
            vec![alike]
        } else if error(evaluated) == Some(INVALID) {
            vec![1.0]
        } else {
            self.similarities(evaluated, &references)?
        };
        let copy = screening.is_copy(similarity_penalty(similarities.iter().copied()));
        if !copy {
            similarities.extend(self.same_score(evaluated));
        }
        let scores = evaluated.scoring_logs.iter().map(|log| log.score);
        let scores = scores.map(|score| if copy { 0.0 } else { score });
        let judged = rules
            .judge(scores, similarities)
            .ok_or_else(|| ChallengeError::Internal("judged without scoring logs".into()))?;
        Ok(Verdict {
            score: judged.score,
            penalty: judged.penalty,
            accepted: judged.accepted,
            reason: None,
        })
    }
}

impl Sniffer {
    fn attempt(&self, context: &Context<'_>, index: u32) -> Result<ScoringLog, ChallengeError> {
        let task = self.make_task(context, index)?.to_string();
        let log = |solution, score, error| ScoringLog {
            task: task.clone(),
            solution,
            score,
            baseline_score: None,
            error,
        };
        let solution = match context.solve(&task) {
            Ok(solution) => solution,
            Err(SolveError::Unavailable(why)) => return Err(ChallengeError::Unavailable(why)),
            Err(SolveError::Failed(failure)) => {
                let code = match failure.code {
                    Failure::Timeout => "timeout",
                    _ => "guest_error",
                };
                let error = format!("{code}: {}", failure.message);
                return Ok(log(None, 0.0, Some(error)));
            }
        };
        let script = self.script(&solution);
        Ok(if self.0.services.is_valid(script.as_deref())? {
            let score = self.0.services.score(script.as_deref())?;
            log(Some(solution), score, None)
        } else {
            log(Some(solution), 0.0, Some(INVALID.into()))
        })
    }

    fn script(&self, solution: &str) -> Option<String> {
        let solution: Value = serde_json::from_str(solution).ok()?;
        solution[&self.0.identifier].as_str().map(str::to_owned)
    }

    fn script_of(&self, logs: &[ScoringLog]) -> Option<String> {
        let mut solutions = logs.iter().filter_map(|log| log.solution.as_ref());
        solutions.next().and_then(|solution| self.script(solution))
    }

    /// What counts, up to the first reference that the commit copies; with the
    /// baseline's scripts, if it copies none.
    fn similarities(
        &self,
        evaluated: &Evaluated,
        references: &[&Comparison],
    ) -> Result<Vec<f64>, ChallengeError> {
        let screening = &self.0.screening;
        let mut similarities = Vec::new();
        let asked = self.0.max_references.unwrap_or(usize::MAX);
        for reference in references.iter().take(asked) {
            let own = reference.reference.miner.hotkey == evaluated.commit.miner.hotkey;
            for similarity in found(reference, ONE).filter(|s| screening.counts(*s, own)) {
                similarities.push(similarity);
                if similarity > screening.copy_from {
                    return Ok(similarities);
                }
            }
        }
        if evaluated.scoring_logs.iter().any(|l| l.solution.is_some()) {
            similarities.extend(self.0.services.baseline()?);
        }
        Ok(similarities)
    }

    /// Like the peer, among the references of earlier days only.
    fn same_score<'a>(&'a self, evaluated: &'a Evaluated) -> impl Iterator<Item = f64> + 'a {
        let earlier = evaluated
            .comparisons
            .iter()
            .filter(|reference| !same_day(evaluated, reference));
        earlier
            .flat_map(|reference| found(reference, SAME_SCORE))
            .filter(|similarity| self.0.same_score.counts(*similarity))
    }
}

impl Comparer for Sniffer {
    fn similarity(
        &self,
        _: &Context<'_>,
        _: &Evaluation,
        _: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError> {
        Err(ChallengeError::Internal("see `compare`".into()))
    }

    fn compare(
        &self,
        _: &Context<'_>,
        candidate: &Evaluation,
        references: &[Evaluation],
    ) -> Result<Vec<ComparisonLog>, ChallengeError> {
        let mut logs = Vec::new();
        for reference in references {
            let (score, reference_score) = (raw_score(candidate), raw_score(reference));
            let mut kinds = vec![(ALL, "all"), (ONE, "cmp")];
            if self.0.same_score.applies(score, reference_score) {
                kinds.push((SAME_SCORE, "same"));
            }
            let mut log = |kind: &str, similarity| {
                logs.push(ComparisonLog {
                    reference: reference.submission.digest.clone(),
                    similarity,
                    reason: Some(kind.into()),
                });
            };
            let scripts = [candidate, reference].map(|e| self.script_of(&e.scoring_logs));
            for (kind, service) in kinds {
                let similarity = self.0.services.similarity(kind, service, &scripts)?;
                log(kind, similarity);
            }
            if reference_score < self.0.least_score {
                log(POOR, 0.0);
            }
        }
        Ok(logs)
    }
}

/// Those that can have been copied: of the same day, only what is worth something.
fn references(evaluated: &Evaluated) -> Vec<&Comparison> {
    let worthless = |reference: &Comparison| {
        let poor = |log: &ComparisonLog| log.reason.as_deref() == Some(POOR);
        reference.reference_score == Some(0.0) || reference.logs.iter().any(poor)
    };
    let comparisons = evaluated.comparisons.iter();
    comparisons
        .filter(|reference| !(same_day(evaluated, reference) && worthless(reference)))
        .collect()
}

fn same_day(evaluated: &Evaluated, reference: &Comparison) -> bool {
    let day = |at: f64| at.div_euclid(DAY);
    day(evaluated.commit.committed_at) == day(reference.reference.committed_at)
}

/// Similarities of one kind, and what the host itself says of the same artifact.
fn found<'a>(reference: &'a Comparison, kind: &'a str) -> impl Iterator<Item = f64> + 'a {
    let logs = reference.logs.iter().filter(move |log| {
        let reason = log.reason.as_deref().unwrap_or_default();
        reason == kind || !KINDS.contains(&reason)
    });
    logs.map(|log| log.similarity)
}

fn raw_score(evaluation: &Evaluation) -> f64 {
    let scores = evaluation.scoring_logs.iter().map(|log| log.score);
    scores.reduce(f64::max).unwrap_or(f64::NAN)
}

fn error(evaluated: &Evaluated) -> Option<&str> {
    let errors = evaluated
        .scoring_logs
        .iter()
        .map(|log| log.error.as_deref());
    errors.flatten().next()
}

/// The peer's services, as a golden case has them: answers by script or pair of
/// scripts, and what is answered to all others. A text stands for an exception.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Services {
    answers: Value,
    defaults: Value,
}

impl Services {
    fn answer(&self, service: &str, key: &str, default: &str) -> &Value {
        let scripted = self.answers.get(service).and_then(|keys| keys.get(key));
        scripted.unwrap_or(&self.defaults[default])
    }

    fn is_valid(&self, script: Option<&str>) -> Result<bool, ChallengeError> {
        let Some(script) = script.filter(|script| !script.is_empty()) else {
            return Ok(false);
        };
        let answer = self.answer("valid", script, "is_valid");
        answer.as_bool().ok_or_else(|| unavailable("check", answer))
    }

    fn score(&self, script: Option<&str>) -> Result<f64, ChallengeError> {
        let answer = self.answer("score", script.unwrap_or_default(), "score");
        answer
            .as_f64()
            .ok_or_else(|| ChallengeError::Internal(format!("a score of {answer}")))
    }

    fn similarity(
        &self,
        kind: &str,
        service: &str,
        [candidate, reference]: &[Option<String>; 2],
    ) -> Result<f64, ChallengeError> {
        let python = |script: &Option<String>| match script {
            Some(script) => format!("'{script}'"),
            None => "None".to_owned(),
        };
        let pair = format!("({}, {})", python(candidate), python(reference));
        let answer = self.answer(service, &pair, kind);
        answer.as_f64().ok_or_else(|| unavailable(kind, answer))
    }

    fn baseline(&self) -> Result<Vec<f64>, ChallengeError> {
        let answer = self.answers.get("baseline");
        let answer = answer.unwrap_or(&self.defaults["baseline"]);
        let scripts = answer
            .as_array()
            .ok_or_else(|| unavailable("baseline", answer))?;
        scripts
            .iter()
            .map(|script| &script["similarity_score"])
            .map(|found| found.as_f64().ok_or_else(|| unavailable("baseline", found)))
            .collect()
    }
}

fn unavailable(service: &str, answer: &Value) -> ChallengeError {
    ChallengeError::Unavailable(format!("{service} answered {answer}"))
}
