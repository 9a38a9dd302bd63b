//! Whether a server can take what a challenge needs: the peer's rule.

use std::fmt;

/// What a server says that it can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Whether it may be used.
    pub enabled: bool,
    /// GPUs that it has at least.
    pub min_gpu_count: u32,
}

/// Why a challenge cannot run where it is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuProblem {
    /// It asks for less than one GPU.
    InvalidGpuCount,
    /// There is no such server.
    ServerUnknown,
    /// The server is disabled.
    ServerDisabled,
    /// The server has too few GPUs.
    CapacityInsufficient,
}

impl GpuProblem {
    /// The stable name, the peer's.
    pub fn code(self) -> &'static str {
        match self {
            GpuProblem::InvalidGpuCount => "invalid_gpu_count",
            GpuProblem::ServerUnknown => "gpu_server_unknown",
            GpuProblem::ServerDisabled => "gpu_server_disabled",
            GpuProblem::CapacityInsufficient => "gpu_capacity_insufficient",
        }
    }

    /// The field of a record that it is about.
    pub fn field(self) -> &'static str {
        match self {
            GpuProblem::InvalidGpuCount | GpuProblem::CapacityInsufficient => "runner.gpu_count",
            GpuProblem::ServerUnknown | GpuProblem::ServerDisabled => "runner.gpu_server",
        }
    }
}

impl fmt::Display for GpuProblem {
    /// For people, with the stable name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            GpuProblem::InvalidGpuCount => "must be at least 1",
            GpuProblem::ServerUnknown => "there is no such GPU server",
            GpuProblem::ServerDisabled => "the GPU server is disabled",
            GpuProblem::CapacityInsufficient => "the GPU server has fewer GPUs",
        };
        write!(f, "{text} ({})", self.code())
    }
}

/// Why something that needs `gpu_count` GPUs of `gpu_server` cannot run, if it cannot.
/// Without a count one is needed of a server that is named; without a server there is
/// nothing to look at but the count. An empty name is none.
pub fn capability(
    gpu_count: Option<i64>,
    gpu_server: Option<&str>,
    find: impl FnOnce(&str) -> Option<Capacity>,
) -> Option<GpuProblem> {
    if gpu_count.is_some_and(|count| count <= 0) {
        return Some(GpuProblem::InvalidGpuCount);
    }
    let server = gpu_server.filter(|server| !server.is_empty())?;
    let Some(capacity) = find(server) else {
        return Some(GpuProblem::ServerUnknown);
    };
    if !capacity.enabled {
        return Some(GpuProblem::ServerDisabled);
    }
    let needed = gpu_count.unwrap_or(1);
    (i64::from(capacity.min_gpu_count) < needed).then_some(GpuProblem::CapacityInsufficient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn decisions_are_the_peers() {
        let golden = include_str!("../../../../tests/golden/platform_gpu_capability.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        // The servers that the peer was asked about.
        let find = |id: &str| match id {
            "g" => Some(Capacity {
                enabled: true,
                min_gpu_count: 2,
            }),
            "off" => Some(Capacity {
                enabled: false,
                min_gpu_count: 2,
            }),
            _ => None,
        };
        let cases = golden["capability"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let resources = &case["resources"];
            // Resources are texts there, and an empty one is none.
            let count = resources["gpu_count"]
                .as_str()
                .filter(|count| !count.is_empty());
            let count = count.map(|count| count.parse().unwrap());
            let problem = capability(count, resources["gpu_server"].as_str(), find);
            assert_eq!(
                json!(problem.map(GpuProblem::code)),
                case["reason"],
                "{case}"
            );
            assert_eq!(json!(problem.is_none()), case["can_run"], "{case}");
        }
    }

    #[test]
    fn a_count_is_looked_at_before_the_server_and_the_server_before_its_size() {
        let off = |_: &str| {
            Some(Capacity {
                enabled: false,
                min_gpu_count: 0,
            })
        };
        let decide = |count, server| capability(count, server, off);
        assert_eq!(
            decide(Some(-1), Some("x")),
            Some(GpuProblem::InvalidGpuCount)
        );
        assert_eq!(decide(Some(0), None), Some(GpuProblem::InvalidGpuCount));
        assert_eq!(decide(Some(9), Some("x")), Some(GpuProblem::ServerDisabled));
        assert_eq!(decide(Some(9), Some("")), None);
        let none = |_: &str| {
            Some(Capacity {
                enabled: true,
                min_gpu_count: 0,
            })
        };
        let problem = capability(None, Some("x"), none);
        assert_eq!(problem, Some(GpuProblem::CapacityInsufficient));
    }
}
