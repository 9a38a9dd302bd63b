//! What is known of each commit, in memory, in the shape that the API serves.

use super::judge::StoredComparison;
use super::pipeline::PipelineError;
use super::references::order;
use crate::sandbox::Outcome;
use crate::sandbox::types::ScoringLog;
use crate::store::{CommitRow, CommitState, Store};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// A commit as validators may see it: RedTeam's `MinerChallengeCommit` after
/// `public_view`, which leaves inputs and outputs out. What a sealed commit
/// holds is left out too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublicCommit {
    /// The miner's uid.
    pub miner_uid: u16,
    /// The miner's hotkey.
    pub miner_hotkey: String,
    /// The challenge.
    pub challenge_name: String,
    /// The artifact, once revealed.
    pub docker_hub_id: Option<String>,
    /// When it was committed, in seconds since the Unix epoch.
    pub commit_timestamp: Option<f64>,
    /// What was published.
    pub encrypted_commit: String,
    /// What opens it, once revealed.
    pub key: Option<String>,
    /// What was in it, once revealed.
    pub commit: Option<String>,
    /// One entry per task.
    pub scoring_logs: Vec<PublicScoringLog>,
    /// By the reference's artifact.
    pub comparison_logs: BTreeMap<String, Vec<PublicComparisonLog>>,
    /// When it was judged, in seconds since the Unix epoch.
    pub scored_timestamp: Option<f64>,
    /// Its score, once judged.
    pub score: Option<f64>,
    /// Its penalty, once judged.
    pub penalty: Option<f64>,
    /// Whether it is accepted, once judged.
    pub accepted: Option<bool>,
}

/// One task, without input and output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublicScoringLog {
    score: f64,
    miner_input: Option<Value>,
    miner_output: Option<Value>,
    error: Option<String>,
    baseline_score: Option<f64>,
    input_hash: Option<String>,
}

/// One comparison, without inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublicComparisonLog {
    similarity_score: f64,
    miner_input: Option<Value>,
    miner_output: Option<Value>,
    reference_output: Option<Value>,
    error: Option<String>,
    input_hash: Option<String>,
    reason: Option<String>,
    reference_hotkey: Option<String>,
    reference_similarity_score: Option<f64>,
}

impl PublicCommit {
    fn new(commit: CommitRow, scoring_logs: Vec<ScoringLog>) -> Result<Self, PipelineError> {
        let revealed = !matches!(commit.state, CommitState::Sealed | CommitState::Refused);
        let mut comparison_logs: BTreeMap<String, Vec<PublicComparisonLog>> = BTreeMap::new();
        if let Some(stored) = &commit.comparisons {
            for comparison in serde_json::from_str::<Vec<StoredComparison>>(stored)? {
                let logs = comparison.logs.into_iter().map(|log| PublicComparisonLog {
                    similarity_score: log.similarity,
                    miner_input: None,
                    miner_output: None,
                    reference_output: None,
                    error: None,
                    input_hash: None,
                    reason: log.reason,
                    reference_hotkey: Some(comparison.hotkey.clone()),
                    reference_similarity_score: None,
                });
                comparison_logs
                    .entry(comparison.artifact)
                    .or_default()
                    .extend(logs);
            }
        }
        Ok(PublicCommit {
            miner_uid: commit.miner_uid,
            miner_hotkey: commit.miner_hotkey,
            challenge_name: commit.challenge,
            docker_hub_id: commit.artifact.filter(|_| revealed),
            commit_timestamp: commit.committed_at,
            encrypted_commit: commit.encrypted_commit,
            key: commit.key.filter(|_| revealed),
            commit: commit.text.filter(|_| revealed),
            scoring_logs: scoring_logs
                .into_iter()
                .map(|log| PublicScoringLog {
                    score: log.score,
                    miner_input: None,
                    miner_output: None,
                    error: log.error.as_deref().map(public_error),
                    baseline_score: log.baseline_score,
                    input_hash: None,
                })
                .collect(),
            comparison_logs,
            scored_timestamp: commit.judged_at,
            score: commit.score,
            penalty: commit.penalty,
            accepted: commit.accepted,
        })
    }
}

/// The code of an error. The rest is the submission's own text, by which it could
/// publish the tasks that it was given.
fn public_error(error: &str) -> String {
    let code = error.split(':').next().unwrap_or_default();
    let code = Outcome::from_code(code).map_or("invalid_solution", Outcome::code);
    code.to_owned()
}

/// All commits by challenge and ciphertext. Clones share everything.
#[derive(Debug, Clone)]
pub struct Results {
    state: Arc<RwLock<State>>,
    reveal_interval: f64,
}

#[derive(Debug, Default)]
struct State {
    revision: i64,
    challenges: HashMap<String, Challenge>,
}

#[derive(Debug, Default)]
struct Challenge {
    commits: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Of several miners that published the same ciphertext, the first counts:
    /// the others copied it.
    order: (i64, String, i64),
    waiting: Waiting,
    commit: Arc<PublicCommit>,
}

/// Whether a commit waits for a verdict.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    No,
    Yes,
    /// It is sealed, and to be opened at this time.
    From(f64),
}

impl Results {
    /// No commits yet. `reveal_interval` is in seconds.
    pub fn new(reveal_interval: f64) -> Self {
        Results {
            state: Arc::default(),
            reveal_interval,
        }
    }

