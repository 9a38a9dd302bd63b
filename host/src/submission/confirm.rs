//! Whether weights are on chain whose call succeeded, and reveals of those that were
//! committed to.

use super::SubmissionError;
use super::draft::Draft;
use super::fate::{retry_reveal_from, same_weights};
use super::work::{Order, Watched, Work};
use crate::chain::blocks;
use crate::chain::call::{WeightCall, storage_index};
use crate::chain::client::AtBlock;
use crate::chain::client::H256;
use crate::chain::error::ChainError;
use crate::chain::preflight::{first_refusal, preflight_reveal};
use crate::chain::read;
use crate::store::{AskedBy, Step, SubmissionKind, SubmissionRow, SubmissionState};

/// Before the block in which a reveal is foretold it is looked every so many blocks
/// whether it has come earlier: an owner may order an epoch.
const LOOK_EARLY: u64 = 16;

/// How many blocks are looked through for the event of a reveal. What is older is judged
/// by the weights that are there.
const LOOK_BACK: u64 = 64;

/// Reads whatever is left of the block's number, so as not to look at each.
fn is_early(row: &SubmissionRow, finalized: u64) -> bool {
    let foretold = row.new.reveal_block.unwrap_or_default();
    finalized.saturating_add(1) < foretold && !finalized.is_multiple_of(LOOK_EARLY)
}

impl Work {
    /// Looks after submissions that are in finalized blocks and not seen on chain.
    /// Returns what is heard of a reveal that was sent.
    pub(super) async fn confirm(
        &self,
        tip: &AtBlock,
    ) -> Result<Option<(i64, Watched)>, SubmissionError> {
        let mut watched = None;
        let store = &self.parts.store;
        for row in store.unseen_submissions(self.key.clone()).await? {
            // An endpoint that is behind knows nothing of it.
            if row.block > Some(tip.block_number()) {
                continue;
            }
            let followed = match row.new.kind {
                SubmissionKind::Set | SubmissionKind::Reveal => {
                    self.read_back(&row, tip).await.map(|()| None)
                }
                SubmissionKind::Timelocked => {
                    self.follow_timelocked(&row, tip).await.map(|()| None)
                }
                SubmissionKind::Commit => self.follow_commit(&row, tip).await,
            };
            match followed {
                Ok(sent) => watched = sent.or(watched),
                // The others do not wait for it.
                Err(error) => {
                    let (submission, code) = (row.id, error.code());
                    tracing::warn!(submission, %error, code, "weights: not confirmed yet");
                }
            }
        }
        Ok(watched)
    }

    /// Compares what is stored for the uid with what was sent, in the block that has it.
    async fn read_back(&self, row: &SubmissionRow, tip: &AtBlock) -> Result<(), SubmissionError> {
        let at = match block_hash(row) {
            Some(hash) => match self.at(hash).await {
                // An endpoint that forgets: as it is now.
                Err(ChainError::StateDiscarded(_) | ChainError::NoSuchBlock(_)) => tip.clone(),
                at => at?,
            },
            None => tip.clone(),
        };
        let is_there = self.is_row(row, &at).await?;
        // The commit first: while its reveal is not seen, both are looked after.
        if let Some(commit) = row.new.commit_id
            && let Some(commit) = self.parts.store.submission(commit).await?
        {
            self.end(&commit, is_there, "WeightsNotSet").await?;
        }
        self.end(row, is_there, "WeightsNotSet").await
    }

    /// Whether what is stored for the uid is what was sent.
    async fn is_row(&self, row: &SubmissionRow, at: &AtBlock) -> Result<bool, ChainError> {
        let (netuid, mechanism) = (row.new.key.netuid, row.new.key.mechanism);
        let found = read::weights_row(at, netuid, mechanism, row.new.uid).await?;
        Ok(same_weights(&found, &row.new.uids, &row.new.values))
    }

