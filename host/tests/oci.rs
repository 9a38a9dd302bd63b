//! Components from OCI registries, over real sockets, from registries that do as they
//! should and from ones that do not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helper functions of a test"
)]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use proctor_host::config;
use proctor_host::registry::oci::{OciClient, OciError};
use proctor_host::registry::reference::OciReference;
use proctor_host::sandbox::sha256_hex;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Largest component in these tests, in bytes.
const MAX: u64 = 1 << 20;

/// A request, as a registry saw it.
#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    /// With the query.
    path: String,
    headers: HeaderMap,
}

impl Asked {
    fn identity(&self) -> Option<&str> {
        Some(self.headers.get("authorization")?.to_str().unwrap())
    }
}

/// A server on this machine that answers as it is told to.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let handler = move |request: Request| {
            let asked = Asked {
                method: request.method().clone(),
                path: request.uri().to_string(),
                headers: request.headers().clone(),
            };
            log.lock().unwrap().push(asked.clone());
            let response = answer(&asked);
            async move { response }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(handler))
                .await
                .unwrap();
        });
        Server { address, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn reference(&self, rest: &str) -> OciReference {
        format!("{}/org/digits{rest}", self.address)
            .parse()
            .unwrap()
    }
}

/// Pulls from these servers without TLS, as nobody.
fn puller(servers: &[&Server]) -> OciClient {
    let hosts: Vec<String> = servers.iter().map(|s| s.address.to_string()).collect();
    let config = config::Registry {
        plain_http: hosts.clone(),
        private_hosts: hosts,
        ..config::Registry::default()
    };
    OciClient::new(&config, MAX)
        .unwrap()
        .with_docker_config("/nonexistent/config.json")
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

/// The manifest of a component, with its digest.
fn manifest(component: &[u8]) -> (String, String) {
    manifest_of(&digest(component), component.len() as u64)
}

fn manifest_of(layer: &str, size: u64) -> (String, String) {
    let text = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(b"{}"), "size": 2},
        "layers": [{"mediaType": "application/wasm", "digest": layer, "size": size}],
    })
    .to_string();
    (digest(text.as_bytes()), text)
}

fn status(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap().into_response()
}

fn redirect(to: &str) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response()
}

