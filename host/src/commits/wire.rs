//! The document a validator publishes, and reading it without trusting it.
//!
//! ```json
//! {"miner_commits": {"<hotkey>": {"<challenge>": {"encrypted_commit": "…"}}}}
//! ```
//!
//! The value of a challenge is one commit or a list of them; a commit is a dump
//! of RedTeam's `MinerChallengeCommit`, of which only the fields of
//! [`ObservedCommit`] matter. Others are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::is_challenge_name;

pub use super::rejected::{EntryFault, RejectedEntry, WireError};

/// Longest ciphertext, in bytes.
pub const MAX_ENCRYPTED_COMMIT: usize = 16 * 1024;
/// Longest key, in bytes.
pub const MAX_KEY: usize = 1024;
/// Longest plain commit, in bytes.
pub const MAX_COMMIT: usize = 4 * 1024;
/// Most entries of a document that are told to be wrong; further ones are left out.
pub const MAX_REJECTED: usize = 1_000;
/// Longest hotkey or challenge name, in bytes.
pub const MAX_NAME: usize = 256;

/// One commit of one miner for one challenge, as one validator reports it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ObservedCommit {
    /// The uid the validator saw the miner at; `None` if it did not say.
    pub miner_uid: Option<u16>,
    /// The Fernet token that the miner published; never empty.
    pub encrypted_commit: String,
    /// When the validator first saw the ciphertext, in Unix seconds; finite and
    /// not negative.
    pub commit_timestamp: Option<f64>,
    /// The Fernet key, once the miner revealed it; never empty.
    pub key: Option<String>,
    /// What the validator decrypted, `<challenge>---<artifact>`; never empty.
    pub commit: Option<String>,
}

/// Every commit that one validator reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ValidatorView {
    /// The validator's uid.
    pub validator_uid: u16,
    /// The validator's hotkey, in SS58.
    pub validator_hotkey: String,
    /// Miner hotkey → challenge → commits, in the order of the document.
    pub commits: BTreeMap<String, BTreeMap<String, Vec<ObservedCommit>>>,
}

/// A read document.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The good entries.
    pub view: ValidatorView,
    /// The bad ones.
    pub rejected: Vec<RejectedEntry>,
}

#[derive(Deserialize)]
struct RawCommit {
    miner_uid: Option<u16>,
    miner_hotkey: Option<String>,
    challenge_name: Option<String>,
    encrypted_commit: Option<String>,
    commit_timestamp: Option<f64>,
    key: Option<String>,
    commit: Option<String>,
}

/// Reads what the validator at `validator_uid` published.
///
/// An entry that is wrong is rejected alone. Time and memory are proportional
/// to the document, whose size the caller bounds.
///
/// # Errors
///
/// A [`WireError`] if the document as a whole is not of this shape.
pub fn parse(
    validator_uid: u16,
    validator_hotkey: &str,
    document: &[u8],
) -> Result<Parsed, WireError> {
    let mut document: BTreeMap<String, Value> = serde_json::from_slice(document)?;
    let Some(Value::Object(miner_commits)) = document.remove("miner_commits") else {
        return Err(WireError::NoMinerCommits);
    };
    let mut view = ValidatorView {
        validator_uid,
        validator_hotkey: validator_hotkey.to_owned(),
        ..ValidatorView::default()
    };
    let mut rejected = Vec::new();
    let cut = |name: &str| name.chars().take(MAX_NAME).collect::<String>();
    for (hotkey, challenges) in miner_commits {
        let challenges =
            match at_most("hotkey", &hotkey, MAX_NAME).and_then(|()| object(challenges)) {
                Ok(challenges) => challenges,
                Err(_) if rejected.len() >= MAX_REJECTED => continue,
                Err(fault) => {
                    rejected.push(RejectedEntry {
                        hotkey: cut(&hotkey),
                        challenge: None,
                        index: 0,
                        fault,
                    });
                    continue;
                }
            };
        for (challenge, value) in challenges {
            let commits = match value {
                Value::Array(commits) => commits,
                one => vec![one],
            };
            for (index, commit) in commits.into_iter().enumerate() {
                match read(&hotkey, &challenge, commit) {
                    Ok(commit) => view
                        .commits
                        .entry(hotkey.clone())
                        .or_default()
                        .entry(challenge.clone())
                        .or_default()
                        .push(commit),
                    Err(_) if rejected.len() >= MAX_REJECTED => {}
                    Err(fault) => rejected.push(RejectedEntry {
                        hotkey: hotkey.clone(),
                        challenge: Some(cut(&challenge)),
                        index,
                        fault,
                    }),
                }
            }
        }
    }
    Ok(Parsed { view, rejected })
}

fn object(value: Value) -> Result<Map<String, Value>, EntryFault> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(EntryFault::WrongType("not an object".to_owned())),
    }
}

