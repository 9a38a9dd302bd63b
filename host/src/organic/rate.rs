//! How long it is from one iteration to the next.

use crate::config::{Organic, Trigger};

/// The rate of a challenge: `max(F − size / K, F_min)` seconds, or steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub(super) trigger: Trigger,
    /// F: seconds or steps while the queue is empty.
    pub(super) frequency: f64,
    /// F_min: the least.
    pub(super) frequency_min: f64,
    /// K: queued samples that make it less by one.
    pub(super) scaling: f64,
}

impl Rate {
    /// What an operator wants.
    pub(super) fn of(organic: &Organic) -> Self {
        Rate {
            trigger: organic.trigger,
            frequency: organic.frequency,
            frequency_min: organic.frequency_min,
            scaling: organic.scaling,
        }
    }

    /// Seconds, or steps before they are made whole, with so many queued.
    pub(super) fn delay(&self, size: u64) -> f64 {
        // A queue is no longer than a million, which is exact.
        (self.frequency - size as f64 / self.scaling).max(self.frequency_min)
    }

    /// Steps that an iteration costs, with so many queued; at least 1.
    pub(super) fn steps(&self, size: u64) -> u64 {
        // At most the 1e9 of the configuration.
        (self.delay(size) as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F, K and F_min as they are by default.
    fn rate() -> Rate {
        Rate::of(&Organic::default())
    }

    #[test]
    fn the_rate_is_that_of_the_formula() {
        for (size, delay, steps) in [
            (0, 15.0, 15),
            (1, 14.8, 14),
            (5, 14.0, 14),
            (50, 5.0, 5),
            (64, 2.2, 2),
            (65, 2.0, 2),
            (66, 2.0, 2),
            (10_000, 2.0, 2),
        ] {
            assert!((rate().delay(size) - delay).abs() < 1e-12, "{size}");
            assert_eq!(rate().steps(size), steps, "{size}");
        }
    }

    #[test]
    fn a_longer_queue_is_never_slower() {
        let delays: Vec<f64> = (0..200).map(|size| rate().delay(size)).collect();
        assert!(delays.is_sorted_by(|shorter, longer| longer <= shorter));
    }
}
