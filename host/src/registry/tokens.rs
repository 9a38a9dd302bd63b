//! Tokens of challenges: 256 random bits, of which only a keyed hash is kept.
//!
//! A fast hash is enough: nobody guesses 256 random bits, so there is nothing that
//! a slow one (argon2) would slow down. It is keyed, so that who has the database
//! alone cannot even tell whether a token that they found belongs to it.

use super::seal::{Seal, SealError};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A new token: 43 characters, base64url.
///
/// # Errors
///
/// [`SealError::Cipher`] if the system has no randomness.
pub fn generate() -> Result<String, SealError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| SealError::Cipher)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What of a token may be shown: its first and last four characters, around an
/// ellipsis, as the peer does. A token of fewer than 16 characters would be given
/// away by that: of it nothing is shown.
pub fn hint(token: &str) -> String {
    let characters: Vec<char> = token.chars().collect();
    let (Some(first), Some(last)) = (characters.first_chunk::<4>(), characters.last_chunk::<4>())
    else {
        return "…".into();
    };
    if characters.len() < 16 {
        return "…".into();
    }
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{}…{}", text(first), text(last))
}

/// The hash that is kept of a challenge's token.
pub fn hash(seal: &Seal, slug: &str, token: &str) -> Vec<u8> {
    seal.mac(&place(slug, token))
}

/// Whether a token is one of a challenge's, by their hashes. Takes as long whichever
/// it is.
pub fn is_one_of<'a>(
    seal: &Seal,
    slug: &str,
    token: &str,
    hashes: impl IntoIterator<Item = &'a [u8]>,
) -> bool {
    let place = place(slug, token);
    let hashes = hashes.into_iter();
    hashes.fold(false, |found, hash| seal.is_mac_of(hash, &place) | found)
}

fn place(slug: &str, token: &str) -> Vec<u8> {
    format!("token\0{slug}\0{token}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_its_challenge_only() {
        let directory = tempfile::tempdir().unwrap();
        let seal = Seal::open(&directory.path().join("key")).unwrap();
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        let kept = [hash(&seal, "a", &one), hash(&seal, "a", &two)];
        let is_one =
            |slug: &str, token: &str| is_one_of(&seal, slug, token, kept.iter().map(Vec::as_slice));
        assert!(is_one("a", &one) && is_one("a", &two));
        assert!(!is_one("b", &one) && !is_one("a", "") && !is_one("a", &one[1..]));
    }
}