/// A registry with one component, by tag `1.0.0` and by digest.
fn with_component(component: &'static [u8]) -> impl Fn(&Asked) -> Response + Send + Sync + 'static {
    let (name, manifest) = manifest(component);
    let layer = digest(component);
    move |asked| {
        let path = asked
            .path
            .strip_prefix("/v2/org/digits/")
            .unwrap_or_default();
        if path == "manifests/1.0.0" || path == format!("manifests/{name}") {
            let headers = [("docker-content-digest", name.clone())];
            return (headers, manifest.clone()).into_response();
        }
        if path == format!("blobs/{layer}") {
            return component.into_response();
        }
        status(404)
    }
}

/// A registry with a manifest, whatever it is called, and blobs that `blob` answers
/// for.
fn with_manifest(
    manifest: String,
    blob: impl Fn() -> Response + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Response + Send + Sync + 'static {
    move |asked| match asked.path.contains("/manifests/") {
        true => manifest.clone().into_response(),
        false => blob(),
    }
}

async fn fails(puller: &OciClient, reference: &OciReference) -> (&'static str, bool) {
    let error = puller.pull(reference).await.unwrap_err();
    (error.code(), error.is_transient())
}

#[tokio::test]
async fn a_component_comes_by_tag_and_by_digest() {
    let component = b"\0asm component";
    let server = Server::start(with_component(component)).await;
    let puller = puller(&[&server]);
    let (name, _) = manifest(component);

    let by_tag = server.reference(":1.0.0");
    let pulled = puller.pull(&by_tag).await.unwrap();
    assert_eq!(pulled.bytes, component);
    assert_eq!(pulled.manifest_digest, name);
    assert_eq!(pulled.layer_digest, digest(component));
    assert_ne!(pulled.manifest_digest, pulled.layer_digest);

    assert_eq!(puller.resolve(&by_tag).await.unwrap(), name);
    let last = server.asked().pop().unwrap();
    assert_eq!(
        (last.method, last.path.as_str()),
        (Method::HEAD, "/v2/org/digits/manifests/1.0.0")
    );
    assert!(
        last.headers["accept"]
            .to_str()
            .unwrap()
            .contains("vnd.oci.image.manifest.v1+json")
    );

    // Of a pin nobody has to be asked, and the tag beside it is not looked at.
    let before = server.asked().len();
    let pin = server.reference(&format!(":gone@{name}"));
    assert_eq!(puller.resolve(&pin).await.unwrap(), name);
    assert_eq!(server.asked().len(), before);
    assert_eq!(puller.pull(&pin).await.unwrap(), pulled);
    assert_eq!(
        fails(&puller, &server.reference(":gone")).await,
        ("component_not_found", false)
    );
}

#[tokio::test]
async fn a_registry_that_does_not_say_a_digest_is_asked_for_the_manifest() {
    let (name, text) = manifest(b"x");
    let server = Server::start(with_manifest(text, || status(500))).await;
    let found = puller(&[&server])
        .resolve(&server.reference(""))
        .await
        .unwrap();
    assert_eq!(found, name);
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/v2/org/digits/manifests/latest"; 2]);
}

#[tokio::test]
async fn what_is_not_what_was_asked_for_is_refused() {
    let (_, text) = manifest(b"right");
    let other = digest(b"another manifest");
    let server = Server::start(with_manifest(text, || "wrong".into_response())).await;
    let puller_of = |server: &Server| puller(&[server]);
    let pin = server.reference(&format!("@{other}"));
    assert_eq!(
        fails(&puller_of(&server), &pin).await,
        ("digest_mismatch", false)
    );
    // The manifest is right, and the layer has the right length.
    let tag = server.reference(":1.0.0");
    assert_eq!(
        fails(&puller_of(&server), &tag).await,
        ("digest_mismatch", false)
    );
    let error = puller_of(&server).pull(&tag).await.unwrap_err();
    assert!(
        matches!(
            error,
            OciError::Digest {
                what: "component",
                ..
            }
        ),
        "{error}"
    );

    // What the registry says of a tag must be so as well.
    let said = digest(b"said");
    let (_, text) = manifest(b"right");
    let server = Server::start(move |_| {
        ([("docker-content-digest", said.clone())], text.clone()).into_response()
    })
    .await;
    let tag = server.reference(":1.0.0");
    assert_eq!(
        fails(&puller_of(&server), &tag).await,
        ("digest_mismatch", false)
    );
}

#[tokio::test]
async fn a_component_that_is_too_large_is_not_downloaded() {
    // An honest manifest is enough.
    let (_, text) = manifest_of(&digest(b"x"), MAX + 1);
    let server = Server::start(with_manifest(text, || status(500))).await;
    let found = fails(&puller(&[&server]), &server.reference(":1")).await;
    assert_eq!(found, ("component_too_large", false));
    assert_eq!(server.asked().len(), 1);

    // One that lies meets the limit on the way: these layers do not end.
    let endless = || {
        let chunks = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 4_096])));
        Body::from_stream(chunks).into_response()
    };
    for (size, code) in [(MAX, "component_too_large"), (5_000, "registry_malformed")] {
        let (_, text) = manifest_of(&digest(b"x"), size);
        let server = Server::start(with_manifest(text, endless)).await;
        let found = fails(&puller(&[&server]), &server.reference(":1")).await;
        assert_eq!(found, (code, false));
    }

    // And so does one whose manifest does not end.
    let server = Server::start(move |_| endless()).await;
    let found = fails(&puller(&[&server]), &server.reference(":1")).await;
    assert_eq!(found, ("component_too_large", false));
}

