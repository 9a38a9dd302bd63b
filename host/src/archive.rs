//! The public archive: views of finalized commits, by challenge and day, in a
//! directory, a bucket or a dataset repository.
//!
//! Nothing is kept here and nothing is tried again: the caller knows what is still
//! to be written, and when to ask again.

mod access;
mod answer;
mod error;
mod hub;
mod objects;
mod paths;
mod s3;

pub use access::ArchiveAccess;
pub use error::ArchiveError;
pub use hub::{MAX_COMMIT_BYTES, MAX_COMMIT_FILES};
pub use paths::{commit_path, finalization_path};

use crate::config::ArchiveTarget;
use bytes::Bytes;
use hub::Hub;
use objects::Objects;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a request may take, from connecting to the end of the answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Its path from the archive's root, as of [`commit_path`]: segments of ASCII
    /// letters, digits, `-`, `_` and `.`, none beginning with a dot.
    pub path: String,
    /// What is in it: a small text, as a rule JSON.
    pub content: Bytes,
}

/// An archive that can be written to.
#[derive(Debug)]
pub struct Archive {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Objects(Objects),
    Hub(Hub),
}

impl Archive {
    /// Opens the archive at `target` with what the environment gives
    /// ([`ArchiveAccess::from_env`]) and [`REQUEST_TIMEOUT`]. Makes a directory that
    /// is not there; asks nobody over the network.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Access`] if what is needed is missing or wrong,
    /// [`ArchiveError::Write`] if a directory cannot be made.
    pub fn open(target: &ArchiveTarget) -> Result<Self, ArchiveError> {
        Self::open_with(target, &ArchiveAccess::from_env(), REQUEST_TIMEOUT)
    }

    /// Opens the archive at `target` with `access`; a request may take `timeout`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(
        target: &ArchiveTarget,
        access: &ArchiveAccess,
        timeout: Duration,
    ) -> Result<Self, ArchiveError> {
        let place = match target {
            ArchiveTarget::Directory(path) => Place::Objects(Objects::directory(path)?),
            ArchiveTarget::S3 { bucket, prefix } => {
                Place::Objects(Objects::s3(bucket, prefix, access, timeout)?)
            }
            ArchiveTarget::HuggingFace(repository) => {
                Place::Hub(Hub::open(repository, access, timeout)?)
            }
        };
        Ok(Self { place })
    }

    /// Writes `files`, each in place of what was at its path. The last of those with
    /// the same path counts. Writing the same again changes nothing that is read, so
    /// after an error, which leaves some written, all of them are given again.
    ///
    /// In a directory each file is on disk before this returns, and is never seen
    /// half-written. A dataset repository gets one commit, or more if there are more
    /// than [`MAX_COMMIT_FILES`] or [`MAX_COMMIT_BYTES`].
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Path`] before anything is written; else the first error of a
    /// file. See [`ArchiveError::is_final`].
    pub async fn put(&self, files: Vec<ArchiveFile>) -> Result<(), ArchiveError> {
        for file in &files {
            paths::check(&file.path)?;
        }
        let files: BTreeMap<_, _> = files.into_iter().map(|f| (f.path, f.content)).collect();
        match &self.place {
            Place::Objects(objects) => objects.put(files).await,
            Place::Hub(hub) => hub.put(files).await,
        }
    }
}
