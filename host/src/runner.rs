//! Submissions that the host does not run itself: services that run them, asked over
//! HTTP.
//!
//! A challenge whose runner is `http` is evaluated as any other, in the sandbox; only
//! what it asks of the submission goes to the service, one task at a time:
//!
//! ```text
//! POST {url}/solve
//! {"challenge": "digits", "artifact": "ghcr.io/miner/solver@sha256:…",
//!  "artifact_digest": "sha256:…", "task": …, "seed": "17", "deadline_ms": 9000}
//!
//! 200 {"solution": …}
//! 4xx {"error": {"code": "out_of_memory", "message": "…"}}
//! ```
//!
//! The service answers for itself and for the submission, and what is whose fault must
//! stay apart. Only what the service says of the submission, in this form, is held
//! against it; everything else that goes wrong is `unavailable`, and tried again.

mod answer;
mod ask;

pub use ask::Runners;

use crate::config;
use crate::sandbox::sha256_hex;

/// In the identity of an engine: what follows is no sandbox.
const MARK: &str = "+runner.http.";

/// What the results of a challenge depend on because of its runner, to be put behind the
/// identity of the engine: nothing for components; for a service, that it is one, and
/// 16 digits of the SHA-256 of its address.
pub fn identity(runner: &config::Runner) -> String {
    match runner {
        config::Runner::Component => String::new(),
        config::Runner::Http { url, .. } => {
            let digest = sha256_hex(url.trim_end_matches('/').as_bytes());
            format!("{MARK}{:.16}", digest)
        }
    }
}

/// Whether results of this engine came from a service, so that nobody can have the
/// same by doing the same again.
pub fn is_remote(engine: &str) -> bool {
    engine.contains(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str) -> config::Runner {
        config::Runner::Http {
            url: url.into(),
            gpu_server: None,
            gpu_count: 0,
        }
    }

    #[test]
    fn results_of_a_service_are_told_from_those_of_the_sandbox() {
        assert_eq!(identity(&config::Runner::Component), "");
        let one = identity(&http("https://a.lan/"));
        assert_eq!(one, identity(&http("https://a.lan")));
        assert_ne!(one, identity(&http("https://b.lan")));
        // printf https://a.lan | sha256sum
        assert_eq!(one, "+runner.http.b8df5595d5848027");
        assert!(is_remote(&format!("wasmtime.48+limits.0{one}")));
        assert!(!is_remote("wasmtime.48+limits.0"));
    }
}
