//! What is in a key file of the Bittensor wallet.

use super::{Hotkey, KeyError};
use serde::{Deserialize, Deserializer};
use std::path::Path;
use subxt_signer::bip39;
use subxt_signer::sr25519::{Keypair, SecretKeyBytes};
use zeroize::Zeroizing;

/// The kind of sr25519, the only one that signs for a subnet.
const SR25519: u8 = 1;

/// What the wallet writes; of it only what is needed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyFile {
    #[serde(deserialize_with = "secret")]
    secret_seed: Option<Zeroizing<String>>,
    #[serde(deserialize_with = "secret")]
    secret_phrase: Option<Zeroizing<String>>,
    #[serde(rename = "ss58Address")]
    address: Option<String>,
    crypto_type: Option<u8>,
}

/// A string that is cleared when it is dropped.
fn secret<'de, D>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.map(Zeroizing::new))
}

/// The key in the content of a key file: an object of the wallet, a mnemonic, or a
/// seed of `0x` and 64 hex digits.
pub(super) fn parse(content: &[u8], path: &Path) -> Result<Hotkey, KeyError> {
    let path = || path.to_owned();
    let text = std::str::from_utf8(content).map(str::trim);
    let Ok(text) = text else {
        return Err(KeyError::Parse { path: path() });
    };
    if !text.starts_with('{') {
        // A path alone, or nothing, is a key that everybody has.
        let own = Some(text).filter(|text| !text.is_empty() && !text.starts_with('/'));
        let hotkey = own.and_then(|text| Hotkey::from_uri(text).ok());
        return hotkey.ok_or_else(|| KeyError::Parse { path: path() });
    }
    // The parser's own message may quote what it read.
    let Ok(file) = serde_json::from_str::<KeyFile>(text) else {
        return Err(KeyError::Parse { path: path() });
    };
    if file.crypto_type.is_some_and(|kind| kind != SR25519) {
        return Err(KeyError::OtherKind { path: path() });
    }
    let hotkey = match file.secret() {
        Some(Ok(hotkey)) => hotkey,
        Some(Err(field)) => {
            return Err(KeyError::InvalidSecret {
                path: path(),
                field,
            });
        }
        None => return Err(KeyError::NoSecret { path: path() }),
    };
    match present(file.address.as_deref()) {
        Some(stated) if stated != hotkey.address() => Err(KeyError::OtherAddress {
            path: path(),
            stated: stated.to_owned(),
            actual: hotkey.address().to_owned(),
        }),
        _ => Ok(hotkey),
    }
}

impl KeyFile {
    /// The key, or the field that should have given it.
    fn secret(&self) -> Option<Result<Hotkey, &'static str>> {
        if let Some(seed) = present(self.secret_seed.as_ref().map(|seed| seed.as_str())) {
            let mut bytes = Zeroizing::new(SecretKeyBytes::default());
            let pair = hex::decode_to_slice(seed.trim_start_matches("0x"), &mut *bytes)
                .ok()
                .and_then(|()| Keypair::from_secret_key(*bytes).ok());
            return Some(pair.map(Hotkey::from).ok_or("secretSeed"));
        }
        let phrase = present(self.secret_phrase.as_ref().map(|phrase| phrase.as_str()))?;
        let pair = bip39::Mnemonic::parse(phrase)
            .ok()
            .and_then(|phrase| Keypair::from_phrase(&phrase, None).ok());
        Some(pair.map(Hotkey::from).ok_or("secretPhrase"))
    }
}

/// A field that is given; the wallet also writes null.
fn present(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}