    async fn end(
        &self,
        row: &SubmissionRow,
        is_there: bool,
        otherwise: &str,
    ) -> Result<(), SubmissionError> {
        let now = self.parts.now();
        let step = match is_there {
            true => Step::to(SubmissionState::Confirmed, now),
            false => Step {
                outcome: Some(otherwise.into()),
                message: Some(
                    "the call succeeded, and the chain has other weights for this hotkey".into(),
                ),
                ..Step::to(SubmissionState::Unconfirmed, now)
            },
        };
        self.step(row, step).await?;
        Ok(())
    }

    /// Looks whether the chain has revealed a commit. It tells nobody if it could not.
    async fn follow_timelocked(
        &self,
        row: &SubmissionRow,
        tip: &AtBlock,
    ) -> Result<(), SubmissionError> {
        let finalized = tip.block_number();
        let Some(epoch) = self.commit_epoch(row, tip).await? else {
            return self
                .end(row, self.is_row(row, tip).await?, "CommitGone")
                .await;
        };
        if is_early(row, finalized) {
            return Ok(());
        }
        if self.has_timelocked(row, tip, epoch).await? {
            self.parts.store.note_looked(row.id, finalized).await?;
            return Ok(());
        }
        // It was taken in one of these blocks, and revealed or dropped.
        let since = row.looked_at.max(row.block.unwrap_or_default());
        let oldest = finalized.saturating_sub(LOOK_BACK);
        let first = since.max(oldest).saturating_add(1);
        let mut is_whole = since >= oldest;
        let index = storage_index(row.new.key.netuid, row.new.key.mechanism);
        let mut is_revealed = false;
        match blocks::blocks(&self.chain, tip, first, finalized).await {
            Ok(blocks) => {
                for at in blocks {
                    is_revealed |= blocks::reveals(&at, index, &self.account).await?;
                }
            }
            Err(ChainError::StateDiscarded(_)) => is_whole = false,
            Err(error) => return Err(error.into()),
        }
        // The weights of the epoch before may be the same ones, so they count only where
        // the event may have been missed.
        let is_revealed = is_revealed || (!is_whole && self.is_row(row, tip).await?);
        self.end(row, is_revealed, "NotRevealed").await
    }

    /// The epoch that the chain counts a timelocked commit in; none if it is in none.
    async fn commit_epoch(
        &self,
        row: &SubmissionRow,
        tip: &AtBlock,
    ) -> Result<Option<u64>, SubmissionError> {
        if row.commit_epoch.is_some() {
            return Ok(row.commit_epoch);
        }
        let netuid = row.new.key.netuid;
        let at = match block_hash(row) {
            Some(hash) => match self.at(hash).await {
                Err(ChainError::StateDiscarded(_) | ChainError::NoSuchBlock(_)) => tip.clone(),
                at => at?,
            },
            None => tip.clone(),
        };
        let state = read::epoch_state(&at, netuid).await?;
        let now = state.epoch_index;
        for epoch in [now, now.saturating_add(1), now.saturating_sub(1)] {
            if self.has_timelocked(row, &at, epoch).await? {
                let asked = read::hyperparameters(&at, netuid).await?;
                let reveal = epoch.saturating_add(asked.commit_reveal_period);
                let store = &self.parts.store;
                store
                    .note_commit(row.id, Some(epoch), Some(reveal), None)
                    .await?;
                return Ok(Some(epoch));
            }
        }
        Ok(None)
    }

    async fn has_timelocked(
        &self,
        row: &SubmissionRow,
        at: &AtBlock,
        epoch: u64,
    ) -> Result<bool, ChainError> {
        let (netuid, mechanism) = (row.new.key.netuid, row.new.key.mechanism);
        let commits = read::timelocked_commits(at, netuid, mechanism, epoch).await?;
        Ok(commits.iter().any(|commit| {
            let bytes = commit.commit.as_slice();
            commit.account == self.account
                && !bytes.is_empty()
                && row
                    .new
                    .extrinsic
                    .windows(bytes.len())
                    .any(|part| part == bytes)
        }))
    }

