//! Whom the host asks over HTTP on an operator's word: registries, GPU servers,
//! runners. None of them may lead it into a private network, unless the
//! configuration says that the host is meant.

use crate::config;
use crate::sandbox::is_public_address;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};
use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::lookup_host;

/// An address that may not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The host has no public address.
    #[error(
        "{host} has no public address: if it is meant, add it to {setting} in the configuration"
    )]
    Private {
        /// The host.
        host: String,
        /// The key of the configuration that has those that may be asked.
        setting: &'static str,
    },
    /// The host is in the configuration with other ports.
    #[error("{setting} in the configuration has {host}, but not with port {port}")]
    Port {
        /// The key of the configuration that has those that may be asked.
        setting: &'static str,
        /// The host.
        host: String,
        /// The port that was to be asked.
        port: u16,
    },
    /// Not `http` or `https`, or without TLS where that is not allowed.
    #[error("{0}")]
    Scheme(String),
}

/// Hosts by name, each with one port or all of them: `host`, `host:port`. Names are
/// compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Those of a list in the configuration.
    pub(super) fn new(hosts: &[String]) -> Self {
        Hosts(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    /// Whether a host is in it, with this port or without any.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.contains(&host) || self.0.contains(&format!("{host}:{port}"))
    }

    /// Whether a host is in it, whatever the port.
    fn has_name(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let same = |entry: &String| {
            let rest = entry.strip_prefix(&host);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        self.0.iter().any(same)
    }
}

/// Whom the host may ask. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    private: Arc<Hosts>,
    setting: &'static str,
}

impl Reach {
    /// Every public address, and those of `registry.private_hosts`.
    pub(super) fn new(config: &config::Registry) -> Self {
        Reach::to("registry.private_hosts", &config.private_hosts)
    }

    /// Every public address, and the hosts of a key of the configuration.
    pub(super) fn to(setting: &'static str, private: &[String]) -> Self {
        Reach {
            private: Arc::new(Hosts::new(private)),
            setting,
        }
    }

    fn private(&self, host: &str) -> Unreachable {
        Unreachable::Private {
            host: host.to_owned(),
            setting: self.setting,
        }
    }

    /// A client that connects to no private address: names are looked up by
    /// [`Reach`], and the addresses that it looked at are the ones that are connected
    /// to, so a name that has another address a moment later gains nothing. Redirects
    /// are not followed, and proxies of the environment are not asked: they would look
    /// up names by themselves.
    ///
    /// Each address must go through [`check`](Self::check) first: a client does not
    /// look up numbers.
    pub(crate) fn client(&self) -> ClientBuilder {
        reqwest::Client::builder()
            .dns_resolver(Arc::new(self.clone()))
            .redirect(Policy::none())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
    }

    /// Whether an address may be asked, as far as can be seen without looking up its
    /// name.
    ///
    /// # Errors
    ///
    /// See [`Unreachable`].
    pub(crate) fn check(&self, url: &Url) -> Result<(), Unreachable> {
        let is_http = matches!(url.scheme(), "http" | "https");
        let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), is_http)
        else {
            return Err(Unreachable::Scheme(format!("{url} is no HTTP address")));
        };
        if self.private.has(host, port) {
            return Ok(());
        }
        if self.private.has_name(host) {
            return Err(Unreachable::Port {
                setting: self.setting,
                host: host.to_owned(),
                port,
            });
        }
        let number = host.trim_start_matches('[').trim_end_matches(']');
        match number.parse::<IpAddr>() {
            Ok(address) if !is_public_address(address) => Err(self.private(host)),
            _ => Ok(()),
        }
    }
}

impl Reach {
    /// Whether a host is named in the configuration as a private one.
    pub(crate) fn is_private(&self, url: &Url) -> bool {
        let (host, port) = (url.host_str(), url.port_or_known_default());
        matches!((host, port), (Some(host), Some(port)) if self.private.has(host, port))
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private.has_name(name.as_str());
        let refused = self.private(name.as_str());
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let may: Vec<SocketAddr> = found
                .filter(|address| private || is_public_address(address.ip()))
                .collect();
            if may.is_empty() {
                return Err(refused.into());
            }
            Ok(Box::new(may.into_iter()) as Addrs)
        })
    }
}

/// Of an error of a client, that its [`Reach`] refused the address.
pub(crate) fn refused(error: &reqwest::Error) -> Option<Unreachable> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Unreachable>() {
            return Some(refused.clone());
        }
        cause = error.source();
    }
    None
}

/// What went wrong, and what it came from: of reqwest's errors only the last tells.
/// Without the address, which may have a password in it.
pub(crate) fn with_causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(private: &[&str], url: &str) -> Result<(), Unreachable> {
        let private: Vec<String> = private.iter().map(|host| (*host).to_owned()).collect();
        Reach::to("hosts", &private).check(&url.parse().unwrap())
    }

    #[test]
    fn a_private_address_must_be_named_in_whatever_way_it_is_written() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1:80/",
            "http://127.0.0.1./",
            "https://10.0.0.1:5000/v2/",
            "https://169.254.169.254/",
            "https://[::1]:5000/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(check(&[], url).is_err(), "{url}");
        }
        assert_eq!(check(&[], "https://1.1.1.1/"), Ok(()));
        assert_eq!(check(&["127.0.0.1"], "http://127.0.0.1:9/"), Ok(()));
        assert_eq!(check(&["127.0.0.1:9"], "http://127.1:9/"), Ok(()));
        assert_eq!(check(&["[::1]:9"], "http://[::1]:9/"), Ok(()));
        assert!(check(&["127.0.0.1:9"], "http://127.0.0.1:8/").is_err());
    }

    #[test]
    fn a_named_port_is_the_only_one_of_its_host() {
        assert_eq!(check(&["gpu.lan:8443"], "https://GPU.lan:8443/"), Ok(()));
        let other = check(&["gpu.lan:8443"], "https://gpu.lan/");
        assert!(matches!(other, Err(Unreachable::Port { port: 443, .. })));
        assert_eq!(check(&["gpu.lan", "gpu.lan:1"], "https://gpu.lan/"), Ok(()));
        assert!(check(&[], "ftp://gpu.lan/").is_err());
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_when_it_is_looked_up() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = Reach::to("hosts", &[]).resolve(name()).await.err().unwrap();
        let refused = refused.downcast_ref::<Unreachable>().cloned();
        assert_eq!(
            refused,
            Some(Unreachable::Private {
                host: "localhost".into(),
                setting: "hosts",
            })
        );
        let named = Reach::to("hosts", &["localhost:5000".into()]);
        let found = named.resolve(name()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
