//! Which components a command is about: files that are named, or those of the project
//! that the command is run in.

use super::super::author::{build, expect_kind, read, shown};
use crate::authoring::Project;
use crate::sandbox::ComponentKind;
use anyhow::{Context, bail};
use clap::Args;
use std::path::{Path, PathBuf};

/// Which challenge is tried, with which submission and on what.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// The challenge's component. Default: that of the project, which is built first.
    file: Option<PathBuf>,
    /// The submission's component. Default: the project's solver.
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,
    /// The project's solver that is submitted. Default: the only one.
    #[arg(long, value_name = "NAME", conflicts_with = "artifact")]
    solver: Option<String>,
    /// What the tasks are drawn by.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// The challenge's settings, JSON. Default: those of the configuration.
    #[arg(long, value_name = "JSON")]
    pub(super) settings: Option<String>,
    /// Take the project's components as they are.
    #[arg(long)]
    no_build: bool,
}

impl TargetArgs {
    /// The challenge: a file, or that of the project.
    pub(super) fn challenge(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let project = project().context("no FILE is given, so it would be a project's")?;
        project.challenge()?;
        self.component(&project, &project.name)
    }

    /// The submission: a file, or a solver of the project. It is no challenge.
    pub(super) fn submission(&self) -> anyhow::Result<PathBuf> {
        let (path, named) = match &self.artifact {
            Some(file) => (file.clone(), format!("--artifact: {}", shown(file))),
            None => {
                let path = self.of_project()?;
                let named = shown(&path);
                (path, named)
            }
        };
        // Before a large challenge is compiled for nothing.
        expect_kind(&read(&path)?, ComponentKind::Solver, &named)?;
        Ok(path)
    }

    /// The submission, if there is one.
    pub(super) fn submission_if_any(&self) -> anyhow::Result<Option<PathBuf>> {
        let named = self.artifact.is_some() || self.solver.is_some();
        if named || (self.file.is_none() && !project()?.solvers.is_empty()) {
            return self.submission().map(Some);
        }
        Ok(None)
    }

    fn of_project(&self) -> anyhow::Result<PathBuf> {
        let project = project().context("no --artifact is given, so it would be a project's")?;
        let name = match &self.solver {
            Some(name) => {
                project.solver(name)?;
                name
            }
            None => only_solver(&project)?,
        };
        self.component(&project, name)
    }

    fn component(&self, project: &Project, name: &str) -> anyhow::Result<PathBuf> {
        if !self.no_build {
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

/// The project of the directory that the command is run in.
fn project() -> anyhow::Result<Project> {
    Ok(Project::find(Path::new("."))?)
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
