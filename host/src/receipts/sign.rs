//! Who signs receipts and heads, and what is signed.

use super::tree::{Tree, TreeError};
use crate::canonical::{self, digest};
use crate::chain::{Hotkey, verify};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Which form a head has.
const VERSION: &str = "proctor-head-1";

/// The state of a day's tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// The last head of the last day before that has one.
    pub previous: Option<PreviousHead>,
    /// The root of the tree, 64 lower-case hexadecimal digits.
    pub root: String,
    /// How many leaves it has.
    pub size: u64,
    /// `proctor-head-1`.
    pub version: String,
}

/// The state of an earlier day's tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviousHead {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// The root of its tree.
    pub root: String,
    /// How many leaves it has.
    pub size: u64,
}

impl Head {
    /// The head of a tree with these leaves: ids of receipts, in order.
    ///
    /// # Errors
    ///
    /// An id is none.
    pub fn of(
        day: &str,
        leaves: &[String],
        previous: Option<PreviousHead>,
    ) -> Result<Head, TreeError> {
        let tree = Tree::of(leaves)?;
        Ok(Head {
            day: day.to_owned(),
            previous,
            root: tree.root(),
            size: tree.size(),
            version: VERSION.to_owned(),
        })
    }

    /// The canonical text, whose digest is signed.
    ///
    /// # Errors
    ///
    /// None that is known of.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        canonical::to_string(self)
    }
}

/// A head and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// What it says.
    pub head: Head,
    /// The signature over `proctor-head-1:<digest of the head>`, sr25519, 128 lower-case
    /// hexadecimal digits.
    pub signature: String,
    /// Whose: an address, SS58 with prefix 42.
    pub signer: String,
}

/// Why there is nobody to sign.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The deployment's own key can neither be read nor made.
    #[error("the key of receipts, {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Signs receipts.
#[derive(Debug, Clone)]
pub struct Signer(Hotkey);

impl Signer {
    /// The host's hotkey; without one a key of the deployment's own, which is made once
    /// and kept in `receipts.key` of the data directory.
    ///
    /// # Errors
    ///
    /// See [`SignerError`].
    pub fn open(hotkey: Option<Hotkey>, data_dir: &Path) -> Result<Self, SignerError> {
        if let Some(hotkey) = hotkey {
            return Ok(Signer(hotkey));
        }
        let path = data_dir.join("receipts.key");
        let key = own_key(&path).map_err(|source| SignerError::File { path, source })?;
        Ok(Signer(key))
    }

    /// The address of the key.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.address()
    }

    /// The digest of a text that must not be guessed by it: nobody comes to it who does
    /// not have the key.
    #[must_use]
    pub fn secret_digest(&self, text: &str) -> String {
        let secret = Zeroizing::new(self.0.derived("proctor-receipts"));
        digest(Zeroizing::new([&secret[..], text.as_bytes()].concat()))
    }

    /// Signs a receipt, told by its id: 128 hexadecimal digits.
    #[must_use]
    pub fn sign_receipt(&self, id: &str) -> String {
        hex::encode(self.0.sign(receipt_message(id).as_bytes()))
    }

    /// Signs a head.
    ///
    /// # Errors
    ///
    /// None that is known of.
    pub fn sign_head(&self, head: Head) -> Result<SignedHead, serde_json::Error> {
        let message = head_message(&head.text()?);
        Ok(SignedHead {
            signature: hex::encode(self.0.sign(message.as_bytes())),
            signer: self.address().to_owned(),
            head,
        })
    }
}

impl From<Hotkey> for Signer {
    fn from(hotkey: Hotkey) -> Self {
        Signer(hotkey)
    }
}

/// Whether this is `signer`'s signature of a receipt, told by its id.
#[must_use]
pub fn signs_receipt(id: &str, signer: &str, signature: &str) -> bool {
    signs(&receipt_message(id), signer, signature)
}

/// Whether the signature of a head is its signer's.
#[must_use]
pub fn signs_head(signed: &SignedHead) -> bool {
    let text = signed.head.text();
    text.is_ok_and(|text| signs(&head_message(&text), &signed.signer, &signed.signature))
}

fn receipt_message(id: &str) -> String {
    format!("proctor-receipt-1:{id}")
}

fn head_message(text: &str) -> String {
    format!("{VERSION}:{}", digest(text))
}

fn signs(message: &str, signer: &str, signature: &str) -> bool {
    let mut bytes = [0; 64];
    let is_canonical = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    is_canonical
        && hex::decode_to_slice(signature, &mut bytes).is_ok()
        && verify(signer, message.as_bytes(), &bytes)
}

/// Reads the deployment's own key, or makes it.
fn own_key(path: &Path) -> io::Result<Hotkey> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            Hotkey::from_uri(text.trim()).map_err(io::Error::other)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let seed = Zeroizing::new(rand::random::<[u8; 32]>());
            let text = Zeroizing::new(format!("0x{}", hex::encode(*seed)));
            // Whole or not at all, so that a host that is killed here has none.
            let unfinished = path.with_extension("key.new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            if let Some(directory) = path.parent() {
                File::open(directory)?.sync_all()?;
            }
            let key = Hotkey::from_uri(&text).map_err(io::Error::other)?;
            let signer = key.address();
            tracing::info!(
                signer,
                "no wallet: receipts are signed with a key of their own"
            );
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_receipt_and_one_signer() {
        let alice = Signer::from(Hotkey::from_uri("//Alice").unwrap());
        let bob = Hotkey::from_uri("//Bob").unwrap();
        let (id, other) = (digest("a"), digest("b"));
        let signature = alice.sign_receipt(&id);
        assert!(signs_receipt(&id, alice.address(), &signature));
        assert!(!signs_receipt(&other, alice.address(), &signature));
        assert!(!signs_receipt(&id, bob.address(), &signature));
        assert!(!signs_receipt(
            &id,
            alice.address(),
            &signature.to_uppercase()
        ));
        assert!(!signs_receipt(&id, alice.address(), ""));
    }

    #[test]
    fn a_secret_digest_is_the_same_each_time_and_another_with_another_key() {
        let of = |uri: &str| {
            let signer = Signer::from(Hotkey::from_uri(uri).unwrap());
            signer.secret_digest("{}")
        };
        assert_eq!(of("//Alice"), of("//Alice"));
        assert_ne!(of("//Alice"), of("//Bob"));
        assert_ne!(of("//Alice"), digest("{}"));
    }

    #[test]
    fn a_head_that_is_changed_is_not_signed() {
        let signer = Signer::from(Hotkey::from_uri("//Alice").unwrap());
        let head = Head::of("2026-08-22", &[digest("a")], None).unwrap();
        let signed = signer.sign_head(head).unwrap();
        assert!(signs_head(&signed));
        let mut other = signed.clone();
        other.head.size += 1;
        assert!(!signs_head(&other));
    }

    #[test]
    fn the_deployments_own_key_is_made_once_and_is_its_own_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let open = || Signer::open(None, directory.path()).unwrap();
        let first = open();
        assert_eq!(open().address(), first.address());
        let path = directory.path().join("receipts.key");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, "nonsense").unwrap();
        let error = Signer::open(None, directory.path()).unwrap_err();
        assert!(error.to_string().contains("receipts.key"));
    }
}
