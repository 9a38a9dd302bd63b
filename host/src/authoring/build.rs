//! Building a project: each component by the tools of its language.

mod job;
mod js;
mod kept;
mod python;
mod rust;
mod stamp;
mod tool;

use super::project::{Language, Project, ProjectError};
use crate::sandbox::sha256_hex;
use job::{Job, Kind};
pub(super) use python::VERSION as COMPONENTIZE_PY;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};
pub(crate) use tool::quoted;
use tool::{find_tool, output_of, run_tool};

/// The version of componentize-js that new projects ask for, and that is tested.
pub(super) const COMPONENTIZE_JS: &str = "0.23.0";
/// The version of esbuild that new projects ask for, and that is tested.
pub(super) const ESBUILD: &str = "0.28.2";

/// Where builds keep what they can make again, below the project's directory.
const SCRATCH: &str = ".proctor";

/// A component that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Its name: that of the project for the challenge, else of the solver.
    pub name: String,
    /// Whether it is the challenge, and not a solver.
    pub challenge: bool,
    /// The file.
    pub path: PathBuf,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, as 64 lower-case hexadecimal digits.
    pub digest: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether there was such a file already, with the same bytes.
    pub unchanged: bool,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool is missing.
    #[error("{tool} is not installed; {needed_for}. Install it with\n\n    {install}\n")]
    Missing {
        /// The tool.
        tool: String,
        /// What needs it, as in `it builds projects in Rust`.
        needed_for: String,
        /// The exact command that installs it.
        install: String,
    },
    /// A tool ended with an error.
    #[error("`{command}` failed: {status}\n\n{}", output.trim_end())]
    Failed {
        /// The whole command line.
        command: String,
        /// How it ended, as in `exit status: 101`.
        status: String,
        /// What it printed.
        output: String,
    },
    /// A tool ended well and made no component.
    #[error("`{command}` made no component: {hint}")]
    NoOutput {
        /// The whole command line.
        command: String,
        /// What is likely to be wrong.
        hint: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What was asked for is not in the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Something in the project keeps it from being built.
    #[error("{0}")]
    Invalid(String),
}

impl BuildError {
    /// For `map_err`: what went wrong with a file.
    fn io(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
        let path = path.to_owned();
        move |error| BuildError::Io { path, error }
    }
}

/// Builds the components of these names: the challenge has that of the project. Without
/// names it builds all, the challenge first. `on_step` is told what begins, as in
/// `building sum`. Blocks; a second build of the same project waits for the first.
///
/// A file is replaced by renaming, and only if its bytes are others, so that a host that
/// watches it sees no half of a component and no change where there is none.
///
/// # Errors
///
/// See [`BuildError`]. What was built before the error stays.
pub fn build(
    project: &Project,
    which: &[&str],
    on_step: &mut dyn FnMut(&str),
) -> Result<Vec<Built>, BuildError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    build_with(project, which, path, on_step)
}

/// [`build`] with tools of this search path.
fn build_with(
    project: &Project,
    which: &[&str],
    path: OsString,
    on_step: &mut dyn FnMut(&str),
) -> Result<Vec<Built>, BuildError> {
    let mut targets = Vec::new();
    if let Some(challenge) = &project.challenge {
        let kind = Kind::Challenge(&challenge.capabilities);
        targets.push((project.name.as_str(), challenge.source.as_str(), kind));
    }
    let solvers = project.solvers.iter();
    targets.extend(solvers.map(|(name, solver)| (name.as_str(), &*solver.source, Kind::Solver)));
    if let Some(unknown) = which
        .iter()
        .find(|name| !targets.iter().any(|(known, ..)| known == *name))
    {
        project.solver(unknown)?;
    }
    let scratch = project.root.join(SCRATCH);
    fs::create_dir_all(&scratch).map_err(BuildError::io(&scratch))?;
    let _lock = lock(&scratch, on_step)?;
    let mut built = Vec::new();
    for (name, source, kind) in targets {
        if !which.is_empty() && !which.contains(&name) {
            continue;
        }
        on_step(&format!("building {name}"));
        let began = Instant::now();
        let work = scratch.join(name);
        if work.exists() {
            fs::remove_dir_all(&work).map_err(BuildError::io(&work))?;
        }
        fs::create_dir_all(&work).map_err(BuildError::io(&work))?;
        let job = Job {
            project,
            name,
            source,
            kind,
            out: work.join(format!("{name}.wasm")),
            work,
            path: path.clone(),
        };
        built.push(one(&job, began)?);
    }
    Ok(built)
}

/// One build of a project at a time. Until the file is closed.
fn lock(scratch: &Path, on_step: &mut dyn FnMut(&str)) -> Result<File, BuildError> {
    // No component is called that.
    let path = scratch.join(".lock");
    let file = File::create(&path).map_err(BuildError::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            on_step("waiting for another build of this project");
            file.lock().map_err(BuildError::io(&path))?;
        }
        Err(TryLockError::Error(error)) => return Err(BuildError::io(&path)(error)),
    }
    Ok(file)
}

fn one(job: &Job<'_>, began: Instant) -> Result<Built, BuildError> {
    match job.project.language {
        Language::Rust => rust::build(job)?,
        Language::Python => python::build(job)?,
        Language::Js => js::build(job)?,
    }
    let mut bytes = fs::read(&job.out).map_err(BuildError::io(&job.out))?;
    stamp::append(job, &mut bytes)?;
    let path = job.project.built(job.name);
    let unchanged = !replace(&path, &bytes)?;
    Ok(Built {
        name: job.name.to_owned(),
        challenge: matches!(job.kind, Kind::Challenge(_)),
        path,
        bytes: bytes.len() as u64,
        digest: sha256_hex(&bytes),
        elapsed: began.elapsed(),
        unchanged,
    })
}

impl Built {
    /// Copies the component into a directory, such as the drop folder of a host that
    /// serves, under its name. Whoever watches the directory sees all of it or nothing.
    /// Says whether it was not there before.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`].
    pub fn copy_into(&self, directory: &Path) -> Result<bool, BuildError> {
        let bytes = fs::read(&self.path).map_err(BuildError::io(&self.path))?;
        replace(&directory.join(format!("{}.wasm", self.name)), &bytes)
    }
}

/// Puts `bytes` into a file, and says whether they were not in it before. The directory is
/// made if it is not there.
fn replace(path: &Path, bytes: &[u8]) -> Result<bool, BuildError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(BuildError::io(directory))?;
    }
    let draft = path.with_extension(format!("wasm.{}.tmp", process::id()));
    let written = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // It may not even exist. What matters is the first error.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(BuildError::io(path))?;
    Ok(true)
}

#[cfg(test)]
mod tests;
