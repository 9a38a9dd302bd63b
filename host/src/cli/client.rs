//! `proctor client`.

mod assist;
mod scoring_result;

use assist::Assist;
use clap::Subcommand;
use scoring_result::ScoringResult;
use std::process::ExitCode;

/// Ask a host.
#[derive(Debug, Subcommand)]
pub(super) enum Client {
    /// What a host knows of commits, as JSON: `commits` by ciphertext, null where
    /// unknown, and `is_done`.
    ScoringResult(ScoringResult),
    /// Do evaluations of a host again, as a validator, and tell it what came of each.
    /// Prints a line of JSON for each; status 1 if any came to another result.
    Assist(Assist),
}

impl Client {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Client::ScoringResult(command) => command.run(),
            Client::Assist(command) => command.run(),
        }
    }
}
