//! When an iteration is due: over a time that is told, in seconds of any clock that
//! does not go back.

use super::rate::Rate;
use crate::config::Trigger as By;

/// What is looked at, each time that it may have changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The time.
    pub(super) now: f64,
    /// Samples that are queued.
    pub(super) size: u64,
    /// Steps that are counted and not taken off.
    pub(super) steps: u64,
    /// Whether the operator has stopped the loop.
    pub(super) stopped: bool,
    /// Iterations that run.
    pub(super) in_flight: u32,
    /// Iterations that may run at a time.
    pub(super) concurrency: u32,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// An iteration begins.
    Begin,
    /// Look again at this time, or earlier if something changes.
    At(f64),
    /// Look again when something changes.
    Wait,
}

/// The longest time without a look. What is told of the queue is of the last one, and a
/// wake that is lost costs no more.
const LONGEST: f64 = 10.0;

impl Next {
    /// When to look again, whatever happens; none for at once.
    pub(super) fn look(self, now: f64) -> Option<f64> {
        match self {
            Next::Begin => None,
            Next::At(at) => Some(at.min(now + LONGEST)),
            Next::Wait => Some(now + LONGEST),
        }
    }
}

/// The trigger of one loop.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trigger {
    /// When the last iteration began, or would have, had there been a sample.
    last: Option<f64>,
    /// After a failure: not before this.
    pause: Option<f64>,
}

impl Trigger {
    /// Whether an iteration is due. The first one is at once.
    pub(super) fn next(&self, rate: &Rate, seen: Seen) -> Next {
        if seen.stopped || seen.in_flight >= seen.concurrency {
            return Next::Wait;
        }
        let due = match (rate.trigger, self.last) {
            (By::Steps, _) if seen.steps < rate.steps(seen.size) => return Next::Wait,
            (By::Steps, _) | (By::Seconds, None) => seen.now,
            (By::Seconds, Some(last)) => last + rate.delay(seen.size),
        };
        let due = self.pause.map_or(due, |pause| pause.max(due));
        if seen.now >= due {
            Next::Begin
        } else {
            Next::At(due)
        }
    }

    /// An iteration began, or there was no sample for one.
    pub(super) fn began(&mut self, now: f64) {
        self.last = Some(now);
        self.pause = None;
    }

    /// None can begin for some seconds: the host could not do what it needs.
    pub(super) fn pause(&mut self, now: f64, seconds: f64) {
        self.pause = Some(now + seconds);
    }
}

#[cfg(test)]
mod tests;
