//! `proctor serve`.

use super::wallet::WalletArgs;
use super::{ConfigArgs, runtime};
use crate::config::{Config, ConfigError};
use crate::host::Host;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Serve: load plugins, score commits, answer validators.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    flags: ScoringApiFlags,
    #[command(flatten)]
    wallet: WalletArgs,
    /// The hotkey that the wallet must have; another is refused.
    #[arg(long, env = "SCORING_API_HOTKEY", value_name = "SS58", hide = true)]
    scoring_api_hotkey: Option<String>,
}

/// The flags of the scoring API that this one replaces. They win over the
/// configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Flags of the scoring API")]
struct ScoringApiFlags {
    /// Port of the public listener [default: 47920].
    #[arg(long = "scoring_api.port", value_name = "PORT")]
    port: Option<u16>,
    /// Seconds from one round of collecting to the next [default: 60].
    #[arg(long = "scoring_api.epoch_length", value_name = "SECONDS")]
    epoch_length: Option<f64>,
    /// The subnet.
    #[arg(long = "netuid", value_name = "N")]
    netuid: Option<u16>,
    /// The network, or an endpoint of it.
    #[arg(long = "subtensor.network", value_name = "NETWORK")]
    network: Option<String>,
    /// Where everything is kept that must outlive the process [default: data].
    #[arg(long = "validator.cache_dir", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Hugging Face dataset repository for public views, `owner/name`.
    #[arg(long = "validator.hf_repo_id", value_name = "REPOSITORY")]
    hf_repo_id: Option<String>,
}

impl ScoringApiFlags {
    /// The flags as settings of the configuration, `key=value`.
    fn settings(&self) -> Vec<String> {
        let text = |value: &str| toml::Value::from(value).to_string();
        let path = |path: &PathBuf| text(&path.to_string_lossy());
        let repository = |id: &String| text(&format!("hf://datasets/{id}"));
        let settings = [
            (
                "commits.epoch_length_s",
                self.epoch_length.map(|s| format!("{s:?}")),
            ),
            ("chain.netuid", self.netuid.map(|netuid| netuid.to_string())),
            ("chain.network", self.network.as_deref().map(text)),
            ("data_dir", self.cache_dir.as_ref().map(path)),
            ("archive.url", self.hf_repo_id.as_ref().map(repository)),
        ];
        let given = settings.into_iter();
        given
            .filter_map(|(key, value)| Some(format!("{key}={}", value?)))
            .collect()
    }
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config()?;
        runtime()?.block_on(async {
            let host = Host::open(config).await?;
            if let Some(expected) = self.scoring_api_hotkey.as_deref().filter(|e| !e.is_empty()) {
                host.expect_hotkey(expected)?;
            }
            serve(host, print_addresses).await?;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn config(&self) -> Result<Config, ConfigError> {
        let settings = [self.flags.settings(), self.wallet.settings()].concat();
        let mut config = self.config.load_with(settings)?;
        if let Some(port) = self.flags.port {
            config.public.listen.set_port(port);
        }
        Ok(config)
    }
}

/// On stdout, for whoever started the process: ports may be chosen by the
/// system.
pub(super) fn print_addresses(public: SocketAddr, admin: SocketAddr) {
    println!("public http://{public}");
    println!("admin http://{admin}");
}

/// Serves until the process is told to end by SIGINT or SIGTERM. Tells the
/// public and the admin address once it listens.
pub(super) async fn serve(
    host: Host,
    listening: impl FnOnce(SocketAddr, SocketAddr),
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    crate::serve::serve(host, stop, listening).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        serve: Serve,
    }

    #[test]
    fn the_flags_of_the_scoring_api_are_taken_as_they_are() {
        let command = Command::parse_from([
            "serve",
            "--scoring_api.port",
            "47999",
            "--scoring_api.epoch_length",
            "30",
            "--netuid",
            "61",
            "--subtensor.network",
            "finney",
            "--wallet.name",
            "61",
            "--wallet.hotkey",
            "scoring \"api\"",
            "--validator.cache_dir",
            "./.cache",
            "--validator.hf_repo_id",
            "my_username/rest-scoring-api",
        ]);
        let config = command.serve.config().unwrap();
        assert_eq!(config.public.listen.port(), 47_999);
        assert_eq!(config.commits.epoch_length_s, 30.0);
        assert_eq!(config.chain.netuid, Some(61));
        assert_eq!(config.chain.network.as_deref(), Some("finney"));
        assert_eq!(config.wallet.name.as_deref(), Some("61"));
        assert_eq!(config.wallet.hotkey, "scoring \"api\"");
        assert_eq!(config.data_dir, PathBuf::from("./.cache"));
        let archive = config.archive.url.as_deref();
        assert_eq!(archive, Some("hf://datasets/my_username/rest-scoring-api"));
    }

    #[test]
    fn flags_win_and_are_checked_like_settings() {
        let parse = |arguments: &[&str]| Command::parse_from(arguments).serve.config();
        let config = parse(&["serve", "--set", "chain.netuid=1", "--netuid", "2"]).unwrap();
        assert_eq!(config.chain.netuid, Some(2));
        let error = parse(&["serve", "--validator.hf_repo_id", "nobody"]).unwrap_err();
        assert!(error.to_string().starts_with("archive.url"), "{error}");
        let error = parse(&["serve", "--scoring_api.epoch_length", "0"]).unwrap_err();
        assert!(
            error.to_string().starts_with("commits.epoch_length_s"),
            "{error}"
        );
    }
}
