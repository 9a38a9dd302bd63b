//! Leaving out logs that say nothing more.

use super::logs::{ComparisonLog, MinerChallengeCommit};

impl MinerChallengeCommit {
    /// Keeps only the comparisons with the highest similarity of all, and what they
    /// are comparisons with.
    ///
    /// Does nothing if that is 0, or if nothing was compared.
    pub fn remove_lower_than_highest_score(&mut self) {
        let scores = self.comparison_logs.values().flatten();
        let highest = scores
            .filter_map(|log| log.similarity_score)
            .reduce(|highest, score| if score > highest { score } else { highest });
        let Some(highest) = highest.filter(|highest| *highest != 0.0) else {
            return;
        };
        self.comparison_logs.retain(|_, logs| {
            logs.retain(|log| log.similarity_score == Some(highest));
            !logs.is_empty()
        });
    }

    /// Keeps the first scoring log, and of the comparisons with each reference the one
    /// with the highest similarity, the first of equal ones.
    ///
    /// A similarity of 0 counts as none, and none is lower than any.
    pub fn remove_redundant_logs(&mut self) {
        self.scoring_logs.truncate(1);
        for logs in self.comparison_logs.values_mut() {
            let highest = (0..).zip(logs.iter()).reduce(|highest, log| {
                if similarity(log.1) > similarity(highest.1) {
                    log
                } else {
                    highest
                }
            });
            if let Some((highest, _)) = highest {
                logs.swap(0, highest);
                logs.truncate(1);
            }
        }
    }
}

fn similarity(log: &ComparisonLog) -> f64 {
    let known = log.similarity_score.filter(|score| *score != 0.0);
    known.unwrap_or(f64::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::ScoringLog;

    type Scores<'a> = &'a [(&'a str, &'a [Option<f64>])];

    /// A commit whose comparisons have these similarities; each log has its place as
    /// its reason.
    fn commit(scores: Scores<'_>) -> MinerChallengeCommit {
        let log = |(place, score): (usize, &Option<f64>)| ComparisonLog {
            similarity_score: *score,
            reason: Some(place.to_string()),
            ..ComparisonLog::default()
        };
        let logs = scores.iter().map(|(name, scores)| {
            (
                (*name).to_owned(),
                scores.iter().enumerate().map(log).collect(),
            )
        });
        MinerChallengeCommit {
            comparison_logs: logs.collect(),
            ..MinerChallengeCommit::default()
        }
    }

    /// Reference → the places of the logs that are left.
    fn left(commit: &MinerChallengeCommit) -> Vec<(&str, String)> {
        let places = |logs: &[ComparisonLog]| {
            logs.iter()
                .filter_map(|log| log.reason.as_deref())
                .collect()
        };
        let logs = commit.comparison_logs.iter();
        logs.map(|(name, logs)| (name.as_str(), places(logs)))
            .collect()
    }

    #[test]
    fn only_the_highest_of_all_are_left() {
        let cases: [(Scores<'_>, &[(&str, &str)]); 7] = [
            (
                &[
                    ("a", &[Some(0.5), Some(0.9), None, Some(0.9)]),
                    ("b", &[Some(0.9)]),
                    ("c", &[Some(0.8)]),
                ],
                &[("a", "13"), ("b", "0")],
            ),
            (&[("a", &[Some(-0.5)]), ("b", &[Some(-0.2)])], &[("b", "0")]),
            // Nothing is done.
            (&[], &[]),
            (&[("a", &[]), ("b", &[None])], &[("a", ""), ("b", "0")]),
            (
                &[("a", &[Some(0.0), None]), ("b", &[])],
                &[("a", "01"), ("b", "")],
            ),
            (&[("a", &[Some(0.0), Some(-0.5)])], &[("a", "01")]),
            (&[("a", &[Some(-0.0), Some(0.0)])], &[("a", "01")]),
        ];
        for (scores, expected) in cases {
            let mut commit = commit(scores);
            commit.remove_lower_than_highest_score();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, places)| (*name, (*places).to_owned()))
                .collect();
            assert_eq!(left(&commit), expected, "{scores:?}");
        }
    }

    #[test]
    fn the_first_of_the_highest_of_each_reference_is_left() {
        let cases: [(&[Option<f64>], &str); 8] = [
            (&[], ""),
            (&[None], "0"),
            (&[Some(0.1), Some(0.4), Some(0.4)], "1"),
            (&[None, Some(0.1)], "1"),
            (&[None, None], "0"),
            (&[None, Some(0.0)], "0"),
            (&[Some(0.0), Some(-0.5)], "1"),
            (&[Some(0.9), Some(0.4), None], "0"),
        ];
        for (scores, expected) in cases {
            let mut commit = commit(&[("a", scores), ("b", &[None])]);
            commit.remove_redundant_logs();
            assert_eq!(
                left(&commit),
                [("a", expected.to_owned()), ("b", "0".to_owned())],
                "{scores:?}"
            );
        }
    }

    #[test]
    fn the_first_scoring_log_is_left() {
        let log = |score| ScoringLog {
            score: Some(score),
            ..ScoringLog::default()
        };
        let mut commit = MinerChallengeCommit {
            scoring_logs: vec![log(0.1), log(0.9)],
            ..MinerChallengeCommit::default()
        };
        commit.remove_redundant_logs();
        assert_eq!(commit.scoring_logs, [log(0.1)]);
    }
}
