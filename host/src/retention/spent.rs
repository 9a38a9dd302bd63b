//! Which commits nothing refers to any more.

use crate::store::{CommitRow, CommitState};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A commit, with what is known beside it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) commit: CommitRow,
    /// The last time that anybody claims for it, in seconds since the Unix epoch.
    pub(super) last_claim: f64,
    /// When its day was finalized.
    pub(super) closed_at: Option<f64>,
    /// Whether somebody is still to be told of it.
    pub(super) to_be_told: bool,
}

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// Days from this one on, `YYYY-MM-DD`.
    pub(super) before: &'a str,
    /// Days that were finalized at this time or later, in seconds since the Unix epoch.
    pub(super) closed_before: f64,
    /// Commits that anybody saw at this time or later.
    pub(super) kept_from: f64,
    /// The best accepted commits of each challenge, so many.
    pub(super) max_unique_commits: usize,
}

/// The commits that may leave: those that were judged, refused, given up by their
/// challenge, or never opened, on days that are kept no more, but for
///
/// - the best of each miner, and its last perfect one: its standing;
/// - the best of each challenge, with which new ones are compared;
/// - those in `published`, which validators still ask about;
/// - those of which somebody is still to be told;
/// - the last one, and the one that changed last: their numbers are not given again;
/// - those that share a ciphertext with one that stays.
///
/// What they come to does not change by that, now or later.
pub(super) fn spent<'a>(
    commits: &'a [Known],
    published: &HashSet<String>,
    rules: Rules<'_>,
) -> Vec<&'a Known> {
    let mut needed = needed(commits, rules.max_unique_commits);
    let rows = || commits.iter().map(|known| &known.commit);
    let last_changed = rows().max_by_key(|commit| commit.revision);
    needed.extend(rows().map(|commit| commit.id).max());
    needed.extend(last_changed.map(|commit| commit.id));
    let leaves = |known: &Known| {
        let commit = &known.commit;
        is_over(known, rules)
            && commit.committed_at.unwrap_or(known.last_claim) < rules.kept_from
            && known.last_claim < rules.kept_from
            && !known.to_be_told
            && !needed.contains(&commit.id)
            && !published.contains(&commit.encrypted_commit)
    };
    let staying: HashSet<(&str, &str)> = commits
        .iter()
        .filter(|known| !leaves(known))
        .map(|known| place(&known.commit))
        .collect();
    commits
        .iter()
        .filter(|known| !staying.contains(&place(&known.commit)))
        .collect()
}

fn place(commit: &CommitRow) -> (&str, &str) {
    (&commit.challenge, &commit.encrypted_commit)
}

/// Whether nothing will come of it any more, by its state and its day.
fn is_over(known: &Known, rules: Rules<'_>) -> bool {
    let commit = &known.commit;
    let day = commit.finalized_day.as_ref().or(commit.batch_day.as_ref());
    match commit.state {
        CommitState::Judged | CommitState::Failed => {
            day.is_some_and(|day| day.as_str() < rules.before)
                && known.closed_at.is_some_and(|at| at < rules.closed_before)
        }
        CommitState::Refused => true,
        // Nobody tells of it any more, so nobody will tell its key; or there is no
        // such challenge.
        CommitState::Sealed => true,
        CommitState::Revealed | CommitState::Evaluated => false,
    }
}

/// Accepted commits that standings and comparisons are made with.
fn needed(commits: &[Known], max_unique_commits: usize) -> HashSet<i64> {
    let mut accepted: Vec<&CommitRow> = commits
        .iter()
        .map(|known| &known.commit)
        .filter(|commit| commit.state == CommitState::Judged && commit.accepted == Some(true))
        .collect();
    accepted.sort_by(|a, b| earlier(a, b));
    let mut needed = HashSet::new();
    // A perfect one takes the place of any other, and a better one that of any but it.
    let mut best: HashMap<(&str, &str), (&CommitRow, Option<&CommitRow>)> = HashMap::new();
    for commit in accepted.iter().copied() {
        let miner = (commit.challenge.as_str(), commit.miner_hotkey.as_str());
        let (standing, perfect) = best.entry(miner).or_insert((commit, None));
        if score(commit) == 1.0 {
            (*standing, *perfect) = (commit, Some(commit));
        } else if score(commit) > score(standing) {
            *standing = commit;
        }
    }
    for (standing, perfect) in best.into_values() {
        needed.insert(standing.id);
        needed.extend(perfect.map(|commit| commit.id));
    }
    let mut of_challenge: BTreeMap<&str, Vec<&CommitRow>> = BTreeMap::new();
    for commit in accepted {
        of_challenge
            .entry(&commit.challenge)
            .or_default()
            .push(commit);
    }
    for mut pool in of_challenge.into_values() {
        // Stable: the earlier of equals stays first.
        pool.sort_by(|a, b| score(b).total_cmp(&score(a)));
        let mut seen = HashSet::new();
        pool.retain(|commit| seen.insert(&commit.artifact_digest));
        needed.extend(pool.iter().take(max_unique_commits).map(|commit| commit.id));
    }
    needed
}

fn score(commit: &CommitRow) -> f64 {
    commit.score.unwrap_or_default()
}