    /// Reveals a commit when its time has come, and gives it up when that is over.
    async fn follow_commit(
        &self,
        row: &SubmissionRow,
        tip: &AtBlock,
    ) -> Result<Option<(i64, Watched)>, SubmissionError> {
        if is_early(row, tip.block_number()) && row.commit_epoch.is_some() {
            return Ok(None);
        }
        let store = &self.parts.store;
        let last = store.reveal_of(row.id).await?;
        if last
            .as_ref()
            .is_some_and(|last| last.state.is_open() || last.state.is_on_chain())
        {
            return Ok(None);
        }
        let Some(call) = reveal_call(row) else {
            let message = "the database has no salt of it: was it restored of an export?";
            return self.give_up(row, "SaltLost", message).await;
        };
        // What no finalized block has may not be there in the end.
        let final_state = self.state(tip).await?;
        let (netuid, mechanism) = (row.new.key.netuid, row.new.key.mechanism);
        let commits = read::hash_commits(tip, netuid, mechanism, &self.account).await?;
        let own = commits
            .iter()
            .find(|commit| Some(hex::encode(commit.hash)) == row.new.commit_hash);
        let Some(own) = own else {
            return self
                .give_up(
                    row,
                    "NoWeightsCommitFound",
                    "the chain does not have the commit",
                )
                .await;
        };
        if own.is_expired(&final_state.epoch) {
            let message = format!("it could be revealed in epoch {}", own.reveal_epoch);
            return self.give_up(row, "ExpiredWeightCommit", &message).await;
        }
        if row.commit_epoch.is_none() {
            store
                .note_commit(row.id, Some(own.epoch), Some(own.reveal_epoch), None)
                .await?;
        }
        let best = self.best(tip).await?;
        let state = self.state(&best).await?;
        if !own.is_due(&state.epoch) || store.open_submission(self.key.clone()).await?.is_some() {
            return Ok(None);
        }
        let tries = store.last_submissions(self.key.clone(), 32).await?;
        let tries = tries.iter().filter(|of| of.new.commit_id == Some(row.id));
        if retry_reveal_from(tries) > best.block_number() {
            return Ok(None);
        }
        let checks = preflight_reveal(&state, &call, &self.account, &commits);
        if let Some(check) = first_refusal(&checks) {
            let (submission, error) = (row.id, check.error);
            let message = format!("it cannot be revealed now: {error}");
            if row.message.as_ref() != Some(&message) {
                tracing::warn!(submission, error, "a commit cannot be revealed now");
                store.note_of_submission(row.id, message).await?;
            }
            return Ok(None);
        }
        let order = Order {
            draft: Draft {
                kind: SubmissionKind::Reveal,
                call,
                uids: row.new.uids.clone(),
                values: row.new.values.clone(),
                version_key: row.new.version_key,
                salt: row.new.salt.clone(),
                hash: None,
                reveal: None,
                checks,
            },
            asked_by: AskedBy::Schedule,
            vector: &row.new.vector,
            commit: Some(row.id),
            uid: state.hotkey.uid.unwrap_or(row.new.uid),
        };
        match self.submit(order, tip, &best).await {
            Ok((id, watched)) => Ok(watched.map(|watched| (id, watched))),
            // It was told with the row, and is tried again.
            Err(SubmissionError::Rejected(_) | SubmissionError::Open(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn give_up(
        &self,
        row: &SubmissionRow,
        outcome: &str,
        message: &str,
    ) -> Result<Option<(i64, Watched)>, SubmissionError> {
        let step = Step {
            outcome: Some(outcome.into()),
            message: Some(message.into()),
            ..Step::to(SubmissionState::Unconfirmed, self.parts.now())
        };
        self.step(row, step).await?;
        Ok(None)
    }
}

fn block_hash(row: &SubmissionRow) -> Option<H256> {
    let bytes = hex::decode(row.block_hash.as_ref()?).ok()?;
    Some(H256(bytes.try_into().ok()?))
}

/// The call that reveals a commit; none if it has no salt.
fn reveal_call(row: &SubmissionRow) -> Option<WeightCall> {
    Some(WeightCall::Reveal {
        netuid: row.new.key.netuid,
        mechanism: row.new.key.mechanism,
        uids: row.new.uids.clone(),
        values: row.new.values.clone(),
        salt: row.new.salt.clone()?,
        version_key: row.new.version_key,
    })
}