#[tokio::test]
async fn a_login_is_told_to_the_registry_and_to_nobody_behind_it() {
    let component: &[u8] = b"behind a login";
    let blobs = Server::start(move |_| component.into_response()).await;
    let elsewhere = format!("http://{}/blob", blobs.address);
    let (_, text) = manifest(component);
    let registry = Server::start(move |asked| {
        let own = asked.headers["host"].to_str().unwrap();
        if asked.path.starts_with("/token?") {
            let basic = format!("Basic {}", STANDARD.encode("ann:pass:word"));
            return match asked.identity() == Some(basic.as_str()) {
                true => axum::Json(json!({"token": "T"})).into_response(),
                false => status(401),
            };
        }
        if asked.identity() != Some("Bearer T") {
            let wants = format!(
                r#"Bearer realm="http://{own}/token",service="reg",scope="repository:org/digits:pull""#
            );
            return (StatusCode::UNAUTHORIZED, [("www-authenticate", wants)]).into_response();
        }
        match asked.path.contains("/blobs/") {
            true => redirect(&elsewhere),
            false => text.clone().into_response(),
        }
    })
    .await;
    let reference = registry.reference(":1.0.0");

    let directory = TempDir::new().unwrap();
    let login = |login: &str| {
        let path = directory
            .path()
            .join(format!("{}.json", sha256_hex(login.as_bytes())));
        let auths = json!({registry.address.to_string(): {"auth": STANDARD.encode(login)}});
        std::fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
        puller(&[&registry, &blobs]).with_docker_config(path)
    };
    let pulled = login("ann:pass:word").pull(&reference).await.unwrap();
    assert_eq!(pulled.bytes, component);
    assert_eq!(blobs.asked()[0].identity(), None);
    let asked = registry.asked();
    let token = asked
        .iter()
        .find(|asked| asked.path.starts_with("/token"))
        .unwrap();
    assert_eq!(
        token.path,
        "/token?service=reg&scope=repository%3Aorg%2Fdigits%3Apull"
    );
    // Nobody is told the login before they ask for it.
    assert_eq!(asked[0].identity(), None);

    let wrong = fails(&login("ann:x"), &reference).await;
    assert_eq!(wrong, ("registry_unauthorized", false));
    let nobody = fails(&puller(&[&registry, &blobs]), &reference).await;
    assert_eq!(nobody, ("registry_unauthorized", false));
    let helper = directory.path().join("helper.json");
    let file = json!({"credHelpers": {registry.address.to_string(): "x"}});
    std::fs::write(&helper, file.to_string()).unwrap();
    let helped = puller(&[&registry]).with_docker_config(helper);
    assert_eq!(
        fails(&helped, &reference).await,
        ("registry_credentials", false)
    );
}

#[tokio::test]
async fn a_registry_may_ask_for_name_and_password() {
    let component = b"basic";
    let inner = with_component(component);
    let server = Server::start(move |asked| {
        let basic = format!("Basic {}", STANDARD.encode("ann:word"));
        if asked.identity() == Some(basic.as_str()) {
            return inner(asked);
        }
        (
            StatusCode::UNAUTHORIZED,
            [("www-authenticate", "Basic realm=\"x\"")],
        )
            .into_response()
    })
    .await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("config.json");
    let auths = json!({server.address.to_string(): {"username": "ann", "password": "word"}});
    std::fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
    let reference = server.reference(":1.0.0");
    let pulled = puller(&[&server])
        .with_docker_config(path)
        .pull(&reference)
        .await
        .unwrap();
    assert_eq!(pulled.bytes, component);
    let nobody = fails(&puller(&[&server]), &reference).await;
    assert_eq!(nobody, ("registry_unauthorized", false));
}

