//! A component as a Wasm OCI artifact: the layout of the CNCF's Wasm working group, which
//! `wkg`, Spin and wasmCloud read.
//!
//! The same component has the same manifest, whoever pushes it and when: `created` is
//! always the same, because readers want it and nobody else does.

use super::OciError;
use crate::sandbox::sha256_hex;
use serde_json::json;
use wasmparser::{Encoding, Parser, Payload};

/// Media type of the manifests that are pushed.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of the configuration of a Wasm artifact.
pub(super) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of its one layer.
pub(super) const LAYER: &str = "application/wasm";
/// How the names of a challenge's exports begin.
const CHALLENGE: &str = "proctor:challenge/";
/// When every artifact was made, as it says.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What is pushed beside the component.
#[derive(Debug)]
pub(super) struct Layout {
    /// Digest of the component, `sha256:<64 hex>`.
    pub(super) component: String,
    /// Digest of the configuration, `sha256:<64 hex>`.
    pub(super) config_digest: String,
    /// The configuration, JSON.
    pub(super) config: Vec<u8>,
    /// Digest of the manifest, `sha256:<64 hex>`.
    pub(super) manifest_digest: String,
    /// The manifest, JSON.
    pub(super) manifest: Vec<u8>,
    /// Whether it is a challenge: it exports something of that contract.
    pub(super) is_challenge: bool,
}

impl Layout {
    /// The layout of a component.
    ///
    /// # Errors
    ///
    /// [`OciError::NotAComponent`].
    pub(super) fn of(component: &[u8]) -> Result<Self, OciError> {
        let (imports, exports) = interfaces(component)?;
        let is_challenge = exports.iter().any(|name| name.starts_with(CHALLENGE));
        let digest = digest_of(component);
        let config = json!({
            "created": CREATED,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [digest],
            "component": {"exports": exports, "imports": imports, "target": null},
        })
        .to_string()
        .into_bytes();
        let config_digest = digest_of(&config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config_digest, "size": config.len()},
            "layers": [{"mediaType": LAYER, "digest": digest, "size": component.len()}],
        })
        .to_string()
        .into_bytes();
        Ok(Layout {
            component: digest,
            config_digest,
            config,
            manifest_digest: digest_of(&manifest),
            manifest,
            is_challenge,
        })
    }
}

pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

/// What a component imports and exports, by name and in its order.
fn interfaces(component: &[u8]) -> Result<(Vec<String>, Vec<String>), OciError> {
    let no_component = |why: String| OciError::NotAComponent(why);
    if !component.starts_with(b"\0asm") {
        return Err(no_component("this is no WebAssembly".into()));
    }
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    // What is inside of it, modules and components, is its own business.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload =
            payload.map_err(|error| no_component(format!("damaged WebAssembly: {error}")))?;
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                let why = "a core WebAssembly module, not a component: build it for wasm32-wasip2";
                return Err(no_component(why.into()));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| no_component(error.to_string()))?;
                    imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| no_component(error.to_string()))?;
                    exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proctor_testing::guest_bytes;
    use serde_json::Value;

    #[test]
    fn a_component_is_described_as_the_layout_wants_it() {
        let component = guest_bytes("digits");
        let layout = Layout::of(&component).unwrap();
        let config: Value = serde_json::from_slice(&layout.config).unwrap();
        assert_eq!(config["architecture"], "wasm");
        assert_eq!(config["os"], "wasip2");
        assert_eq!(config["layerDigests"], json!([digest_of(&component)]));
        let has = |list: &str, wanted: &str| {
            let list = config["component"][list].as_array().unwrap();
            list.iter()
                .any(|name| name.as_str().unwrap().starts_with(wanted))
        };
        assert!(has("exports", "proctor:challenge/controller@"), "{config}");
        assert!(has("imports", "proctor:challenge/"), "{config}");
        let manifest: Value = serde_json::from_slice(&layout.manifest).unwrap();
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["config"]["digest"], layout.config_digest);
        let again = Layout::of(&component).unwrap();
        assert_eq!(again.manifest_digest, layout.manifest_digest);
    }

    #[test]
    fn what_is_no_component_is_not_described() {
        for bytes in [&b"\0asm\x01\0\0\0"[..], b"text", b""] {
            let error = Layout::of(bytes).unwrap_err();
            assert_eq!(error.code(), "not_a_component", "{bytes:?}");
        }
    }
}
