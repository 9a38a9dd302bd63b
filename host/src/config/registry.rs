//! The registry, and who may change it.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Section `registry`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// Whether a component in the drop folder that has no record becomes active by
    /// itself. Else it becomes a draft, which an operator activates. Default: yes.
    pub auto_activate: bool,
    /// Seconds between looks at what should run and what runs, beside those at
    /// every change. Default: 60.
    pub reconcile_s: f64,
    /// The key that seals secrets, 32 bytes; made if it is not there. Whoever has
    /// it and the database has the secrets. Default: `registry.key` in `data_dir`.
    #[schema(value_type = Option<String>)]
    pub key_file: Option<PathBuf>,
    /// Seconds between looks at the tags that are followed. Default: 300.
    pub tag_poll_s: f64,
    /// Registries that are asked without TLS, `host` or `host:port`. Default: none.
    pub plain_http: Vec<String>,
    /// Hosts with private addresses that components may be pulled from, and that GPU
    /// servers and runners may have, `host` or `host:port`. Default: none.
    pub private_hosts: Vec<String>,
    /// Hosts with private addresses that submissions may be pulled from, `host` or
    /// `host:port`; without TLS if they are in `plain_http` as well. Miners name whom the
    /// host asks for these, so `private_hosts` does not count. Default: none.
    pub submission_hosts: Vec<String>,
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            auto_activate: true,
            reconcile_s: 60.0,
            key_file: None,
            tag_poll_s: 300.0,
            plain_http: Vec::new(),
            private_hosts: Vec::new(),
            submission_hosts: Vec::new(),
        }
    }
}

impl Registry {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, seconds) in [
            ("registry.reconcile_s", self.reconcile_s),
            ("registry.tag_poll_s", self.tag_poll_s),
        ] {
            if !(1.0..=86_400.0).contains(&seconds) {
                return Err(ConfigError::key(
                    key,
                    format!("{seconds} is not in 1 to 86400"),
                ));
            }
        }
        Ok(())
    }
}

/// Section `admin`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address to listen on. Other machines reach it only with `tls_cert` and
    /// `tls_key`, or with `insecure`. Default: `127.0.0.1:47921`.
    #[schema(value_type = String)]
    pub listen: SocketAddr,
    /// Who may ask: lines of `name token`. Made with one token for `operator` if it
    /// is not there. Default: `admin.tokens` in `data_dir`.
    #[schema(value_type = Option<String>)]
    pub token_file: Option<PathBuf>,
    /// The certificate chain, a PEM file. Default: none.
    #[schema(value_type = Option<String>)]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file. Default: none.
    #[schema(value_type = Option<String>)]
    pub tls_key: Option<PathBuf>,
    /// Whether to listen on an address that other machines reach without TLS: for
    /// those that have it in front of the host. Default: no.
    pub insecure: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Admin {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 47921),
            token_file: None,
            tls_cert: None,
            tls_key: None,
            insecure: false,
        }
    }
}

impl Admin {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let problem = "tls_cert and tls_key go together";
            return Err(ConfigError::key("admin.tls_cert", problem));
        }
        let protected = self.tls_cert.is_some() || self.insecure;
        if !self.listen.ip().is_loopback() && !protected {
            let problem = format!(
                "{} is not an address of this machine: set admin.tls_cert and admin.tls_key, or \
                 admin.insecure if something in front of it does TLS",
                self.listen
            );
            return Err(ConfigError::key("admin.listen", problem));
        }
        Ok(())
    }
}
