//! Everything that leads to a network, as far as it goes.

use serde_json::{Value, json};
use std::fmt::Display;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

/// Tries what `act` says:
///
/// - `std`: what the standard library has,
/// - `wasi`: each function that needs no socket,
/// - `networks`: to have many networks,
/// - `tcp`, `udp`, `incoming`, `outgoing`, `lookup`: to use a handle that it does not have.
///
/// Returns what came of each.
pub fn reach(act: &str) -> Value {
    match act {
        "std" => std_sockets(),
        _ => wasi(act),
    }
}

fn std_sockets() -> Value {
    // A name that would be found, and addresses that would answer.
    json!({
        "connect": seen(TcpStream::connect("127.0.0.1:9")),
        "connect_v6": seen(TcpStream::connect("[::1]:9")),
        "listen": seen(TcpListener::bind("0.0.0.0:0")),
        "bind": seen(UdpSocket::bind("0.0.0.0:0")),
        "lookup": seen("localhost:9".to_socket_addrs()),
    })
}

fn seen<T, E: Display>(result: Result<T, E>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "reached".to_owned())
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "handles that are none are what is tested")]
fn wasi(act: &str) -> Value {
    use proctor_sdk::wasip2::sockets::network::IpAddressFamily::{Ipv4, Ipv6};
    use proctor_sdk::wasip2::sockets::{
        instance_network::instance_network, ip_name_lookup, tcp, tcp_create_socket, udp,
        udp_create_socket,
    };
    /// One that the host gave nobody.
    const HANDLE: u32 = 1;
    // SAFETY: none of them is used after the call, which does not return.
    match act {
        "wasi" => json!({
            "tcp": [
                seen(tcp_create_socket::create_tcp_socket(Ipv4)),
                seen(tcp_create_socket::create_tcp_socket(Ipv6)),
            ],
            "udp": [
                seen(udp_create_socket::create_udp_socket(Ipv4)),
                seen(udp_create_socket::create_udp_socket(Ipv6)),
            ],
            "lookup": seen(ip_name_lookup::resolve_addresses(&instance_network(), "localhost")),
            "address": seen(ip_name_lookup::resolve_addresses(&instance_network(), "127.0.0.1")),
        }),
        "networks" => {
            let networks: Vec<_> = (0..1_000).map(|_| instance_network()).collect();
            json!(networks.len())
        }
        "tcp" => json!(unsafe { tcp::TcpSocket::from_handle(HANDLE) }.is_listening()),
        "udp" => seen(unsafe { udp::UdpSocket::from_handle(HANDLE) }.stream(None)).into(),
        "incoming" => {
            seen(unsafe { udp::IncomingDatagramStream::from_handle(HANDLE) }.receive(1)).into()
        }
        "outgoing" => {
            seen(unsafe { udp::OutgoingDatagramStream::from_handle(HANDLE) }.check_send()).into()
        }
        "lookup" => {
            let stream = unsafe { ip_name_lookup::ResolveAddressStream::from_handle(HANDLE) };
            seen(stream.resolve_next_address()).into()
        }
        other => json!(format!("no act {other}")),
    }
}

#[cfg(not(target_family = "wasm"))]
fn wasi(act: &str) -> Value {
    json!(act)
}
