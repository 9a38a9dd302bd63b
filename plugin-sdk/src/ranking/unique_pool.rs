//! The accepted commits that later ones are compared with.

use serde::{Deserialize, Serialize};

/// A commit in the [`UniquePool`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UniqueCommit {
    /// The score, penalty applied.
    pub score: f64,
    /// What the commit is known by, as the miner published it.
    pub commit: String,
    /// What it points to.
    pub artifact: String,
}

/// The best accepted commits of a challenge, at most `capacity` of them.
///
/// Source: `ChallengeManager._try_add_unique_commit`, RedTeam ced9b911, where
/// the size is `max_unique_commits`, 15 for its challenges.
#[derive(Clone, Debug)]
pub struct UniquePool {
    capacity: usize,
    /// Ascending. At the size of a pool, a heap would gain nothing over a list
    /// that can be read in order.
    commits: Vec<UniqueCommit>,
}

impl UniquePool {
    /// An empty pool. With a capacity of 0 it stays empty.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            commits: Vec::new(),
        }
    }

    /// Offers an accepted commit, and says whether it was taken.
    ///
    /// A full pool gives up its lowest commit (by score, then commit, then
    /// artifact) for one with a strictly higher score. A commit that is in the
    /// pool already, or whose score is not finite, is not taken.
    pub fn offer(&mut self, offered: UniqueCommit) -> bool {
        let known = self.commits.iter().any(|c| c.commit == offered.commit);
        if known || !offered.score.is_finite() {
            return false;
        }
        if self.commits.len() >= self.capacity {
            match self.commits.first() {
                Some(lowest) if offered.score > lowest.score => self.commits.remove(0),
                _ => return false,
            };
        }
        let position = self.commits.partition_point(|c| before(c, &offered));
        self.commits.insert(position, offered);
        true
    }

    /// The commits, the lowest first.
    pub fn commits(&self) -> &[UniqueCommit] {
        &self.commits
    }
}

fn before(a: &UniqueCommit, b: &UniqueCommit) -> bool {
    (a.score, &a.commit, &a.artifact) < (b.score, &b.commit, &b.artifact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(pool: &mut UniquePool, commit: &str, score: f64) -> bool {
        pool.offer(UniqueCommit {
            score,
            commit: commit.to_owned(),
            artifact: format!("miner/{commit}"),
        })
    }

    fn names(pool: &UniquePool) -> Vec<&str> {
        pool.commits().iter().map(|c| c.commit.as_str()).collect()
    }

    #[test]
    fn a_full_pool_replaces_its_lowest_only_by_a_higher_score() {
        let mut pool = UniquePool::new(2);
        assert!(offer(&mut pool, "a", 0.5));
        assert!(offer(&mut pool, "b", 0.3));
        assert!(!offer(&mut pool, "c", 0.3));
        assert!(offer(&mut pool, "d", 0.4));
        assert_eq!(names(&pool), ["d", "a"]);
    }

    #[test]
    fn of_equal_scores_the_first_by_name_goes() {
        let mut pool = UniquePool::new(3);
        for commit in ["b", "c", "a"] {
            assert!(offer(&mut pool, commit, 0.5));
        }
        assert!(offer(&mut pool, "d", 0.6));
        assert_eq!(names(&pool), ["b", "c", "d"]);
    }

    #[test]
    fn a_commit_is_taken_once() {
        let mut pool = UniquePool::new(2);
        assert!(offer(&mut pool, "a", 0.5));
        assert!(!offer(&mut pool, "a", 0.9));
        assert_eq!(pool.commits().len(), 1);
    }

    #[test]
    fn a_score_that_is_not_finite_is_not_taken() {
        let mut pool = UniquePool::new(2);
        for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!offer(&mut pool, "a", score));
        }
    }

    #[test]
    fn a_pool_without_room_stays_empty() {
        assert!(!offer(&mut UniquePool::new(0), "a", 0.5));
    }
}
