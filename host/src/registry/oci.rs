//! Components from OCI registries.
//!
//! A component is an artifact with one Wasm layer. Its reference names a *manifest*,
//! by tag or by digest, and the manifest names the layer by digest; so the digest in a
//! reference is not the component's. Both are computed here from what came, and so is
//! the size, while it comes: nothing that a registry says is believed.
//!
//! The registry, those that it redirects to, and who gives it tokens are all asked
//! through a `Reach`, because each of them may name the next.

mod challenge;
mod credentials;
mod manifest;
mod session;

pub use super::reach::Unreachable;

use super::reach::{Hosts, Reach, refused, with_causes};
use super::reference::OciReference;
use crate::config;
use crate::sandbox::sha256_hex;
use credentials::DockerConfig;
use manifest::Layer;
use session::Session;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time without a byte.
const SILENCE: Duration = Duration::from_secs(30);
/// Time for all of a look-up or a pull, unless it is said otherwise.
const WHOLE: Duration = Duration::from_secs(300);

/// Why a component was not pulled. Nothing of a login is in it.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Whom to ask is not allowed.
    #[error("not pulled: {0}")]
    Refused(#[from] Unreachable),
    /// There is no connection, or it ended before an answer.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// It took too long.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Interrupted(String),
    /// The registry wants a login, another one, or one that may do more.
    #[error("{host} does not let the host in: {reason}")]
    Unauthorized {
        /// Who was asked.
        host: String,
        /// Why.
        reason: String,
    },
    /// Docker's configuration file cannot be used.
    #[error("{path}: {reason}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no such repository, tag or manifest.
    #[error("{host} has no {what}")]
    NotFound {
        /// Who was asked.
        host: String,
        /// What for.
        what: String,
    },
    /// Another answer that is no success.
    #[error("{host} answered {status}")]
    Status {
        /// Who was asked.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not what the specification wants.
    #[error("the registry's answer is not understood: {0}")]
    Malformed(String),
    /// There is something, but no component.
    #[error("{0}")]
    NotAComponent(String),
    /// What came is not what was asked for.
    #[error("the {what} has the digest {found}, not {expected}")]
    Digest {
        /// Manifest or layer.
        what: &'static str,
        /// The digest that was asked for.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// It is larger than a component may be.
    #[error("the {what} has more than the {max} bytes that it may have")]
    TooLarge {
        /// Manifest or component.
        what: &'static str,
        /// The limit, in bytes.
        max: u64,
    },
    /// No client can be made on this machine.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

impl PullError {
    /// The stable name.
    pub fn code(&self) -> &'static str {
        match self {
            PullError::Refused(_) => "address_refused",
            PullError::Unreachable { .. } => "registry_unreachable",
            PullError::Timeout(_) => "registry_timeout",
            PullError::Interrupted(_) => "registry_interrupted",
            PullError::Unauthorized { .. } => "registry_unauthorized",
            PullError::Credentials { .. } => "registry_credentials",
            PullError::NotFound { .. } => "component_not_found",
            PullError::Status { .. } => "registry_status",
            PullError::Malformed(_) => "registry_malformed",
            PullError::NotAComponent(_) => "not_a_component",
            PullError::Digest { .. } => "digest_mismatch",
            PullError::TooLarge { .. } => "component_too_large",
            PullError::Setup(_) => "http_setup",
        }
    }

    /// Whether the same reference may be pulled at another time without anybody
    /// changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            PullError::Unreachable { .. } | PullError::Timeout(_) | PullError::Interrupted(_) => {
                true
            }
            PullError::Status { status, .. } => *status >= 500 || matches!(status, 408 | 425 | 429),
            _ => false,
        }
    }

    fn unanswered(host: &str, error: reqwest::Error) -> Self {
        if let Some(refused) = refused(&error) {
            return PullError::Refused(refused);
        }
        if error.is_timeout() {
            return PullError::Timeout(host.to_owned());
        }
        PullError::Unreachable {
            host: host.to_owned(),
            reason: with_causes(error),
        }
    }

    fn interrupted(host: &str, error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return PullError::Timeout(host.to_owned());
        }
        PullError::Interrupted(with_causes(error))
    }
}

