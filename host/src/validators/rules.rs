//! What may become of an assignment: pure functions.

use crate::config::Validators;
use crate::store::{AssignmentRow, AssignmentState, Attempt, AttemptEnd, AttemptReport};
use sha2::{Digest, Sha256};

/// Leases that one attempt may take, each of `validators.lease_s`: who tells of
/// progress for ever keeps others from trying.
const MAX_LEASES: f64 = 8.0;

/// Why a validator may not tell anything of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else has it, or nobody.
    #[error("this validator does not have the assignment")]
    NotYours,
    /// It had it, and did not tell anything in time.
    #[error("the lease is over")]
    LeaseOver,
    /// There is a result, of this validator or for good.
    #[error("the assignment has its result")]
    Done,
}

impl Refusal {
    /// The stable name, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NotYours => "not_yours",
            Refusal::LeaseOver => "lease_over",
            Refusal::Done => "done",
        }
    }
}

/// What a report came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// What the attempt came to.
    pub end: AttemptEnd,
    /// What the assignment was after it.
    pub state: AssignmentState,
    /// Whether it was taken before: then nothing has changed.
    pub again: bool,
}

/// Whether an evaluation is one of the share, 0 to 1, that is done again: by the first
/// 53 bits, big-endian, of SHA-256 over `proctor-audit`, the deployment's seed and the
/// evaluation's number (8 bytes each, big-endian). Nobody without the seed can tell.
pub(super) fn is_picked(seed: u64, evaluation: i64, share: f64) -> bool {
    let mut hash = Sha256::new();
    hash.update(b"proctor-audit");
    hash.update(seed.to_be_bytes());
    hash.update(evaluation.to_be_bytes());
    let digest = hash.finalize();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    let fraction = (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64;
    fraction < share
}

/// Whether a validator has an assignment now.
///
/// # Errors
///
/// A [`Refusal`].
pub(super) fn holds(row: &AssignmentRow, validator: &str, now: f64) -> Result<(), Refusal> {
    if row.state == AssignmentState::Leased && row.validator.as_deref() == Some(validator) {
        let until = row.lease_until.unwrap_or_default();
        return if now < until {
            Ok(())
        } else {
            Err(Refusal::LeaseOver)
        };
    }
    match last_of(row, validator).map(|attempt| attempt.end) {
        Some(AttemptEnd::LeaseOver) => Err(Refusal::LeaseOver),
        Some(_) => Err(Refusal::Done),
        None if row.state.is_final() => Err(Refusal::Done),
        None => Err(Refusal::NotYours),
    }
}

/// Takes in how much is done, 0 to 1, and gives more time. Returns until when the
/// validator has the assignment.
///
/// # Errors
///
/// A [`Refusal`]; nothing changes then.
pub(super) fn progress(
    row: &mut AssignmentRow,
    validator: &str,
    done: f64,
    now: f64,
    rules: &Validators,
) -> Result<f64, Refusal> {
    holds(row, validator, now)?;
    let most = row.leased_at.unwrap_or(now) + MAX_LEASES * rules.lease_s;
    let until = row.lease_until.unwrap_or(now);
    let until = (now + rules.lease_s).min(most).max(until);
    row.lease_until = Some(until);
    row.progress = Some(done);
    row.updated_at = now;
    Ok(until)
}

/// Takes in what an attempt came to. The same report again changes nothing.
///
/// # Errors
///
/// A [`Refusal`]; nothing changes then.
pub(super) fn report(
    row: &mut AssignmentRow,
    validator: &str,
    report: AttemptReport,
    now: f64,
    rules: &Validators,
) -> Result<Reported, Refusal> {
    if let Err(refusal) = holds(row, validator, now) {
        let before = last_of(row, validator);
        let same = before.filter(|attempt| attempt.report == report);
        return match same {
            Some(attempt) if attempt.end != AttemptEnd::LeaseOver => Ok(Reported {
                end: attempt.end,
                state: attempt.left,
                again: true,
            }),
            _ => Err(refusal),
        };
    }
    let end = match &report.digest {
        Some(digest) if report.success && *digest == row.expected => AttemptEnd::Agrees,
        Some(_) if report.success => AttemptEnd::Differs,
        _ => AttemptEnd::Failed,
    };
    finish(row, end, report, now, rules);
    Ok(Reported {
        end,
        state: row.state,
        again: false,
    })
}

/// Ends an attempt of which nothing was heard in time.
pub(super) fn lease_over(row: &mut AssignmentRow, now: f64, rules: &Validators) {
    finish(
        row,
        AttemptEnd::LeaseOver,
        AttemptReport::default(),
        now,
        rules,
    );
}

/// Ends the attempt that is under way.
fn finish(
    row: &mut AssignmentRow,
    end: AttemptEnd,
    report: AttemptReport,
    now: f64,
    rules: &Validators,
) {
    let differs = |attempt: &Attempt| attempt.end == AttemptEnd::Differs;
    let disputed = end == AttemptEnd::Differs || row.results.iter().any(differs);
    let left = if end == AttemptEnd::Agrees {
        AssignmentState::Confirmed
    } else if row.attempts < rules.max_attempts {
        AssignmentState::Open
    } else if disputed {
        AssignmentState::Contradicted
    } else {
        AssignmentState::Failed
    };
    row.results.push(Attempt {
        validator: row.validator.take().unwrap_or_default(),
        leased_at: row.leased_at.take().unwrap_or(now),
        ended_at: now,
        end,
        left,
        report,
    });
    row.state = left;
    row.lease_until = None;
    row.progress = None;
    row.updated_at = now;
}

/// A validator's last attempt that has ended.
fn last_of<'a>(row: &'a AssignmentRow, validator: &str) -> Option<&'a Attempt> {
    let mut attempts = row.results.iter().rev();
    attempts.find(|attempt| attempt.validator == validator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Validators = Validators {
        heartbeat_s: 60.0,
        offline_s: 180.0,
        lease_s: 900.0,
        max_attempts: 3,
        max_open_per_validator: 4,
        audit_share: 1.0,
    };

    fn open() -> AssignmentRow {
        AssignmentRow {
            id: 1,
            challenge: "c".into(),
            evaluation_id: 7,
            artifact_digest: None,
            state: AssignmentState::Open,
            expected: "good".into(),
            validator: None,
            leased_at: None,
            lease_until: None,
            attempts: 0,
            progress: None,
            results: Vec::new(),
            created_at: 0.0,
            updated_at: 0.0,
        }
    }

    fn lease(row: &mut AssignmentRow, validator: &str, now: f64) {
        assert_eq!(row.state, AssignmentState::Open);
        row.state = AssignmentState::Leased;
        row.validator = Some(validator.into());
        row.leased_at = Some(now);
        row.lease_until = Some(now + RULES.lease_s);
        row.attempts += 1;
    }

    fn leased(validator: &str) -> AssignmentRow {
        let mut row = open();
        lease(&mut row, validator, 0.0);
        row
    }

    fn came_to(digest: &str) -> AttemptReport {
        AttemptReport {
            success: true,
            digest: Some(digest.into()),
            ..AttemptReport::default()
        }
    }

    fn told(
        row: &mut AssignmentRow,
        validator: &str,
        told: AttemptReport,
        now: f64,
    ) -> Result<(AttemptEnd, AssignmentState), Refusal> {
        report(row, validator, told, now, &RULES).map(|reported| (reported.end, reported.state))
    }

    #[test]
    fn the_first_that_agrees_confirms() {
        let mut row = leased("a");
        let ends = told(&mut row, "a", came_to("bad"), 1.0);
        assert_eq!(ends, Ok((AttemptEnd::Differs, AssignmentState::Open)));
        lease(&mut row, "b", 2.0);
        let ends = told(&mut row, "b", came_to("good"), 3.0);
        assert_eq!(ends, Ok((AttemptEnd::Agrees, AssignmentState::Confirmed)));
        assert_eq!(
            (row.validator, row.lease_until, row.leased_at),
            (None, None, None)
        );
    }

    #[test]
    fn it_is_contradicted_when_every_attempt_comes_to_another_result() {
        let mut row = open();
        for (validator, at) in [("a", 0.0), ("b", 1.0), ("c", 2.0)] {
            lease(&mut row, validator, at);
            told(&mut row, validator, came_to("bad"), at).unwrap();
        }
        assert_eq!(row.state, AssignmentState::Contradicted);
        let left: Vec<_> = row.results.iter().map(|attempt| attempt.left).collect();
        let open = AssignmentState::Open;
        assert_eq!(left, [open, open, AssignmentState::Contradicted]);
    }

    #[test]
    fn a_failure_is_not_terminal_and_hides_no_contradiction() {
        for (second, state) in [
            (AttemptReport::default(), AssignmentState::Failed),
            (came_to("bad"), AssignmentState::Contradicted),
        ] {
            let mut row = leased("a");
            let ends = told(&mut row, "a", AttemptReport::default(), 1.0);
            assert_eq!(ends, Ok((AttemptEnd::Failed, AssignmentState::Open)));
            lease(&mut row, "b", 2.0);
            told(&mut row, "b", second, 3.0).unwrap();
            lease(&mut row, "c", 4.0);
            lease_over(&mut row, 1_000.0, &RULES);
            assert_eq!(row.state, state);
            assert_eq!(row.results[2].end, AttemptEnd::LeaseOver);
        }
    }

    #[test]
    fn a_digest_without_success_is_no_result() {
        let mut row = leased("a");
        let failed = AttemptReport {
            success: false,
            ..came_to("good")
        };
        let ends = told(&mut row, "a", failed, 1.0).unwrap();
        assert_eq!(ends.0, AttemptEnd::Failed);
    }

    #[test]
    fn only_who_has_it_tells_of_it_and_only_in_time() {
        let mut row = leased("a");
        let good = || came_to("good");
        assert_eq!(told(&mut row, "b", good(), 1.0), Err(Refusal::NotYours));
        assert_eq!(told(&mut row, "a", good(), 900.0), Err(Refusal::LeaseOver));
        assert_eq!(row, leased("a"), "nothing has changed");
        lease_over(&mut row, 900.0, &RULES);
        assert_eq!(told(&mut row, "a", good(), 901.0), Err(Refusal::LeaseOver));
        lease(&mut row, "b", 902.0);
        assert_eq!(told(&mut row, "a", good(), 903.0), Err(Refusal::LeaseOver));
        assert_eq!(
            progress(&mut row, "a", 0.5, 903.0, &RULES),
            Err(Refusal::LeaseOver)
        );
        assert!(told(&mut row, "b", good(), 904.0).is_ok());
        assert_eq!(told(&mut row, "c", good(), 905.0), Err(Refusal::Done));
        assert_eq!(
            told(&mut row, "b", came_to("bad"), 905.0),
            Err(Refusal::Done)
        );
        assert_eq!(holds(&row, "b", 905.0), Err(Refusal::Done));
    }

    #[test]
    fn the_same_report_again_is_the_same_answer() {
        let mut row = leased("a");
        let first = report(&mut row, "a", came_to("bad"), 1.0, &RULES).unwrap();
        lease(&mut row, "b", 2.0);
        let before = row.clone();
        let again = report(&mut row, "a", came_to("bad"), 5.0, &RULES).unwrap();
        assert_eq!((again.end, again.state), (first.end, first.state));
        assert!(again.again && !first.again);
        assert_eq!(row, before);
        let other = report(&mut row, "a", came_to("worse"), 5.0, &RULES);
        assert_eq!(other, Err(Refusal::Done));
    }

    #[test]
    fn progress_gives_time_but_not_for_ever() {
        let mut row = leased("a");
        assert_eq!(progress(&mut row, "a", 0.5, 100.0, &RULES), Ok(1_000.0));
        assert_eq!((row.progress, row.lease_until), (Some(0.5), Some(1_000.0)));
        // A clock that was set back takes nothing away.
        assert_eq!(progress(&mut row, "a", 0.6, 50.0, &RULES), Ok(1_000.0));
        let mut now = 100.0;
        let most = MAX_LEASES * RULES.lease_s;
        loop {
            now += 800.0;
            match progress(&mut row, "a", 0.7, now, &RULES) {
                Ok(until) => assert!(until <= most, "{until}"),
                Err(refusal) => break assert_eq!(refusal, Refusal::LeaseOver),
            }
        }
        assert!((most..most + 800.0).contains(&now), "{now}");
        assert_eq!(
            progress(&mut row, "b", 0.5, 1.0, &RULES),
            Err(Refusal::NotYours)
        );
    }

    #[test]
    fn the_same_evaluations_are_picked_at_every_look() {
        // printf 'proctor-audit' + u64be(7) + u64be(n) | sha256sum: n = 1 begins with
        // da84, n = 2 with 49a1.
        assert!(is_picked(7, 1, 0.855) && !is_picked(7, 1, 0.853));
        assert!(is_picked(7, 2, 0.289) && !is_picked(7, 2, 0.287));
        let picked = |seed, share| (0..10_000).filter(|n| is_picked(seed, *n, share)).count();
        assert_eq!((picked(7, 0.0), picked(7, 1.0)), (0, 10_000));
        assert!((400..600).contains(&picked(7, 0.05)));
        let others = (0..1_000).filter(|n| is_picked(7, *n, 0.5) != is_picked(8, *n, 0.5));
        assert!(others.count() > 300);
    }

    proptest! {
        #[test]
        fn whatever_comes_it_ends_after_all_attempts(
            ends in prop::collection::vec(0..4_u8, 3),
        ) {
            let mut row = open();
            for (index, end) in ends.iter().enumerate() {
                if row.state.is_final() {
                    break;
                }
                let now = index as f64;
                lease(&mut row, "a", now);
                match end {
                    0 => lease_over(&mut row, now, &RULES),
                    1 => drop(told(&mut row, "a", AttemptReport::default(), now).unwrap()),
                    2 => drop(told(&mut row, "a", came_to("bad"), now).unwrap()),
                    _ => drop(told(&mut row, "a", came_to("good"), now).unwrap()),
                }
            }
            let expected = match () {
                () if ends.contains(&3) => AssignmentState::Confirmed,
                () if ends.contains(&2) => AssignmentState::Contradicted,
                () => AssignmentState::Failed,
            };
            prop_assert_eq!(row.state, expected);
        }
    }
}
