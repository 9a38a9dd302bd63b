//! Encrypted key files, and where their passwords come from.

use super::keys::{KeyError, read_secret, under_home};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Key, Nonce, Tag, XSalsa20Poly1305};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{MAIN_SEPARATOR, Path};
use zeroize::{Zeroize, Zeroizing};

/// The variable that has the password of the hotkey.
const VARIABLE: &str = "PROCTOR_WALLET_PASSWORD";

/// Most bytes of a file with a password.
const MAX_PASSWORD: u64 = 4_096;

/// Of every encrypted key file, as the Bittensor wallet has it.
const SALT: [u8; 16] = [
    0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1,
];

/// What libsodium calls sensitive for Argon2i: 8 passes over 512 MiB, in KiB.
const PASSES: u32 = 8;
const MEMORY: u32 = 512 * 1_024;

/// Bytes that are cleared when they are dropped.
type Secret = Zeroizing<Vec<u8>>;

/// Where the password of a hotkey may be, in this order.
///
/// A password that was found and is wrong ends the search: it is a mistake, and each
/// attempt takes seconds.
pub(super) struct Passwords<'a> {
    /// The file of `wallet.password_file`.
    pub(super) file: Option<&'a Path>,
    /// A variable of the environment.
    pub(super) variable: fn(&str) -> Option<OsString>,
    /// Asks for the password of a key file; none if there is nobody to ask.
    pub(super) ask: fn(&Path) -> io::Result<Option<Secret>>,
}

impl<'a> Passwords<'a> {
    /// Those of this process: its environment, and the terminal that it was started at.
    pub(super) fn of_process(file: Option<&'a Path>) -> Self {
        Self {
            file,
            variable: |name| std::env::var_os(name),
            ask,
        }
    }

    /// The password of a key file.
    pub(super) fn of(&self, key: &Path) -> Result<Secret, KeyError> {
        if let Some(file) = self.file {
            let home = std::env::var_os("HOME").map(Into::into);
            let path = under_home(file, home)?;
            return of_file(&path).map_err(|source| KeyError::PasswordFile { path, source });
        }
        // The environment keeps its own copy, which nobody can clear: a file is better.
        if let Some(password) = self.variable(VARIABLE) {
            return Ok(password);
        }
        let name = bittensor_variable(key);
        if let Some(hidden) = self.variable(&name) {
            return unhide(&hidden, &name).ok_or(KeyError::PasswordVariable { name });
        }
        let path = || key.to_owned();
        match (self.ask)(key) {
            Ok(Some(password)) if !password.is_empty() => Ok(password),
            Ok(_) => Err(KeyError::NoPassword { path: path() }),
            Err(source) => Err(KeyError::Ask {
                path: path(),
                source,
            }),
        }
    }

    /// A variable that is not empty.
    fn variable(&self, name: &str) -> Option<Secret> {
        let value = (self.variable)(name).map(|value| Zeroizing::new(value.into_encoded_bytes()));
        value.filter(|value| !value.is_empty())
    }
}

/// The password in a file, without the line's end that editors add.
fn of_file(path: &Path) -> io::Result<Secret> {
    let mut password = read_secret(path, MAX_PASSWORD)?;
    let text = password.strip_suffix(b"\n").unwrap_or(&password);
    let length = text.strip_suffix(b"\r").unwrap_or(text).len();
    password.truncate(length);
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(password)
}

/// The variable in which the Bittensor wallet keeps the password of a key file.
fn bittensor_variable(key: &Path) -> String {
    let path = key.to_string_lossy();
    format!("BT_PW_{path}")
        .replace([MAIN_SEPARATOR, '.'], "_")
        .to_uppercase()
}

/// What the Bittensor wallet writes there: in base64, the password and the variable's
/// name, added bit by bit.
fn unhide(hidden: &[u8], name: &str) -> Option<Secret> {
    let mut password = Zeroizing::new(STANDARD.decode(hidden).ok()?);
    for (byte, mask) in password.iter_mut().zip(name.bytes().cycle()) {
        *byte ^= mask;
    }
    Some(password)
}

fn ask(key: &Path) -> io::Result<Option<Secret>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let prompt = format!("Password of the hotkey {}: ", key.display());
    let typed = Zeroizing::new(rpassword::prompt_password(prompt)?);
    // As the Bittensor wallet does with what is typed.
    Ok(Some(Zeroizing::new(typed.trim().as_bytes().to_vec())))
}

