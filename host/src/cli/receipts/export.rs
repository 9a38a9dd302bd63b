//! `proctor receipts export`.

use super::{no_day, open, public};
use crate::bundles::{CollectError, Collected, Options, Sources, collect_day, collect_receipt};
use crate::cli::{ConfigArgs, runtime};
use crate::config::Config;
use crate::host::{open_artifacts, open_components};
use anyhow::Context;
use clap::{ArgGroup, Args};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(in crate::cli) struct Export {
    /// The receipts of this day, `YYYY-MM-DD`, UTC, which is finalized.
    #[arg(long, value_name = "DAY", group = "what")]
    day: Option<String>,
    /// One receipt, with those that it depends on directly, and not those that these
    /// depend on: they are taken for what they say.
    #[arg(long, value_name = "ID", group = "what")]
    receipt: Option<String>,
    /// Where to: a file, or `-` for stdout. Default: `proctor-DAY.bundle`, or
    /// `proctor-receipt-ID.bundle`, here. It is there when it is whole.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With what miners submitted, so that their runs can be done again.
    #[arg(long)]
    artifacts: bool,
    /// Without the components of challenges: who verifies must have them.
    #[arg(long)]
    no_components: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let sources = sources(&config)?;
        let (output, collected) = runtime()?.block_on(async {
            // Before a file is begun.
            let name = self.check(&sources).await?;
            let output = self.output.clone().unwrap_or_else(|| name.into());
            if output.as_os_str() == "-" {
                let out = BufWriter::new(io::stdout());
                return anyhow::Ok((None, self.collect(&sources, out).await?));
            }
            let collected = self.to_file(&sources, &output).await?;
            anyhow::Ok((Some(output), collected))
        })?;
        let output = output.map_or_else(|| "stdout".to_owned(), |path| path.display().to_string());
        // Stdout may be the bundle.
        eprintln!("{output}: {}", told(&collected));
        Ok(ExitCode::SUCCESS)
    }

    /// Looks whether there is what is asked for. Returns the name of the file.
    async fn check(&self, sources: &Sources) -> anyhow::Result<String> {
        match (&self.day, &self.receipt) {
            (Some(day), _) => match sources.store.head(day.clone(), None).await? {
                Some(_) => Ok(format!("proctor-{day}.bundle")),
                None => Err(no_day(&sources.store, day).await),
            },
            (None, id) => {
                let id = id.as_deref().unwrap_or_default();
                let id = public(&sources.store, id).await?.id;
                Ok(format!("proctor-receipt-{id}.bundle"))
            }
        }
    }

    async fn to_file(&self, sources: &Sources, path: &Path) -> anyhow::Result<Collected> {
        let mut part = OsString::from(path);
        part.push(".part");
        let part = PathBuf::from(part);
        let failed = || format!("cannot write {}", part.display());
        let file = File::create(&part).with_context(failed)?;
        let written = async {
            let collected = self.collect(sources, BufWriter::new(&file)).await?;
            file.sync_all().with_context(failed)?;
            fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok(collected)
        };
        let written = written.await;
        if written.is_err() {
            // Nobody needs it, and that it is there says less than the error.
            let _ = fs::remove_file(&part);
        }
        written
    }

    async fn collect(&self, sources: &Sources, out: impl Write) -> Result<Collected, CollectError> {
        let options = Options {
            artifacts: self.artifacts,
            components: !self.no_components,
        };
        match (&self.day, &self.receipt) {
            (Some(day), _) => collect_day(sources, day, None, options, out).await,
            (None, id) => {
                let id = id.as_deref().unwrap_or_default();
                collect_receipt(sources, id, options, out).await
            }
        }
    }
}

fn sources(config: &Config) -> anyhow::Result<Sources> {
    Ok(Sources {
        store: open(config)?,
        artifacts: open_artifacts(config)?,
        components: open_components(config)?,
    })
}

fn told(collected: &Collected) -> String {
    let Collected {
        receipts,
        linked,
        blobs,
        withheld,
        bytes,
    } = collected;
    let reasons = withheld.iter().map(|(why, count)| format!("{count} {why}"));
    let reasons: Vec<String> = reasons.collect();
    let total: u64 = withheld.values().sum();
    let reasons = match reasons.is_empty() {
        true => String::new(),
        false => format!(" ({})", reasons.join(", ")),
    };
    format!(
        "{receipts} receipts, {linked} that they depend on, {blobs} blobs, {total} \
         withheld{reasons}, {bytes} bytes"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_was_exported_is_told_with_the_reasons() {
        let mut collected = Collected {
            receipts: 3,
            linked: 2,
            blobs: 7,
            withheld: BTreeMap::from([("private", 1), ("not_included", 4)]),
            bytes: 10_240,
        };
        let expected = "3 receipts, 2 that they depend on, 7 blobs, 5 withheld \
                        (4 not_included, 1 private), 10240 bytes";
        assert_eq!(told(&collected), expected);
        collected.withheld.clear();
        assert!(told(&collected).contains("0 withheld, 10240 bytes"));
    }
}