    /// Reads what changed in the database since the last time.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn refresh(&self, store: &Store) -> Result<(), PipelineError> {
        loop {
            let since = self.look(|state| state.revision);
            let changed = store.commits_since(since).await?;
            if changed.is_empty() {
                return Ok(());
            }
            for commit in changed {
                let logs = match commit.evaluation_id {
                    Some(id) => store.evaluation_by_id(id).await?,
                    None => None,
                };
                let logs = logs.map_or(Ok(Vec::new()), |row| serde_json::from_str(&row.logs))?;
                self.put(commit, logs)?;
            }
        }
    }

    fn put(&self, commit: CommitRow, logs: Vec<ScoringLog>) -> Result<(), PipelineError> {
        let revision = commit.revision;
        let (at, hotkey, id) = order(&commit);
        let order = (at, hotkey.to_owned(), id);
        let waiting = match (commit.state, commit.committed_at) {
            (CommitState::Revealed | CommitState::Evaluated, _) => Waiting::Yes,
            (CommitState::Sealed, Some(at)) if commit.key.is_some() => {
                Waiting::From(at + self.reveal_interval)
            }
            _ => Waiting::No,
        };
        let (challenge, encrypted) = (commit.challenge.clone(), commit.encrypted_commit.clone());
        let commit = Arc::new(PublicCommit::new(commit, logs)?);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let commits = &mut state.challenges.entry(challenge).or_default().commits;
        let known = commits.get(&encrypted);
        if known.is_none_or(|known| order <= known.order) {
            let entry = Entry {
                order,
                waiting,
                commit,
            };
            commits.insert(encrypted, entry);
        }
        state.revision = state.revision.max(revision);
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether any commit of the challenge is known.
    pub fn knows(&self, challenge: &str) -> bool {
        self.look(|state| state.challenges.contains_key(challenge))
    }

    /// The commits with these ciphertexts, in order; none where unknown.
    pub fn get(&self, challenge: &str, encrypted: &[String]) -> Vec<Option<Arc<PublicCommit>>> {
        self.look(|state| {
            let commits = state.challenges.get(challenge).map(|c| &c.commits);
            encrypted
                .iter()
                .map(|encrypted| Some(Arc::clone(&commits?.get(encrypted)?.commit)))
                .collect()
        })
    }

    /// Whether no commit of the challenge waits for a verdict: none that is
    /// revealed, and none whose time has come.
    pub fn is_done(&self, challenge: &str, now: f64) -> bool {
        let waits = |entry: &Entry| match entry.waiting {
            Waiting::No => false,
            Waiting::Yes => true,
            Waiting::From(at) => at <= now,
        };
        self.look(|state| {
            let commits = state.challenges.get(challenge).map(|c| &c.commits);
            commits.is_none_or(|commits| !commits.values().any(waits))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: i64, hotkey: &str, at: f64, state: CommitState) -> CommitRow {
        CommitRow {
            committed_at: Some(at),
            encrypted_commit: "token".into(),
            key: Some("key".into()),
            text: Some("c---sha256:00".into()),
            artifact: Some("sha256:00".into()),
            state,
            ..CommitRow::sample(id, hotkey)
        }
    }

    fn found(results: &Results) -> Arc<PublicCommit> {
        results.get("c", &["token".into()]).remove(0).unwrap()
    }

    #[test]
    fn what_a_sealed_commit_holds_is_not_shown() {
        let results = Results::new(10.0);
        results
            .put(commit(1, "a", 1.0, CommitState::Sealed), Vec::new())
            .unwrap();
        let shown = found(&results);
        assert_eq!(
            (&shown.key, &shown.commit, &shown.docker_hub_id),
            (&None, &None, &None)
        );
        results
            .put(commit(1, "a", 1.0, CommitState::Revealed), Vec::new())
            .unwrap();
        assert_eq!(found(&results).key.as_deref(), Some("key"));
    }

    #[test]
    fn a_submissions_own_words_are_not_published() {
        assert_eq!(
            public_error("guest_error: the task was [1, 2]"),
            "guest_error"
        );
        assert_eq!(public_error("trap: panicked at [1, 2]"), "trap");
        assert_eq!(public_error("the task was [1, 2]"), "invalid_solution");
    }

    #[test]
    fn of_miners_with_the_same_ciphertext_the_first_is_shown() {
        let results = Results::new(10.0);
        results
            .put(commit(1, "copier", 2.0, CommitState::Revealed), Vec::new())
            .unwrap();
        results
            .put(commit(2, "author", 1.0, CommitState::Revealed), Vec::new())
            .unwrap();
        results
            .put(commit(1, "copier", 2.0, CommitState::Judged), Vec::new())
            .unwrap();
        assert_eq!(found(&results).miner_hotkey, "author");
    }

    #[test]
    fn a_sealed_commit_waits_from_the_time_that_it_is_due() {
        let results = Results::new(10.0);
        let sealed = commit(1, "a", 1.0, CommitState::Sealed);
        results.put(sealed, Vec::new()).unwrap();
        assert!(results.is_done("c", 10.9));
        assert!(!results.is_done("c", 11.0));
    }

    #[test]
    fn a_challenge_is_done_when_no_revealed_commit_waits() {
        let results = Results::new(10.0);
        assert!(results.is_done("c", 5.0));
        for (state, done) in [
            (CommitState::Sealed, true),
            (CommitState::Revealed, false),
            (CommitState::Evaluated, false),
            (CommitState::Judged, true),
            (CommitState::Failed, true),
        ] {
            results.put(commit(1, "a", 1.0, state), Vec::new()).unwrap();
            assert_eq!(results.is_done("c", 5.0), done, "{state:?}");
        }
    }
}
