//! `proctor man`.

use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Man {}

impl Man {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not there yet")
    }
}
