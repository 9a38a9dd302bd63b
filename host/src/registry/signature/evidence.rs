//! Evidence: texts that show who signed a component.

use super::{MAX_EVIDENCE, SignatureError, TrustedKey};
use crate::registry::oci::{Subject, component_of};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// How the text of a hotkey's signature begins.
const SR25519: &str = "sr25519";

/// A signature by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Of ECDSA, in DER.
    Ecdsa(Vec<u8>),
    /// Of a hotkey.
    Hotkey {
        /// Its address.
        address: String,
        /// What it made.
        signature: [u8; 64],
    },
}

/// What shows who signed a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A signature of the component.
    Component(Mark),
    /// A signature of a payload that names a manifest, which names the component.
    Manifest {
        /// The manifest, as it is in the registry.
        manifest: Vec<u8>,
        /// The payload that is signed.
        payload: Vec<u8>,
        /// The signature of the payload.
        mark: Mark,
    },
}

/// What there is of the JSON texts that are read. Unknown fields are cosign's own.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Text {
    /// Of a bundle of Sigstore.
    #[serde(rename = "messageSignature", skip_serializing)]
    message_signature: Option<MessageSignature>,
    /// Of an older bundle of cosign.
    #[serde(rename = "base64Signature", skip_serializing)]
    base64_signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotkey: Option<String>,
}

#[derive(Deserialize)]
struct MessageSignature {
    signature: String,
}

impl Evidence {
    /// Reads what `proctor plugin sign` or `cosign sign-blob` wrote: a signature in base64,
    /// a line `sr25519 <address> 0x<128 hex>`, or a JSON text.
    ///
    /// # Errors
    ///
    /// It is none of these, or larger than [`MAX_EVIDENCE`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let problem = |text: &str| SignatureError::new(text);
        if bytes.len() as u64 > MAX_EVIDENCE {
            let most = MAX_EVIDENCE >> 10;
            return Err(problem(&format!("it has more than {most} KiB")));
        }
        let text = str::from_utf8(bytes)
            .map_err(|_| problem("it is no text"))?
            .trim();
        if text.starts_with('{') {
            return Evidence::parse_json(text);
        }
        if let Some(rest) = text.strip_prefix(SR25519) {
            return Mark::parse_hotkey(rest)
                .map(Evidence::Component)
                .ok_or_else(|| problem("it is no line `sr25519 <address> 0x<128 hex>`"));
        }
        Mark::parse_ecdsa(text)
            .map(Evidence::Component)
            .ok_or_else(|| {
                problem("it is neither a signature in base64, nor that of a hotkey, nor a bundle")
            })
    }

    fn parse_json(text: &str) -> Result<Self, SignatureError> {
        let problem = |text: &str| SignatureError::new(text);
        let text: Text = serde_json::from_str(text)
            .map_err(|error| problem(&format!("it is not JSON as it should be: {error}")))?;
        let alone = text.message_signature.map(|signed| signed.signature);
        if let Some(signature) = alone.or(text.base64_signature) {
            return Mark::parse_ecdsa(&signature)
                .map(Evidence::Component)
                .ok_or_else(|| problem("the signature in it is none of ECDSA in base64"));
        }
        let (Some(manifest), Some(payload), Some(signature)) =
            (text.manifest, text.payload, text.signature)
        else {
            return Err(problem(
                "it is a bundle without the signature of a file: sign with `cosign sign-blob`",
            ));
        };
        let decode = |text: &str| STANDARD.decode(text).ok();
        let mark = match text.hotkey {
            None => Mark::parse_ecdsa(&signature),
            Some(address) => Mark::parse_hotkey_base64(&address, &signature),
        };
        match (decode(&manifest), decode(&payload), mark) {
            (Some(manifest), Some(payload), Some(mark)) => Ok(Evidence::Manifest {
                manifest,
                payload,
                mark,
            }),
            _ => Err(problem("its parts are not in base64")),
        }
    }

    /// The text that [`parse`](Self::parse) reads.
    pub fn text(&self) -> String {
        match self {
            Evidence::Component(Mark::Ecdsa(der)) => STANDARD.encode(der),
            Evidence::Component(Mark::Hotkey { address, signature }) => {
                format!("{SR25519} {address} 0x{}\n", hex::encode(signature))
            }
            Evidence::Manifest {
                manifest,
                payload,
                mark,
            } => {
                let text = Text {
                    manifest: Some(STANDARD.encode(manifest)),
                    payload: Some(STANDARD.encode(payload)),
                    signature: Some(mark.base64()),
                    hotkey: mark.hotkey().map(str::to_owned),
                    ..Text::default()
                };
                // A struct of texts is always JSON.
                serde_json::to_string(&text).unwrap_or_default() + "\n"
            }
        }
    }

    /// Whether a component of this digest may be meant.
    pub(crate) fn is_about(&self, component_digest: &str) -> bool {
        match self {
            Evidence::Component(_) => true,
            Evidence::Manifest { manifest, .. } => component_of(manifest)
                .is_some_and(|layer| layer == format!("sha256:{component_digest}")),
        }
    }

    /// Whether this shows that a key signed the component of a digest, 64 hexadecimal
    /// digits.
    pub fn shows(&self, key: &TrustedKey, component_digest: &str) -> bool {
        match self {
            Evidence::Component(mark) => key.made_on_digest(mark, component_digest),
            Evidence::Manifest {
                manifest,
                payload,
                mark,
            } => {
                let subject = Subject::of(payload);
                self.is_about(component_digest)
                    && subject.is_some_and(|subject| subject.names(manifest))
                    && key.made(mark, payload)
            }
        }
    }
}

impl Mark {
    /// In base64, perhaps in several lines.
    pub(crate) fn parse_ecdsa(text: &str) -> Option<Self> {
        let text: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).ok()?;
        // A sequence of two numbers of 32 bytes.
        (der.first() == Some(&0x30) && (8..=80).contains(&der.len())).then_some(Mark::Ecdsa(der))
    }

    fn of_hotkey(address: String, signature: &[u8]) -> Option<Self> {
        let signature = signature.try_into().ok()?;
        Some(Mark::Hotkey { address, signature })
    }

    pub(crate) fn parse_hotkey_base64(address: &str, signature: &str) -> Option<Self> {
        let signature = STANDARD.decode(signature).ok()?;
        Mark::of_hotkey(address.to_owned(), &signature)
    }

    fn parse_hotkey(rest: &str) -> Option<Self> {
        let mut words = rest.split_ascii_whitespace();
        let (address, signature) = (words.next()?, words.next()?);
        let signature = hex::decode(signature.strip_prefix("0x")?).ok()?;
        if words.next().is_some() {
            return None;
        }
        Mark::of_hotkey(address.to_owned(), &signature)
    }

    /// The signature in base64.
    pub(crate) fn base64(&self) -> String {
        match self {
            Mark::Ecdsa(der) => STANDARD.encode(der),
            Mark::Hotkey { signature, .. } => STANDARD.encode(signature),
        }
    }

    /// The hotkey that made it.
    pub(crate) fn hotkey(&self) -> Option<&str> {
        match self {
            Mark::Ecdsa(_) => None,
            Mark::Hotkey { address, .. } => Some(address),
        }
    }
}
