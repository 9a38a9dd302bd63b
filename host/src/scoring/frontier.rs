//! The order of judging: by time of commit, each waiting for those before it.

use super::job_key;
use super::judge::NoVerdict;
use super::pipeline::{Pipeline, PipelineError};
use super::references::order;
use crate::plugins::ActivePlugin;
use crate::store::{CommitRow, CommitState};
use tokio::task::JoinSet;

impl Pipeline {
    /// Judges what can be judged: each challenge in the order of its commits, all
    /// challenges at a time.
    pub(super) async fn judge_all(&self, now: f64) -> Result<bool, PipelineError> {
        let counts = self.store.commit_counts().await?;
        let waits = |challenge: &str| {
            let mut counts = counts.iter();
            counts.any(|(name, state, _)| name == challenge && *state == CommitState::Evaluated)
        };
        let mut running = JoinSet::new();
        for plugin in self.scoring_plugins().filter(|plugin| waits(plugin.name())) {
            let pipeline = self.clone();
            running.spawn(async move { pipeline.judge_challenge(&plugin, now).await });
        }
        let mut progress = false;
        while let Some(judged) = running.join_next().await {
            progress |= judged??;
        }
        Ok(progress)
    }

    async fn judge_challenge(
        &self,
        plugin: &ActivePlugin,
        now: f64,
    ) -> Result<bool, PipelineError> {
        let hold_attempts = self.config.scoring.hold_attempts;
        let mut commits = self.store.commits_of(plugin.name()).await?;
        commits.sort_by(|a, b| order(a).cmp(&order(b)));
        let mut progress = false;
        for index in 0..commits.len() {
            let Some(commit) = commits.get(index).cloned() else {
                break;
            };
            let holds_up = match commit.state {
                CommitState::Revealed => self.holds_up(plugin, &commit).await?,
                CommitState::Evaluated if now < commit.judge_not_before => {
                    commit.judge_attempts < hold_attempts
                }
                CommitState::Evaluated => {
                    let judged = self
                        .judge_or_put_off(plugin, &commit, &commits, now)
                        .await?;
                    let current = self.store.commit(commit.id).await?;
                    let holds_up = !judged && current.judge_attempts < hold_attempts;
                    if let Some(place) = commits.get_mut(index) {
                        *place = current;
                    }
                    progress |= judged;
                    holds_up
                }
                _ => false,
            };
            if holds_up {
                break;
            }
        }
        Ok(progress)
    }

    /// Returns whether the commit has moved on.
    async fn judge_or_put_off(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
        commits: &[CommitRow],
        now: f64,
    ) -> Result<bool, PipelineError> {
        let error = match self.judge(plugin, commit, commits, now).await {
            Ok(()) => return Ok(true),
            Err(NoVerdict::Host(error)) => return Err(error),
            Err(NoVerdict::Call(error)) => error,
        };
        let attempts = commit.judge_attempts + 1;
        if error.outcome.is_transient() && attempts < self.config.scoring.max_attempts {
            let pause = self.config.scoring.pause(attempts);
            tracing::warn!(
                challenge = plugin.name(),
                hotkey = commit.miner_hotkey,
                attempts,
                retry_in_s = pause,
                %error,
                "judging put off"
            );
            self.store.put_off_judging(commit.id, now + pause).await?;
            return Ok(false);
        }
        tracing::error!(
            challenge = plugin.name(),
            hotkey = commit.miner_hotkey,
            %error,
            "the challenge cannot judge a commit"
        );
        self.store.set_failed(commit, error.to_string()).await?;
        Ok(true)
    }

    /// Whether later commits wait for this one. After some attempts they do not.
    async fn holds_up(
        &self,
        plugin: &ActivePlugin,
        commit: &CommitRow,
    ) -> Result<bool, PipelineError> {
        let key = job_key(
            plugin,
            commit.artifact_digest.as_deref().unwrap_or_default(),
        );
        let attempts = self.store.pending_attempts(key).await?;
        Ok(attempts.is_none_or(|attempts| attempts < self.config.scoring.hold_attempts))
    }
}
