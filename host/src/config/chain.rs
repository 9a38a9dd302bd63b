//! The subnet, and who this host is on it.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Where the subnet is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChainMode {
    /// A JSON file; nothing is asked of any chain, and nothing is sent.
    Offline,
    /// The endpoints of a chain.
    Online,
}

/// Section `chain`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Chain {
    /// Where the subnet is read from. Default: `online` if `network` or `endpoints` is
    /// given, else `offline`.
    pub mode: Option<ChainMode>,
    /// The subnet. If it is given, the metagraph must be of it; `online` needs it.
    /// Default: the metagraph's.
    pub netuid: Option<u16>,
    /// The network: `finney`, `test`, `local`, or an address that begins with `ws://`
    /// or `wss://`. Default: none.
    pub network: Option<String>,
    /// Addresses to be tried in this order after that of `network`, if there is one.
    pub endpoints: Vec<String>,
    /// The mechanism of the subnet that weights are set for. Default: 0.
    pub mechanism: u8,
    /// Seconds from one block to the next. Default: 12.
    pub block_time_s: f64,
    /// Seconds for an answer of an endpoint, after which the next one is tried.
    /// Default: 30.
    pub timeout_s: f64,
    /// Blocks after which the metagraph is read anew. Default: 25.
    pub refresh_blocks: u32,
    /// Seconds after which a metagraph that could not be read anew, or whose block is
    /// older by the chain's own clock, is stale: nothing is submitted with it. Default:
    /// 1,800.
    pub stale_after_s: f64,
}

impl Default for Chain {
    fn default() -> Self {
        Chain {
            mode: None,
            netuid: None,
            network: None,
            endpoints: Vec::new(),
            mechanism: 0,
            block_time_s: 12.0,
            timeout_s: 30.0,
            refresh_blocks: 25,
            stale_after_s: 1_800.0,
        }
    }
}

impl Chain {
    /// Where the subnet is read from.
    #[must_use]
    pub fn mode(&self) -> ChainMode {
        let named = self.network.is_some() || !self.endpoints.is_empty();
        self.mode.unwrap_or(if named {
            ChainMode::Online
        } else {
            ChainMode::Offline
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, seconds, least) in [
            ("chain.block_time_s", self.block_time_s, 0.05),
            ("chain.timeout_s", self.timeout_s, 0.1),
            ("chain.stale_after_s", self.stale_after_s, 1.0),
        ] {
            if !(least..=86_400.0).contains(&seconds) {
                let problem = format!("{seconds} is not in {least} to 86400");
                return Err(ConfigError::key(key, problem));
            }
        }
        if self.refresh_blocks == 0 {
            return Err(ConfigError::key(
                "chain.refresh_blocks",
                "must be at least 1",
            ));
        }
        if self.mechanism > 15 {
            let problem = format!("{} is more than 15", self.mechanism);
            return Err(ConfigError::key("chain.mechanism", problem));
        }
        if self.mode() == ChainMode::Online {
            if self.network.is_none() && self.endpoints.is_empty() {
                let problem = "is `online`, and no network is given: set chain.network";
                return Err(ConfigError::key("chain.mode", problem));
            }
            if self.netuid.is_none() {
                let problem = "which subnet of the chain is it? Set it";
                return Err(ConfigError::key("chain.netuid", problem));
            }
        }
        Ok(())
    }
}

/// Section `wallet`: where the hotkey is that this host signs with, in the layout
/// of the Bittensor wallet, `<path>/<name>/hotkeys/<hotkey>`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Wallet {
    /// The folder of all wallets; `~` is the home directory. Default:
    /// `~/.bittensor/wallets`.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// The wallet. Default: none; the host signs nothing.
    pub name: Option<String>,
    /// The hotkey's file. Default: `default`.
    pub hotkey: String,
    /// A file with the password of an encrypted hotkey; `~` is the home directory.
    /// Default: the variable `PROCTOR_WALLET_PASSWORD`, else that of the Bittensor wallet
    /// (`BT_PW_…`), else whoever starts the host at a terminal is asked.
    #[schema(value_type = Option<String>)]
    pub password_file: Option<PathBuf>,
}

impl Default for Wallet {
    fn default() -> Self {
        Wallet {
            path: "~/.bittensor/wallets".into(),
            name: None,
            hotkey: "default".into(),
            password_file: None,
        }
    }
}
