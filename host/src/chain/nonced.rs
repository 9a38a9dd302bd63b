//! Requests that are signed with a hotkey and carry a nonce, as the platform that
//! Proctor replaces has them: of miners to the routes of challenges, and of validators.
//!
//! Four headers say who sent a request, and when. What is signed has all of these, and
//! the SHA-256 of the body, in it. Whoever receives such a request remembers
//! `(hotkey, nonce)` for at least as long as it is fresh, so that none counts twice.

use super::keys::verify;
use super::ss58;

/// The header with the sender's hotkey, in SS58.
pub const HOTKEY: &str = "x-hotkey";
/// The header with the signature: 128 hex digits, with or without `0x`.
pub const SIGNATURE: &str = "x-signature";
/// The header with a text that the sender uses once: 1 to 128 visible ASCII characters.
pub const NONCE: &str = "x-nonce";
/// The header with when it was signed, in whole seconds of Unix time, in decimal.
pub const TIMESTAMP: &str = "x-timestamp";

/// What is in front of the message that a miner signs.
pub const MINER_PREFIX: &str = "base-upload-v1";

/// Seconds by which a request may be old, or from the future.
pub const MAX_AGE_S: f64 = 300.0;

/// Longest nonce, in bytes.
const MAX_NONCE: usize = 128;

/// Who says to have signed a request, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The hotkey, in SS58.
    pub hotkey: String,
    /// What the sender uses once.
    pub nonce: String,
    /// When, in seconds of Unix time, by the sender's clock.
    pub timestamp: i64,
}

/// Claims whose headers are in order, and whose signature was not looked at yet: the
/// body may still be on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    claims: Claims,
    signature: [u8; 64],
}

/// Why a request is not taken for signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoncedFault {
    /// A header is missing.
    #[error("the header `{0}` is missing")]
    MissingHeader(&'static str),
    /// A header is not what it should be.
    #[error("the header `{0}` is malformed")]
    MalformedHeader(&'static str),
    /// It was signed too long ago, or in the future.
    #[error("the timestamp is too far from the time of this host")]
    Stale,
    /// The hotkey did not sign this.
    #[error("the signature is not that of the hotkey over this request")]
    BadSignature,
}

impl NoncedFault {
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

/// Who a request says that it is of, if its headers are in order and it is fresh:
/// its timestamp is at most [`MAX_AGE_S`] away from `now`, in Unix seconds, either way.
///
/// `header` gives the value of a header by its name in lower case.
///
/// # Errors
///
/// [`NoncedFault`], but for `BadSignature`; the first in the order of its variants.
pub fn read<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    now: f64,
) -> Result<Unverified, NoncedFault> {
    let given = |name| header(name).ok_or(NoncedFault::MissingHeader(name));
    let [hotkey, signature, nonce, timestamp] = [
        given(HOTKEY)?,
        given(SIGNATURE)?,
        given(NONCE)?,
        given(TIMESTAMP)?,
    ];
    if ss58::decode(hotkey).is_none() {
        return Err(NoncedFault::MalformedHeader(HOTKEY));
    }
    let digits = signature.strip_prefix("0x").unwrap_or(signature);
    let mut bytes = [0; 64];
    hex::decode_to_slice(digits, &mut bytes)
        .map_err(|_| NoncedFault::MalformedHeader(SIGNATURE))?;
    // With the hotkey in it, what is signed could be read in two ways.
    if !matches!(nonce.len(), 1..=MAX_NONCE)
        || !nonce.bytes().all(|b| b.is_ascii_graphic())
        || nonce.contains(hotkey)
    {
        return Err(NoncedFault::MalformedHeader(NONCE));
    }
    let seconds = timestamp.parse().ok();
    let timestamp: i64 = seconds
        // As Python writes it, so that there is one text for each.
        .filter(|seconds: &i64| seconds.to_string() == timestamp)
        .ok_or(NoncedFault::MalformedHeader(TIMESTAMP))?;
    // Written so that a NaN is stale.
    let fresh = (now.floor() - timestamp as f64).abs() <= MAX_AGE_S;
    if !fresh {
        return Err(NoncedFault::Stale);
    }
    Ok(Unverified {
        claims: Claims {
            hotkey: hotkey.to_owned(),
            nonce: nonce.to_owned(),
            timestamp,
        },
        signature: bytes,
    })
}

impl Unverified {
    /// Who it says that it is of.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether its hotkey signed this message. Costs one verification.
    ///
    /// # Errors
    ///
    /// [`NoncedFault::BadSignature`].
    pub fn verify(self, message: &str) -> Result<Claims, NoncedFault> {
        if verify(&self.claims.hotkey, message.as_bytes(), &self.signature) {
            Ok(self.claims)
        } else {
            Err(NoncedFault::BadSignature)
        }
    }
}

/// [`read`] and [`Unverified::verify`] in one, for a body that is there already.
///
/// Whether the hotkey is registered, and whether the nonce was used before, is not
/// looked at.
///
/// # Errors
///
/// A [`NoncedFault`], the first in the order of its variants.
pub fn check<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    now: f64,
    message: impl FnOnce(&Claims) -> String,
) -> Result<Claims, NoncedFault> {
    let unverified = read(header, now)?;
    let message = message(unverified.claims());
    unverified.verify(&message)
}

