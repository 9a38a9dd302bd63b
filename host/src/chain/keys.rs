//! Hotkeys: who signs, and who signed.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use subxt_signer::sr25519::{Keypair, PublicKey, SecretKeyBytes, Signature};
use subxt_signer::{ExposeSecret, SecretString, SecretUri, bip39};

use super::ss58;

/// How files begin that the Bittensor wallet encrypted: by itself, with Ansible, or
/// with Fernet.
const ENCRYPTED: [&[u8]; 3] = [b"$NACL", b"$ANSIBLE_VAULT", b"gAAAAA"];

/// A key that signs, and its address.
///
/// Its secret is never shown, and is cleared when it is dropped.
#[derive(Clone)]
pub struct Hotkey {
    pair: Keypair,
    address: String,
}

/// Why there is no [`Hotkey`]. No message has anything of the secret in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not a secret.
    #[error("the secret is not a mnemonic, `0x` and 64 hex digits, or `//Name` of a test key")]
    InvalidUri,
    /// The folder of wallets begins with `~`, and there is no home directory.
    #[error("{} needs the variable HOME", path.display())]
    NoHome {
        /// The folder as given.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the hotkey {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is encrypted.
    #[error("the hotkey {} is encrypted; hotkeys must be unencrypted", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a JSON object of the wallet.
    #[error("the hotkey {} is not a key file of the Bittensor wallet", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
    },
    /// The file has only the public part of a key.
    #[error("the hotkey {} has neither `secretSeed` nor `secretPhrase`", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
    },
    /// The secret in the file is malformed.
    #[error("`{field}` in the hotkey {} is not valid", path.display())]
    InvalidSecret {
        /// The file.
        path: PathBuf,
        /// `secretSeed` or `secretPhrase`.
        field: &'static str,
    },
    /// The secret in the file is another key's.
    #[error("the hotkey {} says that it is {stated}, but its secret is that of {actual}", path.display())]
    OtherAddress {
        /// The file.
        path: PathBuf,
        /// `ss58Address` in the file.
        stated: String,
        /// The address of the secret.
        actual: String,
    },
}

/// What the wallet writes; of it only what is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFile<'a> {
    #[serde(borrow)]
    secret_seed: Option<Cow<'a, str>>,
    #[serde(borrow)]
    secret_phrase: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ss58Address")]
    address: Option<Cow<'a, str>>,
}

impl Hotkey {
    /// The key of a secret: a mnemonic, `0x` and the 64 hex digits of a seed, or
    /// none for the public test mnemonic, each with a path as in `//Alice`.
    ///
    /// # Errors
    ///
    /// [`KeyError::InvalidUri`].
    pub fn from_uri(uri: &str) -> Result<Self, KeyError> {
        let uri: SecretUri = uri.parse().map_err(|_| KeyError::InvalidUri)?;
        let pair = Keypair::from_uri(&uri).map_err(|_| KeyError::InvalidUri)?;
        Ok(pair.into())
    }

    /// Reads `<wallets>/<name>/hotkeys/<hotkey>`, as the Bittensor wallet lays it
    /// out. A `~` at the start of `wallets` is the home directory.
    ///
    /// The file must not be encrypted. Its `secretSeed` counts, else its
    /// `secretPhrase`. Warns if every user of the system may read it.
    ///
    /// # Errors
    ///
    /// Every [`KeyError`] but `InvalidUri`; each names the file.
    pub fn load(wallets: &Path, name: &str, hotkey: &str) -> Result<Self, KeyError> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = under_home(wallets, home)?
            .join(name)
            .join("hotkeys")
            .join(hotkey);
        let read = |source| KeyError::Read {
            path: path.clone(),
            source,
        };
        let bytes = std::fs::read(&path).map_err(read)?;
        if ENCRYPTED.iter().any(|start| bytes.starts_with(start)) {
            return Err(KeyError::Encrypted { path });
        }
        if is_world_readable(&path).map_err(read)? {
            tracing::warn!(
                path = %path.display(),
                "every user of this system may read the hotkey; its mode should be 0600"
            );
        }
        let Ok(text) = String::from_utf8(bytes).map(SecretString::from) else {
            return Err(KeyError::Parse { path });
        };
        // The parser's own message may quote what it read.
        let Ok(file) = serde_json::from_str::<KeyFile<'_>>(text.expose_secret()) else {
            return Err(KeyError::Parse { path });
        };
        let hotkey = match file.secret() {
            Some(Ok(hotkey)) => hotkey,
            Some(Err(field)) => return Err(KeyError::InvalidSecret { path, field }),
            None => return Err(KeyError::NoSecret { path }),
        };
        match present(&file.address) {
            Some(stated) if stated != hotkey.address => Err(KeyError::OtherAddress {
                path,
                stated: stated.to_owned(),
                actual: hotkey.address,
            }),
            _ => Ok(hotkey),
        }
    }

    /// The address, in SS58 with prefix 42.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Signs with sr25519 in the context `substrate`. Two signatures of the same
    /// message differ.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).0
    }
}

