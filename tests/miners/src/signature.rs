//! Who sends a request. Written without the host's code, so that each checks the
//! other.

use crate::http::Request;
use sha2::{Digest, Sha256};
use subxt_signer::sr25519::{PublicKey, Signature, verify};
use subxt_utils_accountid32::AccountId32;

/// Checks a request to `hotkey`, by the headers of `btauth/1` or those of a dendrite,
/// and that its nonce `is_new`. Of a dendrite's, what the headers say is the hash of
/// the body is believed: only the synapse's author knows which fields it is of. The
/// clock is not looked at.
///
/// Tells the sender's hotkey, or what is wrong.
pub(crate) fn check(
    request: &Request,
    hotkey: &str,
    is_new: impl Fn(&str) -> bool,
) -> Result<String, String> {
    let need = |name: &str| {
        let value = request.headers.get(name).map(String::as_str);
        value.ok_or_else(|| format!("header {name} is required"))
    };
    let is_dendrite = request.headers.contains_key("bt_header_dendrite_hotkey");
    let (sender, nonce, receiver, signature, message);
    if is_dendrite {
        sender = need("bt_header_dendrite_hotkey")?;
        nonce = need("bt_header_dendrite_nonce")?;
        receiver = need("bt_header_axon_hotkey")?;
        signature = need("bt_header_dendrite_signature")?;
        let (uuid, hash) = (
            need("bt_header_dendrite_uuid")?,
            need("computed_body_hash")?,
        );
        message = format!("{nonce}.{sender}.{receiver}.{uuid}.{hash}");
    } else {
        if need("x-bittensor-version")? != "1" {
            return Err("x-bittensor-version is not 1".to_owned());
        }
        sender = need("x-bittensor-hotkey")?;
        nonce = need("x-bittensor-nonce")?;
        receiver = need("x-bittensor-receiver")?;
        signature = need("x-bittensor-signature")?;
        let hash = hex::encode(Sha256::digest(&request.body));
        let (method, path) = (&request.method, &request.path);
        message =
            format!("btauth/1\nsr25519\n{method}\n{path}\n{hash}\n{nonce}\n{sender}\n{receiver}");
    }
    if receiver != hotkey {
        return Err(format!("signed for {receiver}"));
    }
    nonce.parse::<u64>().map_err(|_| "the nonce is no number")?;
    let key: AccountId32 = sender.parse().map_err(|_| "the sender is no hotkey")?;
    let hex = signature.strip_prefix("0x").unwrap_or(signature);
    let bytes = hex::decode(hex)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    let signature = Signature(bytes.ok_or("the signature is not 64 bytes of hex")?);
    if !verify(&signature, message, &PublicKey(key.0)) {
        return Err("the signature does not match".to_owned());
    }
    if !is_new(&format!("{sender} {nonce}")) {
        return Err("the nonce was used before".to_owned());
    }
    Ok(sender.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::miner::hotkey;
    use std::cell::Cell;
    use subxt_signer::sr25519::dev;

    fn signed() -> Request {
        let sender = dev::alice().public_key().to_account_id().to_string();
        let receiver = hotkey(0).unwrap();
        let body = br#"{"n": 1}"#;
        let hash = hex::encode(Sha256::digest(body));
        let text = format!("btauth/1\nsr25519\nPOST\n/Echo\n{hash}\n7\n{sender}\n{receiver}");
        let signature = dev::alice().sign(text.as_bytes());
        let headers = [
            ("version", "1".to_owned()),
            ("hotkey", sender),
            ("nonce", "7".to_owned()),
            ("receiver", receiver),
            ("signature", format!("0x{}", hex::encode(signature.0))),
        ];
        Request {
            method: "POST".into(),
            path: "/Echo".into(),
            headers: headers
                .map(|(name, value)| (format!("x-bittensor-{name}"), value))
                .into(),
            body: body.to_vec(),
        }
    }

    #[test]
    fn a_signature_is_of_all_of_a_request_and_for_one_receiver() {
        let me = hotkey(0).unwrap();
        let check = |request: &Request| check(request, &me, |_| true);
        let sender = dev::alice().public_key().to_account_id().to_string();
        assert_eq!(check(&signed()), Ok(sender));
        let wrong = |change: fn(&mut Request)| {
            let mut request = signed();
            change(&mut request);
            check(&request).unwrap_err()
        };
        let no_match = "the signature does not match";
        assert_eq!(wrong(|request| request.body.push(b' ')), no_match);
        assert_eq!(wrong(|request| request.path.push('/')), no_match);
        let other = wrong(|request| {
            let receiver = hotkey(1).unwrap();
            let headers = &mut request.headers;
            headers.insert("x-bittensor-receiver".into(), receiver);
        });
        assert!(other.starts_with("signed for 5"), "{other}");
        let missing = wrong(|request| request.headers.clear());
        assert_eq!(missing, "header x-bittensor-version is required");
    }

    #[test]
    fn a_nonce_is_taken_once_and_not_for_what_is_not_signed() {
        let me = hotkey(0).unwrap();
        let asked = Cell::new(0);
        let is_new = |_: &str| asked.replace(asked.get() + 1) == 0;
        let mut forged = signed();
        forged.body.clear();
        assert!(check(&forged, &me, is_new).is_err());
        assert_eq!(asked.get(), 0);
        assert!(check(&signed(), &me, is_new).is_ok());
        let replayed = check(&signed(), &me, is_new);
        assert_eq!(replayed.unwrap_err(), "the nonce was used before");
    }
}
