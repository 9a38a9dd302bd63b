//! Who signed a component.
//!
//! A record may want that its component is signed (`signed_by`). What shows it is
//! *evidence*: a text that is kept with the component, so that it is checked each time
//! the component is loaded, without asking anybody. There are three kinds, over the
//! component itself or over a manifest that names it:
//!
//! - a signature of the component's bytes with ECDSA on P-256 and SHA-256, as
//!   `cosign sign-blob` writes it,
//! - a signature with a hotkey, sr25519, of [`message`],
//! - a manifest, a payload that names the manifest's digest, and a signature of the
//!   payload, as `cosign sign` puts them into a registry.

mod evidence;
mod key;
mod store;

pub use evidence::{Evidence, Mark};
pub use key::{SigningKey, TrustedKey};
pub use store::Signatures;
pub(crate) use store::read as read_evidence;

/// Largest evidence, in bytes. What cosign writes has less than 16 KiB.
pub const MAX_EVIDENCE: u64 = 256 << 10;

/// Why a text is no key or no evidence, or a key cannot sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignatureError(pub(crate) String);

impl SignatureError {
    fn new(problem: impl Into<String>) -> Self {
        SignatureError(problem.into())
    }
}

/// What a hotkey signs of a component: `proctor-component-v1:sha256:<64 hex>`, with the
/// SHA-256 of its bytes in lower case.
pub fn message(component_digest: &str) -> String {
    format!("proctor-component-v1:sha256:{component_digest}")
}

#[cfg(test)]
mod tests;
