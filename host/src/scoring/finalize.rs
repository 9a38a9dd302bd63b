//! What a day comes to: each challenge judges the commits of the day, and tells
//! its weights.

use super::judge::NoVerdict;
use super::organic::is_finalized;
use super::pipeline::{Pipeline, PipelineError};
use super::receipts::{Ended, Made, add};
use super::references::order;
use super::reveal::superseded;
use super::schedule::days_to_finalize;
use super::standings::best_commits;
use super::{StoredComparison, job_key};
use crate::plugins::ActivePlugin;
use crate::receipts::Kind;
use crate::receipts::documents::{Document, GetWeightsInput, GetWeightsOutput};
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::sandbox::{CallContext, Capability, Outcome, PluginCall, PluginError};
use crate::store::{
    CommitRow, CommitState, Finalization, Judged, Kept, NewEvent, Notice, OutboxKind, Settled,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use tokio::task::JoinSet;

/// Seconds in which a challenge that cannot tell its weights is asked again, from
/// the scoring hour on, or from when the host first asked if that is later.
pub const PATIENCE: f64 = 3_600.0;

/// A commit in the ledger: what was judged, and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalizedCommit {
    /// What the miner published.
    pub encrypted_commit: String,
    /// The miner's uid.
    pub miner_uid: u16,
    /// The miner's hotkey.
    pub miner_hotkey: String,
    /// SHA-256 of the artifact.
    pub artifact_digest: String,
    /// The verdict's score; none if the challenge could not judge the commit.
    pub score: Option<f64>,
    /// The verdict's penalty, 0 to 1.
    pub penalty: Option<f64>,
    /// Whether it is accepted.
    pub accepted: Option<bool>,
    /// References that it was compared with.
    pub references: usize,
}

/// When a challenge was asked for the weights of a day, in vain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    first: f64,
    attempts: u32,
    again_at: f64,
}

/// The commits of a challenge once all of a day are judged.
struct Verdicts {
    /// All commits of the challenge, with the verdicts.
    commits: Vec<CommitRow>,
    judged: Vec<Judged>,
    failed: Vec<(i64, String)>,
    superseded: Vec<i64>,
    /// What is stored with the verdicts, and which receipts become public.
    kept: Kept,
    leaves: Vec<String>,
}

impl Pipeline {
    /// Finalizes the days that are due, of every challenge, all at a time. Returns
    /// whether anything was.
    pub(super) async fn finalize_due(&self, now: f64) -> Result<bool, PipelineError> {
        let mut challenges = JoinSet::new();
        for plugin in self.plugins.active() {
            if is_finalized(&plugin) {
                let pipeline = self.clone();
                challenges.spawn(async move { pipeline.finalize_challenge(&plugin, now).await });
            }
        }
        let (mut progress, mut failed) = (false, None);
        while let Some(ended) = challenges.join_next().await {
            match ended.map_err(PipelineError::from).flatten() {
                Ok(finalized) => progress |= finalized,
                // The other challenges go on.
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if !progress => Err(error),
            _ => Ok(progress),
        }
    }

    /// Finalizes the days that are due, of a challenge. Returns whether anything was.
    pub(super) async fn finalize_challenge(
        &self,
        plugin: &ActivePlugin,
        now: f64,
    ) -> Result<bool, PipelineError> {
        let days = self.unfinalized(plugin, now).await?;
        let most = self.config.scoring.max_catch_up_days as usize;
        if days.len() > most {
            tracing::error!(
                challenge = plugin.name(),
                days = days.len(),
                from = days.first(),
                "too many days to catch up with: is the clock right? \
                 If it is, raise scoring.max_catch_up_days"
            );
            return Ok(false);
        }
        let mut progress = false;
        for day in days {
            match self.finalize_day(plugin, &day, now).await {
                Ok(true) => progress = true,
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(
                        challenge = plugin.name(),
                        day,
                        %error,
                        "a day was not finalized: trying again"
                    );
                    break;
                }
            }
        }
        Ok(progress)
    }

    /// The days that a challenge is still to be finalized on, in order.
    pub(super) async fn unfinalized(
        &self,
        plugin: &ActivePlugin,
        now: f64,
    ) -> Result<Vec<String>, PipelineError> {
        let challenge = plugin.name();
        let until = self.schedule.last_day(now);
        let last = self.results().last_day(challenge);
        if last.as_ref().is_some_and(|last| *last >= until) {
            return Ok(Vec::new());
        }
        let first = self.first_day(challenge, &until).await?;
        let waited_for = self.results().first_waited_for(challenge);
        let mut days = days_to_finalize(last.as_deref(), &first, &until, waited_for.as_deref());
        // What waits from before it was switched off, the next day takes in.
        if let (Some(_), Some(since)) = (&last, plugin.active_since) {
            let resumed = self.schedule.day_of(since);
            days.retain(|day| *day >= resumed);
        }
        Ok(days)
    }

