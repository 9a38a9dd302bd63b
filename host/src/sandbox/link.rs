//! What components may import. Nothing here reaches the network, the
//! environment, or a file outside of what a call is granted.

use super::bindings::{context, database, runner, standings, submissions, types};
use super::clock::LogicalClocks;
use super::files::ScoredFiles;
use super::outbound;
use super::sockets;
use super::state::State;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker, types::ComponentItem};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::WasiCli;
use wasmtime_wasi::filesystem::WasiFilesystem;
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types as http_types};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

/// What a challenge may import in a call that is scored.
pub(super) fn plugin_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = solver_linker(engine)?;
    add_challenge(&mut linker)?;
    // Ours in place of those that are there: see `files`.
    linker.allow_shadowing(true);
    filesystem::preopens::add_to_linker::<_, ScoredFiles>(&mut linker, State::files)?;
    filesystem::types::add_to_linker::<_, ScoredFiles>(&mut linker, State::files)?;
    linker.allow_shadowing(false);
    // A component that has routes imports it as a whole; it gets nowhere with it.
    outbound::add_refusal(&mut linker)?;
    Ok(linker)
}

/// What a challenge may import in a call of its routes: the same, but time is real,
/// and requests go where the operator allows.
pub(super) fn route_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::<State>::new(engine);
    add_wasi(&mut linker)?;
    add_challenge(&mut linker)?;
    outgoing_handler::add_to_linker::<_, WasiHttp>(&mut linker, State::http)?;
    Ok(linker)
}

/// What a solver may import: WASI. Files and sockets are there in name only: a solver is
/// granted no directory, nobody a socket, and the standard libraries of most languages do
/// not link without them.
pub(super) fn solver_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::<State>::new(engine);
    add_wasi(&mut linker)?;
    // Ours in place of the one that is there: see `LogicalClocks`.
    linker.allow_shadowing(true);
    clocks::monotonic_clock::add_to_linker::<_, LogicalClocks>(
        &mut linker,
        State::monotonic_clock,
    )?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// The imports of `proctor:challenge`, and the types of `wasi:http`.
fn add_challenge(l: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(l, |state| state)?;
    context::add_to_linker::<_, HasSelf<_>>(l, |state| state)?;
    runner::add_to_linker::<_, HasSelf<_>>(l, |state| state)?;
    database::add_to_linker::<_, HasSelf<_>>(l, |state| state)?;
    standings::add_to_linker::<_, HasSelf<_>>(l, |state| state)?;
    submissions::add_to_linker::<_, HasSelf<_>>(l, |state| state)?;
    let options = LinkOptions::default();
    http_types::add_to_linker::<_, WasiHttp>(l, &(&options).into(), State::http)
}

fn add_wasi(l: &mut Linker<State>) -> wasmtime::Result<()> {
    // io, clocks, random, stdio; the rest of wasi:cli follows.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    sockets::add_to_linker(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |s: &mut State| s.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |s: &mut State| s.ctx().ctx.random())?;
    cli::exit::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(
        l,
        wasmtime_wasi::filesystem::WasiFilesystemView::filesystem,
    )?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(
        l,
        wasmtime_wasi::filesystem::WasiFilesystemView::filesystem,
    )
}

/// Names of what a component imports, as it names them.
pub(super) fn imports(component: &Component) -> Vec<String> {
    component
        .component_type()
        .imports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Names of what a component exports, as it names them.
pub(super) fn exports(component: &Component) -> Vec<String> {
    component
        .component_type()
        .exports(component.engine())
        .filter(|(_, item)| {
            matches!(
                item.ty,
                ComponentItem::ComponentInstance(_) | ComponentItem::ComponentFunc(_)
            )
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}
