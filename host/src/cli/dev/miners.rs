//! `proctor dev miners`.

use crate::chain::ss58;
use crate::cli::runtime;
use anyhow::Context;
use clap::{Args, value_parser};
use proctor_dev_miners::{Behaviour, Miners as DevMiners, Options, Work};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// See [`Dev`](super::Dev).
#[derive(Debug, Args)]
pub(in crate::cli) struct Miners {
    /// How many.
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u16).range(1..=4_096))]
    count: u16,
    /// The port of the first; the others have the next ones. With 0 the system chooses.
    #[arg(long, default_value_t = 9_100)]
    port: u16,
    /// Every how many miners one misbehaves, each in another way. Default: none does.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    bad: Option<u16>,
    /// The hotkey of the host, which has uid 0 then and may set weights.
    #[arg(long, value_name = "SS58")]
    hotkey: Option<String>,
    /// The subnet that the metagraph is of.
    #[arg(long, default_value_t = 1)]
    netuid: u16,
    /// Take requests without a signature, or with a wrong one.
    #[arg(long)]
    no_signatures: bool,
    /// Where the metagraph is written, as in DATA_DIR/metagraph.json. What is there is
    /// replaced.
    #[arg(long, value_name = "FILE")]
    metagraph: PathBuf,
}

impl Miners {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(hotkey) = self.hotkey.as_deref() {
            ss58::decode(hotkey).with_context(|| format!("--hotkey: {hotkey} is no hotkey"))?;
        }
        runtime()?.block_on(async {
            // Before anybody is told the addresses, so that no signal is missed.
            let (mut interrupt, mut terminate) = (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            );
            let miners = self.start()?;
            let metagraph = miners.metagraph(self.netuid, self.hotkey.as_deref());
            fs::write(&self.metagraph, format!("{metagraph:#}\n"))
                .with_context(|| format!("cannot write {}", self.metagraph.display()))?;
            for miner in miners.all() {
                let (uid, hotkey) = (miner.uid, &miner.hotkey);
                let (address, behaviour) = (miner.address, miner.behaviour());
                println!("miner {uid} {hotkey} http://{address} {behaviour}");
            }
            println!("metagraph {}", self.metagraph.display());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn start(&self) -> anyhow::Result<DevMiners> {
        let miners = DevMiners::start(Options {
            count: self.count.into(),
            port: self.port,
            signatures: !self.no_signatures,
            ..Options::default()
        })?;
        let bad = self.bad.map_or(usize::MAX, usize::from);
        for (index, miner) in miners.all().iter().enumerate() {
            miner.set_work(Work::complete(quality(index)));
            if (index + 1) % bad == 0 {
                miner.behave(Behaviour::bad(index / bad));
            }
        }
        Ok(miners)
    }
}

/// Far enough apart that rewards tell them apart.
fn quality(index: usize) -> f64 {
    (1.0 - 0.05 * index as f64).max(0.3)
}
