//! `proctor plugin build`.

use crate::authoring::Project;
use crate::cli::author::build;
use clap::Args;
use std::path::Path;
use std::process::ExitCode;

/// See [`Plugin`](super::Plugin).
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// Build only these: the name of the project for the challenge, or of a solver.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print what was built as JSON.
    #[arg(long)]
    json: bool,
}

impl Build {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find(Path::new("."))?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        build::run(&project, &names, self.json)
    }
}
