//! Requests that are signed with a hotkey.
//!
//! Four headers say who sent a body, and when. What is signed is
//! `<sha256 of the body in hex>.<timestamp>`, so neither can be changed; the uid is
//! not signed, and is what the sender claims.
//!
//! A request may be sent again by whoever saw it. Who wants each only once
//! remembers `(hotkey, timestamp_ns)` for as long as a request is fresh.

use sha2::{Digest, Sha256};

use super::keys::{Hotkey, verify};
use super::ss58;

/// The header with the sender's uid, in decimal.
pub const UID: &str = "validator-uid";
/// The header with the sender's hotkey, in SS58.
pub const HOTKEY: &str = "validator-hotkey";
/// The header with when it was signed, in nanoseconds of Unix time, in decimal.
pub const TIMESTAMP: &str = "timestamp";
/// The header with the signature: `0x` and 128 hex digits.
pub const SIGNATURE: &str = "signature";

/// Who signed a request, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The uid that the sender claims; it is not signed. Validators that do not
    /// know theirs send −1.
    pub uid: i32,
    /// The hotkey that signed, in SS58.
    pub hotkey: String,
    /// When, in nanoseconds of Unix time, by the sender's clock.
    pub timestamp_ns: u64,
}

/// Why a request is not taken for signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureFault {
    /// A header is missing.
    #[error("the header `{0}` is missing")]
    MissingHeader(&'static str),
    /// A header is not what it should be.
    #[error("the header `{0}` is malformed")]
    MalformedHeader(&'static str),
    /// It was signed too long ago, or in the future.
    #[error("the timestamp is too far from the time of this host")]
    Stale,
    /// The hotkey did not sign this body and this timestamp.
    #[error("the signature is not that of the hotkey over this body and timestamp")]
    BadSignature,
}

impl SignatureFault {
    /// The stable name of this fault, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHeader(_) => "missing_header",
            Self::MalformedHeader(_) => "malformed_header",
            Self::Stale => "stale",
            Self::BadSignature => "bad_signature",
        }
    }
}

/// What is signed: `<sha256 of the body in hex>.<timestamp in nanoseconds>`.
#[must_use]
pub fn signed_message(body: &[u8], timestamp_ns: u64) -> String {
    format!("{}.{timestamp_ns}", hex::encode(Sha256::digest(body)))
}

/// The headers for a body, to be sent as exactly these bytes.
///
/// `now_ns` is nanoseconds of Unix time. A receiver may refuse a second request
/// with the same one.
#[must_use]
pub fn sign(hotkey: &Hotkey, uid: i32, body: &[u8], now_ns: u64) -> [(&'static str, String); 4] {
    let signature = hotkey.sign(signed_message(body, now_ns).as_bytes());
    [
        (UID, uid.to_string()),
        (HOTKEY, hotkey.address().to_owned()),
        (TIMESTAMP, now_ns.to_string()),
        (SIGNATURE, format!("0x{}", hex::encode(signature))),
    ]
}

/// Who signed a body, by the headers that came with it.
///
/// `header` gives the value of a header by its name in lower case; `now` is Unix
/// seconds. It is fresh if its timestamp is at most `max_age_s` seconds away from
/// `now`, either way. Costs one hash of the body and one verification; neither
/// is done if a header is bad or the timestamp is stale.
///
/// Whether the hotkey is registered, or has that uid, is not looked at.
///
/// # Errors
///
/// A [`SignatureFault`], the first in the order of its variants.
pub fn check<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: f64,
    max_age_s: f64,
) -> Result<Signed, SignatureFault> {
    let given = |name| header(name).ok_or(SignatureFault::MissingHeader(name));
    let [uid, hotkey, timestamp, signature] = [
        given(UID)?,
        given(HOTKEY)?,
        given(TIMESTAMP)?,
        given(SIGNATURE)?,
    ];
    let uid: i32 = decimal(uid).ok_or(SignatureFault::MalformedHeader(UID))?;
    if ss58::decode(hotkey).is_none() {
        return Err(SignatureFault::MalformedHeader(HOTKEY));
    }
    let timestamp_ns: u64 = decimal(timestamp).ok_or(SignatureFault::MalformedHeader(TIMESTAMP))?;
    let mut bytes = [0; 64];
    signature
        .strip_prefix("0x")
        .and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok())
        .ok_or(SignatureFault::MalformedHeader(SIGNATURE))?;

    let age = now - timestamp_ns as f64 / 1e9;
    // Written so that a NaN is stale.
    let fresh = age.abs() <= max_age_s;
    if !fresh {
        return Err(SignatureFault::Stale);
    }
    if !verify(
        hotkey,
        signed_message(body, timestamp_ns).as_bytes(),
        &bytes,
    ) {
        return Err(SignatureFault::BadSignature);
    }
    Ok(Signed {
        uid,
        hotkey: hotkey.to_owned(),
        timestamp_ns,
    })
}