#[tokio::test]
async fn nobody_leads_the_host_into_a_private_network() {
    let secret = Server::start(|_| "metadata".into_response()).await;
    // Not even the registry itself, if it is not named.
    let config = config::Registry {
        plain_http: vec![secret.address.to_string()],
        ..config::Registry::default()
    };
    let nobody = OciClient::new(&config, MAX).unwrap();
    let found = fails(&nobody, &secret.reference(":1")).await;
    assert_eq!(found, ("address_refused", false));
    let by_name = format!("localhost:{}/org/digits:1", secret.address.port());
    let config = config::Registry {
        plain_http: vec!["localhost".into()],
        ..config::Registry::default()
    };
    let nobody = OciClient::new(&config, MAX).unwrap();
    let found = fails(&nobody, &by_name.parse().unwrap()).await;
    assert_eq!(found, ("address_refused", false));

    // By redirect, by number, by name, or to another port of the same host.
    let (port, (_, text)) = (secret.address.port(), manifest(b"x"));
    for target in [
        format!("http://{}/", secret.address),
        format!("https://127.1:{port}/"),
        format!("https://localhost:{port}/"),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://[::ffff:10.0.0.1]/".into(),
        "http://1.1.1.1/".into(),
        "file:///etc/passwd".into(),
    ] {
        let (to, text) = (target.clone(), text.clone());
        let server = Server::start(with_manifest(text, move || redirect(&to))).await;
        let found = fails(&puller(&[&server]), &server.reference(":1")).await;
        assert_eq!(found, ("address_refused", false), "{target}");
    }

    // By who gives tokens: it would have got the login.
    let realm = format!("Bearer realm=\"https://127.0.0.1:{port}/token\"");
    let server = Server::start(move |_| {
        (
            StatusCode::UNAUTHORIZED,
            [("www-authenticate", realm.clone())],
        )
            .into_response()
    })
    .await;
    let found = fails(&puller(&[&server]), &server.reference(":1")).await;
    assert_eq!(found, ("address_refused", false));
    assert_eq!(secret.asked().len(), 0);
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_ends() {
    let round = Server::start(|asked| redirect(&asked.path)).await;
    let found = fails(&puller(&[&round]), &round.reference(":1")).await;
    assert_eq!(found, ("registry_malformed", false));
    assert_eq!(round.asked().len(), 6);
    let nowhere = Server::start(|_| status(302)).await;
    let found = fails(&puller(&[&nowhere]), &nowhere.reference(":1")).await;
    assert_eq!(found, ("registry_malformed", false));
}

#[tokio::test]
async fn what_may_pass_is_told_from_what_is_final() {
    for (answer, code, transient) in [
        (500, "registry_status", true),
        (503, "registry_status", true),
        (429, "registry_status", true),
        (400, "registry_status", false),
        (404, "component_not_found", false),
        (403, "registry_unauthorized", false),
        (401, "registry_unauthorized", false),
    ] {
        let server = Server::start(move |_| status(answer)).await;
        let found = fails(&puller(&[&server]), &server.reference(":1")).await;
        assert_eq!(found, (code, transient), "{answer}");
    }
    for (text, code) in [
        (json!({"manifests": []}), "not_a_component"),
        (json!({"layers": []}), "not_a_component"),
        (Value::Null, "registry_malformed"),
    ] {
        let server = Server::start(with_manifest(text.to_string(), || status(500))).await;
        let found = fails(&puller(&[&server]), &server.reference(":1")).await;
        assert_eq!(found, (code, false), "{text}");
    }

    // Nobody listens there any more.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let gone = Server {
        address: listener.local_addr().unwrap(),
        asked: Arc::default(),
    };
    drop(listener);
    let found = fails(&puller(&[&gone]), &gone.reference(":1")).await;
    assert_eq!(found, ("registry_unreachable", true));
}

/// A server that hangs up in the middle of its answer.
fn half_an_answer() -> Server {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        let _ = connection.read(&mut request).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
        connection.write_all(answer).unwrap();
    });
    Server {
        address,
        asked: Arc::default(),
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_never_comes_is_tried_again() {
    let (_, text) = manifest_of(&digest(b"x"), 8);
    let half = half_an_answer();
    let to = format!("http://{}/", half.address);
    let server = Server::start(with_manifest(text.clone(), move || redirect(&to))).await;
    let found = fails(&puller(&[&server, &half]), &server.reference(":1")).await;
    assert_eq!(found, ("registry_interrupted", true));

    let silent = || Body::from_stream(stream::pending::<io::Result<Bytes>>()).into_response();
    let server = Server::start(with_manifest(text, silent)).await;
    let hurried = puller(&[&server]).with_timeout(Duration::from_millis(200));
    let found = fails(&hurried, &server.reference(":1")).await;
    assert_eq!(found, ("registry_timeout", true));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_registry_is_asked_with_tls_unless_it_is_named() {
    let server = Server::start(with_component(b"x")).await;
    let config = config::Registry {
        private_hosts: vec![server.address.to_string()],
        ..config::Registry::default()
    };
    let tls = OciClient::new(&config, MAX).unwrap();
    let found = fails(&tls, &server.reference(":1.0.0")).await;
    assert_eq!(found, ("registry_unreachable", true));
    assert_eq!(server.asked().len(), 0);
}

/// A component with nothing in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn created(location: &str) -> Response {
    (StatusCode::ACCEPTED, [("location", location)]).into_response()
}

/// A registry that has nothing, wants uploads at `location`, and takes manifests.
fn taking(location: String) -> impl Fn(&Asked) -> Response + Send + Sync + 'static {
    move |asked| match asked.method {
        Method::POST => created(&location),
        Method::PUT => status(201),
        _ => status(404),
    }
}

async fn push(client: &OciClient, reference: &OciReference) -> Result<String, OciError> {
    let component = Bytes::from_static(EMPTY);
    let pushed = client.push(reference, component, &mut |_| {}).await?;
    Ok(pushed.pinned.to_string())
}

