//! Signed requests as a `Dendrite` of the Bittensor SDK before version 11 makes them,
//! and an `Axon` checks them.
//!
//! What is signed is `<nonce>.<sender>.<receiver>.<uuid>.<hash>`, with the hash of the
//! fields that the class of the request names (`required_hash_fields`). Neither the
//! path nor any other field is signed: whoever sees a request to one receiver may send
//! it to another path of the same one with other fields, for as long as it is fresh.
//! Whoever receives such requests therefore remembers `(hotkey, nonce)` over all of its
//! paths, and names fields.

mod python_str;
mod synapse;

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::keys::{Hotkey, verify};
use super::ss58;
pub use synapse::body_hash;

/// The header with when it was signed, in nanoseconds of Unix time, in decimal.
pub const NONCE: &str = "bt_header_dendrite_nonce";
/// The header with the sender's hotkey, in SS58.
pub const HOTKEY: &str = "bt_header_dendrite_hotkey";
/// The header with what tells apart two processes that sign with one hotkey: 1 to 128
/// visible ASCII characters.
pub const UUID: &str = "bt_header_dendrite_uuid";
/// The header with the signature: `0x` and 128 hex digits.
pub const SIGNATURE: &str = "bt_header_dendrite_signature";
/// The header with the hotkey of whom it is sent to, in SS58.
pub const RECEIVER: &str = "bt_header_axon_hotkey";
/// The header with the hash of the fields, in lower-case hex.
pub const BODY_HASH: &str = "computed_body_hash";
/// The header with how many seconds the sender waits, as Python writes a float.
pub const TIMEOUT: &str = "timeout";

/// Nanoseconds by which a request may be old beside the seconds of its [`TIMEOUT`].
pub const MAX_AGE_NS: u64 = 4_000_000_000;
/// Greatest number of seconds of a [`TIMEOUT`] that makes a request fresh for longer:
/// that header is not signed.
pub const MAX_TIMEOUT_S: f64 = 600.0;

/// Longest uuid, in bytes.
const MAX_UUID: usize = 128;
/// The version that the SDK's 10.5.0 gives itself. From 7.2.0 on axons go by the time
/// in the nonce.
const VERSION: u32 = 10_005_000;

/// Whom a request is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axon {
    /// Its hotkey, in SS58.
    pub hotkey: String,
    /// The address it serves at.
    pub ip: IpAddr,
    /// The port it serves at.
    pub port: u16,
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// The hotkey, in SS58.
    pub hotkey: String,
    /// What the sender uses once: the number and the uuid, `<nonce>.<uuid>`.
    pub nonce: String,
    /// How many seconds the sender says to wait; finite and at least 0. Not signed.
    pub timeout_s: Option<f64>,
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
    /// It was signed for somebody else.
    #[error("the request was signed for another hotkey than this host's")]
    WrongReceiver,
    /// It was signed too long ago, or in the future.
    #[error("the nonce is too far from the time of this host")]
    Stale,
    /// The hotkey did not sign this.
    #[error("the signature is not that of the hotkey over this request")]
    BadSignature,
    /// The body is not a JSON object.
    #[error("the body is not a JSON object")]
    MalformedBody,
    /// The fields in the body are not those that were signed.
    #[error("the header `{BODY_HASH}` is not the hash of the fields in the body")]
    HashMismatch,
}

impl Fault {
    /// The stable name of this fault, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHeader(_) => "missing_header",
            Self::MalformedHeader(_) => "malformed_header",
            Self::WrongReceiver => "wrong_receiver",
            Self::Stale => "stale",
            Self::BadSignature => "bad_signature",
            Self::MalformedBody => "malformed_body",
            Self::HashMismatch => "hash_mismatch",
        }
    }
}

/// What is signed.
#[must_use]
pub fn message(nonce: &str, sender: &str, receiver: &str, uuid: &str, body_hash: &str) -> String {
    format!("{nonce}.{sender}.{receiver}.{uuid}.{body_hash}")
}

/// The headers, with names in lower case, and the body of a `POST` to `/<name>` of an
/// axon; the type of the body is `application/json`.
///
/// `name` is that of the class of the request, `fields` those of the class, and
/// `hash_fields` its `required_hash_fields`, in order. A number for a field that the
/// class has as a float must be written as one, as in `1.0`, or the axon finds another
/// hash; what a class adds to every request (`name`, `timeout`, `axon` and so on) is
/// overwritten. `timeout_s` is finite.
///
/// `nonce_ns` is nanoseconds of Unix time, and greater than in any earlier request with
/// this `uuid` to this axon: it refuses others.
#[must_use]
#[allow(
    clippy::too_many_arguments,
    reason = "each of them is in what is signed or sent"
)]
pub fn sign(
    hotkey: &Hotkey,
    receiver: &Axon,
    name: &str,
    timeout_s: f64,
    fields: &Map<String, Value>,
    hash_fields: &[String],
    uuid: &str,
    nonce_ns: u64,
) -> (Vec<(String, String)>, Vec<u8>) {
    let request = synapse::Request {
        name,
        timeout_s,
        fields,
    };
    let body_hash = request.body_hash(hash_fields);
    let nonce = nonce_ns.to_string();
    let sender = hotkey.address();
    let message = message(&nonce, sender, &receiver.hotkey, uuid, &body_hash);
    let signature = format!("0x{}", hex::encode(hotkey.sign(message.as_bytes())));
    let signed = synapse::Dendrite {
        nonce_ns,
        uuid,
        hotkey: sender,
        signature: &signature,
    };
    let body = request.dump(receiver, &signed).to_string().into_bytes();
    let headers = request.headers(receiver, &signed, &body_hash, body.len());
    (headers, body)
}

