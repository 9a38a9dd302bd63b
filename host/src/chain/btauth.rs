//! `btauth/1`: signed requests as the Bittensor SDK makes and checks them since
//! version 11.
//!
//! Five headers say who sent a request, to whom, and when. What is signed is eight
//! lines with all of these, the method, the path with its query and the SHA-256 of the
//! body. Whoever receives such a request remembers `(hotkey, nonce)` for at least as
//! long as it is fresh, so that none counts twice.

use sha2::{Digest, Sha256};

use super::keys::{Hotkey, verify};
use super::ss58;

/// The first line of what is signed.
pub const PROTOCOL: &str = "btauth/1";

/// The header with the version of the protocol, `1`.
pub const VERSION: &str = "x-bittensor-version";
/// The header with the sender's hotkey, in SS58.
pub const HOTKEY: &str = "x-bittensor-hotkey";
/// The header with the hotkey of whom it is sent to, in SS58.
pub const RECEIVER: &str = "x-bittensor-receiver";
/// The header with when it was signed, in nanoseconds of Unix time, in decimal.
pub const NONCE: &str = "x-bittensor-nonce";
/// The header with the kind of the key, `sr25519`; that is meant where it is missing.
pub const CRYPTO: &str = "x-bittensor-crypto";
/// The header with the signature: 128 hex digits, with or without `0x`.
pub const SIGNATURE: &str = "x-bittensor-signature";

/// Nanoseconds by which a request may be old.
pub const MAX_AGE_NS: u64 = 10_000_000_000;
/// Nanoseconds by which a request may be from the future.
pub const MAX_SKEW_NS: u64 = 2_000_000_000;

const THIS_VERSION: &str = "1";
const SR25519: &str = "sr25519";
/// Names of keys that the SDK knows, and this host does not verify.
const OTHER_SCHEMES: [&str; 2] = ["ed25519", "0"];
/// In the place of the receiver of a request that names none.
const NO_RECEIVER: &str = "-";

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The hotkey, in SS58.
    pub hotkey: String,
    /// What the sender uses once: the header's number.
    pub nonce: String,
}

/// Why a request is not taken for signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// A header is missing.
    #[error("the header `{0}` is missing")]
    MissingHeader(&'static str),
    /// A header is not what it should be.
    #[error("the header `{0}` is malformed")]
    MalformedHeader(&'static str),
    /// The key is of ed25519.
    #[error("keys of ed25519 are not supported: sign with sr25519")]
    UnsupportedScheme,
    /// It was signed for somebody else, or for nobody.
    #[error("the request was signed for another hotkey than this host's, or for none")]
    WrongReceiver,
    /// It was signed more than [`MAX_AGE_NS`] ago, or more than [`MAX_SKEW_NS`] in the
    /// future.
    #[error("the nonce is too far from the time of this host")]
    Stale,
    /// The hotkey did not sign this.
    #[error("the signature is not that of the hotkey over this request")]
    BadSignature,
}

impl Fault {
    /// The stable name of this fault, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHeader(_) => "missing_header",
            Self::MalformedHeader(_) => "malformed_header",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::WrongReceiver => "wrong_receiver",
            Self::Stale => "stale",
            Self::BadSignature => "bad_signature",
        }
    }
}

/// What is signed, with a key of sr25519. `path` is the path with its leading `/`, and
/// with `?` and the query if there is one, as it is sent. Costs one hash of the body.
#[must_use]
pub fn message(
    method: &str,
    path: &str,
    body: &[u8],
    nonce: &str,
    sender: &str,
    receiver: Option<&str>,
) -> String {
    let method = method.to_ascii_uppercase();
    let body = hex::encode(Sha256::digest(body));
    let receiver = receiver.unwrap_or(NO_RECEIVER);
    format!("{PROTOCOL}\n{SR25519}\n{method}\n{path}\n{body}\n{nonce}\n{sender}\n{receiver}")
}

