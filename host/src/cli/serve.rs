//! `proctor serve`.

use super::{ConfigArgs, runtime};
use crate::host::Host;
use clap::Args;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Serve: load plugins, score commits, answer validators.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        runtime()?.block_on(async {
            let host = Host::open(config).await?;
            serve(host, print_addresses).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// On stdout, for whoever started the process: ports may be chosen by the
/// system.
pub(super) fn print_addresses(public: SocketAddr, admin: SocketAddr) {
    println!("public http://{public}");
    println!("admin http://{admin}");
}

/// Serves until the process is told to end by SIGINT or SIGTERM. Tells the
/// public and the admin address once it listens.
pub(super) async fn serve(
    host: Host,
    listening: impl FnOnce(SocketAddr, SocketAddr),
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    crate::serve::serve(host, stop, listening).await?;
    Ok(())
}
