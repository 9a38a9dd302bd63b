//! Signatures beside an artifact, where cosign puts them and looks for them: the tag
//! `sha256-<hex>.sig` of the same repository has a manifest with a layer for each
//! signature, which is a payload that names the digest of what is signed.

use super::layout::{MANIFEST, digest_of};
use super::manifest::{Layer, is_sha256};
use super::session::Session;
use super::{OciClient, OciError};
use crate::registry::reference::OciReference;
use crate::registry::signature::{Evidence, Mark, SigningKey};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Media type of a payload.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Media type of the configuration of a manifest with signatures.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Where a layer's signature is.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Whose it is, if it is a hotkey's. Cosign takes no notice of it, and of the signature
/// that it is none of its keys'.
const HOTKEY: &str = "proctor/hotkey";
/// What a payload says that it is.
const KIND: &str = "cosign container image signature";
/// Signatures of one artifact that are looked at, at most.
const MAX_SIGNATURES: usize = 32;
/// Largest payload, in bytes.
const MAX_PAYLOAD: u64 = 64 << 10;

/// What a payload is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::registry) struct Subject {
    critical: Critical,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference", default)]
    docker_reference: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest", alias = "Docker-manifest-digest")]
    docker_manifest_digest: String,
}

impl Subject {
    /// What a payload is about; none if it is none of cosign's.
    pub(in crate::registry) fn of(payload: &[u8]) -> Option<Self> {
        let subject: Subject = serde_json::from_slice(payload).ok()?;
        (subject.critical.kind == KIND).then_some(subject)
    }

    /// Whether it is about a manifest.
    pub(in crate::registry) fn names(&self, manifest: &[u8]) -> bool {
        self.critical.image.docker_manifest_digest == digest_of(manifest)
    }
}

/// The component that a manifest names, `sha256:<64 hex>`; none if it names none.
pub(in crate::registry) fn component_of(manifest: &[u8]) -> Option<String> {
    Layer::of(manifest).ok().map(|layer| layer.digest)
}

/// A manifest with signatures. What else is in it is kept as it is.
#[derive(Debug, Deserialize)]
struct Signed {
    #[serde(default)]
    layers: Vec<Value>,
}

/// A layer of a manifest with signatures.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedLayer {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: Map<String, Value>,
}

impl OciClient {
    /// The signatures that a repository has of a manifest, each as evidence; none if
    /// there are none. They are not checked but for being of this manifest.
    ///
    /// # Errors
    ///
    /// See [`OciError`].
    pub async fn signatures(
        &self,
        reference: &OciReference,
        manifest_digest: &str,
    ) -> Result<Vec<Evidence>, OciError> {
        let pinned = reference.pinned(manifest_digest);
        self.in_time(reference, async {
            let mut session = Session::new(self, &pinned)?;
            let Some(signed) = signed(&mut session, &pinned, manifest_digest).await? else {
                return Ok(Vec::new());
            };
            let (_, manifest) = session.manifest(&pinned).await?;
            let mut found = Vec::new();
            for layer in signed.layers.into_iter().take(MAX_SIGNATURES) {
                let Some((digest, mark)) = mark_of(layer) else {
                    continue;
                };
                let payload = session.small_blob(&digest, MAX_PAYLOAD, "signature").await;
                let payload = match payload {
                    Ok(payload) => payload,
                    // One that is bad hides no other.
                    Err(
                        OciError::NotFound { .. }
                        | OciError::TooLarge { .. }
                        | OciError::Digest { .. },
                    ) => continue,
                    Err(error) => return Err(error),
                };
                if Subject::of(&payload).is_some_and(|subject| subject.names(&manifest)) {
                    found.push(Evidence::Manifest {
                        manifest: manifest.clone(),
                        payload,
                        mark,
                    });
                }
            }
            Ok(found)
        })
        .await
    }

