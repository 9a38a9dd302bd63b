//! What would be submitted now, for people.

use super::draft::Draft;
use super::schedule::Decision;
use crate::chain::call::CallView;
use crate::chain::preflight::{ChainState, Check, HotkeyState, first_refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// What would be submitted now, and what the chain would say to it. Nothing is sent by
/// making one, and the signed bytes are in none.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Plan {
    /// `online`: as the chain is now. `offline`: as the metagraph's file has it, for the
    /// runtime that is built in; no chain was asked.
    pub source: &'static str,
    /// The endpoint that was asked.
    pub endpoint: Option<String>,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism.
    pub mechanism: u8,
    /// Who signs, an address; none if this host has no wallet.
    pub hotkey: Option<String>,
    /// What the chain knows of it.
    #[schema(value_type = Object)]
    pub signer: HotkeyState,
    /// Digest of the vector.
    pub vector: String,
    /// When that was made, in seconds since the Unix epoch.
    pub vector_made_at: f64,
    /// The block that all of this is as of.
    pub block: u64,
    /// The version of the runtime.
    pub spec_version: u32,
    /// The call, with its arguments.
    pub call: CallView,
    /// The call encoded, `0x` and hexadecimal digits. A commit is another one each time.
    pub call_data: String,
    /// The nonce that it would be signed with; none offline or without a hotkey.
    pub nonce: Option<u64>,
    /// Of a commit: when it would be revealed.
    pub reveal: Option<RevealPlan>,
    /// What it would cost, in rao; none offline.
    pub fee_rao: Option<u64>,
    /// Every check of the chain, in its order.
    pub checks: Vec<Check>,
    /// The chain's name of the error that it would answer; none if it would take it.
    pub refused: Option<String>,
    /// What the schedule says.
    pub schedule: SchedulePlan,
    /// The number of the submission of which it is not known what became of it: while
    /// there is one, nothing is sent.
    pub open: Option<i64>,
    /// What else is to be known, for people.
    pub notes: Vec<String>,
}

/// When a commit would be revealed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct RevealPlan {
    /// The round of drand, of a timelocked commit.
    pub round: Option<u64>,
    /// The epoch.
    pub epoch: u64,
    /// The block that it is foretold to begin with.
    pub block: u64,
}

/// What the schedule says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SchedulePlan {
    /// `submit` or `wait`.
    pub decision: &'static str,
    /// Why.
    pub why: String,
    /// The block that is waited for.
    pub until: Option<u64>,
    /// The block that the next epoch begins with.
    pub next_epoch_block: Option<u64>,
}

impl SchedulePlan {
    pub(super) fn new(state: &ChainState, decision: &Decision) -> Self {
        let (name, why, until) = match decision {
            Decision::Submit(why) => ("submit", why.to_string(), None),
            Decision::Wait { until, why } => ("wait", why.to_string(), Some(*until)),
        };
        SchedulePlan {
            decision: name,
            why,
            until,
            next_epoch_block: state.epoch.next_epoch_block(),
        }
    }
}

impl RevealPlan {
    pub(super) fn of(draft: &Draft) -> Option<Self> {
        let reveal = draft.reveal?;
        Some(RevealPlan {
            round: draft.hash.is_none().then_some(reveal.round),
            epoch: reveal.epoch,
            block: reveal.block,
        })
    }
}

/// The name of the error that the chain would answer, if it would.
pub(super) fn refused(checks: &[Check]) -> Option<String> {
    first_refusal(checks).map(|check| check.error.to_owned())
}
