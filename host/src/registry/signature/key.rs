//! Keys: whom a record trusts, and who signs.

use super::{Evidence, Mark, SignatureError, message};
use crate::chain::{Hotkey, ss58};
use crate::sandbox::sha256_hex;
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use std::fmt;
use std::str::FromStr;

/// A key that a record trusts: a public key in PEM (ECDSA on P-256, as cosign's), or the
/// address of a hotkey in SS58.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedKey {
    /// Of ECDSA: its `SubjectPublicKeyInfo` in DER.
    Ecdsa(Vec<u8>),
    /// A hotkey's address.
    Hotkey(String),
}

impl FromStr for TrustedKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let text = text.trim();
        if !text.starts_with("-----BEGIN") {
            return match ss58::decode(text) {
                Some(_) => Ok(TrustedKey::Hotkey(text.to_owned())),
                None => Err(SignatureError::new(
                    "is neither a public key in PEM (-----BEGIN PUBLIC KEY-----) nor the SS58 \
                     address of a hotkey",
                )),
            };
        }
        if text.contains("PRIVATE KEY") {
            let problem = "is a private key: the public one belongs here";
            return Err(SignatureError::new(problem));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes());
        let der = der.map_err(|_| SignatureError::new("is not a public key in PEM"))?;
        if ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der).is_err() {
            let problem = "is no public key of ECDSA on the curve P-256, as cosign makes them";
            return Err(SignatureError::new(problem));
        }
        Ok(TrustedKey::Ecdsa(der.to_vec()))
    }
}

impl fmt::Display for TrustedKey {
    /// For people: the address, or the start of the key's digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustedKey::Ecdsa(der) => write!(f, "the key sha256:{:.16}", sha256_hex(der)),
            TrustedKey::Hotkey(address) => write!(f, "the hotkey {address}"),
        }
    }
}

impl TrustedKey {
    /// What `signed_by` names: PEM, or the address.
    pub fn text(&self) -> String {
        let der = match self {
            TrustedKey::Hotkey(address) => return address.clone(),
            TrustedKey::Ecdsa(der) => STANDARD.encode(der),
        };
        let mut text = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = der.as_str();
        while let Some((line, after)) = rest.split_at_checked(64) {
            text.extend([line, "\n"]);
            rest = after;
        }
        if !rest.is_empty() {
            text.extend([rest, "\n"]);
        }
        text + "-----END PUBLIC KEY-----\n"
    }

    /// Whether this key made a mark on bytes.
    pub(super) fn made(&self, mark: &Mark, bytes: &[u8]) -> bool {
        match (self, mark) {
            (TrustedKey::Ecdsa(key), Mark::Ecdsa(der)) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
                key.verify(bytes, der).is_ok()
            }
            (TrustedKey::Hotkey(trusted), Mark::Hotkey { address, signature }) => {
                trusted == address && crate::chain::verify(address, bytes, signature)
            }
            _ => false,
        }
    }

    /// Whether this key made a mark on what has a SHA-256, or, if it is a hotkey, on the
    /// [`message`] of that.
    pub(super) fn made_on_digest(&self, mark: &Mark, digest: &str) -> bool {
        match (self, mark) {
            (TrustedKey::Ecdsa(key), Mark::Ecdsa(der)) => {
                let digest = hex::decode(digest).ok();
                let digest = digest.and_then(|d| Digest::import_less_safe(&d, &SHA256).ok());
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
                digest.is_some_and(|digest| key.verify_digest(&digest, der).is_ok())
            }
            _ => self.made(mark, message(digest).as_bytes()),
        }
    }
}

/// A key that signs components.
pub enum SigningKey {
    /// Of ECDSA on P-256.
    Ecdsa(EcdsaKeyPair),
    /// A hotkey.
    Hotkey(Box<Hotkey>),
}

impl fmt::Debug for SigningKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl From<Hotkey> for SigningKey {
    fn from(hotkey: Hotkey) -> Self {
        SigningKey::Hotkey(Box::new(hotkey))
    }
}

impl SigningKey {
    /// The private key in a PEM file: PKCS#8 or SEC 1, not encrypted.
    ///
    /// # Errors
    ///
    /// It is none, of another kind, or encrypted.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignatureError> {
        let has = |text: &str| pem.windows(text.len()).any(|part| part == text.as_bytes());
        if has("ENCRYPTED SIGSTORE PRIVATE KEY") || has("ENCRYPTED COSIGN PRIVATE KEY") {
            return Err(SignatureError::new(
                "the key is encrypted by cosign, which signs with it itself: `cosign sign-blob \
                 --key …`",
            ));
        }
        if has("ENCRYPTED") {
            return Err(SignatureError::new(
                "the key is encrypted: `openssl pkey -in KEY.pem -out PLAIN.pem` writes it \
                 without a password",
            ));
        }
        let der = PrivateKeyDer::from_pem_slice(pem);
        let der = der
            .map_err(|_| SignatureError::new("this is no private key in PEM (PKCS#8 or SEC 1)"))?;
        let pair =
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der.secret_der());
        let pair = pair.map_err(|_| {
            SignatureError::new(
                "this is no key of ECDSA on the curve P-256: `openssl genpkey -algorithm EC \
                 -pkeyopt ec_paramgen_curve:P-256 -out KEY.pem` makes one",
            )
        })?;
        Ok(SigningKey::Ecdsa(pair))
    }

    /// What a record names to trust this key: PEM, or an address.
    ///
    /// # Errors
    ///
    /// Never, for a key that there is.
    pub fn trusted(&self) -> Result<TrustedKey, SignatureError> {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        match self {
            SigningKey::Hotkey(hotkey) => Ok(TrustedKey::Hotkey(hotkey.address().to_owned())),
            SigningKey::Ecdsa(pair) => {
                let der: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
                let der = der.map_err(|_| SignatureError::new("the key has no public part"))?;
                Ok(TrustedKey::Ecdsa(der.as_ref().to_vec()))
            }
        }
    }

    /// Evidence that this key signed a component.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub fn sign_component(&self, component: &[u8]) -> Result<Evidence, SignatureError> {
        let mark = match self {
            SigningKey::Ecdsa(_) => self.mark(component)?,
            SigningKey::Hotkey(_) => self.mark(message(&sha256_hex(component)).as_bytes())?,
        };
        Ok(Evidence::Component(mark))
    }

    /// A mark on bytes.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub(crate) fn mark(&self, bytes: &[u8]) -> Result<Mark, SignatureError> {
        match self {
            SigningKey::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), bytes);
                let signature = signature.map_err(|_| SignatureError::new("cannot sign"))?;
                Ok(Mark::Ecdsa(signature.as_ref().to_vec()))
            }
            SigningKey::Hotkey(hotkey) => Ok(Mark::Hotkey {
                address: hotkey.address().to_owned(),
                signature: hotkey.sign(bytes),
            }),
        }
    }
}
