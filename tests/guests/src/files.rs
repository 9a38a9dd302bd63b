//! Steps on files. wasi-libc only finds the granted directory that a path starts
//! with; whether the rest may be reached is the host's to say.

use serde::Deserialize;
use serde_json::{Value, json};
use std::ffi::CString;
use std::{fs, io};

/// One step.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named after the calls")]
pub enum FileStep {
    Read { path: String },
    Write { path: String, text: String },
    List { path: String },
    Rename { from: String, to: String },
    Link { from: String, to: String },
    Symlink { target: String, path: String },
    Remove { path: String },
    Hold { path: String, times: usize },
}

impl FileStep {
    /// Takes it, and returns `{"ok": …}` or `{"error": …}`.
    pub(crate) fn take(self) -> Value {
        let result = match self {
            FileStep::Read { path } => fs::read_to_string(path),
            FileStep::Write { path, text } => fs::write(path, text).map(|()| String::new()),
            FileStep::List { path } => list(&path),
            FileStep::Rename { from, to } => fs::rename(from, to).map(|()| String::new()),
            FileStep::Link { from, to } => fs::hard_link(from, to).map(|()| String::new()),
            FileStep::Symlink { target, path } => symlink(target, path),
            FileStep::Remove { path } => fs::remove_file(path).map(|()| String::new()),
            FileStep::Hold { path, times } => hold(&path, times),
        };
        match result {
            Ok(text) => json!({"ok": text}),
            Err(error) => json!({"error": error.to_string()}),
        }
    }
}

/// Opens a file again and again, and closes none.
fn hold(path: &str, times: usize) -> io::Result<String> {
    let files: Vec<fs::File> = (0..times)
        .map(|_| fs::File::open(path))
        .collect::<Result<_, _>>()?;
    Ok(files.len().to_string())
}

fn list(path: &str) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}

#[allow(
    unsafe_code,
    reason = "the standard library has no stable symlink for WASI"
)]
fn symlink(target: String, path: String) -> io::Result<String> {
    unsafe extern "C" {
        #[link_name = "symlink"]
        fn c_symlink(target: *const std::ffi::c_char, path: *const std::ffi::c_char) -> i32;
    }
    let (target, path) = (CString::new(target)?, CString::new(path)?);
    // SAFETY: both are strings that end with a zero and outlive the call.
    match unsafe { c_symlink(target.as_ptr(), path.as_ptr()) } {
        0 => Ok(String::new()),
        _ => Err(io::Error::last_os_error()),
    }
}
