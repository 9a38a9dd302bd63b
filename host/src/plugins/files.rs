//! The files of the drop folder.

use super::load::Rejection;
use super::state::Stamp;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Files that end in `.wasm`, but for hidden ones: those are being written.
pub(super) fn wasm_files(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|e| e == "wasm") && path.is_file() {
            files.insert(path);
        }
    }
    Ok(files)
}

pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Reads a file that nobody is writing to: its stamp is the same before and
/// after.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<(Vec<u8>, Stamp), Rejection> {
    let unreadable = |why: String| Rejection::new("unreadable", why);
    let before = stamp(path).ok_or_else(|| unreadable("it is gone".into()))?;
    if before.0 > max_bytes {
        let reason = format!(
            "{} bytes are more than plugins.max_bytes ({max_bytes})",
            before.0
        );
        return Err(Rejection::new("too_large", reason));
    }
    let bytes = fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    match stamp(path) {
        Some(after) if after == before && bytes.len() as u64 == before.0 => Ok((bytes, after)),
        _ => Err(unreadable("it is being written".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_other_files_are_no_plugins() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.wasm", ".b.wasm", "c.cwasm", "d.txt"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::create_dir(directory.path().join("e.wasm")).unwrap();
        let files = wasm_files(directory.path()).unwrap();
        assert_eq!(files, BTreeSet::from([directory.path().join("a.wasm")]));
    }
}
