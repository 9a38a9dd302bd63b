//! `proctor ingest`.

use super::{ConfigArgs, print_json, runtime};
use crate::chain::{Metagraph, subnet};
use crate::clock;
use crate::commits::{Delivery, IngestReport, ingest};
use crate::config::ChainMode;
use crate::host::open_store;
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Take in the commits that a validator publishes. A host that serves the same
/// data directory sees them at its next look.
#[derive(Debug, Args)]
pub(super) struct Ingest {
    /// Uid of the validator.
    #[arg(long, value_name = "UID")]
    validator: u16,
    /// What it publishes: `{"miner_commits": {hotkey: {challenge: commit | [commit]}}}`.
    file: PathBuf,
    /// Print what came of it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Ingest {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let document = std::fs::read(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let metagraph = match config.chain.mode() {
            ChainMode::Offline => Metagraph::load(&config.metagraph_path())?,
            ChainMode::Online => subnet::last_known(&config).context(
                "it is not known who is registered: `proctor serve` reads it from the chain",
            )?,
        };
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make {}", config.data_dir.display()))?;
        let store = open_store(&config.data_dir)?;
        let delivery = Delivery {
            validator_uid: self.validator,
            document,
            source: "file",
            received_at: clock::unix_now(),
            request_ns: None,
            last_confirmed_at: None,
        };
        let report = runtime()?
            .block_on(ingest(&store, &metagraph, &config.commits, delivery))
            .with_context(|| format!("{} was not taken in", self.file.display()))?;
        self.print(&report)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, report: &IngestReport) -> anyhow::Result<()> {
        let IngestReport {
            ingested,
            faults,
            not_heard,
        } = report;
        if self.json {
            let faults: Vec<_> = faults
                .iter()
                .map(|(hotkey, challenge, code)| json!({"hotkey": hotkey, "challenge": challenge, "code": code}))
                .collect();
            return print_json(&json!({
                "new": ingested.new,
                "updated": ingested.updated,
                "faults": faults,
                "not_heard": not_heard,
            }));
        }
        println!(
            "validator {}: {} new commits, {} updated, {} faults",
            self.validator,
            ingested.new,
            ingested.updated,
            faults.len()
        );
        for (hotkey, challenge, code) in faults {
            println!("  {code}: {hotkey} {challenge}");
        }
        if let Some(reason) = not_heard {
            println!("  kept, but not heard for now: {reason}");
        }
        Ok(())
    }
}
