//! Evidence that is kept, by component: what a host checks at its next start.

use super::{Evidence, MAX_EVIDENCE, SignatureError};
use crate::sandbox::sha256_hex;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// Pieces of evidence for one component, at most.
const MAX_EACH: usize = 32;

/// A directory of evidence. Clones share it.
#[derive(Debug, Clone)]
pub struct Signatures(PathBuf);

impl Signatures {
    /// The evidence in a directory, which is made when there is any.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Signatures(directory.into())
    }

    /// Keeps evidence for the component of a digest, 64 hexadecimal digits. Keeping it
    /// again changes nothing. Tells whether there was room: one component has at most 32.
    ///
    /// # Errors
    ///
    /// It is larger than what is read back, or cannot be written.
    pub fn add(&self, component_digest: &str, evidence: &Evidence) -> io::Result<bool> {
        let text = evidence.text();
        if text.len() as u64 > MAX_EVIDENCE {
            let problem = format!(
                "a signature with what it is about has {} bytes: at most {MAX_EVIDENCE} are kept",
                text.len()
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        let directory = self.0.join(component_digest);
        let path = directory.join(sha256_hex(text.as_bytes()));
        if path.exists() {
            return Ok(true);
        }
        fs::create_dir_all(&directory)?;
        if fs::read_dir(&directory)?.count() >= MAX_EACH {
            return Ok(false);
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&directory)?.sync_all()?;
        Ok(true)
    }

    /// What is kept for a component; none if there is nothing. What cannot be read as
    /// evidence shows nothing.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn of(&self, component_digest: &str) -> io::Result<Vec<Evidence>> {
        let entries = match fs::read_dir(self.0.join(component_digest)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<PathBuf>>>()?;
        paths.sort();
        let mut found = Vec::new();
        for path in paths.into_iter().take(MAX_EACH) {
            if let Ok(Ok(evidence)) = read(&path) {
                found.push(evidence);
            }
        }
        Ok(found)
    }
}

/// The evidence in a file.
///
/// # Errors
///
/// It cannot be read; or it is no evidence.
pub(crate) fn read(path: &std::path::Path) -> io::Result<Result<Evidence, SignatureError>> {
    use io::Read;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_EVIDENCE + 1)
        .read_to_end(&mut bytes)?;
    Ok(Evidence::parse(&bytes))
}
