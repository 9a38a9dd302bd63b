//! `proctor solver build`.

use crate::authoring::Project;
use crate::cli::author::build;
use clap::Args;
use std::path::Path;
use std::process::ExitCode;

/// See [`Solver`](super::Solver).
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// Build only these.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print what was built as JSON.
    #[arg(long)]
    json: bool,
}

impl Build {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find(Path::new("."))?;
        for name in &self.names {
            project.solver(name)?;
        }
        let names = match self.names.is_empty() {
            true => project.solvers.keys().collect(),
            false => self.names.iter().collect::<Vec<_>>(),
        };
        anyhow::ensure!(
            !names.is_empty(),
            "{} has no [solvers]",
            project.file().display()
        );
        let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        build::run(&project, &names, self.json)
    }
}
