//! The round of drand that a timelocked commit opens with.

use super::epoch::EpochState;

/// When drand's quicknet began, in seconds since the Unix epoch.
const GENESIS_S: f64 = 1_692_803_367.0;

/// Seconds from one round of quicknet to the next.
const PERIOD_S: f64 = 3.0;

/// Blocks by which the round is later than the block in which the chain wants it, so
/// that nobody reads a commit before its time if blocks are late. The chain looks for
/// the round in each block of the epoch in which it reveals.
const LATER_BLOCKS: u64 = 3;

/// The longest period that is looked at, in epochs. The chain allows 100.
const LONGEST_PERIOD: u64 = 10_000;

/// When a timelocked commit will be revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reveal {
    /// The round of quicknet whose signature opens it; from 1.
    pub round: u64,
    /// The first block in which the chain wants to reveal it.
    pub block: u64,
    /// The epoch in which it does: that of the commit and the subnet's period.
    pub epoch: u64,
}

/// When a commit will be revealed that is made now, at the head of the chain, and is
/// taken into the block after. `reveal_period_epochs` is the subnet's, `block_time_s` is
/// the time from one block to the next, and `now` is in seconds since the Unix epoch,
/// with its fraction. Takes a step per epoch.
///
/// `None` if it will never be: the subnet has no epochs, or the numbers are none of a
/// chain.
///
/// Rule: the epochs to come, as they are due at `state`; the round of the time three
/// blocks after the reveal, in the arithmetic of the official client, whose rounds are
/// the same for any state. That client dates the commit before it counts the block that
/// it lands in, which is seen only where `BlocksSinceLastStep` is 50,400, a subnet whose
/// epochs fail: there the chain dates the commit one epoch later, so that all of
/// [`Reveal`] is an epoch early, and the chain reveals when it is time. Whether a commit
/// was revealed is judged by the epoch that the chain has dated it with.
#[must_use]
pub fn reveal(
    state: &EpochState,
    reveal_period_epochs: u64,
    block_time_s: f64,
    now: f64,
) -> Option<Reveal> {
    if reveal_period_epochs > LONGEST_PERIOD {
        return None;
    }
    let lands = state.block.checked_add(1)?;
    let mut state = *state;
    let mut next = state.upcoming()?;
    let committed = state
        .epoch_index
        .checked_add((next.known == lands).into())?;
    let epoch = committed.checked_add(reveal_period_epochs)?;
    let head = state.block;
    let mut block = lands;
    while state.epoch_index < epoch {
        block = next.known;
        state = state.after(next.begins);
        next = state.upcoming()?;
    }
    Some(Reveal {
        round: round_at(block.checked_sub(head)?, block_time_s, now)?,
        block,
        epoch,
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far below 2^53 for any chain, checked for what is not, and never negative"
)]
fn round_at(blocks: u64, block_time_s: f64, now: f64) -> Option<u64> {
    let blocks = blocks.checked_add(LATER_BLOCKS)? as f64;
    let round = ((now + blocks * block_time_s - GENESIS_S) / PERIOD_S).floor();
    (block_time_s > 0.0 && round.is_finite() && round < u64::MAX as f64)
        .then(|| round.max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    const GOLDEN: &str = include_str!("../../../tests/golden/chain_reveal_round.json");

    #[derive(Deserialize)]
    struct Golden {
        now_unix: f64,
        rows: Vec<Case>,
        more: More,
    }

    /// Name, state, period, time of a block, round, bytes of the commit of two weights.
    #[derive(Deserialize)]
    struct Case(String, State, u64, f64, u64, usize);

    #[derive(Deserialize)]
    struct State {
        last_epoch_block: u64,
        pending_epoch_at: u64,
        subnet_epoch_index: u64,
        tempo: u16,
        blocks_since_last_step: u64,
        current_block: u64,
    }

    #[derive(Deserialize)]
    struct More {
        columns: Value,
        rows: Vec<Row>,
    }

    type Row = (f64, u64, u16, u64, u64, u64, u64, u64, f64, u64);

    fn golden() -> Golden {
        serde_json::from_str(GOLDEN).unwrap()
    }

    fn mid_epoch() -> EpochState {
        EpochState {
            block: 1_100,
            tempo: 360,
            last_epoch_block: 1_000,
            pending_epoch_at: 0,
            epoch_index: 7,
            blocks_since_last_step: 100,
        }
    }

    #[test]
    fn the_round_is_the_official_clients() {
        let golden = golden();
        assert!(golden.rows.len() >= 6);
        for Case(name, state, period, block_time, round, _) in golden.rows {
            let state = EpochState {
                block: state.current_block,
                tempo: state.tempo,
                last_epoch_block: state.last_epoch_block,
                pending_epoch_at: state.pending_epoch_at,
                epoch_index: state.subnet_epoch_index,
                blocks_since_last_step: state.blocks_since_last_step,
            };
            let reveal = reveal(&state, period, block_time, golden.now_unix).unwrap();
            assert_eq!(reveal.round, round, "{name}");
        }
    }

    #[test]
    fn the_round_of_a_commit_of_two_weights_has_the_official_clients_length() {
        let payload = super::super::timelock::Payload {
            hotkey: vec![1; 32],
            uids: vec![0, 1],
            values: vec![65_535, 1],
            version_key: 0,
        };
        for Case(name, .., round, length) in golden().rows {
            let commit = super::super::timelock::encrypt(&payload, round, &[3; 32]).unwrap();
            assert_eq!(commit.len(), length, "{name}");
        }
    }

    #[test]
    fn the_round_is_the_official_clients_in_random_states_too() {
        let more = golden().more;
        let columns = [
            "now",
            "current_block",
            "tempo",
            "last_epoch_block",
            "pending_epoch_at",
            "subnet_epoch_index",
            "blocks_since_last_step",
            "reveal_period_epochs",
            "block_time",
            "reveal_round",
        ];
        assert_eq!(more.columns, json!(columns));
        assert!(more.rows.len() >= 200);
        for row in more.rows {
            let state = EpochState {
                block: row.1,
                tempo: row.2,
                last_epoch_block: row.3,
                pending_epoch_at: row.4,
                epoch_index: row.5,
                blocks_since_last_step: row.6,
            };
            let round = reveal(&state, row.7, row.8, row.0).unwrap().round;
            assert_eq!(round, row.9, "{row:?}");
        }
    }

    #[test]
    fn the_reveal_is_in_the_first_block_of_the_epoch_after_the_period() {
        let told = |state: &EpochState, period| {
            let reveal = reveal(state, period, 12.0, 1_782_820_801.0).unwrap();
            (reveal.block, reveal.epoch)
        };
        assert_eq!(told(&mid_epoch(), 1), (1_360, 8));
        assert_eq!(told(&mid_epoch(), 3), (2_080, 10));
        let last = EpochState {
            block: 1_359,
            blocks_since_last_step: 359,
            ..mid_epoch()
        };
        assert_eq!(told(&last, 1), (1_720, 9));
    }

    #[test]
    fn what_will_never_be_revealed_has_no_round() {
        let none = |state: &EpochState, period, block_time, now| {
            assert_eq!(reveal(state, period, block_time, now), None);
        };
        let still = EpochState {
            tempo: 0,
            ..mid_epoch()
        };
        none(&still, 1, 12.0, 1_782_820_801.0);
        let numbered_out = EpochState {
            epoch_index: u64::MAX,
            ..mid_epoch()
        };
        none(&numbered_out, 1, 12.0, 1_782_820_801.0);
        none(&mid_epoch(), u64::MAX, 12.0, 1_782_820_801.0);
        none(&mid_epoch(), 1, f64::NAN, 1_782_820_801.0);
        none(&mid_epoch(), 1, 0.0, 1_782_820_801.0);
        none(&mid_epoch(), 1, 12.0, f64::INFINITY);
        // As the official client's: no round is before the first.
        assert_eq!(reveal(&mid_epoch(), 1, 12.0, 0.0).unwrap().round, 1);
    }
}
