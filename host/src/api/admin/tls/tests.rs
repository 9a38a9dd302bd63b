use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tokio::net::TcpListener;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tls");
    Path::new(folder).join(name)
}

fn certificate(name: &str) -> Certificate {
    Certificate::open(
        &fixture(&format!("{name}.pem")),
        &fixture(&format!("{name}.key")),
    )
    .unwrap()
}

/// Who trusts one certificate of [`fixture`]s.
fn client(trusted: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(fixture(&format!("{trusted}.pem"))).unwrap();
    roots.add(certificate).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// What a server answers that says hello.
fn hello(address: SocketAddr, config: ClientConfig) -> io::Result<String> {
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut stream = StreamOwned::new(connection, tcp);
    stream.write_all(b"?")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    Ok(String::from_utf8(answer.to_vec()).unwrap())
}

/// Says hello to whoever gets through, in a task of its own.
async fn server(mut tls: Tls<TcpListener>) -> SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = tls.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, client) = tls.accept().await;
            assert!(client.ip().is_loopback());
            tokio::spawn(async move {
                stream.read_u8().await.unwrap();
                stream.write_all(b"hello").await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    address
}

async fn listener(certificate: Certificate) -> Tls<TcpListener> {
    Tls::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), certificate)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn clients_that_trust_the_certificate_get_through() {
    let address = server(listener(certificate("one")).await).await;
    blocking(move || {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let answer = hello(address, client("one", &[version])).unwrap();
            assert_eq!(answer, "hello");
        }
        let stranger = hello(address, client("two", rustls::ALL_VERSIONS));
        assert_eq!(stranger.unwrap_err().kind(), io::ErrorKind::InvalidData);
    })
    .await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_not_answered_and_who_says_nothing_is_left() {
    let mut tls = listener(certificate("one")).await;
    tls.time = Duration::from_millis(50);
    let address = server(tls).await;
    blocking(move || {
        for say in [
            &b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"[..],
            b"",
            b"\x16\x03\x01",
        ] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            stream.write_all(say).unwrap();
            let mut answer = Vec::new();
            // An alert of TLS, or nothing.
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.len() < 16, "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn handshakes_that_do_not_go_on_hold_up_nobody() {
    let address = server(listener(certificate("one")).await).await;
    blocking(move || {
        let connect = |_| TcpStream::connect(address).unwrap();
        let mut idle: Vec<TcpStream> = (0..HANDSHAKES + 10).map(connect).collect();
        let answer = hello(address, client("one", rustls::ALL_VERSIONS)).unwrap();
        assert_eq!(answer, "hello");
        // The oldest had to go.
        let oldest = idle.first_mut().unwrap();
        oldest
            .set_read_timeout(Some(Duration::from_secs(9)))
            .unwrap();
        assert_eq!(oldest.read(&mut [0]).unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_changed_certificate_is_taken_and_a_bad_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (pem, key) = (directory.path().join("pem"), directory.path().join("key"));
    let put = |from: &str, to: &Path| {
        // As tools that renew certificates do it.
        let next = to.with_extension("next");
        std::fs::copy(fixture(from), &next).unwrap();
        std::fs::rename(next, to).unwrap();
    };
    put("one.pem", &pem);
    put("one.key", &key);
    let certificate = Certificate::open(&pem, &key).unwrap();
    let address = server(listener(certificate).await).await;
    let trusts = |name: &'static str| {
        blocking(move || hello(address, client(name, rustls::ALL_VERSIONS)).is_ok())
    };
    assert!(trusts("one").await);
    // Not yet its key: the old pair goes on.
    std::fs::write(&pem, "x").unwrap();
    assert!(trusts("one").await);
    put("two.pem", &pem);
    assert!(trusts("one").await);
    put("two.key", &key);
    assert!(trusts("two").await);
    assert!(!trusts("one").await);
    std::fs::remove_file(&key).unwrap();
    assert!(trusts("two").await);
}

#[test]
fn what_is_wrong_is_told_by_key_and_file() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty");
    std::fs::write(&empty, "nothing\n").unwrap();
    let missing = directory.path().join("missing");
    let open = |pem: &Path, key: &Path| Certificate::open(pem, key).unwrap_err().to_string();
    let (pem, key) = (fixture("one.pem"), fixture("one.key"));
    for (told, key_name, path) in [
        (open(&missing, &key), "admin.tls_cert: ", &missing),
        (open(&empty, &key), "admin.tls_cert: ", &empty),
        (open(&key, &key), "admin.tls_cert: ", &key),
        (open(&pem, &missing), "admin.tls_key: ", &missing),
        (open(&pem, &empty), "admin.tls_key: ", &empty),
        (open(&pem, &pem), "admin.tls_key: ", &pem),
    ] {
        assert!(told.starts_with(key_name), "{told}");
        assert!(told.contains(path.to_str().unwrap()), "{told}");
    }
    let told = open(&pem, &fixture("two.key"));
    assert!(
        told.starts_with("admin.tls_cert and admin.tls_key: "),
        "{told}"
    );
}
