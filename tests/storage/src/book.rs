//! All that the service was told, in order, and the file in which it outlives the
//! process. Whatever is asked for later is looked up in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Something that was uploaded and accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// Its number, from 1 on, without gaps.
    pub seq: u64,
    /// As in `/upload-commit`.
    pub route: String,
    /// The sender's uid, by its headers; none if it sent none, which only a service
    /// that checks no signatures accepts.
    pub uid: Option<i64>,
    /// The sender's hotkey, likewise.
    pub hotkey: Option<String>,
    /// All of the JSON that was sent.
    pub body: Value,
}

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another fake writes to it.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A line was not written by this program.
    #[error("{path}: line {line}: {error}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1 on.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The end of it was not written by this program.
    #[error("{0} is something else")]
    Foreign(PathBuf),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Upload(Upload),
    MinerCommits { validator_uid: i64, value: Value },
}

/// How the lines of [`Entry`] start, by which half a line is told from the end of a
/// file that is not ours to cut.
const LINE_STARTS: [&str; 2] = [r#"{"upload":{"#, r#"{"miner_commits":{"#];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) uploads: Vec<Upload>,
    /// What the control plane set, by validator.
    pub(crate) miner_commits: BTreeMap<i64, Value>,
    file: Option<StateFile>,
}

impl Book {
    /// With what the file holds; the file is made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        let (mut file, text) = StateFile::open(path)?;
        let mut book = Book::default();
        for (number, line) in text.split_terminator('\n').enumerate() {
            let entry = serde_json::from_str(line).map_err(|error| StateError::Line {
                path: path.to_owned(),
                line: number + 1,
                error,
            })?;
            book.apply(entry);
        }
        // Not before it is known to be a file of ours.
        file.cut().map_err(|error| file.error(error))?;
        book.file = Some(file);
        Ok(book)
    }

    /// Keeps an upload, in the file before anywhere else.
    pub(crate) fn upload(
        &mut self,
        route: &str,
        uid: Option<i64>,
        hotkey: Option<String>,
        body: Value,
    ) -> Result<(), StateError> {
        self.keep(Entry::Upload(Upload {
            seq: self.uploads.len() as u64 + 1,
            route: route.to_owned(),
            uid,
            hotkey,
            body,
        }))
    }

    pub(crate) fn set_miner_commits(
        &mut self,
        validator_uid: i64,
        value: Value,
    ) -> Result<(), StateError> {
        self.keep(Entry::MinerCommits {
            validator_uid,
            value,
        })
    }

    /// The uploads of one route, newest first.
    pub(crate) fn newest<'a>(&'a self, route: &'a str) -> impl Iterator<Item = &'a Upload> {
        let uploads = self.uploads.iter().rev();
        uploads.filter(move |upload| upload.route == route)
    }

    fn keep(&mut self, entry: Entry) -> Result<(), StateError> {
        if let Some(file) = &mut self.file {
            file.append(&entry)?;
        }
        self.apply(entry);
        Ok(())
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Upload(upload) => self.uploads.push(upload),
            Entry::MinerCommits {
                validator_uid,
                value,
            } => {
                self.miner_commits.insert(validator_uid, value);
            }
        }
    }
}

/// One JSON entry a line. It need not be synced: it must outlive the process, not
/// the machine.
#[derive(Debug)]
struct StateFile {
    path: PathBuf,
    /// Locked for as long as it is open.
    file: File,
    /// Of all whole lines, in bytes.
    len: u64,
}

impl StateFile {
    /// The file, and its whole lines. The end of a file whose writer was killed may
    /// be half a line, which nobody was told is kept.
    fn open(path: &Path) -> Result<(Self, String), StateError> {
        let failed = |error| StateError::Io {
            path: path.to_owned(),
            error,
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let half = bytes.split_off(whole.map_or(0, |end| end + 1));
        let is_start = |start: &&str| {
            half.starts_with(start.as_bytes()) || start.as_bytes().starts_with(&half)
        };
        if !LINE_STARTS.iter().any(is_start) {
            return Err(StateError::Foreign(path.to_owned()));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        let state = StateFile {
            path: path.to_owned(),
            file,
            len: text.len() as u64,
        };
        Ok((state, text))
    }

    fn append(&mut self, entry: &Entry) -> Result<(), StateError> {
        let written = serde_json::to_vec(entry)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.file.write_all(&line)?;
                Ok(line.len() as u64)
            });
        match written {
            Ok(bytes) => {
                self.len += bytes;
                Ok(())
            }
            Err(error) => {
                // What comes after half a line would be lost with it.
                self.cut()
                    .unwrap_or_else(|error| tracing::warn!(%error, "state file"));
                Err(self.error(error))
            }
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)
    }

    fn error(&self, error: io::Error) -> StateError {
        StateError::Io {
            path: self.path.clone(),
            error,
        }
    }
}
