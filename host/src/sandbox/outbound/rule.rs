//! The allowlist: where a challenge's routes may send requests.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// An entry of the allowlist: `host`, `host:port` or `*.example.com`, with `https://`
/// (the default) or `http://` before it. The star stands for one or more labels.
/// Without a port it is that of the scheme. A host may be an IP address, as in
/// `http://10.0.0.1:8080` or `[fd00::1]`; a private one can only be reached if it is
/// listed like that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboundRule {
    tls: bool,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    Name(String),
    /// `.example.com`: what a name ends with that is below it.
    Below(String),
    Address(IpAddr),
}

/// Why a text is no entry of the allowlist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} is no entry of an allowlist: {problem}")]
pub struct OutboundRuleError {
    entry: String,
    problem: &'static str,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) tls: bool,
    /// A name in lower case, without a dot at its end, or an address without
    /// brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    /// The target of a URI; none if it is not one that a request can be sent to.
    pub(super) fn of(uri: &http::Uri) -> Option<Target> {
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        // `user:password@host` would only be there to deceive.
        if authority.contains('@') {
            return None;
        }
        let (host, port) = split_port(authority).ok()?;
        let host = match parse_host(host).ok()? {
            Host::Name(name) => name,
            Host::Address(address) => address.to_string(),
            Host::Below(_) => return None,
        };
        let port = port.unwrap_or(default_port(tls));
        Some(Target { tls, host, port })
    }

    /// The address, if the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl OutboundRule {
    pub(super) fn allows(&self, target: &Target) -> bool {
        let host = match &self.host {
            Host::Name(name) => *name == target.host,
            Host::Below(suffix) => {
                target.address().is_none()
                    && target.host.len() > suffix.len()
                    && target.host.ends_with(suffix)
            }
            Host::Address(address) => target.address() == Some(*address),
        };
        host && self.tls == target.tls && self.port == target.port
    }

    /// Whether the operator wants this very address to be reached, private or not.
    pub(super) fn names(&self, tls: bool, address: SocketAddr) -> bool {
        self.host == Host::Address(address.ip().to_canonical())
            && self.port == address.port()
            && self.tls == tls
    }
}

impl FromStr for OutboundRule {
    type Err = OutboundRuleError;

    fn from_str(entry: &str) -> Result<Self, OutboundRuleError> {
        let error = |problem| OutboundRuleError {
            entry: entry.to_owned(),
            problem,
        };
        let (tls, authority) = match entry.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err(error("the scheme must be http or https")),
            None => (true, entry),
        };
        if authority.contains(['/', '?', '#', '@']) {
            return Err(error("only a host and a port can be listed"));
        }
        let (host, port) = split_port(authority).map_err(error)?;
        Ok(OutboundRule {
            tls,
            host: parse_host(host).map_err(error)?,
            port: port.unwrap_or(default_port(tls)),
        })
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let bracket = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority.rfind(':') {
        Some(colon) if colon > bracket => authority.split_at(colon),
        _ => return Ok((authority, None)),
    };
    let digits = port.trim_start_matches(':');
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(port) if plain && port > 0 => Ok((host, Some(port))),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

fn parse_host(host: &str) -> Result<Host, &'static str> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        let address: std::net::Ipv6Addr = address
            .parse()
            .map_err(|_| "what is in brackets must be an IPv6 address")?;
        return Ok(Host::Address(address.to_canonical()));
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    if host.contains(':') {
        return Err("an IPv6 address stands in brackets");
    }
    let host = host.to_ascii_lowercase();
    if let Some(domain) = host.strip_prefix("*.") {
        let domain = name(domain)?;
        if !domain.contains('.') {
            return Err("a star needs two labels after it, as in *.example.com");
        }
        return Ok(Host::Below(format!(".{domain}")));
    }
    Ok(Host::Name(name(&host)?.to_owned()))
}

/// Checks a name, and returns it without the dot at its end.
fn name(host: &str) -> Result<&str, &'static str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        matches!(label.len(), 1..=63)
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err("a host is a name (in punycode if it is not ASCII) or an IP address");
    }
    // `127.1` and `0x7f.0.0.1` are addresses to whom it may concern.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("the last label of a name does not start with a digit");
    }
    Ok(host)
}