/// A number as Python writes it: no `+`, no leading zeros, so that there is one
/// text for each.
fn decimal<T: std::str::FromStr + std::fmt::Display>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_NS: u64 = 1_787_410_800_000_000_001;
    const NOW: f64 = 1_787_410_800.0;
    const BODY: &[u8] = br#"{"challenge_names": []}"#;

    fn alice() -> Hotkey {
        Hotkey::from_uri("//Alice").unwrap()
    }

    fn checked(
        headers: &[(&str, String)],
        body: &[u8],
        now: f64,
    ) -> Result<Signed, SignatureFault> {
        let value = |name: &str| headers.iter().find(|(key, _)| *key == name);
        check(
            |name| value(name).map(|(_, v)| v.as_str()),
            body,
            now,
            300.0,
        )
    }

    #[test]
    fn what_is_signed_here_is_accepted_here() {
        for uid in [-1, 0, 255] {
            let headers = sign(&alice(), uid, BODY, NOW_NS);
            let signed = Signed {
                uid,
                hotkey: alice().address().to_owned(),
                timestamp_ns: NOW_NS,
            };
            assert_eq!(checked(&headers, BODY, NOW), Ok(signed));
        }
    }

    #[test]
    fn another_body_timestamp_or_signer_is_refused() {
        let headers = sign(&alice(), 3, BODY, NOW_NS);
        let refused = Err(SignatureFault::BadSignature);
        assert_eq!(checked(&headers, b"", NOW), refused);

        let mut later = headers.clone();
        later[2].1 = (NOW_NS + 1).to_string();
        assert_eq!(checked(&later, BODY, NOW), refused);

        let mut other = headers.clone();
        other[1].1 = Hotkey::from_uri("//Bob").unwrap().address().to_owned();
        assert_eq!(checked(&other, BODY, NOW), refused);

        let mut zeros = headers;
        zeros[3].1 = format!("0x{}", "0".repeat(128));
        assert_eq!(checked(&zeros, BODY, NOW), refused);
    }

    #[test]
    fn a_request_is_fresh_for_as_long_before_as_after() {
        let headers = sign(&alice(), 3, BODY, 1_000_000_000_000);
        for now in [700.0, 1_000.0, 1_300.0] {
            assert!(checked(&headers, BODY, now).is_ok(), "{now}");
        }
        for now in [699.9, 1_300.1, 0.0, f64::NAN, f64::INFINITY] {
            let fault = checked(&headers, BODY, now);
            assert_eq!(fault, Err(SignatureFault::Stale), "{now}");
        }
        let mut last = headers;
        last[2].1 = u64::MAX.to_string();
        assert_eq!(checked(&last, BODY, 1_000.0), Err(SignatureFault::Stale));
    }

    #[test]
    fn each_header_must_be_there() {
        let headers = sign(&alice(), 3, BODY, NOW_NS);
        for (i, (name, _)) in headers.iter().enumerate() {
            let mut fewer = headers.to_vec();
            fewer.remove(i);
            let fault = checked(&fewer, BODY, NOW).unwrap_err();
            assert_eq!(fault, SignatureFault::MissingHeader(name));
            assert_eq!(fault.code(), "missing_header");
        }
    }

    #[test]
    fn a_header_of_another_form_is_malformed() {
        let hex = |digits: usize| "a".repeat(digits);
        let bad = [
            (
                0,
                ["", "+3", "03", "3.0", " 3", "2147483648", "three", "-0"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            (
                1,
                ["", "5F", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            (
                2,
                ["", "-1", "+1", "01", "1.5", "1e9", "18446744073709551616"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            (
                3,
                vec![
                    String::new(),
                    "0x".to_owned(),
                    hex(128),
                    hex(130),
                    format!("0x{}", hex(127)),
                    format!("0x{}", hex(126)),
                    format!("0x{}", hex(130)),
                    format!("0X{}", hex(128)),
                    format!("0x{}g", hex(127)),
                ],
            ),
        ];
        for (i, texts) in bad {
            for text in texts {
                let mut headers = sign(&alice(), 3, BODY, NOW_NS);
                headers[i].1 = text.clone();
                let fault = checked(&headers, BODY, NOW).unwrap_err();
                assert_eq!(
                    fault,
                    SignatureFault::MalformedHeader(headers[i].0),
                    "{text}"
                );
                assert_eq!(fault.code(), "malformed_header");
            }
        }
    }
}
