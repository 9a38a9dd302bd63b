//! Which axons are asked.

use super::Target;
use crate::sandbox::is_public_address;
use ipnet::IpNet;
use reqwest::Url;
use std::net::{IpAddr, SocketAddr};

/// Every public address, and those of some networks. Whoever registers on a subnet
/// names any address as its axon, also one of the host's own network.
#[derive(Debug)]
pub(super) struct Reach {
    private: Vec<IpNet>,
}

impl Reach {
    pub(super) fn new(private: Vec<IpNet>) -> Self {
        Reach { private }
    }

    /// Where a request goes; none if there is nobody to be asked.
    pub(super) fn url(&self, target: &Target, path: &str) -> Option<Url> {
        let port = target.port.filter(|port| *port != 0)?;
        // An IPv4 address that is written as IPv6 is in the networks of the former.
        let ip = target.ip?.to_canonical();
        if ip.is_unspecified() || !self.may(ip) {
            return None;
        }
        let axon = SocketAddr::new(ip, port);
        Url::parse(&format!("http://{axon}/{path}")).ok()
    }

    fn may(&self, ip: IpAddr) -> bool {
        is_public_address(ip) || self.private.iter().any(|network| network.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(private: &[&str], ip: &str, port: u16) -> Option<String> {
        let private = private.iter().map(|network| network.parse().unwrap());
        let target = Target {
            uid: 1,
            hotkey: "5Miner".into(),
            ip: Some(ip.parse().unwrap()),
            port: Some(port),
        };
        let url = Reach::new(private.collect()).url(&target, "Completion");
        url.map(String::from)
    }

    #[test]
    fn a_public_axon_is_asked_at_its_number() {
        let asked = |ip| url(&[], ip, 8091).unwrap();
        assert_eq!(asked("1.1.1.1"), "http://1.1.1.1:8091/Completion");
        assert_eq!(asked("::ffff:1.1.1.1"), "http://1.1.1.1:8091/Completion");
        assert_eq!(
            asked("2606:4700::1"),
            "http://[2606:4700::1]:8091/Completion"
        );
    }

    #[test]
    fn a_private_axon_is_asked_in_the_networks_of_the_configuration_alone() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "::ffff:10.1.2.3",
            "fd00::1",
            "fe80::1",
        ] {
            assert_eq!(url(&[], ip, 8091), None, "{ip}");
            assert_eq!(url(&["172.16.0.0/12", "fc00::/64"], ip, 8091), None, "{ip}");
        }
        let named = ["10.0.0.0/8", "fd00::/8"];
        for ip in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
            assert!(url(&named, ip, 8091).is_some(), "{ip}");
        }
    }

    #[test]
    fn who_serves_no_axon_is_not_asked() {
        let everything = ["0.0.0.0/0", "::/0"];
        assert_eq!(url(&everything, "0.0.0.0", 8091), None);
        assert_eq!(url(&everything, "::", 8091), None);
        assert_eq!(url(&everything, "::ffff:0.0.0.0", 8091), None);
        assert_eq!(url(&everything, "1.1.1.1", 0), None);
        let reach = Reach::new(Vec::new());
        let target = |ip: Option<&str>, port| Target {
            uid: 1,
            hotkey: "5Miner".into(),
            ip: ip.map(|ip| ip.parse().unwrap()),
            port,
        };
        assert!(reach.url(&target(Some("1.1.1.1"), None), "x").is_none());
        assert!(reach.url(&target(None, Some(1)), "x").is_none());
    }
}
