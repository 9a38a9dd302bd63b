//! Whether a file changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What is another one whenever a file was changed or replaced: within a tick of the
/// clock by its inode or its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    /// Of its rights as well.
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Stamp {
            inode: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        }
    }
}