/// By time of commit, ties by hotkey.
fn earlier(a: &CommitRow, b: &CommitRow) -> Ordering {
    let at = |commit: &CommitRow| commit.committed_at.unwrap_or(f64::INFINITY).max(0.0);
    at(a)
        .total_cmp(&at(b))
        .then_with(|| (&a.miner_hotkey, a.id).cmp(&(&b.miner_hotkey, b.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules<'_> = Rules {
        before: "2026-08-22",
        closed_before: 100.0,
        kept_from: 50.0,
        max_unique_commits: 1,
    };

    fn judged(id: i64, hotkey: &str, score: f64) -> Known {
        Known {
            commit: CommitRow {
                committed_at: Some(id as f64),
                state: CommitState::Judged,
                score: Some(score),
                accepted: Some(true),
                artifact_digest: Some(id.to_string()),
                batch_day: Some("2026-08-20".into()),
                finalized_day: Some("2026-08-20".into()),
                ..CommitRow::sample(id, hotkey)
            },
            last_claim: id as f64,
            closed_at: Some(60.0),
            to_be_told: false,
        }
    }

    /// What leaves, if one more comes in later.
    fn left(commits: &[Known], published: &HashSet<String>) -> Vec<i64> {
        let mut commits = commits.to_vec();
        commits.push(Known {
            commit: CommitRow::sample(99, "z"),
            ..judged(99, "z", 0.0)
        });
        let spent = spent(&commits, published, RULES).into_iter();
        spent.map(|known| known.commit.id).collect()
    }

    fn ids(commits: &[Known]) -> Vec<i64> {
        left(commits, &HashSet::new())
    }

    #[test]
    fn standings_and_references_stay() {
        let commits = [
            judged(1, "a", 0.2),
            judged(2, "a", 0.9),
            judged(3, "a", 0.9),
            judged(4, "b", 0.5),
            judged(5, "c", 1.0),
            judged(6, "c", 1.0),
            judged(7, "c", 0.8),
        ];
        // 5 is compared with; 6 is the standing of c.
        assert_eq!(ids(&commits), [1, 3, 7]);
    }

    #[test]
    fn what_may_still_come_to_anything_stays() {
        let change = |change: &dyn Fn(&mut Known)| {
            let mut known = judged(3, "m", 0.1);
            known.commit.accepted = Some(false);
            change(&mut known);
            ids(&[known])
        };
        assert_eq!(change(&|_| {}), [3]);
        assert_eq!(
            change(&|known| known.commit.state = CommitState::Failed),
            [3]
        );
        assert_eq!(
            change(&|known| known.commit.state = CommitState::Refused),
            [3]
        );
        assert_eq!(
            change(&|known| known.commit.state = CommitState::Sealed),
            [3]
        );
        let stays: [&dyn Fn(&mut Known); 8] = [
            &|known| known.commit.state = CommitState::Revealed,
            &|known| known.commit.state = CommitState::Evaluated,
            &|known| known.commit.finalized_day = Some("2026-08-22".into()),
            &|known| known.closed_at = None,
            &|known| known.closed_at = Some(100.0),
            &|known| known.last_claim = 50.0,
            &|known| known.commit.committed_at = Some(50.0),
            &|known| known.to_be_told = true,
        ];
        for (index, stay) in stays.into_iter().enumerate() {
            assert_eq!(change(stay), [0; 0], "{index}");
        }
    }

    #[test]
    fn what_validators_publish_stays_and_so_does_its_copy() {
        let mut commits = [
            judged(1, "a", 0.1),
            judged(2, "b", 0.1),
            judged(3, "c", 0.1),
        ];
        for known in &mut commits {
            known.commit.accepted = Some(false);
        }
        let published = HashSet::from(["1".to_owned()]);
        assert_eq!(left(&commits, &published), [2, 3]);
        commits[1].commit.encrypted_commit = "3".into();
        commits[1].to_be_told = true;
        assert_eq!(
            left(&commits, &published),
            [0; 0],
            "2 has the ciphertext of 3"
        );
    }

    /// The standing of a miner, by the rule itself.
    fn standing(commits: &[&Known]) -> Option<i64> {
        let mut best: Option<&CommitRow> = None;
        for known in commits {
            let commit = &known.commit;
            let score = commit.score.unwrap();
            if best.is_none_or(|best| score > best.score.unwrap() || score == 1.0) {
                best = Some(commit);
            }
        }
        best.map(|commit| commit.id)
    }

    proptest! {
        #[test]
        fn standings_do_not_change_whatever_comes_later(
            scores in prop::collection::vec(prop::sample::select(vec![0.0, 0.5, 1.0, 1.5, 2.0]), 0..12),
            later in prop::collection::vec(prop::sample::select(vec![0.0, 0.5, 1.0, 1.5, 2.0]), 0..4),
        ) {
            let old: Vec<Known> = (1..).zip(scores).map(|(id, s)| judged(id, "m", s)).collect();
            let gone: HashSet<i64> = ids(&old).into_iter().collect();
            let later: Vec<Known> = (20..).zip(later).map(|(id, s)| judged(id, "m", s)).collect();
            let all: Vec<&Known> = old.iter().chain(&later).collect();
            let kept: Vec<&Known> = all
                .iter()
                .copied()
                .filter(|known| !gone.contains(&known.commit.id))
                .collect();
            prop_assert_eq!(standing(&kept), standing(&all));
        }
    }
}