impl fmt::Display for OutboundRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "https://" } else { "http://" })?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Below(suffix) => write!(f, "*{suffix}")?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        if self.port != default_port(self.tls) {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl Serialize for OutboundRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OutboundRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, url: &str) -> bool {
        let rule: OutboundRule = rule.parse().unwrap();
        let uri: http::Uri = url.parse().unwrap();
        Target::of(&uri).is_some_and(|target| rule.allows(&target))
    }

    #[test]
    fn an_entry_allows_its_host_scheme_and_port_and_nothing_else() {
        for (rule, good, bad) in [
            (
                "api.example.com",
                &["https://api.example.com/x", "https://API.example.com.:443/"][..],
                &[
                    "http://api.example.com/",
                    "https://api.example.com:8443/",
                    "https://example.com/",
                    "https://x.api.example.com/",
                    "https://api.example.com.evil.org/",
                    "https://api.example.com@evil.org/",
                    "https://user@api.example.com/",
                ][..],
            ),
            (
                "http://api.example.com:8080",
                &["http://api.example.com:8080/"],
                &["https://api.example.com:8080/", "http://api.example.com/"],
            ),
            (
                "*.example.com",
                &["https://a.example.com/", "https://a.b.example.com/"],
                &[
                    "https://example.com/",
                    "https://.example.com/",
                    "https://badexample.com/",
                    "https://a.example.com:80/",
                ],
            ),
            (
                "http://10.0.0.1:8080",
                &["http://10.0.0.1:8080/"],
                &["http://10.0.0.2:8080/", "http://10.0.0.1/"],
            ),
            (
                "[fd00::1]",
                &["https://[fd00:0::1]/"],
                &["https://[fd00::2]/", "http://[fd00::1]/"],
            ),
        ] {
            for url in good {
                assert!(allows(rule, url), "{rule} {url}");
            }
            for url in bad {
                assert!(!allows(rule, url), "{rule} {url}");
            }
        }
    }

    #[test]
    fn what_is_no_entry_is_told_why() {
        for (entry, problem) in [
            ("", "a host is a name"),
            ("*", "a host is a name"),
            ("*.com", "two labels"),
            ("a.*.com", "a host is a name"),
            ("ftp://example.com", "http or https"),
            ("example.com/path", "only a host"),
            ("user@example.com", "only a host"),
            ("example.com:", "a port"),
            ("example.com:0", "a port"),
            ("example.com:65536", "a port"),
            ("example.com:+80", "a port"),
            ("::1", "in brackets"),
            ("[::1", "in brackets"),
            ("127.1", "a digit"),
            ("0x7f.0.0.1", "a digit"),
            ("10.0.0.0/8", "only a host"),
            ("bücher.example", "punycode"),
            ("-a.example", "a host is a name"),
            ("a..example", "a host is a name"),
        ] {
            let error = entry.parse::<OutboundRule>().unwrap_err().to_string();
            assert!(error.contains(problem), "{entry}: {error}");
        }
    }

    #[test]
    fn an_entry_is_written_in_one_way() {
        for (entry, written) in [
            ("API.Example.com.", "https://api.example.com"),
            ("https://example.com:443", "https://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("*.Example.com:8443", "https://*.example.com:8443"),
            ("10.0.0.1:8080", "https://10.0.0.1:8080"),
            ("http://[::ffff:10.0.0.1]", "http://10.0.0.1"),
            ("[FD00:0::1]:1", "https://[fd00::1]:1"),
        ] {
            let rule: OutboundRule = entry.parse().unwrap();
            assert_eq!(rule.to_string(), written);
            assert_eq!(written.parse::<OutboundRule>().unwrap(), rule);
            let json = serde_json::to_value(&rule).unwrap();
            assert_eq!(json, written);
            assert_eq!(serde_json::from_value::<OutboundRule>(json).unwrap(), rule);
        }
    }
}
