//! The command line: one file per command.

mod admin;
mod artifact;
mod audit;
mod author;
mod challenge;
mod client;
mod completions;
mod db;
mod demo;
mod dev;
mod gpu_server;
mod ingest;
mod man;
mod metagraph;
mod organic;
mod plugin;
mod receipts;
mod registry;
mod restore;
mod serve;
mod solver;
mod table;
mod terminal;
mod verify;
mod wallet;
mod weights;

use crate::config::{Config, ConfigError, ConfigSource};
use crate::telemetry::{self, LogFormat};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A host for competitions on Bittensor subnets.
#[derive(Debug, Parser)]
#[command(name = "proctor", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log: a level, or a list such as `info,proctor_host::api=debug`.
    #[arg(
        long,
        global = true,
        env = "PROCTOR_LOG",
        default_value = "warn",
        value_name = "FILTER"
    )]
    log: String,
    /// How log lines look.
    #[arg(
        long,
        global = true,
        env = "PROCTOR_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: load plugins, score commits, answer validators.
    Serve(serve::Serve),
    /// Score made-up miners of the digits challenge, from commits to weights.
    Demo(demo::Demo),
    /// Take in the commits that a validator publishes.
    Ingest(ingest::Ingest),
    /// What miners submit.
    #[command(subcommand)]
    Artifact(artifact::Artifact),
    /// Write challenges, and look at them.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Write submissions.
    #[command(subcommand)]
    Solver(solver::Solver),
    /// Look after the challenges of a host that serves.
    Challenge(challenge::Challenge),
    /// Look after the servers with GPUs of a host that serves.
    GpuServer(gpu_server::GpuServer),
    /// Put components into the store of a host that serves.
    Component(registry::Component),
    /// Look at what a host tells the public.
    #[command(subcommand)]
    Registry(registry::Registry),
    /// Look at the weights of a host that serves, and submit them.
    #[command(subcommand)]
    Weights(weights::Weights),
    /// Look after organic scoring of a host that serves.
    #[command(subcommand)]
    Organic(organic::Organic),
    /// Show who is registered on the subnet.
    Metagraph(metagraph::ShowMetagraph),
    /// Look after the database.
    #[command(subcommand)]
    Db(db::Db),
    /// Look at receipts, and give them out.
    #[command(subcommand)]
    Receipts(receipts::Receipts),
    /// Bring back what a backup holds.
    Restore(restore::Restore),
    Verify(verify::Verify),
    Audit(audit::Audit),
    /// Ask a host.
    #[command(subcommand)]
    Client(client::Client),
    /// For tests, and for people who try things out.
    #[command(subcommand)]
    Dev(dev::Dev),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Where the configuration comes from. Environment variables of the form
/// `PROCTOR_SECTION__KEY` come between file and flags.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept that must outlive the process.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Set a key of the configuration, as in `scoring.hour=14`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, ConfigError> {
        self.load_with(Vec::new())
    }

    /// [`load`](Self::load) with further settings, which win.
    fn load_with(&self, settings: Vec<String>) -> Result<Config, ConfigError> {
        let mut config = ConfigSource {
            file: self.config.clone(),
            environment: std::env::vars().collect(),
            overrides: [self.overrides.clone(), settings].concat(),
        }
        .load()?;
        if let Some(data_dir) = &self.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        Ok(config)
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let matches = Cli::command().get_matches();
    let json = wants_json(&matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Err(error) = telemetry::start(&cli.log, cli.log_format) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let result = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Ingest(command) => command.run(),
        Command::Artifact(command) => command.run(),
        Command::Plugin(command) => command.run(),
        Command::Solver(command) => command.run(),
        Command::Challenge(command) => command.run(),
        Command::GpuServer(command) => command.run(),
        Command::Component(command) => command.run(),
        Command::Registry(command) => command.run(),
        Command::Weights(command) => command.run(),
        Command::Organic(command) => command.run(),
        Command::Metagraph(command) => command.run(),
        Command::Db(command) => command.run(),
        Command::Receipts(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Client(command) => command.run(),
        Command::Dev(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            if json {
                println!("{}", author::error_json(&error));
            }
            match error.is::<author::Usage>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// Whether a program reads what comes of a command for authors: it is told in JSON, on one
/// line, why there is nothing else.
fn wants_json(matches: &ArgMatches) -> bool {
    let Some(("plugin" | "solver", matches)) = matches.subcommand() else {
        return false;
    };
    let flag = |matches: &ArgMatches| matches!(matches.try_get_one("json"), Ok(Some(true)));
    matches
        .subcommand()
        .is_some_and(|(_, matches)| flag(matches))
}

/// The runtime of a command that waits for anything.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

/// Prints a value as JSON, for programs.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_commands_tell_errors_to_programs_too() {
        for (arguments, wanted) in [
            (&["plugin", "inspect", "a.wasm", "--json"][..], true),
            (&["plugin", "new", "a", "--lang", "js", "--json"], true),
            (&["solver", "test", "--json"], true),
            (&["plugin", "inspect", "a.wasm"], false),
            (&["artifact", "list", "--json"], false),
            (&["demo"], false),
        ] {
            let arguments = [&["proctor"], arguments].concat();
            let matches = Cli::command().get_matches_from(&arguments);
            assert_eq!(wants_json(&matches), wanted, "{arguments:?}");
        }
    }
}
