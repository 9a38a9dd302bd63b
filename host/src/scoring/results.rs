//! What is known of each commit, in memory, in the shape that the API serves.

use super::pipeline::PipelineError;
use super::references::order;
use super::views::{is_revealed, public_view};
use crate::sandbox::types::ScoringLog;
use crate::store::{CommitRow, CommitState, Store};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// All commits by challenge and ciphertext, and how far each challenge is. Clones
/// share everything.
#[derive(Debug, Clone)]
pub struct Results {
    state: Arc<RwLock<State>>,
    changes: Arc<watch::Sender<u64>>,
}

impl Default for Results {
    /// No commits yet.
    fn default() -> Self {
        Results {
            state: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    revision: i64,
    challenges: HashMap<String, Challenge>,
}

#[derive(Debug, Default)]
struct Challenge {
    commits: HashMap<String, Entry>,
    /// Days that commits wait for, by number of the commit.
    waiting: HashMap<i64, String>,
    /// The last day that it was finalized on.
    last_day: Option<String>,
    /// Whether any commit of it was opened.
    opened: bool,
}

#[derive(Debug)]
struct Entry {
    /// Of several miners that published the same ciphertext, the first counts:
    /// the others copied it.
    order: (i64, String, i64),
    /// The commit, JSON.
    json: Arc<str>,
}

impl Results {
    /// Reads what changed in the database since the last time.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn refresh(&self, store: &Store) -> Result<(), PipelineError> {
        let mut changed_any = false;
        loop {
            let since = self.look(|state| state.revision);
            let changed = store.commits_since(since).await?;
            if changed.is_empty() {
                break;
            }
            changed_any = true;
            for commit in changed {
                let logs = match commit.evaluation_id {
                    Some(id) => store.evaluation_by_id(id).await?,
                    None => None,
                };
                let logs = logs.map_or(Ok(Vec::new()), |row| serde_json::from_str(&row.logs))?;
                self.put(commit, logs)?;
            }
        }
        if changed_any {
            self.changes.send_modify(|changes| *changes += 1);
        }
        Ok(())
    }

    /// Told each time that something changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn put(&self, commit: CommitRow, logs: Vec<ScoringLog>) -> Result<(), PipelineError> {
        let (revision, id) = (commit.revision, commit.id);
        let (at, hotkey, _) = order(&commit);
        let order = (at, hotkey.to_owned(), id);
        let waits_for = match commit.state {
            CommitState::Revealed | CommitState::Evaluated => commit.batch_day.clone(),
            _ => None,
        };
        let opened = is_revealed(&commit);
        let (challenge, encrypted) = (commit.challenge.clone(), commit.encrypted_commit.clone());
        let json = serde_json::to_string(&public_view(commit, logs)?)?.into();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let challenge = state.challenges.entry(challenge).or_default();
        challenge.opened |= opened;
        match waits_for {
            Some(day) => challenge.waiting.insert(id, day),
            None => challenge.waiting.remove(&id),
        };
        let known = challenge.commits.get(&encrypted);
        if known.is_none_or(|known| order <= known.order || order.2 == known.order.2) {
            challenge.commits.insert(encrypted, Entry { order, json });
        }
        state.revision = state.revision.max(revision);
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether any commit of the challenge was ever opened, or a day finalized.
    pub fn knows(&self, challenge: &str) -> bool {
        self.look(|state| {
            let challenge = state.challenges.get(challenge);
            challenge.is_some_and(|c| c.opened || c.last_day.is_some())
        })
    }

    /// The commits with these ciphertexts, each as JSON, in order; none where
    /// unknown.
    pub fn get(&self, challenge: &str, encrypted: &[String]) -> Vec<Option<Arc<str>>> {
        self.look(|state| {
            let commits = state.challenges.get(challenge).map(|c| &c.commits);
            encrypted
                .iter()
                .map(|encrypted| Some(Arc::clone(&commits?.get(encrypted)?.json)))
                .collect()
        })
    }

    /// Forgets commits that have left the database.
    pub fn forget(&self, challenge: &str, encrypted: &[String]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(challenge) = state.challenges.get_mut(challenge) {
            for encrypted in encrypted {
                challenge.commits.remove(encrypted);
            }
        }
    }

    /// The last day that a challenge was finalized on.
    pub fn last_day(&self, challenge: &str) -> Option<String> {
        self.look(|state| state.challenges.get(challenge)?.last_day.clone())
    }

    pub(super) fn set_last_day(&self, challenge: &str, day: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let challenge = state.challenges.entry(challenge.to_owned()).or_default();
        if challenge.last_day.as_deref().is_none_or(|last| last < day) {
            challenge.last_day = Some(day.to_owned());
        }
    }

    /// The first day whose finalization a commit of the challenge waits for.
    pub fn first_waited_for(&self, challenge: &str) -> Option<String> {
        self.look(|state| {
            state
                .challenges
                .get(challenge)?
                .waiting
                .values()
                .min()
                .cloned()
        })
    }

    /// Whether the finalization of `today` has run, and no commit among these
    /// still waits for it. Once so, it stays so until the day ends: what is opened
    /// later belongs to another day.
    pub fn is_done(&self, challenge: &str, encrypted: &[String], today: &str) -> bool {
        self.look(|state| {
            let Some(challenge) = state.challenges.get(challenge) else {
                return false;
            };
            let finalized = challenge.last_day.as_deref() >= Some(today);
            let waits = |encrypted: &String| {
                let entry = challenge.commits.get(encrypted);
                let day = entry.and_then(|entry| challenge.waiting.get(&entry.order.2));
                day.is_some_and(|day| day.as_str() <= today)
            };
            finalized && (challenge.waiting.is_empty() || !encrypted.iter().any(waits))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const TODAY: &str = "2026-08-22";

    fn commit(id: i64, hotkey: &str, at: f64, state: CommitState) -> CommitRow {
        CommitRow {
            committed_at: Some(at),
            encrypted_commit: "token".into(),
            key: Some("key".into()),
            text: Some("c---sha256:00".into()),
            artifact: Some("sha256:00".into()),
            batch_day: Some(TODAY.into()),
            state,
            ..CommitRow::sample(id, hotkey)
        }
    }

    fn found(results: &Results) -> Value {
        let json = results.get("c", &["token".into()]).remove(0).unwrap();
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn what_a_sealed_commit_holds_is_not_shown() {
        let results = Results::default();
        results
            .put(commit(1, "a", 1.0, CommitState::Sealed), Vec::new())
            .unwrap();
        let shown = found(&results);
        assert_eq!(
            [&shown["key"], &shown["commit"], &shown["docker_hub_id"]],
            [&Value::Null; 3]
        );
        assert!(!results.knows("c"), "anybody may publish for any name");
        results
            .put(commit(1, "a", 1.0, CommitState::Revealed), Vec::new())
            .unwrap();
        assert_eq!(found(&results)["key"], "key");
        assert!(results.knows("c"));
    }

    #[test]
    fn of_miners_with_the_same_ciphertext_the_first_is_shown() {
        let results = Results::default();
        for (id, hotkey, at, state) in [
            (1, "copier", 2.0, CommitState::Revealed),
            (2, "author", 1.0, CommitState::Revealed),
            (1, "copier", 2.0, CommitState::Judged),
        ] {
            results
                .put(commit(id, hotkey, at, state), Vec::new())
                .unwrap();
        }
        assert_eq!(found(&results)["miner_hotkey"], "author");
    }

    #[test]
    fn a_commit_whose_time_moves_is_still_followed() {
        let results = Results::default();
        for (at, state) in [(1.0, CommitState::Sealed), (2.0, CommitState::Revealed)] {
            results.put(commit(1, "a", at, state), Vec::new()).unwrap();
        }
        assert_eq!(found(&results)["commit_timestamp"], 2.0);
    }

    #[test]
    fn is_done_needs_todays_finalization() {
        let results = Results::default();
        let asked = ["token".to_owned()];
        assert!(!results.is_done("c", &[], TODAY), "nothing was finalized");
        results.set_last_day("c", "2026-08-21");
        assert!(!results.is_done("c", &asked, TODAY));
        results.set_last_day("c", TODAY);
        assert!(
            results.is_done("c", &asked, TODAY),
            "also of nothing at all"
        );
        assert!(
            results.is_done("c", &asked, "2026-08-21"),
            "the clock moved back"
        );
        assert!(!results.is_done("c", &asked, "2026-08-23"));
    }

    #[test]
    fn is_done_waits_for_what_is_asked_and_does_not_flip_back() {
        let results = Results::default();
        let asked = ["token".to_owned()];
        results.set_last_day("c", TODAY);
        let left_over = commit(1, "a", 1.0, CommitState::Evaluated);
        results.put(left_over, Vec::new()).unwrap();
        assert!(!results.is_done("c", &asked, TODAY));
        assert!(results.is_done("c", &["other".to_owned()], TODAY));
        results
            .put(commit(1, "a", 1.0, CommitState::Judged), Vec::new())
            .unwrap();
        assert!(results.is_done("c", &asked, TODAY));
        let mut opened_later = commit(2, "b", 1.0, CommitState::Revealed);
        opened_later.encrypted_commit = "later".into();
        opened_later.batch_day = Some("2026-08-23".into());
        results.put(opened_later, Vec::new()).unwrap();
        assert!(results.is_done("c", &["later".to_owned()], TODAY));
    }
}
