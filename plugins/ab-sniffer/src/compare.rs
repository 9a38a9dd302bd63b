//! How alike two submissions are: anybody can be right, but a copy is wrong in the same way.
//!
//! A stand-in: the container compared sources with a service of its own. Two submissions that
//! are blind to the same traces look alike here, too; a challenge that pays needs a better
//! measure, as `similarity-python` has one.

use proctor_sdk::{ChallengeError, ComparisonLog, Context, Evaluation, ScoringLog, SolveError};

use crate::Solution;

/// Sessions of a reference that a candidate which got others is asked about.
const REPLAYED: usize = 8;

/// The share of the reference's mistakes that the candidate makes as well. 0 if the
/// reference made none.
///
/// What a mistake is, the log's `error` says. A reference of another day saw other
/// sessions: the candidate is asked about some of them.
///
/// Errors: `unavailable` if the runner is.
pub(crate) fn similarity(
    context: &Context<'_>,
    candidate: &Evaluation,
    reference: &Evaluation,
) -> Result<ComparisonLog, ChallengeError> {
    let mistakes = reference.scoring_logs.iter().filter_map(mistake);
    let (mut seen, mut alike) = (0_u32, 0_u32);
    let mut replays = 0;
    for (task, wrong) in mistakes {
        let mut logs = candidate.scoring_logs.iter();
        let own = match logs.find(|log| log.task == task) {
            Some(log) => log.solution.clone(),
            None if replays == REPLAYED => continue,
            None => {
                replays += 1;
                replay(context, task)?
            }
        };
        seen += 1;
        alike += u32::from(own.as_deref().and_then(read) == Some(wrong));
    }
    Ok(ComparisonLog {
        reference: reference.submission.digest.clone(),
        similarity: if seen == 0 {
            0.0
        } else {
            f64::from(alike) / f64::from(seen)
        },
        reason: Some(match seen {
            0 => "the reference made no mistake".to_owned(),
            _ => format!("{alike} of the reference's {seen} mistakes"),
        }),
    })
}

fn mistake(log: &ScoringLog) -> Option<(&str, Solution)> {
    log.error.as_ref()?;
    Some((&log.task, read(log.solution.as_deref()?)?))
}

/// A solution, in an order of names that means nothing.
fn read(solution: &str) -> Option<Solution> {
    let mut solution: Solution = serde_json::from_str(solution).ok()?;
    solution.detected.sort_unstable();
    Some(solution)
}

fn replay(context: &Context<'_>, task: &str) -> Result<Option<String>, ChallengeError> {
    match context.solve(task) {
        Ok(solution) => Ok(Some(solution)),
        Err(SolveError::Failed(_)) => Ok(None),
        Err(SolveError::Unavailable(why)) => Err(ChallengeError::Unavailable(why)),
    }
}
