//! What a call may take, and the limiter that holds a store to it.

use super::call::is_of_the_machine;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// What one call may take. A nested solver has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Fuel: roughly one unit per WebAssembly instruction. About a second of
    /// computing per 10⁹ on a current machine. At most 10¹⁵.
    pub fuel: u64,
    /// Wall-clock time in milliseconds, host calls included. A backstop: what is
    /// too slow should run out of fuel first, because fuel is deterministic. At most
    /// 86 400 000, a day.
    pub wall_ms: u64,
    /// Bytes of linear memory, all memories of the store together. 64 KiB to 16 GiB.
    pub memory_bytes: usize,
    /// Entries of tables, all tables of the store together. At most 10⁸.
    pub table_elements: usize,
    /// Bytes that may cross from the guest to the host in one call: a result, or
    /// the arguments of a host call. At most 4 GiB.
    pub output_bytes: usize,
    /// Calls from the guest to the host, WASI and growing memory included. At most
    /// 10¹².
    pub host_calls: u64,
    /// Bytes of stdout and stderr that are kept. What is above is dropped. At most
    /// 64 MiB.
    pub log_bytes: usize,
}

impl Limits {
    /// What telling one's name may take: little, so that a hostile plugin holds the
    /// loading of others up for a moment only.
    pub fn to_describe() -> Self {
        Limits {
            fuel: 1_000_000_000,
            wall_ms: 5_000,
            output_bytes: 1 << 20,
            ..Limits::default()
        }
    }
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

    /// What is wrong with the limits: each field's name, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let mut problems = out_of_bounds([
            ("fuel", self.fuel, 1, MAX_FUEL),
            ("wall_ms", self.wall_ms, 1, MAX_MS),
            ("memory_bytes", bytes(self.memory_bytes), 0, MAX_MEMORY),
            ("table_elements", bytes(self.table_elements), 0, MAX_TABLES),
            ("output_bytes", bytes(self.output_bytes), 1, MAX_BODY),
            ("host_calls", self.host_calls, 1, MAX_HOST_CALLS),
            ("log_bytes", bytes(self.log_bytes), 0, MAX_LOG),
        ]);
        if self.memory_bytes < 64 << 10 {
            let message = "must be at least 65536: one page";
            problems.push(("memory_bytes", message.to_owned()));
        }
        problems
    }
}

/// Most fuel: more than ten days of computing.
const MAX_FUEL: u64 = 1_000_000_000_000_000;
/// Longest time, in milliseconds: a day.
pub(super) const MAX_MS: u64 = 86_400_000;
/// Most linear memory, in bytes: 16 GiB.
const MAX_MEMORY: u64 = 16 << 30;
/// Most entries of tables.
const MAX_TABLES: u64 = 100_000_000;
/// Most bytes that go in or out: 4 GiB.
pub(super) const MAX_BODY: u64 = 4 << 30;
/// Most calls from the guest to the host.
const MAX_HOST_CALLS: u64 = 1_000_000_000_000;
/// Most bytes of log, which are held in memory: 64 MiB.
const MAX_LOG: u64 = 64 << 20;

/// Of name, value, least and most: the names of those that are out of bounds, and why.
/// The least is 0 or 1.
pub(super) fn out_of_bounds(
    fields: impl IntoIterator<Item = (&'static str, u64, u64, u64)>,
) -> Vec<(&'static str, String)> {
    let problem = |(name, value, least, most)| match value {
        value if value < least => Some((name, "must be above 0".to_owned())),
        value if value > most => Some((name, format!("must be at most {most}"))),
        _ => None,
    };
    fields.into_iter().filter_map(problem).collect()
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
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // To the guest it would be an answer, which another machine does not give.
        if is_of_the_machine(&error) {
            return Err(error);
        }
        self.refused = Some("linear memory");
        Ok(())
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if is_of_the_machine(&error) {
            return Err(error);
        }
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
    fn limits_that_allow_nothing_or_anything_are_problems() {
        assert_eq!(Limits::default().problems(), []);
        assert_eq!(Limits::solver().problems(), []);
        let of = |limits: Limits| -> Vec<String> {
            let problems = limits.problems().into_iter();
            problems
                .map(|(name, why)| format!("{name} {why}"))
                .collect()
        };
        let none = Limits {
            fuel: 0,
            wall_ms: 0,
            memory_bytes: 65_535,
            table_elements: 0,
            output_bytes: 0,
            host_calls: 0,
            log_bytes: 0,
        };
        let expected = [
            "fuel must be above 0",
            "wall_ms must be above 0",
            "output_bytes must be above 0",
            "host_calls must be above 0",
            "memory_bytes must be at least 65536: one page",
        ];
        assert_eq!(of(none), expected);
        let most = Limits {
            fuel: 1_000_000_000_000_000,
            wall_ms: 86_400_000,
            memory_bytes: 17_179_869_184,
            table_elements: 100_000_000,
            output_bytes: 4_294_967_296,
            host_calls: 1_000_000_000_000,
            log_bytes: 67_108_864,
        };
        assert_eq!(of(most), [""; 0]);
        let over = Limits {
            fuel: most.fuel + 1,
            wall_ms: most.wall_ms + 1,
            memory_bytes: most.memory_bytes + 1,
            table_elements: most.table_elements + 1,
            output_bytes: most.output_bytes + 1,
            host_calls: most.host_calls + 1,
            log_bytes: most.log_bytes + 1,
        };
        let expected = [
            "fuel must be at most 1000000000000000",
            "wall_ms must be at most 86400000",
            "memory_bytes must be at most 17179869184",
            "table_elements must be at most 100000000",
            "output_bytes must be at most 4294967296",
            "host_calls must be at most 1000000000000",
            "log_bytes must be at most 67108864",
        ];
        assert_eq!(of(over), expected);
    }
}
