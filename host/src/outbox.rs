//! Tells others what changed: the storage service and the archive.