impl From<Keypair> for Hotkey {
    fn from(pair: Keypair) -> Self {
        let address = ss58::encode(&pair.public_key().0);
        Self { pair, address }
    }
}

impl fmt::Debug for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hotkey").field(&self.address).finish()
    }
}

/// Whether the key of an address signed this message, with sr25519 in the context
/// `substrate`.
///
/// False also for what is not an address in SS58 with prefix 42, and for bytes that
/// are no signature.
#[must_use]
pub fn verify(address: &str, message: &[u8], signature: &[u8; 64]) -> bool {
    ss58::decode(address).is_some_and(|public| {
        subxt_signer::sr25519::verify(&Signature(*signature), message, &PublicKey(public))
    })
}

impl KeyFile<'_> {
    /// The key, or the field that should have given it.
    fn secret(&self) -> Option<Result<Hotkey, &'static str>> {
        if let Some(seed) = present(&self.secret_seed) {
            let mut bytes = SecretKeyBytes::default();
            let pair = hex::decode_to_slice(seed.trim_start_matches("0x"), &mut bytes)
                .ok()
                .and_then(|()| Keypair::from_secret_key(bytes).ok());
            return Some(pair.map(Hotkey::from).ok_or("secretSeed"));
        }
        let phrase = present(&self.secret_phrase)?;
        let pair = bip39::Mnemonic::parse(phrase)
            .ok()
            .and_then(|phrase| Keypair::from_phrase(&phrase, None).ok());
        Some(pair.map(Hotkey::from).ok_or("secretPhrase"))
    }
}

/// A field that is given; the wallet also writes null.
fn present<'a>(field: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    field.as_deref().filter(|text| !text.is_empty())
}

fn under_home(path: &Path, home: Option<PathBuf>) -> Result<PathBuf, KeyError> {
    let Ok(rest) = path.strip_prefix("~") else {
        return Ok(path.to_owned());
    };
    match home.filter(|home| !home.as_os_str().is_empty()) {
        Some(home) => Ok(home.join(rest)),
        None => Err(KeyError::NoHome {
            path: path.to_owned(),
        }),
    }
}

