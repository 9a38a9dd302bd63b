//! Components in a real registry on this machine: the Debian package `docker-registry`.
//! Where it is not installed each test says SKIPPED, and passes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helper functions of a test"
)]

#[path = "oci_registry/server.rs"]
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proctor_host::chain::Hotkey;
use proctor_host::config;
use proctor_host::registry::oci::{OciClient, OciError, Pushed};
use proctor_host::registry::reference::OciReference;
use proctor_host::registry::signature::SigningKey;
use proctor_host::sandbox::sha256_hex;
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use server::Registry;
use std::fs;

impl Registry {
    fn client(&self) -> OciClient {
        OciClient::new(&allowed(self), 64 << 20)
            .unwrap()
            .with_docker_config("/nonexistent/config.json")
    }

    fn reference(&self, rest: &str) -> OciReference {
        format!("{}/org/digits{rest}", self.address)
            .parse()
            .unwrap()
    }
}

fn allowed(registry: &Registry) -> config::Registry {
    config::Registry {
        plain_http: vec![registry.address.clone()],
        private_hosts: vec![registry.address.clone()],
        ..config::Registry::default()
    }
}

async fn push(client: &OciClient, reference: &OciReference, bytes: &[u8]) -> Pushed {
    let bytes = Bytes::copy_from_slice(bytes);
    client.push(reference, bytes, &mut |_| {}).await.unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T, OciError>) -> &'static str {
    result.unwrap_err().code()
}

#[tokio::test]
async fn what_is_pushed_comes_back_by_tag_and_by_both_digests() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let (client, digits) = (registry.client(), guest_bytes("digits"));
    let tag = registry.reference(":1.0.0");
    let pushed = push(&client, &tag, &digits).await;
    assert!(pushed.sent && pushed.is_challenge);
    assert_eq!(pushed.reference(), &pushed.pinned);
    let name = format!("{}/org/digits@", registry.address);
    assert_eq!(
        pushed.pinned.to_string(),
        name.clone() + &pushed.manifest_digest
    );
    assert_eq!(pushed.submission.to_string(), name + &pushed.layer_digest);
    assert_eq!(client.resolve(&tag).await.unwrap(), pushed.manifest_digest);
    for reference in [&tag, &pushed.pinned, &pushed.submission] {
        let pulled = client.pull(reference).await.unwrap();
        assert_eq!(pulled.bytes, digits, "{reference}");
        assert_eq!(pulled.layer_digest, pushed.layer_digest);
    }

    // What is there is not sent again, and has the same digests everywhere.
    let again = push(&client, &registry.reference(":latest"), &digits).await;
    assert!(!again.sent);
    assert_eq!(again.pinned, pushed.pinned);
    assert_eq!(
        code(client.pull(&registry.reference(":2.0.0")).await),
        "component_not_found"
    );
    let solver = push(&client, &registry.reference(":knn"), &guest_bytes("knn")).await;
    assert_eq!(solver.reference(), &solver.submission);
}

#[tokio::test]
async fn what_is_pushed_has_the_layout_of_wasm_artifacts() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let pushed = push(
        &registry.client(),
        &registry.reference(":1.0.0"),
        &guest_bytes("digits"),
    )
    .await;
    let read = |digest: &str| -> Value {
        serde_json::from_slice(&fs::read(registry.blob(digest)).unwrap()).unwrap()
    };
    let manifest = read(&pushed.manifest_digest);
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["layers"][0]["digest"], pushed.layer_digest);
    let config = read(manifest["config"]["digest"].as_str().unwrap());
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"], json!([pushed.layer_digest]));
    assert!(config["created"].is_string(), "readers want it");
}

#[tokio::test]
async fn a_registry_with_a_login_wants_that_of_docker() {
    let Some(registry) = Registry::start(true) else {
        return;
    };
    let login = |login: &str| {
        let path = registry.directory.path().join("docker.json");
        let auths = json!({registry.address.clone(): {"auth": STANDARD.encode(login)}});
        fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
        registry.client().with_docker_config(path)
    };
    let (tag, bytes) = (registry.reference(":1.0.0"), guest_bytes("knn"));
    let refused = |client: OciClient| {
        let (tag, bytes) = (tag.clone(), Bytes::copy_from_slice(&bytes));
        async move { code(client.push(&tag, bytes, &mut |_| {}).await) }
    };
    assert_eq!(refused(registry.client()).await, "registry_unauthorized");
    assert_eq!(refused(login("ann:wrong")).await, "registry_unauthorized");
    let ann = login("ann:word");
    let pushed = push(&ann, &tag, &bytes).await;
    assert_eq!(ann.pull(&pushed.pinned).await.unwrap().bytes, bytes);
    let hosts = config::Registry {
        submission_hosts: vec![registry.address.clone()],
        ..allowed(&registry)
    };
    let nobody = OciClient::for_submissions(&hosts, 64 << 20).unwrap();
    assert_eq!(
        code(nobody.pull(&pushed.pinned).await),
        "registry_unauthorized"
    );
}

