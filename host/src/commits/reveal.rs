//! When a commit may be opened, and opening it.

use std::fmt;
use std::str::FromStr;

use fernet::Fernet;
use serde::{Deserialize, Serialize};

/// Seconds that a commit stays sealed unless configured otherwise: 24 hours.
pub const DEFAULT_REVEAL_INTERVAL: f64 = 86_400.0;

/// Longest repository part of an [`ArtifactRef`], in bytes.
const MAX_REPOSITORY: usize = 512;

/// What separates challenge and artifact in the text of a commit.
const SEPARATOR: &str = "---";

/// Fernet tokens carry the miner's own clock. The crate refuses a token from
/// the future, which would make the outcome depend on when and where it is
/// checked; no peer refuses one. At this time no token is from the future (and
/// the crate's 60 s of clock skew still do not overflow).
const END_OF_TIME: u64 = u64::MAX - 60;

/// Whether a commit is old enough to be revealed and scored.
///
/// True exactly when `commit_timestamp <= now - reveal_interval`, all in Unix
/// seconds; the boundary itself is on time. The default interval is
/// [`DEFAULT_REVEAL_INTERVAL`]. A NaN is never on time.
///
/// Formula: RedTeam 4.9.7 `MainConfig.is_commit_on_time`.
#[must_use]
pub fn is_on_time(now: f64, commit_timestamp: f64, reveal_interval: f64) -> bool {
    commit_timestamp <= now - reveal_interval
}

/// What a submission points to: `repository@sha256:<64 hex>` in an OCI
/// registry, or `sha256:<64 hex>` in Proctor's own artifact store.
///
/// Printed in the same form; the digest always in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactRef {
    digest: String,
    repository: Option<String>,
}

impl ArtifactRef {
    /// The SHA-256 of the artifact: 64 lower-case hex digits, without prefix.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The repository, with registry and tag if the miner gave them; `None` for
    /// an artifact of Proctor's own store.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }
}

impl fmt::Display for ArtifactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(repository) = &self.repository {
            write!(f, "{repository}@")?;
        }
        write!(f, "sha256:{}", self.digest)
    }
}

/// A text that is not an [`ArtifactRef`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("an artifact is `repository@sha256:<64 hex>` or `sha256:<64 hex>`")]
pub struct InvalidArtifact;

impl FromStr for ArtifactRef {
    type Err = InvalidArtifact;

    fn from_str(text: &str) -> Result<Self, InvalidArtifact> {
        let (repository, digest) = match text.split_once('@') {
            Some((repository, digest)) => (Some(repository), digest),
            None => (None, text),
        };
        let digest = digest.strip_prefix("sha256:").ok_or(InvalidArtifact)?;
        if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidArtifact);
        }
        if repository.is_some_and(|repository| !is_repository(repository)) {
            return Err(InvalidArtifact);
        }
        Ok(Self {
            digest: digest.to_ascii_lowercase(),
            repository: repository.map(str::to_owned),
        })
    }
}

/// Narrower than the peers' `.+`: the text becomes part of a URL when pulled.
fn is_repository(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-:/".contains(&b);
    text.len() <= MAX_REPOSITORY
        && text.bytes().all(allowed)
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl TryFrom<String> for ArtifactRef {
    type Error = InvalidArtifact;

    fn try_from(text: String) -> Result<Self, InvalidArtifact> {
        text.parse()
    }
}

impl From<ArtifactRef> for String {
    fn from(artifact: ArtifactRef) -> Self {
        artifact.to_string()
    }
}

/// A commit that was opened with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevealedCommit {
    /// What is to be scored.
    pub artifact: ArtifactRef,
    /// The decrypted text, `<challenge>---<artifact>`, as the miner wrote it.
    pub text: String,
}

/// Why a sealed commit could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum SealFault {
    /// The key is not 32 bytes in URL-safe base64.
    #[error("the key is not a Fernet key")]
    InvalidKey,
    /// The ciphertext is not a Fernet token, or the key is another one's.
    #[error("the key does not decrypt the ciphertext")]
    DoesNotDecrypt,
    /// The decrypted bytes are not UTF-8 of exactly two parts around `---`.
    #[error("the decrypted text is not `<challenge>---<artifact>`")]
    NotACommit,
    /// The decrypted text names another challenge than the one it was published for.
    #[error("the decrypted text is for another challenge")]
    WrongChallenge,
    /// The key is right, but what it reveals is not an [`ArtifactRef`].
    #[error(transparent)]
    InvalidArtifact(#[from] InvalidArtifact),
}

impl SealFault {
    /// The stable name of this fault, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_key",
            Self::DoesNotDecrypt => "does_not_decrypt",
            Self::NotACommit => "not_a_commit",
            Self::WrongChallenge => "wrong_challenge",
            Self::InvalidArtifact(_) => "invalid_artifact",
        }
    }
}

/// Decrypts a commit of `challenge` to its text, whatever artifact it names.
///
/// # Errors
///
/// Every [`SealFault`] but `InvalidArtifact`: the key is not the key of a
/// commit of that challenge.
pub fn open(encrypted_commit: &str, key: &str, challenge: &str) -> Result<String, SealFault> {
    let (text, _) = decrypt(encrypted_commit, key, challenge)?;
    Ok(text)
}

