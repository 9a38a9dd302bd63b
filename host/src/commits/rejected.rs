//! What is wrong with a validator's document, or with one entry of it.

/// An entry of a document that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEntry {
    /// The miner hotkey it stands under, cut to [`MAX_NAME`](super::wire::MAX_NAME) characters.
    pub hotkey: String,
    /// The challenge it stands under, cut likewise; `None` if all of the
    /// hotkey's entry is bad.
    pub challenge: Option<String>,
    /// Its place in the list of commits; 0 for a single one.
    pub index: usize,
    /// What is wrong with it.
    pub fault: EntryFault,
}

/// What is wrong with one entry of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// A value has another JSON type or range than it must have.
    #[error("wrong type: {0}")]
    WrongType(String),
    /// No challenge may be called that.
    #[error("not the name of a challenge")]
    InvalidChallenge,
    /// There is no ciphertext.
    #[error("no encrypted_commit")]
    MissingEncryptedCommit,
    /// A text is longer than any honest one.
    #[error("{field} is longer than {limit} bytes")]
    TooLong {
        /// The field's name.
        field: &'static str,
        /// The longest that is accepted, in bytes.
        limit: usize,
    },
    /// The timestamp is negative or not finite.
    #[error("commit_timestamp is not a Unix time")]
    InvalidTimestamp,
    /// A name in the commit contradicts the one it is filed under.
    #[error("{field} is not what the commit is filed under")]
    Misfiled {
        /// The field's name.
        field: &'static str,
    },
}

impl EntryFault {
    /// The stable name of this fault, in snake case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongType(_) => "wrong_type",
            Self::InvalidChallenge => "invalid_challenge",
            Self::MissingEncryptedCommit => "missing_encrypted_commit",
            Self::TooLong { .. } => "too_long",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::Misfiled { .. } => "misfiled",
        }
    }
}

/// A document of which nothing can be used.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotJson(#[from] serde_json::Error),
    /// No object `miner_commits` in it.
    #[error("no object `miner_commits` in the document")]
    NoMinerCommits,
}
