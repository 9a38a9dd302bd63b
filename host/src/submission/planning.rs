//! What would be submitted, as the chain is now.

use super::draft::{Draft, draft};
use super::offline::{base, policy, terms};
use super::schedule::{Decision, LastSubmission, decide};
use super::work::Work;
use super::{Parts, Plan, SubmissionError};
use crate::chain::call::WeightCall;
use crate::chain::client::{AtBlock, Chain};
use crate::chain::error::ChainError;
use crate::chain::preflight::ChainState;
use crate::chain::transaction::{self, Mortality};
use crate::chain::{Hotkey, KeyError, read};
use crate::scoring::Vector;
use crate::store::{StoreError, SubmissionKind, SubmissionRow};

/// How many of the last submissions are looked at.
const LOOK_BACK: u32 = 64;

/// A plan with what it is made of.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) draft: Draft,
    pub(super) best: AtBlock,
}

impl Work {
    /// What would be submitted in the block after the newest. Nothing is changed.
    pub(super) async fn plan(
        &self,
        vector: &Vector,
        tip: &AtBlock,
    ) -> Result<Planned, SubmissionError> {
        let best = self.best(tip).await?;
        let state = self.state(&best).await?;
        let rows = self.last().await?;
        let last = self.last_submission(&rows, &state, &best).await?;
        let planned = plan(
            &self.parts,
            &self.chain,
            vector,
            &state,
            last.as_ref(),
            &best,
        );
        let mut planned = planned.await?;
        planned.plan.nonce = Some(self.chain.next_nonce(&self.account).await?);
        let open = self.parts.store.open_submission(self.key.clone()).await?;
        planned.plan.open = open.map(|open| open.id);
        Ok(planned)
    }

    pub(super) async fn last(&self) -> Result<Vec<SubmissionRow>, StoreError> {
        let last = self
            .parts
            .store
            .last_submissions(self.key.clone(), LOOK_BACK);
        last.await
    }

    /// The last submission that is on chain. Where this host knows of none, as after a
    /// backup was restored, what the chain has counts.
    pub(super) async fn last_submission(
        &self,
        rows: &[SubmissionRow],
        state: &ChainState,
        at: &AtBlock,
    ) -> Result<Option<LastSubmission>, ChainError> {
        let own = rows.iter().find(|row| {
            row.new.kind != SubmissionKind::Reveal
                && (row.state.is_on_chain() || row.state.is_open())
        });
        let own = own.map(|row| LastSubmission {
            epoch_index: row.commit_epoch.unwrap_or_default(),
            block: row.block.unwrap_or_else(|| row.new.born.saturating_add(1)),
            uids: row.new.uids.clone(),
            values: row.new.values.clone(),
        });
        let last_update = state.hotkey.last_update;
        let (Some(uid), true) = (state.hotkey.uid, last_update > 0) else {
            return Ok(own);
        };
        if own.as_ref().is_some_and(|own| own.block >= last_update) {
            return Ok(own);
        }
        let row = read::weights_row(at, state.netuid, state.mechanism, uid).await?;
        if row.is_empty() {
            return Ok(own);
        }
        let (uids, values) = row.into_iter().unzip();
        Ok(Some(LastSubmission {
            epoch_index: 0,
            block: last_update,
            uids,
            values,
        }))
    }
}

/// What a host without a hotkey would submit if it had one.
pub(super) async fn plan_without_hotkey(
    parts: &Parts,
    chain: &Chain,
    vector: &Vector,
) -> Result<Plan, SubmissionError> {
    let best = chain.at_best().await?;
    let netuid = parts.subnet.metagraph().netuid();
    let account = terms(parts, 0.0).account;
    let mechanism = parts.config.chain.mechanism;
    let state = read::chain_state(&best, netuid, mechanism, &account).await?;
    let mut planned = plan(parts, chain, vector, &state, None, &best).await?;
    let note = "this host has no wallet: set wallet.name".to_owned();
    planned.plan.notes.push(note);
    Ok(planned.plan)
}

async fn plan(
    parts: &Parts,
    chain: &Chain,
    vector: &Vector,
    state: &ChainState,
    last: Option<&LastSubmission>,
    best: &AtBlock,
) -> Result<Planned, SubmissionError> {
    let now = parts.now();
    let terms = terms(parts, now);
    let quantised = vector
        .quantised()
        .map_err(|reason| SubmissionError::NoneForTheChain(reason.to_owned()))?;
    let draft = draft(state, quantised, &terms)?;
    let decision: Decision = decide(
        &state.epoch,
        state.hyperparameters.weights_rate_limit,
        state.hotkey.last_update,
        last,
        (&draft.uids, &draft.values),
        &terms.account,
        &policy(parts),
    );
    let call_data = transaction::call_data(best, &draft.call)?;
    let mut plan = base(parts, vector, state, &draft, &decision, &call_data);
    plan.endpoint = chain.endpoint();
    match fee(best, &draft.call).await {
        Ok(fee) => plan.fee_rao = u64::try_from(fee).ok(),
        Err(error) => plan.notes.push(format!("the fee is not known: {error}")),
    }
    if let Err(error) = parts.check_fresh(now) {
        plan.notes.push(error.to_string());
    }
    Ok(Planned {
        plan,
        draft,
        best: best.clone(),
    })
}

/// What a call costs. The node is given it with the signature of a key that everybody
/// has, so that it could not do anything with it.
async fn fee(at: &AtBlock, call: &WeightCall) -> Result<u128, ChainError> {
    let nobody = Hotkey::from_uri("//Alice")
        .map_err(|error: KeyError| ChainError::decode("a test key", error))?;
    let mortality = Mortality {
        block: at.block_number(),
        hash: at.block_hash().0,
        period: 4,
    };
    let signed = transaction::sign(at, call, &nobody, 0, mortality)?;
    transaction::fee(at, &signed).await
}
