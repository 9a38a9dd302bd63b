//! Who sends a request. Written without the host's code, so that each checks the
//! other.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use subxt_signer::sr25519::{PublicKey, Signature, verify};

/// How far a timestamp may be from the clock, in seconds.
const FRESH_SECONDS: f64 = 300.0;

const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A sender; without signatures, whatever it says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) uid: Option<i64>,
    pub(crate) hotkey: Option<String>,
}

impl Caller {
    /// What the headers say, true or not.
    pub(crate) fn claimed(headers: &HeaderMap) -> Self {
        Caller {
            uid: header(headers, "validator-uid").and_then(|uid| uid.parse().ok()),
            hotkey: header(headers, "validator-hotkey").map(str::to_owned),
        }
    }

    /// The sender of a request whose signature holds, at the time `now` in seconds
    /// since the Unix epoch; or why it does not.
    pub(crate) fn verified(headers: &HeaderMap, body: &[u8], now: f64) -> Result<Self, String> {
        let need = |name| header(headers, name).ok_or_else(|| format!("header {name} is required"));
        need("validator-uid")?
            .parse::<i64>()
            .map_err(|_| "validator-uid is no number")?;
        let key = public_key(need("validator-hotkey")?).ok_or("validator-hotkey is no address")?;
        let timestamp = need("timestamp")?;
        let nanoseconds: u64 = timestamp.parse().map_err(|_| "timestamp is no number")?;
        let age = now - nanoseconds as f64 / 1e9;
        if age.abs() > FRESH_SECONDS {
            return Err(format!("timestamp is {age:.0} s old"));
        }
        let signature = signature(need("signature")?).ok_or("signature is not 64 bytes of hex")?;
        let message = format!("{}.{timestamp}", hex::encode(Sha256::digest(body)));
        if !verify(&signature, message, &key) {
            return Err("signature does not match".to_owned());
        }
        Ok(Caller::claimed(headers))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn signature(text: &str) -> Option<Signature> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    Some(Signature(bytes.try_into().ok()?))
}

/// The key in an SS58 address of any network. Its checksum is left alone: a key that
/// was mistyped does not fit the signature.
fn public_key(address: &str) -> Option<PublicKey> {
    let bytes = base58(address)?;
    let prefix = if *bytes.first()? < 64 { 1 } else { 2 };
    let (key, checksum) = bytes.get(prefix..)?.split_first_chunk::<32>()?;
    (checksum.len() == 2).then_some(PublicKey(*key))
}

fn base58(text: &str) -> Option<Vec<u8>> {
    // Quadratic, so not for any length.
    if text.len() > 64 {
        return None;
    }
    let zeros = text.chars().take_while(|letter| *letter == '1').count();
    // The last byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for letter in text.chars() {
        let mut carry = BASE58.find(letter)?;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry % 256) as u8;
            carry /= 256;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    Some(bytes)
}

/// The key of `/get-api-key`. Nothing has to be remembered of it.
pub(crate) fn api_key(uid: i64, hotkey: &str) -> String {
    let check = hex::encode(Sha256::digest(format!("dev storage {uid} {hotkey}")));
    format!("dev.{uid}.{hotkey}.{}", check.get(..16).unwrap_or_default())
}

/// Whose key of `/get-api-key` the header `Authorization` is.
pub(crate) fn key_holder(headers: &HeaderMap) -> Option<Caller> {
    let key = header(headers, "authorization")?;
    let mut parts = key.split('.').skip(1);
    let (uid, hotkey) = (parts.next()?.parse().ok()?, parts.next()?);
    (api_key(uid, hotkey) == key).then(|| Caller {
        uid: Some(uid),
        hotkey: Some(hotkey.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_their_keys() {
        let alice = public_key("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY").unwrap();
        assert_eq!(
            hex::encode(alice.0),
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
        );
        // The same key on Polkadot, whose prefix is 0.
        let alice = public_key("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5").unwrap();
        assert_eq!(
            hex::encode(alice.0),
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
        );
        for wrong in [
            "",
            "1",
            "5Grw",
            "0OIl",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQYz",
        ] {
            assert!(public_key(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_api_key_tells_its_holder() {
        let holder = |key: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", key.parse().unwrap());
            key_holder(&headers)
        };
        let key = api_key(-1, "5Grw");
        let caller = holder(&key).unwrap();
        assert_eq!(
            (caller.uid, caller.hotkey.as_deref()),
            (Some(-1), Some("5Grw"))
        );
        assert_eq!(holder(&key.replace("-1", "7")), None);
        assert_eq!(holder("secret"), None);
    }
}
