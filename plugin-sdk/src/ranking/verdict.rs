//! From the logs of a commit to what it is worth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acceptance, Easing, max_score, mean_score, similarity_penalty};

/// How the scores of a commit's tasks become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// [`mean_score`], as the peer's base manager does.
    #[default]
    Mean,
    /// [`max_score`], as the managers of the peer's challenges do.
    Max,
}

/// The rules by which a commit is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictRules {
    /// From scores to one score. Default the mean.
    pub aggregate: Aggregate,
    /// What is accepted.
    pub acceptance: Acceptance,
    /// What a penalty takes off the score.
    pub easing: Easing,
}

/// What a commit is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The score, penalty applied. Finite; below 0 only if the scores are, as
    /// they can be where a baseline is subtracted.
    pub score: f64,
    /// The highest similarity found.
    pub penalty: f64,
    /// Whether the commit may earn. Decided on the score before the penalty.
    pub accepted: bool,
}

impl VerdictRules {
    /// Judges a commit by the scores of its tasks and its similarities to all
    /// references. `None` if it has no score yet, see [`mean_score`] and
    /// [`max_score`].
    ///
    /// Source: `update_miner_scores`, ab-sniffer-challenge 5e1a456.
    pub fn judge(
        &self,
        scores: impl IntoIterator<Item = impl Into<Option<f64>>>,
        similarities: impl IntoIterator<Item = impl Into<Option<f64>>>,
    ) -> Option<Judgement> {
        let score = match self.aggregate {
            Aggregate::Mean => mean_score(scores),
            Aggregate::Max => max_score(scores),
        }?;
        let penalty = similarity_penalty(similarities);
        Some(Judgement {
            score: self.easing.adjust(score, penalty),
            penalty,
            accepted: self.acceptance.admits(score, penalty),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [f64; 0] = [];

    #[test]
    fn acceptance_looks_at_the_score_before_the_penalty() {
        let judged = VerdictRules::default().judge([0.4], [0.5]).unwrap();
        assert!(judged.accepted && judged.score < 0.4);
    }

    #[test]
    fn an_original_commit_keeps_its_score() {
        let judged = VerdictRules::default().judge([0.5, 1.0], NONE);
        assert_eq!(
            judged,
            Some(Judgement {
                score: 0.75,
                penalty: 0.0,
                accepted: true
            })
        );
    }

    #[test]
    fn a_commit_without_logs_is_not_judged() {
        assert_eq!(VerdictRules::default().judge(NONE, [0.1]), None);
    }

    #[test]
    fn rules_are_settings_with_defaults() {
        let rules: VerdictRules =
            serde_json::from_str(r#"{"aggregate": "max", "acceptance": {"min_score": 0.85}}"#)
                .unwrap();
        assert_eq!(rules.aggregate, Aggregate::Max);
        assert_eq!(rules.acceptance.max_penalty, 0.6);
        assert_eq!(rules.easing, Easing::default());
        assert!(serde_json::from_str::<VerdictRules>(r#"{"min_score": 1}"#).is_err());
    }
}
