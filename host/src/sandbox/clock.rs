//! Clocks that do not follow the wall clock, and seeded random numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Stands still at the logical time of a call.
pub(super) struct LogicalWallClock(pub(super) Duration);

impl HostWallClock for LogicalWallClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// Moves on by a microsecond with each look, so that a guest that waits for time
/// to pass gets on.
#[derive(Default)]
pub(super) struct LogicalMonotonicClock(AtomicU64);

impl HostMonotonicClock for LogicalMonotonicClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}
