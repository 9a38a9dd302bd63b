//! `proctor plugin run`.

use super::super::author::{load, read};
use super::super::table::table;
use super::super::{ConfigArgs, author, print_json, runtime};
use crate::config::Config;
use crate::plugins::grants;
use crate::sandbox::types::{Commit, Evaluated, Miner, ScoringLog, Submission, Verdict};
use crate::sandbox::{
    CallContext, CallReport, PluginCall, PluginError, Sandbox, SettingsProblem, SolveRecord,
    SolverComponent, Submitted, sha256_hex,
};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The challenge's component.
    file: PathBuf,
    /// The submission's component.
    #[arg(long, value_name = "FILE")]
    artifact: PathBuf,
    /// What the tasks are drawn by.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The challenge's settings, JSON. Default: those of the configuration.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// Print everything as JSON, tasks and solutions included.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // Not the volumes of a host that may be running.
        let scratch = tempfile::tempdir()?;
        let sandbox = author::sandbox()?;
        let call = Call {
            seed: self.seed,
            settings: self.settings,
            config: self.config.load()?,
            scratch: scratch.path(),
        };
        runtime()?.block_on(call.run(&sandbox, &self.file, &self.artifact, self.json))
    }
}

struct Call<'a> {
    seed: u64,
    settings: Option<String>,
    config: Config,
    scratch: &'a Path,
}

impl Call<'_> {
    async fn run(
        &self,
        sandbox: &Sandbox,
        file: &Path,
        artifact: &Path,
        as_json: bool,
    ) -> anyhow::Result<ExitCode> {
        let (component, description) = load(sandbox, &read(file)?)
            .await
            .with_context(|| format!("{} cannot be loaded", file.display()))?;
        let challenge = self.config.challenge(&description.name);
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => serde_json::to_string(&challenge.settings)?,
        };
        let (limits, solver_limits) = (challenge.limits, challenge.solver.limits());
        let grants = grants(self.scratch, &description.name, &challenge)?;
        let problems = component
            .validate_settings(sandbox, PluginCall::bare(&limits), &settings)
            .await
            .result?;
        if let Some(SettingsProblem { path, message }) = problems.first() {
            let source = match &self.settings {
                Some(_) => "--settings".to_owned(),
                None => format!("challenges.{}.settings", description.name),
            };
            let path = if path.is_empty() {
                path.clone()
            } else {
                format!("{path}: ")
            };
            anyhow::bail!("{source}: {path}{message}");
        }
        let bytes = read(artifact)?;
        let submission = Submission {
            digest: sha256_hex(&bytes),
        };
        let submitted = Submitted {
            solver: SolverComponent::load(sandbox, &bytes).map(|(solver, _)| solver.into()),
            limits: solver_limits,
        };
        let call = PluginCall {
            context: CallContext {
                settings: settings.into(),
                seed: self.seed,
                now: 0.0,
            },
            limits: &limits,
            grants: &grants,
            submitted: Some(Arc::new(submitted)),
            journal: None,
            tape: None,
        };
        let (called, solves) = component
            .evaluate(sandbox, call.clone(), &submission, &[])
            .await;
        let report = called.report;
        let logs = match called.result {
            Ok(logs) => logs,
            Err(error) => return failed(&error, &report, as_json),
        };
        let evaluated = Evaluated {
            commit: Commit {
                miner: Miner {
                    uid: 1,
                    hotkey: "local".into(),
                    coldkey: None,
                    axon_ip: None,
                },
                committed_at: 0.0,
                submission,
            },
            scoring_logs: logs.clone(),
            comparisons: Vec::new(),
        };
        let call = PluginCall {
            submitted: None,
            ..call
        };
        let judged = component.judge(sandbox, call, &evaluated).await;
        match judged.result {
            Ok(verdict) => {
                print_run(&logs, &solves, &verdict, &report, as_json)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => failed(&error, &judged.report, as_json),
        }
    }
}

fn failed(error: &PluginError, report: &CallReport, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        print_json(&json!({
            "outcome": error.outcome.code(),
            "blame": error.blame,
            "message": error.message,
            "frames": error.frames,
            "fuel": report.fuel,
            "log": report.log,
        }))?;
    } else {
        println!("{error}");
        for frame in &error.frames {
            println!("  at {frame}");
        }
        print!("{}", report.log);
    }
    Ok(ExitCode::FAILURE)
}

fn print_run(
    logs: &[ScoringLog],
    solves: &[SolveRecord],
    verdict: &Verdict,
    report: &CallReport,
    as_json: bool,
) -> anyhow::Result<()> {
    let solver_fuel: u64 = solves.iter().map(|solve| solve.fuel).sum();
    if as_json {
        return print_json(&json!({
            "outcome": "ok",
            "verdict": verdict,
            "scoring_logs": logs,
            "solves": solves
                .iter()
                .map(|solve| json!({"outcome": solve.outcome.code(), "fuel": solve.fuel}))
                .collect::<Vec<_>>(),
            "fuel": report.fuel,
            "memory_bytes": report.memory_bytes,
            "log": report.log,
        }));
    }
    let rows: Vec<_> = logs
        .iter()
        .enumerate()
        .map(|(index, log)| {
            let solve = solves.get(index);
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
    println!(
        "score {:.4}, accepted: {}; the challenge used {} fuel and {} KiB, the submission {} fuel, in {:.0?}",
        verdict.score,
        if verdict.accepted { "yes" } else { "no" },
        report.fuel,
        report.memory_bytes >> 10,
        solver_fuel,
        report.elapsed
    );
    Ok(())
}
