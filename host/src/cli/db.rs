//! `proctor db`.

use super::{ConfigArgs, print_json, runtime};
use crate::backup::{self, Draft};
use crate::clock;
use crate::config::Config;
use crate::host::{HostError, lock, open_store};
use crate::retention::{Compaction, Kept, archive_directory};
use crate::scoring::Schedule;
use crate::store::Store;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Look after the database.
#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// Look for damage and contradictions. A host may run meanwhile. Exits with 1 if
    /// there is an error.
    Check(Check),
    /// Write the database anew, without the room that was left by what is gone. No host
    /// may run.
    Vacuum(Vacuum),
    /// Print all rows of all tables, a JSON object a line. A host may run meanwhile.
    Export(Export),
    /// Have old days leave the database now. No host may run: one that runs does it
    /// every hour.
    Compact(Compact),
    /// Write the backup now. A host may run meanwhile: write it to a file of your own.
    Backup(Backup),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Print what is found as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(super) struct Vacuum {
    /// Print the sizes as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Write to a file, which only its owner may read, instead of stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Tell also what is not to be known yet: keys of sealed commits, the documents of
    /// validators, which hold such keys, and the seed of the deployment.
    #[arg(long)]
    with_keys: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(super) struct Compact {
    /// The first day that stays, `YYYY-MM-DD`; commits that are older and not known are
    /// refused from then on. Default: as `retention.days` says.
    #[arg(long, value_name = "DAY")]
    before: Option<String>,
    /// Print what has left as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file. Default: as `backup.path` says.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Db {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Db::Check(command) => command.run(),
            Db::Vacuum(command) => command.run(),
            Db::Export(command) => command.run(),
            Db::Compact(command) => command.run(),
            Db::Backup(command) => command.run(),
        }
    }
}

/// The database of a data directory, which must be there.
fn database(config: &Config) -> anyhow::Result<PathBuf> {
    let path = config.data_dir.join("proctor.sqlite");
    if !path.is_file() {
        bail!("there is no database: {}", path.display());
    }
    Ok(path)
}

/// The data directory and its database, for this process alone.
fn take(config: &Config) -> anyhow::Result<(File, Store)> {
    database(config)?;
    let lock = lock(&config.data_dir)?;
    Ok((lock, open_store(&config.data_dir)?))
}

impl Check {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let path = database(&config)?;
        let host_runs = match lock(&config.data_dir) {
            Ok(_) => false,
            Err(HostError::InUse(_)) => true,
            Err(error) => return Err(error.into()),
        };
        let problems =
            Store::problems(&path, host_runs).with_context(|| path.display().to_string())?;
        let is_bad = problems.iter().any(|(error, _)| *error);
        let level = |error: bool| if error { "error" } else { "warning" };
        if self.json {
            let problem =
                |(error, what): &(bool, String)| json!({"level": level(*error), "problem": what});
            let problems: Vec<Value> = problems.iter().map(problem).collect();
            print_json(&json!({"ok": !is_bad, "problems": problems}))?;
        } else {
            for (error, what) in &problems {
                println!("{}: {what}", level(*error));
            }
            if !is_bad {
                println!("{}: ok", path.display());
            }
        }
        Ok(if is_bad {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

impl Vacuum {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let (_lock, store) = take(&config)?;
        let (before, after) = runtime()?.block_on(async {
            let before = store.checkpoint().await?;
            anyhow::Ok((before, store.vacuum().await?))
        })?;
        if self.json {
            print_json(&json!({"bytes_before": before, "bytes": after}))?;
        } else {
            println!("{before} bytes before, {after} bytes now");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Export {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let path = database(&config)?;
        let exported = match &self.out {
            Some(out) => Draft::new(out).and_then(|mut draft| {
                let exported = self.export(&path, &mut draft);
                if matches!(exported, Ok(Ok(()))) {
                    draft.publish()?;
                }
                Ok(exported)
            }),
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                let exported = self.export(&path, &mut out);
                out.flush().map(|()| exported)
            }
        };
        let out = self.out.unwrap_or_else(|| "stdout".into());
        let failed = || format!("cannot write to {}", out.display());
        exported.with_context(failed)??.with_context(failed)?;
        Ok(ExitCode::SUCCESS)
    }

    fn export(
        &self,
        path: &std::path::Path,
        out: &mut impl Write,
    ) -> anyhow::Result<io::Result<()>> {
        let line = |table: &str, row: Map<String, Value>| {
            serde_json::to_writer(&mut *out, &json!({"table": table, "row": row}))?;
            out.write_all(b"\n")
        };
        Ok(Store::export(path, self.with_keys, line)?)
    }
}

impl Compact {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let now = clock::unix_now();
        let kept = match &self.before {
            Some(day) => Kept::from(day, now)?,
            None if config.retention.days == 0 => {
                bail!("retention.days is 0: everything is kept. Give --before");
            }
            None => Kept::days(config.retention.days, now),
        };
        let (_lock, store) = take(&config)?;
        let compaction = Compaction {
            kept,
            schedule: Schedule::new(&config),
            max_unique_commits: config.scoring.max_unique_commits,
            directory: archive_directory(&config.data_dir),
        };
        let compacted = runtime()?.block_on(async {
            let compacted = compaction.run(&store, |_, _| {}).await?;
            store.checkpoint().await?;
            anyhow::Ok(compacted)
        })?;
        let commits = compacted.count();
        if self.json {
            print_json(&json!({"days": compacted.days, "commits": commits}))?;
        } else {
            let directory = compaction.directory.display();
            let days = compacted.days.len();
            println!("{commits} commits of {days} days are now in {directory}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Backup {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        database(&config)?;
        let store = open_store(&config.data_dir)?;
        let path = self.out.unwrap_or_else(|| config.backup_path());
        let written = runtime()?.block_on(async {
            let seed = store.seed(config.scoring.seed, rand::random()).await?;
            anyhow::Ok(backup::write(&store, seed, &path, clock::unix_now()).await?)
        })?;
        if self.json {
            print_json(&json!({"bytes": written.bytes, "rows": written.rows}))?;
        } else {
            println!("{}: {} bytes", path.display(), written.bytes);
        }
        Ok(ExitCode::SUCCESS)
    }
}
