//! Which components a command is about: files that are named, or those of the project
//! that the command is run in.

use crate::authoring::Project;
use crate::cli::author::{build, shown};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// The project of the directory that the command is run in.
fn project() -> anyhow::Result<Project> {
    Ok(Project::find(Path::new("."))?)
}

/// What is taken of a project.
pub(in crate::cli::plugin) struct Chosen<'a> {
    /// The solver; none: the only one.
    pub(in crate::cli::plugin) solver: Option<&'a str>,
    /// Whether it is built first.
    pub(in crate::cli::plugin) build: bool,
}

impl Chosen<'_> {
    fn component(&self, project: &Project, name: &str) -> anyhow::Result<PathBuf> {
        if self.build {
            build::built(project, &[name])?;
        }
        let path = project.built(name);
        if !path.is_file() {
            bail!(
                "{} is not there: build it with `proctor plugin build`",
                shown(&path)
            );
        }
        Ok(path)
    }
}

/// The challenge: a file, or that of the project.
pub(in crate::cli::plugin) fn challenge(
    file: Option<&Path>,
    chosen: &Chosen<'_>,
) -> anyhow::Result<PathBuf> {
    if let Some(file) = file {
        return Ok(file.to_owned());
    }
    let project = project().context("no FILE is given, so it would be a project's")?;
    project.challenge()?;
    chosen.component(&project, &project.name)
}

/// The submission: a file, or a solver of the project.
pub(in crate::cli::plugin) fn submission(
    file: Option<&Path>,
    chosen: &Chosen<'_>,
) -> anyhow::Result<PathBuf> {
    if let Some(file) = file {
        return Ok(file.to_owned());
    }
    let project = project().context("no --artifact is given, so it would be a project's")?;
    let name = match chosen.solver {
        Some(name) => {
            project.solver(name)?;
            name
        }
        None => only_solver(&project)?,
    };
    chosen.component(&project, name)
}

/// The only solver of a project.
fn only_solver(project: &Project) -> anyhow::Result<&str> {
    let mut names = project.solvers.keys().map(String::as_str);
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => bail!("the project has no solver: name a submission with --artifact FILE"),
        (Some(_), Some(_)) => {
            let known: Vec<&str> = project.solvers.keys().map(String::as_str).collect();
            bail!(
                "the project has several solvers: choose one with --solver, of {}",
                known.join(", ")
            )
        }
    }
}

/// Whether the current project has a solver to submit.
pub(in crate::cli::plugin) fn has_solver() -> anyhow::Result<bool> {
    Ok(!project()?.solvers.is_empty())
}
