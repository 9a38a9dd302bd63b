//! `proctor metagraph`.

use super::admin::show::{pairs, visible};
use super::table::table;
use super::{ConfigArgs, runtime};
use crate::chain::client::Chain;
use crate::chain::{Hyperparameters, Metagraph, Neuron, read};
use crate::clock;
use crate::config::{ChainMode, Config};
use crate::metrics::Metrics;
use anyhow::{Context, bail};
use clap::Args;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Show who is registered on the subnet, and what it asks for: of the chain if the
/// configuration or `--network` names one, else of the metagraph's file.
#[derive(Debug, Args)]
pub(super) struct ShowMetagraph {
    /// Read this network: `finney`, `test`, `local`, or an address that begins with
    /// `ws://` or `wss://`.
    #[arg(long, alias = "subtensor.network", value_name = "NETWORK")]
    network: Option<String>,
    /// The subnet.
    #[arg(long, value_name = "NETUID")]
    netuid: Option<u16>,
    /// Print the metagraph's file, which a host reads with `chain.mode = "offline"`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Where a metagraph is from.
enum Source {
    /// A file, and seconds since it was written.
    File { path: PathBuf, age_s: Option<f64> },
    /// The last finalized block of a chain, as told by an endpoint.
    Chain { endpoint: String },
}

impl ShowMetagraph {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load_with(self.settings())?;
        let (metagraph, source) = match config.chain.mode() {
            ChainMode::Offline => of_file(&config)?,
            ChainMode::Online => runtime()?.block_on(of_chain(&config))?,
        };
        let text = if self.json {
            serde_json::to_string_pretty(&metagraph)? + "\n"
        } else {
            show(&metagraph, &source)
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The flags as settings of the configuration, `key=value`. Endpoints of the
    /// configuration are of its own network.
    fn settings(&self) -> Vec<String> {
        let mut settings = Vec::new();
        if let Some(network) = &self.network {
            let network = toml::Value::from(network.as_str());
            settings.push("chain.mode=online".to_owned());
            settings.push(format!("chain.network={network}"));
            settings.push("chain.endpoints=[]".to_owned());
        }
        if let Some(netuid) = self.netuid {
            settings.push(format!("chain.netuid={netuid}"));
        }
        settings
    }
}

fn of_file(config: &Config) -> anyhow::Result<(Metagraph, Source)> {
    let path = config.metagraph_path();
    let metagraph = Metagraph::load(&path)
        .context("the configuration names no network to read: give --network, or write the file")?;
    let found = metagraph.netuid();
    if let Some(asked) = config.chain.netuid.filter(|asked| *asked != found) {
        bail!("{} is of subnet {found}, not {asked}", path.display());
    }
    let age_s = written(&path).map(|at| clock::unix_now() - at);
    Ok((metagraph, Source::File { path, age_s }))
}

/// When a file was written, in seconds since the Unix epoch, if the system tells.
fn written(path: &Path) -> Option<f64> {
    let at = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

async fn of_chain(config: &Config) -> anyhow::Result<(Metagraph, Source)> {
    let netuid = config.chain.netuid.context("chain.netuid is not given")?;
    let chain = Chain::open(&config.chain, Arc::new(Metrics::default()))?;
    let at = chain.at_finalized().await?;
    let metagraph = read::metagraph(&at, netuid).await?;
    let endpoint = chain.endpoint().unwrap_or_default();
    Ok((metagraph, Source::Chain { endpoint }))
}

fn show(metagraph: &Metagraph, source: &Source) -> String {
    let mut lines = about(metagraph, source);
    lines.extend(metagraph.hyperparameters().into_iter().flat_map(limits));
    let header = [
        "uid",
        "hotkey",
        "stake",
        "alpha",
        "TAO",
        "permit",
        "updated",
        "registered",
        "address",
    ];
    let right = [true, false, true, true, true, false, true, true, false];
    let rows: Vec<Vec<String>> = metagraph
        .neurons()
        .map(|neuron| row(neuron, metagraph.block()))
        .collect();
    format!("{}\n{}", pairs(&lines), table(&header, &right, &rows))
}

fn about(metagraph: &Metagraph, source: &Source) -> Vec<(String, String)> {
    let permits = metagraph.neurons().filter(|n| n.validator_permit).count();
    let owner = metagraph.owner_hotkey().map(|owner| {
        let uid = metagraph.uid_of(owner);
        let uid = uid.map_or("not registered".to_owned(), |uid| format!("uid {uid}"));
        format!("{} ({uid})", visible(owner))
    });
    let source = match source {
        Source::File { path, age_s } => {
            let path = path.display();
            let age = age_s.map(|age| format!(", written {} ago", duration(age)));
            format!("{path}{}", age.unwrap_or_default())
        }
        Source::Chain { endpoint } => format!("{endpoint}, its last finalized block"),
    };
    [
        ("subnet", metagraph.netuid().to_string()),
        ("block", metagraph.block().to_string()),
        ("source", source),
        ("owner", owner.unwrap_or_else(|| "-".to_owned())),
        (
            "neurons",
            format!(
                "{}, {permits} with a validator permit",
                metagraph.neurons().len()
            ),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn limits(limits: &Hyperparameters) -> Vec<(String, String)> {
    let version = match limits.weights_version {
        0 => "any".to_owned(),
        version => format!("at least {version}"),
    };
    let greatest = f64::from(limits.max_weight_limit) / 65_535.0 * 100.0;
    let commit_reveal = match (limits.commit_reveal_enabled, limits.commit_reveal_version) {
        (false, _) => "off".to_owned(),
        (true, version) => {
            let version = version.map_or("by hash only".to_owned(), |v| format!("version {v}"));
            let period = limits.commit_reveal_period;
            format!("on, {version}, revealed {period} epochs later")
        }
    };
    [
        ("tempo", format!("{} blocks", limits.tempo)),
        (
            "weights",
            format!(
                "at least {}, each at most {greatest:.1} %, every {} blocks",
                limits.min_allowed_weights, limits.weights_rate_limit
            ),
        ),
        ("version key", version),
        ("commit-reveal", commit_reveal),
        ("mechanisms", limits.mechanism_count.to_string()),
        (
            "stake needed",
            format!("{:.3}", limits.stake_threshold as f64 / 1e9),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn row(neuron: &Neuron, block: u64) -> Vec<String> {
    let dash = || "-".to_owned();
    let tokens = |stake: f64| format!("{stake:.3}");
    let updated = match neuron.last_update {
        None => dash(),
        Some(0) => "never".to_owned(),
        Some(at) => format!("{} blocks ago", block.saturating_sub(at)),
    };
    let serves = neuron.axon_ip.filter(|ip| !ip.is_unspecified());
    let address = serves.map(|ip| match neuron.axon_port {
        Some(port) => SocketAddr::new(ip, port).to_string(),
        None => ip.to_string(),
    });
    vec![
        neuron.uid.to_string(),
        visible(&neuron.hotkey),
        tokens(neuron.stake),
        neuron.alpha_stake.map_or_else(dash, tokens),
        neuron.tao_stake.map_or_else(dash, tokens),
        if neuron.validator_permit { "yes" } else { "no" }.to_owned(),
        updated,
        neuron
            .registered_at
            .map_or_else(dash, |block| block.to_string()),
        address.unwrap_or_else(dash),
    ]
}

/// Seconds in the greatest unit that they are one of.
fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length);
    let (length, name) = unit.unwrap_or((1.0, "s"));
    format!("{} {name}", (seconds / length).max(0.0).floor())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        show: ShowMetagraph,
    }

    fn command(arguments: &[&str]) -> ShowMetagraph {
        Command::parse_from([&["command"], arguments].concat()).show
    }

    fn metagraph() -> Metagraph {
        let neurons = vec![
            Neuron {
                uid: 0,
                hotkey: "5Owner".into(),
                coldkey: "5Cold".into(),
                axon_ip: Some([192, 0, 2, 1].into()),
                axon_port: Some(8_091),
                stake: 1_234.567_8,
                validator_permit: true,
                last_update: Some(990),
                registered_at: Some(12),
                alpha_stake: Some(1_000.0),
                tao_stake: Some(1_303.154_3),
            },
            Neuron {
                uid: 11,
                hotkey: "5Mi\u{1b}[2Jner".into(),
                axon_ip: Some([0, 0, 0, 0].into()),
                last_update: Some(0),
                ..Neuron::default()
            },
        ];
        let limits = Hyperparameters {
            tempo: 360,
            weights_rate_limit: 100,
            weights_version: 7,
            min_allowed_weights: 8,
            max_weight_limit: 6_553,
            commit_reveal_enabled: true,
            commit_reveal_period: 2,
            commit_reveal_version: Some(4),
            mechanism_count: 2,
            stake_threshold: 1_000_000_000_000,
        };
        let metagraph = Metagraph::new(61, 1_000, Some("5Owner".into()), neurons).unwrap();
        metagraph.with_hyperparameters(limits)
    }

    #[test]
    fn the_subnet_and_its_neurons_are_shown() {
        let source = Source::Chain {
            endpoint: "wss://one.example:443".into(),
        };
        let expected = "\
subnet         61
block          1000
source         wss://one.example:443, its last finalized block
owner          5Owner (uid 0)
neurons        2, 1 with a validator permit
tempo          360 blocks
weights        at least 8, each at most 10.0 %, every 100 blocks
version key    at least 7
commit-reveal  on, version 4, revealed 2 epochs later
mechanisms     2
stake needed   1000.000

uid  hotkey              stake     alpha       TAO  permit        updated  registered  address
  0  5Owner           1234.568  1000.000  1303.154  yes     10 blocks ago          12  192.0.2.1:8091
 11  5Mi\\u{1b}[2Jner     0.000         -         -  no              never           -  -
";
        assert_eq!(show(&metagraph(), &source), expected);
    }

    #[test]
    fn what_an_old_file_does_not_tell_is_left_out() {
        let neuron = Neuron {
            hotkey: "hk".into(),
            ..Neuron::default()
        };
        let metagraph = Metagraph::new(1, 2, None, vec![neuron]).unwrap();
        let source = Source::File {
            path: "data/metagraph.json".into(),
            age_s: Some(7_300.0),
        };
        let expected = "\
subnet   1
block    2
source   data/metagraph.json, written 2 h ago
owner    -
neurons  1, 0 with a validator permit

uid  hotkey  stake  alpha  TAO  permit  updated  registered  address
  0  hk      0.000      -    -  no            -           -  -
";
        assert_eq!(show(&metagraph, &source), expected);
    }

    #[test]
    fn what_is_printed_as_json_is_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = serde_json::to_string_pretty(&metagraph()).unwrap();
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(Metagraph::load(file.path()).unwrap(), metagraph());
    }

    #[test]
    fn a_network_given_wins_over_the_configured_chain() {
        let given = command(&["--network", "ws://127.0.0.1:9944", "--netuid", "7"]);
        let configured = [
            "chain.mode=offline",
            "chain.netuid=61",
            "chain.endpoints=['wss://other.example']",
        ]
        .map(str::to_owned);
        let source = ConfigSource {
            overrides: [configured.to_vec(), given.settings()].concat(),
            ..ConfigSource::default()
        };
        let chain = source.load().unwrap().chain;
        assert_eq!(chain.mode(), ChainMode::Online);
        assert_eq!(chain.network.as_deref(), Some("ws://127.0.0.1:9944"));
        assert_eq!(chain.netuid, Some(7));
        assert_eq!(chain.endpoints, [""; 0]);
        assert_eq!(command(&[]).settings(), [""; 0]);
    }

    #[test]
    fn ages_are_in_the_greatest_unit() {
        let shown = [-3.0, 0.4, 59.9, 60.0, 3_599.0, 86_399.0, 172_800.0].map(duration);
        assert_eq!(
            shown,
            ["0 s", "0 s", "59 s", "1 min", "59 min", "23 h", "2 d"]
        );
    }

    #[test]
    fn a_file_of_another_subnet_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::to_string(&metagraph()).unwrap()).unwrap();
        let mut config = Config {
            metagraph: Some(file.path().to_owned()),
            ..Config::default()
        };
        assert!(of_file(&config).is_ok());
        config.chain.netuid = Some(62);
        let error = of_file(&config).err().unwrap().to_string();
        assert!(error.ends_with("is of subnet 61, not 62"), "{error}");
    }
}