/// Who signed a request for `receiver`, by the headers that came with it.
///
/// `header` gives the value of a header by its name in lower case; `body` is as it was
/// received; `hash_fields` are the `required_hash_fields` of the class of the request;
/// `now_ns` is nanoseconds of Unix time. It is fresh for [`MAX_AGE_NS`] and the seconds
/// of its [`TIMEOUT`], of which at most [`MAX_TIMEOUT_S`] count, either way. Costs one
/// verification, and the parsing of a body that is signed.
///
/// Stricter than an axon in this: it is never taken for fresh because an earlier one was
/// taken, nor however far in the future, nor because it is of a version before 7.2.0;
/// uuid and hash must be there; and addresses have prefix 42. Integers above
/// 2⁶⁴ − 1 or below −2⁶³ in `hash_fields` have another hash here.
///
/// Whether the hotkey is registered, and whether the nonce was used before, is not
/// looked at.
///
/// # Errors
///
/// A [`Fault`], the first in the order of its variants.
pub fn check<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    hash_fields: &[String],
    receiver: &str,
    now_ns: u64,
) -> Result<Signed, Fault> {
    let given = |name| header(name).ok_or(Fault::MissingHeader(name));
    let [nonce, hotkey, uuid, signature, signed_hash] = [
        given(NONCE)?,
        given(HOTKEY)?,
        given(UUID)?,
        given(SIGNATURE)?,
        given(BODY_HASH)?,
    ];
    let nonce_ns: u64 = nonce
        .parse()
        .ok()
        .filter(|number: &u64| number.to_string() == nonce)
        .ok_or(Fault::MalformedHeader(NONCE))?;
    if ss58::decode(hotkey).is_none() {
        return Err(Fault::MalformedHeader(HOTKEY));
    }
    if !matches!(uuid.len(), 1..=MAX_UUID) || !uuid.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::MalformedHeader(UUID));
    }
    let mut bytes = [0; 64];
    signature
        .strip_prefix("0x")
        .and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok())
        .ok_or(Fault::MalformedHeader(SIGNATURE))?;
    let timeout_s = header(TIMEOUT).map(seconds).transpose()?;

    // An axon does not look at it: it signs with its own hotkey in that place.
    if header(RECEIVER).is_some_and(|named| named != receiver) {
        return Err(Fault::WrongReceiver);
    }
    if !is_fresh(nonce_ns, now_ns, timeout_s.unwrap_or_default()) {
        return Err(Fault::Stale);
    }
    let message = message(nonce, hotkey, receiver, uuid, signed_hash);
    if !verify(hotkey, message.as_bytes(), &bytes) {
        return Err(Fault::BadSignature);
    }
    let body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Fault::MalformedBody)?;
    if body_hash(&body, hash_fields) != signed_hash {
        return Err(Fault::HashMismatch);
    }
    Ok(Signed {
        hotkey: hotkey.to_owned(),
        nonce: format!("{nonce}.{uuid}"),
        timeout_s,
    })
}

fn seconds(text: &str) -> Result<f64, Fault> {
    let seconds = text.parse().ok();
    seconds
        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
        .ok_or(Fault::MalformedHeader(TIMEOUT))
}

/// Whether a nonce is nearer to now than is allowed; one that is exactly as far is not.
fn is_fresh(nonce_ns: u64, now_ns: u64, timeout_s: f64) -> bool {
    let [nonce, now, allowed] = [nonce_ns, now_ns, MAX_AGE_NS].map(i128::from);
    let (oldest, newest) = (now - allowed, now + allowed);
    let timeout = timeout_s.min(MAX_TIMEOUT_S) * 1e9;
    if timeout == 0.0 {
        return nonce > oldest && nonce < newest;
    }
    // Floats, as in the axon's Python, which compares them exactly.
    let (oldest, newest) = (oldest as f64 - timeout, newest as f64 + timeout);
    nonce > oldest.floor() as i128 && nonce < newest.ceil() as i128
}

#[cfg(test)]
mod tests;
