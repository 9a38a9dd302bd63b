//! How old it is what a block tells.

use std::sync::Once;

/// The most that an endpoint is taken to be behind, in seconds. Of a chain whose clock
/// is further off it is the clock that is wrong: a chain for development may live at any
/// time, and so may the host, in tests and demonstrations.
const MOST: f64 = 30.0 * 86_400.0;
/// How far the chain's clock may be ahead before that is told, in seconds.
const AHEAD: f64 = 60.0;

/// When that was news which is read at `now` of a block made at `made_at`, by the
/// chain's own clock: an endpoint that is behind, or a chain that stands still, tells
/// nothing new however often it is asked.
pub(super) fn read_at(now: f64, made_at: Option<f64>) -> f64 {
    let Some(made_at) = made_at else { return now };
    let age = now - made_at;
    if !(-AHEAD..MOST).contains(&age) {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                host_ahead_s = age.round(),
                "the chain's clock and this host's differ: how old its blocks are is not known"
            );
        });
        return now;
    }
    now.min(made_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_old_block_tells_is_as_old_as_the_block() {
        let now = 1_800_000_000.0;
        for age in [0.0, 12.0, 3_600.0, MOST - 1.0] {
            assert_eq!(read_at(now, Some(now - age)), now - age);
        }
        // The clocks are never quite the same.
        assert_eq!(read_at(now, Some(now + 5.0)), now);
    }

    #[test]
    fn a_clock_of_another_time_says_nothing_of_the_age() {
        let now = 1_800_000_000.0;
        for made_at in [None, Some(0.0), Some(now - MOST), Some(now + 1e7)] {
            assert_eq!(read_at(now, made_at), now);
        }
        assert_eq!(read_at(50.0, Some(now)), 50.0);
    }
}
