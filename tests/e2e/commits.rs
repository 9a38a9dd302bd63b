//! Commits as miners make them, and documents as validators publish them.

use crate::support::START;
use fernet::Fernet;
use serde_json::{Map, Value, json};

pub(crate) const HOUR: f64 = 3_600.0;

/// One commit, sealed, with all that its miner knows.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) hotkey: String,
    pub(crate) encrypted: String,
    pub(crate) key: String,
    pub(crate) committed_at: f64,
}

impl Commit {
    /// Commits to an artifact of the digits challenge, some hours before [`START`]:
    /// after 24 it may be opened, from 25 on in time for the day.
    pub(crate) fn new(uid: u16, digest: &str, hours_ago: f64) -> Self {
        Commit::of_text(uid, &format!("digits---sha256:{digest}"), hours_ago)
    }

    /// Commits to any text.
    pub(crate) fn of_text(uid: u16, text: &str, hours_ago: f64) -> Self {
        Commit::at(&format!("miner-{uid}"), text, START - hours_ago * HOUR)
    }

    /// Commits to any text at any time.
    pub(crate) fn at(hotkey: &str, text: &str, committed_at: f64) -> Self {
        let key = Fernet::generate_key();
        Commit {
            hotkey: hotkey.to_owned(),
            encrypted: Fernet::new(&key).unwrap().encrypt(text.as_bytes()),
            key,
            committed_at,
        }
    }

    /// As a validator publishes it that knows the key.
    pub(crate) fn revealed(&self) -> Value {
        json!({
            "encrypted_commit": self.encrypted,
            "commit_timestamp": self.committed_at,
            "key": self.key,
        })
    }

    /// As a validator publishes it that does not.
    pub(crate) fn sealed(&self) -> Value {
        json!({ "encrypted_commit": self.encrypted, "commit_timestamp": self.committed_at })
    }
}

/// What a validator publishes: (hotkey, commit of the digits challenge).
pub(crate) fn document<'a>(commits: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let commits: Map<String, Value> = commits
        .into_iter()
        .map(|(hotkey, commit)| (hotkey.to_owned(), json!({ "digits": commit })))
        .collect();
    json!({ "miner_commits": commits })
}

/// What a validator publishes that knows every key.
pub(crate) fn all_revealed<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Value {
    let revealed = |commit: &'a Commit| (commit.hotkey.as_str(), commit.revealed());
    document(commits.into_iter().map(revealed))
}