#[tokio::test]
async fn a_registry_may_want_uploads_elsewhere_but_not_in_a_private_network() {
    let elsewhere = Server::start(|_| status(201)).await;
    let location = format!("http://{}/upload?ticket=1", elsewhere.address);
    let registry = Server::start(move |asked| {
        let basic = format!("Basic {}", STANDARD.encode("ann:word"));
        if asked.identity() != Some(basic.as_str()) {
            let wants = [("www-authenticate", "Basic realm=\"x\"")];
            return (StatusCode::UNAUTHORIZED, wants).into_response();
        }
        // What was stored is there.
        let is_stored = asked.path.ends_with("/manifests/1.0.0");
        match (asked.method.as_str(), is_stored) {
            ("POST", _) => created(&location),
            ("PUT", true) => status(201),
            ("HEAD", true) => status(200),
            _ => status(404),
        }
    })
    .await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("config.json");
    let auths = json!({registry.address.to_string(): {"username": "ann", "password": "word"}});
    std::fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
    let reference = registry.reference(":1.0.0");
    let allowed = puller(&[&registry, &elsewhere]).with_docker_config(&path);
    let pushed = push(&allowed, &reference).await;
    let asked = elsewhere.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    let sent = digest(EMPTY).replace(':', "%3A");
    assert_eq!(paths[0], format!("/upload?ticket=1&digest={sent}"));
    assert_eq!(paths.len(), 2, "the component and its configuration");
    assert!(asked.iter().all(|asked| asked.identity().is_none()));
    assert!(pushed.unwrap().contains("@sha256:"));

    let refused = puller(&[&registry]).with_docker_config(&path);
    let refused = push(&refused, &reference).await;
    assert_eq!(refused.unwrap_err().code(), "address_refused");
    assert_eq!(elsewhere.asked().len(), 2);
}

#[tokio::test]
async fn what_a_registry_says_of_a_push_must_be_so() {
    // Relative, with a query of its own.
    let said = digest(b"something else");
    let liar = Server::start(move |asked| match asked.method {
        Method::POST => created("/v2/org/digits/blobs/uploads/7?_state=abc"),
        Method::PUT => {
            let headers = [("docker-content-digest", said.clone())];
            (StatusCode::CREATED, headers).into_response()
        }
        _ => status(404),
    })
    .await;
    let pushed = push(&puller(&[&liar]), &liar.reference(":1")).await;
    assert_eq!(pushed.unwrap_err().code(), "digest_mismatch");
    let put = liar.asked().pop().unwrap();
    let state = "/v2/org/digits/blobs/uploads/7?_state=abc&digest=sha256%3A";
    assert!(put.path.starts_with(state), "{}", put.path);

    // Nothing is sent to where there is no place said, or where a redirect leads that
    // makes a GET of it.
    for location in ["", "http://[", "ftp://127.0.0.1/"] {
        let server = Server::start(taking(location.into())).await;
        let pushed = push(&puller(&[&server]), &server.reference(":1")).await;
        assert!(pushed.is_err(), "{location}");
    }
    let moved = Server::start(|asked| match asked.method {
        Method::POST => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
        _ => status(404),
    })
    .await;
    let pushed = push(&puller(&[&moved]), &moved.reference(":1")).await;
    assert_eq!(pushed.unwrap_err().code(), "registry_malformed");
}

#[tokio::test]
async fn a_token_to_push_with_is_asked_for() {
    let server = Server::start(|asked| {
        let own = asked.headers["host"].to_str().unwrap();
        if asked.path.starts_with("/token?") {
            let may_push = asked.path.contains("pull%2Cpush");
            let token = if may_push { "W" } else { "R" };
            return axum::Json(json!({ "token": token })).into_response();
        }
        if asked.identity() == Some("Bearer W") {
            return match asked.method {
                Method::HEAD => status(200),
                _ => status(201),
            };
        }
        // To look it would do to read.
        let scope = "repository:org/digits:pull";
        let wants = format!(r#"Bearer realm="http://{own}/token",service="x",scope="{scope}""#);
        (StatusCode::UNAUTHORIZED, [("www-authenticate", wants)]).into_response()
    })
    .await;
    let pushed = push(&puller(&[&server]), &server.reference(":1")).await;
    assert!(pushed.unwrap().contains("@sha256:"));
    let asked = server.asked();
    let tokens = asked
        .iter()
        .filter(|asked| asked.path.starts_with("/token"));
    assert_eq!(tokens.count(), 1);
    // The blobs were there, so only the manifest was sent.
    let sent = asked.iter().filter(|asked| asked.method == Method::PUT);
    assert_eq!(sent.count(), 1);
}
