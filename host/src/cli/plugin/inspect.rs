//! `proctor plugin inspect`.

use super::super::author::{load, read};
use super::super::{ConfigArgs, author, print_json, runtime};
use crate::config::Config;
use crate::sandbox::{Interfaces, Outcome, PluginError, Sandbox, sha256_hex};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The component.
    file: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load()?;
        let sandbox = author::sandbox()?;
        runtime()?.block_on(inspect(&sandbox, &config, &self.file, self.json))
    }
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
