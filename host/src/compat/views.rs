//! What of a commit is shown to whom.

use serde_json::Value;

use super::hash::input_hash;
use super::logs::{ComparisonLog, MinerChallengeCommit, ScoringLog};

impl ScoringLog {
    /// Without the task, the answer and the hash.
    #[must_use]
    pub fn public_view(&self) -> Self {
        Self {
            score: self.score,
            validation_output: self.validation_output.clone(),
            error: self.error.clone(),
            baseline_score: self.baseline_score,
            ..Self::default()
        }
    }

    /// Without the task and the outputs, but with the hash of the task.
    #[must_use]
    pub fn state_view(&self) -> Self {
        Self {
            score: self.score,
            error: self.error.clone(),
            baseline_score: self.baseline_score,
            input_hash: known_hash(&self.input_hash, &self.miner_input),
            ..Self::default()
        }
    }
}

impl ComparisonLog {
    /// Without the task, the answers and the hash.
    #[must_use]
    pub fn public_view(&self) -> Self {
        Self {
            similarity_score: self.similarity_score,
            error: self.error.clone(),
            reason: self.reason.clone(),
            reference_hotkey: self.reference_hotkey.clone(),
            reference_similarity_score: self.reference_similarity_score,
            ..Self::default()
        }
    }

    /// Without the task and the answers, but with the hash of the task.
    #[must_use]
    pub fn state_view(&self) -> Self {
        Self {
            input_hash: known_hash(&self.input_hash, &self.miner_input),
            ..self.public_view()
        }
    }
}

impl<S, C> MinerChallengeCommit<S, C> {
    /// The same commit with other logs.
    pub(super) fn with_logs<T, D>(
        &self,
        scoring: impl Fn(&S) -> T,
        comparison: impl Fn(&C) -> D,
    ) -> MinerChallengeCommit<T, D> {
        let compared = |logs: &Vec<C>| logs.iter().map(&comparison).collect();
        MinerChallengeCommit {
            miner_uid: self.miner_uid,
            miner_hotkey: self.miner_hotkey.clone(),
            challenge_name: self.challenge_name.clone(),
            docker_hub_id: self.docker_hub_id.clone(),
            commit_timestamp: self.commit_timestamp,
            encrypted_commit: self.encrypted_commit.clone(),
            key: self.key.clone(),
            commit: self.commit.clone(),
            scoring_logs: self.scoring_logs.iter().map(scoring).collect(),
            comparison_logs: self
                .comparison_logs
                .iter()
                .map(|(reference, logs)| (reference.clone(), compared(logs)))
                .collect(),
            scored_timestamp: self.scored_timestamp,
            score: self.score,
            penalty: self.penalty,
            accepted: self.accepted,
        }
    }
}

impl MinerChallengeCommit {
    /// What everybody may see: no tasks, no answers, no hashes.
    ///
    /// The key, the opened commit and the artifact stay in it, so it is for commits
    /// that are revealed.
    #[must_use]
    pub fn public_view(&self) -> Self {
        self.with_logs(ScoringLog::public_view, ComparisonLog::public_view)
    }

    /// What a validator keeps across restarts: no tasks, no outputs, no key.
    ///
    /// Unlike RedTeam's it has the hashes of the tasks, as was meant there too.
    #[must_use]
    pub fn state_view(&self) -> Self {
        Self {
            key: None,
            ..self.with_logs(ScoringLog::state_view, ComparisonLog::state_view)
        }
    }
}

impl MinerChallengeCommit {
    /// The same commit without its key and without the names of repositories: an
    /// artifact is called `<uid>---<digest>`, one that it is compared with
    /// `ref---<digest>`, the opened commit `<challenge>---<uid>---<digest>`.
    ///
    /// What has no `@sha256:` is called what it was, in the opened commit after one
    /// more `<challenge>---`. Without a uid there is no artifact; a uid or a challenge
    /// that is not known is `None` in the opened commit. Of references with the same
    /// digest the last by name stays. Logs stay as they are.
    #[must_use]
    pub fn anonymize_docker_hub_ids(&self) -> Self {
        let uid = self.miner_uid.map(|uid| uid.to_string());
        let id = known(&self.docker_hub_id).zip(uid.as_deref());
        let commit = known(&self.commit).map(|commit| {
            let challenge = self.challenge_name.as_deref().unwrap_or("None");
            let id = anonymous(commit, uid.as_deref().unwrap_or("None"));
            format!("{challenge}---{id}")
        });
        let compared = self.comparison_logs.iter();
        Self {
            docker_hub_id: id.map(|(id, uid)| anonymous(id, uid)),
            key: None,
            commit,
            comparison_logs: compared
                .map(|(reference, logs)| (anonymous(reference, "ref"), logs.clone()))
                .collect(),
            ..self.clone()
        }
    }
}

