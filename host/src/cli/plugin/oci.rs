//! What the commands that ask registries have in common.

use super::super::ConfigArgs;
use super::super::author::Usage;
use super::super::wallet::WalletArgs;
use crate::chain::Hotkey;
use crate::config::Config;
use crate::registry::oci::{OciClient, OciError, Unreachable};
use crate::registry::signature::SigningKey;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Time for all of a push or a pull.
const WHOLE: Duration = Duration::from_secs(3_600);
/// Largest file with a key, in bytes.
const MAX_KEY: u64 = 64 << 10;

/// Which registries may be asked, and how. The login is that of Docker's configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct RegistryArgs {
    /// Ask a registry with a private address, as in `localhost:5000`. Those of the
    /// configuration's `registry.private_hosts` may be asked as well.
    #[arg(long, value_name = "HOST")]
    allow_private: Vec<String>,
    /// Ask a registry without TLS, as in `localhost:5000`. Those of the configuration's
    /// `registry.plain_http` are asked without as well.
    #[arg(long, value_name = "HOST")]
    plain_http: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl RegistryArgs {
    /// The configuration with what the flags add, and a client for it.
    pub(super) fn open(&self, wallet: Vec<String>) -> anyhow::Result<(Config, OciClient)> {
        let mut config = self.config.load_with(wallet)?;
        let registry = &mut config.registry;
        registry.private_hosts.extend(self.allow_private.clone());
        registry.plain_http.extend(self.plain_http.clone());
        let client = OciClient::new(registry, config.plugins.max_bytes)?;
        Ok((config, client.with_timeout(WHOLE)))
    }
}

/// Who signs: a key in a file, or a hotkey.
#[derive(Debug, Args)]
pub(super) struct SignerArgs {
    /// Sign with this key: a PEM file, ECDSA on P-256, not encrypted.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    wallet: WalletArgs,
}

impl SignerArgs {
    /// The flags of the wallet as settings of the configuration.
    pub(super) fn settings(&self) -> Vec<String> {
        self.wallet.settings()
    }

    /// Whether a key is named here. One that only the configuration names signs when that
    /// is asked for, and not by the way.
    pub(super) fn is_given(&self) -> bool {
        self.key.is_some() || !self.settings().is_empty()
    }

    /// The key that signs.
    pub(super) fn open(&self, config: &Config) -> anyhow::Result<SigningKey> {
        if let Some(path) = &self.key {
            if !self.settings().is_empty() {
                bail!(Usage("one signs: either --key or a wallet".to_owned()));
            }
            let pem = read_key(path).with_context(|| path.display().to_string())?;
            let key = SigningKey::from_pem(&pem);
            return key.with_context(|| path.display().to_string());
        }
        let hotkey = Hotkey::open(&config.wallet)?;
        let hotkey = hotkey.ok_or_else(|| {
            let how = "who signs? Give --key KEY.pem, or a hotkey with --wallet.name NAME";
            Usage(how.to_owned())
        })?;
        Ok(hotkey.into())
    }
}

fn read_key(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut pem = Zeroizing::new(Vec::with_capacity(8 << 10));
    File::open(path)?.take(MAX_KEY).read_to_end(&mut pem)?;
    Ok(pem)
}

/// An error of a registry, with what to do about it here.
pub(super) fn explained(error: OciError) -> anyhow::Error {
    match &error {
        OciError::Refused(Unreachable::Private { host, .. }) => {
            anyhow!("{error}, or here: --allow-private {host}")
        }
        OciError::Refused(Unreachable::Port { host, port, .. }) => {
            anyhow!("{error}: add --allow-private {host}:{port}")
        }
        // So it looks to TLS when somebody answers without.
        OciError::Unreachable { host, reason } if reason.contains("corrupt message") => {
            anyhow!("{error}. It answers without TLS: if that is meant, --plain-http {host}")
        }
        OciError::NotFound { host, .. } => anyhow!(
            "{error}: is the repository written right, and its tag or digest? To who has no \
             login, {host} may say so of what is not public"
        ),
        OciError::Unauthorized { host, .. } => anyhow!(
            "{error}. `docker login {host}` writes a login, or put it into auths of \
             ~/.docker/config.json"
        ),
        _ => error.into(),
    }
}
