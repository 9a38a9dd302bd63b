//! `proctor client assist`.

mod host;

use super::super::runtime;
use crate::chain::Hotkey;
use crate::clock;
use crate::sandbox::{Outcome, Sandbox, SandboxConfig};
use crate::validators::{Assignment, Redone, redo};
use anyhow::Context;
use clap::Args;
use host::Host;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

#[derive(Debug, Args)]
pub(in crate::cli) struct Assist {
    /// Address of the host.
    #[arg(long, default_value = "http://127.0.0.1:47920", value_name = "URL")]
    url: String,
    /// The folder of all wallets.
    #[arg(
        long = "wallet.path",
        default_value = "~/.bittensor/wallets",
        value_name = "DIR"
    )]
    wallet_path: PathBuf,
    /// The wallet to sign with.
    #[arg(long = "wallet.name", value_name = "NAME")]
    wallet: String,
    /// The hotkey in the wallet: of a validator with a permit and enough stake.
    #[arg(long = "wallet.hotkey", default_value = "default", value_name = "NAME")]
    hotkey: String,
    /// Work for this challenge only; may be given more than once. Default: what was
    /// said before, or all.
    #[arg(long = "challenge", value_name = "NAME")]
    challenges: Vec<String>,
    /// Go on when there is nothing to do, or the host is not there.
    #[arg(long)]
    wait: bool,
    /// Seconds between two questions for work, when there is none.
    #[arg(
        long,
        default_value_t = 60.0,
        value_name = "SECONDS",
        requires = "wait"
    )]
    poll_interval: f64,
    /// Where compiled components are kept. Default: nowhere.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Milliseconds that one request may take.
    #[arg(long, default_value_t = 60_000, value_name = "MS")]
    timeout_ms: u64,
}

#[derive(Deserialize)]
struct Pulled {
    assignments: Vec<Assignment>,
}

impl Assist {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let hotkey = Hotkey::load(&self.wallet_path, &self.wallet, &self.hotkey)?;
        let scratch = tempfile::tempdir()?;
        let cache = match &self.cache {
            Some(cache) => cache.clone(),
            None => scratch.path().join("compiled"),
        };
        let pause = Duration::try_from_secs_f64(self.poll_interval.max(0.1))
            .context("--poll-interval is no time")?;
        runtime()?.block_on(async {
            let timeout = Duration::from_millis(self.timeout_ms);
            let worker = Worker {
                host: Host::new(&self.url, hotkey, timeout)?,
                // Before anything is asked for: it may not be possible here at all.
                engine: Sandbox::new(&config(&cache, None))?.identity().to_owned(),
                cache,
            };
            let mut same = true;
            loop {
                match worker.work(&self.challenges, &mut same).await {
                    Ok(()) if self.wait => {}
                    Err(error) if self.wait => tracing::warn!("{error:#}: asking again"),
                    ended => break ended?,
                }
                tokio::time::sleep(pause).await;
            }
            Ok(if same {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        })
    }
}

struct Worker {
    host: Host,
    engine: String,
    cache: PathBuf,
}

impl Worker {
    /// Works until there is nothing to do. Sets `same` to false if anything came to
    /// another result than the host's.
    async fn work(&self, challenges: &[String], same: &mut bool) -> anyhow::Result<()> {
        let about = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "engine": self.engine,
            "capabilities": ["evaluate"],
        });
        let _: Value = self.host.post("/v1/validators/register", &about).await?;
        if !challenges.is_empty() {
            let route = "/v1/validators/subscriptions";
            let _: Value = self
                .host
                .post(route, &json!({"challenges": challenges}))
                .await?;
        }
        let wanted = json!({"max": 1, "engine": self.engine});
        loop {
            let pulled: Pulled = self.host.post("/v1/assignments/pull", &wanted).await?;
            let Some(assignment) = pulled.assignments.first() else {
                return Ok(());
            };
            *same &= self.assist(assignment).await?;
        }
    }

    /// Does one evaluation again, and tells what came of it. Returns whether it is the
    /// host's result, or none.
    async fn assist(&self, assignment: &Assignment) -> anyhow::Result<bool> {
        let redone = self.redo_in_time(assignment).await;
        let redone = redone.unwrap_or_else(|error| Redone::Unable {
            outcome: None,
            detail: format!("{error:#}"),
        });
        let report = report(&redone);
        let route = format!("/v1/assignments/{}/result", assignment.id);
        let taken: Value = self.host.post(&route, &report).await?;
        let verdict = taken.get("verdict").cloned().unwrap_or_default();
        let differs = verdict == "differs";
        println!(
            "{}",
            json!({
                "assignment": assignment.id,
                "challenge": assignment.challenge,
                "artifact_digest": assignment.artifact_digest,
                "verdict": verdict,
                "state": taken.get("state"),
                "outcome": report.get("outcome"),
                "result_digest": report.get("result_digest"),
                "detail": report.get("detail"),
            })
        );
        Ok(!differs)
    }

    /// Does it again, and tells the host three times a lease that it is at it.
    async fn redo_in_time(&self, assignment: &Assignment) -> anyhow::Result<Redone> {
        let lease = (assignment.lease_until - clock::unix_now()).clamp(3.0, 86_400.0);
        let third = Duration::from_secs_f64(lease / 3.0);
        let mut ticks = interval_at(Instant::now() + third, third);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let redone = self.redo(assignment);
        tokio::pin!(redone);
        loop {
            tokio::select! {
                redone = &mut redone => return redone,
                _ = ticks.tick() => {
                    let route = format!("/v1/assignments/{}/progress", assignment.id);
                    // How much of it is done, nobody knows.
                    let _: Value = self.host.post(&route, &json!({"progress": 0.5})).await?;
                }
            }
        }
    }

    async fn redo(&self, assignment: &Assignment) -> anyhow::Result<Redone> {
        let route = |what| format!("/v1/assignments/{}/{what}", assignment.id);
        let (component, artifact) = tokio::try_join!(
            self.host.fetch(route("component")),
            self.host.fetch(route("artifact"))
        )?;
        let sandbox = Sandbox::new(&config(&self.cache, Some(assignment)))?;
        Ok(redo(&sandbox, assignment, component, artifact).await)
    }
}

/// A sandbox that has what an assignment wants.
fn config(cache: &Path, assignment: Option<&Assignment>) -> SandboxConfig {
    let mut config = SandboxConfig {
        max_concurrent_calls: 1,
        ..SandboxConfig::new(cache)
    };
    let limits = assignment.map(|a| [a.limits, a.solver_limits]);
    for limits in limits.into_iter().flatten() {
        config.max_memory_bytes = config.max_memory_bytes.max(limits.memory_bytes);
        config.max_table_elements = config.max_table_elements.max(limits.table_elements);
    }
    config
}

/// What the host is told.
fn report(redone: &Redone) -> Value {
    match redone {
        Redone::Result {
            digest,
            outcome,
            fuel,
        } => json!({
            "success": true,
            "result_digest": digest,
            "outcome": outcome.code(),
            "fuel": fuel,
        }),
        Redone::Unable { outcome, detail } => json!({
            "success": false,
            "outcome": outcome.map(Outcome::code),
            "detail": detail,
        }),
    }
}
