//! Which of a miner's commits stands.

use serde::{Deserialize, Serialize};

use super::Scored;

/// The score that nothing can beat.
const PERFECT: f64 = 1.0;

/// A miner's best accepted commit of one challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestCommit {
    /// What the commit is known by, as the miner published it.
    pub commit: String,
    /// What it is worth, and since when.
    #[serde(flatten)]
    pub scored: Scored,
}

/// Updates a miner's best commit by one that has been judged.
///
/// An accepted commit becomes the best if there is none, or if its score is
/// higher. One with a score of exactly 1 always does: its miner could not
/// improve on it, and the decay must not punish that. If the best commit itself
/// is no longer accepted, there is none until the next. A score that is not
/// finite never becomes the best.
///
/// Source: `MinerChallengeInfo.update_best_commit`, RedTeam ced9b911.
pub fn update_best_commit(best: &mut Option<BestCommit>, judged: BestCommit, accepted: bool) {
    let score = judged.scored.score;
    if !accepted {
        best.take_if(|best| best.commit == judged.commit);
    } else if score.is_finite()
        && best
            .as_ref()
            .is_none_or(|best| score > best.scored.score || score == PERFECT)
    {
        *best = Some(judged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(commit: &str, score: f64) -> BestCommit {
        let commit = commit.to_owned();
        let scored_at = 0.0;
        BestCommit {
            commit,
            scored: Scored { score, scored_at },
        }
    }

    #[test]
    fn on_a_tie_the_earlier_stays_unless_it_is_perfect() {
        let mut best = Some(judged("a", 0.5));
        update_best_commit(&mut best, judged("b", 0.5), true);
        assert_eq!(best, Some(judged("a", 0.5)));
        update_best_commit(&mut best, judged("c", 1.0), true);
        update_best_commit(&mut best, judged("d", 1.0), true);
        assert_eq!(best, Some(judged("d", 1.0)));
    }

    #[test]
    fn only_its_own_refusal_removes_the_best() {
        let mut best = Some(judged("a", 0.5));
        update_best_commit(&mut best, judged("b", 0.9), false);
        assert_eq!(best, Some(judged("a", 0.5)));
        update_best_commit(&mut best, judged("a", 0.5), false);
        assert_eq!(best, None);
    }

    #[test]
    fn a_score_that_is_not_finite_never_stands() {
        let mut best = None;
        update_best_commit(&mut best, judged("a", f64::NAN), true);
        update_best_commit(&mut best, judged("b", f64::INFINITY), true);
        assert_eq!(best, None);
    }
}
