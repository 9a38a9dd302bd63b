//! `proctor plugin bench`.

use super::super::author::{expect_kind, read, shown};
use super::super::table::table;
use super::super::terminal::{BAD, WARNING, styled};
use super::super::{ConfigArgs, print_json, runtime};
use super::target::TargetArgs;
use super::test::steps;
use crate::authoring::bench::{Bench as Measurements, Measured, Plan, Ready, bench};
use crate::sandbox::{ComponentKind, Sandbox, SandboxConfig};
use anstream::{print, println};
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The most memory of one call, in bytes: as much as any configuration may give.
const MAX_MEMORY: usize = 4 << 30;

#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    #[command(flatten)]
    target: TargetArgs,
    /// How often each function is called.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Print the measurements as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.target.challenge()?;
        let artifact = self.target.submission_if_any()?;
        let artifact = artifact.map(|path| read(&path)).transpose()?;
        let config = self.config.load()?;
        let plan = Plan {
            runs: self.runs,
            seed: self.target.seed,
            settings: self.target.settings,
            artifact: artifact.as_deref(),
        };
        let bytes = read(&file)?;
        expect_kind(&bytes, ComponentKind::Challenge, &shown(&file))?;
        // Nothing is compiled yet, and no volume is that of a host.
        let scratch = tempfile::tempdir()?;
        let mut sandbox = SandboxConfig::new(scratch.path().join("compiled"));
        sandbox.max_memory_bytes = MAX_MEMORY;
        let sandbox = Sandbox::new(&sandbox)?;
        let volumes = scratch.path();
        let measuring = bench(&sandbox, &bytes, &config, &plan, volumes, steps());
        let measured = runtime()?.block_on(measuring);
        let measured = measured.with_context(|| shown(&file))?;
        match self.json {
            true => print_json(&as_json(&measured))?,
            false => print_bench(&measured, &file),
        }
        let failed = measured.measured.iter().any(|m| m.error.is_some());
        Ok(match failed {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

fn print_bench(bench: &Measurements, file: &Path) {
    println!("{} ({})", bench.challenge, shown(file));
    println!("{}", ready("the challenge", &bench.component));
    if let Some(solver) = &bench.solver {
        println!("{}", ready("the submission", solver));
    }
    println!();
    let rows: Vec<_> = bench.measured.iter().map(row).collect();
    let header = [
        "function", "runs", "min", "median", "max", "of limit", "fuel", "of limit", "memory",
        "of limit",
    ];
    let right = [false, true, true, true, true, true, true, true, true, true];
    print!("{}", table(&header, &right, &rows));
    for measured in &bench.measured {
        let name = measured.name;
        if let Some(error) = &measured.error {
            println!("{}", styled(BAD, format!("{name} failed: {error}")));
        }
        for (what, percent) in measured.close() {
            let why = format!(
                "{name} takes {percent:.0} % of its {what}: a slower task would end as `{}`",
                ends_as(what)
            );
            println!("{}", styled(WARNING, why));
        }
    }
    for why in &bench.left_out {
        println!("not measured: {why}");
    }
}

/// What passing a limit comes to.
fn ends_as(what: &str) -> &'static str {
    match what {
        "time" => "timeout",
        "fuel" => "out_of_fuel",
        _ => "out_of_memory",
    }
}

fn ready(what: &str, ready: &Ready) -> String {
    format!(
        "{what} is compiled in {:.1?}, once; taken from the cache in {:.1?}",
        ready.compile, ready.cached
    )
}

fn row(measured: &Measured) -> Vec<String> {
    let [time, fuel, memory] = measured.percent().map(|(_, percent)| match percent {
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    });
    let shown = |time: Duration| format!("{time:.1?}");
    vec![
        measured.name.to_owned(),
        measured.runs.to_string(),
        shown(measured.time.min),
        shown(measured.time.median),
        shown(measured.time.max),
        time,
        measured.fuel.to_string(),
        fuel,
        format!("{} KiB", measured.memory_bytes >> 10),
        memory,
    ]
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn as_json(bench: &Measurements) -> Value {
    let ready = |ready: &Ready| json!({"compile_us": micros(ready.compile), "cached_us": micros(ready.cached)});
    let functions = bench.measured.iter().map(|measured| {
        let [time, fuel, memory] = measured.percent().map(|(_, percent)| percent);
        json!({
            "name": measured.name,
            "runs": measured.runs,
            "outcome": measured.error.as_ref().map_or("ok", |error| error.outcome.code()),
            "message": measured.error.as_ref().map(|error| &error.message),
            "min_us": micros(measured.time.min),
            "median_us": micros(measured.time.median),
            "max_us": micros(measured.time.max),
            "limit_us": measured.limits.wall_ms.saturating_mul(1_000),
            "time_percent": time,
            "fuel": measured.fuel,
            "limit_fuel": measured.limits.fuel,
            "fuel_percent": fuel,
            "memory_bytes": measured.memory_bytes,
            "limit_memory_bytes": measured.limits.memory_bytes,
            "memory_percent": memory,
            "above_half_of": measured.close().iter().map(|(what, _)| *what).collect::<Vec<_>>(),
        })
    });
    json!({
        "challenge": bench.challenge,
        "component": ready(&bench.component),
        "solver": bench.solver.as_ref().map(ready),
        "functions": functions.collect::<Vec<_>>(),
        "not_measured": bench.left_out,
    })
}
