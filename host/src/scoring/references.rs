//! What a commit is compared with.

use crate::store::{CommitRow, CommitState};
use std::collections::BTreeSet;

/// The best commits that earlier days accepted: by score, the earlier first among
/// equals, each artifact once, at most `max_unique_commits`. RedTeam's
/// `unique_commits`.
pub(crate) fn unique_pool<'a>(
    commits: &'a [CommitRow],
    day: &str,
    max_unique_commits: usize,
) -> Vec<&'a CommitRow> {
    let mut accepted: Vec<&CommitRow> = commits
        .iter()
        .filter(|commit| commit.state == CommitState::Judged && commit.accepted == Some(true))
        .filter(|commit| commit.finalized_day.as_deref().is_some_and(|at| at < day))
        .collect();
    accepted.sort_by(|a, b| {
        let score = |commit: &CommitRow| commit.score.unwrap_or(0.0);
        score(b)
            .total_cmp(&score(a))
            .then_with(|| order(a).cmp(&order(b)))
    });
    let mut seen = BTreeSet::new();
    accepted.retain(|commit| seen.insert(&commit.artifact_digest));
    accepted.truncate(max_unique_commits);
    accepted
}

/// Commits of other miners that come before `candidate` and are in the pool of
/// earlier days, or are judged with it on `day`; by time of commit, ties by hotkey.
pub(super) fn references<'a>(
    candidate: &CommitRow,
    commits: &'a [CommitRow],
    day: &str,
    max_unique_commits: usize,
) -> Vec<&'a CommitRow> {
    let of_this_day = |commit: &&CommitRow| match commit.state {
        CommitState::Evaluated => commit.batch_day.as_deref().is_some_and(|of| of <= day),
        CommitState::Judged => commit.finalized_day.as_deref() == Some(day),
        _ => false,
    };
    let mut references = unique_pool(commits, day, max_unique_commits);
    references.extend(commits.iter().filter(of_this_day));
    references.retain(|commit| {
        commit.miner_hotkey != candidate.miner_hotkey && order(commit) < order(candidate)
    });
    references.sort_by(|a, b| order(a).cmp(&order(b)));
    references
}

