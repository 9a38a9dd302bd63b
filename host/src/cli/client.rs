//! `proctor client`.

use clap::Subcommand;
use std::process::ExitCode;

/// Ask a host.
#[derive(Debug, Subcommand)]
pub(super) enum Client {}

impl Client {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {}
    }
}
