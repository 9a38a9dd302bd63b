//! The subnet, and who this host is on it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `chain`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chain {
    /// The subnet. If it is given, the metagraph must be of it. Default: the
    /// metagraph's.
    pub netuid: Option<u16>,
    /// The network, as in `finney`, or an endpoint. Default: none; the metagraph
    /// is a file.
    pub network: Option<String>,
}

/// Section `wallet`: where the hotkey is that this host signs with, in the layout
/// of the Bittensor wallet, `<path>/<name>/hotkeys/<hotkey>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wallet {
    /// The folder of all wallets; `~` is the home directory. Default:
    /// `~/.bittensor/wallets`.
    pub path: PathBuf,
    /// The wallet. Default: none; the host signs nothing.
    pub name: Option<String>,
    /// The hotkey's file. Default: `default`.
    pub hotkey: String,
}

impl Default for Wallet {
    fn default() -> Self {
        Wallet {
            path: "~/.bittensor/wallets".into(),
            name: None,
            hotkey: "default".into(),
        }
    }
}
