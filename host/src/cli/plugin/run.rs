//! `proctor plugin run`.

use super::super::author::{expect_kind, read, shown};
use super::super::table::table;
use super::super::terminal::{BAD, GOOD, Step, styled};
use super::super::{ConfigArgs, author, print_json, runtime};
use super::target::TargetArgs;
use super::test::print::wrote;
use crate::authoring::cases::loading;
use crate::authoring::evaluate::{Attempt, Evaluation, Subject};
use crate::config::Config;
use crate::sandbox::types::Submission;
use crate::sandbox::{
    ComponentKind, PluginError, Sandbox, SettingsProblem, SolverComponent, Submitted, sha256_hex,
};
use anstream::{print, println};
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    target: TargetArgs,
    /// Print everything as JSON, tasks and solutions included.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let target = &self.target;
        let file = target.challenge()?;
        let artifact = target.submission()?;
        let sandbox = author::sandbox()?;
        let config = self.config.load()?;
        let evaluation = runtime()?.block_on(async {
            let subject = Subject::open(&sandbox, &file, &config).await?;
            let settings = target.settings.as_deref();
            subject
                .evaluate_file(&sandbox, &artifact, settings, target.seed)
                .await
        })?;
        match self.json {
            true => print_json(&evaluation.as_json())?,
            false => evaluation.print(),
        }
        Ok(match &evaluation.result {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        })
    }
}

impl Subject {
    /// Loads the challenge of a file, and says so while it takes long.
    pub(in crate::cli) async fn open(
        sandbox: &Sandbox,
        file: &Path,
        config: &Config,
    ) -> anyhow::Result<Self> {
        let bytes = read(file)?;
        expect_kind(&bytes, ComponentKind::Challenge, &shown(file))?;
        let _step = Step::begin(loading(file, bytes.len()));
        Subject::load(sandbox, &bytes, config)
            .await
            .with_context(|| format!("{} cannot be loaded", shown(file)))
    }

    /// Evaluates and judges the submission of a file. Without `settings` they are those of
    /// the configuration.
    pub(in crate::cli) async fn evaluate_file(
        &self,
        sandbox: &Sandbox,
        artifact: &Path,
        settings: Option<&str>,
        seed: u64,
    ) -> anyhow::Result<Evaluation> {
        // Not the volumes of a host that may be running.
        let scratch = tempfile::tempdir()?;
        let grants = self.grants(scratch.path())?;
        let source = match settings {
            Some(_) => "--settings".to_owned(),
            None => format!("challenges.{}.settings", self.description.name),
        };
        let settings = settings.map_or_else(|| self.settings(), str::to_owned);
        let problems = self.settings_problems(sandbox, &settings).await?;
        if let Some(SettingsProblem { path, message }) = problems.first() {
            let path = if path.is_empty() {
                path.clone()
            } else {
                format!("{path}: ")
            };
            anyhow::bail!("{source}: {path}{message}");
        }
        let bytes = read(artifact)?;
        let step = Step::begin(loading(artifact, bytes.len()));
        let solver = SolverComponent::load(sandbox, &bytes).map(|(solver, _)| solver.into());
        drop(step);
        let attempt = Attempt {
            settings: settings.into(),
            seed,
            now: 0.0,
            submission: Submission {
                digest: sha256_hex(&bytes),
            },
            submitted: Arc::new(Submitted {
                solver,
                limits: self.given.solver.limits(),
            }),
        };
        let _step = Step::begin("evaluating");
        Ok(self.evaluate(sandbox, &attempt, &grants).await)
    }
}

impl Evaluation {
    /// What an evaluation came to. The same call gives the same document: it has no times.
    pub(in crate::cli) fn as_json(&self) -> Value {
        let report = self.report();
        let verdict = match &self.result {
            Ok(verdict) => verdict,
            Err(error) => {
                return json!({
                    "outcome": error.outcome.code(),
                    "blame": error.blame,
                    "message": error.message,
                    "frames": error.frames,
                    "fuel": report.fuel,
                    "log": report.log,
                });
            }
        };
        json!({
            "outcome": "ok",
            "verdict": verdict,
            "scoring_logs": self.logs,
            "solves": self
                .solves
                .iter()
                .map(|solve| json!({"outcome": solve.outcome.code(), "fuel": solve.fuel}))
                .collect::<Vec<_>>(),
            "fuel": report.fuel,
            "memory_bytes": report.memory_bytes,
            "log": report.log,
        })
    }

    /// Prints what an evaluation came to, for people.
    pub(in crate::cli) fn print(&self) {
        let report = self.report();
        let verdict = match &self.result {
            Ok(verdict) => verdict,
            Err(error) => return print_error(error, &report.log),
        };
        let rows: Vec<_> = self
            .logs
            .iter()
            .enumerate()
            .map(|(index, log)| {
                let solve = self.solves.get(index);
                vec![
                    index.to_string(),
                    format!("{:.4}", log.score),
                    solve.map_or_else(String::new, |solve| solve.fuel.to_string()),
                    log.error.clone().unwrap_or_default(),
                ]
            })
            .collect();
        print!(
            "{}",
            table(
                &["task", "score", "solver fuel", "error"],
                &[true, true, true, false],
                &rows
            )
        );
        let accepted = match verdict.accepted {
            true => styled(GOOD, "yes"),
            false => styled(BAD, "no"),
        };
        println!(
            "score {:.4}, accepted: {accepted}; the challenge used {} fuel and {} KiB, the submission {} fuel, in {:.0?}",
            verdict.score,
            report.fuel,
            report.memory_bytes >> 10,
            self.solver_fuel(),
            report.elapsed
        );
        if let Some(reason) = &verdict.reason {
            println!("the verdict's reason: {reason}");
        }
        wrote(&report.log);
    }
}

fn print_error(error: &PluginError, log: &str) {
    println!("{}", styled(BAD, error));
    for frame in &error.frames {
        println!("  at {frame}");
    }
    wrote(log);
}
