//! `proctor restore`.

use clap::Args;
use std::process::ExitCode;

/// Bring back what a backup holds.
#[derive(Debug, Args)]
pub(super) struct Restore {}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::FAILURE)
    }
}
