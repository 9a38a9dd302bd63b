//! `proctor plugin replay`.

use super::super::table::table;
use super::super::verify as verify_command;
use super::super::{ConfigArgs, author, print_json, runtime};
use crate::bundles::{self, Sources, collect_receipt};
use crate::canonical::is_digest;
use crate::config::Config;
use crate::host::{open_artifacts, open_components, open_store};
use crate::receipts::bundle::Bundle;
use crate::sandbox::{PluginComponent, Sandbox, SandboxConfig};
use crate::verify::{self, BundleFile, Evaluated, Replayed};
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use std::io::{BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The most memory of one call, in bytes.
const MAX_MEMORY: usize = 4 << 30;

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// The receipt of an evaluation, by id, or a bundle, all of whose evaluations are
    /// replayed.
    #[arg(value_name = "RECEIPT|BUNDLE")]
    what: String,
    /// The component to replay with.
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
    /// The bundle that has the receipt. Default: what the host keeps.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let scratch = tempfile::tempdir()?;
        runtime()?.block_on(self.replay(scratch.path()))
    }

    async fn replay(self, scratch: &Path) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let is_receipt = is_digest(&self.what);
        let open = |path: &Path| verify_command::open(path, path.display());
        let bundle = match &self.bundle {
            Some(path) => {
                ensure!(
                    is_receipt,
                    "with --bundle {:?} must be the id of a receipt",
                    self.what
                );
                open(path)?
            }
            None if is_receipt => self.collected(&config).await?,
            None => {
                let path = Path::new(&self.what);
                ensure!(
                    !matches!(path.try_exists(), Ok(false)),
                    "{:?} is neither a receipt's id (64 lower-case hexadecimal digits) nor a file",
                    self.what
                );
                open(path)?
            }
        };
        let bytes = author::read(&self.component)?;
        let sandbox = Sandbox::new(&SandboxConfig {
            max_memory_bytes: MAX_MEMORY,
            pooling: false,
            ..SandboxConfig::new(scratch.join("replayed"))
        })?;
        let (component, _) = PluginComponent::load(&sandbox, &bytes)
            .with_context(|| format!("{} cannot be loaded", self.component.display()))?;
        let artifacts = config.data_dir.join("artifacts");
        let artifacts = artifacts.is_dir().then_some(artifacts);
        let only = is_receipt.then_some(self.what.as_str());
        let component = Arc::new(component);
        let replayed = verify::replay(
            bundle,
            artifacts.as_deref(),
            only,
            &sandbox,
            &component,
            MAX_MEMORY,
        );
        let replayed = replayed.await?;
        ensure!(
            !replayed.is_empty(),
            "there is no evaluation to replay: {}",
            self.what
        );
        if self.json {
            print_json(&json!({"component": component.digest(), "evaluations": replayed}))?;
        } else {
            print(&replayed);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The bundle of the receipt, out of the data directory.
    async fn collected(&self, config: &Config) -> anyhow::Result<BundleFile> {
        let path = config.data_dir.join("proctor.sqlite");
        ensure!(path.is_file(), "there is no database: {}", path.display());
        let sources = Sources {
            store: open_store(&config.data_dir)?,
            artifacts: open_artifacts(config)?,
            components: open_components(config)?,
        };
        let options = bundles::Options {
            artifacts: true,
            components: false,
        };
        let mut file = tempfile::tempfile()?;
        collect_receipt(&sources, &self.what, options, BufWriter::new(&file)).await?;
        file.rewind()?;
        Ok(Bundle::from_reader(BufReader::new(file))?)
    }
}

/// For people: a row for each task.
fn print(replayed: &[Replayed]) {
    let mut rows = Vec::new();
    for of in replayed {
        let scores = |of: &Option<Evaluated>| of.as_ref().map_or(0, |of| of.scores.len());
        let tasks = scores(&of.before).max(scores(&of.after));
        let receipt: String = of.receipt.chars().take(12).collect();
        for task in 0..tasks {
            let score = |of: &Option<Evaluated>| of.as_ref()?.scores.get(task).copied();
            let (before, after) = (score(&of.before), score(&of.after));
            rows.push(vec![
                receipt.clone(),
                task.to_string(),
                number(before),
                number(after),
                difference(before, after),
            ]);
        }
    }
    let header = ["receipt", "task", "before", "after", "difference"];
    println!(
        "{}",
        table(&header, &[false, true, true, true, true], &rows)
    );
    let rows = replayed.iter().map(summary).collect::<Vec<_>>();
    let header = [
        "receipt",
        "before",
        "after",
        "difference",
        "fuel before",
        "fuel after",
        "outcome",
    ];
    let right = [false, true, true, true, true, true, false];
    println!("{}", table(&header, &right, &rows));
    for of in replayed {
        let receipt: String = of.receipt.chars().take(12).collect();
        if !of.unrecorded.is_empty() {
            println!("{receipt} asks what was not recorded: {}", unrecorded(of));
        }
        if let Some(why) = &of.skipped {
            println!("{receipt} is not replayed: {why}");
        }
    }
    let mean = |of: fn(&Replayed) -> &Option<Evaluated>| {
        let means: Vec<f64> = replayed
            .iter()
            .filter_map(|r| of(r).as_ref()?.mean())
            .collect();
        let count = means.len();
        (count > 0).then(|| means.iter().sum::<f64>() / count as f64)
    };
    let (before, after) = (mean(|r| &r.before), mean(|r| &r.after));
    let changed = replayed.iter().filter(|of| {
        let scores = |of: &Option<Evaluated>| of.as_ref().map(|of| of.scores.clone());
        scores(&of.before) != scores(&of.after)
    });
    println!(
        "{} evaluations, {} with other scores; mean {} before, {} after, {}",
        replayed.len(),
        changed.count(),
        number(before),
        number(after),
        difference(before, after)
    );
}

/// What a component asked that was not recorded.
fn unrecorded(of: &Replayed) -> String {
    let named = of.unrecorded.iter();
    let mut asked: Vec<String> = named
        .map(|(name, times)| format!("{times} {name}"))
        .collect();
    if of.solved_anew > 0 {
        let anew = of.solved_anew;
        asked.push(format!("the artifact solved {anew} tasks anew"));
    }
    asked.join(", ")
}

fn summary(of: &Replayed) -> Vec<String> {
    let mean = |of: &Option<Evaluated>| of.as_ref().and_then(Evaluated::mean);
    let fuel = |of: &Option<Evaluated>| {
        of.as_ref()
            .map_or_else(|| "-".to_owned(), |of| of.fuel.to_string())
    };
    let (before, after) = (mean(&of.before), mean(&of.after));
    let outcome = of
        .after
        .as_ref()
        .map_or("-".to_owned(), |after| match &after.message {
            Some(message) => format!("{}: {message}", after.outcome),
            None => after.outcome.clone(),
        });
    vec![
        of.receipt.chars().take(12).collect(),
        number(before),
        number(after),
        difference(before, after),
        fuel(&of.before),
        fuel(&of.after),
        outcome,
    ]
}

fn number(of: Option<f64>) -> String {
    of.map_or_else(|| "-".to_owned(), |of| format!("{of:.4}"))
}

fn difference(before: Option<f64>, after: Option<f64>) -> String {
    match before.zip(after) {
        Some((before, after)) if before.to_bits() == after.to_bits() => "=".to_owned(),
        Some((before, after)) => format!("{:+.4}", after - before),
        None => "-".to_owned(),
    }
}
