//! What became of a signed submission, and when to try again: pure rules.

use super::schedule::pause_blocks;
use crate::store::{SubmissionKind, SubmissionRow, SubmissionState};

/// What the finalized chain says of a submission that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// No finalized block has it, and one may yet.
    Waiting,
    /// No finalized block has it, and none ever will.
    Expired,
    /// A finalized block of this range has used its nonce: it, or another one.
    Used {
        /// The first block that may have it.
        first: u64,
        /// The last.
        last: u64,
    },
}

/// What became of a submission, by the account's nonce in the finalized block
/// `finalized`. Of all extrinsics with a nonce one gets into the chain, so that while it
/// is not used nothing has to be looked for.
pub(super) fn fate(row: &SubmissionRow, nonce: u64, finalized: u64) -> Fate {
    let last = finalized.min(row.new.dies.saturating_sub(1));
    if nonce > row.new.nonce {
        let first = row.looked_at.max(row.new.born).saturating_add(1);
        return Fate::Used { first, last };
    }
    if finalized.saturating_add(1) >= row.new.dies {
        return Fate::Expired;
    }
    Fate::Waiting
}

/// The longest pause between tries to reveal, in blocks: a reveal has an epoch's time.
const LONGEST_OF_REVEAL: u64 = 16;

/// The first block in which weights may be sent again after tries that failed. `rows` are
/// the last submissions, the last first; reveals are not counted. 0 if the last one did
/// not fail.
pub(super) fn retry_from(rows: &[SubmissionRow]) -> u64 {
    let rows = rows.iter();
    after_failures(
        rows.filter(|row| row.new.kind != SubmissionKind::Reveal),
        u64::MAX,
    )
}

/// [`retry_from`] of the tries to reveal one commit.
pub(super) fn retry_reveal_from<'a>(reveals: impl Iterator<Item = &'a SubmissionRow>) -> u64 {
    after_failures(reveals, LONGEST_OF_REVEAL)
}

fn after_failures<'a>(rows: impl Iterator<Item = &'a SubmissionRow>, longest: u64) -> u64 {
    let mut failed = rows.take_while(|row| is_failure(row.state)).peekable();
    let Some(last) = failed.peek().map(|row| ended_at(row)) else {
        return 0;
    };
    let count = u32::try_from(failed.count()).unwrap_or(u32::MAX);
    last.saturating_add(pause_blocks(count).min(longest))
}

fn is_failure(state: SubmissionState) -> bool {
    matches!(
        state,
        SubmissionState::Rejected | SubmissionState::Failed | SubmissionState::Expired
    )
}

/// The block in which a failed try had ended.
fn ended_at(row: &SubmissionRow) -> u64 {
    match row.state {
        SubmissionState::Rejected => row.new.born,
        _ => row.block.unwrap_or(row.new.dies),
    }
}

/// Whether two sets of weights give the same uids the same, in any order.
pub(super) fn same_weights(row: &[(u16, u16)], uids: &[u16], values: &[u16]) -> bool {
    let mut on_chain = row.to_vec();
    let mut sent: Vec<(u16, u16)> = uids.iter().copied().zip(values.iter().copied()).collect();
    on_chain.sort_unstable();
    sent.sort_unstable();
    uids.len() == values.len() && on_chain == sent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AskedBy, NewSubmission, SubmissionKey};

    fn row(state: SubmissionState) -> SubmissionRow {
        SubmissionRow {
            id: 1,
            new: NewSubmission {
                key: SubmissionKey {
                    genesis: String::new(),
                    netuid: 1,
                    mechanism: 0,
                    hotkey: String::new(),
                },
                uid: 0,
                kind: SubmissionKind::Set,
                commit_id: None,
                asked_by: AskedBy::Schedule,
                vector: String::new(),
                uids: Vec::new(),
                values: Vec::new(),
                version_key: 0,
                salt: None,
                commit_hash: None,
                reveal_round: None,
                reveal_epoch: None,
                reveal_block: None,
                call: String::new(),
                spec_version: 0,
                extrinsic: Vec::new(),
                hash: String::new(),
                nonce: 5,
                born: 100,
                dies: 132,
                created_at: 0.0,
            },
            state,
            sends: 1,
            looked_at: 100,
            block: None,
            block_hash: None,
            commit_epoch: None,
            outcome: None,
            message: None,
            updated_at: 0.0,
        }
    }

    #[test]
    fn while_its_nonce_is_free_it_waits_until_its_era_is_over() {
        let row = row(SubmissionState::Sent);
        for finalized in [0, 100, 101, 130] {
            assert_eq!(fate(&row, 5, finalized), Fate::Waiting, "{finalized}");
        }
        // Block 131 is the last that may have it.
        for finalized in [131, 132, 1_000] {
            assert_eq!(fate(&row, 5, finalized), Fate::Expired, "{finalized}");
        }
        assert_eq!(
            fate(&row, 4, 101),
            Fate::Waiting,
            "one before it is in a pool"
        );
    }

    #[test]
    fn once_its_nonce_is_used_it_is_looked_for_where_it_can_be() {
        let mut row = row(SubmissionState::Sent);
        let used = |first, last| Fate::Used { first, last };
        assert_eq!(fate(&row, 6, 103), used(101, 103));
        assert_eq!(fate(&row, 6, 5_000), used(101, 131));
        row.looked_at = 110;
        assert_eq!(fate(&row, 9, 112), used(111, 112));
    }

    #[test]
    fn failures_in_a_row_make_longer_pauses() {
        use SubmissionState as S;
        let rows = |states: &[S]| states.iter().map(|state| row(*state)).collect::<Vec<_>>();
        assert_eq!(retry_from(&[]), 0);
        assert_eq!(retry_from(&rows(&[S::Confirmed, S::Failed])), 0);
        assert_eq!(retry_from(&rows(&[S::Sent, S::Failed])), 0);
        // It was rejected at 100, and expired at 132.
        assert_eq!(retry_from(&rows(&[S::Rejected, S::Confirmed])), 101);
        assert_eq!(retry_from(&rows(&[S::Expired, S::Rejected])), 134);
        assert_eq!(retry_from(&rows(&[S::Rejected; 5])), 116);
        assert_eq!(retry_from(&rows(&[S::Rejected; 40])), 164);
        let mut failed = row(S::Failed);
        failed.block = Some(120);
        assert_eq!(retry_from(std::slice::from_ref(&failed)), 121);
        failed.new.kind = SubmissionKind::Reveal;
        assert_eq!(retry_from(&[failed.clone(), row(S::Confirmed)]), 0);
        assert_eq!(retry_reveal_from([failed].iter()), 121);
        assert_eq!(retry_reveal_from(rows(&[S::Rejected; 40]).iter()), 116);
    }

    #[test]
    fn weights_are_the_same_in_any_order_and_only_if_all_are() {
        let on_chain = [(2, 65_535), (1, 7)];
        assert!(same_weights(&on_chain, &[1, 2], &[7, 65_535]));
        assert!(!same_weights(&on_chain, &[1, 2], &[65_535, 7]));
        assert!(!same_weights(&on_chain, &[1], &[7]));
        assert!(!same_weights(&on_chain, &[1, 2], &[7]));
        assert!(!same_weights(&[], &[1], &[65_535]));
    }
}
