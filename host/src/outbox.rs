//! Tells others what changed: the storage service and the archive.
//!
//! What changes is noted in the same transaction as the change itself, in the
//! database's outbox. Here each notice is told, at least once and those of a kind in
//! order: what is told is read when it is told, and what was told already is not
//! told again. Who is down is asked again with growing pauses, and holds up only
//! what it is to be told; a notice that is refused waits by itself.
//!
//! Nothing of a sealed or refused commit is ever told.

mod archive;
mod commits;
mod deliver;
mod scores;
mod state;

pub use deliver::Outbox;

use crate::archive::{ArchiveError, ArchiveFile};
use crate::sandbox::sha256_hex;
use crate::storage::StorageError;
use crate::store::StoreError;

/// What is told of a notice, as it is now.
#[derive(Debug)]
enum Content {
    /// For a route of the service.
    Body { route: &'static str, body: String },
    /// For the service, together with those of other notices.
    Scores(Vec<String>),
    /// For the archive.
    Files(Vec<ArchiveFile>),
}

impl Content {
    /// What it is known by: SHA-256, 64 hex digits.
    fn digest(&self) -> String {
        match self {
            Content::Body { body, .. } => sha256_hex(body.as_bytes()),
            Content::Scores(items) => sha256_hex(items.join("\n").as_bytes()),
            Content::Files(files) => {
                let each = files
                    .iter()
                    .map(|file| format!("{} {}\n", sha256_hex(&file.content), file.path));
                sha256_hex(each.collect::<String>().as_bytes())
            }
        }
    }
}

/// Why something could not be read from the database.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a stored value is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Why something is not told yet.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl DeliveryError {
    fn code(&self) -> &'static str {
        match self {
            DeliveryError::Storage(error) => error.code(),
            DeliveryError::Archive(_) => "archive",
            DeliveryError::Read(_) => "store",
        }
    }

    /// Whether it is about this very notice, and not about now.
    fn is_refusal(&self) -> bool {
        match self {
            DeliveryError::Storage(error) => error.is_refusal(),
            DeliveryError::Archive(error) => error.is_final(),
            // What cannot be read must not keep the rest from being told.
            DeliveryError::Read(ReadError::Malformed(_)) => true,
            DeliveryError::Read(ReadError::Store(_)) => false,
        }
    }
}