    /// Signs a manifest that is in a repository, and puts the signature where cosign looks
    /// for it, beside those that are there. Tells whether it had to: a key signs once.
    ///
    /// # Errors
    ///
    /// See [`OciError`].
    pub async fn sign(
        &self,
        reference: &OciReference,
        manifest_digest: &str,
        key: &SigningKey,
    ) -> Result<bool, OciError> {
        let unsigned =
            |error: crate::registry::signature::SignatureError| OciError::Setup(error.to_string());
        let there = self.signatures(reference, manifest_digest).await?;
        let trusted = key.trusted().map_err(unsigned)?;
        let is_mine = |evidence: &Evidence| match evidence {
            Evidence::Manifest { manifest, .. } => component_of(manifest)
                .and_then(|layer| layer.strip_prefix("sha256:").map(str::to_owned))
                .is_some_and(|component| evidence.shows(&trusted, &component)),
            Evidence::Component(_) => false,
        };
        if there.iter().any(is_mine) {
            return Ok(false);
        }
        let pinned = reference.pinned(manifest_digest);
        self.in_time(reference, async {
            let mut session = Session::writing(self, &pinned)?;
            let payload = serde_json::to_vec(&json!({
                "critical": {
                    "identity": {"docker-reference": session.name()},
                    "image": {"docker-manifest-digest": manifest_digest},
                    "type": KIND,
                },
                "optional": null,
            }));
            let payload = payload.map_err(|error| OciError::Malformed(error.to_string()))?;
            let mark = key.mark(&payload).map_err(unsigned)?;
            let mut annotations = Map::new();
            annotations.insert(SIGNATURE.into(), mark.base64().into());
            if let Some(address) = mark.hotkey() {
                annotations.insert(HOTKEY.into(), address.into());
            }
            let digest = digest_of(&payload);
            let before = signed(&mut session, &pinned, manifest_digest).await?;
            let mut layers = before.map(|signed| signed.layers).unwrap_or_default();
            layers.push(json!({
                "mediaType": PAYLOAD,
                "size": payload.len(),
                "digest": digest,
                "annotations": annotations,
            }));
            session.put_blob(&digest, payload.into()).await?;
            let digests: Vec<&Value> = layers
                .iter()
                .filter_map(|layer| layer.get("digest"))
                .collect();
            let config = json!({
                "architecture": "", "os": "", "created": "0001-01-01T00:00:00Z", "config": {},
                "rootfs": {"type": "layers", "diff_ids": digests},
            })
            .to_string();
            let config_digest = digest_of(config.as_bytes());
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "size": config.len(), "digest": config_digest},
                "layers": layers,
            })
            .to_string();
            session.put_blob(&config_digest, config.into()).await?;
            let tag = tag_of(manifest_digest);
            session.put_manifest(&tag, Bytes::from(manifest)).await?;
            Ok(true)
        })
        .await
    }
}

/// The tag that signatures of a manifest are at.
fn tag_of(manifest_digest: &str) -> String {
    format!("{}.sig", manifest_digest.replace(':', "-"))
}

/// The manifest with the signatures of another; none if there is none.
async fn signed(
    session: &mut Session<'_>,
    reference: &OciReference,
    manifest_digest: &str,
) -> Result<Option<Signed>, OciError> {
    let at = OciReference {
        tag: Some(tag_of(manifest_digest)),
        digest: None,
        ..reference.clone()
    };
    match session.manifest(&at).await {
        Ok((_, text)) => {
            let signed = serde_json::from_slice(&text);
            let signed =
                signed.map_err(|error| OciError::Malformed(format!("the signatures: {error}")))?;
            Ok(Some(signed))
        }
        Err(OciError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The payload's digest and the signature of a layer; none if it is no signature that
/// can be checked.
fn mark_of(layer: Value) -> Option<(String, Mark)> {
    let layer: SignedLayer = serde_json::from_value(layer).ok()?;
    if layer.media_type != PAYLOAD || !is_sha256(&layer.digest) {
        return None;
    }
    let text = |key: &str| layer.annotations.get(key)?.as_str();
    let signature = text(SIGNATURE)?;
    let mark = match text(HOTKEY) {
        None => Mark::parse_ecdsa(signature)?,
        Some(address) => Mark::parse_hotkey_base64(address, signature)?,
    };
    Some((layer.digest, mark))
}
