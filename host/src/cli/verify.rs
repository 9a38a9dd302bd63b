//! `proctor verify`.

mod download;
mod print;

pub(super) use print::print;

use super::{print_json, runtime};
use crate::chain::ss58;
use crate::receipts::bundle::Bundle;
use crate::verify::{self, BundleFile, Options, Report, Sample, SampleSize, Step, Verdict};
use anyhow::{Context, bail};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Check receipts, and compute again what they say.
///
/// Exits with 0 if all is as it says, 1 if anything differs, 3 if nothing differs and
/// something cannot be checked, and 2 if there is nothing to check.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A bundle: a file, or an address to get it from. With --day the address of a host.
    #[arg(value_name = "FILE|URL")]
    bundle: String,
    /// Get the bundle of this day from the host, with artifacts if the host gives them.
    /// `YYYY-MM-DD`.
    #[arg(long, value_name = "DAY")]
    day: Option<String>,
    /// A directory with components and artifacts that are not in the bundle.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Calls at a time. Default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    jobs: Option<usize>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Compute so many receipts again, or this part of them: a number, or as in `5%`.
    #[arg(long, value_name = "N|N%")]
    sample: Option<SampleSize>,
    /// Draw the sample that this number draws. Default: another one each time, which is
    /// printed.
    #[arg(long, value_name = "NUMBER", requires = "sample")]
    sample_seed: Option<u64>,
    /// Who must have signed, SS58. Default: whoever did, as long as it is one.
    #[arg(long, value_name = "SS58", value_parser = address)]
    signer: Option<String>,
    /// Where compiled components are kept. Default: nowhere.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The most memory of one call, in MiB. Calls that may take more are not checked.
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    max_memory: usize,
    /// The most time of one call, in seconds. Calls that take longer are not checked.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    max_seconds: u64,
    /// The most bytes of a bundle that are downloaded.
    #[arg(long, default_value_t = 8 << 30, value_name = "BYTES")]
    max_bytes: u64,
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // That something is wrong with the bundle has a status of its own.
        let report = match self.verify() {
            Ok(report) => report,
            Err(error) => {
                eprintln!("error: {error:#}");
                return Ok(ExitCode::from(2));
            }
        };
        if self.json {
            print_json(&report)?;
        } else {
            print(&report);
        }
        Ok(ExitCode::from(match report.verdict {
            Verdict::Verified => 0,
            Verdict::Differs => 1,
            Verdict::NotCheckable => 3,
        }))
    }

    fn verify(&self) -> anyhow::Result<Report> {
        let scratch;
        let path = if download::is_address(&self.bundle) {
            scratch = tempfile::NamedTempFile::new()?;
            let got = download::bundle(
                &self.bundle,
                self.day.as_deref(),
                self.max_bytes,
                scratch.as_file(),
            );
            if !runtime()?.block_on(got)? {
                eprintln!(
                    "this host gives artifacts to nobody: what needs them is not checkable, \
                     unless --plugins names a directory that has them"
                );
            }
            scratch.path()
        } else if self.day.is_some() {
            bail!(
                "--day is for the address of a host, and {:?} is none",
                self.bundle
            );
        } else {
            Path::new(&self.bundle)
        };
        let bundle = open(path, &self.bundle)?;
        let mut options = Options {
            plugins: self.plugins.clone(),
            sample: self.sample.map(|size| Sample {
                size,
                seed: self.sample_seed.unwrap_or_else(rand::random),
            }),
            signer: self.signer.clone(),
            cache_dir: self.cache.clone(),
            max_memory_bytes: self.max_memory.saturating_mul(1 << 20),
            max_call: Duration::from_secs(self.max_seconds),
            ..Options::default()
        };
        if let Some(jobs) = self.jobs {
            options.jobs = jobs;
        }
        let is_shown = io::stderr().is_terminal();
        if is_shown {
            options.progress = Some(progress());
        }
        let report = runtime()?.block_on(verify::run(bundle, options));
        if is_shown {
            eprint!("\r{:WIDTH$}\r", "");
        }
        Ok(report?)
    }
}

/// Columns of the line that tells how far it is.
const WIDTH: usize = 60;

/// A line that is written over and over.
fn progress() -> verify::Progress {
    let last = Mutex::new(None::<Instant>);
    Arc::new(move |step: Step, done, of| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() > Duration::from_millis(100));
        if is_due || done == of {
            *last = Some(Instant::now());
            let line = match step {
                Step::Bundle => format!("reading {done} of {of}"),
                _ => format!("computing {done} of {of}"),
            };
            eprint!("\r{line:WIDTH$}");
            // What cannot be shown is not worth ending for.
            let _ = io::stderr().flush();
        }
    })
}

/// Opens a bundle. That there is none is told otherwise than that something else is there.
pub(super) fn open(path: &Path, name: impl Display) -> anyhow::Result<BundleFile> {
    let failed = || format!("cannot read {name}");
    let file = File::open(path).with_context(failed)?;
    if file.metadata().with_context(failed)?.is_dir() {
        bail!("cannot read {name}: it is a directory");
    }
    let read = Bundle::from_reader(BufReader::new(file));
    read.with_context(|| format!("{name} is no bundle"))
}

/// Reads an address, such as one that must have signed.
pub(super) fn address(text: &str) -> Result<String, String> {
    match ss58::decode(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("no SS58 address with prefix 42".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::audit::Audit;
    use super::*;
    use clap::{Args, Command};

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    /// What is wrong with arguments.
    fn wrong<T: Args>(arguments: &[&str]) -> Option<String> {
        let command = T::augment_args(Command::new("proctor"));
        let with_name = std::iter::once("proctor").chain(arguments.iter().copied());
        let parsed = command.try_get_matches_from(with_name);
        parsed.err().map(|error| {
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        })
    }

    #[test]
    fn arguments_that_would_check_nothing_are_refused() {
        let mistyped = ALICE.replace("Grw", "Gwr");
        let bad = [
            ["--signer", &mistyped],
            ["--signer", ""],
            [
                "--signer",
                "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
            ],
            ["--jobs", "0"],
            ["--sample", "0"],
            ["--sample", "0%"],
        ];
        for [option, value] in bad {
            for error in [
                wrong::<Verify>(&["day.bundle", option, value]),
                wrong::<Audit>(&["--from", "http://h", option, value]),
            ] {
                let error = error.unwrap_or_else(|| panic!("{option} {value:?} is taken"));
                assert!(error.contains(option), "{error}");
            }
        }
        for [option, value] in [["--signer", ALICE], ["--jobs", "1"], ["--sample", "1%"]] {
            assert_eq!(wrong::<Verify>(&["day.bundle", option, value]), None);
            assert_eq!(wrong::<Audit>(&["--from", "http://h", option, value]), None);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let told = |path: &Path| format!("{:#}", open(path, "it").unwrap_err());
        assert!(told(&path).starts_with("cannot read it: No such file"));
        assert_eq!(told(directory.path()), "cannot read it: it is a directory");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(told(&path).starts_with("it is no bundle: "));
    }
}