/// What a miner signs:
/// `base-upload-v1:<netuid>:<challenge>:<METHOD>:<path>:<hotkey>:<nonce>:<timestamp>:<sha256>`.
///
/// `path` is all of the path as it was sent, with `?` and the query if there is one;
/// the peers' own routes have none, and do not sign it. The last part is the SHA-256 of
/// the body in lower-case hex.
#[must_use]
pub fn miner_message(
    netuid: u16,
    challenge: &str,
    method: &str,
    path: &str,
    claims: &Claims,
    body_sha256_hex: &str,
) -> String {
    let Claims {
        hotkey,
        nonce,
        timestamp,
    } = claims;
    let method = method.to_uppercase();
    format!(
        "{MINER_PREFIX}:{netuid}:{challenge}:{method}:{path}:{hotkey}:{nonce}:{timestamp}:{body_sha256_hex}"
    )
}

/// What a validator signs: method, path with its query in order, timestamp, nonce, and
/// the SHA-256 of the body in lower-case hex, on a line each.
#[must_use]
pub fn validator_message(
    method: &str,
    path: &str,
    query: Option<&str>,
    claims: &Claims,
    body_sha256_hex: &str,
) -> String {
    let method = method.to_uppercase();
    let query = match query.filter(|query| !query.is_empty()) {
        Some(query) => format!("?{}", sorted_query(query)),
        None => String::new(),
    };
    let Claims {
        nonce, timestamp, ..
    } = claims;
    format!("{method}\n{path}{query}\n{timestamp}\n{nonce}\n{body_sha256_hex}")
}

/// A query as Python's `urlencode(sorted(parse_qsl(query, keep_blank_values=True)))`.
fn sorted_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (unquoted(name), unquoted(value)))
        .collect();
    pairs.sort();
    let quoted = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
    quoted.collect::<Vec<_>>().join("&")
}

