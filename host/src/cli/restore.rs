//! `proctor restore`.

use super::{ConfigArgs, print_json, runtime};
use crate::backup::Backup;
use crate::clock;
use crate::host::{lock, open_store};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Bring back what a backup holds, `scoring_results.json`, into a data directory whose
/// database is empty. The host then goes on where it was: nothing is evaluated, judged
/// or finalized again. Artifacts and the metagraph are not in a backup.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Print what was restored as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let backup = Backup::open(&self.file)?;
        let written_at = backup.header.written_at;
        let Some(seed) = backup.header.seed() else {
            bail!("{}: it tells no seed", self.file.display());
        };
        if let Some(configured) = config.scoring.seed.filter(|configured| *configured != seed) {
            bail!(
                "scoring.seed: {configured} is not the seed of the backup, {seed}: with another \
                 seed, submissions of one day get different tasks"
            );
        }
        let data_dir = &config.data_dir;
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot make {}", data_dir.display()))?;
        let _lock = lock(data_dir)?;
        let store = open_store(data_dir)?;
        let rows = runtime()?
            .block_on(backup.restore(&store))
            .with_context(|| format!("nothing was restored into {}", data_dir.display()))?;
        if self.json {
            print_json(&json!({"written_at": written_at, "rows": rows}))?;
            return Ok(ExitCode::SUCCESS);
        }
        let of = |part| rows.get(part).copied().unwrap_or_default();
        println!(
            "restored into {}: {} commits, {} results, {} finalizations, as of {} ({} seconds \
             since the Unix epoch)",
            data_dir.display(),
            of("commits"),
            of("results"),
            of("finalizations"),
            clock::day(written_at),
            written_at.round(),
        );
        if config.wallet.name.is_none() && !data_dir.join("receipts.key").exists() {
            println!(
                "receipts are signed with a key that no backup has: copy receipts.key from the old \
                 data directory, or whoever audits this host is told of another signer"
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
