//! Removing what one validator claims and cannot show.
//!
//! The peers believe every key and plain commit that a validator with enough
//! stake publishes. Merged unchecked, a wrong key would stand in the place of a
//! right one, because only *missing* keys are filled from other validators.

use super::reveal::{SealFault, open};
use super::wire::{ObservedCommit, ValidatorView};

/// A view in which every key verifies, and what was removed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sifted {
    /// The same commits; no ciphertext is removed.
    pub view: ValidatorView,
    /// One entry for each key or plain commit that was removed.
    pub faults: Vec<CommitFault>,
}

/// A key or plain commit that did not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFault {
    /// The uid of the validator that published it.
    pub validator_uid: u16,
    /// The hotkey of that validator.
    pub validator_hotkey: String,
    /// The hotkey of the miner.
    pub hotkey: String,
    /// The challenge it was published for.
    pub challenge: String,
    /// The ciphertext it was published with.
    pub encrypted_commit: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// Why a key or plain commit was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum FaultKind {
    /// The key does not open the ciphertext to a commit of the challenge. Key
    /// and plain commit are removed.
    #[error(transparent)]
    Key(#[from] SealFault),
    /// The plain commit is not what the key reveals. It is removed, the key stays.
    #[error("the plain commit is not what the key reveals")]
    CommitMismatch,
    /// A plain commit without a key, which nobody can check. It is removed.
    #[error("a plain commit without a key")]
    CommitWithoutKey,
}

impl FaultKind {
    /// The stable name of this fault, in snake case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Key(fault) => fault.code(),
            Self::CommitMismatch => "commit_mismatch",
            Self::CommitWithoutKey => "commit_without_key",
        }
    }
}

/// Removes every key and plain commit that does not verify.
///
/// A key whose commit names an invalid artifact is kept: it is the right key,
/// and the fault is the miner's own, to be found by
/// [`unseal`](super::unseal). Costs one decryption for each key.
#[must_use]
pub fn sift(mut view: ValidatorView) -> Sifted {
    let mut faults = Vec::new();
    for (hotkey, challenges) in &mut view.commits {
        for (challenge, commits) in challenges {
            for commit in commits {
                if let Err(kind) = verify(challenge, commit) {
                    faults.push(CommitFault {
                        validator_uid: view.validator_uid,
                        validator_hotkey: view.validator_hotkey.clone(),
                        hotkey: hotkey.clone(),
                        challenge: challenge.clone(),
                        encrypted_commit: commit.encrypted_commit.clone(),
                        kind,
                    });
                }
            }
        }
    }
    Sifted { view, faults }
}

fn verify(challenge: &str, observed: &mut ObservedCommit) -> Result<(), FaultKind> {
    let plain = observed.commit.take();
    let Some(key) = &observed.key else {
        return match plain {
            None => Ok(()),
            Some(_) => Err(FaultKind::CommitWithoutKey),
        };
    };
    match open(&observed.encrypted_commit, key, challenge) {
        Err(fault) => {
            observed.key = None;
            Err(fault.into())
        }
        Ok(text) if plain.as_ref().is_some_and(|plain| *plain != text) => {
            Err(FaultKind::CommitMismatch)
        }
        Ok(_) => {
            observed.commit = plain;
            Ok(())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use fernet::Fernet;

    use super::*;

    fn sifted(
        challenge: &str,
        key: Option<&str>,
        commit: Option<&str>,
    ) -> (ObservedCommit, String) {
        let real = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let observed = ObservedCommit {
            encrypted_commit: Fernet::new(real).unwrap().encrypt(b"c1---u/i:latest"),
            key: key.map(|key| if key == "real" { real } else { key }.to_owned()),
            commit: commit.map(str::to_owned),
            ..ObservedCommit::default()
        };
        let challenges = BTreeMap::from([(challenge.to_owned(), vec![observed])]);
        let view = ValidatorView {
            commits: BTreeMap::from([("hk".to_owned(), challenges)]),
            ..ValidatorView::default()
        };
        let mut sifted = sift(view);
        let codes: Vec<_> = sifted
            .faults
            .iter()
            .map(|fault| fault.kind.code())
            .collect();
        let commit = sifted
            .view
            .commits
            .remove("hk")
            .unwrap()
            .remove(challenge)
            .unwrap()
            .remove(0);
        (commit, codes.join(" "))
    }

    #[test]
    fn a_right_key_stays_even_where_its_commit_names_no_artifact() {
        let (commit, codes) = sifted("c1", Some("real"), Some("c1---u/i:latest"));
        assert_eq!(codes, "");
        assert!(commit.key.is_some() && commit.commit.is_some());
    }

    #[test]
    fn a_wrong_key_goes_and_takes_the_plain_commit_with_it() {
        let other = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
        for (challenge, key, code) in [
            ("c1", other, "does_not_decrypt"),
            ("c1", "k", "invalid_key"),
            ("c2", "real", "wrong_challenge"),
        ] {
            let (commit, codes) = sifted(challenge, Some(key), Some("c1---u/i:latest"));
            assert_eq!(codes, code);
            assert_eq!((commit.key, commit.commit), (None, None));
            assert!(!commit.encrypted_commit.is_empty());
        }
    }

    #[test]
    fn a_plain_commit_that_nothing_shows_goes_alone() {
        let (commit, codes) = sifted("c1", Some("real"), Some("c1---forged"));
        assert_eq!(codes, "commit_mismatch");
        assert!(commit.key.is_some() && commit.commit.is_none());
        let (commit, codes) = sifted("c1", None, Some("c1---forged"));
        assert_eq!(codes, "commit_without_key");
        assert_eq!(commit.commit, None);
    }
}
