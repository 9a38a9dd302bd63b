//! TLS for the private listener.

use super::stamp::Stamp;
use axum::serve::Listener;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Time that a client has for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes at a time. One more ends the oldest, so that who does not go on with
/// theirs keep nobody out.
const HANDSHAKES: usize = 256;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is no PEM, or has none of what it should have.
    #[error("{key}: {path}: {error}")]
    Pem {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: pem::Error,
    },
    /// The key is not the certificate's, or neither can be used.
    #[error("admin.tls_cert and admin.tls_key: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate and its key, as they are in their files.
#[derive(Clone)]
pub(in crate::api) struct Certificate {
    files: [PathBuf; 2],
    /// Of when what is used, or was tried, is.
    stamps: [Option<Stamp>; 2],
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().as_ref().map(Stamp::of)
}

impl Certificate {
    /// Reads a certificate chain and the key of its first certificate, PEM files.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub(in crate::api) fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = [certificate.to_owned(), key.to_owned()];
        let stamps = [stamp(certificate), stamp(key)];
        let config = read(&files)?;
        Ok(Certificate {
            files,
            stamps,
            config,
        })
    }

    /// The configuration with what is in the files now, or if that cannot be used
    /// with what was.
    fn current(&mut self) -> Arc<ServerConfig> {
        let [certificate, key] = &self.files;
        let stamps = [stamp(certificate), stamp(key)];
        if stamps != self.stamps {
            self.stamps = stamps;
            match read(&self.files) {
                Ok(config) => {
                    tracing::info!("the admin listener's certificate is read again");
                    self.config = config;
                }
                // One may be written before the other.
                Err(error) => {
                    tracing::warn!(%error, "the admin listener keeps its certificate");
                }
            }
        }
        Arc::clone(&self.config)
    }
}

fn read([certificate, key]: &[PathBuf; 2]) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong = |key: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::Pem { key, path, error }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| match chain.is_empty() {
            true => Err(pem::Error::NoItemsFound),
            false => Ok(chain),
        })
        .map_err(wrong("admin.tls_cert", certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(wrong("admin.tls_key", key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A connection after its handshake, and the address of the client.
type Secured<L> = (TlsStream<<L as Listener>::Io>, <L as Listener>::Addr);

/// A listener whose connections are those of another with TLS. Handshakes are done
/// beside each other, each within ten seconds.
#[derive(Debug)]
pub(in crate::api) struct Tls<L: Listener> {
    listener: L,
    certificate: Certificate,
    /// What came of each; none if it failed.
    handshakes: JoinSet<Option<Secured<L>>>,
    /// To end each handshake, the oldest first.
    ends: VecDeque<AbortHandle>,
    time: Duration,
}

impl<L: Listener> Tls<L>
where
    L::Addr: 'static,
{
    pub(in crate::api) fn new(listener: L, certificate: Certificate) -> Self {
        Tls {
            listener,
            certificate,
            handshakes: JoinSet::new(),
            ends: VecDeque::new(),
            time: HANDSHAKE,
        }
    }

    fn begin(&mut self, stream: L::Io, address: L::Addr) {
        self.ends.retain(|end| !end.is_finished());
        if self.ends.len() >= HANDSHAKES
            && let Some(oldest) = self.ends.pop_front()
        {
            oldest.abort();
        }
        let acceptor = TlsAcceptor::from(self.certificate.current());
        let time = self.time;
        let end = self.handshakes.spawn(async move {
            match timeout(time, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => Some((stream, address)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "no TLS on the admin listener");
                    None
                }
                Err(_) => None,
            }
        });
        self.ends.push_back(end);
    }
}

impl<L: Listener> Listener for Tls<L>
where
    L::Addr: 'static,
{
    type Io = TlsStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
                (stream, address) = self.listener.accept() => self.begin(stream, address),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
mod tests;