/// Python's `unquote` after `+` was made a space: what is no escape stays.
fn unquoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = || {
            let (digits, after) = after.split_at_checked(2)?;
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            Some((byte[0], after))
        };
        let (byte, after) = match first {
            b'+' => (b' ', after),
            b'%' => escaped().unwrap_or((b'%', after)),
            other => (other, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Python's `quote_plus`.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => quoted.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                quoted.push(byte.into());
            }
            other => quoted.push_str(&format!("%{other:02X}")),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Hotkey;
    use serde_json::Value;

    const GOLDEN: &str = include_str!("../../../tests/golden/platform_security_strings.json");
    const NOW: f64 = 1_700_000_000.5;
    const BODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn golden(name: &str) -> String {
        let golden: Value = serde_json::from_str(GOLDEN).unwrap();
        golden[name].as_str().unwrap().to_owned()
    }

    fn message(claims: &Claims) -> String {
        miner_message(
            100,
            "demo",
            "post",
            "/v1/challenges/demo/submissions",
            claims,
            BODY,
        )
    }

    /// Headers that Alice signed at a time.
    fn headers(timestamp: i64) -> [(&'static str, String); 4] {
        let alice = Hotkey::from_uri("//Alice").unwrap();
        let claims = Claims {
            hotkey: alice.address().to_owned(),
            nonce: "n1".into(),
            timestamp,
        };
        let signature = alice.sign(message(&claims).as_bytes());
        [
            (HOTKEY, claims.hotkey),
            (SIGNATURE, hex::encode(signature)),
            (NONCE, claims.nonce),
            (TIMESTAMP, timestamp.to_string()),
        ]
    }

    fn checked(headers: &[(&'static str, String)], now: f64) -> Result<Claims, NoncedFault> {
        let value = |name: &str| headers.iter().find(|(key, _)| *key == name);
        check(|name| value(name).map(|(_, v)| v.as_str()), now, message)
    }

    #[test]
    fn what_is_signed_is_what_the_peers_sign() {
        let claims = Claims {
            hotkey: "5F".into(),
            nonce: "n1".into(),
            timestamp: 1_700_000_000,
        };
        assert_eq!(message(&claims), golden("miner_message"));
        let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let (path, query) = ("/v1/assignments/pull", Some("b=2&a=1&a="));
        let signed = validator_message("POST", path, query, &claims, empty);
        assert_eq!(signed, golden("validator_message"));
        let signed = validator_message("POST", path, Some(""), &claims, empty);
        assert!(signed.starts_with("POST\n/v1/assignments/pull\n"));
    }

    #[test]
    fn a_query_is_sorted_and_escaped_as_python_does_it() {
        // What Python 3.12 makes of them.
        for (query, sorted) in [
            ("b&a", "a=&b="),
            ("&&x=1&", "x=1"),
            ("q=a+b%20c&p=%2f~", "p=%2F~&q=a+b+c"),
            ("a=%zz&a=%", "a=%25&a=%25zz"),
            ("n=%C3%A9&n=é", "n=%C3%A9&n=%C3%A9"),
            ("n=%ff", "n=%EF%BF%BD"),
            ("a=b=c;d", "a=b%3Dc%3Bd"),
            ("a=2&a=10&B=1", "B=1&a=10&a=2"),
        ] {
            assert_eq!(sorted_query(query), sorted, "{query}");
        }
    }

    #[test]
    fn a_signature_counts_with_and_without_its_prefix() {
        let mut headers = headers(1_700_000_000);
        assert_eq!(checked(&headers, NOW).unwrap().nonce, "n1");
        headers[1].1.insert_str(0, "0x");
        assert!(checked(&headers, NOW).is_ok());
    }

    #[test]
    fn whatever_is_signed_cannot_be_changed() {
        for (at, other) in [
            (0, Hotkey::from_uri("//Bob").unwrap().address().to_owned()),
            (1, "0".repeat(128)),
            (2, "n2".to_owned()),
            (3, "1700000001".to_owned()),
        ] {
            let mut headers = headers(1_700_000_000);
            headers[at].1 = other;
            let fault = checked(&headers, NOW);
            assert_eq!(fault, Err(NoncedFault::BadSignature), "{}", headers[at].0);
        }
    }

    #[test]
    fn a_request_is_fresh_for_as_long_before_as_after() {
        let headers = headers(1_700_000_000);
        for now in [1_699_999_700.0, NOW, 1_700_000_300.9] {
            assert!(checked(&headers, now).is_ok(), "{now}");
        }
        for now in [
            1_699_999_699.9,
            1_700_000_301.0,
            0.0,
            f64::NAN,
            f64::INFINITY,
        ] {
            assert_eq!(checked(&headers, now), Err(NoncedFault::Stale), "{now}");
        }
    }

    #[test]
    fn each_header_must_be_there_and_in_order() {
        let good = headers(1_700_000_000);
        for at in 0..good.len() {
            let mut fewer = good.to_vec();
            let (name, _) = fewer.remove(at);
            assert_eq!(checked(&fewer, NOW), Err(NoncedFault::MissingHeader(name)));
        }
        let with_hotkey = format!("n:{}:1", good[0].1);
        let long = "n".repeat(MAX_NONCE + 1);
        let bad: [(usize, &[&str]); 4] = [
            (0, &["", "5F", "x"]),
            (1, &["", "0x", "0x0", &good[1].1[1..], "g"]),
            (2, &["", "a b", "é", "a\tb", &long, &with_hotkey]),
            (3, &["", "1.5", "+1700000000", "01700000000", "1e9", "now"]),
        ];
        for (at, values) in bad {
            for value in values {
                let mut headers = good.clone();
                (*value).clone_into(&mut headers[at].1);
                let fault = checked(&headers, NOW);
                let expected = NoncedFault::MalformedHeader(headers[at].0);
                assert_eq!(fault, Err(expected), "{value}");
            }
        }
    }
}