#[tokio::test]
async fn what_was_changed_in_the_registry_is_refused() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let (client, tag) = (registry.client(), registry.reference(":1.0.0"));
    let pushed = push(&client, &tag, &guest_bytes("knn")).await;
    let change = |digest: &str, from: &[u8], to: &[u8]| {
        let path = registry.blob(digest);
        let mut bytes = fs::read(&path).unwrap();
        let before = bytes.clone();
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        fs::write(&path, bytes).unwrap();
        (path, before)
    };
    let (path, before) = change(&pushed.layer_digest, b"asm", b"ASM");
    for reference in [&tag, &pushed.pinned, &pushed.submission] {
        assert_eq!(code(client.pull(reference).await), "digest_mismatch");
    }
    fs::write(path, before).unwrap();
    client.pull(&tag).await.unwrap();
    change(&pushed.manifest_digest, b"\"size\"", b"\"SIZE\"");
    assert!(client.pull(&pushed.pinned).await.is_err());
}

#[tokio::test]
async fn what_is_too_large_private_or_no_component_is_not_sent() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let tag = registry.reference(":1.0.0");
    let knn = Bytes::from(guest_bytes("knn"));
    let small = OciClient::new(&allowed(&registry), 1_000).unwrap();
    let sent = small.push(&tag, knn.clone(), &mut |_| {}).await;
    assert_eq!(code(sent), "component_too_large");
    let stranger = OciClient::new(&config::Registry::default(), 64 << 20).unwrap();
    let sent = stranger.push(&tag, knn.clone(), &mut |_| {}).await;
    assert_eq!(code(sent), "address_refused");
    assert_eq!(code(stranger.pull(&tag).await), "address_refused");
    let client = registry.client();
    let core = Bytes::from_static(b"\0asm\x01\0\0\0");
    let sent = client.push(&tag, core, &mut |_| {}).await;
    assert_eq!(code(sent), "not_a_component");
    let pinned = registry.reference(&format!("@sha256:{}", "0".repeat(64)));
    let sent = client.push(&pinned, knn.clone(), &mut |_| {}).await;
    assert_eq!(code(sent), "invalid_reference");
    assert_eq!(code(client.pull(&tag).await), "component_not_found");

    push(&client, &tag, &knn).await;
    assert_eq!(code(small.pull(&tag).await), "component_too_large");
}

#[tokio::test]
async fn signatures_are_where_cosign_looks_and_each_key_signs_once() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let (client, tag, knn) = (
        registry.client(),
        registry.reference(":1.0.0"),
        guest_bytes("knn"),
    );
    let pushed = push(&client, &tag, &knn).await;
    let manifest = &pushed.manifest_digest;
    assert_eq!(client.signatures(&tag, manifest).await.unwrap(), []);
    let pem = include_str!("../../tests/fixtures/signing/key.pem");
    let author = SigningKey::from_pem(pem.as_bytes()).unwrap();
    let alice = SigningKey::from(Hotkey::from_uri("//Alice").unwrap());
    for (key, signed) in [
        (&author, true),
        (&alice, true),
        (&author, false),
        (&alice, false),
    ] {
        assert_eq!(client.sign(&tag, manifest, key).await.unwrap(), signed);
    }
    let found = client.signatures(&tag, manifest).await.unwrap();
    assert_eq!(found.len(), 2);
    let digest = sha256_hex(&knn);
    for key in [&author, &alice] {
        let key = key.trusted().unwrap();
        assert!(found.iter().any(|evidence| evidence.shows(&key, &digest)));
    }
    let bob = SigningKey::from(Hotkey::from_uri("//Bob").unwrap());
    let bob = bob.trusted().unwrap();
    assert!(!found.iter().any(|evidence| evidence.shows(&bob, &digest)));

    // By the names of cosign's specification.
    let name = format!("{}.sig", manifest.replace(':', "-"));
    let path = "blobs/docker/registry/v2/repositories/org/digits/_manifests/tags";
    let link = registry.directory.path().join(path).join(name);
    let link = fs::read_to_string(link.join("current/link")).unwrap();
    let signed: Value = serde_json::from_slice(&fs::read(registry.blob(&link)).unwrap()).unwrap();
    let layer = &signed["layers"][0];
    assert_eq!(
        layer["mediaType"],
        "application/vnd.dev.cosign.simplesigning.v1+json"
    );
    assert!(layer["annotations"]["dev.cosignproject.cosign/signature"].is_string());
    let payload = fs::read(registry.blob(layer["digest"].as_str().unwrap())).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        payload["critical"]["image"]["docker-manifest-digest"],
        **manifest
    );
}
