//! What a call may take, and the limiter that holds a store to it.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// What one call may take. A nested solver has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Fuel: roughly one unit per WebAssembly instruction. About a second of
    /// computing per 10⁹ on a current machine.
    pub fuel: u64,
    /// Wall-clock time in milliseconds, host calls included. A backstop: what is
    /// too slow should run out of fuel first, because fuel is deterministic.
    pub wall_ms: u64,
    /// Bytes of linear memory, all memories of the store together.
    pub memory_bytes: usize,
    /// Entries of tables, all tables of the store together.
    pub table_elements: usize,
    /// Bytes that may cross from the guest to the host in one call: a result, or
    /// the arguments of a host call.
    pub output_bytes: usize,
    /// Calls from the guest to the host, WASI and growing memory included.
    pub host_calls: u64,
    /// Bytes of stdout and stderr that are kept. What is above is dropped.
    pub log_bytes: usize,
}

impl Default for Limits {
    /// A challenge: 20·10⁹ fuel, 60 s, 256 MiB, 100 000 table entries, 16 MiB of
    /// output, a million host calls, 64 KiB of log.
    fn default() -> Self {
        Limits {
            fuel: 20_000_000_000,
            wall_ms: 60_000,
            memory_bytes: 256 << 20,
            table_elements: 100_000,
            output_bytes: 16 << 20,
            host_calls: 1_000_000,
            log_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// A solver, for one task: 10⁹ fuel, 10 s, 128 MiB, 20 000 table entries,
    /// 1 MiB of output, 10 000 host calls, 4 KiB of log.
    pub fn solver() -> Self {
        Limits {
            fuel: 1_000_000_000,
            wall_ms: 10_000,
            memory_bytes: 128 << 20,
            table_elements: 20_000,
            output_bytes: 1 << 20,
            host_calls: 10_000,
            log_bytes: 4 << 10,
        }
    }

    /// [`wall_ms`](Self::wall_ms) as a duration.
    pub fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }

    /// What is wrong with the limits: the field's name, and why.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let positive = [
            ("fuel", self.fuel > 0),
            ("wall_ms", self.wall_ms > 0),
            ("output_bytes", self.output_bytes > 0),
            ("host_calls", self.host_calls > 0),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, ok)| !ok) {
            return Some((name, "must be above 0"));
        }
        (self.memory_bytes < 64 << 10)
            .then_some(("memory_bytes", "must be at least 65536: one page"))
    }
}

/// Holds one store to its limits, and remembers what it refused: to the guest a
/// refused `memory.grow` looks like a bug of its own.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_left: usize,
    memory_used: usize,
    tables_left: usize,
    refused: Option<&'static str>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Limiter {
            memory_left: limits.memory_bytes,
            memory_used: 0,
            tables_left: limits.table_elements,
            refused: None,
        }
    }

    /// What was refused, if anything.
    pub(super) fn refused(&self) -> Option<&'static str> {
        self.refused
    }

    /// Bytes of linear memory that were given. Memories never shrink.
    pub(super) fn memory_used(&self) -> usize {
        self.memory_used
    }
}

impl ResourceLimiter for Limiter {
    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = Some("linear memory");
        Ok(())
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = Some("table entries");
        Ok(())
    }

    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let Some(left) = self.memory_left.checked_sub(more) else {
            self.refused = Some("linear memory");
            return Ok(false);
        };
        self.memory_left = left;
        self.memory_used = self.memory_used.saturating_add(more);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let Some(left) = self
            .tables_left
            .checked_sub(desired.saturating_sub(current))
        else {
            self.refused = Some("table entries");
            return Ok(false);
        };
        self.tables_left = left;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories_of_the_store() {
        let mut limiter = Limiter::new(&Limits {
            memory_bytes: 100,
            ..Limits::default()
        });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.refused(), None);
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(limiter.refused(), Some("linear memory"));
        assert_eq!(limiter.memory_used(), 100);
    }

    #[test]
    fn a_limit_that_allows_nothing_is_a_problem() {
        assert_eq!(Limits::default().problem(), None);
        assert_eq!(Limits::solver().problem(), None);
        let none = Limits {
            fuel: 0,
            ..Limits::default()
        };
        assert_eq!(none.problem().map(|p| p.0), Some("fuel"));
    }
}
