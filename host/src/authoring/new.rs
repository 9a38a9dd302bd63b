//! New projects.

mod name;
mod sdk;

use super::project::Language;
use super::{build, embedded};
use name::{check_name, ident, type_name};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A challenge with a submission to try it on.
    Plugin,
    /// A submission alone.
    Solver,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Plugin => "plugin",
            Kind::Solver => "solver",
        }
    }
}

/// A project that was written.
#[derive(Debug, Clone)]
pub struct Created {
    /// The directory.
    pub root: PathBuf,
    /// What was written, relative to it, sorted.
    pub files: Vec<String>,
    /// What else the language needs before the first build, as it must be typed in the
    /// directory.
    pub install: Vec<String>,
}

/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// It cannot be called that.
    #[error("{name:?} is no name for a project: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is something where it would be written.
    #[error("{} is there already and not empty; choose another directory with --path", .0.display())]
    NotEmpty(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What this binary has for new projects is not whole.
    #[error("this proctor is broken: {0}")]
    Broken(String),
}

/// Writes a new project into a directory, which is made if it is not there. If that fails,
/// what was written is removed again.
///
/// # Errors
///
/// See [`NewError`]. Nothing that was there is ever changed.
pub fn create(
    kind: Kind,
    language: Language,
    name: &str,
    directory: &Path,
) -> Result<Created, NewError> {
    check_name(kind, language, name)?;
    let mut files = template(kind, language, name)?;
    files.extend(sdk::files(language)?);
    files.sort();
    let failed = |error| NewError::Io {
        path: directory.to_owned(),
        error,
    };
    match fs::read_dir(directory) {
        Ok(entries) => {
            if entries.count() > 0 {
                return Err(NewError::NotEmpty(directory.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut draft = Draft::default();
    for (path, bytes) in &files {
        draft.write(&directory.join(path), bytes)?;
    }
    draft.finished = true;
    Ok(Created {
        root: directory.to_owned(),
        files: files.into_iter().map(|(path, _)| path).collect(),
        install: install(language),
    })
}

/// A file of the new project, and its bytes.
type NewFile = (String, Cow<'static, [u8]>);

fn install(language: Language) -> Vec<String> {
    match language {
        Language::Rust => Vec::new(),
        Language::Python => vec![
            "python3 -m venv .venv".to_owned(),
            ".venv/bin/pip install -r requirements.txt".to_owned(),
        ],
        Language::Js => vec!["npm install".to_owned()],
    }
}

fn template(kind: Kind, language: Language, name: &str) -> Result<Vec<NewFile>, NewError> {
    let directory = format!("host/templates/{language}/{}", kind.name());
    let values = [
        ("{{name}}", name.to_owned()),
        ("{{ident}}", ident(name)),
        ("{{type}}", type_name(name)),
        ("{{sdk_version}}", env!("CARGO_PKG_VERSION").to_owned()),
        ("{{componentize_py}}", build::COMPONENTIZE_PY.to_owned()),
        ("{{componentize_js}}", build::COMPONENTIZE_JS.to_owned()),
        ("{{esbuild}}", build::ESBUILD.to_owned()),
    ];
    let mut files = Vec::new();
    for (path, bytes) in embedded::below(&directory) {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| NewError::Broken(format!("{directory}/{path} is no text")))?;
        let mut text = text.to_owned();
        for (placeholder, value) in &values {
            text = text.replace(placeholder, value);
        }
        let path = path.strip_suffix(".in").unwrap_or(path);
        files.push((path.to_owned(), Cow::Owned(text.into_bytes())));
    }
    if files.is_empty() {
        return Err(NewError::Broken(format!("it has no {directory}")));
    }
    Ok(files)
}

/// What was written so far. Removed when it is dropped unfinished.
#[derive(Default)]
struct Draft {
    written: Vec<PathBuf>,
    finished: bool,
}

impl Draft {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), NewError> {
        let failed = |error| NewError::Io {
            path: path.to_owned(),
            error,
        };
        if let Some(directory) = path.parent() {
            self.directory(directory).map_err(failed)?;
        }
        // Somebody else may be writing there too.
        let mut file = File::create_new(path).map_err(failed)?;
        self.written.push(path.to_owned());
        file.write_all(bytes).map_err(failed)
    }

    fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(path)?;
        self.written.push(path.to_owned());
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        for path in self.written.iter().rev() {
            // A directory that somebody put something into stays.
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
    }
}

#[cfg(test)]
mod tests;