/// The headers for a request whose body is exactly these bytes; names are in lower
/// case. `path` is as in [`message`].
///
/// `receiver` is the hotkey that it is for: receivers refuse a request without one
/// unless they are told not to. `nonce_ns` is nanoseconds of Unix time; a receiver
/// refuses a second request with the same one.
#[must_use]
pub fn sign(
    hotkey: &Hotkey,
    method: &str,
    path: &str,
    body: &[u8],
    receiver: Option<&str>,
    nonce_ns: u64,
) -> Vec<(&'static str, String)> {
    let nonce = nonce_ns.to_string();
    let message = message(method, path, body, &nonce, hotkey.address(), receiver);
    let signature = format!("0x{}", hex::encode(hotkey.sign(message.as_bytes())));
    let mut headers = vec![
        (VERSION, THIS_VERSION.to_owned()),
        (HOTKEY, hotkey.address().to_owned()),
        (NONCE, nonce),
        (SIGNATURE, signature),
    ];
    headers.extend(receiver.map(|receiver| (RECEIVER, receiver.to_owned())));
    headers
}

/// Who signed a request for `receiver`, by the headers that came with it.
///
/// `header` gives the value of a header by its name in lower case; `path` and `body`
/// are as they were received; `now_ns` is nanoseconds of Unix time. Costs one hash of
/// the body and one verification; neither is done if a header is bad or the nonce is
/// stale.
///
/// Stricter than the SDK in this: keys of ed25519 are not supported, addresses have
/// prefix 42, and a nonce has no sign, space, underscore or leading zero, so that there
/// is one text for each. Whether the hotkey is registered, and whether the nonce was
/// used before, is not looked at.
///
/// # Errors
///
/// A [`Fault`]; of several the SDK's first: the headers' form, the receiver, the time,
/// what the key and the signature encode, and the signature.
pub fn check<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    method: &str,
    path: &str,
    body: &[u8],
    receiver: &str,
    now_ns: u64,
) -> Result<Signed, Fault> {
    let given = |name| header(name).ok_or(Fault::MissingHeader(name));
    if given(VERSION)? != THIS_VERSION {
        return Err(Fault::MalformedHeader(VERSION));
    }
    let hotkey = given(HOTKEY)?;
    let nonce = given(NONCE)?;
    let nonce_ns: i128 = nonce
        .parse()
        .ok()
        .filter(|number: &i128| number.to_string() == nonce)
        .ok_or(Fault::MalformedHeader(NONCE))?;
    if let Some(scheme) = header(CRYPTO) {
        known_scheme(scheme)?;
    }
    let digits = given(SIGNATURE)?;
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let signature = hex::decode(digits).map_err(|_| Fault::MalformedHeader(SIGNATURE))?;

    if header(RECEIVER) != Some(receiver) {
        return Err(Fault::WrongReceiver);
    }
    let age = i128::from(now_ns).saturating_sub(nonce_ns);
    if age > i128::from(MAX_AGE_NS) || age < -i128::from(MAX_SKEW_NS) {
        return Err(Fault::Stale);
    }
    if ss58::decode(hotkey).is_none() {
        return Err(Fault::MalformedHeader(HOTKEY));
    }
    let signature: [u8; 64] = signature
        .try_into()
        .map_err(|_| Fault::MalformedHeader(SIGNATURE))?;
    let message = message(method, path, body, nonce, hotkey, Some(receiver));
    if !verify(hotkey, message.as_bytes(), &signature) {
        return Err(Fault::BadSignature);
    }
    Ok(Signed {
        hotkey: hotkey.to_owned(),
        nonce: nonce.to_owned(),
    })
}

/// Whether a key of this kind is verified here; the SDK takes its name in any case, or
/// its number.
fn known_scheme(scheme: &str) -> Result<(), Fault> {
    let scheme = scheme.trim().to_ascii_lowercase();
    match scheme.as_str() {
        SR25519 | "1" => Ok(()),
        other if OTHER_SCHEMES.contains(&other) => Err(Fault::UnsupportedScheme),
        _ => Err(Fault::MalformedHeader(CRYPTO)),
    }
}

#[cfg(test)]
mod tests;
