//! When epochs begin: the runtime's stateful rule.

/// `MAX_TEMPO`: blocks without a finished epoch after which one begins in any case.
const MAX_TEMPO: u64 = 50_400;

/// What the runtime decides by when an epoch begins, at one block.
///
/// Source: subtensor spec 425, `should_run_epoch` and `drain_pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochState {
    /// The block that this was read at.
    pub block: u64,
    /// `Tempo`, in blocks; 0 is a subnet that does not run. One more of runtimes that go
    /// by the number of the block.
    pub tempo: u16,
    /// `LastEpochBlock`. Of runtimes that go by the number of the block: the first block
    /// of the epoch.
    pub last_epoch_block: u64,
    /// `PendingEpochAt`; 0 is none.
    pub pending_epoch_at: u64,
    /// `SubnetEpochIndex`, or the epoch by the number of the block.
    pub epoch_index: u64,
    /// `BlocksSinceLastStep`.
    pub blocks_since_last_step: u64,
}

/// The next epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upcoming {
    /// The block that it begins in.
    pub begins: u64,
    /// The first block at whose beginning the runtime knows of it: the same, but where
    /// only the count of `BlocksSinceLastStep` brings the epoch about, which is raised
    /// after the runtime has looked for weights to reveal.
    pub known: u64,
}

impl EpochState {
    /// The block in which the next epoch begins, later than [`EpochState::block`]; weights
    /// that are to count for it are in a block before. `None` if there will be none, as
    /// the tempo is 0.
    ///
    /// This is what is due. The runtime puts an epoch off by a block, again and again,
    /// while too many subnets are due at once; an owner may order one earlier or change
    /// the tempo.
    #[must_use]
    pub fn next_epoch_block(&self) -> Option<u64> {
        self.upcoming().map(|next| next.begins)
    }

    /// Blocks until the next epoch, at least 1; `None` if there will be none.
    #[must_use]
    pub fn blocks_to_next_epoch(&self) -> Option<u64> {
        self.next_epoch_block()
            .map(|block| block.saturating_sub(self.block))
    }

    /// `SubnetEpochIndex`, or one more if an epoch is due at [`EpochState::block`]
    /// itself: what the runtime dates a commit with that is in this block, and judges a
    /// reveal by. Source: `current_epoch_with_lookahead`.
    #[must_use]
    pub fn epoch_with_lookahead(&self) -> u64 {
        let overdue = self.blocks_since_last_step > MAX_TEMPO;
        let due = self.due().is_some_and(|due| overdue || self.block >= due);
        self.epoch_index.saturating_add(due.into())
    }

    /// The next epoch.
    pub(super) fn upcoming(&self) -> Option<Upcoming> {
        let next = self.block.saturating_add(1);
        let due = self.due()?.max(next);
        let short = MAX_TEMPO
            .saturating_add(1)
            .saturating_sub(self.blocks_since_last_step);
        let overdue = self.block.saturating_add(short.max(1));
        let begins = due.min(overdue);
        let known = begins.saturating_add((due > overdue && short > 0).into());
        Some(Upcoming { begins, known })
    }

    /// The state after an epoch in block `begins`.
    pub(super) fn after(&self, begins: u64) -> EpochState {
        EpochState {
            block: begins,
            last_epoch_block: begins,
            pending_epoch_at: 0,
            epoch_index: self.epoch_index.saturating_add(1),
            blocks_since_last_step: 0,
            ..*self
        }
    }

