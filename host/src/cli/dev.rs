//! `proctor dev`.

mod commit;
mod miners;

use super::runtime;
use clap::{Args, Subcommand};
use commit::Commit;
use miners::Miners;
use proctor_dev_storage::{Clock, FakeStorage, Options};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// For tests, and for people who try things out.
#[derive(Debug, Subcommand)]
pub(super) enum Dev {
    /// Serve a fake of the storage service, until SIGINT or SIGTERM.
    Storage(Storage),
    /// Print what a validator publishes of a miner's commit, for `proctor ingest`.
    Commit(Commit),
    /// Serve miners for organic scoring, until SIGINT or SIGTERM.
    ///
    /// They listen on 127.0.0.1 and complete texts, as the example plugin `completion`
    /// asks. The first is the best of them; the next ones have more and more letters
    /// wrong. A host asks them if it reads the metagraph that is written, and has
    /// `private_networks = ["127.0.0.1"]` in the section `miners` of its configuration.
    Miners(Miners),
}

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Dev::Storage(command) => command.run(),
            Dev::Commit(command) => command.run(),
            Dev::Miners(command) => command.run(),
        }
    }
}

/// Serve a fake of the storage service, until SIGINT or SIGTERM. Its control plane
/// under `/dev/` is not signed: whoever reaches the address may change anything.
#[derive(Debug, Args)]
pub(super) struct Storage {
    /// Where it listens. With port 0 the system chooses; what it chose is on stdout.
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Take requests without a signature, or with a wrong one.
    #[arg(long)]
    no_signatures: bool,
    /// The time that signatures must be fresh by, as text in seconds since the Unix
    /// epoch, read at each request. Default: the system's clock.
    #[arg(long, value_name = "FILE")]
    clock: Option<PathBuf>,
    /// Where what is uploaded outlives the process. Default: it does not.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

impl Storage {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            // Before anybody is told the address, so that no signal is missed.
            let (mut interrupt, mut terminate) = (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            );
            let storage = FakeStorage::start(Options {
                listen: self.listen,
                signatures: !self.no_signatures,
                clock: self.clock.map_or(Clock::System, Clock::File),
                state: self.state,
            })?;
            if !storage.address.ip().is_loopback() {
                tracing::warn!(address = %storage.address, "others can reach the control plane");
            }
            println!("storage {}", storage.url());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
