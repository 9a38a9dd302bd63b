//! What would be submitted, without a chain.

use super::draft::{Draft, Terms, draft};
use super::plan::{Plan, RevealPlan, SchedulePlan, refused};
use super::schedule::{Decision, Policy, decide};
use super::{Parts, SubmissionError};
use crate::chain::epoch::EpochState;
use crate::chain::metadata::{KNOWN_SPEC_VERSION, known_runtime};
use crate::chain::preflight::{ChainState, HotkeyState};
use crate::chain::{Hotkey, Hyperparameters, Metagraph, transaction};
use crate::scoring::Vector;

/// Rao of a whole token.
const RAO: f64 = 1e9;

/// What is taken of a subnet of which the file does not say more: the runtime's
/// defaults, but for the least number of weights, which is 1.
const ASSUMED: Hyperparameters = Hyperparameters {
    tempo: 360,
    weights_rate_limit: 100,
    weights_version: 0,
    min_allowed_weights: 1,
    max_weight_limit: u16::MAX,
    commit_reveal_enabled: false,
    commit_reveal_period: 1,
    commit_reveal_version: None,
    mechanism_count: 1,
    stake_threshold: 0,
};

/// What would be submitted of a vector, as the metagraph's file has the subnet, for the
/// runtime that is built in. Asks no chain, signs nothing, changes nothing. `now` is in
/// seconds since the Unix epoch.
///
/// # Errors
///
/// [`SubmissionError::NoneForTheChain`], [`SubmissionError::NotRunning`], or that the
/// call cannot be encoded.
pub fn offline_plan(parts: &Parts, vector: &Vector, now: f64) -> Result<Plan, SubmissionError> {
    let metagraph = parts.subnet.metagraph();
    let hotkey = parts.hotkey.as_ref();
    let mut notes = vec![
        "offline: no chain was asked; this is as the metagraph's file has the subnet, and epochs \
         are counted from its block"
            .to_owned(),
    ];
    if metagraph.hyperparameters().is_none() {
        notes.push(
            "the metagraph's file has no hyperparameters: tempo 360, rate limit 100, at least 1 \
             weight, and no commit-reveal are assumed"
                .to_owned(),
        );
    }
    if hotkey.is_none() {
        notes.push("this host has no wallet: set wallet.name".to_owned());
    }
    let state = state(&metagraph, hotkey, parts.config.chain.mechanism);
    let terms = terms(parts, now);
    let quantised = vector
        .quantised()
        .map_err(|reason| SubmissionError::NoneForTheChain(reason.to_owned()))?;
    let draft = draft(&state, quantised, &terms)?;
    let runtime = known_runtime([0; 32])?;
    let call_data = transaction::call_data(&runtime, &draft.call)?;
    let decision = decide(
        &state.epoch,
        state.hyperparameters.weights_rate_limit,
        state.hotkey.last_update,
        None,
        (&draft.uids, &draft.values),
        &terms.account,
        &policy(parts),
    );
    let mut plan = base(parts, vector, &state, &draft, &decision, &call_data);
    plan.notes = notes;
    Ok(plan)
}

/// What the operator wants of the schedule.
pub(super) fn policy(parts: &Parts) -> Policy {
    let weights = &parts.config.weights;
    Policy {
        margin_blocks: weights.margin_blocks,
        jitter_blocks: weights.jitter_blocks,
        resubmit_above: weights.resubmit_above,
    }
}

pub(super) fn terms(parts: &Parts, now: f64) -> Terms {
    Terms {
        account: parts.hotkey.as_ref().map_or([0; 32], Hotkey::public_key),
        version_key: parts.config.weights.version_key,
        block_time_s: parts.config.chain.block_time_s,
        now,
    }
}

/// A plan with all that is known without asking anybody.
pub(super) fn base(
    parts: &Parts,
    vector: &Vector,
    state: &ChainState,
    draft: &Draft,
    decision: &Decision,
    call_data: &[u8],
) -> Plan {
    Plan {
        source: match parts.chain {
            Some(_) => "online",
            None => "offline",
        },
        endpoint: None,
        netuid: state.netuid,
        mechanism: state.mechanism,
        hotkey: parts.hotkey.as_ref().map(|h| h.address().to_owned()),
        signer: state.hotkey.clone(),
        vector: vector.digest.clone(),
        vector_made_at: vector.made_at,
        block: state.epoch.block,
        spec_version: state.spec_version,
        call: draft.call.view(),
        call_data: format!("0x{}", hex::encode(call_data)),
        nonce: None,
        reveal: RevealPlan::of(draft),
        fee_rao: None,
        refused: refused(&draft.checks),
        checks: draft.checks.clone(),
        schedule: SchedulePlan::new(state, decision),
        open: None,
        notes: Vec::new(),
    }
}

/// What counts for a hotkey, by the file.
fn state(metagraph: &Metagraph, hotkey: Option<&Hotkey>, mechanism: u8) -> ChainState {
    let hyperparameters = metagraph.hyperparameters().cloned().unwrap_or(ASSUMED);
    let neuron = hotkey.and_then(|hotkey| metagraph.by_hotkey(hotkey.address()));
    let block = metagraph.block();
    let last_update = match mechanism {
        0 => neuron.and_then(|neuron| neuron.last_update),
        // Of the others a file tells nothing.
        _ => None,
    };
    ChainState {
        spec_version: KNOWN_SPEC_VERSION,
        netuid: metagraph.netuid(),
        mechanism,
        epoch: EpochState {
            block,
            tempo: hyperparameters.tempo,
            last_epoch_block: block,
            pending_epoch_at: 0,
            epoch_index: 0,
            blocks_since_last_step: 0,
        },
        neurons: u16::try_from(metagraph.neurons().count()).unwrap_or(u16::MAX),
        hotkey: neuron.map_or_else(HotkeyState::default, |neuron| HotkeyState {
            uid: Some(neuron.uid),
            // Saturates.
            stake: (neuron.stake * RAO) as u64,
            is_owner: metagraph.owner_hotkey() == Some(neuron.hotkey.as_str()),
            permit: neuron.validator_permit,
            last_update: last_update.unwrap_or_default(),
            unrevealed_commits: 0,
            timelocked_commits: 0,
        }),
        drand_last_round: None,
        hyperparameters,
    }
}