/// A component that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The manifest's digest, `sha256:<64 hex>`: what a reference is pinned to.
    pub manifest_digest: String,
    /// The component's digest, `sha256:<64 hex>`.
    pub layer_digest: String,
    /// The component.
    pub bytes: Vec<u8>,
}

/// Pulls components. Makes connections when it is asked to.
#[derive(Debug)]
pub struct Puller {
    http: reqwest::Client,
    reach: Reach,
    plain: Hosts,
    docker: DockerConfig,
    max_bytes: u64,
    timeout: Duration,
}

impl Puller {
    /// Pulls components of at most `max_bytes` from registries that `config` allows.
    /// Logs in with what is in Docker's configuration file, `config.json` in
    /// `DOCKER_CONFIG` or `~/.docker`, which is read at each pull.
    ///
    /// # Errors
    ///
    /// [`PullError::Setup`].
    pub fn new(config: &config::Registry, max_bytes: u64) -> Result<Self, PullError> {
        let reach = Reach::new(&config.private_hosts);
        let http = reach
            .client()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .user_agent(concat!("proctor/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| PullError::Setup(with_causes(error)))?;
        Ok(Puller {
            http,
            reach,
            plain: Hosts::new(&config.plain_http),
            docker: DockerConfig::of_environment(),
            max_bytes,
            timeout: WHOLE,
        })
    }

    /// The same with another limit of time for a whole look-up or pull. The default is
    /// five minutes.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Puller { timeout, ..self }
    }

    /// The same with another configuration file of Docker's.
    #[must_use]
    pub fn with_docker_config(self, path: impl Into<PathBuf>) -> Self {
        Puller {
            docker: DockerConfig::at(path.into()),
            ..self
        }
    }

    /// The digest of the manifest that a reference points to now, `sha256:<64 hex>`. Of
    /// a reference with a digest that is it, and nobody is asked.
    ///
    /// This may be what the registry says; [`pull`](Self::pull) with it checks.
    ///
    /// # Errors
    ///
    /// See [`PullError`].
    pub async fn resolve(&self, reference: &OciReference) -> Result<String, PullError> {
        if let Some(digest) = &reference.digest {
            return Ok(digest.clone());
        }
        self.in_time(reference, async {
            let mut session = Session::new(self, reference)?;
            match session.digest_of_tag(reference.tag_or_latest()).await? {
                Some(digest) => Ok(digest),
                None => Ok(session.manifest(reference).await?.0),
            }
        })
        .await
    }

    /// Pulls a component. Holds all of it, at most the size that was set.
    ///
    /// # Errors
    ///
    /// See [`PullError`].
    pub async fn pull(&self, reference: &OciReference) -> Result<Pulled, PullError> {
        self.in_time(reference, async {
            let mut session = Session::new(self, reference)?;
            let (manifest_digest, manifest) = session.manifest(reference).await?;
            let layer = Layer::of(&manifest)?;
            if layer.size > self.max_bytes {
                return Err(self.too_large());
            }
            let bytes = session.layer(&layer).await?;
            let found = format!("sha256:{}", sha256_hex(&bytes));
            if found != layer.digest {
                return Err(PullError::Digest {
                    what: "component",
                    expected: layer.digest,
                    found,
                });
            }
            Ok(Pulled {
                manifest_digest,
                layer_digest: layer.digest,
                bytes,
            })
        })
        .await
    }

    async fn in_time<T>(
        &self,
        reference: &OciReference,
        work: impl Future<Output = Result<T, PullError>>,
    ) -> Result<T, PullError> {
        let passed = |_| PullError::Timeout(reference.registry.clone());
        timeout(self.timeout, work).await.map_err(passed)?
    }

    fn too_large(&self) -> PullError {
        PullError::TooLarge {
            what: "component",
            max: self.max_bytes,
        }
    }
}
