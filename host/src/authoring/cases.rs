//! The cases of a project: read, run in the sandbox, compared with what was expected and
//! with what they came to before.
//!
//! The format is that of the SDK ([`proctor_sdk::testing::cases`]), which runs the same
//! files natively.

mod bed;
mod snapshot;
mod update;

use super::project::Project;
use proctor_sdk::testing::cases as format;
use std::io;
use std::path::PathBuf;

pub(crate) use bed::loading;
pub use bed::{Bed, Came, CaseRun, OnStep};
pub use format::{Answers, Asked, Case, CaseError, Difference};

/// Why there are no cases to run.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// There is none at all.
    #[error(
        "there are no cases in {}. A case is a file, such as {}:\n\n{example}\nThen `--update` fills in what it comes to.",
        directory.display(),
        directory.join("first.toml").display()
    )]
    None {
        /// Where they would be.
        directory: PathBuf,
        /// A case that would run.
        example: String,
    },
    /// There is none of a name.
    #[error("no case `{name}` in {}: the cases are: {known}", directory.display())]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where it would be.
        directory: PathBuf,
        /// What there is.
        known: String,
    },
    /// The directory cannot be read.
    #[error("cannot read {}: {error}", directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Reads the cases of a project: all, or those named. A name may be that of the file, or
/// its path. A file that is no case is an error in its place.
///
/// # Errors
///
/// See [`CasesError`].
pub fn read(
    project: &Project,
    only: &[String],
) -> Result<Vec<Result<Case, CaseError>>, CasesError> {
    let directory = nearby(project.cases());
    let cases = match format::read(&directory) {
        Ok(cases) => cases,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(CasesError::Io { directory, error }),
    };
    if cases.is_empty() {
        let example = example(project);
        return Err(CasesError::None { directory, example });
    }
    if only.is_empty() {
        return Ok(cases);
    }
    let wanted: Vec<&str> = only.iter().map(|name| bare(name)).collect();
    let known: Vec<&str> = cases.iter().map(name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        return Err(CasesError::Unknown {
            name: (*unknown).to_owned(),
            known: known.join(", "),
            directory,
        });
    }
    let is_wanted = |case: &Result<Case, CaseError>| wanted.contains(&name(case));
    Ok(cases.into_iter().filter(is_wanted).collect())
}

/// A directory as one would type it here: all that is told of cases is told by it.
fn nearby(directory: PathBuf) -> PathBuf {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| Some(directory.strip_prefix(here).ok()?.to_owned()));
    match relative {
        Some(relative) if relative.as_os_str().is_empty() => PathBuf::from("."),
        Some(relative) => relative,
        None => directory,
    }
}

fn name(case: &Result<Case, CaseError>) -> &str {
    match case {
        Ok(case) => &case.name,
        Err(error) => &error.name,
    }
}

/// `adds` of `cases/adds.toml`, as a shell completes it.
fn bare(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.strip_suffix(".toml").unwrap_or(file)
}

/// A case that would run, as a text that is set in.
fn example(project: &Project) -> String {
    let solver = project.solvers.keys().next();
    match (&project.challenge, solver) {
        (Some(_), Some(solver)) => format!("    solver = \"{solver}\"\n    seed = 1\n"),
        (Some(_), None) => "    solutions = [\"1\", \"2\"]\n    seed = 1\n".to_owned(),
        (None, _) => "    task = \"[1, 2]\"\n".to_owned(),
    }
}

#[cfg(test)]
mod tests;