/// The key that a password stands for: 512 MiB and some seconds. None if there
/// is not that much memory.
pub(super) fn derive(password: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let parameters = Params::new(MEMORY, PASSES, 1, Some(32)).ok()?;
    // Not argon2's own memory, which it gives back as it is: the key can be made of
    // what is left in it.
    let mut memory = Vec::new();
    memory.try_reserve_exact(parameters.block_count()).ok()?;
    memory.resize(parameters.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    let derived = Argon2::new(Algorithm::Argon2i, Version::V0x13, parameters)
        .hash_password_into_with_memory(password, &SALT, &mut *key, &mut memory);
    memory.iter_mut().for_each(Zeroize::zeroize);
    derived.ok().map(|()| key)
}

/// Opens what stands behind `$NACL` in a key file: a nonce, a tag, and as much as the
/// content is long. None if it is cut off, changed, or of another key.
pub(super) fn open(sealed: &[u8], key: &[u8; 32]) -> Option<Secret> {
    let (nonce, rest) = sealed.split_first_chunk::<24>()?;
    let (tag, content) = rest.split_first_chunk::<16>()?;
    let mut content = Zeroizing::new(content.to_vec());
    // Clears its copy of the key.
    let cipher = XSalsa20Poly1305::new(<&Key>::from(key));
    let (nonce, tag) = (<&Nonce>::from(nonce), <&Tag>::from(tag));
    cipher
        .decrypt_in_place_detached(nonce, b"", &mut content, tag)
        .ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "/w/hotkeys/h.1";

    /// Nobody has a password.
    const NOTHING: Passwords<'_> = Passwords {
        file: None,
        variable: |_| None,
        ask: |_| Ok(None),
    };

    fn own_variable(name: &str) -> Option<OsString> {
        (name == VARIABLE).then(|| "of Proctor".into())
    }

    /// As bittensor-wallet 4.1.1 wrote it: tests/fixtures/wallet/README.md.
    fn bittensors_variable(name: &str) -> Option<OsString> {
        let hidden = "ATstIjI8K3c3Jz0nLml5MT48K1QwLX5wbg==";
        (name == "BT_PW__W_HOTKEYS_H_1").then(|| hidden.into())
    }

    fn password(passwords: &Passwords<'_>) -> Result<String, KeyError> {
        let password = passwords.of(Path::new(KEY))?;
        Ok(String::from_utf8(password.to_vec()).unwrap())
    }

    fn in_file(content: &[u8]) -> Result<String, KeyError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        password(&Passwords {
            file: Some(file.path()),
            variable: own_variable,
            ..NOTHING
        })
    }

    #[test]
    fn a_file_counts_before_the_environment_and_loses_one_end_of_line() {
        for content in [" of a file ", " of a file \n", " of a file \r\n"] {
            assert_eq!(in_file(content.as_bytes()).unwrap(), " of a file ");
        }
        assert_eq!(in_file(b"two\n\n").unwrap(), "two\n");
    }

    #[test]
    fn a_file_without_a_password_is_refused_whatever_else_there_is() {
        for content in [&b""[..], b"\n", &[b'x'; 4_097]] {
            let error = in_file(content).unwrap_err();
            assert!(matches!(error, KeyError::PasswordFile { .. }), "{error}");
        }
        let missing = Passwords {
            file: Some(Path::new("/nowhere/password")),
            variable: own_variable,
            ..NOTHING
        };
        let error = password(&missing).unwrap_err().to_string();
        assert!(error.contains("/nowhere/password"), "{error}");
    }

    #[test]
    fn the_variable_of_proctor_counts_before_that_of_the_wallet() {
        let both = Passwords {
            variable: |name| own_variable(name).or_else(|| bittensors_variable(name)),
            ..NOTHING
        };
        assert_eq!(password(&both).unwrap(), "of Proctor");
        let empty = Passwords {
            variable: |name| match name {
                VARIABLE => Some(OsString::new()),
                other => bittensors_variable(other),
            },
            ..NOTHING
        };
        assert_eq!(password(&empty).unwrap(), "Correct horse, battery! 9");
    }

    #[test]
    fn a_variable_that_the_wallet_did_not_write_is_refused_by_name() {
        let broken = Passwords {
            variable: |name| (name != VARIABLE).then(|| "not base64!".into()),
            ..NOTHING
        };
        let error = password(&broken).unwrap_err().to_string();
        assert!(error.contains("BT_PW__W_HOTKEYS_H_1"), "{error}");
        assert!(!error.contains("base64"), "{error}");
    }

    #[test]
    fn whoever_is_there_is_asked_last() {
        let there = Passwords {
            ask: |_| Ok(Some(Zeroizing::new(b"typed".to_vec()))),
            ..NOTHING
        };
        assert_eq!(password(&there).unwrap(), "typed");
        let set = Passwords {
            variable: own_variable,
            ..there
        };
        assert_eq!(password(&set).unwrap(), "of Proctor");
    }

    #[test]
    fn a_file_that_is_cut_off_or_changed_does_not_open() {
        let key = [7; 32];
        let mut sealed = [vec![1; 24], vec![0; 16], b"content".to_vec()].concat();
        let (nonce, rest) = sealed.split_at_mut(24);
        let (tag, content) = rest.split_at_mut(16);
        let cipher = XSalsa20Poly1305::new(<&Key>::from(&key));
        let nonce: [u8; 24] = nonce.try_into().unwrap();
        let made = cipher.encrypt_in_place_detached(<&Nonce>::from(&nonce), b"", content);
        tag.copy_from_slice(&made.unwrap());

        assert_eq!(*open(&sealed, &key).unwrap(), b"content");
        for length in 0..sealed.len() {
            assert!(open(&sealed[..length], &key).is_none(), "{length}");
        }
        for i in 0..sealed.len() {
            sealed[i] ^= 1;
            assert!(open(&sealed, &key).is_none(), "{i}");
            sealed[i] ^= 1;
        }
    }

    #[test]
    fn without_a_password_it_is_told_where_one_may_be() {
        let silent = Passwords {
            ask: |_| Ok(Some(Zeroizing::default())),
            ..NOTHING
        };
        for nobody in [NOTHING, silent] {
            let error = password(&nobody).unwrap_err().to_string();
            for place in [KEY, "wallet.password_file", VARIABLE, "terminal"] {
                assert!(error.contains(place), "{error}");
            }
        }
    }
}
