//! Whether the schedule wants something sent.

use super::draft::draft;
use super::fate::retry_from;
use super::offline::{policy, terms};
use super::schedule::{Decision, decide, is_late};
use super::work::{Order, Watched, Work};
use super::{SubmissionError, tell};
use crate::chain::client::AtBlock;
use crate::chain::preflight::{ChainState, first_refusal, passes_from};
use crate::store::AskedBy;
use serde_json::json;

/// The most blocks for which the chain is not looked at: an owner may order an epoch or
/// change what the subnet asks for.
const LOOK: u64 = 10;

/// The chain's name of the error for a hotkey that is not of the subnet.
const NOT_REGISTERED: &str = "HotKeyNotRegisteredInSubNet";

/// What the schedule remembers from block to block. It may forget all of it.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Nothing is to be done before this finalized block, for the vector of this digest.
    wait: Option<(u64, String)>,
    /// Why nothing is sent, as last told.
    told: Option<String>,
    late: bool,
}

impl Remembered {
    /// Logs why nothing is sent, once.
    fn tell(&mut self, code: &str, why: &str) {
        let told = format!("{code}: {why}");
        if self.told.as_ref() != Some(&told) {
            tracing::warn!(code, "weights are not submitted: {why}");
            self.told = Some(told);
        }
    }

    fn wait(&mut self, finalized: u64, blocks: u64, digest: &str) {
        let until = finalized.saturating_add(blocks.clamp(1, LOOK));
        self.wait = Some((until, digest.to_owned()));
    }
}

impl Work {
    /// Submits the current vector if it is time. Returns what is heard of it.
    pub(super) async fn consider(
        &self,
        remembered: &mut Remembered,
        tip: &AtBlock,
    ) -> Result<Option<(i64, Watched)>, SubmissionError> {
        let finalized = tip.block_number();
        let vector = match self.parts.vector() {
            // There is nothing to be said before the first day.
            Err(SubmissionError::NoVector) => return Ok(None),
            vector => vector,
        };
        let digest = vector.as_ref().map_or("", |vector| &vector.digest);
        let is_waiting = |(until, waits): &(u64, String)| finalized < *until && *waits == digest;
        if remembered.wait.as_ref().is_some_and(is_waiting) {
            return Ok(None);
        }
        let best = self.best(tip).await?;
        let state = self.state(&best).await?;
        let rows = self.last().await?;
        let last = self.last_submission(&rows, &state, &best).await?;
        let (metrics, policy) = (&self.parts.metrics, policy(&self.parts));
        let now = self.parts.now();
        let terms = terms(&self.parts, now);
        let rate_limit = state.hyperparameters.weights_rate_limit;
        let last_update = state.hotkey.last_update;
        let late = is_late(
            &state.epoch,
            rate_limit,
            last_update,
            last.as_ref(),
            &policy,
        );
        self.tell_late(remembered, late, &state, now).await?;
        metrics.set_key_mismatch(state.hotkey.uid.is_none());
        let Some(uid) = state.hotkey.uid else {
            let hotkey = &self.key.hotkey;
            let why = format!(
                "KEY MISMATCH: {hotkey} is not registered on subnet {}",
                state.netuid
            );
            remembered.tell(NOT_REGISTERED, &why);
            remembered.wait(finalized, 1, digest);
            metrics.set_preflight_refused(Some(NOT_REGISTERED));
            return Ok(None);
        };

        let quantised = vector.as_ref().map_err(ToString::to_string);
        let quantised = quantised.and_then(|vector| {
            let refused = |reason: &str| SubmissionError::NoneForTheChain(reason.to_owned());
            vector
                .quantised()
                .map_err(|reason| refused(reason).to_string())
        });
        let quantised = match quantised {
            Ok(quantised) => quantised,
            Err(why) => {
                remembered.tell("no_weights", &why);
                remembered.wait(finalized, 1, digest);
                return Ok(None);
            }
        };
        if let Err(error) = self.parts.check_fresh(now) {
            remembered.tell(
                error.code(),
                "STALE METAGRAPH: it is older than chain.stale_after_s",
            );
            remembered.wait(finalized, 1, digest);
            return Ok(None);
        }
        let weights = (quantised.uids.as_slice(), quantised.values.as_slice());
        let head = state.epoch.block;
        let decision = decide(
            &state.epoch,
            rate_limit,
            last_update,
            last.as_ref(),
            weights,
            &terms.account,
            &policy,
        );
        if let Decision::Wait { until, .. } = decision {
            remembered.wait(finalized, until.saturating_sub(head), digest);
            return Ok(None);
        }
        let retry = retry_from(&rows);
        if retry > head {
            remembered.wait(finalized, retry.saturating_sub(head), digest);
            return Ok(None);
        }
        let draft = draft(&state, quantised, &terms)?;
        let refused = first_refusal(&draft.checks);
        metrics.set_preflight_refused(refused.map(|check| check.error));
        if let Some(check) = refused {
            let from = passes_from(&state, &draft.checks).unwrap_or(u64::MAX);
            let blocks = from.saturating_sub(head.saturating_add(1));
            remembered.wait(finalized, blocks, digest);
            let why = format!("the chain would answer {}", check.error);
            remembered.tell(check.error, &why);
            return Ok(None);
        }
        remembered.told = None;
        let order = Order {
            draft,
            asked_by: AskedBy::Schedule,
            vector: digest,
            commit: None,
            uid,
        };
        match self.submit(order, tip, &best).await {
            Ok((id, watched)) => Ok(watched.map(|watched| (id, watched))),
            // It was told with the row; the pause follows from it.
            Err(SubmissionError::Rejected(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn tell_late(
        &self,
        remembered: &mut Remembered,
        late: bool,
        state: &ChainState,
        now: f64,
    ) -> Result<(), SubmissionError> {
        self.parts.metrics.set_submission_late(late);
        if late && !remembered.late {
            let next = state.epoch.next_epoch_block();
            tracing::warn!(
                block = state.epoch.block,
                next_epoch_block = next,
                "WEIGHTS LATE: an epoch ended, or is about to, without this host's weights"
            );
            let data = json!({
                "netuid": state.netuid,
                "mechanism": state.mechanism,
                "hotkey": self.key.hotkey,
                "block": state.epoch.block,
                "next_epoch_block": next,
            });
            let event = tell::of("weights_late", now, data);
            self.parts.store.note_event(event).await?;
        }
        remembered.late = late;
        Ok(())
    }
}
