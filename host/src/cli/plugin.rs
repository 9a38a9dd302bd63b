//! `proctor plugin`.

mod replay;

use super::table::table;
use super::{ConfigArgs, print_json, runtime};
use crate::config::Config;
use crate::plugins::grants;
use crate::sandbox::types::{Commit, Evaluated, Miner, ScoringLog, Submission, Verdict};
use crate::sandbox::{
    CallContext, CallReport, Description, Interfaces, Limits, Outcome, PluginCall, PluginComponent,
    PluginError, Sandbox, SandboxConfig, SettingsProblem, SolveRecord, SolverComponent, Submitted,
    sha256_hex,
};
use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Look at challenges.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Tell what a component is, and whether this host would load it.
    Inspect {
        /// The component.
        file: PathBuf,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Evaluate and judge one submission, as `serve` would: with the limits,
    /// settings and grants that the configuration gives the challenge. Its volume
    /// is a fresh one.
    Run {
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
    },
    /// Show what a changed component would have scored in recorded evaluations. It gets
    /// what was recorded: settings, seed, time, limits, and the host's answers; for other
    /// tasks the submission is run.
    Replay(replay::Replay),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // Neither the cache nor the volumes of a host that may be running.
        let scratch = tempfile::tempdir()?;
        let sandbox = Sandbox::new(&SandboxConfig::new(scratch.path().join("compiled")))?;
        runtime()?.block_on(async {
            match self {
                Plugin::Inspect { file, json, config } => {
                    inspect(&sandbox, &config.load()?, &file, json).await
                }
                Plugin::Run {
                    file,
                    artifact,
                    seed,
                    settings,
                    json,
                    config,
                } => {
                    let call = Call {
                        seed,
                        settings,
                        config: config.load()?,
                        scratch: scratch.path(),
                    };
                    call.run(&sandbox, &file, &artifact, json).await
                }
                Plugin::Replay(command) => command.run(scratch.path()).await,
            }
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// What keeps a host from loading a component, or what it tells of itself.
async fn load(
    sandbox: &Sandbox,
    bytes: &[u8],
) -> Result<(PluginComponent, Description), PluginError> {
    let (component, _) = PluginComponent::load(sandbox, bytes)?;
    let description = component
        .describe(sandbox, &Limits::default())
        .await
        .result?;
    Ok((component, description))
}

async fn inspect(
    sandbox: &Sandbox,
    config: &Config,
    file: &Path,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let bytes = read(file)?;
    let interfaces = Interfaces::of(sandbox, &bytes).unwrap_or_default();
    let loaded = match config.plugins.max_bytes {
        max if bytes.len() as u64 > max => {
            let problem = format!("more than plugins.max_bytes ({max})");
            Err(PluginError::new(Outcome::LinkError, problem))
        }
        _ => load(sandbox, &bytes).await,
    };
    let code = if loaded.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    let digest = sha256_hex(&bytes);
    let capabilities: Vec<&str> = loaded.as_ref().map_or_else(
        |_| Vec::new(),
        |(component, _)| {
            component
                .capabilities()
                .into_iter()
                .map(|c| c.name())
                .collect()
        },
    );
    let description = loaded.as_ref().ok().map(|(_, description)| description);
    if as_json {
        let schema = description
            .map(|d| serde_json::from_str::<Value>(&d.settings_schema))
            .transpose()
            .unwrap_or_default();
        print_json(&json!({
            "digest": digest,
            "size": bytes.len(),
            "name": description.map(|d| &d.name),
            "version": description.map(|d| &d.version),
            "summary": description.map(|d| &d.summary),
            "capabilities": capabilities,
            "exports": interfaces.exports,
            "imports": interfaces.imports,
            "settings_schema": schema,
            "loads": loaded.is_ok(),
            "rejected": loaded.as_ref().err().map(|e| json!({"code": e.outcome.code(), "reason": e.message})),
        }))?;
        return Ok(code);
    }
    if let Some(description) = description {
        println!(
            "{} {}: {}",
            description.name, description.version, description.summary
        );
    }
    println!("digest        sha256:{digest}");
    println!("size          {} bytes", bytes.len());
    println!("capabilities  {}", capabilities.join(", "));
    for (name, list) in [
        ("exports", &interfaces.exports),
        ("imports", &interfaces.imports),
    ] {
        println!("{name}");
        for interface in list {
            println!("  {interface}");
        }
    }
    match &loaded {
        Ok(_) => println!("This host would load it."),
        Err(error) => println!("This host would not load it: {error}"),
    }
    Ok(code)
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
