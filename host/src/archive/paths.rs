//! Where files are in the archive.

use super::ArchiveError;
use crate::sandbox::sha256_hex;

/// Where the public view of a commit is: `day` as `YYYY-MM-DD`, `encrypted_commit`
/// as the validators saw it.
pub fn commit_path(challenge: &str, day: &str, encrypted_commit: &str) -> String {
    let digest = sha256_hex(encrypted_commit.as_bytes());
    format!("{challenge}/{day}/{digest}.json")
}

/// Where the ledger's row of a challenge and day is, `day` as `YYYY-MM-DD`.
pub fn finalization_path(challenge: &str, day: &str) -> String {
    format!("{challenge}/{day}/finalization.json")
}

/// The characters are those that every kind of archive takes as they are. Files
/// whose names begin with a dot steer a repository.
pub(super) fn check(path: &str) -> Result<(), ArchiveError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let problem = if path.split('/').any(str::is_empty) {
        "a segment is empty"
    } else if path.split('/').any(|segment| segment.starts_with('.')) {
        "a segment begins with a dot"
    } else if !path.split('/').all(|segment| segment.bytes().all(allowed)) {
        "only ASCII letters, digits, -, _ and . are allowed"
    } else {
        return Ok(());
    };
    let path = path.to_owned();
    Err(ArchiveError::Path { path, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_under_its_challenge_and_day_by_the_digest_of_its_ciphertext() {
        // printf abc | sha256sum
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let path = commit_path("digits", "2025-01-31", "abc");
        assert_eq!(path, format!("digits/2025-01-31/{digest}.json"));
        assert!(check(&path).is_ok());
        assert!(check(&finalization_path("a_b-1", "2025-01-31")).is_ok());
    }

    #[test]
    fn a_path_that_leaves_the_archive_or_is_read_in_two_ways_is_refused() {
        let bad = [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            ".git/config",
            "a b",
            "a\\b",
            "a%2fb",
            "a\nb",
            "a\0",
            "é",
            "a#1",
            "a?b",
            "C:/a",
        ];
        for path in bad {
            let error = check(path).unwrap_err();
            assert!(error.is_final(), "{path:?}");
            assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
        }
    }
}