fn known(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn anonymous(id: &str, owner: &str) -> String {
    match id.split("@sha256:").nth(1) {
        Some(digest) => format!("{owner}---{digest}"),
        None => id.to_owned(),
    }
}

/// The hash of the task, also of a log that was put together here without it.
fn known_hash(hash: &Option<String>, input: &Option<Value>) -> Option<String> {
    let hash = hash.clone();
    hash.or_else(|| input.as_ref().and_then(input_hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn commit() -> MinerChallengeCommit {
        serde_json::from_value(json!({
            "miner_uid": 3, "encrypted_commit": "enc", "key": "k", "commit": "c---a",
            "docker_hub_id": "a", "score": 0.5, "penalty": 0.1, "accepted": true,
            "scoring_logs": [{"score": 0.5, "miner_input": {"x": 1}, "miner_output": {"y": 2},
                "validation_output": {"v": 3}, "error": "e", "baseline_score": 0.25}],
            "comparison_logs": {"r": [{"similarity_score": 0.1, "miner_input": {"x": 1},
                "miner_output": {"y": 2}, "reference_output": {"z": 3}, "error": "e",
                "reason": "why", "reference_hotkey": "hk", "reference_similarity_score": 0.2}]},
        }))
        .unwrap()
    }

    /// Logs of a commit without what a view takes away.
    fn expected(scoring: Value, comparison: Value) -> MinerChallengeCommit {
        let mut expected = commit();
        expected.scoring_logs = vec![serde_json::from_value(scoring).unwrap()];
        let logs = vec![serde_json::from_value(comparison).unwrap()];
        expected.comparison_logs.insert("r".to_owned(), logs);
        expected
    }

    #[test]
    fn the_public_view_keeps_scores_reasons_and_the_key() {
        let expected = expected(
            json!({"score": 0.5, "validation_output": {"v": 3}, "error": "e", "baseline_score": 0.25}),
            json!({"similarity_score": 0.1, "error": "e", "reason": "why",
                   "reference_hotkey": "hk", "reference_similarity_score": 0.2}),
        );
        assert_eq!(commit().public_view(), expected);
        assert_eq!(expected.key.as_deref(), Some("k"));
    }

    /// Peer's bug 15: the view copies the hash into a log without input, whose
    /// construction computes it again, to null.
    #[test]
    fn the_state_view_does_not_lose_the_input_hash() {
        let hash = input_hash(&json!({"x": 1})).unwrap();
        let mut expected = expected(
            json!({"score": 0.5, "error": "e", "baseline_score": 0.25, "input_hash": hash}),
            json!({"similarity_score": 0.1, "error": "e", "reason": "why", "input_hash": hash,
                   "reference_hotkey": "hk", "reference_similarity_score": 0.2}),
        );
        expected.key = None;
        let view = commit().state_view();
        assert_eq!(view, expected);

        let text = serde_json::to_string(&view).unwrap();
        let read: MinerChallengeCommit = serde_json::from_str(&text).unwrap();
        assert_eq!(read, view, "nor does reading it back");
        assert_eq!(read.state_view(), view, "nor does a second view");
    }

    #[test]
    fn an_anonymous_commit_names_no_repository_and_has_no_key() {
        let commit = MinerChallengeCommit {
            challenge_name: Some("c".into()),
            docker_hub_id: Some("u/i@sha256:aa".into()),
            commit: Some("c---u/i@sha256:aa".into()),
            comparison_logs: [
                ("r/i@sha256:bb", 0.1),
                ("s/i@sha256:bb", 0.2),
                ("3_enc", 0.3),
            ]
            .map(|(name, similarity)| {
                let log = ComparisonLog {
                    similarity_score: Some(similarity),
                    ..ComparisonLog::default()
                };
                (name.to_owned(), vec![log])
            })
            .into(),
            ..commit()
        };
        let logs = |name| commit.comparison_logs[name].clone();
        let expected = MinerChallengeCommit {
            docker_hub_id: Some("3---aa".into()),
            key: None,
            commit: Some("c---3---aa".into()),
            comparison_logs: [
                ("3_enc", logs("3_enc")),
                ("ref---bb", logs("s/i@sha256:bb")),
            ]
            .map(|(name, logs)| (name.to_owned(), logs))
            .into(),
            ..commit.clone()
        };
        assert_eq!(commit.anonymize_docker_hub_ids(), expected);
    }

    #[test]
    fn what_has_no_digest_or_no_uid_is_called_as_the_peer_calls_it() {
        let text = |text: &str| Some(text.to_owned());
        let cases = [
            (
                (Some(3), text("c"), text("a"), text("c---a")),
                (text("a"), text("c---c---a")),
            ),
            (
                (None, None, text("u@sha256:a"), text("u@sha256:a")),
                (None, text("None---None---a")),
            ),
            ((Some(3), text("c"), text(""), text("")), (None, None)),
            ((Some(3), text("c"), None, None), (None, None)),
            (
                (Some(3), text("c"), text("u@sha256:a@sha256:b"), None),
                (text("3---a"), None),
            ),
        ];
        for ((miner_uid, challenge_name, docker_hub_id, commit), expected) in cases {
            let commit = MinerChallengeCommit {
                miner_uid,
                challenge_name,
                docker_hub_id,
                commit,
                ..MinerChallengeCommit::default()
            };
            let anonymous = commit.anonymize_docker_hub_ids();
            assert_eq!((anonymous.docker_hub_id, anonymous.commit), expected);
        }
    }

    #[test]
    fn a_log_put_together_without_its_hash_has_one_in_the_state_view() {
        let log = ScoringLog {
            miner_input: Some(json!({"x": 1})),
            ..ScoringLog::default()
        };
        assert_eq!(log.state_view().input_hash, input_hash(&json!({"x": 1})));
    }
}
