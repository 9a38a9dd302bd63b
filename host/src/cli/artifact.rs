//! `proctor artifact`.

use super::table::table;
use super::{ConfigArgs, print_json};
use crate::host::open_artifacts;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// What miners submit.
#[derive(Debug, Subcommand)]
pub(super) enum Artifact {
    /// Add a file to the artifact store, and print its reference.
    Add {
        /// The file: a component of the world `proctor:solver`.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List the artifacts in the store.
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

impl Artifact {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Artifact::Add { file, config } => {
                let added = open_artifacts(&config.load()?)?.add_file(&file)?;
                println!("sha256:{}", added.digest);
            }
            Artifact::List { json, config } => {
                let artifacts = open_artifacts(&config.load()?)?.list()?;
                if json {
                    let list: Vec<_> = artifacts
                        .iter()
                        .map(|a| json!({"digest": format!("sha256:{}", a.digest), "size": a.size}))
                        .collect();
                    print_json(&list)?;
                } else {
                    let rows: Vec<_> = artifacts
                        .iter()
                        .map(|a| vec![format!("sha256:{}", a.digest), a.size.to_string()])
                        .collect();
                    print!("{}", table(&["artifact", "bytes"], &[false, true], &rows));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
