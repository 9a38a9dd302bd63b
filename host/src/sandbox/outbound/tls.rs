//! TLS to servers that the system trusts.

use rustls_native_certs::load_native_certs;
use std::io;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connector, made when it is first needed.
pub(super) async fn connector() -> io::Result<TlsConnector> {
    static CONNECTOR: OnceCell<TlsConnector> = OnceCell::const_new();
    let make = || async {
        // What is no certificate there is passed over.
        spawn_blocking(|| trusting(load_native_certs().certs)).await?
    };
    CONNECTOR.get_or_try_init(make).await.cloned()
}

/// A connector that trusts these certificates.
fn trusting(certificates: Vec<CertificateDer<'static>>) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let message = "the system trusts no certificate: name a file in SSL_CERT_FILE";
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};

    fn testdata(name: &str) -> PathBuf {
        let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
        crate_root.join("src/sandbox/outbound/testdata").join(name)
    }

    /// Connects to a server that says it is `server.example` and 127.0.0.1.
    async fn connect(authority: &str, name: &str) -> io::Result<()> {
        let chain = CertificateDer::pem_file_iter(testdata("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(testdata("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // Fails when the client does not trust it.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.shutdown().await;
            }
        });
        let authority = CertificateDer::from_pem_file(testdata(authority)).unwrap();
        let connector = trusting(vec![authority]).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let connected = connector.connect(name, stream).await.map(drop);
        server.await.unwrap();
        connected
    }

    #[tokio::test]
    async fn a_server_must_be_who_it_is_taken_for() {
        assert!(connect("authority.pem", "server.example").await.is_ok());
        assert!(connect("authority.pem", "127.0.0.1").await.is_ok());
        for (authority, name) in [
            ("authority.pem", "other.example"),
            ("authority.pem", "127.0.0.2"),
            ("another_authority.pem", "server.example"),
        ] {
            let error = connect(authority, name).await.unwrap_err().to_string();
            assert!(error.contains("certificate"), "{name}: {error}");
        }
    }

    #[test]
    fn a_system_that_trusts_nobody_is_told_of() {
        let error = trusting(Vec::new()).err().unwrap();
        assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
    }
}
