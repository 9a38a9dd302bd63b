//! `proctor plugin watch`.

use super::test::{Plan, Tested, print, test};
use crate::authoring::cases::CasesError;
use crate::authoring::{BuildError, Built, Project, ProjectChanges};
use crate::cli::author::build;
use crate::cli::terminal::{BAD, FAINT, GOOD, WARNING, styled};
use crate::cli::{ConfigArgs, runtime};
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// See [`Plugin`](super::Plugin).
#[derive(Debug, Args)]
pub(in crate::cli) struct Watch {
    /// After each run in which every case is as expected, copy the challenge's component
    /// into this directory: the `plugins` directory of a host that serves loads it at once.
    #[arg(long, value_name = "DIR")]
    drop: Option<PathBuf>,
    /// Do not run `cargo test`, as is done in Rust.
    #[arg(long)]
    no_native: bool,
    /// Print each run as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Watch {
    /// Runs until the process is ended: nothing of it must be cleaned up.
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let here = Path::new(".");
        Project::find(here)?.challenge()?;
        if let Some(directory) = &self.drop {
            let what = directory.display();
            ensure!(directory.is_dir(), "--drop: there is no directory {what}");
        }
        let runtime = runtime()?;
        let _entered = runtime.enter();
        // Before the first run, so that no change is missed.
        let mut changes =
            ProjectChanges::of(&Project::find(here)?).context("the project cannot be watched")?;
        let mut changed = Vec::new();
        loop {
            let run = self.once(here);
            if self.json {
                let mut out = io::stdout().lock();
                writeln!(out, "{}", run.json(&changed))?;
                out.flush()?;
            } else {
                run.print();
                let hint = "watching for changes; Ctrl-C ends it";
                anstream::println!("{}", styled(FAINT, hint));
            }
            changed = runtime.block_on(changes.next());
            if changed.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
            if !self.json {
                anstream::println!("\n{}", styled(WARNING, shown(&changed)));
            }
        }
    }

    /// Builds, runs the cases, and copies the challenge if they are as expected. The project
    /// is read each time: it is what may have changed.
    fn once(&self, here: &Path) -> Ran {
        let began = Instant::now();
        let mut ran = Ran::default();
        if let Err(error) = self.steps(here, &mut ran) {
            ran.error = Some(error);
        }
        ran.elapsed = began.elapsed();
        ran
    }

    fn steps(&self, here: &Path, ran: &mut Ran) -> anyhow::Result<()> {
        let project = Project::find(here)?;
        ran.built = build::built(&project, &[])?;
        let plan = Plan {
            only: Vec::new(),
            update: false,
            native: !self.no_native,
            build: false,
            config: self.config.load()?,
        };
        match test(&project, &plan) {
            Ok(tested) => {
                let is_good = tested.is_good();
                ran.tested = Some(tested);
                if !is_good {
                    return Ok(());
                }
            }
            // There may be none yet.
            Err(error) if matches!(error.downcast_ref(), Some(CasesError::None { .. })) => {}
            Err(error) => return Err(error),
        }
        let challenge = ran.built.iter().find(|built| built.challenge);
        if let (Some(directory), Some(challenge)) = (&self.drop, challenge)
            && challenge.copy_into(directory)?
        {
            ran.dropped = Some(directory.join(format!("{}.wasm", challenge.name)));
        }
        Ok(())
    }
}

/// What came of one run.
#[derive(Default)]
struct Ran {
    built: Vec<Built>,
    /// None: it did not come to that, or there are no cases.
    tested: Option<Tested>,
    dropped: Option<PathBuf>,
    error: Option<anyhow::Error>,
    elapsed: Duration,
}

impl Ran {
    fn print(&self) {
        build::print(&self.built);
        if let Some(tested) = &self.tested {
            print::tested(tested, "proctor plugin test");
        } else if self.error.is_none() {
            anstream::println!("no cases");
        }
        if let Some(path) = &self.dropped {
            anstream::println!("{} {}", styled(GOOD, "dropped"), path.display());
        }
        if let Some(error) = &self.error {
            anstream::println!("{} {error:#}", styled(BAD, "error:"));
        }
        anstream::println!("{}", styled(FAINT, format!("in {:.1?}", self.elapsed)));
    }

    fn json(&self, changed: &[PathBuf]) -> Value {
        let error = self
            .error
            .as_ref()
            .map(|error| match error.downcast_ref::<BuildError>() {
                Some(error) => build::error_json(error),
                None => json!({ "code": "failed", "message": format!("{error:#}") }),
            });
        json!({
            "changed": changed,
            "good": self.error.is_none() && self.tested.as_ref().is_none_or(Tested::is_good),
            "built": self.built.iter().map(build::built_json).collect::<Vec<_>>(),
            "tested": self.tested.as_ref().map(print::as_json),
            "dropped": self.dropped,
            "error": error,
            "elapsed_s": self.elapsed.as_secs_f64(),
        })
    }
}

/// Which files changed, in one line.
fn shown(changed: &[PathBuf]) -> String {
    match changed {
        [only] => format!("{} changed", only.display()),
        [first, rest @ ..] => format!("{} and {} more changed", first.display(), rest.len()),
        [] => String::new(),
    }
}
