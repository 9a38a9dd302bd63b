//! Artifacts by content: what miners submit.
//!
//! A file is called by its SHA-256 and put in place by rename. It is checked
//! against its name each time it is read, so that a damaged file is never run.

use crate::sandbox::sha256_hex;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, time::SystemTime};

/// Largest artifact, in bytes, unless the configuration says otherwise: 64 MiB.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

/// Why an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It is not in the store.
    #[error("artifact {0} is not in the store")]
    Missing(String),
    /// It is not what its name says.
    #[error("artifact {digest} is damaged: its content has the digest {found}")]
    Damaged {
        /// The name.
        digest: String,
        /// SHA-256 of the content.
        found: String,
    },
    /// It is too large.
    #[error("{size} bytes are more than an artifact may have ({max})")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// There is no more room for it.
    #[error("the store is full: all artifacts together may have {max} bytes")]
    Full {
        /// The limit.
        max: u64,
    },
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
}

/// An artifact in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was added.
    pub added: SystemTime,
}

/// A directory of artifacts.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    directory: PathBuf,
    max_bytes: u64,
    max_total: u64,
}

impl ArtifactStore {
    /// Opens the store in `directory`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Io`].
    pub fn open(directory: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, ArtifactError> {
        let directory = directory.into();
        fs::create_dir_all(&directory).map_err(io_error(&directory))?;
        Ok(ArtifactStore {
            directory,
            max_bytes,
            max_total: u64::MAX,
        })
    }

    /// The same with a limit on the bytes of all artifacts. The default is none.
    #[must_use]
    pub fn with_max_total(self, max_total: u64) -> Self {
        ArtifactStore { max_total, ..self }
    }

    /// Bytes that there is room for, at least one. Artifacts that are added at the same
    /// time do not see each other.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Full`], or the directory cannot be read.
    pub fn room(&self) -> Result<u64, ArtifactError> {
        let max = self.max_total;
        if max == u64::MAX {
            return Ok(max);
        }
        let held: u64 = self.list()?.iter().map(|artifact| artifact.size).sum();
        match max.saturating_sub(held) {
            0 => Err(ArtifactError::Full { max }),
            room => Ok(room),
        }
    }

    /// Adds a file. Adding it again changes nothing.
    ///
    /// # Errors
    ///
    /// See [`ArtifactError`].
    pub fn add_file(&self, path: &Path) -> Result<Artifact, ArtifactError> {
        let size = fs::metadata(path).map_err(io_error(path))?.len();
        self.check_size(size)?;
        self.add(&fs::read(path).map_err(io_error(path))?)
    }

    /// Adds an artifact. Adding it again changes nothing.
    ///
    /// # Errors
    ///
    /// See [`ArtifactError`].
    pub fn add(&self, bytes: &[u8]) -> Result<Artifact, ArtifactError> {
        self.check_size(bytes.len() as u64)?;
        let digest = sha256_hex(bytes);
        // A damaged file of that name is replaced.
        if self.get(&digest).is_err() {
            if self.room()? < bytes.len() as u64 {
                let max = self.max_total;
                return Err(ArtifactError::Full { max });
            }
            let io_error = io_error(&self.directory);
            let written = tempfile::NamedTempFile::new_in(&self.directory).and_then(|mut file| {
                file.write_all(bytes)?;
                file.as_file().sync_all()?;
                file.persist(self.path(&digest))?;
                fs::File::open(&self.directory)?.sync_all()
            });
            written.map_err(io_error)?;
        }
        self.entry(&digest)
    }

    /// Reads an artifact, and checks it.
    ///
    /// # Errors
    ///
    /// See [`ArtifactError`].
    pub fn get(&self, digest: &str) -> Result<Vec<u8>, ArtifactError> {
        let entry = self.entry(digest)?;
        self.check_size(entry.size)?;
        let path = self.path(digest);
        let bytes = fs::read(&path).map_err(io_error(&path))?;
        let found = sha256_hex(&bytes);
        if found != digest {
            let digest = digest.to_owned();
            return Err(ArtifactError::Damaged { digest, found });
        }
        Ok(bytes)
    }

    /// Whether there is a file of that name; it is not read.
    pub fn contains(&self, digest: &str) -> bool {
        self.entry(digest).is_ok()
    }

    /// Every artifact, by digest.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Io`].
    pub fn list(&self) -> Result<Vec<Artifact>, ArtifactError> {
        let io_error = io_error(&self.directory);
        let mut artifacts = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(&io_error)? {
            let name = entry.map_err(&io_error)?.file_name();
            if let Some(digest) = name.to_str().filter(|name| is_digest(name)) {
                artifacts.push(self.entry(digest)?);
            }
        }
        artifacts.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(artifacts)
    }

    fn entry(&self, digest: &str) -> Result<Artifact, ArtifactError> {
        if !is_digest(digest) {
            return Err(ArtifactError::Missing(digest.to_owned()));
        }
        let path = self.path(digest);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ArtifactError::Missing(digest.to_owned()));
            }
            Err(error) => return Err(ArtifactError::Io { path, error }),
        };
        Ok(Artifact {
            digest: digest.to_owned(),
            size: metadata.len(),
            added: metadata.modified().map_err(io_error(&path))?,
        })
    }

    fn check_size(&self, size: u64) -> Result<(), ArtifactError> {
        let max = self.max_bytes;
        if size > max {
            return Err(ArtifactError::TooLarge { size, max });
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(digest)
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> ArtifactError {
    let path = path.to_owned();
    move |error| ArtifactError::Io {
        path: path.clone(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(max_bytes: u64) -> (tempfile::TempDir, ArtifactStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(directory.path().join("artifacts"), max_bytes).unwrap();
        (directory, store)
    }

    #[test]
    fn an_artifact_comes_back_as_it_went_in() {
        let (_directory, store) = store(10);
        let added = store.add(b"abc").unwrap();
        assert_eq!(store.add(b"abc").unwrap().digest, added.digest);
        assert_eq!(store.get(&added.digest).unwrap(), b"abc");
        assert_eq!(store.list().unwrap().len(), 1);
        assert!(store.contains(&added.digest) && !store.contains(&"0".repeat(64)));
    }

    #[test]
    fn a_full_store_takes_nothing_more_but_what_it_has() {
        let (_directory, store) = store(10);
        let store = store.with_max_total(6);
        let first = store.add(b"abcd").unwrap();
        assert_eq!(store.room().unwrap(), 2);
        let full = store.add(b"efg");
        assert!(matches!(full, Err(ArtifactError::Full { max: 6 })));
        assert_eq!(store.add(b"abcd").unwrap().digest, first.digest);
        store.add(b"ef").unwrap();
        assert!(matches!(store.room(), Err(ArtifactError::Full { .. })));
        assert_eq!(store.list().unwrap().len(), 2);
    }

    #[test]
    fn a_damaged_artifact_is_never_returned_and_can_be_added_again() {
        let (_directory, store) = store(10);
        let digest = store.add(b"abc").unwrap().digest;
        fs::write(store.path(&digest), b"abd").unwrap();
        assert!(matches!(
            store.get(&digest),
            Err(ArtifactError::Damaged { .. })
        ));
        store.add(b"abc").unwrap();
        assert_eq!(store.get(&digest).unwrap(), b"abc");
    }

    #[test]
    fn a_large_file_or_a_strange_name_is_refused() {
        let (directory, store) = store(10);
        let path = directory.path().join("large");
        fs::write(&path, [0; 11]).unwrap();
        assert!(matches!(
            store.add_file(&path),
            Err(ArtifactError::TooLarge { size: 11, max: 10 })
        ));
        for name in ["../large", "", "abc"] {
            assert!(matches!(store.get(name), Err(ArtifactError::Missing(_))));
        }
    }
}