    async fn first_day(&self, challenge: &str, today: &str) -> Result<String, PipelineError> {
        let known = |days: &BTreeMap<String, String>| days.get(challenge).cloned();
        let kept = known(
            &self
                .first_days
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if let Some(first) = kept {
            return Ok(first);
        }
        let first = self.store.first_day(challenge, today.to_owned()).await?;
        self.first_days
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(challenge.to_owned(), first.clone());
        Ok(first)
    }

    /// Returns whether the challenge is through with the day. It waits for commits
    /// that are still evaluated, but not for those that were tried in vain: nobody
    /// can hold the day up.
    async fn finalize_day(
        &self,
        plugin: &ActivePlugin,
        day: &str,
        now: f64,
    ) -> Result<bool, PipelineError> {
        if self.is_asked_later(plugin.name(), day, now) {
            return Ok(false);
        }
        let start = Instant::now();
        let Some(verdicts) = self.verdicts(plugin, day, now).await? else {
            return Ok(false);
        };
        let scheduled_at = self.schedule.finalized_at(day);
        let metagraph = self.metagraph();
        let registered = |commit: &&CommitRow| metagraph.uid_of(&commit.miner_hotkey).is_some();
        let best = best_commits(verdicts.commits.iter().filter(registered));
        let (mut standings, mut receipts) = (Vec::new(), Vec::new());
        for commit in best {
            standings.push(Standing {
                commit: self.commit(commit),
                score: commit.score.unwrap_or_default(),
                scored_at: commit.judged_at.unwrap_or_default(),
            });
            receipts.extend(commit.receipt.clone());
        }
        standings.sort_by_key(|standing| standing.commit.miner.uid);
        let mut made = Made::default();
        let weights = if plugin.has(Capability::GetWeights) {
            let weights;
            (weights, made) = self
                .weights(plugin, &standings, receipts, scheduled_at, now)
                .await?;
            weights
        } else if plugin.has(Capability::Organic) {
            let of_day = self.organic_of_day(plugin.name(), day, scheduled_at);
            Ok(of_day.await?)
        } else {
            Ok(Vec::new())
        };
        if let Err(error) = &weights
            && error.outcome.is_transient()
            && self.asks_again(plugin.name(), day, scheduled_at, now)
        {
            return Ok(false);
        }
        let settled = self.settled(plugin, day, &verdicts, &standings, (weights, made), now)?;
        let (commits, accepted) = (
            settled.judged.len(),
            settled
                .judged
                .iter()
                .filter(|judged| judged.accepted)
                .count(),
        );
        let stored = self.store.settle(settled).await?;
        let of_day = |commit: &&CommitRow| commit.finalized_day.as_deref() == Some(day);
        for commit in verdicts.commits.iter().filter(of_day).filter(|_| stored) {
            tracing::info!(
                challenge = commit.challenge,
                hotkey = commit.miner_hotkey,
                artifact = commit.artifact_digest,
                score = commit.score,
                penalty = commit.penalty,
                accepted = commit.accepted,
                "judged"
            );
            if let Some(at) = commit.committed_at {
                self.metrics.scored(plugin.name(), now - at);
            }
        }
        // The scores come first: who is told that all is done finds them.
        self.results().refresh(&self.store).await?;
        self.results().set_last_day(plugin.name(), day);
        self.ledger.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            challenge = plugin.name(),
            day,
            commits,
            accepted,
            late_s = now - scheduled_at,
            stored,
            "challenge finalized"
        );
        if stored {
            let late = now - scheduled_at;
            self.metrics.finalized(plugin.name(), late, start.elapsed());
        }
        Ok(true)
    }

