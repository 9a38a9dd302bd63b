//! Components from OCI registries.
//!
//! A component is an artifact with one Wasm layer. Its reference names a *manifest*,
//! by tag or by digest, and the manifest names the layer by digest; so the digest in a
//! reference is not the component's. Both are computed here from what came, and so is
//! the size, while it comes: nothing that a registry says is believed.
//!
//! Written here rather than taken from a crate (`oci-client`): that one follows redirects,
//! upload locations and token realms by itself, and would take the host where it must not
//! go. The registry, those that it redirects to, and who gives it tokens are all asked
//! through a `Reach`, because each of them may name the next.

mod challenge;
mod cosign;
mod credentials;
mod error;
mod layout;
mod manifest;
mod push;
mod session;

pub use super::reach::Unreachable;
pub(super) use cosign::{Subject, component_of};
pub use error::OciError;
pub use push::{PushStep, Pushed};

use super::reach::{Hosts, Reach, with_causes};
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

/// A component that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The manifest's digest, `sha256:<64 hex>`: what a reference is pinned to. The
    /// component's, if it was pulled by that.
    pub manifest_digest: String,
    /// The component's digest, `sha256:<64 hex>`.
    pub layer_digest: String,
    /// The component.
    pub bytes: Vec<u8>,
}

/// Pulls and pushes components. Makes connections when it is asked to.
#[derive(Debug)]
pub struct OciClient {
    http: reqwest::Client,
    /// The same for what takes long to send: only the whole has a limit of time.
    uploads: reqwest::Client,
    reach: Reach,
    plain: Hosts,
    docker: DockerConfig,
    max_bytes: u64,
    timeout: Duration,
}

impl OciClient {
    /// Pulls and pushes components of at most `max_bytes` from and to registries that `config`
    /// allows.
    /// Logs in with what is in Docker's configuration file, `config.json` in
    /// `DOCKER_CONFIG` or `~/.docker`, which is read at each pull.
    ///
    /// # Errors
    ///
    /// [`OciError::Setup`].
    pub fn new(config: &config::Registry, max_bytes: u64) -> Result<Self, OciError> {
        let docker = DockerConfig::of_environment();
        let plain = Hosts::new(&config.plain_http);
        OciClient::with(Reach::new(config), plain, docker, max_bytes)
    }

    /// The same for what miners name: with none of the operator's logins, and for the
    /// private addresses of `submission_hosts` alone. A registry may send the host
    /// anywhere, so these are not those that the operator has for other ends.
    ///
    /// # Errors
    ///
    /// [`OciError::Setup`].
    pub fn for_submissions(config: &config::Registry, max_bytes: u64) -> Result<Self, OciError> {
        let hosts = &config.submission_hosts;
        let reach = Reach::to("registry.submission_hosts", hosts);
        let plain = config.plain_http.iter();
        let plain: Vec<_> = plain.filter(|host| hosts.contains(host)).cloned().collect();
        OciClient::with(
            reach,
            Hosts::new(&plain),
            DockerConfig::default(),
            max_bytes,
        )
    }

    fn with(
        reach: Reach,
        plain: Hosts,
        docker: DockerConfig,
        max_bytes: u64,
    ) -> Result<Self, OciError> {
        let client = |silence: Option<Duration>| {
            let builder = reach.client().connect_timeout(CONNECT);
            let builder = builder.user_agent(concat!("proctor/", env!("CARGO_PKG_VERSION")));
            let builder = match silence {
                Some(silence) => builder.read_timeout(silence),
                None => builder,
            };
            let built = builder.build();
            built.map_err(|error| OciError::Setup(with_causes(error)))
        };
        Ok(OciClient {
            http: client(Some(SILENCE))?,
            uploads: client(None)?,
            reach,
            plain,
            docker,
            max_bytes,
            timeout: WHOLE,
        })
    }

    /// The same with another limit of time for a whole look-up or pull. The default is
    /// five minutes.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        OciClient { timeout, ..self }
    }

    /// The same with another configuration file of Docker's.
    #[must_use]
    pub fn with_docker_config(self, path: impl Into<PathBuf>) -> Self {
        OciClient {
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
    /// See [`OciError`].
    pub async fn resolve(&self, reference: &OciReference) -> Result<String, OciError> {
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
    /// The digest in a reference is a manifest's; if the repository has no such manifest
    /// it may be the component's own, which is what commits name.
    ///
    /// # Errors
    ///
    /// See [`OciError`].
    pub async fn pull(&self, reference: &OciReference) -> Result<Pulled, OciError> {
        self.pull_at_most(reference, self.max_bytes).await
    }

    /// The same of a component of at most so many bytes, if that is less than the size
    /// that was set.
    ///
    /// # Errors
    ///
    /// See [`OciError`].
    pub async fn pull_at_most(
        &self,
        reference: &OciReference,
        max_bytes: u64,
    ) -> Result<Pulled, OciError> {
        let max = max_bytes.min(self.max_bytes);
        self.in_time(reference, async {
            let mut session = Session::new(self, reference)?;
            let (manifest_digest, layer) = layer_of(&mut session, reference).await?;
            if layer.size > max {
                let what = "component";
                return Err(OciError::TooLarge { what, max });
            }
            let bytes = session.layer(&layer).await?;
            let found = format!("sha256:{}", sha256_hex(&bytes));
            if found != layer.digest {
                return Err(OciError::Digest {
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
        work: impl Future<Output = Result<T, OciError>>,
    ) -> Result<T, OciError> {
        let passed = |_| OciError::Timeout(reference.registry.clone());
        timeout(self.timeout, work).await.map_err(passed)?
    }

    fn too_large(&self) -> OciError {
        OciError::TooLarge {
            what: "component",
            max: self.max_bytes,
        }
    }
}

/// The layer that a reference names, with the digest that it is known by.
async fn layer_of(
    session: &mut Session<'_>,
    reference: &OciReference,
) -> Result<(String, Layer), OciError> {
    let problem = match session.manifest(reference).await {
        Ok((digest, manifest)) => return Ok((digest, Layer::of(&manifest)?)),
        // Of a digest that is a component's some say that they have no such manifest, and
        // others try to read it as one.
        Err(problem @ (OciError::NotFound { .. } | OciError::Status { .. })) => problem,
        Err(problem) => return Err(problem),
    };
    let Some(digest) = &reference.digest else {
        return Err(problem);
    };
    match session.blob_size(digest).await {
        Ok(Some(size)) => {
            let digest = digest.clone();
            Ok((digest.clone(), Layer { digest, size }))
        }
        _ => Err(problem),
    }
}
