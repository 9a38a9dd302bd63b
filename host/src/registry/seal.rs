//! What is kept sealed, and the key, which is not in the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::{hmac, rand};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};

/// Length of the key, in bytes.
const KEY: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// The file is no key.
    #[error("{0} is no key: it must have 32 bytes")]
    Length(PathBuf),
    /// Others may read the key.
    #[error("{0} may be read by others: chmod 600")]
    Open(PathBuf),
    /// The system has no randomness, or the key is refused.
    #[error("cannot set up the cipher")]
    Cipher,
}

/// Seals with AES-256-GCM, and makes keyed hashes with HMAC-SHA-256. Both keys come
/// from the one in the file, by HKDF. Clones share it.
#[derive(Clone)]
pub struct Seal(Arc<Keys>);

struct Keys {
    cipher: RandomizedNonceKey,
    mac: hmac::Key,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Reads the key, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// See [`SealError`].
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let io_error = |error| SealError::Io {
            path: path.to_owned(),
            error,
        };
        match fs::metadata(path) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                return Err(SealError::Open(path.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = [0; KEY];
                rand::fill(&mut key).map_err(|_| SealError::Cipher)?;
                write_private(path, &key).map_err(io_error)?;
                tracing::info!(path = %path.display(), "made a key to seal secrets with: keep a copy");
            }
            Err(error) => return Err(io_error(error)),
        }
        let key = fs::read(path).map_err(io_error)?;
        if key.len() != KEY {
            return Err(SealError::Length(path.to_owned()));
        }
        Seal::new(&key)
    }

    fn new(key: &[u8]) -> Result<Self, SealError> {
        let secret = Salt::new(HKDF_SHA256, b"proctor registry").extract(key);
        let derive = |purpose: &'static [u8]| {
            let mut derived = [0; KEY];
            secret
                .expand(&[purpose], KeyLength)
                .and_then(|okm| okm.fill(&mut derived))
                .map(|()| derived)
                .map_err(|_| SealError::Cipher)
        };
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &derive(b"seal")?)
            .map_err(|_| SealError::Cipher)?;
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &derive(b"mac")?);
        Ok(Seal(Arc::new(Keys { cipher, mac })))
    }

    /// Seals a text for a place, `context`: put elsewhere it cannot be opened.
    ///
    /// # Errors
    ///
    /// [`SealError::Cipher`].
    pub fn seal(&self, context: &str, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = clear.to_vec();
        let nonce = self
            .0
            .cipher
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut sealed)
            .map_err(|_| SealError::Cipher)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made. Returns nothing if it was made with
    /// another key, for another place, or changed since.
    pub fn unseal(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let aad = Aad::from(context.as_bytes());
        let clear = self.0.cipher.open_in_place(nonce, aad, &mut text).ok()?;
        Some(clear.to_vec())
    }

    /// A keyed hash, HMAC-SHA-256.
    pub fn mac(&self, bytes: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0.mac, bytes).as_ref().to_vec()
    }

    /// Whether a keyed hash is of these bytes; in constant time.
    pub fn is_mac_of(&self, mac: &[u8], bytes: &[u8]) -> bool {
        hmac::verify(&self.0.mac, bytes, mac).is_ok()
    }
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY
    }
}

/// Writes a file that only its owner may read; it must not be there.
///
/// # Errors
///
/// The file is there, or cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_with_its_key_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let seal = Seal::open(&path).unwrap();
        let sealed = seal.seal("a/b", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(seal.seal("a/b", b"secret").unwrap(), sealed);
        let same = Seal::open(&path).unwrap();
        assert_eq!(same.unseal("a/b", &sealed).unwrap(), b"secret");
        assert_eq!(same.unseal("a/c", &sealed), None);
        assert_eq!(same.unseal("a/b", &sealed[..5]), None);
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(same.unseal("a/b", &changed), None);
        let other = Seal::open(&directory.path().join("other")).unwrap();
        assert_eq!(other.unseal("a/b", &sealed), None);
        assert!(same.is_mac_of(&seal.mac(b"x"), b"x"));
        assert!(!other.is_mac_of(&seal.mac(b"x"), b"x"));
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_short_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, [0; KEY]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Seal::open(&path), Err(SealError::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Seal::open(&path).unwrap();
        fs::write(&path, [0; 7]).unwrap();
        assert!(matches!(Seal::open(&path), Err(SealError::Length(_))));
    }
}
