//! `proctor serve`.

use super::{ConfigArgs, runtime};
use crate::{api, host::Host};
use clap::Args;
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
            serve(host).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Serves until the process is told to end by SIGINT or SIGTERM.
pub(super) async fn serve(host: Host) -> anyhow::Result<()> {
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
    api::serve(host, stop, |public, admin| {
        // On stdout, for whoever started the process: ports may be chosen by
        // the system.
        println!("public http://{public}");
        println!("admin http://{admin}");
    })
    .await?;
    Ok(())
}
