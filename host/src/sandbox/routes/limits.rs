//! What a call of a challenge's own routes may take.

use crate::sandbox::limits::Limits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What one request to a challenge's own routes may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteLimits {
    /// Fuel of the whole call, as in [`Limits::fuel`].
    pub fuel: u64,
    /// Milliseconds until status and headers of the answer are there; and until the
    /// client takes the next piece of the body, when there is one.
    pub head_ms: u64,
    /// Milliseconds that the whole call may take, for answers that are streamed:
    /// until the last byte is sent.
    pub stream_ms: u64,
    /// Bytes of linear memory, as in [`Limits::memory_bytes`].
    pub memory_bytes: usize,
    /// Calls from the guest to the host, as in [`Limits::host_calls`]. Each piece of
    /// a body takes about four, each wait two.
    pub host_calls: u64,
    /// Bytes of stdout and stderr that are kept, as in [`Limits::log_bytes`].
    pub log_bytes: usize,
    /// Bytes that the body of the request may have.
    pub request_bytes: u64,
    /// Bytes that the body of the answer may have; and that of each answer to a
    /// request that the guest makes.
    pub response_bytes: u64,
    /// Calls at a time of one challenge. The sandbox leaves that to the caller.
    pub concurrency: u32,
    /// Calls at a time of one challenge by one client. The sandbox leaves that to
    /// the caller.
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

    /// What is wrong with the limits: the field's name, and why.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let positive = [
            ("head_ms", self.head_ms > 0),
            ("response_bytes", self.response_bytes > 0),
            ("concurrency", self.concurrency > 0),
            ("concurrency_per_client", self.concurrency_per_client > 0),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, ok)| !ok) {
            return Some((name, "must be above 0"));
        }
        if self.stream_ms < self.head_ms {
            return Some(("stream_ms", "must be at least head_ms"));
        }
        self.of_store().problem()
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
        assert_eq!(default.problem(), None);
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
            assert_eq!(limits.problem().map(|p| p.0), Some(field));
        }
        // No body at all is something that one may want.
        let closed = RouteLimits {
            request_bytes: 0,
            ..default
        };
        assert_eq!(closed.problem(), None);
    }
}
