//! Who signs: the flags of the Bittensor wallet.

use clap::Args;
use std::path::PathBuf;

/// The hotkey to sign with. What is given wins over section `wallet` of the
/// configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Wallet")]
pub(super) struct WalletArgs {
    /// The folder of all wallets [default: ~/.bittensor/wallets].
    #[arg(long = "wallet.path", value_name = "DIR")]
    path: Option<PathBuf>,
    /// The wallet.
    #[arg(long = "wallet.name", value_name = "NAME")]
    name: Option<String>,
    /// The hotkey in the wallet [default: default].
    #[arg(long = "wallet.hotkey", value_name = "NAME")]
    hotkey: Option<String>,
}

impl WalletArgs {
    /// The flags as settings of the configuration, `key=value`.
    pub(super) fn settings(&self) -> Vec<String> {
        let path = self.path.as_ref().map(|path| path.to_string_lossy());
        let settings = [
            ("wallet.path", path.as_deref()),
            ("wallet.name", self.name.as_deref()),
            ("wallet.hotkey", self.hotkey.as_deref()),
        ];
        let given = settings.into_iter();
        given
            .filter_map(|(key, value)| Some(format!("{key}={}", toml::Value::from(value?))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        wallet: WalletArgs,
    }

    fn settings(arguments: &[&str]) -> Vec<String> {
        let command = Command::parse_from([&["command"], arguments].concat());
        command.wallet.settings()
    }

    #[test]
    fn flags_that_are_not_given_change_nothing() {
        assert_eq!(settings(&[]), [""; 0]);
    }

    #[test]
    fn names_stay_as_they_are_written() {
        let source = ConfigSource {
            overrides: settings(&[
                "--wallet.path",
                "~/my \"wallets\"",
                "--wallet.name",
                "61",
                "--wallet.hotkey",
                "a.b",
            ]),
            ..ConfigSource::default()
        };
        let wallet = source.load().unwrap().wallet;
        assert_eq!(wallet.path, PathBuf::from("~/my \"wallets\""));
        assert_eq!(wallet.name.as_deref(), Some("61"));
        assert_eq!(wallet.hotkey, "a.b");
    }
}
