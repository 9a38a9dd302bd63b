//! Submissions that miners put into registries.

use super::pipeline::Pipeline;
use crate::config::{self, Config, Runner};
use crate::plugins::ActivePlugin;
use crate::registry::oci::{OciClient, OciError};
use crate::registry::reference::OciReference;
use crate::sandbox::{Outcome, PluginError};
use std::time::Duration;

/// Time for all of a pull: a registry that a miner chose must not hold a worker up for
/// long.
const WHOLE: Duration = Duration::from_secs(60);

/// How a component begins, unlike a module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A client for what miners name, which has none of the operator's logins, and reaches
/// nothing that the operator has for other ends: a registry may send the host anywhere.
pub(super) fn client(config: &Config) -> Result<OciClient, OciError> {
    let registry = of_submissions(&config.registry);
    let client = OciClient::new(&registry, config.artifacts.max_bytes)?;
    Ok(client.as_nobody().with_timeout(WHOLE))
}

fn of_submissions(registry: &config::Registry) -> config::Registry {
    let hosts = &registry.submission_hosts;
    let plain = registry
        .plain_http
        .iter()
        .filter(|host| hosts.contains(host));
    config::Registry {
        plain_http: plain.cloned().collect(),
        private_hosts: hosts.clone(),
        ..registry.clone()
    }
}

impl Pipeline {
    /// Gets a submission that is not here from where it was first committed, if that is
    /// somewhere. Who copies it does not choose where it comes from.
    ///
    /// # Errors
    ///
    /// It cannot be had now.
    pub(super) async fn fetch(
        &self,
        plugin: &ActivePlugin,
        digest: &str,
    ) -> Result<(), PluginError> {
        if plugin.given.runner != Runner::Component || self.artifacts.contains(digest) {
            return Ok(());
        }
        let unavailable = |why: String| PluginError::new(Outcome::Unavailable, why);
        let challenge = plugin.name().to_owned();
        let found = self
            .store
            .artifact_repository(challenge, digest.to_owned())
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        let Some(found) = found else {
            return Ok(());
        };
        let reference: Result<OciReference, _> = found.parse();
        let reference = reference.map_err(|error| unavailable(format!("{found}: {error}")))?;
        let pulled = self.registries.pull(&reference).await;
        let pulled = pulled.map_err(|error| unavailable(format!("{found}: {error}")))?;
        if pulled.layer_digest.strip_prefix("sha256:") != Some(digest) {
            let problem = format!(
                "{found} has the digest of a manifest: a commit names the component itself, \
                 {}",
                pulled.layer_digest
            );
            return Err(unavailable(problem));
        }
        // Nothing that cannot run is kept for miners.
        if !pulled.bytes.starts_with(COMPONENT) {
            return Err(unavailable(format!("{found} is no component")));
        }
        let artifacts = self.artifacts.clone();
        let added = tokio::task::spawn_blocking(move || artifacts.add(&pulled.bytes)).await;
        let added = added.map_err(|error| unavailable(error.to_string()))?;
        let added = added.map_err(|error| unavailable(error.to_string()))?;
        tracing::info!(artifact = found, bytes = added.size, "submission pulled");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_reaches_is_not_what_miners_may_name() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let registry = config::Registry {
            plain_http: list(&["gpu.lan", "localhost:5000"]),
            private_hosts: list(&["gpu.lan", "10.0.0.1"]),
            submission_hosts: list(&["localhost:5000", "registry.lan"]),
            ..config::Registry::default()
        };
        let of = of_submissions(&registry);
        assert_eq!(of.private_hosts, registry.submission_hosts);
        assert_eq!(of.plain_http, ["localhost:5000"]);
        let none = of_submissions(&config::Registry {
            submission_hosts: Vec::new(),
            ..registry
        });
        assert!(none.private_hosts.is_empty() && none.plain_http.is_empty());
    }
}
