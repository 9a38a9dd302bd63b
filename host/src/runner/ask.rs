//! Asking a service.

use super::answer::{read, too_large, unavailable};
use crate::config::Runner;
use crate::registry::gpu::{Endpoint, GpuServers, is_on};
use crate::registry::reach::{refused, with_causes};
use crate::sandbox::{PluginError, RemoteSolver, RemoteTask};
use reqwest::{Client, Url};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// What an answer may have beside the solution, in bytes.
const ENVELOPE: usize = 16 << 10;

/// The services that run submissions.
#[derive(Debug, Clone)]
pub struct Runners {
    gpu_servers: GpuServers,
}

/// What a service is asked.
#[derive(Serialize)]
struct Task<'a> {
    challenge: &'a str,
    artifact: &'a str,
    artifact_digest: &'a str,
    task: &'a RawValue,
    /// As text: it has 64 bits, and JSON's numbers have 53 for many.
    seed: String,
    deadline_ms: u64,
}

/// One submission at one service.
struct Service {
    client: Client,
    url: Url,
    token: Option<String>,
    challenge: String,
    artifact: String,
    artifact_digest: String,
}

impl Runners {
    /// Services on these GPU servers, and others.
    pub fn new(gpu_servers: GpuServers) -> Self {
        Runners { gpu_servers }
    }

    /// What solves the tasks of a challenge with an artifact, `sha256:<64 hex>`, that
    /// is found at `artifact`. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::sandbox::Outcome::Unavailable): the service is not to be asked as things are. Neither
    /// the submission nor the challenge is to blame.
    pub async fn solver(
        &self,
        challenge: &str,
        runner: &Runner,
        artifact: String,
        artifact_digest: String,
    ) -> Result<RemoteSolver, PluginError> {
        let Runner::Http {
            url, gpu_server, ..
        } = runner
        else {
            return Err(unavailable("is the sandbox"));
        };
        let cannot = |why: String| unavailable(&format!("cannot be asked: {why}"));
        let problem = self.gpu_servers.capability(runner).await;
        if let Some(problem) = problem.map_err(|e| cannot(e.to_string()))? {
            return Err(cannot(problem.to_string()));
        }
        let endpoint = match gpu_server.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => {
                let endpoint = self.gpu_servers.endpoint(id).await;
                Some(endpoint.map_err(|e| cannot(e.to_string()))?)
            }
            None => None,
        };
        self.gpu_servers.address(url).map_err(cannot)?;
        let url = format!("{}/solve", url.trim_end_matches('/')).parse::<Url>();
        let url = url.map_err(|e| cannot(e.to_string()))?;
        if endpoint
            .as_ref()
            .is_some_and(|endpoint| !may_have_token(endpoint, &url))
        {
            return Err(cannot("its address is not on its GPU server".into()));
        }
        let verify_tls = endpoint.as_ref().is_none_or(|endpoint| endpoint.verify_tls);
        let client = self.gpu_servers.reach().client();
        let client = client.tls_danger_accept_invalid_certs(!verify_tls);
        let service = Arc::new(Service {
            client: client.build().map_err(|e| cannot(with_causes(e)))?,
            url,
            token: endpoint.and_then(|endpoint| endpoint.token),
            challenge: challenge.to_owned(),
            artifact,
            artifact_digest,
        });
        Ok(RemoteSolver::new(move |task| {
            let service = Arc::clone(&service);
            Box::pin(async move { service.solve(&task).await })
        }))
    }
}

fn may_have_token(endpoint: &Endpoint, url: &Url) -> bool {
    let base = endpoint.base_url.parse::<Url>();
    base.is_ok_and(|base| is_on(url, &base))
}

impl Service {
    async fn solve(&self, task: &RemoteTask) -> Result<String, PluginError> {
        let json: &RawValue = serde_json::from_str(&task.task)
            .map_err(|_| unavailable("cannot be asked: the task is not JSON"))?;
        let body = Task {
            challenge: &self.challenge,
            artifact: &self.artifact,
            artifact_digest: &self.artifact_digest,
            task: json,
            seed: task.seed.to_string(),
            deadline_ms: deadline_ms(task.time),
        };
        let mut request = self.client.post(self.url.clone()).json(&body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(fault)?;
        let limit = task.output_bytes.saturating_add(ENVELOPE);
        let status = response.status().as_u16();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > limit {
                return match status {
                    200 => Err(too_large(task.output_bytes)),
                    _ => Err(unavailable(&format!("answered {status}"))),
                };
            }
        }
        read(status, &answer, task.output_bytes)
    }
}

/// Of the time that there is, what the service is told: a tenth is kept for the way, at
/// most a second.
fn deadline_ms(time: Duration) -> u64 {
    let kept = (time / 10).min(Duration::from_secs(1));
    u64::try_from(time.saturating_sub(kept).as_millis()).unwrap_or(u64::MAX)
}

fn fault(error: reqwest::Error) -> PluginError {
    match refused(&error) {
        Some(refused) => unavailable(&format!("cannot be asked: {refused}")),
        None => unavailable(&format!("cannot be reached: {}", with_causes(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_to_be_done_before_it_is_given_up() {
        assert_eq!(deadline_ms(Duration::from_secs(60)), 59_000);
        assert_eq!(deadline_ms(Duration::from_secs(1)), 900);
        assert_eq!(deadline_ms(Duration::ZERO), 0);
    }
}
