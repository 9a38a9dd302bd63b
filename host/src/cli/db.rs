//! `proctor db`.

use clap::Subcommand;
use std::process::ExitCode;

/// Look after the database.
#[derive(Debug, Subcommand)]
pub(super) enum Db {}

impl Db {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {}
    }
}
