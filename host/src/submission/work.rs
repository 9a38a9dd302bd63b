//! What a submission is taken through: found, sent, followed, and seen on chain.

use super::SubmissionError;
use super::draft::Draft;
use super::fate::{Fate, fate};
use super::{Parts, tell};
use crate::chain::Hotkey;
use crate::chain::blocks;
use crate::chain::client::H256;
use crate::chain::client::{AtBlock, Chain, Progress};
use crate::chain::error::{ChainError, SubmitError};
use crate::chain::preflight::ChainState;
use crate::chain::read;
use crate::chain::rejection::{Next, Rejection};
use crate::chain::transaction::{self, Mortality};
use crate::store::{
    AskedBy, NewSubmission, Step, StoreError, SubmissionKey, SubmissionKind, SubmissionRow,
    SubmissionState,
};
use futures_util::stream::BoxStream;

/// How an extrinsic is doing at the node that it was given to.
pub(super) type Watched = BoxStream<'static, Result<Progress, ChainError>>;

/// A host with a hotkey on a chain.
pub(super) struct Work {
    pub(super) parts: Parts,
    pub(super) chain: Chain,
    pub(super) hotkey: Hotkey,
    pub(super) account: [u8; 32],
    pub(super) key: SubmissionKey,
}

/// What is to be sent, and why.
pub(super) struct Order<'a> {
    pub(super) draft: Draft,
    pub(super) asked_by: AskedBy,
    /// Digest of the vector.
    pub(super) vector: &'a str,
    /// Of a reveal: its commit.
    pub(super) commit: Option<i64>,
    pub(super) uid: u16,
}

impl Work {
    /// Takes a step with a submission, and tells of it. Returns false if somebody took
    /// it further already.
    pub(super) async fn step(&self, row: &SubmissionRow, step: Step) -> Result<bool, StoreError> {
        let block = step.block.as_ref().map(|block| block.0);
        let event = tell::event(row, step.to, block, step.outcome.as_deref(), step.at);
        let (to, at, message) = (step.to, step.at, step.message.clone());
        let stepped = self
            .parts
            .store
            .step_submission(row.id, step, event)
            .await?;
        if stepped {
            tell::stepped(&self.parts.metrics, row, to, message.as_deref(), at);
        }
        Ok(stepped)
    }

    /// The finalized block `number`, which has this hash.
    pub(super) async fn at(&self, hash: H256) -> Result<AtBlock, ChainError> {
        self.chain.at_hash(hash).await
    }

    /// Looks in the finalized blocks what became of an open submission. Returns false
    /// while that is not known.
    pub(super) async fn resolve(
        &self,
        row: &SubmissionRow,
        tip: &AtBlock,
    ) -> Result<bool, SubmissionError> {
        let finalized = tip.block_number();
        let nonce = blocks::nonce(tip, &self.account).await?;
        match fate(row, nonce, finalized) {
            Fate::Waiting => {
                self.parts.store.note_looked(row.id, finalized).await?;
                Ok(false)
            }
            Fate::Expired => {
                self.expire(row, "its era is over, and no block has it")
                    .await?;
                Ok(true)
            }
            Fate::Used { first, last } => {
                self.find(row, tip, first, last).await?;
                Ok(true)
            }
        }
    }

    async fn expire(&self, row: &SubmissionRow, why: &str) -> Result<(), StoreError> {
        let message = match &row.message {
            Some(before) => format!("{why} ({before})"),
            None => why.to_owned(),
        };
        let step = Step {
            outcome: Some("expired".into()),
            message: Some(message),
            ..Step::to(SubmissionState::Expired, self.parts.now())
        };
        self.step(row, step).await?;
        Ok(())
    }

