//! Hotkeys: who signs, and who signed.
//!
//! What is secret is cleared when it is dropped: the bytes of key files, passwords,
//! what is derived of them, seeds. A [`Hotkey`] is `schnorrkel`'s pair, which clears
//! itself, and so does each clone. What is out of reach is this: `subxt-signer` takes
//! seeds by value and does not clear the copies on its stack, nor what it makes of a
//! mnemonic before it is a key; and neither the environment nor the pages that the
//! system swapped out can be cleared at all.

mod file;

use super::password::{self, Passwords};
use super::ss58;
use crate::config::Wallet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use subxt_signer::sr25519::{Keypair, PublicKey, Signature};
use subxt_signer::{DeriveJunction, SecretUri};
use zeroize::Zeroizing;

/// How a key file begins that the Bittensor wallet encrypted.
const ENCRYPTED: &[u8] = b"$NACL";

/// How those begin that older ones encrypted, with what, and what to do.
const OLD: [(&[u8], &str, &str); 2] = [
    (
        b"$ANSIBLE_VAULT",
        "Ansible Vault",
        "in Python, `k = bittensor_wallet.Keyfile(\"<the file>\")`, `k.decrypt()` and \
         `k.encrypt()` encrypt it anew",
    ),
    (
        b"gAAAAA",
        "Fernet",
        "make it anew of its mnemonic with `btcli wallet regen-hotkey`",
    ),
];

/// Most bytes of a key file; those of the wallet have about 600.
const MAX_FILE: u64 = 65_536;

/// A key that signs, and its address.
///
/// Its secret is never shown, and is cleared when it is dropped.
#[derive(Clone)]
pub struct Hotkey {
    pair: Keypair,
    address: String,
}

/// Why there is no [`Hotkey`]. No message has anything of a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not a secret.
    #[error("the secret is not a mnemonic, `0x` and 64 hex digits, or `//Name` of a test key")]
    InvalidUri,
    /// The path begins with `~`, and there is no home directory.
    #[error("{} needs the variable HOME", path.display())]
    NoHome {
        /// The path as given.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the hotkey {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is encrypted in a way of old that is not read.
    #[error("the hotkey {} is encrypted with {with}, which is not read: {todo}", path.display())]
    OldEncryption {
        /// The file.
        path: PathBuf,
        /// What it is encrypted with.
        with: &'static str,
        /// How to make a file of it that is read.
        todo: &'static str,
    },
    /// The file is encrypted, and there is no password.
    #[error(
        "the hotkey {} is encrypted: put its password into a file and set \
         wallet.password_file, or into the variable PROCTOR_WALLET_PASSWORD, or start at a \
         terminal to be asked",
        path.display()
    )]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// The file of `wallet.password_file` cannot be read, or has no password.
    #[error("cannot read the password in {}", path.display())]
    PasswordFile {
        /// The file with the password.
        path: PathBuf,
        /// What the system says, or what is wrong with the content.
        source: io::Error,
    },
    /// The wallet's variable has something else than what the wallet writes.
    #[error("the variable {name} is not a password as the Bittensor wallet writes it")]
    PasswordVariable {
        /// The variable.
        name: String,
    },
    /// The terminal cannot be asked.
    #[error("cannot ask for the password of the hotkey {}", path.display())]
    Ask {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is not the memory that the key file's encryption wants.
    #[error("no 512 MiB of memory to decrypt the hotkey {} with", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
    },
    /// The password is another's, or the file was changed or cut off.
    #[error("the password is not that of the hotkey {}, or the file is damaged", path.display())]
    WrongPassword {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a JSON object of the wallet, nor a mnemonic or a seed.
    #[error("the hotkey {} is not a key file of the Bittensor wallet", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
    },
    /// The key is not of sr25519.
    #[error("the hotkey {} is not a key of sr25519 (`cryptoType` 1)", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
    },
    /// The file has only the public part of a key, or its `privateKey`, which is not read.
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

    /// The hotkey of a wallet; none if no wallet is named. As [`load`](Self::load), but
    /// the password may be in a file.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and [`KeyError::PasswordFile`].
    pub fn open(wallet: &Wallet) -> Result<Option<Self>, KeyError> {
        let Some(name) = &wallet.name else {
            return Ok(None);
        };
        let passwords = Passwords::of_process(wallet.password_file.as_deref());
        read(&wallet.path, name, &wallet.hotkey, &passwords).map(Some)
    }

    /// Reads `<wallets>/<name>/hotkeys/<hotkey>`, as the Bittensor wallet lays it
    /// out. A `~` at the start of `wallets` is the home directory.
    ///
    /// The file's `secretSeed` counts, else its `secretPhrase`; or it is nothing but a
    /// mnemonic or a seed. Warns if every user of the system may read it.
    ///
    /// If it is encrypted its password is in the variable `PROCTOR_WALLET_PASSWORD` or
    /// in the one of the Bittensor wallet, `BT_PW_<PATH>`, else whoever sits at the
    /// terminal is asked. Decrypting takes 512 MiB and some seconds, in which the
    /// thread is blocked.
    ///
    /// # Errors
    ///
    /// Every [`KeyError`] but `InvalidUri` and `PasswordFile`; each names the file.
    pub fn load(wallets: &Path, name: &str, hotkey: &str) -> Result<Self, KeyError> {
        read(wallets, name, hotkey, &Passwords::of_process(None))
    }

    /// The address, in SS58 with prefix 42.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The public key, which is the account on chain.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.pair.public_key().0
    }

    /// A secret of this key for one purpose, the same each time.
    #[must_use]
    pub(crate) fn derived(&self, purpose: &str) -> [u8; 32] {
        // Of a hard junction nobody else knows even the public part.
        let junction = DeriveJunction::hard(purpose);
        self.pair.derive([junction]).public_key().0
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

fn read(
    wallets: &Path,
    name: &str,
    hotkey: &str,
    passwords: &Passwords<'_>,
) -> Result<Hotkey, KeyError> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let path = under_home(wallets, home)?
        .join(name)
        .join("hotkeys")
        .join(hotkey);
    let content = match read_secret(&path, MAX_FILE) {
        Ok(content) => content,
        Err(source) => return Err(KeyError::Read { path, source }),
    };
    if let Some((_, with, todo)) = OLD.iter().find(|(start, ..)| content.starts_with(start)) {
        return Err(KeyError::OldEncryption { path, with, todo });
    }
    let Some(sealed) = content.strip_prefix(ENCRYPTED) else {
        return file::parse(&content, &path);
    };
    let password = passwords.of(&path)?;
    let Some(key) = password::derive(&password) else {
        return Err(KeyError::Memory { path });
    };
    match password::open(sealed, &key) {
        Some(content) => file::parse(&content, &path),
        None => Err(KeyError::WrongPassword { path }),
    }
}

/// The content of a file with a secret, in one place that is cleared. Warns if every
/// user of the system may read the file.
pub(super) fn read_secret(path: &Path, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    if is_world_readable(&file)? {
        tracing::warn!(
            path = %path.display(),
            "every user of this system may read this secret; its mode should be 0600"
        );
    }
    // With room for more than is read, as it would leave a copy behind by growing.
    let room = usize::try_from(most).unwrap_or_default().saturating_add(64);
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > most {
        let problem = format!("it has more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(content)
}

/// A path whose leading `~` is the home directory.
pub(super) fn under_home(path: &Path, home: Option<PathBuf>) -> Result<PathBuf, KeyError> {
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
fn is_world_readable(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_world_readable(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests;
