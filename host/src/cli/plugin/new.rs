//! `proctor plugin new`.

use crate::authoring::Kind;
use crate::cli::author::new;
use clap::Args;
use std::process::ExitCode;

/// See [`Plugin`](super::Plugin).
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    #[command(flatten)]
    new: new::New,
}

impl New {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        self.new.run(Kind::Plugin)
    }
}
