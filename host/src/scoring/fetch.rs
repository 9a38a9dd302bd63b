//! Submissions that miners put into registries.

use super::pipeline::Pipeline;
use crate::config::{Config, Runner};
use crate::plugins::ActivePlugin;
use crate::registry::oci::{OciClient, OciError};
use crate::registry::reference::OciReference;
use crate::sandbox::{Outcome, PluginError};
use std::time::Duration;

/// Time for all of a pull: a registry that a miner chose must not hold a worker up for
/// long.
const WHOLE: Duration = Duration::from_secs(60);

/// A client for what miners name, which has none of the operator's logins.
pub(super) fn client(config: &Config) -> Result<OciClient, OciError> {
    let client = OciClient::new(&config.registry, config.artifacts.max_bytes)?;
    Ok(client.as_nobody().with_timeout(WHOLE))
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
        let artifacts = self.artifacts.clone();
        let added = tokio::task::spawn_blocking(move || artifacts.add(&pulled.bytes)).await;
        let added = added.map_err(|error| unavailable(error.to_string()))?;
        let added = added.map_err(|error| unavailable(error.to_string()))?;
        tracing::info!(artifact = found, bytes = added.size, "submission pulled");
        Ok(())
    }
}