fn read(hotkey: &str, challenge: &str, value: Value) -> Result<ObservedCommit, EntryFault> {
    if !is_challenge_name(challenge) {
        return Err(EntryFault::InvalidChallenge);
    }
    // Checked first because serde would also take a list for a struct.
    let raw: RawCommit = serde_json::from_value(Value::Object(object(value)?))
        .map_err(|error| EntryFault::WrongType(error.to_string()))?;
    // The peers file a commit under the names inside it; one that contradicts
    // its place would let a validator speak for a miner in another's entry.
    if raw.miner_hotkey.is_some_and(|inner| inner != hotkey) {
        return Err(EntryFault::Misfiled {
            field: "miner_hotkey",
        });
    }
    if raw.challenge_name.is_some_and(|inner| inner != challenge) {
        return Err(EntryFault::Misfiled {
            field: "challenge_name",
        });
    }
    // An empty text is how some peers write "none".
    let given = |text: &String| !text.is_empty();
    let encrypted_commit = raw
        .encrypted_commit
        .filter(given)
        .ok_or(EntryFault::MissingEncryptedCommit)?;
    let key = raw.key.filter(given);
    let commit = raw.commit.filter(given);
    at_most("encrypted_commit", &encrypted_commit, MAX_ENCRYPTED_COMMIT)?;
    at_most("key", key.as_deref().unwrap_or_default(), MAX_KEY)?;
    at_most("commit", commit.as_deref().unwrap_or_default(), MAX_COMMIT)?;
    if raw
        .commit_timestamp
        .is_some_and(|t| !t.is_finite() || t < 0.0)
    {
        return Err(EntryFault::InvalidTimestamp);
    }
    Ok(ObservedCommit {
        miner_uid: raw.miner_uid,
        encrypted_commit,
        commit_timestamp: raw.commit_timestamp,
        key,
        commit,
    })
}

fn at_most(field: &'static str, text: &str, limit: usize) -> Result<(), EntryFault> {
    if text.len() > limit {
        return Err(EntryFault::TooLong { field, limit });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(document: &Value) -> Parsed {
        parse(0, "v0", document.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_commit_or_a_list_of_them_is_read_and_extra_fields_are_ignored() {
        let one = json!({"encrypted_commit": "e", "score": {"any": 1}, "key": "", "commit": null});
        let list = json!([one, {"encrypted_commit": "f", "commit_timestamp": 7, "miner_uid": 3}]);
        let parsed = parsed(&json!({"miner_commits": {"hk": {"c1": one, "c2": list}}, "x": 1}));
        assert!(parsed.rejected.is_empty());
        let commits = &parsed.view.commits["hk"];
        assert_eq!(commits["c1"].len(), 1);
        assert_eq!(commits["c1"][0].key, None);
        assert_eq!(commits["c2"][1].commit_timestamp, Some(7.0));
        assert_eq!(commits["c2"][1].miner_uid, Some(3));
    }

    #[test]
    fn a_bad_entry_is_rejected_alone() {
        let long = |n: usize| "x".repeat(n + 1);
        let bad = [
            (json!(null), "wrong_type"),
            (json!("e"), "wrong_type"),
            (
                json!([null, null, null, "e", null, null, null]),
                "wrong_type",
            ),
            (json!({"encrypted_commit": 1}), "wrong_type"),
            (
                json!({"encrypted_commit": "e", "commit_timestamp": "1"}),
                "wrong_type",
            ),
            (
                json!({"encrypted_commit": "e", "miner_uid": 65536}),
                "wrong_type",
            ),
            (json!({"key": "k"}), "missing_encrypted_commit"),
            (json!({"encrypted_commit": ""}), "missing_encrypted_commit"),
            (
                json!({"encrypted_commit": long(MAX_ENCRYPTED_COMMIT)}),
                "too_long",
            ),
            (
                json!({"encrypted_commit": "e", "key": long(MAX_KEY)}),
                "too_long",
            ),
            (
                json!({"encrypted_commit": "e", "commit": long(MAX_COMMIT)}),
                "too_long",
            ),
            (
                json!({"encrypted_commit": "e", "commit_timestamp": -0.5}),
                "invalid_timestamp",
            ),
            (
                json!({"encrypted_commit": "e", "miner_hotkey": "other"}),
                "misfiled",
            ),
            (
                json!({"encrypted_commit": "e", "challenge_name": "c2"}),
                "misfiled",
            ),
        ];
        let mut list: Vec<_> = bad.iter().map(|(value, _)| value.clone()).collect();
        list.push(json!({"encrypted_commit": "good"}));
        let document =
            json!({"miner_commits": {"hk": {"c1": list}, "flat": [1], long(MAX_NAME): {}}});
        let parsed = parsed(&document);
        assert_eq!(parsed.view.commits["hk"]["c1"].len(), 1);
        let mut codes = BTreeMap::new();
        for entry in &parsed.rejected {
            codes.insert((entry.hotkey.as_str(), entry.index), entry.fault.code());
        }
        assert_eq!(codes.len(), bad.len() + 2);
        for (index, (_, code)) in bad.iter().enumerate() {
            assert_eq!(codes[&("hk", index)], *code, "{index}");
        }
        assert_eq!(codes[&("flat", 0)], "wrong_type");
    }

    #[test]
    fn a_malformed_document_is_an_error() {
        for document in [
            "",
            "{}",
            r#"[{"hk": {}}]"#,
            r#"{"miner_commits": []}"#,
            r#"{"miner_commits": null}"#,
        ] {
            assert!(parse(0, "v0", document.as_bytes()).is_err(), "{document}");
        }
    }
}