/// Decrypts a commit of `challenge` and reads the artifact it names.
///
/// The text must be `<challenge>---<artifact>` with exactly one `---`, as in
/// RedTeam 4.9.7 `Commit.add_encrypted_commit`. Decryption has no time limit:
/// neither the age of the token nor a clock matters.
///
/// # Errors
///
/// A [`SealFault`]; all but `InvalidArtifact` are faults of the key, that one
/// is the miner's own.
pub fn unseal(
    encrypted_commit: &str,
    key: &str,
    challenge: &str,
) -> Result<RevealedCommit, SealFault> {
    let (text, artifact_at) = decrypt(encrypted_commit, key, challenge)?;
    let artifact = text.get(artifact_at..).unwrap_or_default().parse()?;
    Ok(RevealedCommit { artifact, text })
}

/// The text of a commit, and where in it the artifact begins.
fn decrypt(
    encrypted_commit: &str,
    key: &str,
    challenge: &str,
) -> Result<(String, usize), SealFault> {
    let fernet = Fernet::new(key).ok_or(SealFault::InvalidKey)?;
    let bytes = fernet
        .decrypt_at_time(encrypted_commit, None, END_OF_TIME)
        .map_err(|_| SealFault::DoesNotDecrypt)?;
    let text = String::from_utf8(bytes).map_err(|_| SealFault::NotACommit)?;
    let (named, artifact) = text.split_once(SEPARATOR).ok_or(SealFault::NotACommit)?;
    if artifact.contains(SEPARATOR) {
        return Err(SealFault::NotACommit);
    }
    if named != challenge {
        return Err(SealFault::WrongChallenge);
    }
    let artifact_at = named.len() + SEPARATOR.len();
    Ok((text, artifact_at))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const HEX: &str = "00000000000000000000000000000000000000000000000000000000000000aB";

    fn sealed(text: &[u8]) -> String {
        Fernet::new(KEY).unwrap().encrypt(text)
    }

    fn fault(text: &str) -> &'static str {
        unseal(&sealed(text.as_bytes()), KEY, "c1")
            .unwrap_err()
            .code()
    }

    #[test]
    fn both_forms_of_an_artifact_are_read_and_printed() {
        let own: ArtifactRef = format!("sha256:{HEX}").parse().unwrap();
        assert_eq!(own.repository(), None);
        assert_eq!(own.digest(), HEX.to_ascii_lowercase());
        let pulled: ArtifactRef = format!("r.io:5000/u/i:t@sha256:{HEX}").parse().unwrap();
        assert_eq!(pulled.repository(), Some("r.io:5000/u/i:t"));
        assert_eq!(pulled.to_string().parse(), Ok(pulled));
    }

    #[test]
    fn what_is_no_artifact_is_refused() {
        let bad = [
            String::new(),
            HEX.to_owned(),
            format!("@sha256:{HEX}"),
            format!("u/i@sha512:{HEX}"),
            format!("u/i:latest sha256:{HEX}"),
            format!("../i@sha256:{HEX}"),
            format!("u//i@sha256:{HEX}"),
            format!("u/i@x@sha256:{HEX}"),
            format!("u/i@sha256:{HEX}0"),
            format!("{}@sha256:{HEX}", "u".repeat(MAX_REPOSITORY + 1)),
            format!("sha256:{}g", HEX.get(1..).unwrap()),
        ];
        for text in bad {
            assert_eq!(text.parse::<ArtifactRef>(), Err(InvalidArtifact), "{text}");
        }
    }

    #[test]
    fn a_fault_tells_whose_it_is() {
        assert_eq!(fault("c1"), "not_a_commit");
        assert_eq!(fault(&format!("c1---sha256:{HEX}---x")), "not_a_commit");
        assert_eq!(fault(&format!("c2---sha256:{HEX}")), "wrong_challenge");
        assert_eq!(fault("c1---u/i:latest"), "invalid_artifact");
        let token = sealed(&[0xff]);
        assert_eq!(open(&token, KEY, "c1"), Err(SealFault::NotACommit));
        assert_eq!(open(&token, "c2hvcnQ=", "c1"), Err(SealFault::InvalidKey));
        assert_eq!(open("junk", KEY, "c1"), Err(SealFault::DoesNotDecrypt));
    }

    #[test]
    fn a_commit_opens_whatever_the_clock_says() {
        // Made in Python with `encrypt_at_time` in the year 2100.
        let token = "gAAAAAD0hlcAw5-J56VUkieQWlWioaGhG0TlgfNCtmILfXOFYL-UVCsQaTbiKAeX0UmuGT40JPYFILLvaWgujW0fUM5z1Vh55Ypperp6-QR7eEgZl9efJLDBN5cbieDBt8XsT7dYEln_go-kc2U4zXO6LrsRzKQvxaL3hkoKtffcm7SfXiXQZwU=";
        let text = open(token, KEY, "c1").unwrap();
        assert_eq!(text, format!("c1---sha256:{}", HEX.to_ascii_lowercase()));
    }

    #[test]
    fn the_boundary_is_on_time_and_nan_never_is() {
        assert!(is_on_time(100.0, 70.0, 30.0));
        assert!(!is_on_time(100.0, 70.001, 30.0));
        assert!(!is_on_time(100.0, f64::NAN, 30.0));
        assert!(!is_on_time(f64::NAN, 70.0, 30.0));
    }
}
