//! What a call of a challenge's own routes may take.

use crate::sandbox::limits::{Limits, MAX_BODY, MAX_MS, out_of_bounds};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most calls at a time of one challenge.
const MAX_CONCURRENCY: u64 = 1_024;

/// What one request to a challenge's own routes may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteLimits {
    /// Fuel of the whole call, as in [`Limits::fuel`].
    pub fuel: u64,
    /// Milliseconds until status and headers of the answer are there; and until the
    /// client takes the next piece of the body, when there is one. At most a day.
    pub head_ms: u64,
    /// Milliseconds that the whole call may take, for answers that are streamed:
    /// until the last byte is sent. At least `head_ms`, at most a day.
    pub stream_ms: u64,
    /// Bytes of linear memory, as in [`Limits::memory_bytes`].
    pub memory_bytes: usize,
    /// Calls from the guest to the host, as in [`Limits::host_calls`]. Each piece of
    /// a body takes about four, each wait two.
    pub host_calls: u64,
    /// Bytes of stdout and stderr that are kept, as in [`Limits::log_bytes`].
    pub log_bytes: usize,
    /// Bytes that the body of the request may have, at most 4 GiB.
    pub request_bytes: u64,
    /// Bytes that the body of the answer may have; and that of each answer to a
    /// request that the guest makes. At most 4 GiB.
    pub response_bytes: u64,
    /// Calls at a time of one challenge, 1 to 1024. The sandbox leaves that to the
    /// caller.
    pub concurrency: u32,
    /// Calls at a time of one challenge by one client, 1 to 1024. The sandbox leaves
    /// that to the caller.
    pub concurrency_per_client: u32,
}

impl Default for RouteLimits {
    /// 10·10⁹ fuel, 30 s to the head, 10 minutes in all, 128 MiB, a million host
    /// calls, 64 KiB of log, 8 MiB in, 64 MiB out, 32 calls at a time, 8 by one
    /// client.
    fn default() -> Self {
        RouteLimits {
            fuel: 10_000_000_000,
            head_ms: 30_000,
            stream_ms: 600_000,
            memory_bytes: 128 << 20,
            host_calls: 1_000_000,
            log_bytes: 64 << 10,
            request_bytes: 8 << 20,
            response_bytes: 64 << 20,
            concurrency: 32,
            concurrency_per_client: 8,
        }
    }
}

impl RouteLimits {
    /// [`head_ms`](Self::head_ms) as a duration.
    pub fn head(&self) -> Duration {
        Duration::from_millis(self.head_ms)
    }

    /// [`stream_ms`](Self::stream_ms) as a duration.
    pub fn stream(&self) -> Duration {
        Duration::from_millis(self.stream_ms)
    }

    /// What is wrong with the limits: each field's name, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let concurrency = u64::from(self.concurrency);
        let per_client = u64::from(self.concurrency_per_client);
        let mut problems = out_of_bounds([
            ("head_ms", self.head_ms, 1, MAX_MS),
            ("request_bytes", self.request_bytes, 0, MAX_BODY),
            ("response_bytes", self.response_bytes, 1, MAX_BODY),
            ("concurrency", concurrency, 1, MAX_CONCURRENCY),
            ("concurrency_per_client", per_client, 1, MAX_CONCURRENCY),
        ]);
        let of_store = self.of_store().problems().into_iter();
        problems.extend(of_store.map(|(name, why)| match name {
            "wall_ms" => ("stream_ms", why),
            name => (name, why),
        }));
        let told = problems.iter().any(|(name, _)| *name == "stream_ms");
        if self.stream_ms < self.head_ms && !told {
            problems.push(("stream_ms", "must be at least head_ms".to_owned()));
        }
        problems
    }

    /// The limits of the store. What of them cannot be set is as for other calls.
    pub(in crate::sandbox) fn of_store(&self) -> Limits {
        Limits {
            fuel: self.fuel,
            wall_ms: self.stream_ms,
            memory_bytes: self.memory_bytes,
            host_calls: self.host_calls,
            log_bytes: self.log_bytes,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_allows_nothing_is_a_problem() {
        let default = RouteLimits::default();
        assert_eq!(default.problems(), []);
        for (limits, field) in [
            (RouteLimits { fuel: 0, ..default }, "fuel"),
            (
                RouteLimits {
                    head_ms: 0,
                    ..default
                },
                "head_ms",
            ),
            (
                RouteLimits {
                    stream_ms: 29_999,
                    ..default
                },
                "stream_ms",
            ),
            (
                RouteLimits {
                    memory_bytes: 1,
                    ..default
                },
                "memory_bytes",
            ),
            (
                RouteLimits {
                    concurrency: 0,
                    ..default
                },
                "concurrency",
            ),
        ] {
            let fields: Vec<_> = limits.problems().into_iter().map(|(f, _)| f).collect();
            assert_eq!(fields, [field]);
        }
        // No body at all is something that one may want.
        let closed = RouteLimits {
            request_bytes: 0,
            ..default
        };
        assert_eq!(closed.problems(), []);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let limits = RouteLimits {
            head_ms: 86_400_001,
            stream_ms: 0,
            fuel: 0,
            request_bytes: (4 << 30) + 1,
            response_bytes: (4 << 30) + 1,
            concurrency: 1_025,
            concurrency_per_client: 1_025,
            ..RouteLimits::default()
        };
        let problems = limits.problems().into_iter();
        let problems: Vec<_> = problems.map(|(f, why)| format!("{f} {why}")).collect();
        let expected = [
            "head_ms must be at most 86400000",
            "request_bytes must be at most 4294967296",
            "response_bytes must be at most 4294967296",
            "concurrency must be at most 1024",
            "concurrency_per_client must be at most 1024",
            "fuel must be above 0",
            "stream_ms must be above 0",
        ];
        assert_eq!(problems, expected);
    }
}