/// Who came first: the earlier time of commit, ties by hotkey.
pub(crate) fn order(commit: &CommitRow) -> (i64, &str, i64) {
    // The bits of a float that is not negative sort like the float.
    let at = commit.committed_at.unwrap_or(f64::INFINITY).max(0.0);
    (at.to_bits().cast_signed(), &commit.miner_hotkey, commit.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: &str = "2026-08-22";

    fn commit(id: i64, hotkey: &str, at: f64) -> CommitRow {
        CommitRow {
            committed_at: Some(at),
            batch_day: Some(TODAY.into()),
            state: CommitState::Evaluated,
            artifact_digest: Some(id.to_string()),
            ..CommitRow::sample(id, hotkey)
        }
    }

    fn judged(id: i64, hotkey: &str, at: f64, day: &str, score: f64) -> CommitRow {
        CommitRow {
            state: CommitState::Judged,
            finalized_day: Some(day.into()),
            accepted: Some(score > 0.5),
            score: Some(score),
            ..commit(id, hotkey, at)
        }
    }

    fn ids(candidate: &CommitRow, commits: &[CommitRow], max: usize) -> Vec<i64> {
        let found = references(candidate, commits, TODAY, max).into_iter();
        found.map(|c| c.id).collect()
    }

    #[test]
    fn only_earlier_commits_of_other_miners_are_references() {
        let candidate = commit(9, "m", 5.0);
        let commits = [
            commit(1, "a", 4.0),
            commit(2, "b", 6.0),
            commit(3, "m", 4.0),
            commit(4, "l", 5.0),
            commit(5, "n", 5.0),
        ];
        assert_eq!(ids(&candidate, &commits, 10), [1, 4], "ties go by hotkey");
    }

    #[test]
    fn of_earlier_days_the_best_accepted_count_and_of_today_all() {
        let candidate = commit(9, "m", 5.0);
        let mut tomorrow = commit(6, "f", 4.5);
        tomorrow.batch_day = Some("2026-08-23".into());
        let commits = [
            judged(1, "a", 1.0, "2026-08-20", 0.6),
            judged(2, "b", 2.0, "2026-08-21", 0.9),
            judged(3, "c", 3.0, "2026-08-21", 0.4),
            judged(4, "d", 4.0, TODAY, 0.0),
            commit(5, "e", 4.5),
            tomorrow,
        ];
        assert_eq!(ids(&candidate, &commits, 10), [1, 2, 4, 5]);
        assert_eq!(ids(&candidate, &commits, 1), [2, 4, 5]);
    }

    #[test]
    fn the_pool_holds_each_artifact_once() {
        let mut again = judged(2, "a", 2.0, "2026-08-21", 0.9);
        again.artifact_digest = Some("1".into());
        let commits = [judged(1, "a", 1.0, "2026-08-20", 0.9), again];
        let pool = unique_pool(&commits, TODAY, 10);
        assert_eq!(pool.iter().map(|c| c.id).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn times_before_the_epoch_do_not_upset_the_order() {
        let (early, late) = (commit(1, "a", -1.0), commit(2, "a", 1.0));
        assert!(order(&early) < order(&late));
        assert!(order(&late) < order(&CommitRow::sample(3, "a")));
    }
}

/// Against golden cases made by running RedTeam's comparers, which pair by uid
/// (base) or take equal times as both earlier (ABS): `redteam.md` §6.7.
#[cfg(test)]
mod golden {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    const TODAY: &str = "2026-08-22";

    fn cases() -> Vec<Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/scoring.json");
        let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let cases = golden["cases"].as_array().unwrap().iter();
        cases
            .filter(|case| case["family"] == "comparer")
            .cloned()
            .collect()
    }

    fn row(id: i64, commit: &Value) -> CommitRow {
        CommitRow {
            committed_at: commit["commit_timestamp"].as_f64(),
            batch_day: Some(TODAY.into()),
            state: CommitState::Evaluated,
            artifact: commit["docker_hub_id"].as_str().map(str::to_owned),
            artifact_digest: commit["docker_hub_id"].as_str().map(str::to_owned),
            encrypted_commit: commit["encrypted_commit"].as_str().unwrap().into(),
            ..CommitRow::sample(id, commit["miner_hotkey"].as_str().unwrap())
        }
    }

    /// Jaccard similarity of the outputs on each task that both were given.
    fn similarities(candidate: &Value, reference: &Value) -> Vec<f64> {
        let logs = |commit: &Value| commit["scoring_logs"].as_array().unwrap().clone();
        let tokens = |log: &Value| -> BTreeSet<u64> {
            let tokens = log["miner_output"]["tokens"].as_array().unwrap();
            tokens.iter().map(|t| t.as_u64().unwrap()).collect()
        };
        let mut found = Vec::new();
        for log in logs(candidate) {
            for other in logs(reference) {
                if log["input_hash"] == other["input_hash"] {
                    let (a, b) = (tokens(&log), tokens(&other));
                    found.push(a.intersection(&b).count() as f64 / a.union(&b).count() as f64);
                }
            }
        }
        found
    }

    type Pairs = BTreeMap<(String, String), Vec<f64>>;

    fn expected(case: &Value) -> Pairs {
        let mut pairs = Pairs::new();
        for (candidate, references) in case["expected"].as_object().unwrap() {
            for (reference, logs) in references.as_object().unwrap() {
                let logs = logs.as_array().unwrap().iter();
                let scores = logs.map(|log| log["similarity_score"].as_f64().unwrap());
                pairs.insert((candidate.clone(), reference.clone()), scores.collect());
            }
        }
        pairs
    }

    fn ours(case: &Value) -> (Pairs, Vec<CommitRow>) {
        let commits = case["input"]["commits"].as_array().unwrap();
        let rows: Vec<CommitRow> = (0..).zip(commits).map(|(id, c)| row(id, c)).collect();
        let with_each_other = case["input"]["compare_with_each_other"] == true;
        let mut pairs = Pairs::new();
        for (candidate, commit) in rows.iter().zip(commits) {
            let references = if with_each_other {
                references(candidate, &rows, TODAY, 15)
            } else {
                unique_pool(&rows, TODAY, 15)
            };
            for reference in references {
                let id = reference.artifact.clone().unwrap();
                let other = &commits[usize::try_from(reference.id).unwrap()];
                let key = (candidate.encrypted_commit.clone(), id);
                pairs.insert(key, similarities(commit, other));
            }
        }
        (pairs, rows)
    }

    fn find<'a>(rows: &'a [CommitRow], text: &str) -> &'a CommitRow {
        let is = |row: &&CommitRow| {
            row.encrypted_commit == text || row.artifact.as_deref() == Some(text)
        };
        rows.iter().find(is).unwrap()
    }

    #[test]
    fn copies_are_penalised_by_time_and_not_by_uid_and_never_both() {
        let mut different = 0;
        for case in cases() {
            let (ours, rows) = ours(&case);
            let theirs = expected(&case);
            for (pair, similarity) in &ours {
                if let Some(expected) = theirs.get(pair) {
                    assert_eq!(similarity, expected, "{}: {pair:?}", case["id"]);
                }
            }
            for (candidate, reference) in theirs.keys() {
                let pair = (candidate.clone(), reference.clone());
                if ours.contains_key(&pair) {
                    continue;
                }
                // Theirs alone: the reference came later, or at the same time and
                // is compared with the candidate instead.
                let (candidate, reference) = (find(&rows, candidate), find(&rows, reference));
                assert!(
                    order(reference) > order(candidate),
                    "{}: {pair:?}",
                    case["id"]
                );
                let turned = (
                    reference.encrypted_commit.clone(),
                    candidate.artifact.clone().unwrap(),
                );
                assert!(ours.contains_key(&turned), "{}: {turned:?}", case["id"]);
                different += 1;
            }
        }
        assert!(different > 0, "the cases show the bug");
    }

    #[test]
    fn what_is_not_compared_with_each_other_is_compared_with_earlier_days_only() {
        let case = cases().into_iter();
        for case in case.filter(|case| case["input"]["compare_with_each_other"] == false) {
            assert_eq!(ours(&case).0, expected(&case), "{}", case["id"]);
        }
    }
}
