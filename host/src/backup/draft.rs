//! A file that takes the place of another once it is whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only for the user that the host runs as.
const PRIVATE: u32 = 0o600;

/// A file that is being written, beside the one whose place it will take. What died
/// while it wrote leaves one behind, which the next takes over.
#[derive(Debug)]
pub(crate) struct Draft {
    file: BufWriter<File>,
    draft: PathBuf,
    path: PathBuf,
    published: bool,
}

impl Draft {
    /// Begins a file that is to be at `path`. Only one may be written at a time.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut draft = std::ffi::OsString::from(".");
        draft.push(name);
        draft.push(format!(".{}.draft", std::process::id()));
        let draft = directory(path).join(draft);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(&draft)?;
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
        Ok(Draft {
            file: BufWriter::new(file),
            draft,
            path: path.to_owned(),
            published: false,
        })
    }

    /// Puts the file in its place once it is on disk. Returns its size in bytes.
    ///
    /// # Errors
    ///
    /// Those of the file system; what was there before is then still there.
    pub(crate) fn publish(mut self) -> io::Result<u64> {
        self.file.flush()?;
        let file = self.file.get_ref();
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        fs::rename(&self.draft, &self.path)?;
        self.published = true;
        File::open(directory(&self.path))?.sync_all()?;
        Ok(bytes)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // It is of no use, and does no harm.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str().unwrap().to_owned()
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_cut_short_leaves_the_old_file_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        let mut draft = Draft::new(&path).unwrap();
        draft.write_all(&[b'x'; 100_000]).unwrap();
        draft.flush().unwrap();
        // Killed here, nothing of it would be cleared up.
        std::mem::forget(draft);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(
            files(directory.path()),
            [
                format!(".file.{}.draft", std::process::id()).as_str(),
                "file"
            ]
        );

        let mut draft = Draft::new(&path).unwrap();
        draft.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(draft.publish().unwrap(), 3);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(files(directory.path()), ["file"]);
    }

    #[test]
    fn what_failed_is_cleared_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        drop(Draft::new(&path).unwrap());
        assert_eq!(files(directory.path()), [""; 0]);
        assert!(Draft::new(&directory.path().join("no/file")).is_err());
    }

    #[test]
    fn nobody_else_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(
            directory
                .path()
                .join(format!(".file.{}.draft", std::process::id())),
            "left by others",
        )
        .unwrap();
        Draft::new(&path).unwrap().publish().unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