    /// The verdicts on the commits of the day and on those that were left over;
    /// none if one must be waited for.
    async fn verdicts(
        &self,
        plugin: &ActivePlugin,
        day: &str,
        now: f64,
    ) -> Result<Option<Verdicts>, PipelineError> {
        let rules = &self.config.scoring;
        let mut commits = self.store.commits_of(plugin.name()).await?;
        commits.sort_by(|a, b| order(a).cmp(&order(b)));
        let is_due = |commit: &CommitRow| commit.batch_day.as_deref().is_some_and(|of| of <= day);
        let mut superseded = superseded(&commits, self.config.commits.max_versions);
        for commit in &mut commits {
            if superseded.contains(&commit.id) {
                commit.state = CommitState::Refused;
            }
        }
        let of_later_days = |id: &i64| commits.iter().any(|c| c.id == *id && !is_due(c));
        superseded.retain(|id| !of_later_days(id));
        let scores = plugin.has(Capability::Scoring);
        for commit in commits.iter().filter(|commit| scores && is_due(commit)) {
            if commit.state == CommitState::Revealed && self.holds_up(plugin, commit).await? {
                return Ok(None);
            }
        }
        let (mut judged, mut failed) = (Vec::new(), Vec::new());
        let (mut kept, mut leaves) = (Kept::default(), Vec::new());
        let of_day = |commit: &&CommitRow| commit.batch_day.as_deref() == Some(day);
        for commit in commits.iter().filter(of_day) {
            // It has no verdict, but what was evaluated can be checked.
            if commit.state == CommitState::Failed && commit.evaluation_id.is_some() {
                leaves.extend(self.evaluation_of(commit).await?.receipt);
            }
        }
        for index in 0..commits.len() {
            let Some(commit) = commits.get(index) else {
                break;
            };
            if commit.state != CommitState::Evaluated || !is_due(commit) {
                continue;
            }
            let hold = commit.judge_attempts < rules.hold_attempts;
            if commit.judge_attempts > 0 && now < commit.judge_not_before {
                if hold {
                    return Ok(None);
                }
                continue;
            }
            let (error, made) = match self.verdict(plugin, commit, &commits, day, now).await {
                Ok((verdict, made)) => {
                    leaves.extend(made.leaves());
                    add(&mut kept, made.kept);
                    if let Some(commit) = commits.get_mut(index) {
                        commit.state = CommitState::Judged;
                        commit.score = Some(verdict.score);
                        commit.penalty = Some(verdict.penalty);
                        commit.accepted = Some(verdict.accepted);
                        commit.judged_at = Some(self.schedule.finalized_at(day));
                        commit.finalized_day = Some(day.to_owned());
                        commit.receipt = verdict.receipt.clone();
                    }
                    judged.push(verdict);
                    continue;
                }
                Err(NoVerdict::Host(error)) => return Err(error),
                Err(NoVerdict::Call(error, made)) => (error, made),
            };
            let attempts = commit.judge_attempts + 1;
            if error.outcome.is_transient() && attempts < rules.max_attempts {
                let pause = rules.pause(attempts);
                tracing::warn!(
                    challenge = plugin.name(),
                    hotkey = commit.miner_hotkey,
                    attempts,
                    retry_in_s = pause,
                    %error,
                    "judging put off"
                );
                self.store.put_off_judging(commit.id, now + pause).await?;
                if attempts < rules.hold_attempts {
                    return Ok(None);
                }
                continue;
            }
            tracing::error!(
                challenge = plugin.name(),
                hotkey = commit.miner_hotkey,
                %error,
                "the challenge cannot judge a commit"
            );
            match made {
                Some(made) => {
                    leaves.extend(made.leaves());
                    add(&mut kept, made.kept);
                }
                // There is no verdict, but what was evaluated can be checked.
                None => leaves.extend(self.evaluation_of(commit).await?.receipt),
            }
            failed.push((commit.id, error.to_string()));
        }
        Ok(Some(Verdicts {
            commits,
            judged,
            failed,
            superseded,
            kept,
            leaves,
        }))
    }

    /// Whether the day waits for this commit's evaluation. After some attempts it
    /// does not.
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

    async fn weights(
        &self,
        plugin: &ActivePlugin,
        standings: &[Standing],
        receipts: Vec<String>,
        scheduled_at: f64,
        now: f64,
    ) -> Result<(Result<Vec<HotkeyWeight>, PluginError>, Made), PipelineError> {
        let context = CallContext {
            settings: Arc::clone(&plugin.settings),
            seed: 0,
            now: scheduled_at,
        };
        let tape = self.tape();
        let call = PluginCall {
            context: context.clone(),
            limits: &plugin.limits,
            grants: &plugin.grants,
            submitted: None,
            journal: Some(Arc::clone(&plugin.journal)),
            tape: tape.clone(),
        };
        let called = plugin
            .component
            .get_weights(&self.sandbox, call, standings)
            .await;
        let outcome = called.outcome();
        self.metrics.paid(plugin.name(), outcome);
        if let Err(error) = &called.result {
            tracing::error!(challenge = plugin.name(), %error, "a challenge tells no weights");
        }
        let told = called.result.as_deref().unwrap_or_default();
        let ended = Ended {
            kind: Kind::GetWeights,
            context: &context,
            artifact: None,
            input: GetWeightsInput::new(standings).text()?,
            output: GetWeightsOutput::new(outcome.code(), told).text()?,
            outcome,
            report: &called.report,
            tape,
            depends_on: receipts,
        };
        let made = self.receipt(plugin, ended, now).await?;
        Ok((called.result, made))
    }