#[cfg(unix)]
fn is_world_readable(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_world_readable(_: &Path) -> std::io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    /// Alice's secret as a seed, and the mnemonic that test keys are derived from, with
    /// the address of the key without a path.
    const SEED: &str = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
    const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    const ROOT: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";

    /// Loads a hotkey whose file has this content.
    fn load(content: impl AsRef<[u8]>) -> Result<Hotkey, KeyError> {
        let wallets = tempfile::tempdir().unwrap();
        let folder = wallets.path().join("w/hotkeys");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("h"), content).unwrap();
        Hotkey::load(wallets.path(), "w", "h")
    }

    fn refusal(content: impl AsRef<[u8]>) -> String {
        let message = load(content).unwrap_err().to_string();
        assert!(message.contains("w/hotkeys/h"), "{message}");
        message
    }

    #[test]
    fn a_secret_is_a_test_name_a_mnemonic_or_a_seed() {
        for uri in ["//Alice", SEED, &format!("{PHRASE}//Alice")] {
            assert_eq!(Hotkey::from_uri(uri).unwrap().address(), ALICE);
        }
        let short = &SEED[..SEED.len() - 2];
        for uri in ["bottom drive obey", short, "0x", "\u{0}", "a-b"] {
            let error = Hotkey::from_uri(uri).unwrap_err();
            assert!(matches!(error, KeyError::InvalidUri), "{uri}");
        }
    }

    #[test]
    fn the_seed_counts_before_the_phrase() {
        let both = format!(r#"{{"secretPhrase": "{PHRASE}", "secretSeed": "{SEED}"}}"#);
        assert_eq!(load(both).unwrap().address(), ALICE);
        let phrase = format!(r#"{{"secretSeed": null, "secretPhrase": "{PHRASE}"}}"#);
        assert_eq!(load(phrase).unwrap().address(), ROOT);
    }

    #[test]
    fn a_whole_key_file_is_read() {
        let hotkey = load(format!(
            r#"{{"accountId": "0x00", "publicKey": "0x00", "privateKey": "0x00",
                 "secretPhrase": "", "secretSeed": "{SEED}", "ss58Address": "{ALICE}"}}"#
        ));
        assert_eq!(hotkey.unwrap().address(), ALICE);
    }

    #[test]
    fn an_address_that_is_not_the_secrets_is_refused() {
        let stated = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
        let message = refusal(format!(
            r#"{{"secretSeed": "{SEED}", "ss58Address": "{stated}"}}"#
        ));
        assert!(
            message.contains(stated) && message.contains(ALICE),
            "{message}"
        );
    }

    #[test]
    fn encrypted_hotkeys_are_refused_by_what_they_are() {
        let encrypted: [&[u8]; 3] = [
            b"$NACL\xff\xfe",
            b"$ANSIBLE_VAULT;1.1;AES256",
            b"gAAAAABmxyz",
        ];
        for content in encrypted {
            assert!(refusal(content).contains("hotkeys must be unencrypted"));
        }
    }

    #[test]
    fn refusals_say_what_is_wrong_but_nothing_of_the_secret() {
        let secret = "e5be9a5092b81bca64be";
        let cases = [
            (format!("0x{secret}"), "not a key file"),
            (format!(r#"["{secret}"]"#), "not a key file"),
            (
                format!(r#"{{"secretSeed": ["{secret}"]}}"#),
                "not a key file",
            ),
            (format!(r#"{{"secretSeed": "0x{secret}"}}"#), "`secretSeed`"),
            (
                format!(r#"{{"secretPhrase": "{secret}"}}"#),
                "`secretPhrase`",
            ),
            (format!(r#"{{"privateKey": "{secret}"}}"#), "neither"),
            (
                r#"{"secretSeed": "", "secretPhrase": null}"#.to_owned(),
                "neither",
            ),
        ];
        for (content, expected) in cases {
            let error = load(&content).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error:?} {error}").contains(secret), "{error:?}");
        }
        assert!(refusal(b"\xff").contains("not a key file"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Hotkey::load(folder.path(), "w", "h").unwrap_err();
        assert!(matches!(error, KeyError::Read { .. }));
        assert!(error.to_string().ends_with("w/hotkeys/h"), "{error}");
    }

    #[test]
    fn only_a_leading_tilde_is_the_home_directory() {
        let at = |path: &str| under_home(Path::new(path), Some("/home/u".into())).unwrap();
        assert_eq!(
            at("~/.bittensor/wallets"),
            Path::new("/home/u/.bittensor/wallets")
        );
        assert_eq!(at("/a/~/b"), Path::new("/a/~/b"));
        assert_eq!(at("~other/b"), Path::new("~other/b"));
        for home in [None, Some(PathBuf::new())] {
            let error = under_home(Path::new("~/b"), home).unwrap_err();
            assert_eq!(error.to_string(), "~/b needs the variable HOME");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_every_user_may_read_is_found() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, found) in [(0o600, false), (0o640, false), (0o644, true)] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), mode).unwrap();
            assert_eq!(is_world_readable(file.path()).unwrap(), found);
        }
    }

    #[test]
    fn a_hotkey_shows_only_its_address() {
        let hotkey = Hotkey::from_uri("//Alice").unwrap();
        assert_eq!(format!("{hotkey:?}"), format!("Hotkey({ALICE:?})"));
    }

    #[test]
    fn only_the_right_key_message_and_signature_verify() {
        let hotkey = Hotkey::from_uri("//Alice").unwrap();
        let signature = hotkey.sign(b"message");
        assert!(verify(ALICE, b"message", &signature));
        assert!(!verify(ALICE, b"massage", &signature));
        let bob = Hotkey::from_uri("//Bob").unwrap();
        assert!(!verify(bob.address(), b"message", &signature));
        for address in [
            "",
            "5F",
            &ALICE.replace("QY", "QZ"),
            "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
        ] {
            assert!(!verify(address, b"message", &signature), "{address}");
        }
        for i in 0..64 {
            let mut changed = signature;
            changed[i] ^= 1;
            assert!(!verify(ALICE, b"message", &changed), "{i}");
        }
        assert!(!verify(ALICE, b"message", &[0; 64]));
    }
}
