//! Submissions at a challenge's own routes, and the standings that these show.

use super::pipeline::{Pipeline, PipelineError};
use crate::sandbox::Capability;
use crate::sandbox::submissions::{SubmitError, Submitted};
use crate::sandbox::types::Standing;
use crate::store::{Upload, Uploaded};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The standings of each challenge, kept until another day is finalized. Clones share
/// everything.
#[derive(Debug, Clone, Default)]
pub struct StandingsCache(Arc<Mutex<HashMap<String, Kept>>>);

/// Standings, and the day that they are of.
type Kept = (Option<String>, Arc<[Standing]>);

impl Pipeline {
    /// Commits an artifact of the store for a miner who signed for it, at `now` in
    /// seconds since the Unix epoch. From then on it is a commit like any other that
    /// was opened then; handed in again it is the same. Nothing of it is lost once
    /// this returns.
    ///
    /// # Errors
    ///
    /// `UnknownArtifact` if there is no such artifact; `Unavailable` if the challenge
    /// does not score anything, if the miner has handed in as many as a day takes in,
    /// or if the database cannot be written to.
    pub async fn submit(
        &self,
        challenge: &str,
        miner_hotkey: &str,
        miner_uid: u16,
        artifact_digest: &str,
        now: f64,
    ) -> Result<Submitted, SubmitError> {
        let unavailable = |why: &str| Err(SubmitError::Unavailable(why.to_owned()));
        let plugin = self.plugins.get(challenge);
        if !plugin.is_some_and(|plugin| plugin.has(Capability::Scoring)) {
            return unavailable("the challenge scores nothing now");
        }
        if !self.artifacts.contains(artifact_digest) {
            return Err(SubmitError::UnknownArtifact);
        }
        let upload = Upload {
            challenge: challenge.to_owned(),
            miner_hotkey: miner_hotkey.to_owned(),
            miner_uid,
            artifact_digest: artifact_digest.to_owned(),
            uploaded_at: now,
            day: self.schedule.day_of(now),
        };
        let (id, day, known) = match self.store.submit(upload).await {
            Ok(Uploaded::Taken { id, day, known }) => (id, day, known),
            Ok(Uploaded::TooMany) => return unavailable("too many submissions for one day"),
            Err(error) => {
                tracing::error!(challenge, %error, "a submission was not taken");
                return unavailable("the database cannot be used now");
            }
        };
        if !known {
            tracing::info!(
                challenge,
                hotkey = miner_hotkey,
                artifact = artifact_digest,
                day,
                "submitted"
            );
            // Whoever waits for the end of an evaluation looks for work then.
            self.ended.notify_one();
        }
        Ok(Submitted {
            id: id.unsigned_abs(),
            day,
            known,
        })
    }

    /// The standings of a challenge's last finalization, the best first; none before
    /// the first. Reads the database.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn current_standings(
        &self,
        challenge: &str,
    ) -> Result<Arc<[Standing]>, PipelineError> {
        let of_challenge = Some(challenge.to_owned());
        let last = self.store.finalizations(of_challenge, None, 1).await?.pop();
        let Some(last) = last else {
            return Ok(Arc::default());
        };
        let mut standings: Vec<Standing> = serde_json::from_str(&last.finalization.standings)?;
        standings.sort_by(best_first);
        Ok(standings.into())
    }
}

impl StandingsCache {
    /// [`Pipeline::current_standings`], read once for each finalization.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub async fn current(
        &self,
        pipeline: &Pipeline,
        challenge: &str,
    ) -> Result<Arc<[Standing]>, PipelineError> {
        // Before the database is read: what is finalized meanwhile is read again.
        let day = pipeline.results().last_day(challenge);
        let kept = self.lock().get(challenge).cloned();
        if let Some((_, standings)) = kept.filter(|(of, _)| *of == day) {
            return Ok(standings);
        }
        let standings = pipeline.current_standings(challenge).await?;
        let kept = (day, Arc::clone(&standings));
        self.lock().insert(challenge.to_owned(), kept);
        Ok(standings)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By score; of the same score the earlier commit is better.
fn best_first(a: &Standing, b: &Standing) -> Ordering {
    b.score
        .total_cmp(&a.score)
        .then_with(|| a.commit.committed_at.total_cmp(&b.commit.committed_at))
        .then_with(|| a.commit.miner.hotkey.cmp(&b.commit.miner.hotkey))
}