    /// Looks for a submission whose nonce was used in these blocks.
    async fn find(
        &self,
        row: &SubmissionRow,
        tip: &AtBlock,
        first: u64,
        last: u64,
    ) -> Result<(), SubmissionError> {
        match self.look_for(row, tip, first, last).await {
            Ok(Some((at, result))) => self.ended(row, &at, result).await,
            Ok(None) => {
                let why = "another extrinsic of this hotkey has used its nonce";
                Ok(self.expire(row, why).await?)
            }
            // Endpoints forget, or have it in a form that cannot be read. What is on chain
            // now tells whether it was taken.
            Err(error)
                if !error.is_connection()
                    && tip.block_number() > row.new.dies.saturating_add(200) =>
            {
                let message = format!("the blocks that may have it cannot be read: {error}");
                let step = Step {
                    message: Some(message),
                    ..Step::to(SubmissionState::Finalized, self.parts.now())
                };
                self.step(row, step).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn look_for(
        &self,
        row: &SubmissionRow,
        tip: &AtBlock,
        first: u64,
        last: u64,
    ) -> Result<Option<(AtBlock, Result<(), Rejection>)>, ChainError> {
        for at in blocks::blocks(&self.chain, tip, first, last).await? {
            if let Some(index) = blocks::position(&at, &row.new.extrinsic).await? {
                let result = blocks::result(&at, index).await?;
                return Ok(Some((at, result)));
            }
        }
        Ok(None)
    }

    /// A finalized block has it.
    async fn ended(
        &self,
        row: &SubmissionRow,
        at: &AtBlock,
        result: Result<(), Rejection>,
    ) -> Result<(), SubmissionError> {
        let block = Some((at.block_number(), hex::encode(at.block_hash())));
        let now = self.parts.now();
        let step = match result {
            Ok(()) => Step {
                block,
                ..Step::to(SubmissionState::Finalized, now)
            },
            Err(rejection) => Step {
                block,
                outcome: Some(rejection.error.clone()),
                message: Some(format!("{rejection}: {}", rejection.todo())),
                ..Step::to(SubmissionState::Failed, now)
            },
        };
        self.step(row, step).await?;
        Ok(())
    }

    /// Signs what is ordered and stores it, sends it, and returns its number and what the
    /// node says of it from then on; of a submission that may or may not have been sent
    /// there is nothing to be heard.
    ///
    /// # Errors
    ///
    /// [`SubmissionError::Open`] if another one is on its way,
    /// [`SubmissionError::Rejected`] if the node refused it.
    pub(super) async fn submit(
        &self,
        order: Order<'_>,
        tip: &AtBlock,
        best: &AtBlock,
    ) -> Result<(i64, Option<Watched>), SubmissionError> {
        let nonce = self.chain.next_nonce(&self.account).await?;
        let epoch = read::epoch_state(best, self.key.netuid).await?;
        let most = self.parts.config.weights.mortality_blocks;
        let mortality = Mortality {
            block: tip.block_number(),
            hash: tip.block_hash().0,
            period: within(most, epoch.blocks_to_next_epoch()),
        };
        let draft = order.draft;
        let signed = transaction::sign(best, &draft.call, &self.hotkey, nonce, mortality)?;
        let new = NewSubmission {
            key: self.key.clone(),
            uid: order.uid,
            kind: draft.kind,
            commit_id: order.commit,
            asked_by: order.asked_by,
            vector: order.vector.to_owned(),
            uids: draft.uids,
            values: draft.values,
            version_key: draft.version_key,
            salt: draft.salt,
            commit_hash: draft.hash.map(hex::encode),
            reveal_round: match draft.kind {
                SubmissionKind::Timelocked => draft.reveal.map(|reveal| reveal.round),
                _ => None,
            },
            reveal_epoch: draft.reveal.map(|reveal| reveal.epoch),
            reveal_block: draft.reveal.map(|reveal| reveal.block),
            call: draft.call.what(),
            spec_version: best.spec_version(),
            extrinsic: signed.extrinsic,
            hash: hex::encode(signed.hash),
            nonce: signed.nonce,
            born: signed.born,
            dies: signed.dies,
            created_at: self.parts.now(),
        };
        let store = &self.parts.store;
        let Some(id) = store.prepare_submission(new, None).await? else {
            let open = store.open_submission(self.key.clone()).await?;
            return Err(SubmissionError::Open(open.map_or(0, |open| open.id)));
        };
        let row = store.submission(id).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("a submission is gone".into()))?;
        let watched = self.send(&row).await?;
        Ok((id, watched))
    }

    /// Gives the bytes of an open submission to a node. They may be given away more than
    /// once: the chain takes them once.
    pub(super) async fn send(
        &self,
        row: &SubmissionRow,
    ) -> Result<Option<Watched>, SubmissionError> {
        let store = &self.parts.store;
        let Some(sends) = store.note_send(row.id, self.parts.now()).await? else {
            return Ok(None);
        };
        let submission = row.id;
        match self.chain.submit(&row.new.extrinsic).await {
            Ok(watched) => {
                let step = Step::to(SubmissionState::Sent, self.parts.now());
                self.step(row, step).await?;
                Ok(Some(watched))
            }
            Err(SubmitError::Refused(rejection)) => {
                let message = format!("{rejection}: {}", rejection.todo());
                // Of what was given away before, another node may have a copy, and so may
                // this one, if it says so.
                let step = Step {
                    outcome: Some(rejection.error.clone()),
                    message: Some(message.clone()),
                    ..Step::to(SubmissionState::Rejected, self.parts.now())
                };
                let is_new = sends == 1 && rejection.next() != Next::Look;
                if is_new && self.step(row, step).await? {
                    return Err(SubmissionError::Rejected(rejection));
                }
                store.note_of_submission(row.id, message).await?;
                Ok(None)
            }
            Err(SubmitError::NotSent(error)) => {
                tracing::warn!(submission, %error, "weights were not sent: trying again");
                store.note_not_sent(row.id, error.to_string()).await?;
                Ok(None)
            }
            Err(SubmitError::Unknown(error)) => {
                tracing::warn!(
                    submission,
                    %error,
                    "whether weights were sent is not known: looking for them in the chain"
                );
                store.note_of_submission(row.id, error.to_string()).await?;
                Ok(None)
            }
        }
    }

    /// Gives the bytes of an open submission away once more, if no node has them as it
    /// seems.
    pub(super) async fn send_again(
        &self,
        row: &SubmissionRow,
    ) -> Result<Option<Watched>, SubmissionError> {
        // More than its own is its own in a pool, or another one's.
        if self.chain.next_nonce(&self.account).await? > row.new.nonce {
            return Ok(None);
        }
        self.send(row).await
    }

    /// Notes what a node says of an open submission. Nothing of it counts: what counts is
    /// what finalized blocks have.
    pub(super) async fn note(&self, id: i64, progress: Progress) -> Result<(), StoreError> {
        let store = &self.parts.store;
        let message = match progress {
            Progress::InBlock(hash) | Progress::FinalityTimeout(hash) => {
                if let Some(row) = store.submission(id).await? {
                    let step = Step {
                        message: Some(format!("in block 0x{}", hex::encode(hash))),
                        ..Step::to(SubmissionState::Included, self.parts.now())
                    };
                    self.step(&row, step).await?;
                }
                return Ok(());
            }
            Progress::Retracted(_) => "its block was replaced by another one",
            Progress::Usurped(_) => "another extrinsic with its nonce replaced it",
            Progress::Dropped => "the node dropped it, as its pool was full",
            Progress::Invalid => "the node finds it invalid now",
            Progress::Future | Progress::Ready | Progress::Broadcast | Progress::Finalized(_) => {
                return Ok(());
            }
        };
        tracing::info!(submission = id, "{message}");
        store.note_of_submission(id, message.into()).await
    }

    /// What counts for the hotkey in a block.
    pub(super) async fn state(&self, at: &AtBlock) -> Result<ChainState, ChainError> {
        let (netuid, mechanism) = (self.key.netuid, self.key.mechanism);
        read::chain_state(at, netuid, mechanism, &self.account).await
    }

    /// The newest block; the finalized one, if the endpoint that was asked is behind.
    pub(super) async fn best(&self, tip: &AtBlock) -> Result<AtBlock, ChainError> {
        let best = self.chain.at_best().await?;
        Ok(if best.block_number() < tip.block_number() {
            tip.clone()
        } else {
            best
        })
    }
}

/// The least blocks for which a submission may be taken into the chain.
const LEAST_MORTALITY: u64 = 8;

/// The blocks for which a submission may be taken into the chain, a power of two: what is
/// for one epoch is not for the next.
fn within(most: u64, to_next_epoch: Option<u64>) -> u64 {
    let left = to_next_epoch.unwrap_or(most).max(LEAST_MORTALITY);
    let power = 1_u64 << left.ilog2();
    power.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_dies_with_its_epoch() {
        for (left, period) in [
            (None, 32),
            (Some(360), 32),
            (Some(31), 16),
            (Some(16), 16),
            (Some(3), 8),
            (Some(0), 8),
        ] {
            assert_eq!(within(32, left), period, "{left:?}");
        }
    }
}
