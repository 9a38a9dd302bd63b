//! Documents, components and artifacts by digest: of the bundle, and of a directory.

use super::report::{Trouble, Why};
use crate::canonical::{digest, is_digest};
use crate::receipts::bundle::{self, BlobProblem, Bundle};
use crate::receipts::documents::{Document, Environment};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a file that is taken for a component, at most.
const MAX_FILE: u64 = 512 << 20;
/// Directories in directories that are looked into.
const MAX_DEPTH: usize = 4;

/// Bytes that one receipt gets of what is named by digest, unless told otherwise.
pub(super) const MAX_HELD_BYTES: u64 = 1 << 30;

/// How many bytes a receipt may still hold in memory. A text that is named a thousand
/// times is there a thousand times.
#[derive(Debug)]
pub(super) struct Room {
    left: u64,
    of: u64,
}

impl Room {
    pub(super) fn of(bytes: u64) -> Self {
        Room {
            left: bytes,
            of: bytes,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Trouble> {
        let left = self.left.checked_sub(bytes as u64).ok_or_else(|| {
            let what = format!(
                "it names more than {} bytes, which is all that is held",
                self.of
            );
            Trouble::not_checkable(Why::Limits, what)
        })?;
        self.left = left;
        Ok(())
    }
}

/// All that is known by digest.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) bundle: Bundle,
    files: BTreeMap<String, PathBuf>,
    /// The digest of the environment that has nothing in it.
    no_environment: String,
}

impl Documents {
    /// Those of a bundle, and components in `directory`. Reads those of its files
    /// that are not named by digest.
    pub(super) fn open(bundle: Bundle, directory: Option<&Path>) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        if let Some(directory) = directory {
            find(directory, 0, &mut files)?;
        }
        let nothing = Environment::new([]).text().map_err(io::Error::other)?;
        Ok(Documents {
            bundle,
            files,
            no_environment: digest(nothing),
        })
    }

    /// Whether an environment has nothing in it. None of no call has nothing, too.
    pub(super) fn is_empty(&self, environment: Option<&str>) -> bool {
        environment.is_none_or(|digest| digest == self.no_environment)
    }

    /// The bytes of a digest; `what` is the same for people.
    pub(super) fn bytes(&self, what: &str, wanted: &str) -> Result<Vec<u8>, Trouble> {
        let problem = match self.bundle.blob(wanted) {
            Ok(bytes) => return Ok(bytes),
            Err(problem) => problem,
        };
        if let Some(path) = self.files.get(wanted)
            && let Ok(bytes) = fs::read(path)
            && digest(&bytes) == wanted
        {
            return Ok(bytes);
        }
        Err(match problem {
            BlobProblem::Missing => self.absent(what, wanted),
            problem => {
                let what = format!("the {what} ({wanted}) is damaged: {problem}");
                Trouble::not_checkable(Why::Damaged, what)
            }
        })
    }

    /// The bytes of a digest, if there is room for them.
    pub(super) fn bytes_in(
        &self,
        room: &mut Room,
        what: &str,
        wanted: &str,
    ) -> Result<Vec<u8>, Trouble> {
        let bytes = self.bytes(what, wanted)?;
        room.take(bytes.len())?;
        Ok(bytes)
    }

    /// A document of a digest, if there is room for it.
    pub(super) fn document_in<T: Document>(
        &self,
        room: &mut Room,
        what: &str,
        wanted: &str,
    ) -> Result<T, Trouble> {
        let text = self.text(what, wanted)?;
        room.take(text.len())?;
        parsed(what, wanted, &text)
    }

    /// A document of a digest.
    pub(super) fn document<T: Document>(&self, what: &str, wanted: &str) -> Result<T, Trouble> {
        let text = self.text(what, wanted)?;
        parsed(what, wanted, &text)
    }

    /// The text of a digest.
    pub(super) fn text(&self, what: &str, wanted: &str) -> Result<String, Trouble> {
        let bytes = self.bytes(what, wanted)?;
        let wrong = |_| Trouble::differs(format!("the {what} ({wanted}) is no text"));
        String::from_utf8(bytes).map_err(wrong)
    }

    /// Whether a digest is there, is withheld for a reason, or neither.
    pub(super) fn check(&self, what: &str, wanted: &str) -> Result<(), Trouble> {
        let is_known = self.bundle.has(wanted)
            || self.files.contains_key(wanted)
            || self.bundle.why(wanted).is_some();
        if is_known {
            return Ok(());
        }
        Err(self.absent(what, wanted))
    }

    fn absent(&self, what: &str, wanted: &str) -> Trouble {
        let (is, was) = match what {
            "settings" | "limits" => ("are", "were"),
            _ => ("is", "was"),
        };
        let (why, verb, reason) = match self.bundle.why(wanted) {
            Some(bundle::Why::Private) => (
                Why::Private,
                is,
                "private: the challenge's author marked it",
            ),
            Some(bundle::Why::Environment) => (Why::Environment, is, "an environment"),
            Some(bundle::Why::NotIncluded) => (
                Why::NotIncluded,
                was,
                "left out of the bundle: ask for one with artifacts and components, or name \
                 a directory that has it with --plugins",
            ),
            Some(bundle::Why::Missing) => (Why::Missing, is, "not kept any more"),
            None => (
                Why::Missing,
                is,
                "neither in the bundle nor said to be withheld",
            ),
        };
        Trouble::not_checkable(why, format!("the {what} ({wanted}) {verb} {reason}"))
    }
}

fn parsed<T: Document>(what: &str, wanted: &str, text: &str) -> Result<T, Trouble> {
    let wrong = |why| Trouble::differs(format!("the {what} ({wanted}) is not one: {why}"));
    T::parse(text).map_err(wrong)
}

/// Finds components in a directory, by digest.
fn find(directory: &Path, depth: usize, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
    };
    for entry in fs::read_dir(directory).map_err(named)? {
        let entry = entry.map_err(named)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(named)?);
        if kind.is_dir() && depth < MAX_DEPTH {
            find(&path, depth + 1, files)?;
        }
        let fits =
            |path: &Path| fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= MAX_FILE);
        let name = path.file_name().and_then(|name| name.to_str());
        if kind.is_dir() || !fits(&path) {
            continue;
        }
        // What is named by digest is looked at when it is needed.
        if let Some(name) = name.filter(|name| is_digest(name)) {
            files.insert(name.to_owned(), path);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            let bytes = fs::read(&path).map_err(named)?;
            files.insert(digest(bytes), path);
        }
    }
    Ok(())
}
