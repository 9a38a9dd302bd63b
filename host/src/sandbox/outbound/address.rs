//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to the public internet: not this machine, a private
/// or local network, a shared one (CGNAT), multicast, or an address that is
/// reserved. An IPv6 address that stands for an IPv4 address, or leads to one
/// through a relay, is never public: it would be another way to a private one.
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the IANA registry of special-purpose addresses: what is not globally
/// reachable there, and the relays (192.88.99.0/24) and anycast addresses of
/// protocols (192.0.0.0/24), which no server has.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let reserved = match address.octets() {
        // This network, private, loopback.
        [0 | 10 | 127, ..] => true,
        // Shared address space: 100.64.0.0/10.
        [100, b, ..] => b & 0xc0 == 64,
        // Link-local, where clouds have their metadata.
        [169, 254, ..] => true,
        // Private: 172.16.0.0/12.
        [172, b, ..] => b & 0xf0 == 16,
        // Protocols, documentation; AS112 and AMT anycast; 6to4 relays; private.
        [192, 0, 0 | 2, _] | [192, 31, 196, _] | [192, 52, 193, _] => true,
        [192, 88, 99, _] | [192, 168, ..] | [192, 175, 48, _] => true,
        // Benchmarks: 198.18.0.0/15; documentation.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !reserved
}

/// Global unicast is 2000::/3; what is not public in it is left out. That leaves
/// out everything else as well: loopback, v4-mapped (::ffff:0:0/96), v4-compatible,
/// NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, ULA (fc00::/7), link-local,
/// site-local and multicast.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let global_unicast = match address.segments() {
        // Protocols (2001::/23), with Teredo, ORCHID and benchmarks.
        [0x2001, b, ..] if b & 0xfe00 == 0 => false,
        // Documentation.
        [0x2001, 0x0db8, ..] => false,
        [0x3fff, b, ..] if b & 0xf000 == 0 => false,
        // 6to4; AS112.
        [0x2002, ..] | [0x2620, 0x4f, 0x8000, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    };
    global_unicast && !holds_private_v4(address)
}

/// Whether it is an address of a translator (RFC 6052 and ISATAP) that holds an
/// IPv4 address that is not public, as its last four bytes.
fn holds_private_v4(address: Ipv6Addr) -> bool {
    match address.segments() {
        // ISATAP: …:0:5efe:a.b.c.d, or …:200:5efe:a.b.c.d.
        [.., 0 | 0x200, 0x5efe, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            !is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(address: &str) -> bool {
        is_public_address(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450:4001:82a::200e",
            "3ffe:ffff::1",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn private_and_reserved_addresses_are_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "fc00::1",
            "fd12:3456:789a::1",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001:db8::1",
            "2001:2::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn an_ipv4_address_in_an_ipv6_address_is_no_way_in() {
        for address in [
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            // Not even a public one: there is no reason to write it like that.
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::10.0.0.1",
            "2002:7f00:1::1",
            "2002:0a00:0001::",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:192.168.0.1",
        ] {
            assert!(!public(address), "{address}");
        }
        assert!(public("2606:4700::5efe:8.8.8.8"));
    }
}