    /// The block from which an epoch is due by the tempo or by the owner's order.
    fn due(&self) -> Option<u64> {
        if self.tempo == 0 {
            return None;
        }
        let by_tempo = self.last_epoch_block.saturating_add(self.tempo.into());
        Some(match self.pending_epoch_at {
            0 => by_tempo,
            pending => by_tempo.min(pending),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The runtime's own words, block by block, after spec 425: `should_run_epoch`.
    fn should_run(state: &EpochState, block: u64) -> bool {
        state.tempo != 0
            && (state.pending_epoch_at > 0 && block >= state.pending_epoch_at
                || state.blocks_since_last_step > 50_400
                || block.saturating_sub(state.last_epoch_block) >= u64::from(state.tempo))
    }

    /// `drain_pending` of the block after `state`, and what
    /// `current_epoch_with_lookahead` says before it.
    fn next_block(state: &EpochState) -> (EpochState, u64) {
        let block = state.block + 1;
        let lookahead = state.epoch_index + u64::from(should_run(state, block));
        let counted = EpochState {
            block,
            blocks_since_last_step: state.blocks_since_last_step + 1,
            ..*state
        };
        let begins = should_run(&counted, block);
        let next = if begins {
            EpochState {
                last_epoch_block: block,
                pending_epoch_at: 0,
                epoch_index: state.epoch_index + 1,
                blocks_since_last_step: 0,
                ..counted
            }
        } else {
            counted
        };
        (next, lookahead)
    }

    fn state(block: u64) -> EpochState {
        EpochState {
            block,
            tempo: 360,
            last_epoch_block: 1_000,
            pending_epoch_at: 0,
            epoch_index: 7,
            blocks_since_last_step: block.saturating_sub(1_000),
        }
    }

    #[test]
    fn the_next_epoch_begins_a_tempo_after_the_last() {
        assert_eq!(state(1_000).next_epoch_block(), Some(1_360));
        assert_eq!(state(1_359).blocks_to_next_epoch(), Some(1));
    }

    #[test]
    fn an_epoch_that_was_put_off_is_due_in_the_next_block() {
        let late = EpochState {
            pending_epoch_at: 1_364,
            ..state(1_363)
        };
        assert_eq!(late.next_epoch_block(), Some(1_364));
        assert_eq!(state(1_360).epoch_with_lookahead(), 8);
        assert_eq!(state(1_359).epoch_with_lookahead(), 7);
    }

    #[test]
    fn an_owner_brings_an_epoch_forward_and_never_puts_it_off() {
        let pending = |at| EpochState {
            pending_epoch_at: at,
            ..state(1_100)
        };
        assert_eq!(pending(1_110).next_epoch_block(), Some(1_110));
        assert_eq!(pending(1_361).next_epoch_block(), Some(1_360));
        assert_eq!(pending(900).next_epoch_block(), Some(1_101));
    }

    #[test]
    fn a_subnet_without_tempo_has_no_epochs() {
        let none = EpochState {
            tempo: 0,
            pending_epoch_at: 1_101,
            blocks_since_last_step: 60_000,
            ..state(1_100)
        };
        assert_eq!(none.next_epoch_block(), None);
        assert_eq!(none.epoch_with_lookahead(), 7);
    }

    proptest! {
        #[test]
        fn the_next_epoch_is_where_the_runtime_begins_it(
            tempo in prop_oneof![0..4_u16, 340..380_u16],
            last in 900..1_100_u64,
            pending in prop_oneof![Just(0), 990..1_400_u64],
            since in prop_oneof![0..400_u64, 50_000..50_500_u64, 50_390..50_410_u64],
            block in 1_000..1_500_u64,
        ) {
            let start = EpochState {
                block,
                tempo,
                last_epoch_block: last,
                pending_epoch_at: pending,
                epoch_index: 7,
                blocks_since_last_step: since,
            };
            let lookahead = 7 + u64::from(should_run(&start, block));
            prop_assert_eq!(start.epoch_with_lookahead(), lookahead);
            let (mut at, mut known) = (start, None);
            for _ in 0..500 {
                let (next, lookahead) = next_block(&at);
                if lookahead > 7 {
                    known.get_or_insert(next.block);
                }
                if known.is_some() && next.epoch_index > 7 {
                    break;
                }
                at = next;
            }
            let mut at = start;
            let mut begins = None;
            for _ in 0..500 {
                at = next_block(&at).0;
                if at.epoch_index > 7 {
                    begins = Some(at.block);
                    break;
                }
            }
            prop_assert_eq!(start.next_epoch_block(), begins);
            prop_assert_eq!(start.upcoming().map(|next| next.known), known);
            if let (Some(begins), Some(next)) = (begins, start.next_epoch_block()) {
                prop_assert_eq!(begins, next);
                prop_assert_eq!(start.after(next), at);
            }
        }
    }
}
