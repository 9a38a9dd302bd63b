//! Components that were built before.
//!
//! componentize-py and componentize-js start an interpreter and keep a picture of its
//! memory, in which it has seeds of its own: two builds of the same differ in some bytes. So
//! a component is kept with what it was made of, and as long as that is the same, so is the
//! component. That spares the host a second compilation, too.

use super::{BuildError, Job};
use crate::sandbox::sha256_hex;
use std::fs;
use std::path::{Path, PathBuf};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Directories of a project that nothing is built of.
const NOT_SOURCES: [&str; 9] = [
    ".git",
    ".kept",
    ".mypy_cache",
    ".proctor",
    ".venv",
    "__pycache__",
    "cases",
    "dist",
    "node_modules",
];

/// A component that an earlier build made of the same.
pub(super) struct Kept {
    component: PathBuf,
    key: PathBuf,
    /// Digest of all that the component is made of.
    digest: String,
}

impl Kept {
    /// Of what a component is made of, as texts or their digests. How it is made is part
    /// of it: another version of Proctor keeps another one.
    pub(super) fn of(job: &Job<'_>, made_of: &[String]) -> Self {
        // Beside the scratch directory, which is emptied by each build.
        let directory = job.work.with_file_name(".kept");
        Kept {
            component: directory.join(format!("{}.wasm", job.name)),
            key: directory.join(format!("{}.sha256", job.name)),
            digest: sha256_hex(format!("{VERSION}\n{}", made_of.join("\n")).as_bytes()),
        }
    }

    /// Copies it to a file, and says whether there is one.
    pub(super) fn component_to(&self, out: &Path) -> Result<bool, BuildError> {
        let Ok(bytes) = fs::read(&self.component) else {
            return Ok(false);
        };
        // With its own digest, so that half of a file is none.
        let key = fs::read_to_string(&self.key).unwrap_or_default();
        if key != self.key_of(&bytes) {
            return Ok(false);
        }
        fs::write(out, bytes).map_err(BuildError::io(out))?;
        Ok(true)
    }

    pub(super) fn keep(&self, out: &Path) -> Result<(), BuildError> {
        // Without a component the caller says what is wrong.
        let Ok(bytes) = fs::read(out) else {
            return Ok(());
        };
        if let Some(directory) = self.component.parent() {
            fs::create_dir_all(directory).map_err(BuildError::io(directory))?;
        }
        fs::write(&self.key, self.key_of(&bytes)).map_err(BuildError::io(&self.key))?;
        fs::write(&self.component, bytes).map_err(BuildError::io(&self.component))
    }

    fn key_of(&self, component: &[u8]) -> String {
        format!("{} {}\n", self.digest, sha256_hex(component))
    }
}

/// Each file that something may be built of in a directory and below, by its name and the
/// digest of its bytes, sorted.
pub(super) fn digests(directory: &Path) -> Result<Vec<String>, BuildError> {
    let mut digests = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(&next).map_err(BuildError::io(&next))? {
            let entry = entry.map_err(BuildError::io(&next))?;
            let (path, kind) = (entry.path(), entry.file_type());
            let kind = kind.map_err(BuildError::io(&path))?;
            let is_source = !NOT_SOURCES.iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && is_source {
                directories.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).map_err(BuildError::io(&path))?;
                digests.push(format!("{} {}", path.display(), sha256_hex(&bytes)));
            }
        }
    }
    digests.sort();
    Ok(digests)
}
