//! Clocks that do not follow the wall clock.
//!
//! `wasi:clocks/monotonic-clock` is implemented here, and not by wasmtime-wasi,
//! whose timers run in real time: a guest could wait without taking fuel, and tell
//! the time by looking whether a timer has run out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::Host;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

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

/// Nanoseconds since the call began. Moves on by a microsecond with each look, so
/// that a guest that looks until time has passed gets on; and to the end of a
/// timer that a guest waits for, at once.
#[derive(Debug, Clone, Default)]
pub(super) struct LogicalMonotonicClock(Arc<AtomicU64>);

impl LogicalMonotonicClock {
    fn now(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// What links [`MonotonicClock`].
pub(super) struct LogicalClocks;

impl HasData for LogicalClocks {
    type Data<'a> = MonotonicClock<'a>;
}

/// The clock of one store.
pub(super) struct MonotonicClock<'a> {
    pub(super) clock: &'a LogicalMonotonicClock,
    pub(super) table: &'a mut ResourceTable,
}

impl Host for MonotonicClock<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = Timer {
            clock: self.clock.clone(),
            when,
        };
        let timer = self.table.push(timer)?;
        subscribe(self.table, timer)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let when = self.clock.now().saturating_add(duration);
        self.subscribe_instant(when)
    }
}

/// Runs out as soon as it is looked at, and takes the clock there.
struct Timer {
    clock: LogicalMonotonicClock,
    when: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        self.clock.0.fetch_max(self.when, Ordering::Relaxed);
    }
}
