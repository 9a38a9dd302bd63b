//! Checks what a guest returns: a sandbox does not make numbers true.

use super::bindings::types::{ComparisonLog, HotkeyWeight, ScoringLog, Verdict};
use super::outcome::{Outcome, PluginError};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn invalid(message: String) -> PluginError {
    PluginError::new(Outcome::InvalidOutput, message)
}

pub(super) fn is_json(text: &str) -> bool {
    // Not less than what others can read: no half surrogates, no numbers without end,
    // nothing that is nested without end.
    serde_json::from_str::<Value>(text).is_ok()
}

/// Tasks and solutions are JSON, scores are finite, and there is at least one.
pub(super) fn scoring_logs(logs: Vec<ScoringLog>) -> Result<Vec<ScoringLog>, PluginError> {
    if logs.is_empty() {
        return Err(invalid("an evaluation without a single task".into()));
    }
    for (index, log) in logs.iter().enumerate() {
        let finite = log.score.is_finite() && log.baseline_score.is_none_or(f64::is_finite);
        if !finite {
            return Err(invalid(format!("task {index}: the score is not finite")));
        }
        if !is_json(&log.task) || !log.solution.as_deref().is_none_or(is_json) {
            return Err(invalid(format!(
                "task {index}: task or solution is not JSON"
            )));
        }
    }
    Ok(logs)
}

/// Similarities are in 0..=1, of references that were asked about, and all of
/// them.
pub(super) fn comparison_logs<'a>(
    logs: Vec<ComparisonLog>,
    references: impl Iterator<Item = &'a str>,
) -> Result<Vec<ComparisonLog>, PluginError> {
    let asked: BTreeSet<&str> = references.collect();
    let mut missing = asked.clone();
    for log in &logs {
        if !(0.0..=1.0).contains(&log.similarity) {
            return Err(invalid(format!("a similarity of {}", log.similarity)));
        }
        if !asked.contains(log.reference.as_str()) {
            return Err(invalid(format!("unknown reference {:?}", log.reference)));
        }
        missing.remove(log.reference.as_str());
    }
    match missing.first() {
        Some(reference) => Err(invalid(format!("nothing said of reference {reference}"))),
        None => Ok(logs),
    }
}

/// The score is finite and at least 0, the penalty in 0..=1.
pub(super) fn verdict(verdict: Verdict) -> Result<Verdict, PluginError> {
    if !verdict.score.is_finite() || verdict.score < 0.0 {
        return Err(invalid(format!("a score of {}", verdict.score)));
    }
    if !(0.0..=1.0).contains(&verdict.penalty) {
        return Err(invalid(format!("a penalty of {}", verdict.penalty)));
    }
    // 0 for −0, which the database does not keep: whoever computes the next verdict from
    // this one must find what is signed.
    Ok(Verdict {
        score: verdict.score + 0.0,
        penalty: verdict.penalty + 0.0,
        ..verdict
    })
}

/// Weights are finite, at least 0, and one for each of hotkeys that have a
/// standing.
pub(super) fn weights<'a>(
    weights: Vec<HotkeyWeight>,
    standings: impl Iterator<Item = &'a str>,
) -> Result<Vec<HotkeyWeight>, PluginError> {
    let mut payable: BTreeSet<&str> = standings.collect();
    for HotkeyWeight { hotkey, weight } in &weights {
        if !weight.is_finite() || *weight < 0.0 {
            return Err(invalid(format!("a weight of {weight} for {hotkey}")));
        }
        if !payable.remove(hotkey.as_str()) {
            return Err(invalid(format!(
                "a weight for {hotkey:?}, which has no standing or was paid before"
            )));
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome<T>(result: Result<T, PluginError>) -> Outcome {
        result.err().map_or(Outcome::Ok, |e| e.outcome)
    }

    fn weight(hotkey: &str, weight: f64) -> HotkeyWeight {
        HotkeyWeight {
            hotkey: hotkey.into(),
            weight,
        }
    }

    #[test]
    fn weights_must_be_finite_positive_and_for_standings() {
        let check = |w| outcome(weights(w, ["a", "b"].into_iter()));
        assert_eq!(check(vec![weight("a", 0.0), weight("b", 2.5)]), Outcome::Ok);
        assert_eq!(check(vec![]), Outcome::Ok);
        for bad in [
            vec![weight("a", f64::NAN)],
            vec![weight("a", f64::INFINITY)],
            vec![weight("a", -0.1)],
            vec![weight("c", 1.0)],
            vec![weight("a", 1.0), weight("a", 1.0)],
        ] {
            assert_eq!(check(bad), Outcome::InvalidOutput);
        }
    }

    #[test]
    fn every_reference_is_spoken_of_and_no_other() {
        let log = |reference: &str, similarity| ComparisonLog {
            reference: reference.into(),
            similarity,
            reason: None,
        };
        let check = |logs| outcome(comparison_logs(logs, ["a", "b"].into_iter()));
        assert_eq!(
            check(vec![log("b", 0.0), log("a", 1.0), log("a", 0.5)]),
            Outcome::Ok
        );
        assert_eq!(check(vec![log("a", 1.0)]), Outcome::InvalidOutput);
        let other = vec![log("a", 1.0), log("b", 1.0), log("c", 1.0)];
        assert_eq!(check(other), Outcome::InvalidOutput);
        assert_eq!(
            check(vec![log("a", 1.1), log("b", 0.0)]),
            Outcome::InvalidOutput
        );
        assert_eq!(
            check(vec![log("a", f64::NAN), log("b", 0.0)]),
            Outcome::InvalidOutput
        );
    }

    #[test]
    fn verdicts_and_logs_are_in_range() {
        let checked = |score, penalty| {
            outcome(verdict(Verdict {
                score,
                penalty,
                accepted: true,
                reason: None,
            }))
        };
        assert_eq!(checked(0.5, 1.0), Outcome::Ok);
        assert_eq!(checked(-0.1, 0.0), Outcome::InvalidOutput);
        assert_eq!(checked(f64::NAN, 0.0), Outcome::InvalidOutput);
        assert_eq!(checked(0.5, 1.1), Outcome::InvalidOutput);
        let zero = verdict(Verdict {
            score: -0.0,
            penalty: -0.0,
            accepted: true,
            reason: None,
        });
        let zero = zero.unwrap();
        let bits = [zero.score, zero.penalty].map(f64::to_bits);
        assert_eq!(bits, [0, 0], "as the database has it");
        let log = |task: &str, score| ScoringLog {
            task: task.into(),
            solution: None,
            score,
            baseline_score: None,
            error: None,
        };
        assert_eq!(outcome(scoring_logs(vec![log("{}", 0.0)])), Outcome::Ok);
        assert_eq!(
            outcome(scoring_logs(vec![log("{", 0.0)])),
            Outcome::InvalidOutput
        );
        assert_eq!(
            outcome(scoring_logs(vec![log("1", f64::NAN)])),
            Outcome::InvalidOutput
        );
        assert_eq!(outcome(scoring_logs(vec![])), Outcome::InvalidOutput);
    }
}
