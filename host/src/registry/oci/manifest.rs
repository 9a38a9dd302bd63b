//! What a manifest says of a component.

use super::OciError;
use serde::Deserialize;

/// Media types of manifests: the two that have layers, and those of indexes, so that a
/// registry shows them and can be told that they are not meant.
pub(super) const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// Media types of Wasm layers: that of the Wasm OCI artifact layout, and those that
/// tools used before it.
const WASM: [&str; 4] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// Only an index has them.
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

/// The layer with the component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// `sha256:<64 hex>`.
    pub(super) digest: String,
    /// Bytes that it has, says the manifest.
    pub(super) size: u64,
}

impl Layer {
    /// The one Wasm layer of a manifest, JSON.
    pub(super) fn of(manifest: &[u8]) -> Result<Self, OciError> {
        let manifest: Manifest = serde_json::from_slice(manifest)
            .map_err(|error| OciError::Malformed(format!("the manifest: {error}")))?;
        let none = |why: &str| Err(OciError::NotAComponent(why.to_owned()));
        if manifest.manifests.is_some() {
            return none("this is an index of manifests: name one of them by digest");
        }
        let is_wasm = |layer: &&Descriptor| WASM.contains(&layer.media_type.as_str());
        let mut wasm = manifest.layers.iter().filter(is_wasm);
        let Some(layer) = wasm.next() else {
            return none("this is no Wasm artifact: it has no layer of the type application/wasm");
        };
        if wasm.next().is_some() {
            return none("this has several Wasm layers: a component has one");
        }
        if !is_sha256(&layer.digest) {
            let problem = "the manifest: a digest that is not sha256 in lower case";
            return Err(OciError::Malformed(problem.into()));
        }
        Ok(Layer {
            digest: layer.digest.clone(),
            size: layer.size,
        })
    }
}

/// Whether a text is `sha256:` and 64 digits, in lower case as the specification wants
/// it.
pub(super) fn is_sha256(digest: &str) -> bool {
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64
        && digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn layer(manifest: &Value) -> Result<Layer, &'static str> {
        Layer::of(manifest.to_string().as_bytes()).map_err(|error| error.code())
    }

    fn wasm(media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", "a".repeat(64)), "size": 7})
    }

    #[test]
    fn a_component_is_the_one_wasm_layer() {
        let text = json!({"mediaType": "text/plain", "digest": "sha256:x", "size": 1});
        for media_type in WASM {
            let found = layer(&json!({"layers": [text.clone(), wasm(media_type)]}));
            assert_eq!(found.unwrap().size, 7);
        }
        let tar = wasm("application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(layer(&json!({"layers": [tar]})), Err("not_a_component"));
        assert_eq!(layer(&json!({"manifests": []})), Err("not_a_component"));
        assert_eq!(layer(&json!({})), Err("not_a_component"));
        let two = json!({"layers": [wasm(WASM[0]), wasm(WASM[1])]});
        assert_eq!(layer(&two), Err("not_a_component"));
    }

    #[test]
    fn a_manifest_must_be_of_the_form() {
        assert_eq!(layer(&json!("x")), Err("registry_malformed"));
        assert_eq!(
            Layer::of(b"<html>").unwrap_err().code(),
            "registry_malformed"
        );
        for (field, value) in [
            ("digest", json!("sha512:00")),
            ("digest", json!(format!("sha256:{}", "A".repeat(64)))),
            ("digest", json!(format!("sha256:../{}", "a".repeat(61)))),
            ("size", json!(-1)),
            ("size", json!("7")),
        ] {
            let mut bad = wasm(WASM[0]);
            bad[field] = value;
            assert_eq!(layer(&json!({"layers": [bad]})), Err("registry_malformed"));
        }
    }
}
