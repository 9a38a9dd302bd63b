//! Networks by name, and the addresses of endpoints.

use super::error::ChainError;
use http::Uri;

/// What the Bittensor tools call the networks, and the endpoint of each.
const NETWORKS: [(&str, &str); 4] = [
    ("finney", "wss://entrypoint-finney.opentensor.ai:443"),
    ("test", "wss://test.finney.opentensor.ai:443"),
    ("archive", "wss://archive.chain.opentensor.ai:443"),
    ("local", "ws://127.0.0.1:9944"),
];

/// The addresses to be tried, in this order, each once: that of `network`, which is a
/// name or an address, and then `endpoints`.
///
/// # Errors
///
/// A name of no network, something that is no address of a WebSocket, or nothing at all.
pub fn addresses(network: Option<&str>, endpoints: &[String]) -> Result<Vec<String>, ChainError> {
    let mut addresses: Vec<String> = Vec::new();
    let named = network.map(|name| {
        let known = NETWORKS.iter().find(|(known, _)| *known == name);
        known.map_or(name, |(_, address)| address)
    });
    let all = named
        .into_iter()
        .chain(endpoints.iter().map(String::as_str));
    for address in all {
        if label(address).is_none() {
            let names = NETWORKS.map(|(name, _)| name).join(", ");
            // What comes after the scheme may have a key in it.
            let shown = address
                .split_once("://")
                .map_or(address, |(scheme, _)| scheme);
            return Err(ChainError::Network(format!(
                "{shown:?} is no network: give one of {names}, or an address that begins with wss:// or ws://"
            )));
        }
        if !addresses.iter().any(|known| known == address) {
            addresses.push(address.to_owned());
        }
    }
    if addresses.is_empty() {
        return Err(ChainError::Network(
            "no endpoint of the chain is given: set chain.network or chain.endpoints".into(),
        ));
    }
    Ok(addresses)
}

/// What the public may know of where the subnet is read from: the name of the network,
/// or the first endpoint without what its provider may have put into the address.
pub fn public_name(chain: &crate::config::Chain) -> String {
    let first = chain.network.as_ref().or(chain.endpoints.first());
    let Some(first) = first else {
        return String::new();
    };
    match NETWORKS.iter().find(|(known, _)| known == first) {
        Some((name, _)) => (*name).to_owned(),
        None => label(first).unwrap_or_default(),
    }
}

/// The part of an address that may be shown: paths and queries hold the keys that
/// providers of endpoints give out. None if it is no address of a WebSocket.
pub(super) fn label(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str().filter(|s| ["ws", "wss"].contains(s))?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{scheme}://{host}{port}"))
}

/// Whether what is said to an address can be read or changed on its way.
pub(super) fn is_open(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else {
        return true;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let at_home = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() != Some("wss") && !at_home
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_known_by_its_name() {
        let of = |name| addresses(Some(name), &[]).unwrap();
        assert_eq!(of("finney"), ["wss://entrypoint-finney.opentensor.ai:443"]);
        assert_eq!(of("test"), ["wss://test.finney.opentensor.ai:443"]);
        assert_eq!(of("local"), ["ws://127.0.0.1:9944"]);
        assert_eq!(of("ws://10.0.0.7:9944"), ["ws://10.0.0.7:9944"]);
    }

    #[test]
    fn a_name_of_no_network_is_refused_with_those_there_are() {
        for name in ["nakamoto", "", "https://example.org", "wss://", "ws:///x"] {
            let error = addresses(Some(name), &[]).unwrap_err();
            assert_eq!(error.code(), "unknown_network");
            let message = error.to_string();
            assert!(
                message.contains("finney, test, archive, local"),
                "{message}"
            );
        }
        assert!(addresses(None, &[]).is_err());
        assert!(addresses(Some("test"), &["localhost:9944".into()]).is_err());
    }

    #[test]
    fn endpoints_come_after_the_network_and_each_once() {
        let more = ["wss://a.example".into(), "ws://127.0.0.1:9944".into()];
        let all = addresses(Some("local"), &more).unwrap();
        assert_eq!(all, ["ws://127.0.0.1:9944", "wss://a.example"]);
        assert_eq!(addresses(None, &more).unwrap(), more);
    }

    #[test]
    fn the_public_is_told_no_key() {
        let named = |network: &str| {
            public_name(&crate::config::Chain {
                network: Some(network.to_owned()),
                ..Default::default()
            })
        };
        assert_eq!(named("finney"), "finney");
        assert_eq!(named("wss://a.example/v1/KEY?k=KEY"), "wss://a.example");
        let error = addresses(Some("https://a.example/KEY"), &[]).unwrap_err();
        assert!(!error.to_string().contains("KEY"), "{error}");
    }

    #[test]
    fn keys_in_an_address_are_not_shown() {
        let shown = |address| label(address).unwrap();
        assert_eq!(
            shown("wss://a.example:443/KEY?key=KEY"),
            "wss://a.example:443"
        );
        assert_eq!(shown("wss://me:KEY@a.example/"), "wss://a.example");
        assert_eq!(shown("ws://[::1]:9944"), "ws://[::1]:9944");
    }

    #[test]
    fn only_what_stays_at_home_or_is_encrypted_is_closed() {
        assert!(is_open("ws://10.0.0.7:9944"));
        assert!(is_open("ws://a.example"));
        for closed in [
            "ws://127.0.0.1:9944",
            "ws://[::1]:1",
            "ws://localhost",
            "wss://a.example",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
