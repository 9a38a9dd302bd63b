//! `wasi:sockets`, in name only.
//!
//! The standard libraries of Python and of others import it whether or not a program
//! uses it, so it is there for all. What would make a socket, or look up a name, is
//! ours, and refuses; the host has no way from there to its own network. The functions
//! of sockets are WASI's, for their types: nobody gets a socket to call them with.

use super::state::{Denied, State};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::{instance_network, network, tcp, udp};
use wasmtime_wasi::p2::{DynPollable, Network, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

/// Adds every interface of `wasi:sockets`. Each refuses at once, and the same in every
/// run.
pub(super) fn add_to_linker(l: &mut Linker<State>) -> wasmtime::Result<()> {
    // A `network` is a name: a component may have one, and gets nowhere with it.
    instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    // Some toolchains import what is not stable yet.
    let mut options = network::LinkOptions::default();
    options.network_error_code(true);
    network::add_to_linker::<_, WasiSockets>(l, &options, State::sockets)?;
    tcp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;

    // The versions stand for every 0.2.
    l.instance("wasi:sockets/tcp-create-socket@0.2.0")?
        .func_wrap("create-tcp-socket", refuse::<Family, TcpSocket>)?;
    l.instance("wasi:sockets/udp-create-socket@0.2.0")?
        .func_wrap("create-udp-socket", refuse::<Family, UdpSocket>)?;
    let mut lookup = l.instance("wasi:sockets/ip-name-lookup@0.2.0")?;
    let stream = ResourceType::host::<Lookup>();
    lookup.resource("resolve-address-stream", stream, |_, _| Ok(()))?;
    lookup.func_wrap("resolve-addresses", refuse::<Name, Lookup>)?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        deny::<Result<Option<IpAddress>, ErrorCode>>,
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        deny::<Resource<DynPollable>>,
    )
}

/// What would look up a name. There is none.
struct Lookup;

type Family = (IpAddressFamily,);
type Name = (Resource<Network>, String);
type Refused<T> = Result<Resource<T>, ErrorCode>;

fn refuse<P, T: 'static>(_: StoreContextMut<'_, State>, _: P) -> wasmtime::Result<(Refused<T>,)> {
    Ok((Err(ErrorCode::AccessDenied),))
}

/// What can only be called with what nobody has.
fn deny<T>(_: StoreContextMut<'_, State>, _: (Resource<Lookup>,)) -> wasmtime::Result<(T,)> {
    Err(Denied("there are no sockets".into()).into())
}