    /// Whether a challenge that told no weights of a day is not to be asked again yet.
    fn is_asked_later(&self, challenge: &str, day: &str, now: f64) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let of_day = asked.get(&(challenge.to_owned(), day.to_owned()));
        of_day.is_some_and(|asked| now < asked.again_at)
    }

    /// Whether a challenge that just told no weights of a day is asked again; it is for
    /// some times and a while, but not for days that were missed.
    fn asks_again(&self, challenge: &str, day: &str, scheduled_at: f64, now: f64) -> bool {
        if self.schedule.last_day(now) != day {
            return false;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let of_day = (challenge.to_owned(), day.to_owned());
        let asked = asked.entry(of_day).or_insert(Asked {
            first: now,
            attempts: 0,
            again_at: now,
        });
        asked.attempts += 1;
        asked.again_at = now + self.config.scoring.pause(asked.attempts);
        asked.attempts < self.config.weights.max_attempts
            && now < asked.first.max(scheduled_at) + PATIENCE
    }

    fn settled(
        &self,
        plugin: &ActivePlugin,
        day: &str,
        verdicts: &Verdicts,
        standings: &[Standing],
        (weights, made): (Result<Vec<HotkeyWeight>, PluginError>, Made),
        now: f64,
    ) -> Result<Settled, PipelineError> {
        let mut kept = verdicts.kept.clone();
        let mut leaves = verdicts.leaves.clone();
        leaves.extend(made.leaves());
        add(&mut kept, made.kept);
        let results = results(verdicts, day)?;
        let accepted = results.iter().filter(|r| r.accepted == Some(true)).count();
        let (outcome, message, weights) = match weights {
            Ok(weights) => (Outcome::Ok, None, weights),
            Err(error) => (error.outcome, Some(error.message), Vec::new()),
        };
        let key = job_key(plugin, "");
        let event = NewEvent {
            at: now,
            kind: "finalized",
            challenge: key.challenge.clone(),
            data: json!({"day": day, "commits": results.len(), "accepted": accepted}),
        };
        Ok(Settled {
            receipt: made.id,
            kept,
            leaves: self.leaves(day, leaves),
            notices: self.notices_of(verdicts, &key.challenge, day),
            finalization: Finalization {
                day: day.to_owned(),
                challenge: key.challenge,
                plugin_digest: key.plugin_digest,
                settings_digest: key.settings_digest,
                engine: key.engine,
                outcome: outcome.code().to_owned(),
                message,
                standings: serde_json::to_string(standings)?,
                weights: serde_json::to_string(&weights)?,
                results: serde_json::to_string(&results)?,
                scheduled_at: self.schedule.finalized_at(day),
            },
            judged: verdicts.judged.clone(),
            failed: verdicts.failed.clone(),
            superseded: verdicts.superseded.clone(),
            event,
        })
    }

    /// Who is to be told of a finalization: the storage service of each commit and
    /// of the standings, the archive of the day.
    fn notices_of(&self, verdicts: &Verdicts, challenge: &str, day: &str) -> Vec<Notice> {
        let mut notices = Vec::new();
        if self.config.storage.url.is_some() {
            for judged in &verdicts.judged {
                let commit = verdicts.commits.iter().find(|c| c.id == judged.commit);
                notices.extend(commit.into_iter().flat_map(|commit| {
                    let evaluation = commit.evaluation_id.unwrap_or_default();
                    super::work::notices(commit.id, evaluation)
                }));
            }
            notices.push(Notice {
                kind: OutboxKind::State,
                subject: String::new(),
            });
        }
        if self.config.archive.url.is_some() {
            notices.push(Notice {
                kind: OutboxKind::Archive,
                subject: format!("{challenge}/{day}"),
            });
        }
        notices
    }
}

/// What the ledger says of the commits, by time of commit.
fn results(verdicts: &Verdicts, day: &str) -> Result<Vec<FinalizedCommit>, PipelineError> {
    let mut results = Vec::new();
    for commit in &verdicts.commits {
        let judged = verdicts.judged.iter().find(|j| j.commit == commit.id);
        let failed = verdicts.failed.iter().any(|(id, _)| *id == commit.id);
        if commit.finalized_day.as_deref() != Some(day) && !failed {
            continue;
        }
        let stored = judged.map_or("[]", |judged| &judged.comparisons);
        results.push(FinalizedCommit {
            encrypted_commit: commit.encrypted_commit.clone(),
            miner_uid: commit.miner_uid,
            miner_hotkey: commit.miner_hotkey.clone(),
            artifact_digest: commit.artifact_digest.clone().unwrap_or_default(),
            score: commit.score,
            penalty: commit.penalty,
            accepted: commit.accepted,
            references: serde_json::from_str::<Vec<StoredComparison>>(stored)?.len(),
        });
    }
    Ok(results)
}
