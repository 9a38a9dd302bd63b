//! `proctor solver`.

mod build;
mod new;
mod test;

use clap::Subcommand;
use std::process::ExitCode;

/// Write submissions.
#[derive(Debug, Subcommand)]
pub(super) enum Solver {
    /// Write a new project of a submission: a solver, cases, a README.
    New(new::New),
    /// Build the project's solvers.
    Build(build::Build),
    /// Run the project's cases, or have a challenge score the solver.
    Test(test::Test),
}

impl Solver {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Solver::New(command) => command.run(),
            Solver::Build(command) => command.run(),
            Solver::Test(command) => command.run(),
        }
    }
}
